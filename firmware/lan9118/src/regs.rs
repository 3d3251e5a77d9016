//! The chip's registers: byte offsets from its base address, and the bits this driver uses.
//! Names and numbers are those of the LAN9118 datasheet (DS00002266), chapter 5.

/// The byte offset of a 32-bit register that the host reaches directly. Only the constants of
/// this module exist, so every offset is a multiple of 4 below 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// Bytes from the chip's base address.
    #[inline(always)]
    pub const fn offset(self) -> usize {
        self.0 as usize
    }
}

/// Reading takes the next word of a received frame.
pub const RX_DATA_FIFO: Register = Register(0x00);
/// Writing appends a word (command or data) to the transmit queue.
pub const TX_DATA_FIFO: Register = Register(0x20);
/// Reading takes the status of the oldest received frame.
pub const RX_STATUS_FIFO: Register = Register(0x40);
/// Reading takes the status of the oldest transmitted frame.
pub const TX_STATUS_FIFO: Register = Register(0x48);
/// Chip identifier (upper half) and revision.
pub const ID_REV: Register = Register(0x50);
/// How the interrupt line behaves.
pub const IRQ_CFG: Register = Register(0x54);
/// Interrupt causes; a one written clears its bit.
pub const INT_STS: Register = Register(0x58);
/// Which causes raise the line.
pub const INT_EN: Register = Register(0x5c);
/// Always [`BYTE_TEST_VALUE`] once the chip is awake and the byte order is right.
pub const BYTE_TEST: Register = Register(0x64);
/// FIFO levels at which causes appear.
pub const FIFO_INT: Register = Register(0x68);
/// Receive configuration.
pub const RX_CFG: Register = Register(0x6c);
/// Transmit configuration.
pub const TX_CFG: Register = Register(0x70);
/// Soft reset and the division of the FIFO memory.
pub const HW_CFG: Register = Register(0x74);
/// Received statuses (bits 23–16) and bytes (15–0) waiting.
pub const RX_FIFO_INF: Register = Register(0x7c);
/// Transmit statuses waiting (bits 23–16) and bytes free (15–0).
pub const TX_FIFO_INF: Register = Register(0x80);
/// Power management.
pub const PMT_CTRL: Register = Register(0x84);
/// A counter at 25 MHz, from the chip's own crystal.
pub const FREE_RUN: Register = Register(0x9c);
/// Frames lost because the receive FIFO was full; reading clears it.
pub const RX_DROP: Register = Register(0xa0);
/// Starts an access to a MAC register.
pub const MAC_CSR_CMD: Register = Register(0xa4);
/// The word of that access.
pub const MAC_CSR_DATA: Register = Register(0xa8);
/// EEPROM commands.
pub const E2P_CMD: Register = Register(0xb0);

/// What [`BYTE_TEST`] reads.
pub const BYTE_TEST_VALUE: u32 = 0x8765_4321;

/// [`IRQ_CFG`]: the line is driven at all.
pub const IRQ_EN: u32 = 1 << 8;
/// [`IRQ_CFG`]: active high (needs push-pull).
pub const IRQ_POL: u32 = 1 << 4;
/// [`IRQ_CFG`]: push-pull, else open drain and active low.
pub const IRQ_TYPE: u32 = 1 << 0;

/// [`INT_STS`], [`INT_EN`]: the PHY has news.
pub const PHY_INT: u32 = 1 << 18;
/// [`INT_STS`], [`INT_EN`]: more room in the transmit FIFO than the level in [`FIFO_INT`].
pub const TDFA_INT: u32 = 1 << 9;
/// [`INT_STS`], [`INT_EN`]: more received statuses than the level in [`FIFO_INT`].
pub const RSFL_INT: u32 = 1 << 3;

/// [`FIFO_INT`]: shift of the transmit level, in units of 64 bytes.
pub const TX_DATA_LEVEL_SHIFT: u32 = 24;

/// [`TX_CFG`]: transmit what is queued.
pub const TX_ON: u32 = 1 << 1;

/// [`HW_CFG`]: must be one ("store and forward").
pub const SF: u32 = 1 << 20;
/// [`HW_CFG`]: shift of the transmit FIFOs' share of the 16 KiB, in KiB.
pub const TX_FIF_SZ_SHIFT: u32 = 16;
/// [`HW_CFG`]: soft reset; reads one until done.
pub const SRST: u32 = 1 << 0;

/// [`PMT_CTRL`]: awake.
pub const READY: u32 = 1 << 0;

/// [`MAC_CSR_CMD`]: an access is under way.
pub const MAC_CSR_BUSY: u32 = 1 << 31;
/// [`MAC_CSR_CMD`]: the access reads.
pub const MAC_CSR_READ: u32 = 1 << 30;

/// [`E2P_CMD`]: the EEPROM controller is still loading the address.
pub const EPC_BUSY: u32 = 1 << 31;

/// Receive and transmit status: something went wrong with this frame ("error summary").
pub const ERROR_SUMMARY: u32 = 1 << 15;
/// Receive status: shift of the frame's length, FCS included.
pub const RX_LENGTH_SHIFT: u32 = 16;
/// Receive status: mask of that length once shifted.
pub const RX_LENGTH_MASK: u32 = 0x3fff;

/// Transmit command A: this buffer begins a frame.
pub const FIRST_SEGMENT: u32 = 1 << 13;
/// Transmit command A: this buffer ends it.
pub const LAST_SEGMENT: u32 = 1 << 12;

/// Registers of the MAC, reached through [`MAC_CSR_CMD`].
pub mod mac {
    /// Control.
    pub const MAC_CR: u8 = 1;
    /// Bytes 4 and 5 of the address.
    pub const ADDRH: u8 = 2;
    /// Bytes 0 to 3 of the address.
    pub const ADDRL: u8 = 3;
    /// Upper half of the multicast hash table.
    pub const HASHH: u8 = 4;
    /// Lower half of the multicast hash table.
    pub const HASHL: u8 = 5;
    /// Starts an access to a PHY register.
    pub const MII_ACC: u8 = 6;
    /// The word of that access.
    pub const MII_DATA: u8 = 7;

    /// [`MAC_CR`]: full duplex.
    pub const FDPX: u32 = 1 << 20;
    /// [`MAC_CR`]: multicast by hash, unicast by address.
    pub const HPFILT: u32 = 1 << 13;
    /// [`MAC_CR`]: transmit.
    pub const TXEN: u32 = 1 << 3;
    /// [`MAC_CR`]: receive.
    pub const RXEN: u32 = 1 << 2;

    /// [`MII_ACC`]: the access writes.
    pub const MII_WRITE: u32 = 1 << 1;
    /// [`MII_ACC`]: an access is under way.
    pub const MII_BUSY: u32 = 1 << 0;
}

/// Registers of the internal PHY, reached through [`mac::MII_ACC`].
pub mod phy {
    /// Its address on the management bus.
    pub const ADDRESS: u32 = 1;

    /// Basic control.
    pub const CONTROL: u8 = 0;
    /// Basic status.
    pub const STATUS: u8 = 1;
    /// What we advertise (IEEE 802.3, 28.2.4.1.3).
    pub const ADVERTISEMENT: u8 = 4;
    /// What the other end can do.
    pub const PARTNER: u8 = 5;
    /// Interrupt causes; reading clears them.
    pub const INTERRUPT_SOURCE: u8 = 29;
    /// Which causes reach the chip's own [`super::PHY_INT`].
    pub const INTERRUPT_MASK: u8 = 30;

    /// [`CONTROL`]: negotiate speed and duplex.
    pub const NEGOTIATE: u32 = 1 << 12;
    /// [`CONTROL`]: begin negotiating anew.
    pub const RESTART: u32 = 1 << 9;
    /// [`STATUS`]: the link is up; once down it reads down until read.
    pub const LINK_UP: u32 = 1 << 2;

    /// [`ADVERTISEMENT`], [`PARTNER`]: 100 Mbit/s, full duplex.
    pub const FULL_100: u32 = 1 << 8;
    /// [`ADVERTISEMENT`], [`PARTNER`]: 100 Mbit/s, half duplex.
    pub const HALF_100: u32 = 1 << 7;
    /// [`ADVERTISEMENT`], [`PARTNER`]: 10 Mbit/s, full duplex.
    pub const FULL_10: u32 = 1 << 6;
    /// [`ADVERTISEMENT`], [`PARTNER`]: 10 Mbit/s, half duplex.
    pub const HALF_10: u32 = 1 << 5;
    /// [`ADVERTISEMENT`]: the selector of IEEE 802.3.
    pub const SELECTOR: u32 = 1;

    /// [`INTERRUPT_MASK`]: negotiation is complete.
    pub const NEGOTIATED: u32 = 1 << 6;
    /// [`INTERRUPT_MASK`]: the link went down.
    pub const LINK_DOWN: u32 = 1 << 4;
}
