//! The client's messages, with what RFC 2131 table 5 has in each.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use netloom_stack::Stack;
use netloom_stack::udp::UdpMessage;
use netloom_wire::WireError;
use netloom_wire::dhcpv4::{
    Dhcpv4Repr, Dhcpv4Writer, Fqdn, Hardware, MAX_LEN, MessageType, SERVER_PORT, code,
};

use super::Client;
use super::lease::Lease;
use crate::dhcp::SECOND;

/// The options asked for, in the order wanted (RFC 2132 §9.8).
//= https://www.rfc-editor.org/rfc/rfc3442
//# DHCP clients that support this option and send a parameter request
//# list MAY also request the Static Routes option, for compatibility
//# with older servers that don't support Classless Static Routes.  The
//# Classless Static Routes option code MUST appear in the parameter
//# request list prior to both the Router option code and the Static
//# Routes option code, if present.
const WANTED: [u8; 11] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTER,
    code::DNS_SERVER,
    code::HOST_NAME,
    code::DOMAIN_NAME,
    code::INTERFACE_MTU,
    code::NTP_SERVER,
    code::LEASE_TIME,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// A message, as far as they differ.
struct Message {
    kind: MessageType,
    ciaddr: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    /// To the server alone, from the address in use.
    to: Option<Ipv4Addr>,
    from: Ipv4Addr,
}

impl Message {
    const fn broadcast(kind: MessageType) -> Message {
        Message {
            kind,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
            to: None,
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# DHCP messages broadcast by a client prior to that client obtaining
            //# its IP address must have the source address field in the IP header
            //# set to 0.
            from: Ipv4Addr::UNSPECIFIED,
        }
    }
}

impl Client {
    /// A new transaction.
    pub(super) fn start_exchange(&mut self, stack: &mut Stack) {
        self.xid = self.fixed_xid.take().unwrap_or(stack.random_u32());
        self.began = stack.now();
        self.secs = 0;
        self.backoff = super::Backoff::START;
        self.choice = None;
    }

    pub(super) fn send_discover(&mut self, stack: &mut Stack) {
        let seconds = stack.now().micros_since(self.began) / SECOND;
        self.secs = u16::try_from(seconds).unwrap_or(u16::MAX);
        let requested = self.wish;
        self.send(
            stack,
            &Message {
                requested,
                ..Message::broadcast(MessageType::Discover)
            },
        );
    }

    /// REQUEST in SELECTING: for what was offered.
    pub(super) fn send_selecting(&mut self, stack: &mut Stack) {
        let Some(choice) = self.choice else { return };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# Client inserts the address of the selected server in 'server
        //# identifier', 'ciaddr' MUST be zero, 'requested IP address' MUST be
        //# filled in with the yiaddr value from the chosen DHCPOFFER.
        self.send_request(
            stack,
            &Message {
                requested: Some(choice.address),
                server: Some(choice.server),
                ..Message::broadcast(MessageType::Request)
            },
        );
    }

    /// REQUEST in INIT-REBOOT: for the address remembered.
    pub(super) fn send_rebooting(&mut self, stack: &mut Stack) {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# 'server identifier' MUST NOT be filled in, 'requested IP address'
        //# option MUST be filled in with client's notion of its previously
        //# assigned address. 'ciaddr' MUST be zero.
        let requested = self.wish;
        self.send_request(
            stack,
            &Message {
                requested,
                ..Message::broadcast(MessageType::Request)
            },
        );
    }

    /// REQUEST in RENEWING, to the server, or in REBINDING, to all.
    pub(super) fn send_extending(&mut self, stack: &mut Stack, to_all: bool) {
        let Some(lease) = &self.lease else { return };
        let (own, server) = (lease.ip(), lease.server);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# 'server identifier' MUST NOT be filled in, 'requested IP address'
        //# option MUST NOT be filled in, 'ciaddr' MUST be filled in with
        //# client's IP address.
        self.send_request(
            stack,
            &Message {
                ciaddr: own,
                to: (!to_all).then_some(server),
                from: own,
                ..Message::broadcast(MessageType::Request)
            },
        );
    }

    fn send_request(&mut self, stack: &mut Stack, message: &Message) {
        self.asked_at = stack.now();
        self.send(stack, message);
    }

    pub(super) fn send_decline(&mut self, stack: &mut Stack, address: Ipv4Addr, server: Ipv4Addr) {
        self.xid = stack.random_u32();
        self.secs = 0;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.4
        //# Because the
        //# client is declining the use of the IP address supplied by the server,
        //# the client broadcasts DHCPDECLINE messages.
        self.send(
            stack,
            &Message {
                requested: Some(address),
                server: Some(server),
                ..Message::broadcast(MessageType::Decline)
            },
        );
    }

    pub(super) fn send_release(&mut self, stack: &mut Stack) {
        let Some((own, server)) = self.lease.as_ref().map(|l| (l.ip(), l.server)) else {
            return;
        };
        self.xid = stack.random_u32();
        self.secs = 0;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.4
        //# The
        //# client unicasts DHCPRELEASE messages to the server.
        self.send(
            stack,
            &Message {
                ciaddr: own,
                server: Some(server),
                to: Some(server),
                from: own,
                ..Message::broadcast(MessageType::Release)
            },
        );
    }

    pub(super) fn send_inform(&mut self, stack: &mut Stack) {
        let Some(own) = self.wish else { return };
        self.asked_at = stack.now();
        self.send(
            stack,
            &Message {
                ciaddr: own,
                from: own,
                ..Message::broadcast(MessageType::Inform)
            },
        );
    }

    /// Sends a message, or does not: what is lost here is sent again as what is lost on the way.
    fn send(&mut self, stack: &mut Stack, message: &Message) {
        // On the lent profile the stack of the processor is short too: the message is as long as
        // everybody accepts, and no longer.
        let mut buffer = [0; MAX_LEN];
        let Ok(len) = self.write(message, &mut buffer) else {
            count!(self.counters, unsent);
            return;
        };
        let to = SocketAddr::new(
            IpAddr::V4(message.to.unwrap_or(Ipv4Addr::BROADCAST)),
            SERVER_PORT,
        );
        // A server that was gone a while ago may be back.
        let _ = stack.udp_take_error(self.socket);
        let kind = message.kind;
        let message = UdpMessage {
            to: Some(to),
            from: Some(IpAddr::V4(message.from)),
        };
        let data = buffer.get(..len).unwrap_or_default();
        if stack.udp_send_message(self.socket, &message, data).is_err() {
            count!(self.counters, unsent);
            return;
        }
        match kind {
            MessageType::Discover => count!(self.counters, discovers),
            MessageType::Request => count!(self.counters, requests),
            MessageType::Decline => count!(self.counters, declines),
            MessageType::Release => count!(self.counters, releases),
            MessageType::Inform => count!(self.counters, informs),
            // What servers say.
            MessageType::Offer | MessageType::Ack | MessageType::Nak | MessageType::Other(_) => {}
        }
    }

    fn write(&self, message: &Message, buffer: &mut [u8]) -> Result<usize, WireError> {
        let Message {
            kind,
            ciaddr,
            requested,
            server,
            to: _,
            from: _,
        } = *message;
        let settings = &self.settings;
        // Table 5: DECLINE and RELEASE tell nothing but who, what and to whom.
        let asks = !matches!(kind, MessageType::Decline | MessageType::Release);
        let header = Dhcpv4Repr {
            xid: self.xid,
            secs: self.secs,
            // Who has an address is reached at it.
            broadcast: asks && settings.broadcast && ciaddr.is_unspecified(),
            ciaddr,
            hardware: Hardware::ethernet(self.mac.0),
            ..Dhcpv4Repr::request()
        };
        let mut options = header.emit(buffer)?;
        options.message_type(kind);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
        //# If the client supplies a 'client identifier', the client MUST use the
        //# same 'client identifier' in all subsequent messages
        options.put(code::CLIENT_IDENTIFIER, settings.client_id.as_bytes());
        if let Some(requested) = requested {
            options.put_addr(code::REQUESTED_ADDRESS, requested);
        }
        if let Some(server) = server {
            options.put_addr(code::SERVER_IDENTIFIER, server);
        }
        if asks {
            self.write_wishes(kind, &mut options);
        }
        options.finish()
    }

    fn write_wishes(&self, kind: MessageType, options: &mut Dhcpv4Writer<'_>) {
        let settings = &self.settings;
        if let Some(seconds) = settings.lease_time {
            // Table 5: there is no lease to speak of in INFORM.
            if kind != MessageType::Inform {
                options.put_u32(code::LEASE_TIME, seconds);
            }
        }
        options.put(code::PARAMETER_REQUEST_LIST, &WANTED);
        //= https://www.rfc-editor.org/rfc/rfc4702#section-3.1
        //# therefore clients that send the Client FQDN option in their messages
        //# MUST NOT also send the Host Name option.
        let named =
            !settings.fqdn.is_empty() && options.put_fqdn(Fqdn::SERVER, settings.fqdn.as_str());
        if !named && !settings.hostname.is_empty() {
            options.put(code::HOST_NAME, settings.hostname.as_str().as_bytes());
        }
        if !settings.vendor_class.is_empty() {
            options.put(
                code::VENDOR_CLASS,
                settings.vendor_class.as_str().as_bytes(),
            );
        }
    }

    /// The address and server of the lease.
    pub(super) fn leased(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let lease: &Lease = self.lease.as_ref()?;
        Some((lease.ip(), lease.server))
    }
}
