//! The MAC's registers, which are reached through two of the chip's, and the PHY's, which are
//! reached through two of the MAC's: address, multicast filter, link.

use netloom_driver::LinkState;

use crate::regs::mac::FDPX;
use crate::regs::{self, Register, mac, phy};
use crate::{Bus, InitError, Lan9118, PATIENCE};

/// A busy bit did not clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stuck;

/// What we offer the other end of the cable.
const ADVERTISED: u32 = phy::FULL_100 | phy::HALF_100 | phy::FULL_10 | phy::HALF_10 | phy::SELECTOR;

/// The bucket of the filter's hash table an address falls into: the upper 6 bits of the
/// Ethernet CRC-32 over it, taken most significant bit first.
pub(crate) fn bucket(address: &[u8; 6]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in address {
        for bit in 0..8 {
            let carry = (crc >> 31) ^ (u32::from(byte) >> bit & 1);
            crc <<= 1;
            if carry != 0 {
                crc ^= 0x04c1_1db7;
            }
        }
    }
    crc >> 26
}

impl<B: Bus> Lan9118<'_, B> {
    /// The address that frames to this chip carry.
    pub fn address(&self) -> [u8; 6] {
        self.address
    }

    /// Takes the address the chip loaded from its EEPROM, or gives it `fallback`.
    pub(crate) fn find_address(&mut self, fallback: [u8; 6]) -> Result<(), InitError> {
        let [a, b, c, d] = self.mac_read(mac::ADDRL)?.to_le_bytes();
        let [e, f, ..] = self.mac_read(mac::ADDRH)?.to_le_bytes();
        self.address = [a, b, c, d, e, f];
        // Without an EEPROM the registers read all ones, which is a group address.
        if a & 1 != 0 {
            self.set_address(fallback)?;
        }
        Ok(())
    }

    /// Gives the chip an address: unicast frames to it pass the filter.
    ///
    /// # Errors
    /// [`InitError::Stuck`] when the chip stays busy.
    pub fn set_address(&mut self, address: [u8; 6]) -> Result<(), InitError> {
        self.address = address;
        let [a, b, c, d, e, f] = address;
        self.mac_write(mac::ADDRL, u32::from_le_bytes([a, b, c, d]))?;
        self.mac_write(mac::ADDRH, u32::from_le_bytes([e, f, 0, 0]))?;
        Ok(())
    }

    pub(crate) fn set_buckets(&self, buckets: u64) -> Result<(), Stuck> {
        self.mac_write(mac::HASHH, (buckets >> 32) as u32)?;
        self.mac_write(mac::HASHL, buckets as u32)
    }

    pub(crate) fn write_control(&self) -> Result<(), Stuck> {
        self.mac_write(mac::MAC_CR, self.control)
    }

    /// Begins negotiating the link; the PHY interrupts when done.
    pub(crate) fn negotiate(&self) -> Result<(), Stuck> {
        self.phy_write(phy::ADVERTISEMENT, ADVERTISED)?;
        self.phy_write(phy::INTERRUPT_MASK, phy::NEGOTIATED | phy::LINK_DOWN)?;
        self.phy_write(phy::CONTROL, phy::NEGOTIATE | phy::RESTART)
    }

    /// Reads the state of the link, and sets the MAC's duplex to what was negotiated.
    pub(crate) fn refresh_link(&mut self) -> Result<(), Stuck> {
        self.phy_read(phy::INTERRUPT_SOURCE)?;
        // A loss of the link is latched until read: the second reading is the present.
        self.phy_read(phy::STATUS)?;
        if self.phy_read(phy::STATUS)? & phy::LINK_UP == 0 {
            self.link = LinkState::Down;
            return Ok(());
        }
        let common = self.phy_read(phy::PARTNER)? & ADVERTISED;
        let full = if common & (phy::FULL_100 | phy::HALF_100) != 0 {
            common & phy::FULL_100 != 0
        } else {
            common & phy::FULL_10 != 0
        };
        self.link = LinkState::Up;
        self.set_control(FDPX, full)
    }

    #[inline(never)]
    pub(crate) fn wait_for_bits(
        &self,
        register: Register,
        mask: u32,
        value: u32,
    ) -> Result<(), Stuck> {
        for _ in 0..PATIENCE {
            if self.bus.read(register) & mask == value {
                return Ok(());
            }
        }
        Err(Stuck)
    }

    fn mac_access(&self, command: u32) -> Result<(), Stuck> {
        self.bus
            .write(regs::MAC_CSR_CMD, regs::MAC_CSR_BUSY | command);
        self.wait_for_bits(regs::MAC_CSR_CMD, regs::MAC_CSR_BUSY, 0)
    }

    #[inline(never)]
    fn mac_read(&self, register: u8) -> Result<u32, Stuck> {
        self.mac_access(regs::MAC_CSR_READ | u32::from(register))?;
        Ok(self.bus.read(regs::MAC_CSR_DATA))
    }

    #[inline(never)]
    fn mac_write(&self, register: u8, value: u32) -> Result<(), Stuck> {
        self.bus.write(regs::MAC_CSR_DATA, value);
        self.mac_access(u32::from(register))
    }

    fn phy_access(&self, register: u8, write: u32) -> Result<(), Stuck> {
        let command = phy::ADDRESS << 11 | u32::from(register) << 6 | write | mac::MII_BUSY;
        self.mac_write(mac::MII_ACC, command)?;
        for _ in 0..PATIENCE {
            if self.mac_read(mac::MII_ACC)? & mac::MII_BUSY == 0 {
                return Ok(());
            }
        }
        Err(Stuck)
    }

    #[inline(never)]
    fn phy_read(&self, register: u8) -> Result<u32, Stuck> {
        self.phy_access(register, 0)?;
        self.mac_read(mac::MII_DATA)
    }

    #[inline(never)]
    fn phy_write(&self, register: u8, value: u32) -> Result<(), Stuck> {
        self.mac_write(mac::MII_DATA, value)?;
        self.phy_access(register, mac::MII_WRITE)
    }
}
