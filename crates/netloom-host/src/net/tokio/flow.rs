//! Flows: what everybody's packets open.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use ::tokio::runtime::Handle;
use netloom_stack::flow::{
    FlowConfig, FlowId, FlowProtocol, FlowSocket, FlowTuple, Refusal, Unreachable,
};
use netloom_stack::{CloseReason, Counters, Error as StackError, Seed, Stack, UdpHandle};

use super::super::engine::Engine;
use super::super::error::to_io;
use super::super::parking::{Parking, Side};
use super::super::runtime::Running;
use super::super::socket::Socket;
use super::super::tcp_stream;
use super::driver::start_on;
use super::stream::TcpStream;
use crate::device::{Device, Medium};
use crate::sys;

/// Takes in packets for every address, and gives the flows they open.
///
/// A flow that nobody [accepts](FlowListener::accept), or decides upon, within
/// [`FlowTimeouts::hold`](netloom_stack::flow::FlowTimeouts::hold) is refused. When the listener
/// is dropped newcomers are refused; flows that are open go on until they are dropped.
pub struct FlowListener {
    running: Arc<Running>,
}

impl fmt::Debug for FlowListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowListener").finish_non_exhaustive()
    }
}

/// A flow that wants to open.
#[derive(Debug)]
pub enum Flow {
    /// A connection: its SYN is not answered yet.
    Tcp(Syn),
    /// Datagrams between two ends; the first has arrived.
    Udp(UdpFlow),
    /// Echo requests with one identifier; the first has arrived.
    Echo(EchoFlow),
}

impl FlowListener {
    /// Takes everybody's packets from a device of bare IP packets: a
    /// [`Tun`](crate::device::Tun), or a [`packet_channel`](super::packet_channel). A task of the
    /// runtime this is called in drives the device. The MTU is the device's.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for an Ethernet device, on which a stack needs addresses
    /// ([`Builder::start_flows_on`](crate::net::Builder::start_flows_on)); no descriptor or randomness left;
    /// [`io::ErrorKind::Unsupported`] for a device that epoll(7) does not know.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(device: impl Device + 'static, config: FlowConfig) -> io::Result<FlowListener> {
        FlowListener::new_on(&Handle::current(), device, config)
    }

    /// [`FlowListener::new`] on a runtime of the caller's choice.
    ///
    /// # Errors
    /// As there.
    pub fn new_on(
        runtime: &Handle,
        device: impl Device + 'static,
        config: FlowConfig,
    ) -> io::Result<FlowListener> {
        let running = FlowListener::start(runtime, device, config)?;
        Ok(FlowListener::of(&Arc::new(running)))
    }

    fn start(
        runtime: &Handle,
        device: impl Device + 'static,
        config: FlowConfig,
    ) -> io::Result<Running> {
        if device.medium() != Medium::Ip {
            let message = "flows need a device of bare IP packets, such as a TUN interface";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut seed = [0; 32];
        sys::random_bytes(&mut seed)?;
        let config = config.mtu(device.mtu());
        let stack = Stack::for_flows(&config, Seed::from(seed)).map_err(to_io)?;
        start_on(runtime, stack, Box::new(device))
    }

    /// [`FlowListener::new`], which other programs of the same user can ask about, as
    /// [`Builder::control`](crate::net::Builder::control) says.
    ///
    /// # Errors
    /// As there; with [`Control::On`](crate::control::Control::On) or
    /// [`At`](crate::control::Control::At), its socket cannot be made.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(feature = "control")]
    pub fn with_control(
        device: impl Device + 'static,
        config: FlowConfig,
        control: &crate::control::Control,
    ) -> io::Result<FlowListener> {
        let name = device.name().to_owned();
        let mut running = FlowListener::start(&Handle::current(), device, config)?;
        running.open_control(control, &name)?;
        Ok(FlowListener::of(&Arc::new(running)))
    }

    /// The listener of a stack that takes flows.
    pub(in super::super) fn of(running: &Arc<Running>) -> FlowListener {
        running.shared().with(|engine| engine.desk.attended = true);
        FlowListener {
            running: Arc::clone(running),
        }
    }

    /// Waits for the next flow; `None` when the device has failed or ended, and no other will
    /// come.
    ///
    /// Cancel safe: a flow that was not returned is the next call's.
    pub async fn accept(&mut self) -> Option<Flow> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// [`accept`](FlowListener::accept) for those who poll by hand.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Flow>> {
        let taken = self.running.shared().poll(
            cx,
            |engine, task| engine.desk.await_flow(task),
            |engine| take_flow(engine).ok_or(StackError::WouldBlock),
        );
        taken.map(|taken| Some(self.flow(taken.ok()?)))
    }

    fn flow(&self, taken: Taken) -> Flow {
        match taken {
            Taken::Tcp { id, tuple } => Flow::Tcp(Syn {
                running: Arc::clone(&self.running),
                id,
                tuple,
                decided: false,
            }),
            Taken::Datagrams {
                id,
                tuple,
                place,
                echo,
            } => {
                let datagrams = Datagrams {
                    socket: Socket::new(&self.running, place),
                    id,
                    tuple,
                    over: AtomicBool::new(false),
                };
                if echo {
                    Flow::Echo(EchoFlow { datagrams })
                } else {
                    Flow::Udp(UdpFlow { datagrams })
                }
            }
        }
    }

    /// Flows of all protocols, those not decided upon among them.
    pub fn flow_count(&self) -> usize {
        let shared = self.running.shared();
        shared.look(|engine| engine.stack.flow_count())
    }

    /// Bytes that flows take now: at most the budget.
    pub fn memory_in_use(&self) -> usize {
        let shared = self.running.shared();
        shared.look(|engine| engine.stack.flow_memory())
    }

    /// What happened to every packet so far.
    pub fn counters(&self) -> Counters {
        let shared = self.running.shared();
        shared.look(|engine| engine.stack.counters().clone())
    }
}

impl Drop for FlowListener {
    fn drop(&mut self) {
        self.running.shared().with(|engine| {
            engine.desk.attended = false;
            while let Some(id) = engine.desk.take() {
                // One that is over already needs no refusal.
                let _ = engine.stack.flow_refuse(id, Refusal::Rst);
            }
        });
    }
}

/// A flow that was taken from the desk.
enum Taken {
    Tcp {
        id: FlowId,
        tuple: FlowTuple,
    },
    Datagrams {
        id: FlowId,
        tuple: FlowTuple,
        place: (UdpHandle, Arc<Parking>),
        echo: bool,
    },
}

fn take_flow(engine: &mut Engine) -> Option<Taken> {
    while let Some(id) = engine.desk.take() {
        // It may be over already: reset by its peer, or out of time.
        let Ok(tuple) = engine.stack.flow_tuple(id) else {
            continue;
        };
        if tuple.protocol == FlowProtocol::Tcp {
            return Some(Taken::Tcp { id, tuple });
        }
        if engine.stack.flow_accept(id).is_err() {
            continue;
        }
        let (handle, echo) = match engine.stack.flow_socket(id) {
            Ok(FlowSocket::Udp(handle)) => (handle, false),
            Ok(FlowSocket::Echo(handle)) => (handle, true),
            Ok(FlowSocket::Tcp(_)) | Err(_) => continue,
        };
        let place = (handle, engine.add(handle));
        return Some(Taken::Datagrams {
            id,
            tuple,
            place,
            echo,
        });
    }
    None
}

/// How a flow is refused whose other half failed like this: as that was refused.
fn refusal_like(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable => Refusal::Icmp(Unreachable::Network),
        // A host that never answers is one that cannot be reached.
        io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => {
            Refusal::Icmp(Unreachable::Host)
        }
        io::ErrorKind::PermissionDenied => Refusal::Icmp(Unreachable::Prohibited),
        _ => Refusal::Rst,
    }
}

/// A connection that wants to open. Its peer waits, and its repetitions are absorbed.
///
/// Dropping it refuses the connection.
#[must_use = "the connection is refused when this is dropped"]
pub struct Syn {
    running: Arc<Running>,
    id: FlowId,
    tuple: FlowTuple,
    decided: bool,
}

impl fmt::Debug for Syn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syn")
            .field("source", &self.source())
            .field("destination", &self.destination())
            .finish()
    }
}

impl Syn {
    /// Who connects.
    pub fn source(&self) -> SocketAddr {
        self.tuple.source()
    }

    /// Where to.
    pub fn destination(&self) -> SocketAddr {
        self.tuple.destination()
    }

    /// Answers, and waits until the connection is open.
    ///
    /// Dropping the future resets the connection.
    ///
    /// # Errors
    /// Why it ended before: the peer has reset it, never completed the handshake, or it was held
    /// for too long.
    pub async fn accept(mut self) -> io::Result<TcpStream> {
        let (mut answered, id) = (false, self.id);
        let opened = std::future::poll_fn(|cx| {
            self.running.shared().poll(
                cx,
                |engine, task| engine.desk.await_opening(id, task),
                |engine| {
                    if let Some(reason) = engine.desk.take_end(id) {
                        return Err(StackError::Closed(reason));
                    }
                    if !answered {
                        answered = true;
                        engine.stack.flow_accept(id)?;
                    }
                    match engine.stack.flow_socket(id)? {
                        FlowSocket::Tcp(handle) => Ok((handle, engine.add(handle))),
                        FlowSocket::Udp(_) | FlowSocket::Echo(_) => {
                            Err(StackError::InvalidArgument)
                        }
                    }
                },
            )
        })
        .await;
        let place = opened?;
        self.decided = true;
        let socket = Socket::new(&self.running, place);
        let (local, peer) = (self.tuple.local, self.tuple.remote);
        Ok(TcpStream::from(tcp_stream::TcpStream::new(
            socket, local, peer,
        )))
    }

    /// Refuses the connection.
    pub fn refuse(mut self, refusal: Refusal) {
        self.decided = true;
        let id = self.id;
        self.running.shared().with(|engine| {
            // One that is over already needs no refusal.
            let _ = engine.stack.flow_refuse(id, refusal);
        });
    }

    /// Refuses the connection as the one that was to carry it on was refused: a refused one by a
    /// reset, an unreachable one by ICMP.
    pub fn refuse_like(self, error: &io::Error) {
        self.refuse(refusal_like(error));
    }
}

impl Drop for Syn {
    fn drop(&mut self) {
        if self.decided {
            return;
        }
        let id = self.id;
        self.running.shared().with(|engine| {
            engine.desk.forget(id);
            match engine.stack.flow_socket(id) {
                // It has been opened meanwhile, and is nobody's.
                Ok(FlowSocket::Tcp(handle)) => {
                    let _ = engine.stack.tcp_abort(handle);
                    let _ = engine.stack.tcp_close(handle);
                }
                Ok(FlowSocket::Udp(_) | FlowSocket::Echo(_)) | Err(_) => {
                    if engine.stack.flow_refuse(id, Refusal::Rst).is_err() {
                        let _ = engine.stack.flow_abort(id);
                    }
                }
            }
        });
    }
}

/// What UDP and echo flows have in common.
struct Datagrams {
    socket: Socket<UdpHandle>,
    id: FlowId,
    tuple: FlowTuple,
    /// Its time was over.
    over: AtomicBool,
}

impl Datagrams {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        call: impl FnOnce(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> Poll<io::Result<T>> {
        let call = |engine: &mut Engine, handle| self.unless_over(engine, handle, call);
        self.socket.poll_call(cx, side, call)
    }

    fn try_call<T>(
        &self,
        call: impl FnOnce(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let call = |engine: &mut Engine, handle| self.unless_over(engine, handle, call);
        self.socket.try_call(call)
    }

    /// The stack tells the flow's end once: here it is kept for all who use the flow.
    fn unless_over<T>(
        &self,
        engine: &mut Engine,
        handle: UdpHandle,
        call: impl FnOnce(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> Result<T, StackError> {
        if self.over.load(Ordering::Relaxed) {
            return Err(StackError::Closed(CloseReason::IdleTimedOut));
        }
        let result = call(&mut engine.stack, handle);
        if matches!(result, Err(StackError::Closed(_))) {
            self.over.store(true, Ordering::Relaxed);
            engine.wake_all(self.socket.id());
        }
        result
    }

    /// Refuses the flow, though it was taken.
    fn refuse_like(&self, error: &io::Error) {
        let (id, refusal) = (self.id, refusal_like(error));
        // One that is over needs no refusal.
        let _ = self
            .socket
            .call(|stack, _| stack.flow_tell_refusal(id, refusal));
    }

    /// Tells the peer that something is unreachable.
    fn tell(&self, error: &io::Error) {
        let what = match refusal_like(error) {
            Refusal::Rst if self.tuple.protocol == FlowProtocol::Echo => Unreachable::Host,
            Refusal::Rst => Unreachable::Port,
            Refusal::Icmp(what) => what,
            Refusal::Drop => return,
        };
        let id = self.id;
        // One that is over tells nobody.
        let _ = self.socket.call(|stack, _| stack.flow_tell(id, what));
    }
}

/// Datagrams between two ends. Ends with [`io::ErrorKind::TimedOut`] when it was not used for
/// [`FlowTimeouts::udp_idle`](netloom_stack::flow::FlowTimeouts::udp_idle).
///
/// All its methods take `&self`; share it by an `Arc`.
pub struct UdpFlow {
    datagrams: Datagrams,
}

impl fmt::Debug for UdpFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpFlow")
            .field("source", &self.source())
            .field("destination", &self.destination())
            .finish()
    }
}

impl UdpFlow {
    /// Who sends.
    pub fn source(&self) -> SocketAddr {
        self.datagrams.tuple.source()
    }

    /// Where to.
    pub fn destination(&self) -> SocketAddr {
        self.datagrams.tuple.destination()
    }

    /// Receives a datagram of the peer's. What does not fit is lost.
    ///
    /// Cancel safe: a datagram that was not returned is the next call's.
    ///
    /// # Errors
    /// What ICMP reported of an earlier datagram to the peer, once
    /// ([`io::ErrorKind::ConnectionRefused`]: it is gone); [`io::ErrorKind::TimedOut`] when the
    /// flow's time is over; the device's fault.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            self.datagrams
                .poll(cx, Side::Read, |stack, handle| {
                    stack.udp_recv(handle, buffer)
                })
                .map_ok(|received| received.copied)
        })
        .await
    }

    /// Sends a datagram to the peer: all of it or nothing. Waits while the flow's queue is full.
    ///
    /// Cancel safe: what was not returned from was not sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond the path's MTU; as [`recv`](UdpFlow::recv).
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            self.datagrams
                .poll(cx, Side::Write, |stack, handle| {
                    stack.udp_send(handle, data)
                })
                .map_ok(|()| data.len())
        })
        .await
    }

    /// Receives a datagram if there is one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if not; as [`recv`](UdpFlow::recv).
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self
            .datagrams
            .try_call(|stack, handle| stack.udp_recv(handle, buffer))?;
        Ok(received.copied)
    }

    /// Sends a datagram if there is room.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if not; as [`send`](UdpFlow::send).
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.datagrams
            .try_call(|stack, handle| stack.udp_send(handle, data))?;
        Ok(data.len())
    }

    /// Tells the peer what became of its datagrams by an ICMP error: a closed port, a host or
    /// network that cannot be reached. The flow goes on.
    pub fn report(&self, error: &io::Error) {
        self.datagrams.tell(error);
    }

    /// [`report`](UdpFlow::report), and the end of the flow, which counts as refused.
    pub fn refuse_like(self, error: &io::Error) {
        self.datagrams.refuse_like(error);
    }
}

/// Echo requests with one identifier, to be answered. Ends with [`io::ErrorKind::TimedOut`] when
/// there was none for
/// [`FlowTimeouts::echo_idle`](netloom_stack::flow::FlowTimeouts::echo_idle).
pub struct EchoFlow {
    datagrams: Datagrams,
}

impl fmt::Debug for EchoFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EchoFlow")
            .field("source", &self.source())
            .field("destination", &self.destination())
            .finish()
    }
}

impl EchoFlow {
    /// Who asks; the port is the identifier.
    pub fn source(&self) -> SocketAddr {
        self.datagrams.tuple.source()
    }

    /// Who is asked; the port is 0.
    pub fn destination(&self) -> SocketAddr {
        self.datagrams.tuple.destination()
    }

    /// Receives a request; tells its sequence number and the length of its data.
    ///
    /// Cancel safe: a request that was not returned is the next call's.
    ///
    /// # Errors
    /// As [`UdpFlow::recv`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<(u16, usize)> {
        std::future::poll_fn(|cx| {
            self.datagrams
                .poll(cx, Side::Read, |stack, handle| {
                    stack.udp_recv(handle, buffer)
                })
                .map_ok(|received| (received.meta.remote_port, received.copied))
        })
        .await
    }

    /// Answers a request. Never waits: when as much waits to be sent as may, the reply is lost, as
    /// on any path.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond the path's MTU; the flow is over.
    pub fn reply(&self, sequence: u16, data: &[u8]) -> io::Result<()> {
        let id = self.datagrams.id;
        let sent = self
            .datagrams
            .socket
            .call(|stack, _| stack.flow_echo_reply(id, sequence, data));
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            sent => sent,
        }
    }

    /// Tells the peer what became of its requests by an ICMP error. The flow goes on.
    pub fn report(&self, error: &io::Error) {
        self.datagrams.tell(error);
    }

    /// [`report`](EchoFlow::report), and the end of the flow, which counts as refused.
    pub fn refuse_like(self, error: &io::Error) {
        self.datagrams.refuse_like(error);
    }
}
