//! `struct tcp_info` of Linux, byte for byte, and behind it `struct tcp_bbr_info`: what `TCP_INFO`
//! and `TCP_CC_INFO` give and code blocks read.

use netloom_stack::{State, TcpInfo};

/// The size of `tcp_info`.
pub(crate) const SIZE: usize = 280;
/// Where `tcp_bbr_info` begins in what code blocks read: behind `tcp_info` and what the stack
/// tells beside.
pub(crate) const CONGESTION: usize = SIZE + 28;
/// The size of `tcp_bbr_info`.
const BBR_SIZE: usize = 20;

/// A field: its name, where it begins, how many bits of which bytes it has.
#[derive(Clone, Copy)]
enum Place {
    Byte(usize),
    LowNibble(usize),
    HighNibble(usize),
    Word(usize),
    DoubleWord(usize),
}

/// The fields that netloom fills; others are no names of a code block.
const FIELDS: [(&str, Place); 41] = [
    ("tcpi_state", Place::Byte(0)),
    ("tcpi_ca_state", Place::Byte(1)),
    ("tcpi_retransmits", Place::Byte(2)),
    ("tcpi_probes", Place::Byte(3)),
    ("tcpi_backoff", Place::Byte(4)),
    ("tcpi_options", Place::Byte(5)),
    ("tcpi_snd_wscale", Place::LowNibble(6)),
    ("tcpi_rcv_wscale", Place::HighNibble(6)),
    ("tcpi_rto", Place::Word(8)),
    ("tcpi_snd_mss", Place::Word(16)),
    ("tcpi_unacked", Place::Word(24)),
    ("tcpi_sacked", Place::Word(28)),
    ("tcpi_lost", Place::Word(32)),
    ("tcpi_pmtu", Place::Word(60)),
    ("tcpi_rtt", Place::Word(68)),
    ("tcpi_rttvar", Place::Word(72)),
    ("tcpi_snd_ssthresh", Place::Word(76)),
    ("tcpi_snd_cwnd", Place::Word(80)),
    ("tcpi_advmss", Place::Word(84)),
    ("tcpi_reordering", Place::Word(88)),
    ("tcpi_total_retrans", Place::Word(100)),
    ("tcpi_pacing_rate", Place::DoubleWord(104)),
    ("tcpi_max_pacing_rate", Place::DoubleWord(112)),
    ("tcpi_notsent_bytes", Place::Word(144)),
    ("tcpi_min_rtt", Place::Word(148)),
    ("tcpi_delivered", Place::Word(192)),
    ("tcpi_snd_wnd", Place::Word(228)),
    ("tcpi_rcv_wnd", Place::Word(232)),
    // Not of the structure: what the stack tells beside lies behind it.
    ("unpredicted_received", Place::Word(SIZE)),
    ("unpredicted_sent", Place::Word(SIZE + 4)),
    ("timer", Place::Word(SIZE + 8)),
    ("timer_when", Place::Word(SIZE + 12)),
    ("timer_tries", Place::Word(SIZE + 16)),
    ("ended_rtt", Place::Word(SIZE + 20)),
    ("ended_retrans", Place::Word(SIZE + 24)),
    ("bbr_bw", Place::DoubleWord(CONGESTION)),
    ("bbr_bw_lo", Place::Word(CONGESTION)),
    ("bbr_bw_hi", Place::Word(CONGESTION + 4)),
    ("bbr_min_rtt", Place::Word(CONGESTION + 8)),
    ("bbr_pacing_gain", Place::Word(CONGESTION + 12)),
    ("bbr_cwnd_gain", Place::Word(CONGESTION + 16)),
];

/// Whether netloom fills a field of this name.
pub(crate) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(known, _)| *known == name)
}

/// Whether a field is BBR's alone.
pub(crate) fn is_of_bbr(name: &str) -> bool {
    name.starts_with("bbr_")
}

/// A field's value in the structures' bytes.
pub(crate) fn read(bytes: &[u8], name: &str) -> Option<i64> {
    let (_, place) = FIELDS.iter().find(|(known, _)| *known == name)?;
    let array = |at: usize, len: usize| bytes.get(at..at + len);
    Some(match *place {
        Place::Byte(at) => i64::from(*bytes.get(at)?),
        Place::LowNibble(at) => i64::from(*bytes.get(at)? & 0xf),
        Place::HighNibble(at) => i64::from(*bytes.get(at)? >> 4),
        Place::Word(at) => i64::from(u32::from_ne_bytes(array(at, 4)?.try_into().ok()?)),
        Place::DoubleWord(at) => {
            let value = u64::from_ne_bytes(array(at, 8)?.try_into().ok()?);
            i64::try_from(value).unwrap_or(i64::MAX)
        }
    })
}

fn write(bytes: &mut [u8], name: &str, value: u64) {
    let Some((_, place)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        return;
    };
    match *place {
        Place::Byte(at) => bytes[at] = value as u8,
        Place::LowNibble(at) => bytes[at] |= value as u8 & 0xf,
        Place::HighNibble(at) => bytes[at] |= (value as u8) << 4,
        Place::Word(at) => bytes[at..at + 4].copy_from_slice(&(value as u32).to_ne_bytes()),
        Place::DoubleWord(at) => bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes()),
    }
}

/// The structure's bytes. Where Linux counts segments, octets are divided by the segment size.
pub(crate) fn bytes(info: &TcpInfo, reordering: u8, v6: bool) -> [u8; SIZE] {
    // Of IP and TCP, without options.
    let headers = if v6 { 60 } else { 40 };
    let mss = u32::from(info.snd_mss).max(1);
    let segments = |octets: u32| u64::from(octets.div_ceil(mss));
    let option = |on: bool, bit: u64| if on { bit } else { 0 };
    let ssthresh = match info.ssthresh {
        // Linux's TCP_INFINITE_SSTHRESH.
        u32::MAX => 0x7fff_ffff,
        octets => u64::from(octets / mss),
    };
    // Without a bound, all ones.
    let rate = |rate: Option<u64>| rate.filter(|rate| *rate > 0).unwrap_or(u64::MAX);
    let mut bytes = [0; SIZE];
    let fields = [
        ("tcpi_state", u64::from(linux_state(info.state))),
        ("tcpi_ca_state", info.ca_state as u64),
        ("tcpi_retransmits", info.retransmits.into()),
        ("tcpi_probes", info.probes.into()),
        ("tcpi_backoff", info.backoff.into()),
        (
            "tcpi_options",
            option(info.timestamps, 1)
                | option(info.sack, 2)
                | option(info.snd_wscale.is_some(), 4)
                | option(info.ecn, 8),
        ),
        ("tcpi_snd_wscale", info.snd_wscale.unwrap_or(0).into()),
        ("tcpi_rcv_wscale", info.rcv_wscale.unwrap_or(0).into()),
        ("tcpi_rto", info.rto.into()),
        ("tcpi_snd_mss", info.snd_mss.into()),
        ("tcpi_unacked", segments(info.unacked)),
        ("tcpi_sacked", segments(info.sacked)),
        ("tcpi_lost", segments(info.lost)),
        ("tcpi_pmtu", u64::from(info.path_mss) + headers),
        ("tcpi_rtt", info.srtt.into()),
        ("tcpi_rttvar", info.rttvar.into()),
        ("tcpi_snd_ssthresh", ssthresh),
        ("tcpi_snd_cwnd", u64::from(info.cwnd / mss)),
        ("tcpi_advmss", info.advmss.into()),
        ("tcpi_reordering", reordering.into()),
        ("tcpi_total_retrans", info.total_retransmissions.into()),
        ("tcpi_pacing_rate", rate(Some(info.pacing_rate))),
        ("tcpi_max_pacing_rate", rate(info.max_pacing_rate)),
        ("tcpi_notsent_bytes", info.unsent.into()),
        ("tcpi_min_rtt", info.min_rtt.into()),
        ("tcpi_delivered", segments(info.delivered)),
        ("tcpi_snd_wnd", info.snd_wnd.into()),
        ("tcpi_rcv_wnd", info.rcv_wnd.into()),
    ];
    for (name, value) in fields {
        write(&mut bytes, name, value);
    }
    bytes
}

/// `tcp_bbr_info`'s bytes, if BBR is in use; else none. Gains are in 256ths.
pub(crate) fn congestion_bytes(info: &TcpInfo) -> Vec<u8> {
    let Some(bbr) = info.bbr else {
        return Vec::new();
    };
    let gain = |hundredths: u32| u64::from(hundredths) * 256 / 100;
    let mut bytes = [0; CONGESTION + BBR_SIZE];
    for (name, value) in [
        ("bbr_bw", bbr.bw),
        ("bbr_min_rtt", bbr.min_rtt.into()),
        ("bbr_pacing_gain", gain(bbr.pacing_gain)),
        ("bbr_cwnd_gain", gain(bbr.cwnd_gain)),
    ] {
        write(&mut bytes, name, value);
    }
    bytes[CONGESTION..].to_vec()
}

/// Linux's number of a state.
pub(crate) fn linux_state(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}
