//! Segments out whose headers are as usual: with timestamps alone, or those of a SYN.

use netloom_driver::{FrameSink, Full, TxCaps, TxMeta};
use netloom_wire::checksum::copy_and_sum;
use netloom_wire::plain::{Options, PlainRepr, put_checksum};

use crate::output::{IpHeader, LinkHeader};
use crate::tcp::output::TcpHead;

/// Writes a segment into a device if its headers are as usual and the device leaves checksums to
/// us. `None`: nothing is done.
#[inline(always)]
pub(in crate::tcp) fn write_usual(
    ip: &IpHeader,
    head: &TcpHead<'_>,
    payload: (&[u8], &[u8]),
    link: &LinkHeader,
    caps: &TxCaps,
    sink: &mut dyn FrameSink,
) -> Option<Result<(), Full>> {
    if caps.checksum || head.header.urgent != 0 {
        return None;
    }
    match *head.options.as_slice() {
        [a, b, c] => {
            let plain = with_options(ip, head, [a, b, c])?;
            Some(write_plain(&plain, payload, link, sink))
        }
        [a, b, c, d, e] => {
            let syn = with_options(ip, head, [a, b, c, d, e])?;
            Some(write_plain(&syn, payload, link, sink))
        }
        _ => None,
    }
}

/// The headers as they are written; `None`: they are not IPv4's.
#[inline(always)]
fn with_options<O: Options>(ip: &IpHeader, head: &TcpHead<'_>, options: O) -> Option<PlainRepr<O>> {
    let header = &head.header;
    Some(PlainRepr {
        src: ip.src.v4_octets()?,
        dst: ip.dst.v4_octets()?,
        ttl: ip.ttl,
        tos: ip.tos,
        ports: u32::from(header.src_port) << 16 | u32::from(header.dst_port),
        seq: header.seq,
        ack: header.ack,
        flags: header.flags,
        window: header.window,
        options,
    })
}

/// Writes a plain segment into a device: headers, payload in at most two pieces, checksums, in one
/// pass.
#[inline(always)]
pub(super) fn write_plain<O: Options>(
    plain: &PlainRepr<O>,
    payload: (&[u8], &[u8]),
    link: &LinkHeader,
    sink: &mut dyn FrameSink,
) -> Result<(), Full> {
    let payload_len = payload.0.len().wrapping_add(payload.1.len());
    let len = link
        .len()
        .wrapping_add(const { PlainRepr::<O>::LEN })
        .wrapping_add(payload_len);
    sink.frame(len, &TxMeta::default(), &mut |frame| {
        let place = link.emit(frame, true);
        let Some((headers, mut sum, body)) = plain.emit(payload_len as u16, place) else {
            return;
        };
        if payload_len > 0 {
            let (first, second) = body.split_at_mut(payload.0.len().min(body.len()));
            sum = copy_and_sum(first, payload.0, sum);
            if !payload.1.is_empty() {
                sum = copy_and_sum(second, payload.1, sum);
            }
        }
        put_checksum(headers, sum);
    })
}
