//! Layouts on the wire, every malformed pair, and the limits of each kind.

use std::vec;
use std::vec::Vec;

use super::*;

fn bytes(options: &TcpOptions) -> Vec<u8> {
    let mut buf = vec![0xee; options.len()];
    options.emit(&mut buf).unwrap();
    assert_eq!(TcpOptions::parse(&buf).as_ref(), Ok(options));
    buf
}

const TIMES: Option<Timestamps> = Some(Timestamps {
    value: 0x0102_0304,
    echo: 0x0506_0708,
});

#[test]
fn syn_with_everything_is_laid_out_as_linux_does() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //= type=test
    //# A given TCP implementation can support any currently defined
    //# options, but the following options MUST be supported (MUST-4 --
    //# note Maximum Segment Size Option support is also part of MUST-14 in
    //# Section 3.7.1):
    let options = TcpOptions {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: TIMES,
        ..TcpOptions::default()
    };
    assert_eq!(
        bytes(&options),
        [
            2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7
        ]
    );
}

#[test]
fn syn_without_timestamps() {
    let options = TcpOptions {
        mss: Some(536),
        window_scale: Some(0),
        sack_permitted: true,
        ..TcpOptions::default()
    };
    assert_eq!(bytes(&options), [2, 4, 2, 0x18, 1, 1, 4, 2, 1, 3, 3, 0]);
}

#[test]
fn other_segments() {
    let mut options = TcpOptions {
        timestamps: TIMES,
        ..TcpOptions::default()
    };
    let times = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(bytes(&options), times);
    options.sack.push(1, 2);
    options.sack.push(0xffff_fff0, 5);
    let sack = [
        1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 5,
    ];
    assert_eq!(bytes(&options), [&times[..], &sack].concat());
    options.timestamps = None;
    assert_eq!(bytes(&options), sack);
    assert!(bytes(&TcpOptions::default()).is_empty() && TcpOptions::default().is_empty());
}

#[test]
fn fast_open_and_user_timeout() {
    let request = TcpOptions {
        fast_open: Some(FastOpenCookie::REQUEST),
        ..TcpOptions::default()
    };
    assert_eq!(bytes(&request), [34, 2, 1, 1]);
    let cookie = FastOpenCookie::new(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let options = TcpOptions {
        fast_open: cookie,
        ..TcpOptions::default()
    };
    assert_eq!(bytes(&options), [34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1]);
    let cookie = FastOpenCookie::new(&[1, 2, 3, 4, 5, 6]);
    assert_eq!(
        bytes(&TcpOptions {
            fast_open: cookie,
            ..TcpOptions::default()
        })
        .len(),
        8
    );
    let timeout = Some(UserTimeout::from_seconds(300));
    let options = TcpOptions {
        user_timeout: timeout,
        ..TcpOptions::default()
    };
    assert_eq!(bytes(&options), [28, 4, 0x01, 0x2c]);
}

#[test]
fn cookies_have_even_lengths_from_four_to_sixteen() {
    for len in 0..=20 {
        let cookie = FastOpenCookie::new(&vec![7; len]);
        assert_eq!(
            cookie.is_some(),
            len == 0 || (4..=16).contains(&len) && len % 2 == 0,
            "{len}"
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
//= type=test
//# Options with invalid Length values or without the SYN flag set MUST
//# be ignored.
#[test]
fn cookies_of_other_lengths_are_ignored() {
    let parsed = TcpOptions::parse(&[34, 5, 1, 2, 3, 2, 4, 5, 0xb4]).unwrap();
    assert_eq!((parsed.fast_open, parsed.mss), (None, Some(1460)));
    let parsed = TcpOptions::parse(&[34, 6, 1, 2, 3, 4, 34, 5, 1, 2, 3]).unwrap();
    assert_eq!(parsed.fast_open, FastOpenCookie::new(&[1, 2, 3, 4]));
}

#[test]
fn user_timeouts_round_up_to_minutes() {
    for (seconds, back) in [
        (0, 0),
        (1, 1),
        (32_767, 32_767),
        (32_768, 32_820),
        (u32::MAX, 1_966_020),
    ] {
        assert_eq!(UserTimeout::from_seconds(seconds).seconds(), back);
    }
    assert_eq!(UserTimeout::from_bits(0x8005).seconds(), 300);
}

/// A SYN's options as most systems lay them out.
fn customary() -> Vec<u8> {
    bytes(&TcpOptions {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: TIMES,
        ..TcpOptions::default()
    })
}

//= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
//= type=test
//# If a Window Scale option is received with a shift.cnt value larger than
//# 14, the TCP SHOULD log the error but MUST use 14 instead of the
//# specified value.
#[test]
fn larger_shifts_are_taken_as_fourteen() {
    for (sent, used) in [(0, 0), (14, 14), (15, 14), (255, 14)] {
        assert_eq!(
            TcpOptions::parse(&[3, 3, sent]).unwrap().window_scale,
            Some(used)
        );
        // Alone, and laid out as most have it.
        let mut customary = customary();
        *customary.last_mut().unwrap() = sent;
        for options in [&[3, 3, sent][..], &customary] {
            let offered = SynOptions::find(options).unwrap();
            assert_eq!(offered.window_scale, Some(used), "{options:?}");
        }
        let alone = [3, 3, sent];
        assert_eq!(
            TcpOptionIter::new(&alone).next(),
            Some(Ok(TcpOption::WindowScale(sent)))
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# A TCP implementation MUST (MUST-6) ignore without error any TCP
//# Option it does not implement, assuming that the option has a length
//# field.
#[test]
fn unknown_options_are_skipped_but_kept_by_the_iterator() {
    let bytes = [253, 6, 0, 1, 2, 3, 2, 4, 5, 0xb4, 254, 2, 0, 99];
    assert_eq!(TcpOptions::parse(&bytes).unwrap().mss, Some(1460));
    let walk: Vec<_> = TcpOptionIter::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(
        walk,
        [
            TcpOption::Unknown {
                kind: 253,
                data: &[0, 1, 2, 3]
            },
            TcpOption::MaxSegmentSize(1460),
            TcpOption::Unknown {
                kind: 254,
                data: &[]
            },
            // What follows the end is padding, whatever it is.
            TcpOption::End,
        ]
    );
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.2
//= type=test
//# There is
//# no guarantee that senders will use this option, so receivers MUST
//# be prepared to process options even if they do not begin on a word
//# boundary (MUST-64).
#[test]
fn options_may_begin_anywhere() {
    let options = [2, 4, 5, 0xb4, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 3, 3, 7, 4, 2];
    for nops in 0..=40 - options.len() {
        let bytes = [&vec![kind::NOP; nops][..], &options].concat();
        let parsed = TcpOptions::parse(&bytes).unwrap();
        assert_eq!((parsed.mss, parsed.timestamps), (Some(1460), TIMES));
        assert_eq!(
            (parsed.window_scale, parsed.sack_permitted),
            (Some(7), true)
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
//= type=test
//# The Timestamps option carries two four-byte timestamp fields.
#[test]
fn timestamps_are_read_without_their_usual_padding() {
    let bytes = [8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(TcpOptions::parse(&bytes).unwrap().timestamps, TIMES);
}

/// The length the kind must have, if it is known.
fn known_len(kind: u8, len: u8) -> bool {
    match kind {
        kind::MSS | kind::USER_TIMEOUT => len == 4,
        kind::WINDOW_SCALE => len == 3,
        kind::SACK_PERMITTED => len == 2,
        kind::SACK => [10, 18, 26, 34].contains(&len),
        kind::TIMESTAMPS => len == 10,
        _ => len >= 2,
    }
}

/// Attack class 6: all pairs of kind and length, cut off everywhere.
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# TCP implementations MUST be prepared to handle
//# an illegal option length (e.g., zero)
#[test]
fn every_kind_and_length_cut_off_everywhere() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //= type=test
    //# All TCP Options except End of Option List Option (EOL) and
    //# No-Operation (NOP) MUST have length fields, including all future
    //# options (MUST-68).
    for kind in 2..=255_u8 {
        for len in 0..=255_u8 {
            let mut bytes = [0; 40];
            (bytes[0], bytes[1]) = (kind, len);
            for cut in 1..=bytes.len() {
                let result = TcpOptions::parse(&bytes[..cut]);
                let sound = cut >= 2 && usize::from(len) <= cut && known_len(kind, len);
                assert_eq!(result.is_ok(), sound, "kind {kind} len {len} cut {cut}");
                if !sound {
                    assert_eq!(result, Err(WireError::BadOption));
                }
                let walk = TcpOptionIter::new(&bytes[..cut]);
                assert!(walk.clone().count() <= cut);
                // Nothing follows an error.
                assert!(walk.skip_while(Result::is_ok).count() <= 1);
            }
        }
    }
}

/// As `parse` without its short way.
fn long_way(bytes: &[u8]) -> Result<TcpOptions, WireError> {
    let mut options = TcpOptions::default();
    options.read(bytes).map(|()| options)
}

#[test]
fn the_short_way_reads_what_the_long_way_reads() {
    let mut bytes = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(TcpOptions::parse(&bytes), long_way(&bytes));
    assert_eq!(TcpOptions::parse(&bytes).unwrap().timestamps, TIMES);
    for at in 0..4 {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert_eq!(TcpOptions::parse(&bytes), long_way(&bytes), "{bytes:?}");
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn of_two_of_a_kind_the_last_counts() {
    let parsed = TcpOptions::parse(&[2, 4, 1, 0, 2, 4, 2, 0]).unwrap();
    assert_eq!(parsed.mss, Some(0x200));
}

//= https://www.rfc-editor.org/rfc/rfc2018#section-3
//= type=test
//# A SACK option that specifies n blocks will have a length of 8*n+2
//# bytes, so the 40 bytes available for TCP options can specify a
//# maximum of 4 blocks.
#[test]
fn four_blocks_fit_and_a_fifth_does_not() {
    let mut sack = SackBlocks::new();
    for block in 0..4 {
        assert!(sack.push(block, block + 1));
    }
    assert!(!sack.push(9, 9));
    let options = TcpOptions {
        sack,
        ..TcpOptions::default()
    };
    assert_eq!(bytes(&options).len(), 36);
    let with_times = TcpOptions {
        timestamps: TIMES,
        ..options
    };
    assert_eq!(with_times.emit(&mut [0; 60]), Err(WireError::BadOption));
    sack.truncate(3);
    assert_eq!(bytes(&TcpOptions { sack, ..with_times }).len(), 40);
    assert_eq!(sack.iter().collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 3)]);
    assert!(!sack.is_empty() && sack.len() == 3);
}

#[test]
fn equality_ignores_what_was_cut_off() {
    let mut a = SackBlocks::new();
    a.push(1, 2);
    a.truncate(0);
    assert_eq!(a, SackBlocks::new());
}

#[test]
fn what_a_syn_offers_is_what_all_its_options_say() {
    let customary = customary();
    // Every byte of the customary layout changed to every value, and every length.
    let mut layouts = Vec::new();
    for at in 0..customary.len() {
        for value in 0..=255 {
            let mut options = customary.clone();
            options[at] = value;
            layouts.push(options);
        }
        layouts.push(customary[..at].to_vec());
    }
    layouts.push([&customary[..], &[2, 4, 1, 0]].concat());
    for layout in layouts {
        let all = TcpOptions::parse(&layout);
        let offered = all.map(|all| SynOptions {
            mss: all.mss,
            window_scale: all.window_scale,
            sack_permitted: all.sack_permitted,
        });
        assert_eq!(SynOptions::find(&layout), offered, "{layout:?}");
        let timestamps = all.map(|all| all.timestamps);
        assert_eq!(Timestamps::find(&layout), timestamps, "{layout:?}");
    }
}
