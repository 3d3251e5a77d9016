use super::{MSS_TABLE, decode, encode, encode_timestamp};
use crate::listen::SynOffer;
use crate::{SeqNum, Tunables};
use proptest::prelude::*;

fn hash(step: u32) -> u32 {
    step.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995
}

fn offer(scale: Option<u8>, sack: bool) -> SynOffer {
    SynOffer {
        irs: SeqNum(0),
        mss: None,
        window_scale: scale,
        sack,
        timestamps: Some(1),
        ecn: false,
        window: 0,
    }
}

proptest! {
    #[test]
    fn lives_for_two_steps_and_no_longer(irs in any::<u32>(), mss in any::<u16>(), step in any::<u32>()) {
        let irs = SeqNum(irs);
        let iss = encode(step, hash(step), irs, mss);
        let tunables = Tunables::default();
        for (later, good) in [(0, true), (1, true), (2, false), (31, false), (u32::MAX, false)] {
            let now = step.wrapping_add(later);
            let entry = decode(now, &hash, irs + 1, iss + 1, None, &tunables);
            prop_assert_eq!(entry.is_some(), good);
            if let Some(entry) = entry {
                prop_assert_eq!((entry.iss(), entry.irs()), (iss, irs));
                let kept = entry.peer_mss().unwrap();
                prop_assert!(MSS_TABLE.contains(&kept));
                prop_assert!(kept <= mss.max(MSS_TABLE[0]));
                prop_assert_eq!(entry.window_scale(), None);
            }
        }
        // Another peer sequence number, another acknowledgment.
        prop_assert!(decode(step, &hash, irs + 1, iss + 2 + (1 << 8), None, &tunables).is_none());
        prop_assert!(decode(step, &hash, irs + 1 + (1 << 8), iss + 1, None, &tunables).is_none());
    }

    #[test]
    fn timestamps_carry_the_offer(now in any::<u32>(), scale in prop::option::of(0u8..20), sack in any::<bool>()) {
        let value = encode_timestamp(now, &offer(scale, sack));
        let late = now.wrapping_sub(value);
        prop_assert!(late < 32, "{} ticks back", late);
        let iss = encode(5, hash(5), SeqNum(9), 1460);
        let entry =
            decode(5, &hash, SeqNum(10), iss + 1, Some((77, value)), &Tunables::default()).unwrap();
        prop_assert_eq!(entry.window_scale(), scale.map(|s| s.min(14)));
        prop_assert_eq!(entry.sack(), sack);
        prop_assert!(entry.timestamps());
    }
}
