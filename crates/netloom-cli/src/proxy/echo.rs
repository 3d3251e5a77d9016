//! Pings carried on.

use std::io;

use netloom::tokio::EchoFlow;

use super::outside::{Outside, forget_errors};

/// Bytes of the ICMP header: type, code, checksum, identifier, sequence number.
const HEADER_LEN: usize = 8;

/// The longest message.
const LONGEST: usize = 65_535;

/// Sends each request on as this host's, and answers with each reply.
pub(super) async fn carry(flow: EchoFlow, outside: Outside) {
    let to = flow.destination();
    let socket = match outside.pings(to).await {
        Ok(socket) => socket,
        Err(error) => return flow.refuse_like(&error),
    };
    let (request, reply) = if to.is_ipv4() { (8, 0) } else { (128, 129) };
    let upwards = async {
        let mut message = vec![0; HEADER_LEN + LONGEST];
        loop {
            match flow.recv(&mut message[HEADER_LEN..]).await {
                Ok((sequence, len)) => {
                    let [high, low] = sequence.to_be_bytes();
                    // Identifier and checksum are the kernel's to fill in.
                    message[..HEADER_LEN].copy_from_slice(&[request, 0, 0, 0, 0, 0, high, low]);
                    let sent = socket.send(&message[..HEADER_LEN + len]).await;
                    report(&flow, sent.err());
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
                Err(_) => {}
            }
        }
    };
    let downwards = async {
        let mut message = vec![0; HEADER_LEN + LONGEST];
        loop {
            match socket.recv(&mut message).await {
                Ok(len) => {
                    let Some((&[kind, _, _, _, _, _, high, low], data)) =
                        message[..len].split_first_chunk::<HEADER_LEN>()
                    else {
                        continue;
                    };
                    // One that is too long for the path is lost.
                    if kind == reply {
                        let _ = flow.reply(u16::from_be_bytes([high, low]), data);
                    }
                }
                Err(error) => {
                    forget_errors(&socket);
                    report(&flow, Some(error));
                }
            }
        }
    };
    tokio::select! {
        () = upwards => {}
        () = downwards => {}
    }
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
