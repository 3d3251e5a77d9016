//! What ping says at the end.

use std::fmt;
use std::time::Duration;

/// Requests, replies, and the times between.
#[derive(Debug, Clone, Default)]
pub(super) struct Statistics {
    pub(super) transmitted: u64,
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) errors: u64,
    times: u64,
    min: Option<Duration>,
    max: Duration,
    /// Sums in milliseconds, and of their squares.
    sum: f64,
    squares: f64,
}

impl Statistics {
    /// A reply came after this time.
    pub(super) fn add(&mut self, time: Duration) {
        let millis = millis(time);
        self.times += 1;
        self.min = Some(self.min.map_or(time, |min| min.min(time)));
        self.max = self.max.max(time);
        self.sum += millis;
        self.squares += millis * millis;
    }
}

/// In milliseconds.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Statistics {
    /// The closing lines, `elapsed` after the first request.
    pub(super) fn report(&self, target: &str, elapsed: Duration) -> String {
        format!(
            "--- {target} ping statistics ---\n{}",
            Report {
                statistics: self,
                elapsed
            }
        )
    }
}

struct Report<'s> {
    statistics: &'s Statistics,
    elapsed: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics {
            transmitted,
            received,
            duplicates,
            errors,
            times,
            min,
            max,
            sum,
            squares,
        } = self.statistics;
        write!(f, "{transmitted} packets transmitted, {received} received")?;
        if *duplicates > 0 {
            write!(f, ", +{duplicates} duplicates")?;
        }
        if *errors > 0 {
            write!(f, ", +{errors} errors")?;
        }
        let lost = transmitted.saturating_sub(*received);
        // As ping: the percentage in at most six digits.
        let share = lost as f64 * 100.0 / (*transmitted).max(1) as f64;
        let share = (share * 10_000.0).round() / 10_000.0;
        let elapsed = self.elapsed.as_millis();
        write!(f, ", {share}% packet loss, time {elapsed}ms")?;
        if let Some(min) = min {
            let average = sum / *times as f64;
            let deviation = (squares / *times as f64 - average * average)
                .max(0.0)
                .sqrt();
            write!(
                f,
                "\nrtt min/avg/max/mdev = {:.3}/{average:.3}/{:.3}/{deviation:.3} ms",
                millis(*min),
                millis(*max),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_are_those_of_ping() {
        let mut statistics = Statistics {
            transmitted: 3,
            received: 2,
            ..Statistics::default()
        };
        statistics.add(Duration::from_micros(1000));
        statistics.add(Duration::from_micros(3000));
        assert_eq!(
            statistics.report("10.0.0.1", Duration::from_millis(2003)),
            "--- 10.0.0.1 ping statistics ---\n\
             3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms"
        );
        let none = Statistics {
            transmitted: 2,
            errors: 2,
            ..Statistics::default()
        };
        assert_eq!(
            none.report("h", Duration::ZERO),
            "--- h ping statistics ---\n\
             2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 0ms"
        );
    }
}
