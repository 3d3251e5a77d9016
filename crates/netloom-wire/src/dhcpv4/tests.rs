//! Messages there and back, options wherever they stand, and everything that can be wrong.

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A message with these bytes as options, file and sname.
fn raw(options: &[u8], file: &[u8], sname: &[u8]) -> Vec<u8> {
    let mut message = vec![0; HEADER_LEN];
    message[0..4].copy_from_slice(&[2, 1, 6, 0]);
    message[FILE..FILE + file.len()].copy_from_slice(file);
    message[SNAME..SNAME + sname.len()].copy_from_slice(sname);
    message.extend(MAGIC);
    message.extend(options);
    message
}

fn bytes(view: &Dhcpv4View<'_>, code: u8) -> Option<Vec<u8>> {
    view.option(code).map(Iterator::collect)
}

fn header() -> Dhcpv4Repr {
    Dhcpv4Repr {
        request: false,
        hops: 3,
        xid: 0x0102_0304,
        secs: 5,
        broadcast: true,
        ciaddr: [1, 2, 3, 4].into(),
        yiaddr: [5, 6, 7, 8].into(),
        siaddr: [9, 10, 11, 12].into(),
        giaddr: [13, 14, 15, 16].into(),
        hardware: Hardware::ethernet(MAC),
    }
}

#[test]
fn a_header_round_trips_byte_by_byte() {
    let mut buffer = [0xee; 576];
    let len = header().emit(&mut buffer).unwrap().finish().unwrap();
    assert_eq!(len, PADDED_LEN);
    let message = &buffer[..len];
    assert_eq!(message[..12], [2, 1, 6, 3, 1, 2, 3, 4, 0, 5, 0x80, 0]);
    assert_eq!(message[12..28], (1..=16).collect::<Vec<u8>>()[..]);
    assert_eq!(message[28..34], MAC);
    assert!(message[34..HEADER_LEN].iter().all(|b| *b == 0));
    assert_eq!(message[HEADER_LEN..MIN_LEN], [99, 130, 83, 99]);
    assert_eq!(message[MIN_LEN], code::END);
    assert!(message[MIN_LEN + 1..].iter().all(|b| *b == 0));
    let view = Dhcpv4View::new(message).unwrap();
    assert_eq!(Dhcpv4Repr::parse(&view), header());
    assert_eq!(view.options().count(), 0);
    assert_eq!((view.op(), view.hops()), (Op::Reply, 3));
    assert_eq!(view.hardware().mac(), Some(crate::MacAddr(MAC)));
    assert_eq!(std::format!("{:?}", view.hardware()), "1/02:00:00:00:00:01");
}

#[test]
fn a_reply_takes_over_what_table_3_says() {
    let mut buffer = [0; 576];
    let len = header().emit(&mut buffer).unwrap().finish().unwrap();
    let view = Dhcpv4View::new(&buffer[..len]).unwrap();
    let reply = Dhcpv4Repr::reply_to(&view);
    let expected = Dhcpv4Repr {
        request: false,
        xid: header().xid,
        broadcast: true,
        giaddr: header().giaddr,
        hardware: header().hardware,
        ..Dhcpv4Repr::request()
    };
    assert_eq!(reply, expected);
}

#[test]
fn message_types_have_their_numbers() {
    for number in 0..=255 {
        assert_eq!(u8::from(MessageType::from(number)), number);
    }
    let named = [
        MessageType::Discover,
        MessageType::Offer,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Ack,
        MessageType::Nak,
        MessageType::Release,
        MessageType::Inform,
    ];
    for (number, kind) in (1..).zip(named) {
        assert_eq!(MessageType::from(number), kind);
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let good = raw(&[53, 1, 5, 255], &[], &[]);
    assert!(Dhcpv4View::new(&good).is_ok());
    for len in 0..MIN_LEN {
        assert_eq!(
            Dhcpv4View::new(&good[..len]).err(),
            Some(WireError::Truncated)
        );
    }
    let mut bootp = good.clone();
    bootp[HEADER_LEN] = 0;
    assert_eq!(Dhcpv4View::new(&bootp).err(), Some(WireError::BadProtocol));
    let mut long = good.clone();
    long[2] = 17;
    assert_eq!(
        Dhcpv4View::new(&long).err(),
        Some(WireError::BadHeaderLength)
    );
    long[2] = 16;
    assert_eq!(
        Dhcpv4View::new(&long).unwrap().hardware().as_bytes().len(),
        16
    );
}

#[test]
fn bytes_beyond_the_hardware_address_are_not_part_of_it() {
    let mut message = raw(&[255], &[], &[]);
    message[28..44].fill(0xaa);
    let hardware = Dhcpv4View::new(&message).unwrap().hardware();
    assert_eq!(hardware, Hardware::ethernet([0xaa; 6]));
}

#[test]
fn pads_are_passed_over_and_the_end_ends() {
    let message = raw(&[0, 0, 53, 1, 2, 0, 255, 12, 1, 65], &[], &[]);
    let view = Dhcpv4View::new(&message).unwrap();
    assert_eq!(view.options().collect::<Vec<_>>(), [(53, &[2][..])]);
    assert_eq!(view.message_type(), Some(MessageType::Offer));
    assert!(view.option(12).is_none());
}

/// Options that run over their field: class 19 of the attacks.
#[test]
fn class_19_an_option_that_does_not_fit_is_refused_wherever_it_stands() {
    let refused: [(&[u8], &[u8], &[u8]); 7] = [
        (&[53, 2, 5], &[], &[]),
        (&[53], &[], &[]),
        (&[53, 255, 1, 2, 3], &[], &[]),
        (&[53, 1, 5, 12, 5, 65], &[], &[]),
        (&[52, 1, 1, 255], &[0, 12, 126], &[]),
        (&[52, 1, 2, 255], &[], &[12, 63]),
        (&[52, 1, 3, 255], &[255], &[12, 200]),
    ];
    for (options, file, sname) in refused {
        let message = raw(options, file, sname);
        let view = Dhcpv4View::new(&message);
        assert_eq!(
            view.err(),
            Some(WireError::BadOption),
            "{options:?} {file:?} {sname:?}"
        );
    }
}

/// S18: walking the options of a message whose last one is cut panicked.
#[test]
fn s18_options_that_end_early_are_refused_not_read_beyond() {
    for options in [
        &[12][..],
        &[12, 1],
        &[12, 2, 65],
        &[53, 1, 1, 61, 7, 1, 2, 3],
    ] {
        let message = raw(options, &[], &[]);
        let view = Dhcpv4View::new(&message);
        assert_eq!(view.err(), Some(WireError::BadOption), "{options:?}");
    }
}

/// The shapes lwIP tests as `test_dhcp_invalid_overload`, and more.
#[test]
fn class_19_an_overload_that_makes_no_sense_is_refused() {
    for value in [0, 4, 5, 255] {
        let message = raw(&[52, 1, value, 255], &[255], &[255]);
        assert_eq!(Dhcpv4View::new(&message).err(), Some(WireError::BadOption));
    }
    for options in [
        &[52, 0, 255][..],
        &[52, 2, 1, 1, 255],
        &[52, 1, 1, 52, 1, 2, 255],
    ] {
        let message = raw(options, &[255], &[255]);
        assert_eq!(Dhcpv4View::new(&message).err(), Some(WireError::BadOption));
    }
    // A field that holds options cannot say that another does.
    let message = raw(&[52, 1, 1, 255], &[52, 1, 3, 255], &[12, 1, 65, 255]);
    let view = Dhcpv4View::new(&message);
    assert!(view.is_ok_and(|view| view.option(12).is_none()));
}

#[test]
fn class_19_a_missing_end_is_the_end_of_the_field() {
    let view = raw(&[53, 1, 5], &[], &[]);
    let view = Dhcpv4View::new(&view).unwrap();
    assert_eq!(view.message_type(), Some(MessageType::Ack));
    let mut file = [0; FILE_LEN];
    file[..3].copy_from_slice(&[12, 1, 65]);
    let message = raw(&[52, 1, 1], &file, &[]);
    let view = Dhcpv4View::new(&message).unwrap();
    assert_eq!(bytes(&view, 12), Some(vec![65]));
}

#[test]
fn options_go_on_in_file_and_sname_as_the_overload_says() {
    for (overload, expected) in [(1, "file"), (2, "sname"), (3, "filesname")] {
        let file = [&[12, 4][..], b"file", &[255]].concat();
        let sname = [&[12, 5][..], b"sname", &[255]].concat();
        let message = raw(&[52, 1, overload, 255], &file, &sname);
        let view = Dhcpv4View::new(&message).unwrap();
        assert_eq!(bytes(&view, 12).unwrap(), expected.as_bytes());
        assert_eq!(view.file().is_empty(), overload & 1 != 0);
        assert_eq!(view.sname().is_empty(), overload & 2 != 0);
    }
}

#[test]
fn without_overload_file_and_sname_are_texts() {
    let message = raw(&[255], b"boot\0rest", &[b's'; 64]);
    let view = Dhcpv4View::new(&message).unwrap();
    assert_eq!((view.file(), view.sname()), (&b"boot"[..], &[b's'; 64][..]));
}

//= https://www.rfc-editor.org/rfc/rfc3396#section-5
//= type=test
//# The aggregate option buffer is made up of the optional parameters
//# field, the file field, and the sname field, in that order.
#[test]
fn a_split_option_is_put_together_across_fields() {
    let message = raw(
        &[3, 2, 10, 0, 52, 1, 3, 6, 1, 9, 3, 1, 0, 255],
        &[3, 1, 1, 255],
        &[3, 4, 10, 0, 0, 2, 255],
    );
    let view = Dhcpv4View::new(&message).unwrap();
    let routers = view.option(code::ROUTER).unwrap();
    assert_eq!(routers.len(), 8);
    let addrs: Vec<_> = routers.addrs().collect();
    assert_eq!(
        addrs,
        [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]
    );
    let mut buffer = [0; 7];
    assert!(routers.copy_to(&mut buffer).is_none());
    let mut buffer = [0; 9];
    assert_eq!(
        routers.copy_to(&mut buffer).unwrap(),
        [10, 0, 0, 1, 10, 0, 0, 2]
    );
    assert!(routers.is(&[10, 0, 0, 1, 10, 0, 0, 2]));
    assert!(!routers.is(&[10, 0, 0, 1]));
}

#[test]
fn values_of_another_length_are_none() {
    let message = raw(
        &[
            51, 3, 0, 0, 1, 26, 2, 5, 220, 3, 5, 1, 2, 3, 4, 5, 12, 0, 255,
        ],
        &[],
        &[],
    );
    let view = Dhcpv4View::new(&message).unwrap();
    assert_eq!(view.option(51).unwrap().u32(), None);
    assert_eq!(view.option(26).unwrap().u16(), Some(1500));
    assert_eq!(view.option(26).unwrap().u8(), None);
    assert_eq!(view.option(3).unwrap().addrs().count(), 0);
    assert_eq!(view.option(3).unwrap().addr(), None);
    assert!(view.option(12).unwrap().is_empty());
    assert_eq!(view.server_identifier(), None);
}

//= https://www.rfc-editor.org/rfc/rfc3442
//= type=test
//# After deriving a subnet number and subnet mask from each destination
//# descriptor, the DHCP client MUST zero any bits in the subnet number
//# where the corresponding bit in the mask is zero.
#[test]
fn classless_routes_are_those_of_rfc_3442() {
    // The examples of the RFC, with a router behind each.
    let examples: [(&[u8], &str); 6] = [
        (&[0], "0.0.0.0/0"),
        (&[8, 10], "10.0.0.0/8"),
        (&[24, 10, 0, 0], "10.0.0.0/24"),
        (&[16, 10, 17], "10.17.0.0/16"),
        (&[25, 10, 229, 0, 128], "10.229.0.128/25"),
        (&[32, 10, 198, 122, 47], "10.198.122.47/32"),
    ];
    let mut option = Vec::new();
    for (descriptor, _) in examples {
        option.extend(descriptor);
        option.extend([192, 0, 2, 1]);
    }
    // Bits behind the mask are zeroed.
    option.extend([9, 10, 0xff, 0, 0, 0, 0]);
    let mut options = vec![121, option.len() as u8];
    options.extend(&option);
    let message = raw(&options, &[], &[]);
    let view = Dhcpv4View::new(&message).unwrap();
    let routes: Vec<_> = view.option(121).unwrap().classless_routes().collect();
    for (route, (_, text)) in routes.iter().zip(examples) {
        assert_eq!(route.dst, text.parse().unwrap());
        assert_eq!(route.router, Ipv4Addr::new(192, 0, 2, 1));
    }
    assert_eq!(routes[6].dst, "10.128.0.0/9".parse().unwrap());
    assert!(routes[6].router.is_unspecified());
    assert_eq!(routes.len(), 7);
    let mut again = [0; 255];
    let mut at = 0;
    for route in &routes {
        at = route.emit(&mut again, at).unwrap();
    }
    option[at - 5] = 0x80;
    assert_eq!(again[..at], option);
}

#[test]
fn routes_end_where_they_stop_making_sense() {
    for bad in [
        &[33, 1, 2, 3, 4, 5, 6, 7, 8, 9][..],
        &[24, 10, 0],
        &[8, 10, 192, 0, 2],
    ] {
        let mut options = vec![121, 6 + bad.len() as u8, 8, 10, 192, 0, 2, 1];
        options.extend(bad);
        let message = raw(&options, &[], &[]);
        let view = Dhcpv4View::new(&message).unwrap();
        let routes = view.option(121).unwrap().classless_routes();
        assert_eq!(routes.count(), 1, "{bad:?}");
    }
}

#[test]
fn a_full_name_round_trips() {
    let mut buffer = [0; 576];
    for (name, wire, text) in [
        (
            "loom.example.org",
            &b"\x04loom\x07example\x03org\0"[..],
            "loom.example.org",
        ),
        ("loom.", b"\x04loom\0", "loom"),
        ("loom", b"\x04loom", "loom"),
    ] {
        let mut writer = Dhcpv4Repr::request().emit(&mut buffer).unwrap();
        assert!(writer.put_fqdn(Fqdn::SERVER, name));
        let len = writer.finish().unwrap();
        let view = Dhcpv4View::new(&buffer[..len]).unwrap();
        let fqdn = view.option(code::CLIENT_FQDN).unwrap().fqdn().unwrap();
        assert_eq!(fqdn.flags, Fqdn::SERVER | Fqdn::ENCODED);
        assert!(fqdn.name.is(wire), "{name}");
        let mut place = [0; 64];
        assert_eq!(fqdn.text(&mut place), Some(text));
        assert_eq!(fqdn.text(&mut [0; 3]), None);
    }
    let long = "a".repeat(64);
    let many = ["a"; 128].join(".");
    for wrong in ["", ".", "a..b", ".a", &long, &many] {
        let mut writer = Dhcpv4Repr::request().emit(&mut buffer).unwrap();
        assert!(!writer.put_fqdn(0, wrong), "{wrong}");
    }
}

/// Class 18 for the name in a DHCP option: lengths that lie, pointers, bytes that are no text.
#[test]
fn class_18_a_full_name_that_makes_no_sense_is_none() {
    for name in [&[5, b'a'][..], &[0xc0, 0], &[64, b'a'], &[1, 0xff]] {
        let mut options = vec![81, 3 + name.len() as u8, 4, 0, 0];
        options.extend(name);
        let message = raw(&options, &[], &[]);
        let view = Dhcpv4View::new(&message).unwrap();
        let fqdn = view.option(81).unwrap().fqdn().unwrap();
        assert_eq!(fqdn.text(&mut [0; 64]), None, "{name:?}");
    }
    let message = raw(&[81, 2, 4, 0], &[], &[]);
    let view = Dhcpv4View::new(&message).unwrap();
    assert!(view.option(81).unwrap().fqdn().is_none());
    // The obsolete form is plain text.
    let message = raw(&[81, 6, 0, 0, 0, b'a', b'.', b'b'], &[], &[]);
    let view = Dhcpv4View::new(&message).unwrap();
    let fqdn = view.option(81).unwrap().fqdn().unwrap();
    assert_eq!(fqdn.text(&mut [0; 8]), Some("a.b"));
}

#[test]
fn a_message_that_grows_too_long_goes_on_in_its_header() {
    // 300 bytes: room for 60 - 4 of options, then file, then sname.
    let mut buffer = [0xee; PADDED_LEN];
    let mut writer = header().emit(&mut buffer).unwrap();
    let datas: Vec<(u8, Vec<u8>)> = [(1, 50), (2, 100), (3, 20), (4, 40), (5, 2)]
        .iter()
        .map(|&(code, len)| (code, vec![code; len]))
        .collect();
    for (code, data) in &datas {
        writer.put(*code, data);
    }
    assert!(!writer.put_if_room(9, &[9; 30]));
    let len = writer.finish().unwrap();
    assert_eq!(len, PADDED_LEN);
    let view = Dhcpv4View::new(&buffer[..len]).unwrap();
    assert_eq!(bytes(&view, code::OVERLOAD), Some(vec![3]));
    for (code, data) in datas {
        assert_eq!(bytes(&view, code), Some(data));
    }
    assert_eq!(Dhcpv4Repr::parse(&view), header());
}

#[test]
fn what_finds_no_room_is_told_and_leaves_no_trace() {
    let mut buffer = [0xee; PADDED_LEN];
    let mut writer = header().emit(&mut buffer).unwrap();
    // Its first piece finds no room; nor would 200 and 60 bytes that fit one by one.
    assert!(!writer.put_if_room(9, &[9; 260]));
    writer.put(1, &[1; 4]);
    let len = writer.finish().unwrap();
    let view = Dhcpv4View::new(&buffer[..len]).unwrap();
    assert_eq!((view.file(), view.sname()), (&[][..], &[][..]));
    assert_eq!(view.options().count(), 1);
    let mut writer = header().emit(&mut buffer).unwrap();
    writer.put(9, &[9; 260]);
    assert_eq!(writer.finish(), Err(WireError::BufferTooSmall));
    let emitted = header().emit(&mut buffer[..PADDED_LEN - 1]);
    assert_eq!(emitted.err(), Some(WireError::BufferTooSmall));
}

//= https://www.rfc-editor.org/rfc/rfc3396#section-6
//= type=test
//# split portions of the option MUST be stored in the aggregate option
//# buffer in sequential order
#[test]
fn a_long_option_is_split_in_order() {
    let mut buffer = [0; 1400];
    let data: Vec<u8> = (0..700u16).map(|n| n as u8).collect();
    let mut writer = header().emit(&mut buffer).unwrap();
    writer.put(121, &data);
    let len = writer.finish().unwrap();
    let view = Dhcpv4View::new(&buffer[..len]).unwrap();
    let pieces: Vec<usize> = view.options().map(|(_, data)| data.len()).collect();
    assert_eq!(pieces, [255, 255, 190]);
    assert_eq!(bytes(&view, 121), Some(data));
}

fn options() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let code = (1u8..=254).prop_filter("it has a meaning of its own", |c| *c != code::OVERLOAD);
    let data = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..24),
        1 => prop::collection::vec(any::<u8>(), 200..600),
    ];
    prop::collection::vec((code, data), 0..16).prop_map(|mut options| {
        options.sort();
        options.dedup_by_key(|(code, _)| *code);
        options
    })
}

proptest! {
    #[test]
    fn options_round_trip_whatever_the_room(options in options(), room in PADDED_LEN..1500) {
        let mut buffer = vec![0xee; room];
        let mut writer = header().emit(&mut buffer).unwrap();
        let kept: Vec<_> = options
            .into_iter()
            .filter(|(code, data)| writer.put_if_room(*code, data))
            .collect();
        let len = writer.finish().unwrap();
        let view = Dhcpv4View::new(&buffer[..len]).unwrap();
        prop_assert_eq!(Dhcpv4Repr::parse(&view), header());
        for (code, data) in kept {
            prop_assert_eq!(bytes(&view, code), Some(data));
        }
    }

    /// Cut anywhere, a message is refused or says less, but nothing else.
    #[test]
    fn every_truncation_says_nothing_new(options in options(), room in PADDED_LEN..900) {
        let mut buffer = vec![0; room];
        let mut writer = header().emit(&mut buffer).unwrap();
        for (code, data) in options {
            writer.put_if_room(code, &data);
        }
        let len = writer.finish().unwrap();
        let whole = Dhcpv4View::new(&buffer[..len]).unwrap();
        for cut in 0..len {
            let Ok(view) = Dhcpv4View::new(&buffer[..cut]) else { continue };
            for (code, _) in view.options() {
                let (part, all) = (bytes(&view, code).unwrap(), bytes(&whole, code).unwrap());
                // The pieces of an option that stand in the header may have lost those before.
                prop_assert!(all.starts_with(&part) || all.ends_with(&part)
                    || all.len() > part.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..900), magic: bool) {
        let mut message = bytes;
        if magic && message.len() >= MIN_LEN {
            message[2] %= 20;
            message[HEADER_LEN..MIN_LEN].copy_from_slice(&MAGIC);
        }
        if let Ok(view) = Dhcpv4View::new(&message) {
            let mut total = 0;
            for (code, data) in view.options() {
                total += 2 + data.len();
                let value = view.option(code).unwrap();
                let _ = (value.addrs().count(), value.classless_routes().count());
                if let Some(fqdn) = value.fqdn() {
                    let mut text = [0; 64];
                    let _ = fqdn.text(&mut text).map(String::from);
                }
            }
            prop_assert!(total <= message.len());
        }
    }
}
