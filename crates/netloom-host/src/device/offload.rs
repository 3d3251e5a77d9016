//! What of a stack's work the kernel is asked to take over.

/// What the kernel does in place of the stack, at the kernel's end of a device; each includes
/// what stands before it.
///
/// Frames that stay on this machine are then neither summed nor cut by anybody: data moves in
/// pieces of up to 64 KiB. What leaves it is finished by the kernel or its network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Offload {
    /// Nothing: every frame is complete and no longer than the MTU, in both directions.
    None,
    /// TCP and UDP checksums are left unfinished, in both directions.
    Checksum,
    /// TCP super-segments too, over IPv4 and IPv6: sent ones are cut by whoever needs them cut,
    /// and received segments arrive merged.
    #[default]
    Segmentation,
}

impl Offload {
    /// Whether checksums are left unfinished.
    pub const fn checksum(self) -> bool {
        match self {
            Offload::None => false,
            Offload::Checksum | Offload::Segmentation => true,
        }
    }

    /// The largest IP packet that may be handed over to be cut, in bytes; 0: none.
    pub const fn gso_max(self) -> u32 {
        match self {
            Offload::None | Offload::Checksum => 0,
            // What the length field of an IPv4 header can say.
            Offload::Segmentation => 65_535,
        }
    }
}
