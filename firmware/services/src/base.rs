//! The program without services: it echoes TCP and UDP, and connects to who asks for it.

use core::hint::black_box;
use core::net::SocketAddr;

use echo::Echo;
use netloom_stack::tcp::How;
use netloom_stack::udp::UdpMessage;
use netloom_stack::{Error, Stack, TcpHandle, UdpHandle};

/// Connections: two that are echoed, and one of its own.
pub(crate) const CONNECTIONS: usize = 3;

pub(crate) struct Base {
    echo: Echo<2>,
    udp: UdpHandle,
    dialed: Option<TcpHandle>,
}

impl Base {
    pub(crate) fn start(stack: &mut Stack) -> Base {
        let (Ok(echo), Ok(udp)) = (Echo::new(stack), stack.udp_bind(7)) else {
            panic!("a new stack has room for sockets");
        };
        Base {
            echo,
            udp,
            dialed: None,
        }
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        self.echo.serve(stack);
        let mut buffer = [0; 512];
        match stack.udp_recv(self.udp, &mut buffer) {
            Ok(received) => {
                let meta = received.meta;
                let remote = SocketAddr::new(meta.remote.into(), meta.remote_port);
                // Who sends nothing is called.
                if received.copied == 0 {
                    self.dialed = stack.tcp_connect(remote).ok();
                }
                let back = UdpMessage {
                    to: Some(remote),
                    from: black_box(None),
                };
                let data = buffer.get(..received.copied).unwrap_or_default();
                let _ = stack.udp_send_message(self.udp, &back, data);
                let _ = stack.udp_wake_at(self.udp, Some(stack.now().plus_micros(1_000_000)));
            }
            Err(Error::WouldBlock) => {}
            Err(_) => {
                let _ = black_box(stack.udp_take_error(self.udp));
            }
        }
        self.talk(stack);
    }

    /// Reads what there is, answers, and closes.
    fn talk(&mut self, stack: &mut Stack) {
        let Some(handle) = self.dialed else { return };
        let mut buffer = [0; 64];
        match stack.tcp_read(handle, &mut buffer) {
            Err(Error::WouldBlock) => return,
            Ok(read) if read > 0 => {
                let _ = stack.tcp_write(handle, buffer.get(..read).unwrap_or_default());
                let _ = stack.tcp_shutdown(handle, How::Write);
                return;
            }
            Ok(_) => {}
            Err(_) => {
                let _ = stack.tcp_abort(handle);
            }
        }
        let _ = stack.tcp_close(handle);
        self.dialed = None;
    }
}
