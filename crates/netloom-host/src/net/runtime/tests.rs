use super::*;
use crate::device::LinkEnd;
use crate::net::Net;

/// How long nothing happens, so that the stack's time stands still.
const SILENCE: Duration = Duration::from_millis(30);

/// How far `call` moves the stack's time on, after a silence.
fn moved<T>(net: &Net, call: impl FnOnce() -> T) -> Duration {
    let now = || net.running.shared().look(|engine| engine.stack.now());
    let before = now();
    thread::sleep(SILENCE);
    call();
    now().saturating_duration_since(before)
}

/// A timer that a call starts must not have run since something happened last.
#[test]
fn what_a_call_begins_counts_from_now() {
    let (end, _other) = LinkEnd::pair(1500).unwrap();
    let net = end.address("10.0.0.1/24").start().unwrap();
    let socket = net.udp_bind("10.0.0.1:9").unwrap();
    socket.set_nonblocking(true).unwrap();
    assert!(moved(&net, || net.with_stack(|_| ())) >= SILENCE);
    assert!(moved(&net, || socket.set_broadcast(true)) >= SILENCE);
    assert!(moved(&net, || socket.recv(&mut [0; 1])) >= SILENCE);
    #[cfg(feature = "tokio")]
    {
        let socket = net.udp_bind("10.0.0.1:10").unwrap();
        let socket = crate::net::tokio::UdpSocket::from(socket);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut buffer = [0; 1];
        let mut buffer = ::tokio::io::ReadBuf::new(&mut buffer);
        assert!(moved(&net, || socket.poll_recv(&mut cx, &mut buffer)) >= SILENCE);
    }
    assert!(moved(&net, || drop(socket)) >= SILENCE);
}
