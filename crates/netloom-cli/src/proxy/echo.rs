//! Pings carried on.

use std::io;
use std::pin::pin;
use std::task::{Poll, ready};

use netloom::tokio::EchoFlow;
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::failed::Failures;
use super::outside::{Outside, forget_errors};
use super::{lost, scratch};

/// Bytes of the ICMP header: type, code, checksum, identifier, sequence number.
const HEADER_LEN: usize = 8;

/// Sends each request on as this host's, and answers with each reply.
pub(super) async fn carry(flow: EchoFlow, outside: Outside, failures: Failures) {
    let to = flow.destination();
    let socket = match outside.pings(to).await {
        Ok(socket) => socket,
        Err(error) => {
            failures.tell("pings", flow.source(), flow.destination(), &error);
            return flow.refuse_like(&error);
        }
    };
    let (request, reply) = if to.is_ipv4() { (8, 0) } else { (128, 129) };
    let upwards = async {
        loop {
            // There is room for it first: what is taken can be passed on.
            if socket.writable().await.is_err() {
                return;
            }
            match taken_up(&flow, &socket, request).await {
                Ok(sent) => report(&flow, sent.err()),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
                Err(_) => {}
            }
        }
    };
    let downwards = async {
        loop {
            let comes = Interest::READABLE | Interest::ERROR;
            let passed = socket.async_io(comes, || passed_down(&flow, &socket, reply));
            if let Err(error) = passed.await {
                forget_errors(&socket);
                report(&flow, Some(error));
            }
        }
    };
    tokio::select! {
        () = upwards => {}
        () = downwards => {}
    }
}

/// Takes the client's next request and sends it on, without a buffer while it waits for one. A
/// request that finds no room outside is lost, as on any path.
async fn taken_up(
    flow: &EchoFlow,
    socket: &UdpSocket,
    request: u8,
) -> io::Result<io::Result<usize>> {
    std::future::poll_fn(|cx| {
        scratch::with(|scratch| {
            let Some((header, data)) = scratch.split_first_chunk_mut::<HEADER_LEN>() else {
                return Poll::Pending;
            };
            let (sequence, len) = match ready!(pin!(flow.recv(data)).poll(cx)) {
                Ok(taken) => taken,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let [high, low] = sequence.to_be_bytes();
            // Identifier and checksum are the kernel's to fill in.
            *header = [request, 0, 0, 0, 0, 0, high, low];
            let message = scratch.get(..HEADER_LEN + len).unwrap_or_default();
            Poll::Ready(Ok(socket.try_send(message)))
        })
    })
    .await
}

/// Takes what has come from outside and answers the client with it.
fn passed_down(flow: &EchoFlow, socket: &UdpSocket, reply: u8) -> io::Result<()> {
    scratch::with(|scratch| {
        let (len, _) = recv(socket, &mut *scratch, RecvFlags::DONTWAIT)?;
        let message = scratch.get(..len).unwrap_or_default();
        let Some((&[kind, _, _, _, _, _, high, low], data)) =
            message.split_first_chunk::<HEADER_LEN>()
        else {
            return Ok(());
        };
        if kind == reply {
            match flow.reply(u16::from_be_bytes([high, low]), data) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => lost::too_long(),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    })
}

/// Passes on what became of an earlier request.
fn report(flow: &EchoFlow, error: Option<io::Error>) {
    if let Some(error) = error {
        match error.kind() {
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                flow.report(&error);
            }
            _ => {}
        }
    }
}
