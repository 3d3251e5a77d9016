//! The handler, as the stack's input reaches it from deep within a call.

use core::cell::RefCell;

use crate::flow::{FlowHandler, FlowId, FlowTuple, Open, Taken};

/// A handler behind a shared reference.
pub(crate) trait FlowCalls {
    fn opening(&self, id: FlowId, tuple: &FlowTuple) -> Open;
    fn data(&self, id: FlowId, data: &[u8]) -> Taken;
    fn echo(&self, id: FlowId, sequence: u16, data: &[u8]);
}

/// What makes a handler one: the stack calls it once at a time.
pub(crate) struct Handling<'h, H: FlowHandler + ?Sized>(pub(crate) RefCell<&'h mut H>);

impl<H: FlowHandler + ?Sized> FlowCalls for Handling<'_, H> {
    fn opening(&self, id: FlowId, tuple: &FlowTuple) -> Open {
        match self.0.try_borrow_mut() {
            Ok(mut handler) => handler.opening(id, tuple),
            Err(_) => Open::Hold,
        }
    }

    fn data(&self, id: FlowId, data: &[u8]) -> Taken {
        match self.0.try_borrow_mut() {
            Ok(mut handler) => handler.data(id, data),
            Err(_) => Taken::NOTHING,
        }
    }

    fn echo(&self, id: FlowId, sequence: u16, data: &[u8]) {
        if let Ok(mut handler) = self.0.try_borrow_mut() {
            handler.echo(id, sequence, data);
        }
    }
}
