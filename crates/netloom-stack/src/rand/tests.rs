use super::Rng;
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::format;
use std::hash::Hasher;
use std::vec::Vec;

/// The published results of SipHash-2-4 for the key 00 01 .. 0f and the inputs of 0 to 15 bytes
/// 00 01 .. 0e, the last being the example of the paper.
const VECTORS: [u64; 16] = [
    0x726f_db47_dd0e_0e31,
    0x74f8_39c5_93dc_67fd,
    0x0d6c_8009_d9a9_4f5a,
    0x8567_6696_d7fb_7e2d,
    0xcf27_94e0_2771_87b7,
    0x1876_5564_cd99_a68d,
    0xcbc9_466e_58fe_e3ce,
    0xab02_00f5_8b01_d137,
    0x93f5_f579_9a93_2462,
    0x9e00_82df_0ba9_e4b0,
    0x7a5d_bbc5_94dd_b9f3,
    0xf4b3_2f46_226b_ada7,
    0x751e_8fbc_860e_e5fb,
    0x14ea_5627_c084_3d90,
    0xf723_ca90_8e7a_f2ee,
    0xa129_ca61_49be_45e5,
];

#[test]
fn siphash_2_4_matches_the_published_vectors() {
    let hash = SipHash24::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    let input: Vec<u8> = (0..15).collect();
    for (len, expected) in VECTORS.into_iter().enumerate() {
        assert_eq!(hash.hash(&input[..len]), expected, "{len} bytes");
    }
}

proptest! {
    #[test]
    #[expect(deprecated, reason = "the only SipHash-2-4 with a key that std has")]
    fn siphash_2_4_agrees_with_std(
        k0: u64, k1: u64, input in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut theirs = std::hash::SipHasher::new_with_keys(k0, k1);
        theirs.write(&input);
        prop_assert_eq!(SipHash24::new(k0, k1).hash(&input), theirs.finish());
    }

    #[test]
    fn siphash_1_3_agrees_with_std(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut theirs = std::hash::DefaultHasher::new();
        theirs.write(&input);
        prop_assert_eq!(SipHash13::new(0, 0).hash(&input), theirs.finish());
    }

    #[test]
    fn words_hash_as_their_bytes(
        k0: u64, k1: u64, words in prop::collection::vec(any::<u32>(), 0..80),
    ) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let hash = SipHash13::new(k0, k1);
        prop_assert_eq!(hash.hash_words(&words), hash.hash(&bytes));
    }

    #[test]
    fn a_number_is_below_its_bound(seed: u64, bound: u32) {
        let mut rng = Rng::new(&Seed::for_tests(seed));
        let number = rng.below(bound);
        prop_assert!(number < bound || bound == 0 && number == 0);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let seed = Seed::from([0x5A; 32]);
    let rng = Rng::new(&seed);
    let shown = format!(
        "{seed:?} {rng:?} {:?} {:#?}",
        rng.derive_key(1),
        rng.derive_wire_key(2)
    );
    let hash = if cfg!(target_pointer_width = "64") {
        "SipHash"
    } else {
        "Chaskey"
    };
    assert_eq!(shown, format!("Seed(..) Rng(..) {hash}(..) {hash}(..)"));
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
    let numbers = |seed: Seed| {
        let mut rng = Rng::new(&seed);
        [(); 64].map(|()| rng.next_u64())
    };
    assert_eq!(numbers(Seed::for_tests(1)), numbers(Seed::for_tests(1)));
    let base = [7; 32];
    // Every byte of the seed counts.
    let mut seen = HashSet::from([numbers(Seed::from(base))[0]]);
    for byte in 0..32 {
        let mut other = base;
        other[byte] ^= 1;
        assert!(seen.insert(numbers(Seed::from(other))[0]), "byte {byte}");
    }
}

#[test]
fn keys_of_different_purposes_differ_and_stay() {
    let mut rng = Rng::new(&Seed::for_tests(3));
    let before = rng.derive_key(5).hash_words(&[1]);
    rng.next_u64();
    assert_eq!(rng.derive_key(5).hash_words(&[1]), before);
    let keys: HashSet<u64> = (0..1000)
        .map(|domain| rng.derive_key(domain).hash_words(&[1]))
        .collect();
    assert_eq!(keys.len(), 1000);
}

#[test]
fn small_numbers_are_equally_likely() {
    let mut rng = Rng::new(&Seed::for_tests(4));
    let mut counts = [0i32; 10];
    for _ in 0..100_000 {
        counts[rng.below(10) as usize] += 1;
    }
    // Five standard deviations of a binomial distribution: sqrt(1e5 * 0.1 * 0.9) = 95.
    assert!(
        counts.iter().all(|count| (count - 10_000).abs() < 475),
        "{counts:?}"
    );
    // Four products for every three results: unless some are refused, every third result is twice
    // as likely as the others.
    let mut counts = [0i32; 3];
    for _ in 0..30_000 {
        counts[rng.below(3 << 30) as usize % 3] += 1;
    }
    assert!(
        counts.iter().all(|count| (count - 10_000).abs() < 410),
        "{counts:?}"
    );
}

/// The rank over GF(2) of a matrix of 64-bit rows.
fn rank(mut rows: Vec<u64>) -> u32 {
    let mut rank = 0;
    for bit in 0..64 {
        let Some(at) = rows.iter().position(|row| row >> bit & 1 == 1) else {
            continue;
        };
        let pivot = rows.swap_remove(at);
        for row in rows.iter_mut().filter(|row| **row >> bit & 1 == 1) {
            *row ^= pivot;
        }
        rank += 1;
    }
    rank
}

/// The length of the shortest linear feedback shift register that makes these bits
/// (Berlekamp-Massey over GF(2)): half their number if they are random, the size of the state if
/// they come from an xorshift or another linear generator.
fn linear_complexity(bits: &[bool]) -> usize {
    let mut current: Vec<bool> = std::iter::once(true).collect();
    let mut previous = current.clone();
    let (mut length, mut shift) = (0usize, 1usize);
    for n in 0..bits.len() {
        let wrong = (0..=length)
            .filter(|i| current.get(*i).copied().unwrap_or(false) && bits[n - i])
            .count();
        if wrong % 2 == 0 {
            shift += 1;
            continue;
        }
        let before = current.clone();
        current.resize(current.len().max(previous.len() + shift), false);
        for (i, bit) in previous.iter().enumerate() {
            current[i + shift] ^= bit;
        }
        if 2 * length <= n {
            length = n + 1 - length;
            previous = before;
            shift = 1;
        } else {
            shift += 1;
        }
    }
    length
}

/// How many of 2^16 outputs follow another by the commonest difference, and by the commonest
/// exclusive-or.
fn commonest_difference(outputs: &[u32]) -> usize {
    let mut most = 0;
    for difference in [|a: u32, b: u32| b.wrapping_sub(a), |a, b| a ^ b] {
        let mut all: Vec<u32> = outputs
            .windows(2)
            .map(|pair| difference(pair[0], pair[1]))
            .collect();
        all.sort_unstable();
        let runs = all.chunk_by(|a, b| a == b).map(<[u32]>::len);
        most = most.max(runs.max().unwrap_or(0));
    }
    most
}

/// Attack classes 9 and 10: sequence numbers and ports were guessed where they came from a counter
/// or a linear generator. Both sources the stack has are put to the same questions.
fn looks_random(outputs: &[u32]) {
    assert_eq!(outputs.len(), 1 << 16);
    // 2^16 of 2^32 values: birthdays make some 0.5 equal pairs.
    let different: HashSet<u32> = outputs.iter().copied().collect();
    assert!(different.len() + 8 > outputs.len());
    assert!(commonest_difference(outputs) <= 4);
    for bit in [0, 7, 31] {
        let bits: Vec<bool> = outputs
            .iter()
            .take(2048)
            .map(|output| output >> bit & 1 == 1)
            .collect();
        let complexity = linear_complexity(&bits);
        assert!(complexity.abs_diff(1024) < 20, "bit {bit}: {complexity}");
        // One bit is 1 in half of the outputs: five standard deviations are 640.
        let ones = outputs
            .iter()
            .filter(|output| *output >> bit & 1 == 1)
            .count();
        assert!(ones.abs_diff(1 << 15) < 640, "bit {bit}: {ones} ones");
    }
    // Neighbouring outputs taken as rows have full rank as often as random ones.
    let words: Vec<u64> = outputs
        .chunks(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32)
        .collect();
    let ranks: Vec<u32> = words
        .chunks_exact(64)
        .map(|rows| rank(rows.to_vec()))
        .collect();
    let full = ranks.iter().filter(|rank| **rank == 64).count();
    assert!(
        full.abs_diff(ranks.len() * 29 / 100) < 55,
        "{full} of {}",
        ranks.len()
    );
    assert!(ranks.iter().all(|rank| *rank >= 60));
}

#[test]
fn random_numbers_are_not_linear() {
    let mut rng = Rng::new(&Seed::for_tests(9));
    looks_random(&(0..1 << 16).map(|_| rng.next_u32()).collect::<Vec<_>>());
}

#[test]
fn hashes_of_neighbouring_tuples_are_not_linear() {
    let rng = Rng::new(&Seed::for_tests(10));
    for key in 0..2 {
        let hash = rng.derive_key(key);
        let of_port = |port: u32| hash.hash_words(&[0x0A47_0002, 0x0A47_0001, port << 16 | 80]);
        looks_random(
            &(0..1 << 16)
                .map(|port| of_port(port) as u32)
                .collect::<Vec<_>>(),
        );
    }
}

#[test]
fn a_restart_with_another_seed_shares_nothing() {
    let stream = |seed| {
        let mut rng = Rng::new(&Seed::for_tests(seed));
        (0..1 << 16).map(move |_| rng.next_u32())
    };
    // What two runs have in common must itself look random.
    looks_random(
        &stream(1)
            .zip(stream(2))
            .map(|(a, b)| a.wrapping_sub(b))
            .collect::<Vec<_>>(),
    );
}

/// The questions are able to find what they look for.
#[test]
fn a_linear_generator_is_caught() {
    let mut x = 0x1234_5678u32;
    let bits: Vec<bool> = (0..2048)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x & 1 == 1
        })
        .collect();
    assert_eq!(linear_complexity(&bits), 32);
    let counter: Vec<u32> = (0..1 << 16).map(|n: u32| n * 1000).collect();
    assert_eq!(commonest_difference(&counter), (1 << 16) - 1);
}
