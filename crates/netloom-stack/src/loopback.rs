//! The loopback interface: what the stack sends to itself, in a bounded queue.
//!
//! Frames are not handed over where they are sent, which would be recursion, but collected in a
//! buffer; when the turn is over the buffer is drained into the input, and what that calls for
//! fills it again, a bounded number of times. What is left then is next turn's.

use alloc::boxed::Box;
use alloc::vec;

use netloom_driver::{FrameSink, Full, RxMeta, TxCaps, TxMeta};
use netloom_wire::{Addr, Cidr};

use crate::config::InterfaceConfig;
use crate::event::IfaceId;
use crate::stack::{Sent, Stack};

/// MTU of the loopback interface. Frames are at most this long; the larger the fewer.
const MTU: u16 = 65_535;
/// Fillings of the buffer in one turn.
const ROUNDS: usize = 8;
/// Bytes in front of each frame: its length.
const PREFIX: usize = 4;

/// The buffer of the loopback interface.
pub(crate) struct Loopback {
    memory: Box<[u8]>,
    used: usize,
    /// The interface's number + 1; 0: there is none.
    iface: u8,
}

impl Loopback {
    pub(crate) fn none() -> Loopback {
        Loopback::new(0)
    }

    pub(crate) fn new(bytes: usize) -> Loopback {
        Loopback {
            memory: vec![0; bytes].into_boxed_slice(),
            used: 0,
            iface: 0,
        }
    }

    /// The interface's number.
    #[inline]
    pub(crate) fn iface(&self) -> Option<u8> {
        self.iface.checked_sub(1)
    }
}

impl FrameSink for Loopback {
    fn caps(&self) -> TxCaps {
        // Nothing can be damaged on the way: checksums are neither made nor checked.
        TxCaps {
            mtu: MTU,
            checksum: true,
            gso_max: 0,
        }
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let free = self.memory.get_mut(self.used..).ok_or(Full)?;
        let (prefix, rest) = free.split_at_mut_checked(PREFIX).ok_or(Full)?;
        let frame = rest.get_mut(..len).ok_or(Full)?;
        fill(frame);
        for (to, from) in prefix.iter_mut().zip((len as u32).to_le_bytes()) {
            *to = from;
        }
        self.used = self.used.wrapping_add(PREFIX).wrapping_add(len);
        Ok(())
    }
}

impl Stack {
    /// Adds the loopback interface, if the limits give it memory.
    pub(crate) fn open_loopback(&mut self) {
        if self.loopback.memory.len() < usize::from(MTU) {
            return;
        }
        let Ok(IfaceId(index)) = self.add_interface(InterfaceConfig::ip().mtu(MTU)) else {
            return;
        };
        if let Some(interface) = self.interface_mut(index) {
            interface.loopback = true;
        }
        self.loopback.iface = index.saturating_add(1);
        #[cfg(feature = "ipv4")]
        if let Some(cidr) = Cidr::new(Addr::V4_LOCALHOST, 8) {
            let _ = self.add_address(IfaceId(index), cidr);
        }
        #[cfg(feature = "ipv6")]
        if let Some(cidr) = Cidr::new(Addr::V6_LOCALHOST, 128) {
            let _ = self.add_address(IfaceId(index), cidr);
        }
    }

    /// Carries what the stack sends to itself.
    #[inline]
    pub(crate) fn run_loopback(&mut self) {
        if let Some(iface) = self.loopback.iface() {
            if self.has_work(IfaceId(iface)) {
                self.carry_loopback(iface);
            }
        }
    }

    #[inline(never)]
    fn carry_loopback(&mut self, iface: u8) {
        for _ in 0..ROUNDS {
            if !self.has_work(IfaceId(iface)) {
                return;
            }
            let mut loopback = core::mem::replace(
                &mut self.loopback,
                Loopback {
                    memory: Box::default(),
                    used: 0,
                    iface: iface.wrapping_add(1),
                },
            );
            self.transmit_owed(iface, &mut loopback, &mut Sent::default());
            let mut rest = loopback.memory.get(..loopback.used).unwrap_or_default();
            while let Some((prefix, after)) = rest.split_first_chunk::<PREFIX>() {
                let len = u32::from_le_bytes(*prefix) as usize;
                let Some((frame, after)) = after.split_at_checked(len) else {
                    break;
                };
                self.input(iface, frame, &RxMeta::VERIFIED, None);
                rest = after;
            }
            loopback.used = 0;
            self.loopback = loopback;
        }
    }
}
