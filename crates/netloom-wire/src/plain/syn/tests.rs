use proptest::prelude::*;
use std::vec::Vec;

use super::{HEADERS_LEN, OPTIONS, SynView};
use crate::plain::PlainRepr;
use crate::plain::tests::{write, write_any};
use crate::{Ipv4View, TcpFlags, TcpOptionWords, Timestamps};

fn options(mss: u16, value: u32, echo: u32, scale: u8) -> [u32; OPTIONS] {
    let mut words = TcpOptionWords::new();
    words.push_mss(mss);
    words.push_timestamps(true, Some(Timestamps { value, echo }));
    words.push_window_scale(scale);
    words.as_slice().try_into().unwrap()
}

fn syn() -> impl Strategy<Value = PlainRepr<[u32; OPTIONS]>> {
    (
        (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u8>(), any::<u8>()),
        (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>()),
        any::<u16>(),
        (any::<u16>(), any::<u32>(), any::<u32>(), any::<u8>()),
    )
        .prop_map(
            |(
                (src, dst, ttl, tos),
                (ports, seq, ack, answers),
                window,
                (mss, value, echo, scale),
            )| {
                let flags = if answers {
                    TcpFlags::SYN | TcpFlags::ACK
                } else {
                    TcpFlags::SYN
                };
                PlainRepr {
                    src,
                    dst,
                    ttl,
                    tos,
                    ports,
                    seq,
                    ack,
                    flags,
                    window,
                    options: options(mss, value, echo, scale),
                }
            },
        )
}

/// What [`SynView`] says is what the views say that take everything.
fn check(packet: &[u8], syn: &SynView<'_>) {
    let ip = Ipv4View::new(packet).unwrap();
    let tcp = ip.tcp().unwrap();
    assert_eq!((syn.src(), syn.dst()), (ip.src(), ip.dst()));
    assert_eq!(syn.ecn(), ip.ecn());
    let ports = u32::from(tcp.dst_port()) << 16 | u32::from(tcp.src_port());
    assert_eq!(syn.ports(), ports);
    assert_eq!((syn.seq(), syn.ack()), (tcp.seq(), tcp.ack()));
    assert_eq!(syn.flags(), tcp.flags());
    assert_eq!(syn.window(), tcp.window());
    assert_eq!(syn.urgent(), tcp.urgent());
    assert_eq!(syn.options_bytes(), tcp.options_bytes());
    let found = Timestamps::find(tcp.options_bytes());
    assert_eq!(found, Ok(Some(syn.timestamps())));
    assert!(tcp.payload().is_empty());
    assert_eq!(syn.header_intact(), ip.checksum_valid());
    let (src, dst) = (ip.src(), ip.dst());
    assert_eq!(syn.segment_intact(), tcp.checksum_valid(&src, &dst));
}

proptest! {
    #[test]
    #[cfg_attr(not(target_pointer_width = "64"), ignore = "not recognised there")]
    fn what_is_written_is_what_the_general_way_writes(repr in syn()) {
        let packet = write(&repr, &[]);
        prop_assert_eq!(&packet, &write_any(&repr, &[]));
        let view = SynView::new(&packet).unwrap();
        prop_assert!(view.header_intact() && view.segment_intact());
        check(&packet, &view);
    }

    #[test]
    fn a_syn_is_read_as_the_general_way_reads_it(
        repr in syn(),
        trailer in 0usize..20,
        changes in prop::collection::vec((0..HEADERS_LEN, any::<u8>()), 0..3),
    ) {
        let mut packet = write(&repr, &[]);
        packet.resize(packet.len() + trailer, 0);
        for (at, byte) in changes {
            packet[at] = byte;
        }
        if let Some(view) = SynView::new(&packet) {
            check(&packet, &view);
        }
    }
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "not recognised there")]
fn what_is_no_usual_syn_is_refused() {
    let packet = write(
        &PlainRepr {
            src: [10, 0, 0, 1],
            dst: [10, 0, 0, 2],
            ttl: 64,
            tos: 0,
            ports: 0x1234_0050,
            seq: 1,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 3,
            options: options(1460, 4, 0, 7),
        },
        &[],
    );
    assert!(SynView::new(&packet).is_some());
    // Version, header length, length, MF, an offset, UDP, data offset, a reserved bit, AE, and each
    // flag, the options' kinds and lengths.
    let mut changes: Vec<(usize, u8)> = [
        (0, 0x65),
        (0, 0x46),
        (3, HEADERS_LEN as u8 + 1),
        (3, HEADERS_LEN as u8 - 1),
        (2, 1),
        (6, 0x60),
        (6, 0x41),
        (7, 0x01),
        (9, 17),
        (32, 0x90),
        (32, 0xb0),
        (32, 0xa2),
        (32, 0xa1),
        (33, 0x00),
    ]
    .into();
    changes.extend([0x01, 0x04, 0x08, 0x20, 0x40, 0x80].map(|flag| (33, 0x02 | flag)));
    changes.extend([40, 41, 44, 45, 46, 47, 56, 57, 58].map(|at| (at, 0x55)));
    for (at, byte) in changes {
        let mut other = packet.clone();
        other[at] = byte;
        assert!(SynView::new(&other).is_none(), "{at}: {byte:#x}");
    }
    for len in 0..HEADERS_LEN {
        assert!(SynView::new(&packet[..len]).is_none());
    }
}
