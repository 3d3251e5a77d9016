//! Echoes TCP on port 7 (RFC 862), some connections at a time.
#![no_std]
#![forbid(unsafe_code)]

use netloom_stack::{Error, ListenerHandle, Stack, TcpHandle};

/// The echo service's (RFC 862).
const PORT: u16 = 7;

/// `N` connections are echoed at the same time; others wait to be accepted.
#[derive(Debug)]
pub struct Echo<const N: usize> {
    listener: ListenerHandle,
    connections: [Option<TcpHandle>; N],
}

impl<const N: usize> Echo<N> {
    /// Listens, on every address the stack has or comes to have.
    ///
    /// # Errors
    /// What [`Stack::tcp_listen`] says.
    pub fn new(stack: &mut Stack) -> Result<Echo<N>, Error> {
        Ok(Echo {
            listener: stack.tcp_listen(PORT)?,
            connections: [None; N],
        })
    }

    /// Accepts connections, and echoes what they have received: to be called in every turn.
    pub fn serve(&mut self, stack: &mut Stack) {
        for connection in &mut self.connections {
            serve(stack, self.listener, connection);
        }
    }
}

/// Accepts a connection if there is none, and echoes what it has received.
fn serve(stack: &mut Stack, listener: ListenerHandle, connection: &mut Option<TcpHandle>) {
    if connection.is_none() {
        *connection = stack.tcp_accept(listener).unwrap_or(None);
    }
    let Some(handle) = *connection else { return };
    match echo(stack, handle) {
        Err(Error::WouldBlock) => {}
        // The peer has finished, or is lost. What it has not got yet is sent all the same.
        Ok(()) | Err(_) => {
            let _ = stack.tcp_close(handle);
            *connection = None;
        }
    }
}

/// Echoes to the end of what the peer sends. [`Error::WouldBlock`]: to be called again.
fn echo(stack: &mut Stack, handle: TcpHandle) -> Result<(), Error> {
    let mut buffer = [0; 128];
    loop {
        let read = stack.tcp_peek(handle, 0, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let written = stack.tcp_write(handle, buffer.get(..read).unwrap_or_default())?;
        stack.tcp_read_with(handle, |_, _| written)?;
    }
}
