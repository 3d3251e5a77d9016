//! The server's messages, with what RFC 2131 table 3 has in each, and the way they go.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use netloom_stack::Stack;
use netloom_stack::udp::UdpMessage;
use netloom_wire::WireError;
use netloom_wire::dhcpv4::{
    CLIENT_PORT, Dhcpv4Repr, Dhcpv4View, Dhcpv4Writer, MAX_LEN, MessageType, SERVER_PORT, code,
};

use super::choose::Asking;
use super::config::Pool;
use super::store::Store;
use super::{BUFFER, Server};
use crate::dhcp::INFINITE;

/// Headers of IP and UDP, which the option counts.
const HEADERS: u16 = 28;

/// What a reply says beside who it is from.
struct Said<'p> {
    kind: MessageType,
    /// The address given; unspecified if none is.
    yiaddr: Ipv4Addr,
    /// Seconds of the lease, if it is about one.
    seconds: Option<u32>,
    /// Where mask and options come from.
    pool: Option<&'p Pool<'p>>,
}

impl<'a, S: Store> Server<'a, S> {
    /// The pool an address is of, or whose network it is in if it is reserved.
    pub(super) fn pool_of(&self, asking: &Asking, address: Ipv4Addr) -> Option<&'a Pool<'a>> {
        let mut pools = self.pools_at(asking.at);
        pools
            .find(|pool| pool.contains(address))
            .or_else(|| self.pools_at(asking.at).next())
    }

    pub(super) fn send_offer(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        address: Ipv4Addr,
    ) -> bool {
        let asking = self.asking(stack, view);
        let Some(pool) = self.pool_of(&asking, address) else {
            return false;
        };
        let wish = view.option(code::LEASE_TIME).and_then(|o| o.u32());
        let said = Said {
            kind: MessageType::Offer,
            yiaddr: address,
            seconds: Some(pool.lease_time.given(wish)),
            pool: Some(pool),
        };
        self.send_reply(stack, view, &said)
    }

    pub(super) fn send_ack(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        address: Ipv4Addr,
        seconds: u32,
    ) -> bool {
        let asking = self.asking(stack, view);
        let said = Said {
            kind: MessageType::Ack,
            yiaddr: address,
            seconds: Some(seconds),
            pool: self.pool_of(&asking, address),
        };
        self.send_reply(stack, view, &said)
    }

    pub(super) fn send_nak(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>) -> bool {
        let said = Said {
            kind: MessageType::Nak,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            seconds: None,
            pool: None,
        };
        self.send_reply(stack, view, &said)
    }

    /// The ACK to an INFORM from this address.
    pub(super) fn send_information(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        to: Ipv4Addr,
    ) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
        //# The server MUST NOT send a lease
        //# expiration time to the client and SHOULD NOT fill in 'yiaddr'.
        let said = Said {
            kind: MessageType::Ack,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            seconds: None,
            pool: self.pools_at(to).next(),
        };
        let mut buffer = [0; BUFFER];
        let Ok(len) = self.write(stack, view, &said, &mut buffer) else {
            count!(self.counters, unsent);
            return false;
        };
        let to = (to, CLIENT_PORT);
        self.send(stack, said.kind, to, buffer.get(..len).unwrap_or_default())
    }

    /// Writes a reply and sends it the way RFC 2131 §4.1 says.
    fn send_reply(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, said: &Said<'_>) -> bool {
        let mut buffer = [0; BUFFER];
        let Ok(len) = self.write(stack, view, said, &mut buffer) else {
            count!(self.counters, unsent);
            return false;
        };
        let to = self.way(stack, view, said);
        self.send(stack, said.kind, to, buffer.get(..len).unwrap_or_default())
    }

    fn way(&self, stack: &mut Stack, view: &Dhcpv4View<'_>, said: &Said<'_>) -> (Ipv4Addr, u16) {
        let broadcast = (Ipv4Addr::BROADCAST, CLIENT_PORT);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the 'giaddr' field in a DHCP message from a client is non-zero,
        //# the server sends any return messages to the 'DHCP server' port on the
        //# BOOTP relay agent whose address appears in 'giaddr'.
        if !view.giaddr().is_unspecified() {
            return (view.giaddr(), SERVER_PORT);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# In all cases, when 'giaddr' is zero, the server
        //# broadcasts any DHCPNAK messages to 0xffffffff.
        if said.kind == MessageType::Nak {
            return broadcast;
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the 'giaddr'
        //# field is zero and the 'ciaddr' field is nonzero, then the server
        //# unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'.
        if !view.ciaddr().is_unspecified() {
            return (view.ciaddr(), CLIENT_PORT);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is
        //# set, then the server broadcasts DHCPOFFER and DHCPACK messages to
        //# 0xffffffff.
        if view.broadcast() {
            return broadcast;
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the broadcast bit is not set and 'giaddr' is zero and
        //# 'ciaddr' is zero, then the server unicasts DHCPOFFER and DHCPACK
        //# messages to the client's hardware address and 'yiaddr' address.
        let mac = view.hardware().mac().filter(|mac| mac.is_unicast());
        let told = mac.is_some_and(|mac| stack.seed_neighbor(self.iface, said.yiaddr, mac).is_ok());
        if told {
            (said.yiaddr, CLIENT_PORT)
        } else {
            broadcast
        }
    }

    fn send(
        &mut self,
        stack: &mut Stack,
        kind: MessageType,
        to: (Ipv4Addr, u16),
        data: &[u8],
    ) -> bool {
        // A client that was gone is not this one.
        let _ = stack.udp_take_error(self.socket);
        let message = UdpMessage {
            to: Some(SocketAddr::new(IpAddr::V4(to.0), to.1)),
            from: None,
        };
        if stack.udp_send_message(self.socket, &message, data).is_err() {
            count!(self.counters, unsent);
            return false;
        }
        match kind {
            MessageType::Offer => count!(self.counters, offers),
            MessageType::Nak => count!(self.counters, naks),
            _ => count!(self.counters, acks),
        }
        true
    }

    fn write(
        &self,
        stack: &Stack,
        view: &Dhcpv4View<'_>,
        said: &Said<'_>,
        buffer: &mut [u8],
    ) -> Result<usize, WireError> {
        let near = self.asking(stack, view).at;
        let identifier = self.identifier(stack, near).ok_or(WireError::BadAddress)?;
        let nak = said.kind == MessageType::Nak;
        let mut header = Dhcpv4Repr::reply_to(view);
        header.yiaddr = said.yiaddr;
        if said.kind == MessageType::Ack {
            header.ciaddr = view.ciaddr();
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# If 'giaddr' is set in the DHCPREQUEST message, the client is on a
        //# different subnet.  The server MUST set the broadcast bit in the
        //# DHCPNAK, so that the relay agent will broadcast the DHCPNAK to the
        //# client, because the client may not have a correct network address
        //# or subnet mask, and the client may not be answering ARP requests.
        header.broadcast |= nak && !view.giaddr().is_unspecified();
        // What the client takes, as far as it goes in one packet.
        let most = view
            .option(code::MAX_MESSAGE_SIZE)
            .and_then(|option| option.u16())
            .map_or(MAX_LEN, |size| usize::from(size.saturating_sub(HEADERS)));
        let room = most.clamp(MAX_LEN, buffer.len());
        let mut options = header.emit(buffer.get_mut(..room).unwrap_or_default())?;
        options.message_type(said.kind);
        options.put_addr(code::SERVER_IDENTIFIER, identifier);
        // What finds no room after the options asked for would be missed more than they.
        //= https://www.rfc-editor.org/rfc/rfc6842#section-3
        //# If the 'client identifier' option is present in a message received
        //# from a client, the server MUST return the 'client identifier' option,
        //# unaltered, in its response message.
        echo(view, code::CLIENT_IDENTIFIER, &mut options);
        //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
        //# DHCP servers claiming to support the Relay Agent Information option
        //# SHALL echo the entire contents of the Relay Agent Information option
        //# in all replies.
        echo(view, code::RELAY_AGENT, &mut options);
        if let Some(seconds) = said.seconds {
            options.put_u32(code::LEASE_TIME, seconds);
            if seconds != INFINITE {
                options.put_u32(code::RENEWAL_TIME, seconds >> 1);
                options.put_u32(code::REBINDING_TIME, seconds.saturating_sub(seconds >> 3));
            }
        }
        if let Some(pool) = said.pool {
            if let Some(mask) = pool.network.netmask().v4_octets() {
                options.put(code::SUBNET_MASK, &mask);
            }
            write_options(view, pool, &mut options);
        }
        options.finish()
    }
}

/// Repeats an option of the client's message.
fn echo(view: &Dhcpv4View<'_>, code: u8, options: &mut Dhcpv4Writer<'_>) {
    if let Some(option) = view.option(code) {
        let mut buffer = [0; 255];
        if let Some(data) = option.copy_to(&mut buffer) {
            options.put_if_room(code, data);
        }
    }
}

/// The pool's options that the client asks for, in its order; all if it does not say.
fn write_options(view: &Dhcpv4View<'_>, pool: &Pool<'_>, options: &mut Dhcpv4Writer<'_>) {
    let own = |code: u8| {
        matches!(
            code,
            code::PAD
                | code::END
                | code::SUBNET_MASK
                | code::LEASE_TIME
                | code::OVERLOAD
                | code::MESSAGE_TYPE
                | code::SERVER_IDENTIFIER
                | code::RENEWAL_TIME
                | code::REBINDING_TIME
                | code::CLIENT_IDENTIFIER
                | code::RELAY_AGENT
        )
    };
    match view.option(code::PARAMETER_REQUEST_LIST) {
        Some(list) => {
            let mut told = [0_u64; 4];
            for code in list.filter(|code| !own(*code)) {
                // A client may name an option twice.
                let Some(word) = told.get_mut(usize::from(code >> 6)) else {
                    continue;
                };
                let bit = 1_u64 << (code & 63);
                if core::mem::replace(word, *word | bit) & bit != 0 {
                    continue;
                }
                for (_, data) in pool.options.iter().filter(|(known, _)| *known == code) {
                    options.put_if_room(code, data);
                }
            }
        }
        None => {
            for (code, data) in pool.options.iter().filter(|(code, _)| !own(*code)) {
                options.put_if_room(*code, data);
            }
        }
    }
}
