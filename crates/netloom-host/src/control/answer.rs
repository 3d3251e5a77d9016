//! What a stack answers.

use std::net::SocketAddr;

use netloom_stack::inspect::{
    ConnectionView, DeadProtocol, DeadView, EntryView, Holder, SocketTimer, Waiting,
};
use netloom_stack::neighbor::NeighborState;
use netloom_stack::{Counters, DropReason, IfaceId, Layer, State, Usage};

use super::message::{
    Ask, Closed, Counter, Detail, Instance, Interface, Line, Neighbor, Protocol, Route, Socket,
    SocketState, Timer, TimerKind, Tunable,
};
use crate::device;
use crate::net::Looker;

/// Items looked at in one go, under the stack's lock.
const PAGE: usize = 256;

/// Inodes of UDP sockets, listeners and connections must not be the same.
const LISTENER_INODES: u64 = 1 << 40;
const UDP_INODES: u64 = 2 << 40;

/// Calls `each` with every line of the answer, until it fails.
pub(super) fn answer<E>(
    looker: &Looker,
    instance: &Instance,
    ask: &Ask,
    each: &mut dyn FnMut(Line) -> Result<(), E>,
) -> Result<(), E> {
    match ask {
        Ask::Instance => {
            let age_ms = looker.age().as_millis().try_into().unwrap_or(u64::MAX);
            each(Line::Instance(Instance {
                age_ms,
                ..instance.clone()
            }))?;
        }
        Ask::Sockets => sockets(looker, each)?,
        Ask::Closed => {
            for line in looker.look(closed) {
                each(line)?;
            }
        }
        Ask::Counters => {
            for (name, value) in counters(looker) {
                each(Line::Counter(Counter { name, value }))?;
            }
        }
        Ask::Tunables => {
            let all = |stack: &mut netloom_stack::Stack| -> Vec<_> {
                stack.tunables().iter().map(tunable).collect()
            };
            for line in looker.look(all) {
                each(line)?;
            }
        }
        Ask::SetTunable { name, value } => match looker.set_tunable(name, value) {
            Ok(set) => each(tunable(set))?,
            Err(error) => return each(Line::Error(format!("{name}: {error}"))),
        },
        Ask::Interfaces => {
            for line in looker.look(|stack| interfaces(stack, &instance.device)) {
                each(line)?;
            }
        }
        Ask::Neighbors => {
            for line in looker.look(neighbors) {
                each(line)?;
            }
        }
        Ask::Routes => {
            for line in looker.look(routes) {
                each(line)?;
            }
        }
    }
    each(Line::End)
}

/// A table of the stack's, page by page: the lock is given up in between.
macro_rules! pages {
    ($looker:expr, $table:ident, $each:expr, $to_socket:expr) => {{
        let mut from = 0;
        loop {
            let page: Vec<_> =
                $looker.look(|stack| stack.inspect().$table(from).take(PAGE).collect());
            for (place, view) in &page {
                let socket: Socket = $to_socket(*place, view);
                $each(Line::Socket(Box::new(socket)))?;
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => from = last + 1,
                Some(_) | None => break,
            }
        }
    }};
}

fn sockets<E>(looker: &Looker, each: &mut dyn FnMut(Line) -> Result<(), E>) -> Result<(), E> {
    pages!(
        looker,
        listeners,
        each,
        |place, view: &netloom_stack::inspect::ListenerView| Socket {
            recv_queue: view.backlog.to_accept.into(),
            send_queue: view.backlog.limit.into(),
            v6_only: !view.both_versions && view.local.is_ipv6(),
            inode: LISTENER_INODES + u64::from(place) + 1,
            ..bare(Protocol::Tcp, SocketState::Listen, view.local, None)
        }
    );
    pages!(looker, connections, each, connection);
    pages!(looker, half_open, each, |_, view| entry(
        SocketState::SynReceived,
        view
    ));
    pages!(looker, time_wait, each, |_, view| entry(
        SocketState::TimeWait,
        view
    ));
    pages!(
        looker,
        udp,
        each,
        |place, view: &netloom_stack::inspect::UdpView| {
            let state = match view.remote {
                Some(_) => SocketState::Established,
                None => SocketState::Closed,
            };
            Socket {
                recv_queue: view.recv_queue as u64,
                send_queue: view.send_queue as u64,
                v6_only: !view.both_versions && view.local.is_ipv6(),
                inode: UDP_INODES + u64::from(place) + 1,
                ..bare(Protocol::Udp, state, view.local, view.remote)
            }
        }
    );
    Ok(())
}

fn bare(
    protocol: Protocol,
    state: SocketState,
    local: SocketAddr,
    remote: Option<SocketAddr>,
) -> Socket {
    let nobody = match local {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    Socket {
        protocol,
        state,
        local,
        remote: remote.unwrap_or(nobody),
        recv_queue: 0,
        send_queue: 0,
        timer: None,
        v6_only: false,
        uid: 0,
        inode: 0,
        detail: None,
    }
}

fn timer(waiting: Waiting) -> Timer {
    Timer {
        kind: match waiting.timer {
            SocketTimer::Retransmit => TimerKind::Retransmit,
            SocketTimer::KeepAlive => TimerKind::Keepalive,
            SocketTimer::Close => TimerKind::TimeWait,
            SocketTimer::Persist => TimerKind::Persist,
        },
        left_ms: waiting.left.into(),
        tries: waiting.tries.into(),
    }
}

fn entry(state: SocketState, view: &EntryView) -> Socket {
    Socket {
        timer: Some(timer(view.waiting)),
        ..bare(Protocol::Tcp, state, view.local, Some(view.remote))
    }
}

fn connection(place: u32, view: &ConnectionView) -> Socket {
    let state = match view.info.state {
        State::Established => SocketState::Established,
        State::SynSent => SocketState::SynSent,
        State::SynReceived => SocketState::SynReceived,
        State::FinWait1 => SocketState::FinWait1,
        State::FinWait2 => SocketState::FinWait2,
        State::TimeWait => SocketState::TimeWait,
        State::Closed => SocketState::Closed,
        State::CloseWait => SocketState::CloseWait,
        State::LastAck => SocketState::LastAck,
        State::Listen => SocketState::Listen,
        State::Closing => SocketState::Closing,
    };
    let info = &view.info;
    Socket {
        recv_queue: view.recv_queue as u64,
        send_queue: view.send_queue as u64,
        timer: view.waiting.map(timer),
        inode: match view.holder {
            Holder::Program => u64::from(place) + 1,
            Holder::Listener | Holder::Nobody => 0,
        },
        detail: Some(Detail {
            congestion: view.congestion.to_owned(),
            snd_wscale: info.snd_wscale,
            rcv_wscale: info.rcv_wscale,
            timestamps: info.timestamps,
            sack: info.sack,
            rto: info.rto,
            backoff: info.backoff,
            srtt: info.srtt,
            rttvar: info.rttvar,
            min_rtt: info.min_rtt,
            mss: info.snd_mss.into(),
            path_mss: info.path_mss.into(),
            advmss: info.advmss.into(),
            cwnd: info.cwnd,
            ssthresh: info.ssthresh,
            snd_wnd: info.snd_wnd,
            rcv_wnd: info.rcv_wnd,
            unacked: info.unacked,
            sacked: info.sacked,
            lost: info.lost,
            unsent: info.unsent,
            retransmissions: info.total_retransmissions,
            delivered: info.delivered,
        }),
        ..bare(Protocol::Tcp, state, view.local, Some(view.remote))
    }
}

fn closed(stack: &mut netloom_stack::Stack) -> Vec<Line> {
    let inspect = stack.inspect();
    let line = |dead: DeadView| {
        Line::Closed(Closed {
            protocol: match dead.protocol {
                DeadProtocol::Udp => "udp",
                DeadProtocol::Echo => "icmp",
                _ => "tcp",
            }
            .to_owned(),
            local: dead.local,
            remote: dead.remote,
            reason: format!("{:?}", dead.reason),
            message: dead.message().to_owned(),
            ago_ms: inspect.now().micros_since(dead.at) / 1000,
            srtt: dead.srtt,
            retransmissions: dead.retransmissions,
        })
    };
    inspect.dead().map(line).collect()
}

fn tunable(tunable: netloom_stack::Tunable) -> Line {
    Line::Tunable(Tunable {
        name: tunable.name.to_owned(),
        value: tunable.value,
        min: tunable.min,
        max: tunable.max,
        doc: tunable.doc.to_owned(),
        choices: tunable
            .choices
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
    })
}

fn interfaces(stack: &mut netloom_stack::Stack, device: &str) -> Vec<Line> {
    let inspect = stack.inspect();
    let line = |seen: netloom_stack::inspect::InterfaceView| {
        let ours = inspect.addresses().iter();
        let ours = ours.filter(|a| usize::from(a.iface) == seen.id.index());
        Line::Interface(Interface {
            id: seen.id.index() as u8,
            name: match seen.id {
                _ if seen.loopback => "lo".to_owned(),
                IfaceId::FIRST => device.to_owned(),
                other => other.to_string(),
            },
            mac: seen.mac,
            mtu: seen.mtu,
            addresses: ours.map(|a| (a.cidr.addr.into(), a.cidr.prefix)).collect(),
        })
    };
    inspect.interfaces().map(line).collect()
}

fn neighbors(stack: &mut netloom_stack::Stack) -> Vec<Line> {
    let line = |seen: netloom_stack::inspect::NeighborView| {
        Line::Neighbor(Neighbor {
            addr: seen.addr.into(),
            interface: seen.iface.index() as u8,
            mac: seen.mac,
            state: match seen.state {
                NeighborState::Free | NeighborState::Incomplete => "INCOMPLETE",
                NeighborState::Reachable => "REACHABLE",
                NeighborState::Stale => "STALE",
                NeighborState::Delay => "DELAY",
                NeighborState::Probe => "PROBE",
                NeighborState::Failed => "FAILED",
                NeighborState::Static => "PERMANENT",
            }
            .to_owned(),
            router: seen.router,
        })
    };
    stack.inspect().neighbors().map(line).collect()
}

fn routes(stack: &mut netloom_stack::Stack) -> Vec<Line> {
    let line = |route: &netloom_stack::route::Route| {
        Line::Route(Route {
            dst: route.dst.addr.into(),
            prefix: route.dst.prefix,
            via: route.via.map(Into::into),
            interface: route.iface,
            metric: route.metric.into(),
        })
    };
    stack.inspect().routes().iter().map(line).collect()
}

/// Every counter by its name.
fn counters(looker: &Looker) -> Vec<(String, u64)> {
    let (counters, usage) = looker.look(|stack| (stack.counters().clone(), stack.usage()));
    let device = looker.device_counters();
    let mut all: Vec<(String, u64)> = Vec::new();
    for layer in Layer::ALL {
        let of_layer: [(&str, usize); 4] = [
            ("received", counters.received(layer)),
            ("delivered", counters.delivered(layer)),
            ("dropped", counters.dropped_by(layer)),
            ("held", counters.held(layer)),
        ];
        all.extend(of_layer.map(|(what, n)| (format!("{}.{what}", layer.name()), n as u64)));
    }
    let reasons = DropReason::ALL.iter();
    all.extend(reasons.map(|r| (format!("drop.{}", r.name()), counters.dropped(*r) as u64)));
    let named = more(&counters).into_iter();
    all.extend(named.map(|(name, n)| (name.to_owned(), n as u64)));
    #[cfg(target_pointer_width = "64")]
    all.extend(of_prediction(&counters).map(|(name, n)| (name.to_owned(), n as u64)));
    #[cfg(feature = "tokio")]
    all.extend(of_flows(&counters).map(|(name, n)| (name.to_owned(), n as u64)));
    all.extend(of_device(&device).map(|(name, n)| (name.to_owned(), n)));
    all.extend(in_use(&usage).map(|(name, n)| (name.to_owned(), n)));
    all
}

fn more(counters: &Counters) -> [(&'static str, usize); 11] {
    [
        ("tcp.segments_sent", counters.tcp_segments_sent),
        (
            "tcp.segments_retransmitted",
            counters.tcp_segments_retransmitted,
        ),
        ("tcp.resets_sent", counters.tcp_resets_sent),
        ("tcp.active_opens", counters.tcp_active_opens),
        ("tcp.passive_opens", counters.tcp_passive_opens),
        ("tcp.syn_cookies_sent", counters.tcp_syn_cookies_sent),
        (
            "tcp.syn_cookies_accepted",
            counters.tcp_syn_cookies_accepted,
        ),
        ("tcp.time_wait_evicted", counters.tcp_time_wait_evicted),
        ("tcp.half_open_timed_out", counters.tcp_half_open_timed_out),
        ("icmp.errors_sent", counters.icmp_errors_sent),
        ("icmp.echo_replies", counters.icmp_echo_replies),
    ]
}

/// Segments that header prediction was not for.
#[cfg(target_pointer_width = "64")]
fn of_prediction(counters: &Counters) -> [(&'static str, usize); 2] {
    [
        (
            "tcp.unpredicted_received",
            counters.tcp_unpredicted_received,
        ),
        ("tcp.unpredicted_sent", counters.tcp_unpredicted_sent),
    ]
}

#[cfg(feature = "tokio")]
fn of_flows(counters: &Counters) -> [(&'static str, usize); 3] {
    [
        ("tcp.flows_refused", counters.tcp_flows_refused),
        ("udp.flows_refused", counters.udp_flows_refused),
        ("icmp.flows_refused", counters.icmp_flows_refused),
    ]
}

fn of_device(device: &device::Counters) -> [(&'static str, u64); 7] {
    [
        ("device.rx_frames", device.rx_frames),
        ("device.rx_dropped", device.rx_dropped),
        ("device.rx_overruns", device.rx_overruns),
        ("device.rx_errors", device.rx_errors),
        ("device.tx_frames", device.tx_frames),
        ("device.tx_dropped", device.tx_dropped),
        ("device.tx_deferred", device.tx_deferred),
    ]
}

fn in_use(usage: &Usage) -> [(&'static str, u64); 9] {
    [
        ("now.connections", usage.connections.into()),
        ("now.half_open", usage.half_open.into()),
        ("now.time_wait", usage.time_wait.into()),
        ("now.orphans", usage.orphans.into()),
        ("now.listeners", usage.listeners.into()),
        ("now.udp", usage.udp.into()),
        ("now.packets", usage.packets.into()),
        ("now.timers", usage.timers.into()),
        ("now.buffers", usage.buffers as u64),
    ]
}
