//! The files as they are written.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::super::message::{Interface, Neighbor, Protocol, Route, Socket, SocketState};
use super::{ByteOrder, v4_word, written_row};

/// What the files are made of.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Sockets of all kinds.
    pub sockets: Vec<Socket>,
    /// Interfaces, which the others name by number.
    pub interfaces: Vec<Interface>,
    /// Neighbours.
    pub neighbors: Vec<Neighbor>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Counters and tunables by their names.
    pub numbers: BTreeMap<String, u64>,
}

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                   uid  timeout inode";
const TCP6: &str = "  sl  local_address                         remote_address                        \
                    st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                   uid  timeout inode ref pointer drops";
const UDP6: &str = "  sl  local_address                         remote_address                        \
                    st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";

/// Writes `net/tcp`, `tcp6`, `udp`, `udp6`, `arp`, `route`, `snmp` and `netstat` into a folder,
/// which may then be what `PROC_ROOT` names. Each file is there as a whole or not at all.
///
/// # Errors
/// What the kernel says of folder or files.
pub fn write_all(root: &Path, tables: &Tables) -> io::Result<()> {
    let folder = root.join("net");
    fs::create_dir_all(&folder)?;
    for (name, text) in tables.files(ByteOrder::NATIVE) {
        let new = folder.join(format!(".{name}.new"));
        fs::write(&new, text)?;
        fs::rename(&new, folder.join(name))?;
    }
    Ok(())
}

impl Tables {
    /// Each file by its name.
    pub fn files(&self, order: ByteOrder) -> [(&'static str, String); 8] {
        let sockets =
            |header, width, protocol, v4| self.sockets(header, width, (protocol, v4), order);
        [
            ("tcp", sockets(TCP, 149, Protocol::Tcp, true)),
            ("tcp6", sockets(TCP6, 0, Protocol::Tcp, false)),
            ("udp", sockets(UDP, 127, Protocol::Udp, true)),
            ("udp6", sockets(UDP6, 0, Protocol::Udp, false)),
            ("arp", self.arp()),
            ("route", self.route(order)),
            ("snmp", self.snmp()),
            ("netstat", self.netstat()),
        ]
    }

    fn sockets(
        &self,
        header: &str,
        width: usize,
        (protocol, v4): (Protocol, bool),
        order: ByteOrder,
    ) -> String {
        let fits = |s: &&Socket| s.protocol == protocol && s.local.is_ipv4() == v4;
        // Listeners first, as Linux has them.
        let listens = |s: &&Socket| s.state == SocketState::Listen;
        let listeners = self.sockets.iter().filter(fits).filter(listens);
        let others = self.sockets.iter().filter(fits).filter(|s| !listens(s));
        let mut text = format!("{header:<width$}\n");
        for (number, socket) in listeners.chain(others).enumerate() {
            text += &written_row(number, socket, order);
        }
        text
    }

    fn interface(&self, id: u8) -> &str {
        let found = self.interfaces.iter().find(|interface| interface.id == id);
        found.map_or("?", |interface| &interface.name)
    }

    fn arp(&self) -> String {
        let mut text = "IP address       HW type     Flags       HW address            Mask     \
                        Device\n"
            .to_owned();
        for neighbor in self.neighbors.iter().filter(|n| n.addr.is_ipv4()) {
            // ATF_COM, ATF_PERM.
            let flags = match neighbor.mac {
                None => 0,
                Some(_) if neighbor.state == "PERMANENT" => 6,
                Some(_) => 2,
            };
            let mac = neighbor.mac.unwrap_or_default();
            let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
            text += &format!(
                "{:<16} 0x{:<10x}0x{flags:<10x}{mac:<17}     *        {}\n",
                neighbor.addr.to_string(),
                1,
                self.interface(neighbor.interface),
            );
        }
        text
    }

    fn route(&self, order: ByteOrder) -> String {
        let header =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
        let mut text = format!("{header:<127}\n");
        for route in &self.routes {
            let (IpAddr::V4(dst), None | Some(IpAddr::V4(_))) = (route.dst, route.via) else {
                continue;
            };
            let via = match route.via {
                Some(IpAddr::V4(via)) => v4_word(via, order),
                Some(IpAddr::V6(_)) | None => 0,
            };
            // RTF_UP, RTF_GATEWAY, RTF_HOST.
            let mut flags = 1;
            flags |= if route.via.is_some() { 2 } else { 0 };
            flags |= if route.prefix == 32 { 4 } else { 0 };
            let mask = u32::MAX
                .checked_shl(32 - u32::from(route.prefix.min(32)))
                .unwrap_or(0);
            let mask = order.bytes_to_word(mask.to_be_bytes());
            let line = format!(
                "{}\t{:08X}\t{via:08X}\t{flags:04X}\t0\t0\t{}\t{mask:08X}\t0\t0\t0",
                self.interface(route.interface),
                v4_word(dst, order),
                route.metric,
            );
            text += &format!("{line:<127}\n");
        }
        text
    }

    fn number(&self, names: &[&str]) -> u64 {
        let number = |name: &&str| self.numbers.get(*name).copied().unwrap_or(0);
        names.iter().map(number).fold(0, u64::wrapping_add)
    }

    fn established(&self) -> u64 {
        let open = |s: &&Socket| {
            let open = matches!(s.state, SocketState::Established | SocketState::CloseWait);
            s.protocol == Protocol::Tcp && open
        };
        self.sockets.iter().filter(open).count() as u64
    }

    /// A group of numbers: a line of names and one of values.
    fn group(name: &str, numbers: &[(&str, u64)]) -> String {
        let names: Vec<_> = numbers.iter().map(|(name, _)| *name).collect();
        let values: Vec<_> = numbers.iter().map(|(_, value)| value.to_string()).collect();
        format!(
            "{name}: {}\n{name}: {}\n",
            names.join(" "),
            values.join(" ")
        )
    }

    fn snmp(&self) -> String {
        let n = |names: &[&str]| self.number(names);
        let ip = Tables::group(
            "Ip",
            &[
                // Not forwarding.
                ("Forwarding", 2),
                ("DefaultTTL", n(&["ip_default_ttl"])),
                ("InReceives", n(&["ip.received"])),
                (
                    "InHdrErrors",
                    n(&[
                        "drop.ip-malformed",
                        "drop.ip-checksum",
                        "drop.ip-bad-extension",
                    ]),
                ),
                ("InAddrErrors", n(&["drop.martian", "drop.ip-not-for-us"])),
                ("ForwDatagrams", 0),
                ("InUnknownProtos", n(&["drop.unknown-protocol"])),
                ("InDiscards", n(&["drop.fragment", "drop.unknown-version"])),
                ("InDelivers", n(&["ip.delivered"])),
                ("OutRequests", n(&["output.received"])),
                (
                    "OutDiscards",
                    n(&[
                        "drop.neighbor-failed",
                        "drop.neighbor-full",
                        "drop.packet-memory",
                        "drop.too-big",
                        "drop.rate-limited",
                        "drop.source-gone",
                    ]),
                ),
                ("OutNoRoutes", n(&["drop.no-route"])),
                ("ReasmTimeout", 0),
                ("ReasmReqds", 0),
                ("ReasmOKs", 0),
                ("ReasmFails", 0),
                ("FragOKs", 0),
                ("FragFails", 0),
                ("FragCreates", 0),
                ("OutTransmits", n(&["output.delivered"])),
            ],
        );
        let icmp = Tables::group(
            "Icmp",
            &[
                ("InMsgs", n(&["icmp.received"])),
                ("InErrors", n(&["drop.icmp-malformed"])),
                ("InCsumErrors", n(&["drop.icmp-checksum"])),
                ("OutMsgs", n(&["icmp.errors_sent", "icmp.echo_replies"])),
                ("OutErrors", 0),
                ("OutEchoReps", n(&["icmp.echo_replies"])),
            ],
        );
        let tcp = Tables::group(
            "Tcp",
            &[
                // Van Jacobson's.
                ("RtoAlgorithm", 4),
                ("RtoMin", n(&["tcp_rto_min_us"]) / 1000),
                ("RtoMax", n(&["tcp_rto_max_ms"])),
                ("MaxConn", 0),
                ("ActiveOpens", n(&["tcp.active_opens"])),
                ("PassiveOpens", n(&["tcp.passive_opens"])),
                ("AttemptFails", n(&["tcp.half_open_timed_out"])),
                ("EstabResets", 0),
                ("CurrEstab", self.established()),
                ("InSegs", n(&["tcp.received"])),
                ("OutSegs", n(&["tcp.segments_sent"])),
                ("RetransSegs", n(&["tcp.segments_retransmitted"])),
                ("InErrs", n(&["drop.tcp-malformed", "drop.tcp-checksum"])),
                ("OutRsts", n(&["tcp.resets_sent"])),
                ("InCsumErrors", n(&["drop.tcp-checksum"])),
            ],
        );
        let udp = Tables::group(
            "Udp",
            &[
                ("InDatagrams", n(&["udp.delivered"])),
                ("NoPorts", n(&["drop.udp-no-socket"])),
                (
                    "InErrors",
                    n(&[
                        "drop.udp-malformed",
                        "drop.udp-checksum",
                        "drop.udp-queue-full",
                    ]),
                ),
                ("OutDatagrams", 0),
                ("RcvbufErrors", n(&["drop.udp-queue-full"])),
                ("SndbufErrors", 0),
                ("InCsumErrors", n(&["drop.udp-checksum"])),
                ("IgnoredMulti", 0),
                ("MemErrors", 0),
            ],
        );
        [ip, icmp, tcp, udp].concat()
    }

    fn netstat(&self) -> String {
        let n = |names: &[&str]| self.number(names);
        let tcp = Tables::group(
            "TcpExt",
            &[
                ("SyncookiesSent", n(&["tcp.syn_cookies_sent"])),
                ("SyncookiesRecv", n(&["tcp.syn_cookies_accepted"])),
                ("SyncookiesFailed", n(&["drop.tcp-bad-cookie"])),
                ("PAWSEstab", n(&["drop.tcp-paws"])),
                ("ListenOverflows", n(&["drop.tcp-accept-queue-full"])),
                (
                    "ListenDrops",
                    n(&[
                        "drop.tcp-accept-queue-full",
                        "drop.tcp-syn-queue-full",
                        "drop.tcp-no-slot",
                    ]),
                ),
                ("TCPReqQFullDrop", n(&["drop.tcp-syn-queue-full"])),
                ("TCPTimeWaitOverflow", n(&["tcp.time_wait_evicted"])),
                (
                    "TCPChallengeACK",
                    n(&["drop.tcp-challenged-rst", "drop.tcp-challenged-syn"]),
                ),
                ("TCPSYNChallenge", n(&["drop.tcp-challenged-syn"])),
                ("TCPOFODrop", n(&["drop.tcp-ranges-full"])),
                ("TCPRcvQDrop", n(&["drop.tcp-no-memory"])),
            ],
        );
        let ip = Tables::group(
            "IpExt",
            &[
                ("InNoRoutes", 0),
                ("InTruncatedPkts", n(&["drop.ip-malformed"])),
                ("InCsumErrors", n(&["drop.ip-checksum"])),
            ],
        );
        [tcp, ip].concat()
    }
}
