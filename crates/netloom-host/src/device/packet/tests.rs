use super::{HEADROOM, VlanTag, restore_tag};

fn buffer(frame: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0xee; HEADROOM];
    buffer.extend(frame);
    buffer.extend([0xee; 8]);
    buffer
}

#[test]
fn an_untagged_frame_stays_as_it_is() {
    let frame = b"abcdefghijklmnopqr";
    assert_eq!(restore_tag(&mut buffer(frame), frame.len(), None), frame);
}

#[test]
fn a_tag_goes_back_behind_the_addresses() {
    let tag = Some(VlanTag {
        tpid: 0x88a8,
        tci: 0x2007,
    });
    let frame = b"DDDDDDSSSSSS\x08\x00payload";
    let restored = restore_tag(&mut buffer(frame), frame.len(), tag).to_vec();
    assert_eq!(restored, b"DDDDDDSSSSSS\x88\xa8\x20\x07\x08\x00payload");
}

#[test]
fn a_frame_too_short_for_a_tag_gets_none() {
    let tag = Some(VlanTag {
        tpid: 0x8100,
        tci: 1,
    });
    assert_eq!(restore_tag(&mut buffer(b"runt"), 4, tag), b"runt");
}
