//! Memory for flows without a heap.

use crate::flow::{FlowBook, FlowSlot};
use crate::memory::slab::{Item, Slab};
use crate::stack::Parts;
use crate::storage::Storage;
use crate::tcp::HalfOpenEntry;

/// All memory of [`Flows`](crate::flow::Flows), declared by the program: `FLOWS` of all protocols
/// at once, of which `TCP` may be connections (and as many more handshakes under way) and `UDP`
/// UDP or echo flows, with `RX` and `TX` bytes of buffer each.
///
/// A new one is all zeros, so a `static` of it lies in `.bss`. As for [`Storage`], get the
/// `&'static mut` from `static_cell`'s `ConstStaticCell`, or leak a box where there is a heap.
#[repr(C)]
pub struct FlowStorage<
    const FLOWS: usize,
    const TCP: usize,
    const UDP: usize,
    const RX: usize,
    const TX: usize,
> {
    stack: Storage<TCP, 0, UDP, RX, TX>,
    half_open: [HalfOpenEntry; TCP],
    flows: [FlowSlot; FLOWS],
}

impl<const FLOWS: usize, const TCP: usize, const UDP: usize, const RX: usize, const TX: usize>
    FlowStorage<FLOWS, TCP, UDP, RX, TX>
{
    /// All zeros.
    pub const fn new() -> Self {
        FlowStorage {
            stack: Storage::new(),
            half_open: [const { HalfOpenEntry::EMPTY }; TCP],
            flows: [const { FlowSlot::EMPTY }; FLOWS],
        }
    }

    /// Erases the capacities into slices.
    pub(crate) fn lend(&'static mut self) -> Parts {
        let FlowStorage {
            stack,
            half_open,
            flows,
        } = self;
        let mut parts = stack.lend();
        parts.tables.half_open = Slab::lent(half_open);
        parts.tables.flows = Slab::lent(flows);
        parts.flows = FlowBook::new(crate::deadlines::Deadlines::scan());
        parts
    }
}

impl<const FLOWS: usize, const TCP: usize, const UDP: usize, const RX: usize, const TX: usize>
    Default for FlowStorage<FLOWS, TCP, UDP, RX, TX>
{
    fn default() -> Self {
        FlowStorage::new()
    }
}

impl<const FLOWS: usize, const TCP: usize, const UDP: usize, const RX: usize, const TX: usize>
    core::fmt::Debug for FlowStorage<FLOWS, TCP, UDP, RX, TX>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FlowStorage<{FLOWS}, {TCP}, {UDP}, {RX}, {TX}>")
    }
}
