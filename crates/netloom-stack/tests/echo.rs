//! Echo sockets: requests sent, replies and errors received.
#![cfg(all(feature = "echo", feature = "tcp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6"))]
mod common;

use common::Profile;
use common::trace::{Net, addr, every, every_ethernet, icmp_packet};
use netloom_stack::icmp::{EchoError, EchoReply, EchoRequest};
use netloom_stack::{DropReason, EchoHandle, Error, Event};

/// Sends a request to the peer; returns the ICMP message that left, type to data.
fn send(net: &mut Net, echo: EchoHandle, sequence: u16, data: &[u8]) -> Vec<u8> {
    let request = EchoRequest::new(net.peer.into(), sequence);
    net.stack.echo_send(echo, &request, data).unwrap();
    net.pump();
    let sent = net.icmp();
    assert_eq!((sent.kind, sent.code), (net.pick(8, 128), 0));
    assert_eq!((sent.ip.src, sent.ip.dst), (net.us, net.peer));
    let mut message = vec![sent.kind, sent.code, 0, 0];
    message.extend(sent.rest);
    message.extend(sent.body);
    message
}

/// The peer answers a request that [`send`] returned.
fn answer(net: &mut Net, request: &[u8]) {
    let (kind, peer) = (net.pick(0, 129), net.peer);
    let rest = request[4..8].try_into().unwrap();
    net.send_icmp(peer, kind, 0, rest, &request[8..]);
}

fn is_readable(net: &mut Net, echo: EchoHandle) -> bool {
    match net.stack.poll_event() {
        Some(Event::Echo(handle, readiness)) => handle == echo && readiness.readable,
        Some(other) => panic!("{other:?}"),
        None => false,
    }
}

fn recv(net: &mut Net, echo: EchoHandle) -> (EchoReply, Vec<u8>) {
    let mut data = vec![0; 65_536];
    let reply = net.stack.echo_recv(echo, &mut data).unwrap();
    data.truncate(reply.len);
    (reply, data)
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
//= type=test
//# Echo Reply messages MUST be passed to the ICMP user interface,
//# unless the corresponding Echo Request originated in the IP
//# layer.

//= https://www.rfc-editor.org/rfc/rfc4443#section-4.2
//= type=test
//# Echo Reply messages MUST be passed to the process that originated an
//# Echo Request message.
#[test]
fn a_reply_comes_to_the_socket_that_asked() {
    every(|mut net| {
        let [first, second] = [0; 2].map(|_| net.stack.echo_open().unwrap());
        let identifier = net.stack.echo_identifier(second).unwrap();
        assert_ne!(net.stack.echo_identifier(first), Ok(identifier));
        for (sequence, len) in [(0, 0), (1, 1), (2, 56), (65_535, 400)] {
            let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let request = send(&mut net, second, sequence, &data);
            assert_eq!(request[4..6], identifier.to_be_bytes());
            assert_eq!(net.stack.echo_recv(second, &mut []), Err(Error::WouldBlock));
            answer(&mut net, &request);
            assert!(is_readable(&mut net, second));
            assert!(!is_readable(&mut net, second), "told once");
            let (reply, received) = recv(&mut net, second);
            assert_eq!((reply.sequence, reply.error), (sequence, None));
            assert_eq!((reply.from, reply.hop_limit), (net.peer.into(), 64));
            assert_eq!(reply.at, net.stack.now());
            assert_eq!(received, data);
        }
        assert_eq!(net.stack.echo_recv(first, &mut []), Err(Error::WouldBlock));
    });
}

#[test]
fn a_short_buffer_takes_what_fits_and_learns_the_length() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let request = send(&mut net, echo, 1, b"sixteen octets..");
        answer(&mut net, &request);
        let mut short = [0; 7];
        let reply = net.stack.echo_recv(echo, &mut short).unwrap();
        assert_eq!((reply.len, &short), (16, b"sixteen"));
    });
}

#[test]
fn replies_nobody_asked_for_are_dropped_and_counted() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let mut request = send(&mut net, echo, 1, b"data");
        let dropped = |net: &Net| net.stack.counters().dropped(DropReason::IcmpUnsolicited);
        let before = dropped(&net);
        request[4] ^= 0x80;
        answer(&mut net, &request);
        request[4] ^= 0x80;
        net.stack.echo_close(echo).unwrap();
        answer(&mut net, &request);
        assert_eq!(dropped(&net), before + 2);
        assert_eq!(net.stack.poll_event(), None);
        net.balance();
    });
}

#[test]
fn errors_about_a_request_come_to_its_socket() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let router = net.pick(addr("10.0.0.254"), addr("fd00::fe"));
        for (kind, expected) in [
            (net.pick((3, 1), (1, 3)), EchoError::HostUnreachable),
            (net.pick((3, 0), (1, 0)), EchoError::NetworkUnreachable),
            (net.pick((3, 13), (1, 1)), EchoError::Prohibited),
            (net.pick((11, 0), (3, 0)), EchoError::TimeExceeded),
            (net.pick((3, 4), (2, 0)), EchoError::PacketTooBig(1300)),
        ] {
            let message = send(&mut net, echo, 7, b"question");
            let rest = message[4..8].try_into().unwrap();
            let quoted = icmp_packet(net.us, net.peer, 64, message[0], 0, rest, &message[8..]);
            net.icmp_about(kind, 1300, &quoted);
            assert!(is_readable(&mut net, echo));
            let (reply, _) = recv(&mut net, echo);
            assert_eq!(reply.error, Some(expected));
            assert_eq!((reply.from, reply.sequence), (router.into(), 7));
        }
        // About somebody else's request.
        let (us, peer) = (net.us, net.peer);
        let quoted = icmp_packet(peer, us, 64, net.pick(8, 128), 0, [0; 4], b"");
        net.icmp_about(net.pick((3, 1), (1, 3)), 0, &quoted);
        assert!(!is_readable(&mut net, echo));
    });
}

#[test]
fn a_silent_neighbour_is_an_unreachable_host() {
    every_ethernet(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let nobody = net.pick(addr("10.0.0.77"), addr("fd00::77"));
        let request = EchoRequest::new(nobody.into(), 3);
        net.stack.echo_send(echo, &request, b"hello?").unwrap();
        net.pass_s(5);
        let (reply, _) = recv(&mut net, echo);
        assert_eq!(reply.error, Some(EchoError::HostUnreachable));
        assert_eq!((reply.from, reply.sequence), (net.us.into(), 3));
        net.balance();
    });
}

#[test]
fn what_cannot_be_asked_is_refused() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let mut ask = |to: &str, len: usize| {
            let request = EchoRequest::new(to.parse().unwrap(), 0);
            net.stack.echo_send(echo, &request, &vec![0; len])
        };
        for to in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "10.0.0.255",
        ] {
            assert_eq!(ask(to, 0), Err(Error::InvalidRemote), "{to}");
        }
        // Lent memory holds fewer octets than the MTU allows.
        if net.setup.profile == Profile::Lent {
            return;
        }
        let peer = net.peer;
        let largest = 1500 - net.pick(20, 40) - 8;
        let request = EchoRequest::new(peer.into(), 0);
        let mut send = |len: usize| net.stack.echo_send(echo, &request, &vec![0; len]);
        assert_eq!(send(largest), Ok(()));
        assert_eq!(send(largest + 1), Err(Error::MessageTooLong));
    });
}

#[test]
fn memory_is_bounded_whoever_does_not_read() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let request = send(&mut net, echo, 1, &[0; 300]);
        for _ in 0..1000 {
            answer(&mut net, &request);
        }
        let dropped = net.stack.counters().dropped(DropReason::IcmpNoMemory);
        let mut read = 0;
        while net.stack.echo_recv(echo, &mut []).is_ok() {
            read += 1;
        }
        assert_eq!(read + dropped, 1000);
        assert!((400..900).contains(&read), "{read}");
        answer(&mut net, &request);
        assert!(
            net.stack.echo_recv(echo, &mut []).is_ok(),
            "there is room again"
        );
    });
}

#[test]
fn the_loopback_answers() {
    every(|mut net| {
        let echo = net.stack.echo_open().unwrap();
        let request = EchoRequest::new(net.us.into(), 9);
        net.stack.echo_send(echo, &request, b"self").unwrap();
        net.pump();
        // Lent memory has no loopback.
        if net.setup.profile == Profile::Heap {
            assert_eq!(recv(&mut net, echo).1, b"self");
        }
        net.balance();
    });
}

#[test]
fn handles_are_checked_and_places_used_again() {
    every(|mut net| {
        let handles: Vec<_> = (0..32).map(|_| net.stack.echo_open().unwrap()).collect();
        assert_eq!(net.stack.echo_open(), Err(Error::CapacityExhausted));
        net.stack.echo_close(handles[5]).unwrap();
        let again = net.stack.echo_open().unwrap();
        assert_eq!(again.index(), handles[5].index());
        assert_eq!(
            net.stack.echo_identifier(handles[5]),
            Err(Error::StaleHandle)
        );
        assert_eq!(net.stack.echo_close(handles[5]), Err(Error::StaleHandle));
        let request = EchoRequest::new(net.peer.into(), 0);
        let sent = net.stack.echo_send(handles[5], &request, b"");
        assert_eq!(sent, Err(Error::StaleHandle));
    });
}
