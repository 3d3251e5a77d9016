//! Where a stack's memory comes from: one value lent by the program, or the heap.

#[cfg(feature = "bbr")]
use netloom_tcp::PathState;
#[cfg(feature = "tcp")]
use netloom_tcp::{Range, Record};

use crate::address::{AddressTable, InterfaceAddress};
#[cfg(feature = "acd")]
use crate::arp_watch::{Watch, Watches};
#[cfg(feature = "alloc")]
use crate::config::Limits;
use crate::deadlines::Deadlines;
use crate::demux::Demux;
#[cfg(feature = "icmp-errors")]
use crate::destination::{Destination, DestinationCache};
use crate::interface::Interface;
use crate::memory::mem::Mem;
use crate::memory::slab::{Item, Slab};
use crate::neighbor::{Neighbor, NeighborCache};
#[cfg(feature = "alloc")]
use crate::packet::Granule;
#[cfg(feature = "hold")]
use crate::packet::{Packet, Packets};
use crate::route::{Route, RouteTable};
use crate::stack::Parts;
use crate::tables::Tables;
#[cfg(feature = "tcp")]
use crate::tcp::{BufferPool, HalfOpenEntry, Listener, TcpSlot, TcpState, TimeWaitEntry};
#[cfg(feature = "udp")]
use crate::udp::{UdpSlot, UdpState};

/// Interfaces of a lent stack (loopback is not among them).
const INTERFACES: usize = 2;
/// Addresses, all interfaces together.
const ADDRESSES: usize = 4;
/// Routes: on the link, by default, and one more; with IPv6 as many again, and the link-local
/// prefix.
const ROUTES: usize = if cfg!(feature = "ipv6") { 6 } else { 3 };
/// Neighbours.
const NEIGHBORS: usize = 4;
/// Addresses watched for others' claims.
#[cfg(feature = "acd")]
const WATCHES: usize = 4;
/// The same on the heap: as many addresses a DHCP server can check at once.
#[cfg(all(feature = "acd", feature = "alloc"))]
const HEAP_WATCHES: usize = 64;
/// Paths whose MTU is remembered.
#[cfg(feature = "icmp-errors")]
const DESTINATIONS: usize = 2;
/// Answers and waiting datagrams; without a heap in the program, pieces of them, of 124 bytes each.
#[cfg(feature = "hold")]
const PACKETS: usize = if cfg!(feature = "alloc") { 4 } else { 5 };
/// Pieces of them, of 124 bytes each.
#[cfg(feature = "alloc")]
const GRANULES: usize = 5;
/// Handshakes a listener can have under way before SYN cookies answer.
#[cfg(feature = "tcp")]
const HALF_OPEN: usize = 2;
/// Records of what a connection has in flight.
#[cfg(feature = "tcp")]
const RECORDS: usize = if cfg!(feature = "fast-retransmit") {
    4
} else {
    0
};
/// Ranges a connection can have received out of order: as many as SACK can report beside
/// timestamps.
#[cfg(feature = "tcp")]
const RANGES: usize = if cfg!(feature = "out-of-order") { 3 } else { 0 };

/// All memory of a stack, declared by the program: `TCP` connections, `LISTEN` listeners, `UDP`
/// sockets, with `RX` and `TX` bytes of buffer for each connection and socket.
///
/// A new one is all zeros, so a `static` of it lies in `.bss` and costs no flash. Its size is a
/// constant (`size_of`), and the stack never takes a byte beside it. Get the `&'static mut` from
/// `static_cell`'s `ConstStaticCell`, or leak a box where there is a heap.
///
/// ```
/// # use netloom_stack::{Config, InterfaceConfig, Seed, Stack, Storage};
/// let storage = Box::leak(Box::new(Storage::<2, 1, 0, 1024, 1024>::new()));
/// let stack = Stack::new(Config::ip(), storage, Seed::from([7; 32]));
/// # drop(stack);
/// ```
#[repr(C)]
pub struct Storage<
    const TCP: usize,
    const LISTEN: usize,
    const UDP: usize,
    const RX: usize,
    const TX: usize,
> {
    #[cfg(feature = "tcp")]
    rx: [[u8; RX]; TCP],
    #[cfg(feature = "tcp")]
    tx: [[u8; TX]; TCP],
    #[cfg(feature = "tcp")]
    connections: [TcpSlot; TCP],
    #[cfg(feature = "tcp")]
    records: [[Record; RECORDS]; TCP],
    #[cfg(feature = "tcp")]
    ranges: [[Range; RANGES]; TCP],
    #[cfg(feature = "bbr")]
    paths: [PathState; TCP],
    #[cfg(feature = "tcp")]
    time_wait: [[TimeWaitEntry; 2]; TCP],
    #[cfg(feature = "tcp")]
    listeners: [Listener; LISTEN],
    #[cfg(feature = "tcp")]
    half_open: [[HalfOpenEntry; HALF_OPEN]; LISTEN],
    #[cfg(feature = "udp")]
    udp_rx: [[u8; RX]; UDP],
    #[cfg(feature = "udp")]
    udp_tx: [[u8; TX]; UDP],
    #[cfg(feature = "udp")]
    udp: [UdpSlot; UDP],
    interfaces: [Interface; INTERFACES],
    addresses: [InterfaceAddress; ADDRESSES],
    routes: [Route; ROUTES],
    neighbors: [Neighbor; NEIGHBORS],
    #[cfg(feature = "icmp-errors")]
    destinations: [Destination; DESTINATIONS],
    #[cfg(feature = "acd")]
    arp_watches: [Watch; WATCHES],
    #[cfg(feature = "hold")]
    packets: [Packet; PACKETS],
    #[cfg(feature = "alloc")]
    granules: [Granule; GRANULES],
}

impl<const TCP: usize, const LISTEN: usize, const UDP: usize, const RX: usize, const TX: usize>
    Storage<TCP, LISTEN, UDP, RX, TX>
{
    /// All zeros.
    pub const fn new() -> Self {
        Storage {
            #[cfg(feature = "tcp")]
            rx: [[0; RX]; TCP],
            #[cfg(feature = "tcp")]
            tx: [[0; TX]; TCP],
            #[cfg(feature = "tcp")]
            connections: [const { TcpSlot::EMPTY }; TCP],
            #[cfg(feature = "tcp")]
            records: [[Record::EMPTY; RECORDS]; TCP],
            #[cfg(feature = "tcp")]
            ranges: [[Range::EMPTY; RANGES]; TCP],
            #[cfg(feature = "bbr")]
            paths: [const { PathState::EMPTY }; TCP],
            #[cfg(feature = "tcp")]
            time_wait: [const { [const { TimeWaitEntry::EMPTY }; 2] }; TCP],
            #[cfg(feature = "tcp")]
            listeners: [const { Listener::EMPTY }; LISTEN],
            #[cfg(feature = "tcp")]
            half_open: [const { [const { HalfOpenEntry::EMPTY }; HALF_OPEN] }; LISTEN],
            #[cfg(feature = "udp")]
            udp_rx: [[0; RX]; UDP],
            #[cfg(feature = "udp")]
            udp_tx: [[0; TX]; UDP],
            #[cfg(feature = "udp")]
            udp: [const { UdpSlot::EMPTY }; UDP],
            interfaces: [const { Interface::EMPTY }; INTERFACES],
            addresses: [InterfaceAddress::EMPTY; ADDRESSES],
            routes: [Route::EMPTY; ROUTES],
            neighbors: [const { Neighbor::EMPTY }; NEIGHBORS],
            #[cfg(feature = "icmp-errors")]
            destinations: [const { Destination::EMPTY }; DESTINATIONS],
            #[cfg(feature = "acd")]
            arp_watches: [Watch::EMPTY; WATCHES],
            #[cfg(feature = "hold")]
            packets: [const { Packet::EMPTY }; PACKETS],
            #[cfg(feature = "alloc")]
            granules: [const { Granule::EMPTY }; GRANULES],
        }
    }

    /// Erases the capacities into slices.
    pub(crate) fn lend(&'static mut self) -> Parts {
        let Storage {
            #[cfg(feature = "tcp")]
            rx,
            #[cfg(feature = "tcp")]
            tx,
            #[cfg(feature = "tcp")]
            connections,
            #[cfg(feature = "tcp")]
            records,
            #[cfg(feature = "tcp")]
            ranges,
            #[cfg(feature = "bbr")]
            paths,
            #[cfg(feature = "tcp")]
            time_wait,
            #[cfg(feature = "tcp")]
            listeners,
            #[cfg(feature = "tcp")]
            half_open,
            #[cfg(feature = "udp")]
            udp_rx,
            #[cfg(feature = "udp")]
            udp_tx,
            #[cfg(feature = "udp")]
            udp,
            interfaces,
            addresses,
            routes,
            neighbors,
            #[cfg(feature = "icmp-errors")]
            destinations,
            #[cfg(feature = "acd")]
            arp_watches,
            #[cfg(feature = "hold")]
            packets,
            #[cfg(feature = "alloc")]
            granules,
        } = self;
        #[cfg(feature = "tcp")]
        for ((((slot, rx), tx), records), ranges) in connections
            .iter_mut()
            .zip(rx)
            .zip(tx)
            .zip(records)
            .zip(ranges)
        {
            slot.buffers.lend(rx, tx, records, ranges);
        }
        #[cfg(feature = "bbr")]
        for (slot, path) in connections.iter_mut().zip(paths) {
            slot.buffers.lend_path(path);
        }
        #[cfg(feature = "udp")]
        for ((slot, rx), tx) in udp.iter_mut().zip(udp_rx).zip(udp_tx) {
            slot.lend(rx, tx);
        }
        Parts {
            interfaces: Mem::Lent(interfaces),
            addresses: AddressTable::lent(addresses),
            routes: RouteTable::lent(routes),
            neighbors: NeighborCache::lent(neighbors),
            #[cfg(feature = "icmp-errors")]
            destinations: DestinationCache::lent(destinations),
            tables: Tables {
                #[cfg(feature = "tcp")]
                connections: Slab::lent(connections),
                #[cfg(feature = "tcp")]
                half_open: Slab::lent(half_open.as_flattened_mut()),
                #[cfg(feature = "tcp")]
                time_wait: Slab::lent(time_wait.as_flattened_mut()),
                #[cfg(feature = "tcp")]
                listeners: Slab::lent(listeners),
                #[cfg(feature = "udp")]
                udp: Slab::lent(udp),
                #[cfg(feature = "flows")]
                flows: Slab::empty(),
                #[cfg(feature = "alloc")]
                packets: Packets::new(Slab::lent(packets), Slab::lent(granules)),
                #[cfg(all(feature = "hold", not(feature = "alloc")))]
                packets: Packets::new(Slab::lent(packets)),
            },
            demux: Demux::scan(),
            #[cfg(feature = "tcp")]
            tcp: TcpState::new(
                BufferPool::lent(u32::try_from(RX).unwrap_or(u32::MAX)),
                Deadlines::scan(),
            ),
            #[cfg(feature = "udp")]
            udp: UdpState::lent(),
            #[cfg(feature = "echo")]
            echo: crate::icmp::EchoState::new(usize::from(Limits::default().echo)),
            #[cfg(feature = "acd")]
            arp_watches: Watches::lent(arp_watches),
            #[cfg(feature = "flows")]
            flows: crate::flow::FlowBook::new(Deadlines::scan()),
            #[cfg(feature = "alloc")]
            loopback: crate::loopback::Loopback::none(),
        }
    }
}

impl<const TCP: usize, const LISTEN: usize, const UDP: usize, const RX: usize, const TX: usize>
    Default for Storage<TCP, LISTEN, UDP, RX, TX>
{
    fn default() -> Self {
        Storage::new()
    }
}

impl<const TCP: usize, const LISTEN: usize, const UDP: usize, const RX: usize, const TX: usize>
    core::fmt::Debug for Storage<TCP, LISTEN, UDP, RX, TX>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Storage<{TCP}, {LISTEN}, {UDP}, {RX}, {TX}>")
    }
}

/// A stack's parts on the heap.
#[cfg(feature = "alloc")]
pub(crate) fn heap_parts(limits: &Limits) -> Parts {
    use alloc::vec::Vec;

    let interfaces: Vec<Interface> = (0..usize::from(limits.interfaces).max(1).saturating_add(1))
        .map(|_| Interface::EMPTY)
        .collect();
    let packets = u32::try_from(limits.packets / 256)
        .unwrap_or(u32::MAX)
        .max(16);
    let entries = limits
        .connections
        .saturating_add(limits.half_open)
        .saturating_add(limits.time_wait)
        .saturating_add(limits.listeners)
        .saturating_add(limits.udp);
    Parts {
        interfaces: Mem::Heap(interfaces.into_boxed_slice()),
        addresses: AddressTable::heap(usize::from(limits.addresses)),
        routes: RouteTable::heap(usize::from(limits.routes)),
        // Lists name neighbours in 14 bits.
        neighbors: NeighborCache::heap(usize::from(limits.neighbors).min(1 << 14)),
        #[cfg(feature = "icmp-errors")]
        destinations: DestinationCache::heap(usize::from(limits.destinations)),
        tables: Tables {
            #[cfg(feature = "tcp")]
            connections: Slab::heap(limits.connections),
            #[cfg(feature = "tcp")]
            half_open: Slab::heap(limits.half_open),
            #[cfg(feature = "tcp")]
            time_wait: Slab::heap(limits.time_wait),
            #[cfg(feature = "tcp")]
            listeners: Slab::heap(limits.listeners),
            #[cfg(feature = "udp")]
            udp: Slab::heap(limits.udp),
            #[cfg(feature = "flows")]
            flows: Slab::heap(
                limits
                    .connections
                    .saturating_add(limits.half_open)
                    .saturating_add(limits.udp),
            ),
            packets: Packets::new(Slab::heap(packets), Slab::heap(packets.saturating_mul(2))),
        },
        demux: Demux::indexed(entries),
        #[cfg(feature = "tcp")]
        tcp: TcpState::new(BufferPool::heap(limits.buffers), Deadlines::wheel()),
        #[cfg(feature = "udp")]
        udp: UdpState::heap(limits.buffers),
        #[cfg(feature = "echo")]
        echo: crate::icmp::EchoState::new(usize::from(limits.echo)),
        #[cfg(feature = "acd")]
        arp_watches: Watches::heap(HEAP_WATCHES),
        #[cfg(feature = "flows")]
        flows: crate::flow::FlowBook::new(Deadlines::wheel()),
        loopback: crate::loopback::Loopback::new(limits.loopback),
    }
}
