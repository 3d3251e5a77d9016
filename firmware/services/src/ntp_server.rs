//! The NTP server: it remembers 8 clients.

use core::hint::black_box;
use core::time::Duration;

use netloom_services::ntp::{PORT, ReferenceClock, Server, ServerLimits};
use netloom_stack::{Error, Stack};
use static_cell::StaticCell;

static STATE: StaticCell<Result<Server<8>, Error>> = StaticCell::new();

pub(crate) struct Service(&'static mut Server<8>);

impl Service {
    #[inline(never)]
    pub(crate) fn start(stack: &mut Stack) -> Service {
        let server = STATE.init_with(|| Server::new(stack, PORT, ServerLimits::default()));
        let Ok(server) = server else {
            panic!("there is room for its socket");
        };
        Service(server)
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        let time = Duration::from_micros(black_box(stack.now().as_micros()));
        self.0
            .poll(stack, time, black_box(&ReferenceClock::local()));
    }
}
