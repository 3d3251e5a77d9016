use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use super::{HEADERS_LEN, Options, PlainRepr, PlainView, put_checksum};
use crate::checksum::copy_and_sum;
use crate::{
    Addr, Ipv4Repr, Ipv4View, TcpFlags, TcpHeader, TcpOptionWords, TcpView, Timestamps, protocol,
    tcp,
};

fn flags() -> impl Strategy<Value = TcpFlags> {
    (any::<bool>(), any::<bool>()).prop_map(|(push, fin)| {
        let push = if push { TcpFlags::PSH } else { TcpFlags::NONE };
        let fin = if fin { TcpFlags::FIN } else { TcpFlags::NONE };
        TcpFlags::ACK | push | fin
    })
}

fn plain() -> impl Strategy<Value = (PlainRepr<Timestamps>, Vec<u8>)> {
    (
        (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u8>(), any::<u8>()),
        (any::<u32>(), any::<u32>(), any::<u32>(), flags()),
        (any::<u16>(), any::<u32>(), any::<u32>()),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::collection::vec(any::<u8>(), 0..1500),
            (0usize..1500).prop_map(|len| vec![0xff; len]),
        ],
    )
        .prop_map(
            |((src, dst, ttl, tos), (ports, seq, ack, flags), (window, value, echo), payload)| {
                let repr = PlainRepr {
                    src,
                    dst,
                    ttl,
                    tos,
                    ports,
                    seq,
                    ack,
                    flags,
                    window,
                    options: Timestamps { value, echo },
                };
                (repr, payload)
            },
        )
}

pub(super) fn write<O: Options>(repr: &PlainRepr<O>, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xaa; PlainRepr::<O>::LEN + payload.len()];
    let (headers, sum, body) = repr.emit(payload.len() as u16, &mut packet).unwrap();
    put_checksum(headers, copy_and_sum(body, payload, sum));
    packet
}

/// The same packet by the way that takes everything.
pub(super) fn write_any<O: Options>(repr: &PlainRepr<O>, payload: &[u8]) -> Vec<u8> {
    let len = PlainRepr::<O>::LEN;
    let mut packet = vec![0; len + payload.len()];
    let (src, dst) = (Addr::v4(repr.src), Addr::v4(repr.dst));
    let segment_len = (len - 20 + payload.len()) as u16;
    let mut ip = Ipv4Repr::new(src, dst, protocol::TCP, segment_len);
    (ip.ttl, ip.tos) = (repr.ttl, repr.tos);
    let segment = ip.emit(&mut packet).unwrap();
    let mut options = TcpOptionWords::new();
    for word in repr.options.words() {
        options.push(word);
    }
    let header = TcpHeader {
        src_port: (repr.ports >> 16) as u16,
        dst_port: repr.ports as u16,
        seq: repr.seq,
        ack: repr.ack,
        flags: repr.flags,
        window: repr.window,
        urgent: 0,
    };
    header.emit(&options, segment).unwrap();
    let (head, body) = segment.split_at_mut(len - 20);
    let sum = copy_and_sum(body, payload, crate::Sum::new());
    let checksum = tcp::checksum(&src, &dst, head, payload.len(), sum);
    tcp::set_checksum(head, checksum);
    packet
}

/// What [`PlainView`] says is what the views say that take everything.
fn check(packet: &[u8], plain: &PlainView<'_>) {
    let ip = Ipv4View::new(packet).unwrap();
    let tcp = ip.tcp().unwrap();
    assert_eq!((plain.src(), plain.dst()), (ip.src(), ip.dst()));
    assert_eq!(plain.ecn(), ip.ecn());
    let ports = u32::from(tcp.dst_port()) << 16 | u32::from(tcp.src_port());
    assert_eq!(plain.ports(), ports);
    assert_eq!((plain.seq(), plain.ack()), (tcp.seq(), tcp.ack()));
    assert_eq!(plain.flags(), tcp.flags());
    assert_eq!(plain.window(), tcp.window());
    assert_eq!(plain.urgent(), tcp.urgent());
    assert_eq!(plain.options_bytes(), tcp.options_bytes());
    let found = Timestamps::find(tcp.options_bytes());
    assert_eq!(found, Ok(Some(plain.timestamps())));
    assert_eq!(plain.payload(), tcp.payload());
    assert_eq!(plain.header_intact(), ip.checksum_valid());
    assert_eq!(
        plain.segment_intact(),
        tcp.checksum_valid(&ip.src(), &ip.dst())
    );
}

proptest! {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# In IPv4, a probe packet MUST be sent with the Don't
    //# Fragment (DF) bit set in the IP header and without network layer
    //# endpoint fragmentation.
    #[test]
    fn what_is_written_is_what_the_general_way_writes((repr, payload) in plain()) {
        let packet = write(&repr, &payload);
        prop_assert_eq!(&packet, &write_any(&repr, &payload));
        let view = PlainView::new(&packet).unwrap();
        prop_assert!(view.header_intact() && view.segment_intact());
        check(&packet, &view);
    }

    #[test]
    fn a_plain_segment_is_read_as_the_general_way_reads_it(
        (repr, payload) in plain(),
        trailer in 0usize..20,
        changes in prop::collection::vec((0..HEADERS_LEN, any::<u8>()), 0..3),
    ) {
        let mut packet = write(&repr, &payload);
        packet.resize(packet.len() + trailer, 0);
        for (at, byte) in changes {
            packet[at] = byte;
        }
        if let Some(view) = PlainView::new(&packet) {
            check(&packet, &view);
        }
    }
}

#[test]
fn what_is_not_plain_is_refused() {
    let repr = PlainRepr {
        src: [10, 0, 0, 1],
        dst: [10, 0, 0, 2],
        ttl: 64,
        tos: 0,
        ports: 0x1234_0050,
        seq: 1,
        ack: 2,
        flags: TcpFlags::ACK | TcpFlags::PSH,
        window: 3,
        options: Timestamps { value: 4, echo: 5 },
    };
    let packet = write(&repr, b"text");
    assert!(PlainView::new(&packet).is_some());
    // Version, header length, length beyond the packet and below the headers, MF, an offset, UDP,
    // data offset, a reserved bit, AE, and each flag, the options' kinds.
    let flags = [0x02, 0x04, 0x20, 0x40, 0x80];
    let mut changes = vec![
        (0, 0x65),
        (0, 0x46),
        (3, packet.len() as u8 + 1),
        (3, HEADERS_LEN as u8 - 1),
        (6, 0x60),
        (6, 0x41),
        (7, 0x01),
        (9, 17),
        (32, 0x70),
        (32, 0x90),
        (32, 0x82),
        (32, 0x81),
        (33, 0x08),
        (40, 2),
        (41, 4),
        (42, 5),
        (43, 9),
    ];
    changes.extend(flags.map(|flag| (33, 0x18 | flag)));
    for (at, byte) in changes {
        let mut other = packet.clone();
        other[at] = byte;
        assert!(PlainView::new(&other).is_none(), "{at}: {byte:#x}");
    }
    for len in 0..HEADERS_LEN {
        assert!(PlainView::new(&packet[..len]).is_none());
        assert!(repr.emit(0, &mut packet.clone()[..len]).is_none());
    }
    // DF says nothing of this packet, and PSH is as good as none; FIN is passed on.
    for flags in [0x10, 0x11, 0x19] {
        let mut other = packet.clone();
        (other[6], other[33]) = (0, flags);
        let view = PlainView::new(&other).unwrap();
        assert_eq!(view.flags(), TcpFlags(flags.into()));
        assert!(TcpView::new(&other[20..]).is_ok());
    }
}
