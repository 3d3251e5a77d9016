//! What server and client need of a transport; the kernel's TCP and netloom's as two of them; and
//! the time that reading and writing may take.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use netloom_services::http::{StreamError, Transport};

#[cfg(test)]
mod tests;

/// A blocking byte stream to a client.
///
/// A read or write that takes longer than its timeout fails with [`ErrorKind::WouldBlock`] or
/// [`ErrorKind::TimedOut`], as those of `std::net` do.
pub trait Connection: Read + Write {
    /// How long a read waits for its first octet; `None` for ever. Never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits for room; `None` for ever. Never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Whether reads and writes that would wait fail with [`ErrorKind::WouldBlock`] at once.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;

    /// Ends the sending direction (TCP's FIN, behind what was written); reading goes on.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn shutdown_write(&self) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Connection for netloom::TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Self::set_nonblocking(self, nonblocking)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// Who has others served while a connection waits.
pub(crate) trait Attendant: std::fmt::Debug + Send + Sync {
    /// The calling thread is going to wait for a client.
    fn begins_to_wait(&self);
    /// It has waited.
    fn has_waited(&self);
    /// Has the calling thread, which waits, serve again if nobody else does. Says whether it is to:
    /// then it has waited.
    fn is_needed(&self) -> bool;
}

/// A thread that waits, until this is dropped, by a panic too.
#[derive(Debug)]
struct Away {
    attendant: Arc<dyn Attendant>,
    /// It was needed, and serves already.
    is_back: bool,
}

impl Away {
    fn new(attendant: &Arc<dyn Attendant>) -> Self {
        attendant.begins_to_wait();
        Self {
            attendant: Arc::clone(attendant),
            is_back: false,
        }
    }

    fn is_needed(&mut self) -> bool {
        self.is_back = self.is_back || self.attendant.is_needed();
        self.is_back
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if !self.is_back {
            self.attendant.has_waited();
        }
    }
}

/// A connection whose reads and writes have their time. As a [`Transport`] it waits; what takes
/// longer than its time would block. Where it has an attendant, that is told of every wait, and for
/// the first octet of a message it does not wait at all; its time is shorter while the attendant
/// needs the thread.
#[derive(Debug)]
pub(crate) struct Timed<C> {
    inner: C,
    attendant: Option<Arc<dyn Attendant>>,
    /// While the thread serves this connection alone: others are served meanwhile.
    apart: Option<Away>,
    patience: Patience,
    write_time: Duration,
    /// How long something may take while its thread is needed.
    short_time: Duration,
    /// What the transport was told last, so that it is told only what changes.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// How long reading may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// So long for each read.
    Each(Duration),
    /// For something that has begun: so long from there to the end.
    Rest { begun: Instant, all: Duration },
    /// For something that begins with its first octet: so long until that, and so long from there
    /// to the end.
    Message {
        first: Duration,
        all: Duration,
        begun: Option<Instant>,
    },
}

impl Patience {
    /// The time for a read now; none if it is over.
    fn left(self) -> Option<Duration> {
        let left = match self {
            Self::Each(time) => return Some(time),
            Self::Message {
                first, begun: None, ..
            } => return Some(first),
            Self::Rest { begun, all }
            | Self::Message {
                all,
                begun: Some(begun),
                ..
            } => all.saturating_sub(begun.elapsed()),
        };
        Some(left).filter(|left| !left.is_zero())
    }

    /// When what is waited for began; for something that has not, that is now.
    fn since(self) -> Instant {
        match self {
            Self::Each(_) | Self::Message { begun: None, .. } => Instant::now(),
            Self::Rest { begun, .. }
            | Self::Message {
                begun: Some(begun), ..
            } => begun,
        }
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    Octets,
    Room,
}

/// The shortest timeout a transport is asked for: zero would mean none.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long a thread waits at most until it looks whether it is needed.
const LOOKS: Duration = Duration::from_secs(1);

impl<C: Connection> Timed<C> {
    /// Writes a buffer within `write_time`.
    pub(crate) fn new(inner: C, write_time: Duration) -> Self {
        Self {
            inner,
            attendant: None,
            apart: None,
            patience: Patience::Rest {
                begun: Instant::now(),
                all: Duration::ZERO,
            },
            write_time,
            short_time: Duration::MAX,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// A connection that has an attendant. While that needs the thread, a buffer is written, and what
    /// has begun is read, within `short_time`.
    ///
    /// # Errors
    ///
    /// The transport's.
    pub(crate) fn attended(
        inner: C,
        write_time: Duration,
        short_time: Duration,
        attendant: Arc<dyn Attendant>,
    ) -> io::Result<Self> {
        inner.set_nonblocking(true)?;
        Ok(Self {
            attendant: Some(attendant),
            short_time,
            ..Self::new(inner, write_time)
        })
    }

    /// Whether somebody else waits for the first octet of a message.
    pub(crate) fn is_attended(&self) -> bool {
        self.attendant.is_some()
    }

    /// The connection itself.
    pub(crate) fn inner(&self) -> &C {
        &self.inner
    }

    /// Has reads take no longer than that from now on.
    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// When the message began whose octets are being read.
    pub(crate) fn begun(&self) -> Option<Instant> {
        match self.patience {
            Patience::Message { begun, .. } => begun,
            Patience::Each(_) | Patience::Rest { .. } => None,
        }
    }

    /// Reads something within `time`; zero octets are the end of the stream.
    pub(crate) fn read(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        let since = self.patience.since();
        self.waiting(Wait::Octets, since, time, |inner| {
            uninterrupted(|| inner.read(buffer))
        })
        .map_err(timed_out)
    }

    /// Reads the first octets of something within `time`. Where somebody else waits for them, they
    /// are there already, or it fails with [`ErrorKind::WouldBlock`].
    fn read_first(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        if self.is_attended() {
            return uninterrupted(|| self.inner.read(buffer));
        }
        self.read(buffer, time)
    }

    /// Calls the transport, which may wait for `time`; has others served while that waits. What it is
    /// called for has begun at `since`.
    fn waiting<T>(
        &mut self,
        wait: Wait,
        since: Instant,
        time: Duration,
        mut call: impl FnMut(&mut C) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(attendant) = &self.attendant else {
            self.limit(wait, time)?;
            return call(&mut self.inner);
        };
        match call(&mut self.inner) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        self.inner.set_nonblocking(false)?;
        let apart = self.apart.take();
        let was_apart = apart.is_some();
        let mut away = apart.unwrap_or_else(|| Away::new(attendant));
        let called = self.waiting_away(&mut away, wait, since, time, call);
        // Whoever is needed stays apart no longer.
        self.apart = Some(away).filter(|away| was_apart && !away.is_back);
        self.inner.set_nonblocking(true)?;
        called
    }

    /// Calls the transport, which may wait for `time`, and looks now and then whether the thread is
    /// needed, for which it waits in several goes.
    fn waiting_away<T>(
        &mut self,
        away: &mut Away,
        wait: Wait,
        since: Instant,
        time: Duration,
        mut call: impl FnMut(&mut C) -> io::Result<T>,
    ) -> io::Result<T> {
        let start = Instant::now();
        let mut left = time;
        loop {
            self.limit(wait, left.min(LOOKS).min(self.short_time))?;
            match call(&mut self.inner) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            left = time.saturating_sub(start.elapsed());
            if left.is_zero() || (since.elapsed() >= self.short_time && away.is_needed()) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    /// Has the transport wait for no longer than that, if it waits.
    fn limit(&mut self, wait: Wait, time: Duration) -> io::Result<()> {
        let timeout = Some(time.max(SHORTEST));
        let told = match wait {
            Wait::Octets => &mut self.read_timeout,
            Wait::Room => &mut self.write_timeout,
        };
        if *told == timeout {
            return Ok(());
        }
        match wait {
            Wait::Octets => self.inner.set_read_timeout(timeout)?,
            Wait::Room => self.inner.set_write_timeout(timeout)?,
        }
        *told = timeout;
        Ok(())
    }

    /// Has others served until [`Timed::rejoin`], because what follows may take long without
    /// waiting for the client: a slow disk, or a client that never makes anybody wait.
    pub(crate) fn go_apart(&mut self) {
        if let (Some(attendant), None) = (&self.attendant, &self.apart) {
            self.apart = Some(Away::new(attendant));
        }
    }

    /// What may take long is over.
    pub(crate) fn rejoin(&mut self) {
        self.apart = None;
    }

    /// Writes all of `bytes` within `time`, however little the client takes at once.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8], time: Duration) -> io::Result<()> {
        if self.is_attended() {
            // Mostly there is room, and no clock need be asked.
            match uninterrupted(|| self.inner.write(bytes)) {
                Ok(written) if written == bytes.len() => return Ok(()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let start = Instant::now();
        let mut left = time;
        while !bytes.is_empty() {
            let written = self.waiting(Wait::Room, start, left, |inner| {
                uninterrupted(|| inner.write(bytes))
            })?;
            match written {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => bytes = bytes.get(written..).unwrap_or_default(),
            }
            if !bytes.is_empty() {
                left = time.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
        }
        Ok(())
    }

    /// The first stage of closing: ends the sending direction. Says whether there is a second one.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //# To avoid the TCP reset problem, servers typically close a connection
    //# in stages.
    pub(crate) fn begin_to_close(&self) -> bool {
        self.inner.shutdown_write().is_ok()
    }

    /// The second stage: reads away what the client still sends, until `deadline` and at most
    /// `octets` of it, until it closes its side. Says whether it is over: if not, it is to be called
    /// again when there is more.
    pub(crate) fn linger(
        &mut self,
        scratch: &mut [u8],
        deadline: Instant,
        octets: &mut usize,
    ) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || *octets == 0 {
                return true;
            }
            match self.read_first(scratch, left) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Ok(0) | Err(_) => return true,
                Ok(read) => *octets = octets.saturating_sub(read),
            }
        }
    }
}

/// Calls until no signal interrupts.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// What transports call a time-out, by either of its names.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl<C: Connection> Transport for Timed<C> {
    type Error = io::Error;

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<io::Error>> {
        let time = self.patience.left().ok_or(StreamError::WouldBlock)?;
        let is_first = matches!(self.patience, Patience::Message { begun: None, .. });
        let read = if is_first {
            self.read_first(buffer, time)
        } else {
            self.read(buffer, time)
        };
        match read {
            Ok(read) => {
                if let Patience::Message { begun, .. } = &mut self.patience {
                    *begun = begun.or_else(|| (read > 0).then(Instant::now));
                }
                Ok(read)
            }
            // A connection that has ended by a time-out says so again and again: there is nothing to
            // wait for.
            Err(error)
                if error.kind() == ErrorKind::TimedOut && !(is_first && self.is_attended()) =>
            {
                Err(StreamError::WouldBlock)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(StreamError::WouldBlock),
            Err(error) => Err(StreamError::Failed(error)),
        }
    }

    /// Takes all of it, within the time for a buffer: a client that is too slow has failed.
    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<io::Error>> {
        let time = self.write_time;
        self.write_all(data, time).map_err(StreamError::Failed)?;
        Ok(data.len())
    }
}
