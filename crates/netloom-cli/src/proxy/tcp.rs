//! A connection carried on.
//!
//! What cannot be passed on at once stays where it is: what the client sent in its flow, within the
//! budget of all flows, which closes its window; what comes for it in the kernel. A relay has no
//! buffer of its own, so thousands of them that wait cost nothing more.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use netloom::tokio::{Syn, TcpStream as Flow, WriteHalf};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::outside::Outside;

/// How long the other connection may take to open: less than the SYN is held for.
const DIAL: Duration = Duration::from_secs(25);

/// Bytes copied at a time.
const PIECE: usize = 64 << 10;

thread_local! {
    /// Where bytes are on their way, between two calls and never longer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// Dials first and answers the SYN after; then copies both ways until both have finished.
pub(super) async fn carry(syn: Syn, outside: Outside) {
    let dialled = tokio::time::timeout(DIAL, outside.connect(syn.destination())).await;
    let mut up = match dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(up) => up,
        Err(error) => return syn.refuse_like(&error),
    };
    // If it fails the client is gone, and so is the other connection.
    let Ok(mut down) = syn.accept().await else {
        return;
    };
    let relayed = {
        let (from_client, mut to_client) = down.split();
        let (from_server, mut to_server) = up.split();
        let upwards = async {
            to_server_from(&from_client, to_server.as_ref()).await?;
            to_server.shutdown().await
        };
        let downwards = async {
            to_client_from(from_server.as_ref(), &mut to_client).await?;
            to_client.shutdown().await
        };
        tokio::try_join!(upwards, downwards)
    };
    if relayed.is_err() {
        // What one end lost the other must not take for whole.
        let _ = down.abort();
        let _ = up.set_zero_linger();
    }
}

/// Passes on what the client sends, until it has finished.
async fn to_server_from(client: &Flow, server: &TcpStream) -> io::Result<()> {
    loop {
        client.readable().await?;
        server.writable().await?;
        let passed: io::Result<usize> = SCRATCH.with_borrow_mut(|scratch| {
            let n = client.try_peek(scratch)?;
            if n == 0 {
                return Ok(0);
            }
            let passed = server.try_write(&scratch[..n])?;
            client.discard(passed)?;
            Ok(passed)
        });
        match passed {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes on what the server sends, until it has finished.
async fn to_client_from(server: &TcpStream, client: &mut WriteHalf<'_>) -> io::Result<()> {
    loop {
        let mut rest = Vec::new();
        // Only now is anything read: a client that does not read leaves it in the kernel.
        client.writable().await?;
        server.readable().await?;
        let read: io::Result<usize> = SCRATCH.with_borrow_mut(|scratch| {
            let n = server.try_read(scratch)?;
            let passed = would_block_as_none(client.try_write(&scratch[..n]))?;
            // There was room, but memory may be short.
            rest.extend_from_slice(&scratch[passed..n]);
            Ok(n)
        });
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => client.write_all(&rest).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn would_block_as_none(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
