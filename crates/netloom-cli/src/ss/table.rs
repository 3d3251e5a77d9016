//! Columns, and what stands in them: as ss (iproute2) writes them.

use std::fmt::Write;
use std::net::SocketAddr;

use netloom::control::{Closed, Detail, Protocol, Socket, Timer};

use super::services::Services;

/// Which columns there are.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of ss")]
pub(super) struct Columns {
    pub(super) header: bool,
    pub(super) protocol: bool,
    pub(super) timers: bool,
    pub(super) extended: bool,
    pub(super) info: bool,
    pub(super) services: Services,
}

/// A table of cells: each column as wide as its widest cell, the last one free. What follows a row
/// stands in a line below it.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<(Vec<String>, Option<String>)>,
}

impl Table {
    fn print(&self) -> String {
        let columns = self
            .rows
            .iter()
            .map(|(cells, _)| cells.len())
            .max()
            .unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|(cells, _)| cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (cells, below) in &self.rows {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$} ");
            }
            text += line.trim_end();
            text.push('\n');
            if let Some(below) = below {
                let _ = writeln!(text, "\t {below}");
            }
        }
        text
    }
}

/// An address and port as ss writes them: `*` for every address of both versions.
fn end(at: SocketAddr, v6_only: bool, protocol: Protocol, services: &Services) -> String {
    let port = services.name(protocol, at.port());
    match at {
        SocketAddr::V4(at) => format!("{}:{port}", at.ip()),
        SocketAddr::V6(at) if at.ip().is_unspecified() && !v6_only => format!("*:{port}"),
        SocketAddr::V6(at) if at.scope_id() != 0 => {
            format!("[{}]%if{}:{port}", at.ip(), at.scope_id() - 1)
        }
        SocketAddr::V6(at) => format!("[{}]:{port}", at.ip()),
    }
}

/// A time in milliseconds as ss writes those of timers.
pub(super) fn time(millis: u64) -> String {
    let mut left = millis % 1000;
    let (minutes, mut seconds) = (millis / 60_000, millis / 1000 % 60);
    let mut text = String::new();
    if minutes > 0 {
        left = 0;
        let _ = write!(text, "{minutes}min");
        if minutes > 9 {
            seconds = 0;
        }
    }
    if seconds > 0 {
        if seconds > 9 {
            left = 0;
        }
        let _ = write!(text, "{seconds}{}", if left > 0 { "." } else { "sec" });
    }
    if left > 0 {
        let _ = write!(text, "{left:03}ms");
    }
    text
}

/// In hundredths of a second, rounded up, as `/proc/net/tcp` has them: the same timer looks the same
/// here and to an ss that reads what was written there.
pub(super) fn timer(timer: Timer) -> String {
    let Timer {
        kind,
        left_ms,
        tries,
    } = timer;
    let left = time(left_ms.next_multiple_of(10));
    format!("timer:({},{left},{tries})", kind.name())
}

/// Microseconds as ss writes round trips: milliseconds.
fn round_trip(micros: u32) -> String {
    let text = format!("{:.3}", f64::from(micros) / 1000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn info(detail: &Detail) -> String {
    let mss = detail.mss.max(1);
    // In segments, as Linux counts them.
    let segments = |octets: u32| octets.div_ceil(mss);
    let some = |name: &str, value: u32| (value > 0).then(|| format!("{name}:{value}"));
    let flag = |name: &str, on: bool| on.then(|| name.to_owned());
    let time = |name: &str, micros| (micros > 0).then(|| format!("{name}:{}", round_trip(micros)));
    let scales = detail.snd_wscale.zip(detail.rcv_wscale);
    let rtt = (round_trip(detail.srtt), round_trip(detail.rttvar));
    let ssthresh = Some(detail.ssthresh).filter(|&octets| octets < u32::MAX / 2);
    let words = [
        flag("ts", detail.timestamps),
        flag("sack", detail.sack),
        Some(detail.congestion.clone()),
        scales.map(|(snd, rcv)| format!("wscale:{snd},{rcv}")),
        time("rto", detail.rto),
        some("backoff", detail.backoff.into()),
        (detail.srtt > 0).then(|| format!("rtt:{}/{}", rtt.0, rtt.1)),
        some("mss", detail.mss),
        some("path_mss", detail.path_mss),
        some("advmss", detail.advmss),
        some("cwnd", detail.cwnd / mss),
        ssthresh.and_then(|octets| some("ssthresh", octets / mss)),
        some("bytes_acked", detail.delivered),
        some("unacked", segments(detail.unacked)),
        some("sacked", segments(detail.sacked)),
        some("lost", segments(detail.lost)),
        some("notsent", detail.unsent),
        (detail.retransmissions > 0).then(|| format!("retrans:0/{}", detail.retransmissions)),
        some("rcv_wnd", detail.rcv_wnd),
        some("snd_wnd", detail.snd_wnd),
        time("minrtt", detail.min_rtt),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Sockets in a table.
pub(super) fn socket_table<'s>(
    sockets: impl Iterator<Item = &'s Socket>,
    columns: &Columns,
) -> String {
    let mut table = Table::default();
    if columns.header {
        let mut cells = vec![
            "State",
            "Recv-Q",
            "Send-Q",
            "Local Address:Port",
            "Peer Address:Port",
            "Process",
        ];
        if columns.protocol {
            cells.insert(0, "Netid");
        }
        table
            .rows
            .push((cells.into_iter().map(str::to_owned).collect(), None));
    }
    for socket in sockets {
        let services = &columns.services;
        let (protocol, v6_only) = (socket.protocol, socket.v6_only);
        let mut cells = vec![
            socket.state.name().to_owned(),
            socket.recv_queue.to_string(),
            socket.send_queue.to_string(),
            end(socket.local, v6_only, protocol, services),
            end(socket.remote, v6_only, protocol, services),
        ];
        if columns.protocol {
            let name = match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            };
            cells.insert(0, name.to_owned());
        }
        let mut rest = Vec::new();
        rest.extend(socket.timer.filter(|_| columns.timers).map(timer));
        if columns.extended {
            if socket.uid > 0 {
                rest.push(format!("uid:{}", socket.uid));
            }
            rest.push(format!("ino:{}", socket.inode));
        }
        if !rest.is_empty() {
            cells.push(rest.join(" "));
        }
        let below = socket.detail.as_ref().filter(|_| columns.info).map(info);
        table.rows.push((cells, below));
    }
    table.print()
}

/// Connections that have ended and flows that were refused, in a table.
pub(super) fn closed_table(closed: &[Closed], columns: &Columns) -> String {
    let mut table = Table::default();
    let nameless = Services::default();
    if columns.header {
        let cells = [
            "Netid",
            "Ago",
            "Local Address:Port",
            "Peer Address:Port",
            "Reason",
            "",
        ];
        table.rows.push((cells.map(str::to_owned).to_vec(), None));
    }
    for connection in closed {
        let (protocol, services) = match connection.protocol.as_str() {
            "tcp" => (Protocol::Tcp, &columns.services),
            "udp" => (Protocol::Udp, &columns.services),
            // The identifier of pings has no name.
            _ => (Protocol::Udp, &nameless),
        };
        let ended = |at| end(at, true, protocol, services);
        let mut figures = Vec::new();
        if connection.srtt > 0 {
            figures.push(format!("rtt:{}", round_trip(connection.srtt)));
        }
        if connection.retransmissions > 0 {
            figures.push(format!("retrans:{}", connection.retransmissions));
        }
        let ago = match time(connection.ago_ms) {
            now if now.is_empty() => "0ms".to_owned(),
            ago => ago,
        };
        let cells = vec![
            connection.protocol.clone(),
            ago,
            ended(connection.local),
            ended(connection.remote),
            format!("{}: {}", connection.reason, connection.message),
            figures.join(" "),
        ];
        table.rows.push((cells, None));
    }
    table.print()
}
