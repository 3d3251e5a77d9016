//! The DHCP server: 32 addresses, 4 clients that ask at once.

use core::hint::black_box;
use core::net::Ipv4Addr;

use netloom_services::dhcp::{LeaseTime, MemoryStore, Pending, Pool, Server, ServerConfig};
use netloom_stack::wire::{Addr, Cidr};
use netloom_stack::{Error, IfaceId, Stack};
use static_cell::StaticCell;

static STATE: StaticCell<Result<Server<'static, MemoryStore<32>>, Error>> = StaticCell::new();
static PENDING: StaticCell<[Pending; 4]> = StaticCell::new();

static POOLS: [Pool<'static>; 1] = [Pool {
    network: Cidr {
        addr: Addr::v4([10, 71, 0, 0]),
        prefix: 24,
    },
    first: Ipv4Addr::new(10, 71, 0, 100),
    last: Ipv4Addr::new(10, 71, 0, 131),
    lease_time: LeaseTime::of(3600),
    options: &[(3, &[10, 71, 0, 2]), (6, &[10, 71, 0, 2])],
}];

pub(crate) struct Service(&'static mut Server<'static, MemoryStore<32>>);

impl Service {
    #[inline(never)]
    pub(crate) fn start(stack: &mut Stack) -> Service {
        let config = ServerConfig {
            pools: black_box(&POOLS),
            ..ServerConfig::default()
        };
        let pending = PENDING.init_with(|| [Pending::FREE; 4]);
        let server = STATE.init_with(|| {
            Server::new(
                stack,
                IfaceId::FIRST,
                config,
                MemoryStore::new(),
                pending,
                0,
            )
        });
        let Ok(server) = server else {
            panic!("there is room for its socket");
        };
        Service(server)
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        while let Some(event) = self.0.poll(stack) {
            black_box(event);
        }
    }
}
