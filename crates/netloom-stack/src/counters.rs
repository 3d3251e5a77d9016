//! Every packet is accounted for: delivered, dropped under a reason, or held.

/// A counter: as wide as the machine's word, so that 32-bit firmware pays 4 bytes each. Wraps.
#[cfg(feature = "counters")]
pub type Count = usize;

macro_rules! drop_reasons {
    ($($layer:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)+ })+) => {
        /// Why a packet was dropped.
        #[cfg(any(test, feature = "counters", feature = "udp", feature = "ipv6", feature = "log", feature = "defmt"))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum DropReason {
            $($($(#[$doc])* $name,)+)+
        }

        /// Why a packet was dropped: of no weight where nothing counts or tells the reasons.
        #[cfg(not(any(test, feature = "counters", feature = "udp", feature = "ipv6", feature = "log", feature = "defmt")))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub struct DropReason;

        #[cfg(not(any(test, feature = "counters", feature = "udp", feature = "ipv6", feature = "log", feature = "defmt")))]
        #[expect(non_upper_case_globals, reason = "they stand for the variants of the enum")]
        impl DropReason {
            $($($(#[$doc])* pub const $name: DropReason = DropReason;)+)+

            /// What stands for every reason.
            pub const fn name(self) -> &'static str {
                "dropped"
            }
        }

        #[cfg(any(test, feature = "counters", feature = "udp", feature = "ipv6", feature = "log", feature = "defmt"))]
        impl DropReason {
            /// Every reason.
            pub const ALL: &'static [DropReason] = &[$($(DropReason::$name,)+)+];

            /// The layer that drops for this reason.
            pub const fn layer(self) -> Layer {
                match self {
                    $($(DropReason::$name => Layer::$layer,)+)+
                }
            }

            /// A short name for tables, in lower case with dashes.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(DropReason::$name => $text,)+)+
                }
            }
        }
    };
}

drop_reasons! {
    Link {
        /// The interface id is unknown to the stack.
        NoInterface = "no-interface",
        /// Shorter than its link header says.
        LinkTruncated = "link-truncated",
        /// Addressed to another station.
        NotForUs = "not-for-us",
        /// A multicast source address (IEEE 802.3 forbids it).
        BadLinkSource = "bad-link-source",
        /// An EtherType nobody here speaks.
        UnknownEthertype = "unknown-ethertype",
        /// A VLAN the interface is not a member of.
        UnknownVlan = "unknown-vlan",
    }
    Arp {
        /// Not ARP for Ethernet and IPv4, or cut short.
        ArpMalformed = "arp-malformed",
        /// A sender that cannot be one.
        ArpBadSender = "arp-bad-sender",
        /// About addresses that are not ours.
        ArpNotForUs = "arp-not-for-us",
        /// There was no memory for the answer.
        ArpNoMemory = "arp-no-memory",
    }
    Ip {
        /// Cut short, or lengths that contradict each other.
        IpMalformed = "ip-malformed",
        /// The IPv4 header checksum is wrong.
        IpChecksum = "ip-checksum",
        /// A source address that cannot be one here.
        Martian = "martian",
        /// Not addressed to this stack.
        IpNotForUs = "ip-not-for-us",
        /// A fragment; reassembly is not configured.
        Fragment = "fragment",
        /// An extension header or option that demands discarding.
        IpBadExtension = "ip-bad-extension",
        /// No protocol of that number here.
        UnknownProtocol = "unknown-protocol",
        /// The IP version is not compiled in.
        UnknownVersion = "unknown-version",
    }
    Icmp {
        /// Cut short or contradictory.
        IcmpMalformed = "icmp-malformed",
        /// The ICMP checksum is wrong.
        IcmpChecksum = "icmp-checksum",
        /// A type this stack has no use for.
        IcmpUnhandled = "icmp-unhandled",
        /// An error that quotes no packet of ours.
        IcmpUnsolicited = "icmp-unsolicited",
        /// An echo to a broadcast or multicast address.
        IcmpBroadcast = "icmp-broadcast",
        /// Neighbour discovery from beyond the link or otherwise invalid (RFC 4861 §7.1).
        NdInvalid = "nd-invalid",
        /// There was no memory for the answer, or in the queue of the echo socket it is for.
        IcmpNoMemory = "icmp-no-memory",
        /// An echo whose flow the program refused.
        IcmpFlowRefused = "icmp-flow-refused",
    }
    Udp {
        /// Cut short or contradictory.
        UdpMalformed = "udp-malformed",
        /// The UDP checksum is wrong or missing where it must be there.
        UdpChecksum = "udp-checksum",
        /// No socket on that port.
        UdpNoSocket = "udp-no-socket",
        /// The socket's queue is full.
        UdpQueueFull = "udp-queue-full",
        /// A datagram whose flow the program refused.
        UdpFlowRefused = "udp-flow-refused",
        /// A datagram for a new flow while flows took all they may.
        UdpFlowsFull = "udp-flows-full",
    }
    Tcp {
        /// Cut short, a bad data offset or bad options.
        TcpMalformed = "tcp-malformed",
        /// The TCP checksum is wrong.
        TcpChecksum = "tcp-checksum",
        /// To or from a broadcast or multicast address.
        TcpNotUnicast = "tcp-not-unicast",
        /// No connection and no listener.
        TcpNoSocket = "tcp-no-socket",
        /// A segment a listener cannot start a connection with.
        TcpNotSyn = "tcp-not-syn",
        /// A SYN while queues were full and no cookie could be sent.
        TcpSynQueueFull = "tcp-syn-queue-full",
        /// The last ACK of a handshake while the accept queue was full: the peer repeats it.
        TcpAcceptQueueFull = "tcp-accept-queue-full",
        /// A SYN cookie that was not valid (any more).
        TcpBadCookie = "tcp-bad-cookie",
        /// No slot was free for the connection.
        TcpNoSlot = "tcp-no-slot",
        /// Bytes that had arrived already.
        TcpDuplicate = "tcp-duplicate",
        /// Outside the receive window.
        TcpOutOfWindow = "tcp-out-of-window",
        /// An old timestamp (PAWS, RFC 7323 §5).
        TcpPaws = "tcp-paws",
        /// An acknowledgement of what was never sent, or far too old (RFC 5961 §5).
        TcpBadAck = "tcp-bad-ack",
        /// No ACK flag where every segment has one.
        TcpNoAck = "tcp-no-ack",
        /// A RST that did not match exactly; challenged (RFC 5961 §3).
        TcpChallengedRst = "tcp-challenged-rst",
        /// A SYN on a synchronized connection; challenged (RFC 5961 §4).
        TcpChallengedSyn = "tcp-challenged-syn",
        /// There was no memory for the data; the peer sends it again.
        TcpNoMemory = "tcp-no-memory",
        /// The list of out-of-order ranges was full; the peer sends it again.
        TcpRangesFull = "tcp-ranges-full",
        /// Data after the FIN, or after this side stopped reading.
        TcpAfterClose = "tcp-after-close",
        /// The segment meant nothing in the connection's state.
        TcpBadState = "tcp-bad-state",
        /// A SYN whose flow the program refused.
        TcpFlowRefused = "tcp-flow-refused",
        /// A SYN for a new flow while flows took all they may.
        TcpFlowsFull = "tcp-flows-full",
    }
    Output {
        /// No route led to the destination.
        NoRoute = "no-route",
        /// The neighbour never answered.
        NeighborFailed = "neighbor-failed",
        /// The neighbour table or a neighbour's waiting list was full.
        NeighborFull = "neighbor-full",
        /// No memory to keep the packet.
        PacketMemory = "packet-memory",
        /// The packet is larger than the link's MTU.
        TooBig = "too-big",
        /// Limited by the ICMP error rate.
        RateLimited = "rate-limited",
        /// The source address was removed meanwhile.
        SourceGone = "source-gone",
    }
}

/// The layer at which packets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Layer {
    /// Frames from devices.
    Link,
    /// ARP packets.
    Arp,
    /// IP packets.
    Ip,
    /// ICMP messages, neighbour discovery included.
    Icmp,
    /// UDP datagrams.
    Udp,
    /// TCP segments.
    Tcp,
    /// Packets this stack made.
    Output,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Layer; 7] = [
        Layer::Link,
        Layer::Arp,
        Layer::Ip,
        Layer::Icmp,
        Layer::Udp,
        Layer::Tcp,
        Layer::Output,
    ];

    /// The layer's name.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Link => "link",
            Layer::Arp => "arp",
            Layer::Ip => "ip",
            Layer::Icmp => "icmp",
            Layer::Udp => "udp",
            Layer::Tcp => "tcp",
            Layer::Output => "output",
        }
    }
}

#[cfg(feature = "counters")]
const REASONS: usize = DropReason::ALL.len();
#[cfg(feature = "counters")]
const LAYERS: usize = Layer::ALL.len();

/// Adds one to a field of a stack's counters, if they are compiled in.
macro_rules! count {
    ($stack:expr, $field:ident) => {{
        #[cfg(feature = "counters")]
        {
            let count = &mut $stack.counters.$field;
            *count = count.wrapping_add(1);
        }
    }};
}
pub(crate) use count;

/// What happened to every packet so far.
///
/// At each layer, at any moment outside a call:
/// `received = delivered + dropped + held` ([`Counters::balance`]). For [`Layer::Output`],
/// "received" means handed over for sending and "delivered" means accepted by a device.
#[cfg(feature = "counters")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    received: [Count; LAYERS],
    delivered: [Count; LAYERS],
    held: [Count; LAYERS],
    dropped: [Count; REASONS],
    /// TCP segments sent, retransmissions included.
    pub tcp_segments_sent: Count,
    /// TCP segments sent again.
    pub tcp_segments_retransmitted: Count,
    /// Segments of connections that were taken in through all layers: header prediction was not for
    /// them.
    #[cfg(target_pointer_width = "64")]
    pub tcp_unpredicted_received: Count,
    /// Segments of connections that went out through all layers likewise.
    #[cfg(target_pointer_width = "64")]
    pub tcp_unpredicted_sent: Count,
    /// RSTs sent.
    pub tcp_resets_sent: Count,
    /// Connections opened by this side.
    pub tcp_active_opens: Count,
    /// Connections opened by peers (handshakes completed).
    pub tcp_passive_opens: Count,
    /// Connections opened at once by data on a SYN (RFC 7413).
    pub tcp_fast_opens: Count,
    /// SYN cookies sent.
    pub tcp_syn_cookies_sent: Count,
    /// SYN cookies that came back valid.
    pub tcp_syn_cookies_accepted: Count,
    /// TIME-WAIT entries given up early because the table was full.
    pub tcp_time_wait_evicted: Count,
    /// SYN-RECEIVED entries that timed out.
    pub tcp_half_open_timed_out: Count,
    /// ICMP errors sent.
    pub icmp_errors_sent: Count,
    /// Echo replies sent.
    pub icmp_echo_replies: Count,
    /// TCP flows refused: at once (the SYN is dropped as [`DropReason::TcpFlowRefused`] then),
    /// after they were held, or as nobody decided upon them. Of the packets of a flow that is held
    /// the first was delivered to who decides, so that a later refusal drops none.
    #[cfg(feature = "flows")]
    pub tcp_flows_refused: Count,
    /// UDP flows refused, at once or later.
    #[cfg(feature = "flows")]
    pub udp_flows_refused: Count,
    /// Echo flows refused, at once or later.
    #[cfg(feature = "flows")]
    pub icmp_flows_refused: Count,
}

/// A layer whose packets do not add up: a bug in the stack.
#[cfg(feature = "counters")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imbalance {
    /// Where.
    pub layer: Layer,
    /// Packets that came in.
    pub received: Count,
    /// Packets delivered, dropped and held.
    pub accounted: Count,
}

#[cfg(feature = "counters")]
impl Counters {
    pub(crate) const EMPTY: Counters = Counters {
        received: [0; LAYERS],
        delivered: [0; LAYERS],
        held: [0; LAYERS],
        dropped: [0; REASONS],
        tcp_segments_sent: 0,
        tcp_segments_retransmitted: 0,
        #[cfg(target_pointer_width = "64")]
        tcp_unpredicted_received: 0,
        #[cfg(target_pointer_width = "64")]
        tcp_unpredicted_sent: 0,
        tcp_resets_sent: 0,
        tcp_active_opens: 0,
        tcp_passive_opens: 0,
        tcp_fast_opens: 0,
        tcp_syn_cookies_sent: 0,
        tcp_syn_cookies_accepted: 0,
        tcp_time_wait_evicted: 0,
        tcp_half_open_timed_out: 0,
        icmp_errors_sent: 0,
        icmp_echo_replies: 0,
        #[cfg(feature = "flows")]
        tcp_flows_refused: 0,
        #[cfg(feature = "flows")]
        udp_flows_refused: 0,
        #[cfg(feature = "flows")]
        icmp_flows_refused: 0,
    };

    /// Packets that entered a layer.
    pub fn received(&self, layer: Layer) -> Count {
        self.received.get(layer as usize).copied().unwrap_or(0)
    }

    /// Packets that a layer handed on or used.
    pub fn delivered(&self, layer: Layer) -> Count {
        self.delivered.get(layer as usize).copied().unwrap_or(0)
    }

    /// Packets that a layer keeps for now.
    pub fn held(&self, layer: Layer) -> Count {
        self.held.get(layer as usize).copied().unwrap_or(0)
    }

    /// Packets dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> Count {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// Packets dropped by a layer for any reason.
    pub fn dropped_by(&self, layer: Layer) -> Count {
        DropReason::ALL
            .iter()
            .filter(|r| r.layer() == layer)
            .map(|r| self.dropped(*r))
            .fold(0, Count::wrapping_add)
    }

    /// Checks that at every layer packets in = delivered + dropped + held.
    ///
    /// # Errors
    /// The first layer that does not add up.
    pub fn balance(&self) -> Result<(), Imbalance> {
        for layer in Layer::ALL {
            let received = self.received(layer);
            let accounted = self
                .delivered(layer)
                .wrapping_add(self.dropped_by(layer))
                .wrapping_add(self.held(layer));
            if received != accounted {
                return Err(Imbalance {
                    layer,
                    received,
                    accounted,
                });
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn receive(&mut self, layer: Layer) {
        if let Some(n) = self.received.get_mut(layer as usize) {
            *n = n.wrapping_add(1);
        }
    }

    #[inline]
    pub(crate) fn deliver(&mut self, layer: Layer) {
        if let Some(n) = self.delivered.get_mut(layer as usize) {
            *n = n.wrapping_add(1);
        }
    }

    #[inline]
    pub(crate) fn hold(&mut self, layer: Layer) {
        if let Some(n) = self.held.get_mut(layer as usize) {
            *n = n.wrapping_add(1);
        }
    }

    #[inline]
    pub(crate) fn unhold(&mut self, layer: Layer) {
        if let Some(n) = self.held.get_mut(layer as usize) {
            *n = n.wrapping_sub(1);
        }
    }

    #[inline]
    pub(crate) fn discard(&mut self, reason: DropReason) {
        if let Some(n) = self.dropped.get_mut(reason as usize) {
            *n = n.wrapping_add(1);
        }
    }
}

/// Nothing is counted: the feature `counters` is off.
#[cfg(not(feature = "counters"))]
pub(crate) struct Counters;

#[cfg(not(feature = "counters"))]
impl Counters {
    pub(crate) const EMPTY: Counters = Counters;

    pub(crate) fn receive(&mut self, _: Layer) {}
    pub(crate) fn deliver(&mut self, _: Layer) {}
    pub(crate) fn hold(&mut self, _: Layer) {}
    pub(crate) fn unhold(&mut self, _: Layer) {}
    pub(crate) fn discard(&mut self, _: DropReason) {}
}
