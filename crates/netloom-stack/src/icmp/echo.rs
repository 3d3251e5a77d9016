//! Echoes answered, in both versions.

use netloom_wire::checksum::Sum;

use crate::counters::{DropReason, count};
#[cfg(feature = "alloc")]
use crate::icmp::ReplyInPlace;
use crate::ip::Packet;
use crate::output::IpHeader;
#[cfg(feature = "alloc")]
use crate::output::LinkHeader;
#[cfg(feature = "alloc")]
use crate::stack::Sent;
use crate::stack::Stack;

impl Stack {
    /// Answers an echo request: the same data back.
    ///
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
    //# Every host MUST implement an ICMP Echo server function that
    //# receives Echo Requests and sends corresponding Echo Replies.
    pub(super) fn answer_echo(
        &mut self,
        packet: &Packet<'_>,
        reply_type: u8,
        pseudo: Option<()>,
    ) -> Result<(), DropReason> {
        #[cfg(feature = "flows")]
        if self.is_flows(packet.arrival.iface, &packet.dst) {
            return self.flow_echo(packet);
        }
        if self.tunables.icmp_echo_ignore_all {
            return Err(DropReason::IcmpUnhandled);
        }
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
        //# An ICMP Echo Request destined to an IP broadcast or IP
        //# multicast address MAY be silently discarded.
        if !packet.unicast {
            return Err(DropReason::IcmpBroadcast);
        }
        let ip = IpHeader {
            src: packet.dst,
            dst: packet.src,
            protocol: packet.protocol,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let message = packet.payload;
        let body = message.get(4..).unwrap_or_default();
        let start = match pseudo {
            Some(()) => netloom_wire::checksum::pseudo_header(
                &ip.src,
                &ip.dst,
                ip.protocol,
                message.len() as u32,
            ),
            None => Sum::new(),
        };
        let [high, low] = start.add(&[reply_type, 0]).add(body).finish().to_be_bytes();
        let head = [reply_type, 0, high, low];
        let arrival = packet.arrival;
        #[cfg(not(feature = "alloc"))]
        let answered =
            self.answer_message(arrival.iface, &ip, head, body.len(), packet.whole.len());
        #[cfg(feature = "alloc")]
        let answered = match arrival.echo {
            // Headers of the same length: the message already lies where the reply's must.
            Some(echo) if packet.whole.len() == ip.len().wrapping_add(message.len()) => {
                echo.set(Some(ReplyInPlace {
                    ip,
                    head,
                    len: message.len() as u16,
                }));
                true
            }
            Some(_) | None => false,
        };
        #[cfg(feature = "hold")]
        if !answered {
            self.send_packet(&ip, Some(arrival.iface), [&head, body])
                .map_err(|_| DropReason::IcmpNoMemory)?;
        }
        let _ = answered;
        count!(self, icmp_echo_replies);
        Ok(())
    }

    /// Makes a frame that brought an echo request the frame of its reply, back to the station it
    /// came from; returns its length.
    #[cfg(feature = "alloc")]
    pub(crate) fn reply_in_place(
        &mut self,
        iface: u8,
        frame: &mut [u8],
        reply: &ReplyInPlace,
    ) -> usize {
        let link = match self.interface(iface) {
            #[cfg(feature = "ethernet")]
            Some(interface) if interface.ethernet => match crate::link::ethernet_view(frame) {
                Ok(view) => LinkHeader::Ethernet {
                    dst: view.src(),
                    src: interface.mac,
                },
                Err(_) => return 0,
            },
            Some(_) => LinkHeader::None,
            None => return 0,
        };
        let len = usize::from(reply.len);
        let packet = link.emit(frame, reply.ip.dst.is_v4());
        let message = reply.ip.emit(packet, len);
        if let Some(head) = message.first_chunk_mut() {
            *head = reply.head;
        }
        self.count_sent(&mut Sent::default());
        link.len().wrapping_add(reply.ip.len()).wrapping_add(len)
    }
}
