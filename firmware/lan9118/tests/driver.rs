//! The driver against a model of the chip.

mod chip;

use chip::Chip;
use lan9118::regs::{self, mac, phy};
use lan9118::{FrameMemory, InitError, Lan9118, Lost};
use netloom_driver::{Driver, FrameSink, Full, LinkState, TxMeta};

const FALLBACK: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn start<'m, 'c>(chip: &'c Chip, memory: &'m mut FrameMemory) -> Lan9118<'m, &'c Chip> {
    Lan9118::new(chip, memory, FALLBACK).expect("the model starts")
}

fn failure(chip: &Chip) -> InitError {
    Lan9118::new(chip, &mut FrameMemory::new(), FALLBACK).expect_err("must not start")
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + len) as u8).collect()
}

fn received(nic: &mut impl Driver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    nic.receive(&mut |frame, _| frames.push(frame.to_vec()));
    frames
}

fn send(nic: &mut impl FrameSink, frame: &[u8]) -> Result<(), Full> {
    nic.frame(frame.len(), &TxMeta::default(), &mut |out| {
        out.copy_from_slice(frame)
    })
}

#[test]
fn starts_with_the_line_configured_before_any_cause_is_enabled() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let nic = start(&chip, &mut memory);
    let polarity = regs::IRQ_EN | regs::IRQ_POL | regs::IRQ_TYPE;
    assert_eq!(chip.last(regs::IRQ_CFG), Some(polarity));
    assert!(chip.first_write(regs::IRQ_CFG) < chip.first_write(regs::INT_EN));
    assert_eq!(chip.last(regs::TX_CFG), Some(regs::TX_ON));
    assert_eq!(chip.last(regs::HW_CFG), Some(regs::SF | 5 << 16));
    let control = chip.mac.borrow()[usize::from(mac::MAC_CR)];
    assert_eq!(control, mac::RXEN | mac::TXEN | mac::FDPX);
    assert_eq!(nic.link(), LinkState::Up);
    assert_eq!(nic.caps().mtu, 1500);
}

#[test]
fn knows_the_family_and_refuses_others() {
    for id in [0x0115, 0x0118, 0x115a, 0x118a, 0x9211, 0x9220] {
        let chip = Chip::new();
        chip.id.set(id);
        start(&chip, &mut FrameMemory::new());
    }
    let chip = Chip::new();
    chip.id.set(0x8139);
    assert_eq!(failure(&chip), InitError::Unsupported(0x8139));
    chip.byte_test.set(0x2143_6587);
    assert_eq!(failure(&chip), InitError::NotFound);
}

#[test]
fn a_chip_that_stays_busy_is_an_error_and_no_endless_loop() {
    let chip = Chip::new();
    chip.stuck.set(true);
    assert_eq!(failure(&chip), InitError::Stuck);
}

#[test]
fn a_chip_that_gets_stuck_later_counts_as_unplugged() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    chip.stuck.set(true);
    chip.int_sts.set(regs::PHY_INT);
    assert!(nic.acknowledge());
    assert_eq!(nic.link(), LinkState::Down);
}

#[test]
fn the_address_is_the_eeproms_or_the_fallback() {
    let chip = Chip::new();
    let mut memory = FrameMemory::new();
    let nic = start(&chip, &mut memory);
    assert_eq!(nic.address(), [0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    let blank = Chip::new();
    blank.mac.borrow_mut()[usize::from(mac::ADDRL)] = u32::MAX;
    blank.mac.borrow_mut()[usize::from(mac::ADDRH)] = 0xffff;
    let mut nic = start(&blank, &mut memory);
    assert_eq!(nic.address(), FALLBACK);
    assert_eq!(blank.mac.borrow()[usize::from(mac::ADDRL)], 0x0000_0002);
    assert_eq!(blank.mac.borrow()[usize::from(mac::ADDRH)], 0x0900);

    nic.set_address([4, 5, 6, 7, 8, 9]).expect("idle");
    assert_eq!(nic.address(), [4, 5, 6, 7, 8, 9]);
    assert_eq!(blank.mac.borrow()[usize::from(mac::ADDRL)], 0x0706_0504);
}

#[test]
fn receives_every_length_whole_and_without_the_fcs() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    for len in 14..=1520 {
        chip.arrive(&pattern(len), 0);
        assert_eq!(received(&mut nic), [pattern(len)]);
        assert_eq!(chip.words_left(), 0);
    }
    assert!(!nic.has_work());
    assert_eq!(nic.lost(), Lost::default());
}

#[test]
fn damaged_and_oversized_frames_are_dropped_counted_and_passed_over() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    chip.arrive(&pattern(100), regs::ERROR_SUMMARY);
    chip.arrive(&pattern(1521), 0);
    chip.arrive(&pattern(2043), 0);
    chip.arrive(&pattern(61), 0);
    chip.overrun.set(7);
    assert_eq!(received(&mut nic), [pattern(61)]);
    chip.overrun.set(2);
    let lost = nic.lost();
    assert_eq!((lost.receive_errors, lost.too_long), (1, 2));
    assert_eq!(lost.overrun, 2, "the chip's counter clears when read");
    assert_eq!(nic.lost(), lost);
}

#[test]
fn a_call_hands_over_a_bounded_batch() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    for _ in 0..100 {
        chip.arrive(&pattern(60), 0);
    }
    assert_eq!(nic.receive(&mut |_, _| {}), 64);
    assert!(nic.has_work());
    assert_eq!(nic.receive(&mut |_, _| {}), 36);
    assert_eq!(nic.receive(&mut |_, _| {}), 0);
}

#[test]
fn transmits_every_length_exactly() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    for len in 14..=1518 {
        assert_eq!(send(&mut nic, &pattern(len)), Ok(()));
        assert_eq!(chip.transmitted(), [pattern(len)]);
    }
    assert_eq!(send(&mut nic, &pattern(1525)), Err(Full));
    assert!(chip.transmitted().is_empty());
}

#[test]
fn a_full_transmitter_refuses_without_filling_and_wakes_when_there_is_room() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    let enabled = chip.last(regs::INT_EN).expect("written");
    assert_eq!(enabled & regs::TDFA_INT, 0, "room is no news by default");

    chip.room.set(1000 + 8 - 4);
    let refused = nic.frame(1000, &TxMeta::default(), &mut |_| panic!("filled"));
    assert_eq!(refused, Err(Full));
    assert!(chip.transmitted().is_empty());
    assert_eq!(chip.last(regs::INT_EN), Some(enabled | regs::TDFA_INT));
    assert!(!nic.has_work(), "nothing to do until there is room");

    chip.room.set(4608);
    assert!(nic.has_work());
    chip.room.set(1000 + 8);
    assert_eq!(send(&mut nic, &pattern(1000)), Ok(()));
    assert_eq!(chip.last(regs::INT_EN), Some(enabled));
    assert_eq!(chip.transmitted(), [pattern(1000)]);
}

#[test]
fn transmit_statuses_are_taken_and_errors_counted() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    chip.tx_status
        .borrow_mut()
        .extend([0, regs::ERROR_SUMMARY, 0]);
    assert_eq!(send(&mut nic, &pattern(60)), Ok(()));
    assert!(chip.tx_status.borrow().is_empty());
    assert_eq!(nic.lost().transmit_errors, 1);
}

#[test]
fn a_frame_is_answered_where_it_stands() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    for len in [80, 61, 1514] {
        chip.arrive(&pattern(len), 0);
    }
    chip.arrive(&pattern(100), 0);
    let frames = nic.receive_answering(&mut |frame, _| {
        let len = frame.len();
        frame.reverse();
        // One wants no answer, one a shorter one.
        match len {
            100 => 0,
            80 => 79,
            _ => len,
        }
    });
    assert_eq!(frames, Some(4));
    let reversed = |len: usize, kept: usize| {
        let mut frame = pattern(len);
        frame.reverse();
        frame.truncate(kept);
        frame
    };
    let answers = [reversed(80, 79), reversed(61, 61), reversed(1514, 1514)];
    assert_eq!(chip.transmitted(), answers);
}

#[test]
fn a_frame_whose_answer_has_no_room_waits() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    chip.arrive(&pattern(80), 0);
    chip.room.set(1500);
    let none = nic.receive_answering(&mut |_, _| panic!("handed over"));
    assert_eq!(none, Some(0));
    chip.room.set(4608);
    assert!(nic.has_work());
    assert_eq!(nic.receive_answering(&mut |frame, _| frame.len()), Some(1));
    assert_eq!(chip.transmitted(), [pattern(80)]);
}

#[test]
fn acknowledging_releases_the_line_and_a_later_frame_raises_it() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    chip.arrive(&pattern(60), 0);
    assert!(chip.line());
    assert!(!nic.acknowledge(), "the link did not change");
    assert!(!chip.line());
    assert!(nic.has_work());
    assert_eq!(received(&mut nic).len(), 1);
    chip.arrive(&pattern(60), 0);
    assert!(chip.line());
}

#[test]
fn the_link_follows_the_phy_and_sets_the_duplex() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    let mut change = |status, partner| {
        chip.phy.borrow_mut()[usize::from(phy::STATUS)] = status;
        chip.phy.borrow_mut()[usize::from(phy::PARTNER)] = partner;
        chip.int_sts.set(regs::PHY_INT);
        let changed = nic.acknowledge();
        assert!(!chip.line());
        let control = chip.mac.borrow()[usize::from(mac::MAC_CR)];
        (changed, nic.link(), control & mac::FDPX != 0)
    };
    assert_eq!(change(0, 0), (true, LinkState::Down, true));
    let up = phy::LINK_UP;
    assert_eq!(
        change(up, phy::HALF_100 | phy::FULL_10),
        (true, LinkState::Up, false)
    );
    assert_eq!(
        change(up, phy::FULL_10 | phy::HALF_10),
        (false, LinkState::Up, true)
    );
    assert_eq!(change(up, phy::HALF_10), (false, LinkState::Up, false));
    assert_eq!(change(up, phy::FULL_100), (false, LinkState::Up, true));
}

#[test]
fn multicast_groups_go_through_the_hash_filter() {
    let (chip, mut memory) = (Chip::new(), FrameMemory::new());
    let mut nic = start(&chip, &mut memory);
    let filter = || {
        let mac = chip.mac.borrow();
        let [high, low, control] =
            [mac::HASHH, mac::HASHL, mac::MAC_CR].map(|r| mac[usize::from(r)]);
        (
            u64::from(high) << 32 | u64::from(low),
            control & mac::HPFILT != 0,
        )
    };
    assert_eq!(filter(), (0, false));
    // Buckets computed apart, as the upper 6 bits of zlib's CRC-32, unfinished and reversed.
    nic.set_multicast(&[
        [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01],
        [0x33, 0x33, 0xff, 0x12, 0x34, 0x56],
    ]);
    assert_eq!(filter(), (1 << 31 | 1 << 2, true));
    nic.set_multicast(&[]);
    assert_eq!(filter(), (0, false));
}
