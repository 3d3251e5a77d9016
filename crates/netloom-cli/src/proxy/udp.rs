//! Datagrams carried on.

use std::io;

use netloom::tokio::UdpFlow;

use super::outside::{Outside, forget_errors};

/// The longest datagram.
const LONGEST: usize = 65_535;

/// Passes datagrams both ways, and what ICMP says of them, until the flow's time is over.
pub(super) async fn carry(flow: UdpFlow, outside: Outside) {
    let socket = match outside.datagrams(flow.destination()).await {
        Ok(socket) => socket,
        Err(error) => return flow.refuse_like(&error),
    };
    let upwards = async {
        let mut buffer = vec![0; LONGEST];
        loop {
            match flow.recv(&mut buffer).await {
                // One that cannot be sent is lost, as on any path.
                Ok(len) => report(&flow, socket.send(&buffer[..len]).await.err()),
                Err(error) if is_over(&error) => return,
                // The client is not there any more; perhaps it comes back.
                Err(_) => {}
            }
        }
    };
    let downwards = async {
        let mut buffer = vec![0; LONGEST];
        loop {
            match socket.recv(&mut buffer).await {
                Ok(len) => {
                    if flow
                        .send(&buffer[..len])
                        .await
                        .is_err_and(|error| is_over(&error))
                    {
                        return;
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
