//! Calls of the socket API: made, waited for, and their results judged.

mod data;
mod sockets;
mod waiting;

use super::ast::{Call, Expr, ExprKind, ScriptOption};
use super::describe;
use super::errno::Errno;
use super::error::Mismatch;
use super::names::{IPPROTO_TCP, MSG_DONTWAIT, TCP_CC_INFO, TCP_INFO};
use super::runner::Runner;
use super::subject::Fd;
use super::tcp_info;
use super::values;

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Pending {
    call: Call,
    /// When it must return.
    until: u64,
    /// When it returns at the latest, if it was given a time.
    pub(crate) timeout: Option<u64>,
    /// Bytes that were taken or brought before it had to wait.
    progress: usize,
}

/// How a call went.
pub(super) enum Outcome {
    /// It returned.
    Returned(Returned),
    /// It has to wait, until a time at most.
    Waits {
        /// When it gives up.
        timeout: Option<u64>,
        /// Bytes it has taken so far.
        progress: usize,
    },
}

/// What a call returned.
pub(super) struct Returned {
    /// The value, or the error.
    pub(super) value: Result<i64, Errno>,
    /// What its out-parameters are not, in words.
    pub(super) wrong: Option<String>,
}

impl From<Result<i64, Errno>> for Outcome {
    fn from(value: Result<i64, Errno>) -> Outcome {
        Outcome::Returned(Returned { value, wrong: None })
    }
}

/// When the call being made began, and what it has done so far.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// It is made for the first time.
    pub(super) first: bool,
    /// The time at which it gives up, once known.
    pub(super) timeout: Option<u64>,
    /// Bytes it has taken so far.
    pub(super) progress: usize,
}

impl Runner<'_, '_> {
    /// Makes a call. `base` is what the time of its return counts from.
    pub(super) fn call(&mut self, call: &Call, base: u64) -> Result<(), Mismatch> {
        let attempt = Attempt {
            first: true,
            timeout: None,
            progress: 0,
        };
        let now = self.subject.now();
        let until = call.until.map(|until| base + until);
        match self.attempt(call, attempt)? {
            Outcome::Returned(returned) => self.returned(call, until, returned),
            Outcome::Waits { timeout, progress } => {
                let Some(until) = until else {
                    return Err(Mismatch::new(
                        call.at,
                        format!(
                            "`{}` has to wait: say until when (`0.1...0.2 {}(...)`), or make the \
                             socket O_NONBLOCK",
                            call.name, call.name
                        ),
                    ));
                };
                self.say(|| format!("{} waits", call.name));
                self.pending = Some(Pending {
                    call: call.clone(),
                    until: until.max(now),
                    timeout,
                    progress,
                });
                Ok(())
            }
        }
    }

    /// Makes the call that waits once more.
    pub(super) fn retry_pending(&mut self) -> Result<(), Mismatch> {
        let Some(mut pending) = self.pending.take() else {
            return Ok(());
        };
        let attempt = Attempt {
            first: false,
            timeout: pending.timeout,
            progress: pending.progress,
        };
        match self.attempt(&pending.call, attempt)? {
            Outcome::Returned(returned) => {
                self.returned(&pending.call, Some(pending.until), returned)
            }
            Outcome::Waits { progress, .. } => {
                pending.progress = progress;
                self.pending = Some(pending);
                Ok(())
            }
        }
    }

    /// Lets the call that waits return before anything else is done.
    pub(super) fn finish_pending(&mut self) -> Result<(), Mismatch> {
        let Some(until) = self.pending.as_ref().map(|pending| pending.until) else {
            return Ok(());
        };
        // Not beyond the tolerance: what would come later is too late anyway.
        let latest = until.saturating_add(self.settings.tolerance);
        while self.pending.is_some() {
            let next = self.next_event().filter(|next| *next <= latest);
            let Some(next) = next.filter(|next| *next > self.subject.now()) else {
                self.advance(latest)?;
                break;
            };
            self.advance(next)?;
        }
        match &self.pending {
            None => Ok(()),
            Some(pending) => Err(Mismatch::new(
                pending.call.at,
                format!(
                    "`{}` was to return at {}, and still waits",
                    pending.call.name,
                    describe::time(until)
                ),
            )),
        }
    }

    fn next_event(&self) -> Option<u64> {
        let timeout = self.pending.as_ref().and_then(|pending| pending.timeout);
        self.subject
            .next_deadline()
            .into_iter()
            .chain(timeout)
            .min()
    }

    /// Judges what a call returned, and when.
    fn returned(
        &mut self,
        call: &Call,
        until: Option<u64>,
        returned: Returned,
    ) -> Result<(), Mismatch> {
        let Returned { value, wrong } = returned;
        let shown = match value {
            Ok(value) => value.to_string(),
            Err(error) => format!("-1 {error}"),
        };
        self.say(|| format!("{} = {shown}", call.name));
        let expected = self.expected_result(call)?;
        let as_expected = match (&expected, value) {
            (Expected::Anything, _) => true,
            (Expected::Value(expected), Ok(value)) => *expected == value,
            (Expected::Error(expected), Err(error)) => *expected == error,
            (Expected::Value(_) | Expected::Error(_), _) => false,
        };
        if !as_expected {
            let expected = match expected {
                Expected::Anything => "anything".to_owned(),
                Expected::Value(value) => value.to_string(),
                Expected::Error(error) => format!("-1 {error}"),
            };
            return Err(Mismatch::new(
                call.at,
                format!("`{}` returned {shown}, expected {expected}", call.name),
            ));
        }
        if let Some(wrong) = wrong {
            return Err(Mismatch::new(call.at, format!("`{}`: {wrong}", call.name)));
        }
        let now = self.subject.now();
        let Some(until) = until else {
            return Ok(());
        };
        let off = now.abs_diff(until);
        if off > self.settings.tolerance {
            return Err(Mismatch::new(
                call.at,
                format!(
                    "`{}` was to return at {}, and returned at {}: {} s too {}",
                    call.name,
                    describe::time(until),
                    describe::time(now),
                    describe::time(off),
                    if now > until { "late" } else { "early" }
                ),
            ));
        }
        Ok(())
    }

    fn expected_result(&self, call: &Call) -> Result<Expected, Mismatch> {
        if let Some(name) = &call.errno {
            let error = Errno::of_name(name).ok_or_else(|| {
                Mismatch::new(call.at, format!("`{name}` is no error of the socket API"))
            })?;
            return Ok(Expected::Error(error));
        }
        match call.result.kind {
            ExprKind::Ellipsis => Ok(Expected::Anything),
            _ => Ok(Expected::Value(values::integer(&call.result)?)),
        }
    }

    /// Makes a call once.
    fn attempt(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        match call.name.as_str() {
            "socket" => self.socket(call),
            "bind" => self.bind(call),
            "listen" => self.listen(call),
            "accept" | "accept4" => self.accept(call),
            "connect" => self.connect(call, attempt),
            "read" | "recv" | "recvfrom" => self.receive(call, attempt),
            "readv" => self.readv(call, attempt),
            "recvmsg" => self.recvmsg(call, attempt),
            "write" | "send" | "sendto" => self.send(call, attempt),
            "writev" => self.writev(call, attempt),
            "sendmsg" => self.sendmsg(call, attempt),
            "close" => self.close(call),
            "shutdown" => self.shutdown(call),
            "fcntl" => self.fcntl(call),
            "ioctl" => self.ioctl(call),
            "getsockopt" => self.getsockopt(call),
            "setsockopt" => self.setsockopt(call),
            "getsockname" | "getpeername" => self.name_of(call),
            "poll" => self.poll(call, attempt),
            "epoll_create" | "epoll_create1" => self.epoll_create(call),
            "epoll_ctl" => self.epoll_ctl(call),
            "epoll_wait" => self.epoll_wait(call, attempt),
            "usleep" | "sleep" => self.sleep(call, attempt),
            name => Err(Mismatch::new(
                call.at,
                format!("the call `{name}` is not known"),
            )),
        }
    }

    /// The arguments of a call, if there are as many as it takes.
    pub(super) fn args<'c, const N: usize>(
        &self,
        call: &'c Call,
    ) -> Result<&'c [Expr; N], Mismatch> {
        match <&[Expr; N]>::try_from(call.args.as_slice()) {
            Ok(args) => Ok(args),
            Err(_) => arguments(call, &N.to_string()),
        }
    }

    /// The subject's descriptor for one of the script.
    pub(super) fn fd(&self, expr: &Expr) -> Result<Fd, Mismatch> {
        let number = values::integer(expr)?;
        match self.files.get(&number) {
            Some(fd) => Ok(*fd),
            None => Ok(-1),
        }
    }

    /// A call returned a new descriptor: what the script calls it.
    pub(super) fn new_fd(&mut self, call: &Call, fd: Fd) -> i64 {
        let name = match values::integer(&call.result) {
            Ok(name) if name >= 0 && !self.files.contains_key(&name) => name,
            Ok(_) | Err(_) => fd.into(),
        };
        self.files.insert(name, fd);
        name
    }

    /// Whether a call on a descriptor with these flags waits.
    pub(super) fn waits(&self, fd: Fd, flags: i32) -> bool {
        self.subject.is_blocking(fd) && flags & MSG_DONTWAIT == 0
    }

    /// `tcp_info` of the connection the script is about: that of the newest descriptor that has one.
    /// Behind it what the stack tells beside, if it does, and what the connection's congestion
    /// control tells.
    pub(super) fn connection_info(&mut self) -> Option<Vec<u8>> {
        let mut files: Vec<Fd> = self.files.values().copied().collect();
        files.sort_unstable();
        let infos = files.into_iter().rev();
        infos
            .filter_map(|fd| {
                let mut option = |name| self.subject.getsockopt(fd, IPPROTO_TCP, name).ok();
                let mut info = option(TCP_INFO)?;
                let congestion = option(TCP_CC_INFO).unwrap_or_default();
                info.resize(tcp_info::SIZE, 0);
                if let Some(told) = self.subject.told() {
                    let [received, sent] = told.unpredicted;
                    let [srtt, retrans] = told.ended;
                    let timer = [told.timer, told.when, told.tries];
                    for word in [[received, sent].as_slice(), &timer, &[srtt, retrans]].concat() {
                        info.extend(word.to_ne_bytes());
                    }
                }
                if !congestion.is_empty() {
                    info.resize(tcp_info::CONGESTION, 0);
                    info.extend(congestion);
                }
                Some(info)
            })
            .next()
    }

    /// A setting of Linux's, where netloom has a tunable of the same name.
    pub(super) fn sysctl(&mut self, setting: &ScriptOption) -> Result<(), Mismatch> {
        let name = setting.name.rsplit(['.', '/']).next().unwrap_or_default();
        let known = netloom_stack::Tunables::default().get(name).is_some();
        if known {
            return self
                .subject
                .set_tunable(name, &setting.value)
                .map_err(|text| Mismatch::new(setting.at, text));
        }
        self.say(|| format!("sysctl {}: netloom has none, ignored", setting.name));
        Ok(())
    }
}

/// A call with too many arguments, or too few.
pub(super) fn arguments<T>(call: &Call, takes: &str) -> Result<T, Mismatch> {
    let Call { name, args, .. } = call;
    let message = format!("`{name}` takes {takes} arguments, here are {}", args.len());
    Err(Mismatch::new(call.at, message))
}

enum Expected {
    Anything,
    Value(i64),
    Error(Errno),
}
