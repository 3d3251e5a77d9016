//! Flows held as sockets: announced by events, then read and written like any other.

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::flow::{
    FlowConfig, FlowId, FlowProtocol, FlowSocket, FlowTimeouts, Refusal, Unreachable,
};
use netloom_stack::icmp::EchoRequest;
use netloom_stack::wire::protocol;
use netloom_stack::{CloseReason, Error, Event, IfaceId, InterfaceConfig, Seed, Stack, Tunables};

use crate::common::Queue;
use crate::common::packets::{addr, ip_packet};
use crate::world::{FAR, IF, client};

struct Host {
    now: Instant,
    client: Stack,
    proxy: Stack,
    to_client: Queue,
    to_proxy: Queue,
    opening: Vec<FlowId>,
    ready: Vec<FlowId>,
    closed: Vec<(FlowId, CloseReason)>,
}

impl Host {
    fn new() -> Host {
        let config = FlowConfig::default();
        let stack = netloom_stack::Config::new(InterfaceConfig::ip());
        let mut proxy = Stack::with_heap(stack, config.limits(), Seed::from([4; 32]));
        proxy.accept_flows(IfaceId::FIRST, &config).unwrap();
        proxy.set_flow_budget(8 << 20);
        Host {
            now: Instant::from_secs(1),
            client: client(Tunables::default()),
            proxy,
            to_client: Queue::new(),
            to_proxy: Queue::new(),
            opening: Vec::new(),
            ready: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn settle(&mut self) {
        loop {
            let _ = self.client.transmit(self.now, IF, &mut self.to_proxy);
            let _ = self.proxy.transmit(self.now, IF, &mut self.to_client);
            while let Some(event) = self.proxy.poll_event() {
                match event {
                    Event::FlowOpening(id) => self.opening.push(id),
                    Event::FlowReady(id) => self.ready.push(id),
                    Event::FlowClosed(id, why) => self.closed.push((id, why)),
                    _ => {}
                }
            }
            if self.to_client.frames.is_empty() && self.to_proxy.frames.is_empty() {
                return;
            }
            let meta = RxMeta::default();
            for packet in std::mem::take(&mut self.to_proxy.frames) {
                self.proxy.receive(self.now, IF, &packet, &meta);
                self.proxy.counters().balance().unwrap();
            }
            for packet in std::mem::take(&mut self.to_client.frames) {
                self.client.receive(self.now, IF, &packet, &meta);
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now.plus_micros(seconds * 1_000_000);
        while self.now < end {
            self.settle();
            let next = [self.client.next_deadline(), self.proxy.next_deadline()];
            let next = next.into_iter().flatten().min().unwrap_or(end);
            self.now = next.max(self.now.plus_micros(1)).min(end);
        }
        self.settle();
    }
}

#[test]
fn an_accepted_connection_is_a_socket() {
    for far in FAR {
        let mut host = Host::new();
        let handle = host.client.tcp_connect(far.parse().unwrap()).unwrap();
        host.settle();
        let [id] = host.opening[..] else { panic!() };
        let tuple = host.proxy.flow_tuple(id).unwrap();
        assert_eq!(tuple.destination(), far.parse().unwrap());
        assert_eq!(host.proxy.flow_socket(id), Err(Error::WouldBlock));
        host.proxy.flow_accept(id).unwrap();
        host.settle();
        assert_eq!(host.ready, [id]);
        let Ok(FlowSocket::Tcp(tcp)) = host.proxy.flow_socket(id) else {
            panic!()
        };
        assert_eq!(host.proxy.tcp_local_addr(tcp), Ok(far.parse().unwrap()));
        host.client.tcp_write(handle, b"ask").unwrap();
        host.settle();
        let mut buffer = [0; 8];
        assert_eq!(host.proxy.tcp_read(tcp, &mut buffer), Ok(3));
        host.proxy.tcp_write(tcp, b"told").unwrap();
        host.proxy.tcp_close(tcp).unwrap();
        host.settle();
        assert_eq!(host.client.tcp_read(handle, &mut buffer), Ok(4));
        host.client.tcp_close(handle).unwrap();
        host.pass(1);
        assert_eq!(host.proxy.flow_count(), 0);
        assert!(host.closed.is_empty());
    }
}

#[test]
fn a_flow_that_ends_before_it_is_open_says_why() {
    let mut host = Host::new();
    let handle = host.client.tcp_connect(FAR[0].parse().unwrap()).unwrap();
    host.settle();
    host.pass(31);
    let [id] = host.opening[..] else { panic!() };
    assert_eq!(host.closed, [(id, CloseReason::PeerNeverAppeared)]);
    assert_eq!(
        host.client.tcp_close_reason(handle),
        Ok(Some(CloseReason::Refused))
    );
    assert_eq!(host.proxy.flow_accept(id), Err(Error::StaleHandle));
}

#[test]
fn datagrams_and_echoes_are_sockets_too() {
    for far in FAR {
        let mut host = Host::new();
        let far: std::net::SocketAddr = far.parse().unwrap();
        let socket = host.client.udp_bind(5000).unwrap();
        for text in [&b"one"[..], b"two"] {
            host.client.udp_send_to(socket, text, far).unwrap();
        }
        host.settle();
        let id = host.opening[0];
        host.proxy.flow_accept(id).unwrap();
        host.settle();
        let Ok(FlowSocket::Udp(udp)) = host.proxy.flow_socket(id) else {
            panic!()
        };
        let mut buffer = [0; 32];
        for text in [&b"one"[..], b"two"] {
            let got = host.proxy.udp_recv(udp, &mut buffer).unwrap();
            assert_eq!(&buffer[..got.copied], text);
        }
        host.proxy.udp_send(udp, b"reply").unwrap();
        host.settle();
        assert!(host.client.udp_recv(socket, &mut buffer).is_ok());

        let ping = host.client.echo_open().unwrap();
        let request = EchoRequest::new(far.ip(), 9);
        host.client.echo_send(ping, &request, b"data").unwrap();
        host.settle();
        let echo = host.opening[1];
        assert_eq!(
            host.proxy.flow_tuple(echo).unwrap().protocol,
            FlowProtocol::Echo
        );
        host.proxy.flow_accept(echo).unwrap();
        let Ok(FlowSocket::Echo(handle)) = host.proxy.flow_socket(echo) else {
            panic!()
        };
        let got = host.proxy.udp_recv(handle, &mut buffer).unwrap();
        assert_eq!((got.meta.remote_port, got.copied), (9, 4));
        host.proxy.flow_echo_reply(echo, 9, b"data").unwrap();
        host.settle();
        let reply = host.client.echo_recv(ping, &mut buffer).unwrap();
        assert_eq!((reply.sequence, reply.error), (9, None));

        // Its time over, the socket says so, and the next datagram is another flow.
        host.pass(301);
        let idle = Error::Closed(CloseReason::IdleTimedOut);
        assert_eq!(host.proxy.udp_recv(udp, &mut buffer).unwrap_err(), idle);
        host.client.udp_send_to(socket, b"again", far).unwrap();
        host.settle();
        assert_eq!(host.opening.len(), 3);
        host.proxy.udp_close(udp).unwrap();
        host.proxy.udp_close(handle).unwrap();
        let third = host.opening[2];
        host.proxy
            .flow_refuse(third, Refusal::Icmp(Unreachable::Port))
            .unwrap();
        host.settle();
        assert_eq!(host.proxy.flow_count(), 0);
    }
}

#[test]
fn sockets_of_its_own_go_on_beside_flows() {
    let mut host = Host::new();
    host.proxy
        .add_address(IfaceId::FIRST, "10.0.0.254/32".parse().unwrap())
        .unwrap();
    let listener = host.proxy.tcp_listen(7).unwrap();
    // The listener is on every address: it comes before flows.
    for to in ["10.0.0.254:7", "203.0.113.9:7"] {
        let _ = host.client.tcp_connect(to.parse().unwrap()).unwrap();
        host.settle();
        assert!(host.proxy.tcp_accept(listener).unwrap().is_some());
    }
    let _ = host.client.tcp_connect(FAR[0].parse().unwrap()).unwrap();
    host.settle();
    assert_eq!(host.opening.len(), 1);
    // A closed port of its own is no flow.
    let own = "10.0.0.254:9".parse().unwrap();
    let refused = host.client.tcp_connect(own).unwrap();
    host.settle();
    assert_eq!(
        host.client.tcp_close_reason(refused),
        Ok(Some(CloseReason::Refused))
    );
    assert_eq!(host.opening.len(), 1);
}

#[test]
fn only_one_interface_takes_flows() {
    let config = FlowConfig::default().timeouts(FlowTimeouts::default());
    let refused = Err(Error::InvalidArgument);
    let mut host = Host::new();
    assert_eq!(host.proxy.accept_flows(IfaceId::FIRST, &config), refused);
}

#[test]
fn a_handshake_of_a_flow_is_no_listeners() {
    let mut host = Host::new();
    host.client.tcp_connect(FAR[0].parse().unwrap()).unwrap();
    host.settle();
    let [id] = host.opening[..] else { panic!() };
    // From now on somebody listens there.
    let listener = host.proxy.tcp_listen(80).unwrap();
    let half_open = |host: &Host| host.proxy.tcp_backlog(listener).unwrap().half_open;
    assert_eq!(half_open(&host), 0);
    // A handshake of the listener's own is still counted when the flow's is over.
    host.client.tcp_connect(FAR[0].parse().unwrap()).unwrap();
    let _ = host.client.transmit(host.now, IF, &mut host.to_proxy);
    for packet in std::mem::take(&mut host.to_proxy.frames) {
        host.proxy
            .receive(host.now, IF, &packet, &RxMeta::default());
    }
    assert_eq!(half_open(&host), 1);
    host.proxy.flow_refuse(id, Refusal::Rst).unwrap();
    assert_eq!(half_open(&host), 1);
    host.settle();
    assert_eq!(half_open(&host), 0);
    assert!(host.proxy.tcp_accept(listener).unwrap().is_some());
}

//= https://www.rfc-editor.org/rfc/rfc4291#section-2.7
//= type=test
//# Multicast addresses must not be used as source addresses in IPv6
//# packets or appear in any Routing header.
#[test]
fn nothing_is_sent_in_the_name_of_a_group() {
    let mut host = Host::new();
    // An option that is to be reported even if it was sent to a group.
    let options = [protocol::NO_NEXT_HEADER, 0, 0x9e, 4, 0, 0, 0, 0];
    let (peer, group) = (addr("fd00::1"), addr("ff02::1"));
    let packet = ip_packet(peer, group, protocol::DESTINATION_OPTIONS, 64, 0, &options);
    host.proxy
        .receive(host.now, IF, &packet, &RxMeta::default());
    let _ = host.proxy.transmit(host.now, IF, &mut host.to_client);
    for answer in &host.to_client.frames {
        assert_ne!(answer[8], 0xff, "{answer:?}");
    }
}
