//! What becomes of connections when the device under them is gone for good.

use netloom_tcp::CloseReason;

use crate::event::IfaceId;
use crate::stack::Stack;
use crate::tcp::slot::Flags;

impl Stack {
    /// An interface's device will never carry another frame: connections whose frames leave by
    /// it end with [`CloseReason::InterfaceRemoved`]. What had arrived stays readable. Nothing is
    /// sent, as nothing could leave.
    pub fn interface_lost(&mut self, iface: IfaceId) {
        for index in 0..self.tables.connections.high_water() {
            let slot = self.tables.connections.get(index);
            if slot.is_some_and(|s| s.flags.has(Flags::INDEXED) && s.iface == iface.0) {
                self.end_by(index, CloseReason::InterfaceRemoved);
            }
        }
    }
}
