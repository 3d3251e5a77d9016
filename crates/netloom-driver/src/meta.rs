//! What devices and the stack tell each other about one frame.

/// A checksum that the frame's last holder still has to finish: the field already holds the
/// pseudo-header's sum; the one's complement sum from `start` to the end of the frame is to be
/// complemented and stored at `start + offset`. The form of virtio-net, `IFF_VNET_HDR` and most
/// NICs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialChecksum {
    /// First byte that is summed, counted from the start of the frame (the transport header).
    pub start: u16,
    /// Where the result is stored, counted from `start` (16 for TCP, 6 for UDP).
    pub offset: u16,
}

/// What is known of the transport checksum of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RxChecksum {
    /// Nothing: the stack verifies it.
    #[default]
    Unverified,
    /// The device verified it, or the frame never left this machine's memory.
    Verified,
    /// The sender (a local kernel) left it to be finished: only the pseudo-header is summed.
    /// The data has not crossed a wire and is taken as good.
    Partial(PartialChecksum),
}

/// What a device says of a frame it received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RxMeta {
    /// The state of the transport checksum.
    pub checksum: RxChecksum,
    /// If the frame is several TCP segments merged by the device (GRO, LRO): the payload size
    /// of each but the last, in bytes; else 0. Feeds the count of delayed ACKs.
    pub gso_size: u16,
}

impl RxMeta {
    /// A frame whose transport checksum needs no check.
    pub const VERIFIED: RxMeta = RxMeta {
        checksum: RxChecksum::Verified,
        gso_size: 0,
    };
}

/// A super-segment: the device cuts it into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gso {
    /// Payload bytes of each segment but the last.
    pub size: u16,
    /// Bytes of headers (link, IP, transport) that are repeated in front of each.
    pub header_len: u16,
    /// Whether the network header is IPv6 (else IPv4).
    pub ipv6: bool,
}

/// What the stack says of a frame it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TxMeta {
    /// The device must finish this checksum. Only set where [`TxCaps::checksum`] was true.
    pub checksum: Option<PartialChecksum>,
    /// The device must cut this super-segment. Only set where [`TxCaps::gso_max`] allowed it.
    pub gso: Option<Gso>,
}

/// What a device can do for the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxCaps {
    /// The largest IP packet the link carries, in bytes (the link header comes on top).
    pub mtu: u16,
    /// Whether the device finishes TCP and UDP checksums ([`TxMeta::checksum`]).
    pub checksum: bool,
    /// The largest IP packet the device accepts for segmentation, in bytes; 0: none.
    pub gso_max: u32,
}

impl TxCaps {
    /// A device that carries frames as they are: no checksum, no segmentation.
    pub const fn plain(mtu: u16) -> TxCaps {
        TxCaps {
            mtu,
            checksum: false,
            gso_max: 0,
        }
    }
}
