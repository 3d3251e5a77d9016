//! A reader for the classic pcap format, as tcpdump writes it on this kind of machine.

/// The frames of a capture of Ethernet frames.
pub(crate) fn frames(pcap: &[u8]) -> Vec<&[u8]> {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4, "little-endian, microseconds");
    assert_eq!(word(20), 1, "Ethernet");
    let mut frames = Vec::new();
    let mut at = 24;
    while at < pcap.len() {
        let (captured, sent) = (word(at + 8) as usize, word(at + 12) as usize);
        assert_eq!(captured, sent, "captured whole");
        frames.push(&pcap[at + 16..at + 16 + captured]);
        at += 16 + captured;
    }
    frames
}

/// What two Linux kernels said to each other: see `captures/record.py`.
pub(crate) fn kernel() -> Vec<&'static [u8]> {
    frames(include_bytes!("../captures/kernel.pcap"))
}
