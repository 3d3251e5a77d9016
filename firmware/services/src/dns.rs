//! The resolver: one query at a time, as small as its documentation has it.

use core::hint::black_box;

use netloom_services::dns::{Config, Query, RecordType, Resolver};
use netloom_stack::{Seed, Stack};
use static_cell::StaticCell;

type Dns = Resolver<1, 64, 256, 512>;

static STATE: StaticCell<Dns> = StaticCell::new();

pub(crate) struct Service {
    dns: &'static mut Dns,
    query: Option<Query>,
}

impl Service {
    #[inline(never)]
    pub(crate) fn start(seed: Seed) -> Service {
        let config = Config::new().server(black_box(([10, 71, 0, 1], 53).into()));
        Service {
            dns: STATE.init_with(|| Dns::new(config, seed)),
            query: None,
        }
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        let Some(query) = self.query else {
            let name = black_box("example.org");
            self.query = self.dns.begin(stack, name, black_box(RecordType::A)).ok();
            return;
        };
        self.dns.poll(stack);
        if let Some(result) = self.dns.answer(query) {
            match result {
                Ok(answer) => {
                    for addr in answer.addresses() {
                        black_box(addr);
                    }
                }
                Err(failure) => {
                    black_box(failure);
                }
            }
            self.dns.end(stack, query);
            self.query = None;
        }
    }
}
