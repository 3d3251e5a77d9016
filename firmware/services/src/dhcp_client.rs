//! The DHCP client.

use core::hint::black_box;

use netloom_services::dhcp::{Client, Request};
use netloom_stack::{Error, Stack};
use static_cell::StaticCell;

static STATE: StaticCell<Result<Client, Error>> = StaticCell::new();

pub(crate) struct Service(&'static mut Client);

impl Service {
    #[inline(never)]
    pub(crate) fn start(stack: &mut Stack) -> Service {
        let Ok(client) = STATE.init_with(|| Client::new(stack)) else {
            panic!("there is room for its socket");
        };
        client.begin(Request {
            hostname: black_box("netloom"),
            ..Request::default()
        });
        Service(client)
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        while self.0.poll(stack).is_some() {
            black_box(self.0.lease());
        }
    }
}
