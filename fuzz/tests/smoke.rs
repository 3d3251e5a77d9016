//! Every target on inputs made by dice: what can be done on stable, without a fuzzer, in seconds.
//! `NETLOOM_FUZZ_INPUTS` sets how many inputs each target gets.

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Short inputs and long ones; bytes that are often small, as choices are.
    fn input(&mut self, longest: u64, out: &mut Vec<u8>) {
        out.clear();
        let len = self.roll() % (1 << (self.roll() % 12)).min(longest);
        let small = self.roll() % 3 == 0;
        while (out.len() as u64) < len {
            let roll = self.roll();
            out.push(if small || roll & 0x300 == 0 {
                roll as u8 & 0x1f
            } else {
                roll as u8
            });
        }
    }
}

fn inputs(target: fn(&[u8]), default: u64, longest: u64) {
    let count = std::env::var("NETLOOM_FUZZ_INPUTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default);
    let mut dice = Dice(0x6e65_746c_6f6f_6d01);
    let mut input = Vec::new();
    for _ in 0..count {
        dice.input(longest, &mut input);
        target(&input);
    }
}

#[test]
fn wire() {
    inputs(netloom_fuzz::wire::run, 100_000, 2048);
    // Headers that begin right get further.
    let mut dice = Dice(7);
    let mut input = Vec::new();
    for turn in 0..100_000u32 {
        dice.input(512, &mut input);
        if input.len() > 20 {
            input[0] = if turn % 2 == 0 { 0x45 } else { 0x60 };
            let len = (input.len() as u16).to_be_bytes();
            if turn % 2 == 0 {
                input[2..4].copy_from_slice(&len);
                input[9] = [1, 6, 17][turn as usize / 2 % 3];
            } else {
                let len = (input.len() as u16).saturating_sub(40).to_be_bytes();
                input[4..6].copy_from_slice(&len);
                input[6] = [0, 6, 17, 43, 44, 58, 60][turn as usize / 2 % 7];
            }
        }
        netloom_fuzz::wire::run(&input);
    }
}

#[test]
fn stack_frames() {
    inputs(netloom_fuzz::stack_frames::run, 100_000, 1500);
}

#[test]
fn services() {
    inputs(netloom_fuzz::services::run, 30_000, 1500);
}

#[test]
fn dhcp() {
    inputs(netloom_fuzz::dhcp::run, 3_000, 1500);
}

#[test]
fn segment_state() {
    inputs(netloom_fuzz::segment_state::run, 100_000, 1500);
}

#[test]
fn http() {
    inputs(netloom_fuzz::http::run, 30_000, 2048);
}
