//! The NTP client.

use core::hint::black_box;
use core::time::Duration;

use netloom_services::ntp::{Client, ClientConfig};
use netloom_stack::{Seed, Stack};
use static_cell::StaticCell;

static STATE: StaticCell<Client> = StaticCell::new();

pub(crate) struct Service(&'static mut Client);

impl Service {
    #[inline(never)]
    pub(crate) fn start(seed: Seed) -> Service {
        let config = ClientConfig::new(black_box(([10, 71, 0, 1], 123).into()));
        Service(STATE.init_with(|| Client::new(config, seed)))
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        let time = Duration::from_micros(black_box(stack.now().as_micros()));
        if self.0.poll(stack, time).is_some() {
            black_box(self.0.estimate(stack.now()));
        }
    }
}
