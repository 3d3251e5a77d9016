//! The HTTP client: heads of up to a KiB.

use core::hint::black_box;

use netloom_services::http::{Client, Connection, Method, ReadError, Url};
use netloom_stack::{Stack, TcpHandle};
use static_cell::{ConstStaticCell, StaticCell};

static STATE: StaticCell<Client<'static>> = StaticCell::new();
static RX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static TX: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; 512]);
static NEXT: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

pub(crate) struct Service {
    client: &'static mut Client<'static>,
    next: &'static mut [u8; 256],
    handle: Option<TcpHandle>,
    asked: bool,
}

impl Service {
    #[inline(never)]
    pub(crate) fn start(stack: &mut Stack) -> Service {
        Service {
            client: STATE.init_with(|| Client::with_buffers(RX.take(), TX.take())),
            next: NEXT.take(),
            handle: stack
                .tcp_connect(black_box(([10, 71, 0, 1], 80).into()))
                .ok(),
            asked: false,
        }
    }

    /// Asks for one page after the other, on one connection as far as possible.
    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        let (Some(handle), Ok(url)) = (self.handle, Url::parse(black_box("http://10.71.0.1/")))
        else {
            return;
        };
        if !self.asked {
            let head = self.client.request(black_box(Method::Get), &url);
            self.asked = head.field("Accept", "*/*").finish().is_ok();
        }
        let mut stream = Connection::new(stack, handle);
        match self.client.receive(&mut stream) {
            Ok(response) => {
                black_box(response.status());
            }
            Err(ReadError::WouldBlock) => return,
            Err(_) => {
                let _ = stack.tcp_abort(handle);
                self.handle = None;
                return;
            }
        }
        black_box(self.client.redirect(&url, self.next));
        loop {
            match self.client.read_body(&mut stream) {
                Ok(Some(piece)) => {
                    black_box(piece);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        self.asked = false;
        if !self.client.finish() {
            let _ = stack.tcp_close(handle);
            self.handle = None;
        }
    }
}
