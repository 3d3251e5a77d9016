//! Datagrams carried on.

use std::io;
use std::pin::pin;
use std::task::{Poll, ready};

use netloom::tokio::UdpFlow;
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::failed::Failures;
use super::outside::{Outside, forget_errors};
use super::{lost, scratch};

/// What became of a datagram that was taken.
enum Sent {
    Passed,
    Failed(io::Error),
    /// There was no room for it: this is a copy.
    Waits(Vec<u8>),
}

impl Sent {
    fn of(sent: io::Result<usize>, datagram: &[u8]) -> Sent {
        match sent {
            Ok(_) => Sent::Passed,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Sent::Waits(datagram.to_vec())
            }
            Err(error) => Sent::Failed(error),
        }
    }
}

/// Passes datagrams both ways, and what ICMP says of them, until the flow's time is over.
pub(super) async fn carry(flow: UdpFlow, outside: Outside, failures: Failures) {
    let socket = match outside.datagrams(flow.destination()).await {
        Ok(socket) => socket,
        Err(error) => {
            failures.tell("UDP", flow.source(), flow.destination(), &error);
            return flow.refuse_like(&error);
        }
    };
    let upwards = async {
        loop {
            // There is room for it first: what is taken can be passed on.
            if socket.writable().await.is_err() {
                return;
            }
            match taken_up(&flow, &socket).await {
                Ok(Sent::Passed) => {}
                // One that cannot be sent is lost, as on any path.
                Ok(Sent::Failed(error)) => report(&flow, Some(error)),
                Ok(Sent::Waits(datagram)) => report(&flow, socket.send(&datagram).await.err()),
                Err(error) if is_over(&error) => return,
                // The client is not there any more; perhaps it comes back.
                Err(_) => {}
            }
        }
    };
    let downwards = async {
        loop {
            let comes = Interest::READABLE | Interest::ERROR;
            let passed = socket.async_io(comes, || passed_down(&flow, &socket));
            let sent = match passed.await {
                Ok(Sent::Passed) => continue,
                Ok(Sent::Failed(error)) => Err(error),
                Ok(Sent::Waits(datagram)) => flow.send(&datagram).await.map(drop),
                Err(error) => {
                    forget_errors(&socket);
                    report(&flow, Some(error));
                    continue;
                }
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => lost::too_long(),
                Err(error) if is_over(&error) => return,
                Ok(()) | Err(_) => {}
            }
        }
    };
    tokio::select! {
        () = upwards => {}
        () = downwards => {}
    }
}

/// Takes the client's next datagram and sends it on, without a buffer while it waits for one.
async fn taken_up(flow: &UdpFlow, socket: &UdpSocket) -> io::Result<Sent> {
    std::future::poll_fn(|cx| {
        scratch::with(|scratch| {
            let taken = ready!(pin!(flow.recv(scratch)).poll(cx));
            Poll::Ready(taken.map(|len| {
                let datagram = scratch.get(..len).unwrap_or_default();
                Sent::of(socket.try_send(datagram), datagram)
            }))
        })
    })
    .await
}

/// Takes what has come from outside and sends it on to the client.
fn passed_down(flow: &UdpFlow, socket: &UdpSocket) -> io::Result<Sent> {
    scratch::with(|scratch| {
        let (len, _) = recv(socket, &mut *scratch, RecvFlags::DONTWAIT)?;
        let datagram = scratch.get(..len).unwrap_or_default();
        Ok(Sent::of(flow.try_send(datagram), datagram))
    })
}

/// Passes on what became of an earlier datagram.
fn report(flow: &UdpFlow, error: Option<io::Error>) {
    if let Some(error) = error {
        match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::PermissionDenied => flow.report(&error),
            _ => {}
        }
    }
}

/// Whether a flow is over for good.
fn is_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::NotConnected
    )
}
