//! SYN cookies: a SYN-ACK that needs no SYN entry (RFC 4987 §3.6).
//!
//! The ISS carries a keyed hash, a slow counter and an index into a table of MSS values. If the
//! peer sent timestamps, the low bits of ours carry its window scale and whether it permits
//! SACK. The caller supplies the hash: 32 bits of a keyed hash over addresses, ports and the
//! counter step; nothing here is secret.

use crate::listen::SynOffer;
use crate::{HalfOpen, SeqNum, Tunables};

/// The MSS values a cookie can carry, in octets.
pub const MSS_TABLE: [u16; 8] = [216, 536, 966, 1220, 1300, 1400, 1440, 1460];

/// Seconds per step of the counter. A cookie is accepted in the step it was made in and the
/// next: it lives for 64 to 128 s.
pub const STEP_SECONDS: u32 = 64;

/// Low bits of our timestamp that carry the peer's offer.
const OFFER_BITS: u32 = 5;
const OFFER_MASK: u32 = (1 << OFFER_BITS) - 1;
/// Four bits of window scale, 15 meaning none; one bit of SACK.
const NO_SCALE: u32 = 15;
const SACK_BIT: u32 = 1 << 4;

/// Layout of the ISS after subtracting IRS: 24 bits of hash, 5 of counter, 3 of MSS index.
const INDEX_BITS: u32 = 3;
const STEP_BITS: u32 = 5;
const STEP_MASK: u32 = (1 << STEP_BITS) - 1;
const HASH_SHIFT: u32 = INDEX_BITS + STEP_BITS;

/// The index of the largest MSS in the table that is no more than `mss`.
fn mss_index(mss: u16) -> u32 {
    let mut index = 0;
    for (i, &entry) in (0u32..).zip(MSS_TABLE.iter()) {
        if entry <= mss {
            index = i;
        }
    }
    index
}

/// The ISS of a SYN-ACK without an entry.
///
/// `step` counts periods of [`STEP_SECONDS`]; `hash` is keyed and covers the tuple and `step`;
/// `mss` is the peer's, or the default for its address family.
pub fn encode(step: u32, hash: u32, irs: SeqNum, mss: u16) -> SeqNum {
    let value = (hash << HASH_SHIFT) | ((step & STEP_MASK) << INDEX_BITS) | mss_index(mss);
    // Adding IRS keeps the number beyond that of an earlier incarnation, as an ISN should be.
    SeqNum(value).plus(irs.0)
}

/// The timestamp value of a SYN-ACK without an entry: `timestamp`, moved back to the latest
/// value whose low bits carry the offer.
pub fn encode_timestamp(timestamp: u32, offer: &SynOffer) -> u32 {
    let mut bits = match offer.window_scale {
        Some(scale) => u32::from(scale.min(crate::MAX_WINDOW_SCALE)),
        None => NO_SCALE,
    };
    if offer.sack {
        bits |= SACK_BIT;
    }
    let value = (timestamp & !OFFER_MASK) | bits;
    if value > timestamp {
        value.wrapping_sub(OFFER_MASK + 1)
    } else {
        value
    }
}

/// Checks the acknowledgment of a cookie and rebuilds the entry it stands for.
///
/// * `seq`, `ack`: those of the arriving segment, so that IRS is `seq - 1` and the ISS `ack - 1`;
/// * `step`: the counter now; `hash(step)`: the keyed hash for a step;
/// * `timestamps`: the segment's timestamps, value and echo less our offset, if it has any.
///
/// `None` if it is no cookie of ours, or one older than 128 s.
pub fn decode(
    step: u32,
    hash: &dyn Fn(u32) -> u32,
    seq: SeqNum,
    ack: SeqNum,
    timestamps: Option<(u32, u32)>,
    tunables: &Tunables,
) -> Option<HalfOpen> {
    let irs = seq - 1;
    let iss = ack - 1;
    let value = iss.minus(irs.0).0;
    let age = step.wrapping_sub(value >> INDEX_BITS) & STEP_MASK;
    if age > 1 {
        return None;
    }
    let made = step.wrapping_sub(age);
    if value >> HASH_SHIFT != hash(made) & (u32::MAX >> HASH_SHIFT) {
        return None;
    }
    let index = (value & ((1 << INDEX_BITS) - 1)) as usize;
    let mss = MSS_TABLE.get(index).copied()?;
    let mut offer = SynOffer {
        irs,
        mss: Some(mss),
        window_scale: None,
        sack: false,
        timestamps: None,
        ecn: false,
        window: 0,
    };
    if let Some((value, echo)) = timestamps {
        let scale = echo & NO_SCALE;
        offer.timestamps = Some(value);
        offer.sack = echo & SACK_BIT != 0;
        offer.window_scale = (scale != NO_SCALE).then_some(scale as u8);
    }
    Some(HalfOpen::new(iss, &offer, tunables))
}

#[cfg(all(
    test,
    feature = "sack",
    feature = "timestamps",
    feature = "window-scale"
))]
mod tests;
