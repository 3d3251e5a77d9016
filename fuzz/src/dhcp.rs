//! A DHCP client and a DHCP server that are told anything, in frames whose headers are good.

use std::time::Duration;

use arbitrary::{Error, Unstructured};
use netloom_services::dhcp::{
    Client, ConflictCheck, Fallback, LeaseTime, MemoryStore, Pending, Pool, Request, Server,
    ServerConfig, Store,
};
use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack};
use netloom_wire::dhcpv4::{Dhcpv4Repr, Dhcpv4View, Hardware};
use netloom_wire::{
    Addr, EtherType, EthernetRepr, Frame, Ipv4Repr, MacAddr, Sum, UdpRepr, protocol, udp,
};

const IF: IfaceId = IfaceId::FIRST;
const CLIENT: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const SERVER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// One thing that happens.
enum Step<'a> {
    /// A message to the client: a header that answers its last one, these options.
    Reply {
        kind: u8,
        address: [u8; 4],
        near: bool,
        options: &'a [u8],
    },
    /// A message to the server: a header of one of a few clients, these options.
    Question {
        kind: u8,
        who: u8,
        ciaddr: u8,
        options: &'a [u8],
    },
    /// Any bytes to both.
    Bytes(&'a [u8]),
    /// Milliseconds pass.
    Wait(u32),
}

fn next<'a>(input: &mut Unstructured<'a>) -> Result<Step<'a>, Error> {
    if input.is_empty() {
        return Err(Error::NotEnoughData);
    }
    Ok(match input.int_in_range(0..=3)? {
        0 => Step::Reply {
            kind: input.arbitrary()?,
            address: input.arbitrary()?,
            near: input.arbitrary()?,
            options: bytes(input)?,
        },
        1 => Step::Question {
            kind: input.arbitrary()?,
            who: input.arbitrary()?,
            ciaddr: input.arbitrary()?,
            options: bytes(input)?,
        },
        2 => Step::Bytes(bytes(input)?),
        _ => Step::Wait(input.arbitrary()?),
    })
}

fn bytes<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8], Error> {
    let len = usize::from(input.arbitrary::<u8>()?);
    input.bytes(len.min(input.len()))
}

/// Runs a script.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let limits = Limits {
        loopback: 0,
        ..Limits::default()
    };
    let mut one = Stack::with_heap(Config::ethernet(CLIENT), limits, Seed::from([1; 32]));
    let mut client = Client::new(&mut one).expect("a socket is free");
    client.begin(Request {
        conflict_check: ConflictCheck::Quick,
        fallback: Fallback::LinkLocal,
        ..Request::default()
    });
    let config = Config::ethernet(SERVER).address("10.0.0.1/24".parse().expect("it is one"));
    let mut two = Stack::with_heap(config, limits, Seed::from([2; 32]));
    let pools = [Pool {
        network: "10.0.0.0/24".parse().expect("it is one"),
        first: [10, 0, 0, 100].into(),
        last: [10, 0, 0, 103].into(),
        lease_time: LeaseTime::default(),
        options: &[(3, &[10, 0, 0, 1]), (15, b"example.org")],
    }];
    let mut pending = vec![Pending::FREE; 3];
    let config = ServerConfig {
        pools: &pools,
        authoritative: true,
        conflict_check: Duration::from_millis(50),
        ..ServerConfig::default()
    };
    let store = MemoryStore::<8>::new();
    let mut server =
        Server::new(&mut two, IF, config, store, &mut pending, 1000).expect("it makes sense");
    let mut now = Instant::from_secs(1);
    let mut xid = 0;
    while let Ok(step) = next(&mut input) {
        match step {
            Step::Reply {
                kind,
                address,
                near,
                options,
            } => {
                let header = Dhcpv4Repr {
                    request: false,
                    xid,
                    yiaddr: if near { [10, 0, 0, 50] } else { address }.into(),
                    hardware: Hardware::ethernet(CLIENT.0),
                    ..Dhcpv4Repr::request()
                };
                let message = message(&header, kind, options);
                one.receive(
                    now,
                    IF,
                    &datagram(SERVER, [10, 0, 0, 1], 68, &message),
                    &RxMeta::default(),
                );
            }
            Step::Question {
                kind,
                who,
                ciaddr,
                options,
            } => {
                let ciaddr = if ciaddr > 9 {
                    [10, 0, 0, 90 + ciaddr % 20]
                } else {
                    [0; 4]
                };
                let mac = [2, 0, 0, 0, 9, who % 8];
                let header = Dhcpv4Repr {
                    ciaddr: ciaddr.into(),
                    hardware: Hardware::ethernet(mac),
                    broadcast: who & 8 != 0,
                    ..Dhcpv4Repr::request()
                };
                let message = message(&header, kind, options);
                two.receive(
                    now,
                    IF,
                    &datagram(MacAddr(mac), ciaddr, 67, &message),
                    &RxMeta::default(),
                );
            }
            Step::Bytes(bytes) => {
                let bytes = &bytes[..bytes.len().min(1400)];
                one.receive(
                    now,
                    IF,
                    &datagram(SERVER, [10, 0, 0, 1], 68, bytes),
                    &RxMeta::default(),
                );
                two.receive(
                    now,
                    IF,
                    &datagram(CLIENT, [0; 4], 67, bytes),
                    &RxMeta::default(),
                );
            }
            Step::Wait(millis) => now = now.plus_micros(u64::from(millis % 600_000) * 1000),
        }
        settle(
            &mut one,
            now,
            |stack| client.poll(stack).is_some(),
            &mut xid,
        );
        let mut ignored = 0;
        settle(
            &mut two,
            now,
            |stack| server.poll(stack).is_some(),
            &mut ignored,
        );
        for known in one.addresses() {
            if let Some([first, ..]) = known.addr().v4_octets() {
                assert!(first != 0 && first != 127 && first < 224, "{known:?}");
            }
        }
        server.store().for_each(&mut |binding| {
            assert!(
                (100..=103).contains(&binding.address.octets()[3]),
                "{binding:?}"
            );
        });
    }
}

/// Lets a stack and its service come to rest; notes the transaction it last began.
fn settle(
    stack: &mut Stack,
    now: Instant,
    mut poll: impl FnMut(&mut Stack) -> bool,
    xid: &mut u32,
) {
    stack.advance(now);
    for _ in 0..200 {
        let told = (0..1000).take_while(|_| poll(stack)).count();
        assert!(told < 1000, "events without end");
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(now, IF, &mut wire);
        while stack.poll_event().is_some() {}
        for frame in &wire.frames {
            if let Ok(udp) = Frame::new(frame).ethernet().and_then(|e| e.ipv4()?.udp()) {
                let view = Dhcpv4View::new(udp.payload()).expect("what is sent parses");
                *xid = view.xid();
            }
        }
        if wire.frames.is_empty() && stack.next_deadline().is_none_or(|due| due > now) {
            return;
        }
    }
    panic!("it never rests");
}

fn message(header: &Dhcpv4Repr, kind: u8, options: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 1400];
    let writer = header.emit(&mut buffer).expect("the buffer fits");
    let _ = writer.finish();
    let mut message = buffer[..240].to_vec();
    message.extend([53, 1, 1 + kind % 8]);
    message.extend(&options[..options.len().min(1000)]);
    message
}

fn datagram(from: MacAddr, src: [u8; 4], port: u16, message: &[u8]) -> Vec<u8> {
    let (src, dst) = (Addr::v4(src), Addr::V4_BROADCAST);
    let mut frame = vec![0; 14 + 28 + message.len()];
    let repr = EthernetRepr {
        dst: MacAddr::BROADCAST,
        src: from,
        ethertype: EtherType::IPV4,
        vlan: None,
    };
    let packet = repr.emit(&mut frame).expect("it fits");
    let ip = Ipv4Repr::new(src, dst, protocol::UDP, 8 + message.len() as u16);
    let body = ip.emit(packet).expect("it fits");
    let repr = UdpRepr {
        src_port: 135 - port,
        dst_port: port,
        payload_len: message.len() as u16,
    };
    repr.emit(body).expect("it fits").copy_from_slice(message);
    let sum = repr.checksum(&src, &dst, Sum::new().add(message));
    udp::set_checksum(body, sum);
    frame
}
