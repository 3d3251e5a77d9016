//! A connection carried on.
//!
//! What cannot be passed on at once stays where it is: what the client sent in its flow, within the
//! budget of all flows, which closes its window; what comes for it in the kernel. A relay has no
//! buffer of its own, so thousands of them that wait cost nothing more.

use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use netloom::tokio::{Syn, TcpStream as Flow, WriteHalf};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::failed::Failures;
use super::outside::Outside;
use super::scratch;

/// How long the other connection may take to open: less than the SYN is held for.
const DIAL: Duration = Duration::from_secs(25);

/// Bytes of what the server sends that are looked at, at least.
const LEAST_PIECE: usize = 4096;

/// Dials first and answers the SYN after; then copies both ways until both have finished.
pub(super) async fn carry(syn: Syn, outside: Outside, failures: Failures) {
    let dialled = tokio::time::timeout(DIAL, outside.connect(syn.destination())).await;
    let mut up = match dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(up) => up,
        Err(error) => {
            failures.tell("TCP", syn.source(), syn.destination(), &error);
            return syn.refuse_like(&error);
        }
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
        let passed: io::Result<usize> = scratch::with(|scratch| {
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
    // Bytes looked at: where memory is short the client's side takes a few only.
    let mut piece = scratch::LEN;
    loop {
        // It is taken once it is passed on: a client that does not read leaves it in the kernel.
        server.readable().await?;
        let passed = std::future::poll_fn(|cx| {
            scratch::with(|scratch| {
                let (looked, _) = scratch.split_at_mut(piece.min(scratch.len()));
                let n = match peek(server, looked) {
                    Ok(0) => return Poll::Ready(Ok(0)),
                    Ok(n) => n,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                let written = ready!(Pin::new(&mut *client).poll_write(cx, &looked[..n]))?;
                take(server, &mut looked[..written])?;
                piece = if written == n {
                    scratch::LEN
                } else {
                    written.saturating_mul(2).max(LEAST_PIECE)
                };
                Poll::Ready(Ok(written))
            })
        });
        match passed.await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What has come, which stays where it is.
fn peek(server: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    server.try_io(Interest::READABLE, || {
        Ok(recv(server, &mut *buffer, RecvFlags::PEEK)?.0)
    })
}

/// Takes what was peeked at and passed on. None of it is copied again.
fn take(server: &TcpStream, passed: &mut [u8]) -> io::Result<()> {
    let (taken, _) = recv(server, &mut *passed, RecvFlags::TRUNC)?;
    // The kernel has what it has shown.
    if taken == passed.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
