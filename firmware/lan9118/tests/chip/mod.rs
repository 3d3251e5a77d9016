//! A model of the chip, register by register, as far as the driver uses it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use lan9118::Bus;
use lan9118::regs::{self, Register, mac, phy};

/// Reads for which a busy bit stays set.
const BUSY_READS: u32 = 3;

#[derive(Debug)]
pub struct Chip {
    pub id: Cell<u16>,
    pub byte_test: Cell<u32>,
    /// Busy bits never clear.
    pub stuck: Cell<bool>,
    pub int_sts: Cell<u32>,
    pub room: Cell<u32>,
    pub overrun: Cell<u32>,
    pub tx_status: RefCell<VecDeque<u32>>,
    rx_status: RefCell<VecDeque<u32>>,
    rx_data: RefCell<VecDeque<u32>>,
    pub tx_words: RefCell<Vec<u32>>,
    pub mac: RefCell<[u32; 16]>,
    pub phy: RefCell<[u32; 32]>,
    /// What was last written to the plain registers, and in which order.
    pub written: RefCell<Vec<(Register, u32)>>,
    mac_data: Cell<u32>,
    reset_reads: Cell<u32>,
    mac_reads: Cell<u32>,
}

impl Chip {
    /// A chip with an EEPROM that holds 52:54:00:12:34:56, and a 100BASE-TX partner.
    pub fn new() -> Self {
        let mut mac = [0; 16];
        mac[usize::from(mac::ADDRL)] = 0x1200_5452;
        mac[usize::from(mac::ADDRH)] = 0x5634;
        let mut phy = [0; 32];
        phy[usize::from(phy::STATUS)] = phy::LINK_UP;
        phy[usize::from(phy::PARTNER)] = phy::FULL_100 | phy::HALF_100 | phy::FULL_10;
        Chip {
            id: Cell::new(0x0118),
            byte_test: Cell::new(regs::BYTE_TEST_VALUE),
            stuck: Cell::new(false),
            int_sts: Cell::new(0),
            room: Cell::new(4608),
            overrun: Cell::new(0),
            tx_status: RefCell::default(),
            rx_status: RefCell::default(),
            rx_data: RefCell::default(),
            tx_words: RefCell::default(),
            mac: RefCell::new(mac),
            phy: RefCell::new(phy),
            written: RefCell::default(),
            mac_data: Cell::new(0),
            reset_reads: Cell::new(0),
            mac_reads: Cell::new(0),
        }
    }

    /// A frame arrives: `frame` without its FCS, with the given error bits in its status.
    pub fn arrive(&self, frame: &[u8], errors: u32) {
        let with_fcs = [frame, &[0xfc; 4]].concat();
        for word in with_fcs.chunks(4) {
            let mut padded = [0xee; 4];
            padded[..word.len()].copy_from_slice(word);
            self.rx_data
                .borrow_mut()
                .push_back(u32::from_le_bytes(padded));
        }
        let status = (with_fcs.len() as u32) << 16 | errors;
        self.rx_status.borrow_mut().push_back(status);
        self.int_sts.set(self.int_sts.get() | regs::RSFL_INT);
    }

    /// Words of frames nobody has read.
    pub fn words_left(&self) -> usize {
        self.rx_data.borrow().len()
    }

    /// Takes the transmitted frames out of the words written, checking the commands.
    pub fn transmitted(&self) -> Vec<Vec<u8>> {
        let mut words = std::mem::take(&mut *self.tx_words.borrow_mut()).into_iter();
        let mut frames = Vec::new();
        while let Some(command_a) = words.next() {
            assert_eq!(
                command_a >> 11,
                0b110,
                "one segment, first and last, no offset"
            );
            let len = command_a & 0x7ff;
            assert_eq!(words.next(), Some(len), "command B repeats the length");
            let bytes: Vec<u8> = (0..len.div_ceil(4))
                .flat_map(|_| words.next().expect("whole frame").to_le_bytes())
                .collect();
            frames.push(bytes[..len as usize].to_vec());
        }
        frames
    }

    /// What was last written to a register.
    pub fn last(&self, register: Register) -> Option<u32> {
        let written = self.written.borrow();
        written.iter().rev().find(|w| w.0 == register).map(|w| w.1)
    }

    /// When a register was first written, counted in writes.
    pub fn first_write(&self, register: Register) -> Option<usize> {
        self.written.borrow().iter().position(|w| w.0 == register)
    }

    /// The state of the line, as far as the driver configured it.
    pub fn line(&self) -> bool {
        self.int_sts.get() & self.last(regs::INT_EN).unwrap_or(0) != 0
    }

    fn busy(&self, reads: &Cell<u32>) -> bool {
        let left = reads.get();
        reads.set(left.saturating_sub(1));
        left != 0 || self.stuck.get()
    }

    fn mac_access(&self, command: u32) {
        let register = (command & 0xf) as usize;
        if command & regs::MAC_CSR_READ != 0 {
            self.mac_data.set(self.mac.borrow()[register]);
            return;
        }
        self.mac.borrow_mut()[register] = self.mac_data.get();
        if register == usize::from(mac::MII_ACC) {
            self.phy_access(self.mac_data.get());
        }
    }

    fn phy_access(&self, command: u32) {
        assert_eq!(command >> 11, phy::ADDRESS, "the internal PHY");
        let register = (command >> 6 & 0x1f) as usize;
        let (mut mac, mut phy) = (self.mac.borrow_mut(), self.phy.borrow_mut());
        let data = &mut mac[usize::from(mac::MII_DATA)];
        if command & mac::MII_WRITE != 0 {
            phy[register] = *data;
        } else {
            *data = phy[register];
        }
        if register == usize::from(phy::INTERRUPT_SOURCE) {
            self.int_sts.set(self.int_sts.get() & !regs::PHY_INT);
        }
        mac[usize::from(mac::MII_ACC)] &= !mac::MII_BUSY;
    }
}

impl Bus for &Chip {
    fn read(&self, register: Register) -> u32 {
        let waiting = |fifo: &RefCell<VecDeque<u32>>| fifo.borrow().len() as u32;
        match register {
            regs::RX_DATA_FIFO => self.rx_data.borrow_mut().pop_front().expect("underrun"),
            regs::RX_STATUS_FIFO => self.rx_status.borrow_mut().pop_front().expect("underrun"),
            regs::TX_STATUS_FIFO => self.tx_status.borrow_mut().pop_front().expect("underrun"),
            regs::ID_REV => u32::from(self.id.get()) << 16 | 1,
            regs::INT_STS => self.int_sts.get(),
            regs::BYTE_TEST => self.byte_test.get(),
            regs::HW_CFG => u32::from(self.busy(&self.reset_reads)) * regs::SRST,
            regs::RX_FIFO_INF => (waiting(&self.rx_status) << 16) | (waiting(&self.rx_data) * 4),
            regs::TX_FIFO_INF => waiting(&self.tx_status) << 16 | self.room.get(),
            regs::PMT_CTRL => regs::READY,
            regs::RX_DROP => self.overrun.take(),
            regs::MAC_CSR_CMD => u32::from(self.busy(&self.mac_reads)) * regs::MAC_CSR_BUSY,
            regs::MAC_CSR_DATA => self.mac_data.get(),
            regs::E2P_CMD => 0,
            other => panic!("the driver reads {other:?}"),
        }
    }

    fn write(&self, register: Register, value: u32) {
        match register {
            regs::TX_DATA_FIFO => return self.tx_words.borrow_mut().push(value),
            regs::INT_STS => self.int_sts.set(self.int_sts.get() & !value),
            regs::HW_CFG => self.reset_reads.set(BUSY_READS),
            regs::MAC_CSR_DATA => self.mac_data.set(value),
            regs::MAC_CSR_CMD => {
                self.mac_reads.set(BUSY_READS);
                self.mac_access(value);
            }
            _ => {}
        }
        self.written.borrow_mut().push((register, value));
    }
}
