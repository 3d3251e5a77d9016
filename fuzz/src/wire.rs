//! Every parser of netloom-wire on arbitrary bytes; what parses is emitted and parsed again.

use core::fmt::Write;

use netloom_wire::checksum::copy_and_sum;
use netloom_wire::describe;
use netloom_wire::dhcpv4::{Dhcpv4Repr, Dhcpv4View, code};
use netloom_wire::dns::{DnsView, DnsWriter, Name, NameView, Section};
use netloom_wire::ntp::{NtpRepr, NtpView};
use netloom_wire::{
    Addr, ArpRepr, ArpView, EthernetRepr, EthernetView, Frame, Icmpv4Repr, Icmpv4View, Icmpv6Repr,
    Icmpv6View, IpView, Ipv4Repr, Ipv4View, Ipv6Repr, Ipv6View, NdpView, Quoted, Sum,
    TcpOptionIter, TcpOptions, TcpRepr, TcpView, UdpRepr, UdpView,
};

/// Runs every parser on `data`.
pub fn run(data: &[u8]) {
    frames(data);
    ipv4(data);
    ipv6(data);
    tcp(data);
    udp(data);
    icmpv4(data);
    icmpv6(data);
    arp(data);
    dns(data);
    ntp(data);
    dhcpv4(data);
    checksum(data);
    describe_all(data);
    addresses(data);
}

fn frames(data: &[u8]) {
    if let Ok(view) = EthernetView::new(data) {
        assert!(view.header_len() <= data.len());
        let repr = EthernetRepr::parse(&view);
        let mut buffer = [0; 32];
        repr.emit(&mut buffer).expect("32 bytes are enough");
        let again = EthernetView::new(&buffer).expect("what was emitted parses");
        assert_eq!(EthernetRepr::parse(&again), repr);
        let _ = (view.arp(), view.ipv4(), view.ipv6());
        if let Ok(ip) = view.ip() {
            inner(&ip);
        }
    }
    let _ = Frame::new(data).ipv4();
    let _ = Frame::new(data).ipv6();
    if let Ok(ip) = IpView::new(data) {
        inner(&ip);
    }
}

fn inner(ip: &IpView<'_>) {
    let (src, dst) = (ip.src(), ip.dst());
    assert_eq!(src.is_v4(), dst.is_v4());
    let _ = (ip.hop_limit(), ip.ecn());
    if let Ok(tcp) = ip.tcp() {
        let _ = tcp.checksum_valid(&src, &dst);
    }
    if let Ok(udp) = ip.udp() {
        let _ = udp.checksum_valid(&src, &dst);
    }
}

fn ipv4(data: &[u8]) {
    if let Ok(view) = Ipv4View::quoted(data) {
        let _ = Quoted::ipv4(&view).map(|q| (q.ports(), q.tcp_seq(), q.echo()));
    }
    let Ok(view) = Ipv4View::new(data) else {
        return;
    };
    assert!(view.header_len() >= 20 && view.header_len() <= usize::from(view.total_len()));
    assert!(usize::from(view.total_len()) <= data.len());
    let _ = (view.checksum_valid(), view.tcp(), view.udp(), view.icmpv4());
    let repr = Ipv4Repr::parse(&view);
    let mut buffer = vec![0; 20 + usize::from(repr.payload_len)];
    repr.emit(&mut buffer).expect("the buffer fits");
    let again = Ipv4View::new(&buffer).expect("what was emitted parses");
    assert!(again.checksum_valid());
    assert_eq!(Ipv4Repr::parse(&again), repr);
    for option in view.options() {
        if option.is_err() {
            break;
        }
    }
}

fn ipv6(data: &[u8]) {
    if let Ok(view) = Ipv6View::quoted(data) {
        let _ = Quoted::ipv6(&view).map(|q| (q.ports(), q.tcp_seq(), q.echo()));
    }
    let Ok(view) = Ipv6View::new(data) else {
        return;
    };
    if let Ok(upper) = view.upper() {
        assert!(usize::from(upper.offset) + upper.payload.len() <= data.len());
        assert!(usize::from(upper.protocol_at) < data.len());
        let _ = (upper.is_fragment(), upper.unrecognized());
    }
    if let Ok(icmp) = view.icmpv6() {
        if let Ok(ndp) = NdpView::new(&icmp) {
            let _ = ndp.check(&view.src(), &view.dst(), view.hop_limit());
        }
    }
    let repr = Ipv6Repr::parse(&view);
    let mut buffer = vec![0; 40 + usize::from(repr.payload_len)];
    repr.emit(&mut buffer).expect("the buffer fits");
    let again = Ipv6View::new(&buffer).expect("what was emitted parses");
    assert_eq!(Ipv6Repr::parse(&again), repr);
}

fn tcp(data: &[u8]) {
    options(data);
    let Ok(view) = TcpView::new(data) else {
        return;
    };
    assert!(view.header_len() >= 20 && view.header_len() <= data.len());
    assert_eq!(view.header_len() + view.payload().len(), data.len());
    options(view.options_bytes());
    let Ok(repr) = TcpRepr::parse(&view) else {
        return;
    };
    let mut buffer = [0; 80];
    if repr.options.len() <= 40 {
        repr.emit(&mut buffer).expect("80 bytes are enough");
        let again = TcpView::new(&buffer[..repr.header_len()]).expect("what was emitted parses");
        assert_eq!(TcpRepr::parse(&again), Ok(repr));
    }
}

fn options(bytes: &[u8]) {
    let mut seen = 0;
    for option in TcpOptionIter::new(bytes) {
        seen += 1;
        assert!(seen <= bytes.len(), "an option that takes no bytes");
        if option.is_err() {
            break;
        }
    }
    if let Ok(options) = TcpOptions::parse(bytes) {
        let len = options.len();
        if len <= 40 {
            let mut buffer = vec![0xAA; len];
            options.emit(&mut buffer).expect("the buffer fits");
            assert_eq!(TcpOptions::parse(&buffer), Ok(options));
        }
    }
}

fn udp(data: &[u8]) {
    let Ok(view) = UdpView::new(data) else {
        return;
    };
    let repr = UdpRepr::parse(&view);
    let mut buffer = vec![0; 8 + usize::from(repr.payload_len)];
    repr.emit(&mut buffer).expect("the buffer fits");
    buffer[8..].copy_from_slice(view.payload());
    let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    let sum = repr.checksum(&src, &dst, Sum::new().add(view.payload()));
    netloom_wire::udp::set_checksum(&mut buffer, sum);
    let again = UdpView::new(&buffer).expect("what was emitted parses");
    assert!(again.checksum_valid(&src, &dst));
    assert_eq!(UdpRepr::parse(&again), repr);
}

fn icmpv4(data: &[u8]) {
    let Ok(view) = Icmpv4View::new(data) else {
        return;
    };
    let _ = (
        view.checksum_valid(),
        view.is_error(),
        view.quoted().is_ok(),
    );
    let repr = Icmpv4Repr::parse(&view);
    let bytes = repr.to_vec();
    assert_eq!(bytes.len(), repr.len());
    let again = Icmpv4View::new(&bytes).expect("what was emitted parses");
    assert!(again.checksum_valid());
    assert_eq!(Icmpv4Repr::parse(&again), repr);
    let mut reply = data.to_vec();
    let _ = netloom_wire::icmpv4::reply_in_place(&mut reply);
}

fn icmpv6(data: &[u8]) {
    let Ok(view) = Icmpv6View::new(data) else {
        return;
    };
    let _ = (view.is_error(), view.quoted().is_ok());
    if let Ok(ndp) = NdpView::new(&view) {
        let any = Addr::v6([0; 16]);
        let _ = ndp.check(&any, &any, 255);
    }
    let (src, dst) = (Addr::v6([1; 16]), Addr::v6([2; 16]));
    let repr = Icmpv6Repr::parse(&view);
    let bytes = repr.to_vec(&src, &dst);
    let again = Icmpv6View::new(&bytes).expect("what was emitted parses");
    assert!(again.checksum_valid(&src, &dst));
    assert_eq!(Icmpv6Repr::parse(&again), repr);
    let mut reply = data.to_vec();
    let _ = netloom_wire::icmpv6::reply_in_place(&mut reply);
}

fn arp(data: &[u8]) {
    let Ok(view) = ArpView::new(data) else { return };
    let repr = ArpRepr::parse(&view);
    let mut buffer = [0; 28];
    repr.emit(&mut buffer).expect("28 bytes are enough");
    let again = ArpView::new(&buffer).expect("what was emitted parses");
    assert_eq!(ArpRepr::parse(&again), repr);
}

fn dns(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        if let Ok(name) = text.parse::<Name>() {
            let again = name
                .to_string()
                .parse::<Name>()
                .expect("what is shown is a name");
            assert!(again.view().is_identical(&name.view()));
        }
    }
    if let Ok((name, end)) = NameView::parse(data, 0) {
        assert!(end <= data.len() && name.len() <= 255);
        assert_eq!(name, name.to_name());
    }
    let _ = DnsView::of_beginning(data).map(|view| view.answers().count());
    let Ok(view) = DnsView::new(data) else { return };
    let mut buffer = vec![0; 65_535];
    let mut writer = DnsWriter::new(&mut buffer, view.header()).expect("the header fits");
    if let Some(question) = view.question() {
        writer.question(&question).expect("a question fits");
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    let mut fits = !view.is_cut();
    for section in sections {
        for record in view.records(section) {
            let _ = record.data.to_string();
            // Without its compression a hostile message can be too long.
            fits &= writer.record(section, &record).is_ok();
        }
    }
    if fits {
        let again = DnsView::new(writer.as_octets()).expect("what was emitted parses");
        for section in sections {
            assert!(again.records(section).eq(view.records(section)));
        }
    }
}

fn ntp(data: &[u8]) {
    let Ok(view) = NtpView::new(data) else { return };
    let repr = NtpRepr::parse(&view);
    let mut buffer = [0; 48];
    repr.emit(&mut buffer).expect("48 bytes are enough");
    assert_eq!(buffer, data[..48]);
    let _ = repr.transmit.nanos_since(repr.receive);
}

/// As it is, and as the options behind a header of each kind.
fn dhcpv4(data: &[u8]) {
    dhcpv4_message(data);
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[2, 1, 6, 0]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    let (fields, options) = data.split_at(data.len().min(192));
    if !options.is_empty() {
        message[44..44 + fields.len()].copy_from_slice(fields);
        message.extend([52, 1, 1 + options[0] % 3]);
        message.extend(options);
        dhcpv4_message(&message);
    }
    message.truncate(240);
    message.extend(data);
    dhcpv4_message(&message);
}

fn dhcpv4_message(data: &[u8]) {
    let Ok(view) = Dhcpv4View::new(data) else {
        return;
    };
    let repr = Dhcpv4Repr::parse(&view);
    let mut buffer = vec![0; data.len() + 300];
    let mut writer = repr.emit(&mut buffer).expect("the buffer fits");
    let mut kept = Vec::new();
    let mut total = 0;
    for (code, piece) in view.options() {
        total += 2 + piece.len();
        let value = view.option(code).expect("there is a piece of it");
        let _ = (value.u8(), value.u16(), value.u32(), value.addr());
        let routes = value.classless_routes().count();
        assert!(value.addrs().count() + routes <= value.len());
        if let Some(name) = value.fqdn() {
            let _ = name.text(&mut [0; 255]);
        }
        let bytes: Vec<u8> = value.collect();
        if code != code::OVERLOAD
            && kept.iter().all(|(known, _)| *known != code)
            && writer.put_if_room(code, &bytes)
        {
            kept.push((code, bytes));
        }
    }
    assert!(total <= data.len(), "options that take no bytes");
    let len = writer.finish().expect("only what fits was put");
    let again = Dhcpv4View::new(&buffer[..len]).expect("what was emitted parses");
    assert_eq!(Dhcpv4Repr::parse(&again).xid, repr.xid);
    for (code, bytes) in kept {
        assert!(again.option(code).is_some_and(|value| value.eq(bytes)));
    }
}

/// Copying and summing agree with summing, however the bytes are cut; both agree with RFC 1071.
fn checksum(data: &[u8]) {
    let whole = Sum::new().add(data);
    let mut copy = vec![0; data.len()];
    assert_eq!(copy_and_sum(&mut copy, data, Sum::new()), whole);
    assert_eq!(copy, data);
    let cut = data.first().map_or(0, |n| usize::from(*n) % data.len());
    let (a, b) = data.split_at(cut);
    assert_eq!(Sum::new().add(a).add(b), whole);
    let (x, y) = copy.split_at_mut(cut);
    assert_eq!(copy_and_sum(y, b, copy_and_sum(x, a, Sum::new())), whole);
    let mut plain = 0u64;
    for word in data.chunks(2) {
        plain += u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0));
    }
    while plain > 0xffff {
        plain = (plain & 0xffff) + (plain >> 16);
    }
    assert_eq!(whole.finish(), !(plain as u16));
}

/// Counts what is written instead of keeping it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        self.0 += s.len();
        Ok(())
    }
}

fn describe_all(data: &[u8]) {
    let mut out = Length(0);
    let done = write!(
        out,
        "{0}{0:#}{1}",
        describe::Ethernet(data),
        describe::Ip(data)
    );
    assert!(done.is_ok());
    assert!(out.0 > 0, "nothing to say");
    assert!(out.0 < 4096 + 16 * data.len(), "too much to say");
}

fn addresses(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(addr) = text.parse::<Addr>() {
        assert_eq!(addr.to_string().parse(), Ok(addr));
    }
    if let Ok(cidr) = text.parse::<netloom_wire::Cidr>() {
        assert_eq!(cidr.to_string().parse(), Ok(cidr));
        assert!(cidr.contains(&cidr.network()));
    }
}
