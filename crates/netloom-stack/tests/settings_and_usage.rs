//! What was set can be read back, what is in use is counted, and a lost device ends what it carried.
mod common;

use std::time::Duration;

use common::{IF, Pair, Profile};
use netloom_stack::udp::UdpBind;
use netloom_stack::{CloseReason, Error, Keepalive, TcpHandle, Usage};

fn connected(pair: &mut Pair) -> (TcpHandle, TcpHandle) {
    let listener = pair.b.tcp_listen(80).unwrap();
    let remote = "10.0.0.2:80".parse().unwrap();
    let client = pair.a.tcp_connect(remote).unwrap();
    pair.settle();
    let server = pair.b.tcp_accept(listener).unwrap().unwrap();
    (client, server)
}

#[test]
fn what_was_set_reads_back() {
    let mut pair = Pair::new(Profile::Heap, true);
    let (client, _) = connected(&mut pair);
    let stack = &mut pair.a;
    let fresh = stack.tcp_settings(client).unwrap();
    assert!(!fresh.nodelay && fresh.keepalive.is_none() && fresh.linger.is_none());
    assert_eq!((fresh.ttl, fresh.user_timeout), (64, None));
    assert_eq!(fresh.send_buffer, stack.tunables().tcp_wmem);
    let keepalive = Keepalive {
        idle: 9_000_000,
        interval: 2_000_000,
        count: 4,
    };
    stack.tcp_set_nodelay(client, true).unwrap();
    stack.tcp_set_keepalive(client, Some(keepalive)).unwrap();
    stack
        .tcp_set_user_timeout(client, Some(Duration::from_secs(7)))
        .unwrap();
    stack.tcp_set_linger(client, Some(Duration::ZERO)).unwrap();
    stack.tcp_set_ttl(client, 3).unwrap();
    stack.tcp_set_dscp(client, 46).unwrap();
    stack.tcp_set_send_buffer(client, 5000).unwrap();
    stack.tcp_set_receive_buffer(client, 70_000).unwrap();
    let set = stack.tcp_settings(client).unwrap();
    assert!(set.nodelay);
    assert_eq!(set.keepalive, Some(keepalive));
    assert_eq!(set.user_timeout, Some(Duration::from_secs(7)));
    assert_eq!(set.linger, Some(Duration::ZERO));
    assert_eq!((set.ttl, set.dscp), (3, 46));
    assert_eq!((set.send_buffer, set.receive_buffer), (5000, 70_000));
    assert_eq!(stack.tcp_set_congestion(client, set.congestion), Ok(()));
    let unknown = stack.tcp_set_congestion(client, "no such algorithm");
    assert_eq!(unknown, Err(Error::NoSuchCongestionControl));
    let text = Error::NoSuchCongestionControl.to_string();
    assert_eq!(
        text,
        "no such congestion control; there are: reno cubic bbr"
    );
    assert_eq!(set.congestion, "cubic");
    assert_eq!(stack.tcp_set_congestion(client, "reno"), Ok(()));
    assert_eq!(stack.tcp_settings(client).unwrap().congestion, "reno");
    assert_eq!(stack.tcp_set_congestion(client, "bbr"), Ok(()));
    assert_eq!(stack.tcp_settings(client).unwrap().congestion, "bbr");
    assert_eq!(stack.tcp_set_max_pacing_rate(client, Some(100_000)), Ok(()));
    let rate = stack.tcp_info(client).unwrap().pacing_rate;
    assert!((99_980..=100_000).contains(&rate), "{rate}");
    assert_eq!(stack.tcp_set_congestion(client, "reno"), Ok(()));
    assert_eq!(
        stack.set_tunable_named("tcp_congestion_control", "vegas"),
        Err(Error::NoSuchCongestionControl)
    );
    stack
        .set_tunable_named("tcp_congestion_control", "reno")
        .unwrap();
    let tunable = stack.tunables().get("tcp_congestion_control").unwrap();
    assert_eq!(tunable.text(), "reno");
    stack.set_tunable_named("ip_default_ttl", "31").unwrap();
    assert_eq!(stack.tunables().ip_default_ttl, 31);
    assert_eq!(
        stack.set_tunable_named("ip_default_ttl", "many"),
        Err(Error::OutOfRange)
    );
    let remote = "10.0.0.2:80".parse().unwrap();
    let second = stack.tcp_connect(remote).unwrap();
    assert_eq!(stack.tcp_settings(second).unwrap().congestion, "reno");
    stack.tcp_abort(second).unwrap();

    let socket = stack.udp_bind(UdpBind::from(9)).unwrap();
    stack.udp_set_broadcast(socket, true).unwrap();
    stack.udp_set_ttl(socket, 7).unwrap();
    let set = stack.udp_settings(socket).unwrap();
    assert_eq!((set.broadcast, set.ttl, set.tos), (true, 7, 0));
    stack.udp_close(socket).unwrap();
    assert_eq!(stack.udp_settings(socket), Err(Error::StaleHandle));
}

/// Opened, used and closed: nothing of it is left.
#[test]
fn usage_goes_back_to_the_start() {
    let mut pair = Pair::new(Profile::Heap, true);
    assert_eq!(pair.b.usage(), Usage::default());
    let listener = pair.b.tcp_listen(80).unwrap();
    let clients: Vec<_> = (0..20)
        .map(|_| pair.a.tcp_connect("10.0.0.2:80".parse().unwrap()).unwrap())
        .collect();
    assert_eq!(pair.a.usage().connections, 20);
    pair.settle();
    for &client in &clients {
        pair.a.tcp_write(client, &[1; 3000]).unwrap();
    }
    pair.settle();
    let usage = pair.b.usage();
    assert_eq!((usage.connections, usage.listeners), (20, 1));
    assert!(usage.buffers >= 20 * 3000, "{usage:?}");
    while let Some(server) = pair.b.tcp_accept(listener).unwrap() {
        pair.b.tcp_read(server, &mut [0; 4000]).unwrap();
        pair.b.tcp_close(server).unwrap();
    }
    for &client in &clients {
        pair.a.tcp_close(client).unwrap();
    }
    pair.settle();
    assert!(pair.a.usage().time_wait + pair.b.usage().time_wait >= 20);
    pair.pass(61_000_000);
    pair.b.tcp_close_listener(listener).unwrap();
    assert_eq!(pair.a.usage(), Usage::default());
    assert_eq!(pair.b.usage(), Usage::default());
}

#[test]
fn a_lost_interface_ends_its_connections_and_keeps_what_arrived() {
    let mut pair = Pair::new(Profile::Heap, true);
    let (client, server) = connected(&mut pair);
    pair.a.tcp_write(client, b"kept").unwrap();
    pair.settle();
    pair.b.interface_lost(IF);
    let end = CloseReason::InterfaceRemoved;
    assert_eq!(pair.b.tcp_close_reason(server), Ok(Some(end)));
    let mut buffer = [0; 8];
    assert_eq!(pair.b.tcp_read(server, &mut buffer), Ok(4));
    let after = pair.b.tcp_read(server, &mut buffer);
    assert_eq!(after, Err(Error::Closed(end)));
    assert_eq!(pair.b.tcp_write(server, b"x"), Err(Error::Closed(end)));
    assert_eq!(pair.b.usage().packets, 0, "a reset waits for nobody");
    pair.b.tcp_close(server).unwrap();
    assert_eq!(pair.b.usage().connections, 0);
}
