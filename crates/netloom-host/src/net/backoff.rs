//! How long to wait between attempts.

use std::time::Duration;

/// How often to try, and how long to wait in between.
///
/// The first attempt is made at once. Waits double from `first` up to `most`; of each a random part,
/// at most half, is left out, so that the clients of a server that comes back do not all come at the
/// same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failed attempt.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// Attempts in all; 0 counts as 1, [`u32::MAX`] is for ever.
    pub attempts: u32,
}

impl Default for Backoff {
    /// Ten attempts within about a minute: 200 ms, 400 ms and so on, at most 15 s.
    fn default() -> Backoff {
        Backoff {
            first: Duration::from_millis(200),
            most: Duration::from_secs(15),
            attempts: 10,
        }
    }
}

impl Backoff {
    /// One attempt only.
    pub const ONCE: Backoff = Backoff {
        first: Duration::ZERO,
        most: Duration::ZERO,
        attempts: 1,
    };

    /// The waits between the attempts, one fewer than there are attempts. `random` gives 32 random
    /// bits a call.
    ///
    /// ```
    /// use std::time::Duration;
    /// use netloom_host::net::Backoff;
    ///
    /// let backoff = Backoff { attempts: 4, ..Backoff::default() };
    /// let longest: Vec<_> = backoff.delays(|| 0).collect();
    /// assert_eq!(longest, [200, 400, 800].map(Duration::from_millis));
    /// ```
    pub fn delays(self, mut random: impl FnMut() -> u32) -> impl Iterator<Item = Duration> {
        let mut next = self.first.min(self.most);
        let endless = self.attempts == u32::MAX;
        let mut left = self.attempts.saturating_sub(1);
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            if !endless {
                left -= 1;
            }
            let whole = next;
            next = next.saturating_mul(2).min(self.most);
            // `random` is a fraction of 2³², half of which is left out.
            Some(whole - whole.mul_f64(f64::from(random()) / 2_f64.powi(33)))
        })
    }
}

#[cfg(test)]
mod tests;
