//! How does netloom's recovery and congestion control compare with Linux's over the same paths?
//!
//! Two kernels, each in a network namespace of its own with a TUN interface, are joined in real time
//! by the wires of netloom-sim: rate, queue, delay, loss and reordering, frame by frame from the same
//! seed. netloom's own transfers run over the same wires in virtual time, in the same run. Needs root,
//! `ip` and `ss`; a real-time priority keeps other programs from disturbing the link.
//!
//! ```text
//! cargo build --release -p netloom-host --example linux_paths
//! chrt -f 10 target/release/examples/linux_paths                       # every path, CUBIC and BBR
//! chrt -f 10 target/release/examples/linux_paths --only long-fat --seeds 5 --congestion cubic
//! chrt -f 10 target/release/examples/linux_paths --shared              # 4 of ours beside 4 of Linux's
//! ```

mod cells;
mod emulator;
mod kernel;
mod ours;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netloom_sim::stack::{TcpInfo, Tunables};
use netloom_sim::{Bottleneck, Bulk, fairness, mbit, ms};

use cells::{Cell, cells};
use emulator::{Done, Emulator, address};
use kernel::{Kernel, Statistics};
use ours::{Ours, Told};

/// What is asked for on the command line.
struct Options {
    only: Option<String>,
    congestion: Vec<&'static str>,
    seeds: u64,
    time: Option<Duration>,
    /// Whether Linux runs too; netloom alone needs no root.
    linux: bool,
    shared: bool,
    verbose: bool,
}

impl Options {
    fn parse() -> Options {
        let mut options = Options {
            only: None,
            congestion: vec!["cubic", "bbr"],
            seeds: 1,
            time: None,
            linux: true,
            shared: false,
            verbose: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| usage(&word));
            match word.as_str() {
                "--only" => options.only = Some(value()),
                "--seeds" => options.seeds = value().parse().unwrap_or_else(|_| usage(&word)),
                "--seconds" => {
                    let seconds = value().parse().unwrap_or_else(|_| usage(&word));
                    options.time = Some(Duration::from_secs(seconds));
                }
                "--congestion" => {
                    let asked = value();
                    let known = ["cubic", "reno", "bbr"];
                    let known = known.into_iter().find(|name| *name == asked);
                    options.congestion = vec![known.unwrap_or_else(|| usage(&word))];
                }
                "--netloom" => options.linux = false,
                "--shared" => options.shared = true,
                "--verbose" => options.verbose = true,
                _ => usage(&word),
            }
        }
        options
    }
}

fn usage<T>(word: &str) -> T {
    eprintln!(
        "{word}? linux_paths [--only NAME] [--congestion cubic|reno|bbr] [--seeds N] [--seconds N] \
         [--netloom] [--shared] [--verbose]"
    );
    std::process::exit(2);
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    if options.shared {
        return share(&options);
    }
    println!(
        "| path | | congestion control | Linux, Mbit/s | netloom, Mbit/s | ratio | sent again (lost): Linux | netloom | late, µs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for cell in cells() {
        if options.only.as_ref().is_some_and(|name| name != cell.name) {
            continue;
        }
        for congestion in &options.congestion {
            compare(&cell, congestion, &options)?;
        }
    }
    Ok(())
}

/// A transfer's figures.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    mbit: f64,
    again: f64,
    lost: f64,
    /// How late the link was, in microseconds: the 99th percentile.
    late: f64,
}

/// Runs a path with both makes, seed by seed, and prints the medians.
fn compare(cell: &Cell, congestion: &'static str, options: &Options) -> io::Result<()> {
    let time = options.time.unwrap_or(cell.time);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let set = Tunables::default().set_named("tcp_congestion_control", congestion);
    let known = set.is_ok();
    for seed in 1..=options.seeds {
        let path = Bottleneck {
            seed,
            ..cell.path.clone()
        };
        if options.linux {
            theirs.push(linux(&path, congestion, time, options.verbose)?);
        }
        if known {
            let report = Bulk::timed(path, congestion, time).run();
            assert!(report.is_intact(), "what arrived is not what was sent");
            if options.verbose {
                for sample in report.flows[0].samples.iter().step_by(5) {
                    eprintln!("{sample:?}");
                }
            }
            ours.push(Figures {
                mbit: report.goodput() / 1e6,
                again: report.retransmissions() as f64,
                lost: report.lost() as f64,
                late: 0.0,
            });
        }
        if options.verbose {
            eprintln!(
                "{} {congestion} seed {seed}: Linux {:?}, netloom {:?}",
                cell.name,
                theirs.last(),
                ours.last()
            );
        }
    }
    let median = |of: &[Figures], figure: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = of.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let (linux, netloom) = (median(&theirs, |f| f.mbit), median(&ours, |f| f.mbit));
    println!(
        "| {} | {} | {congestion} | {linux:.1} | {netloom:.1} | {:.2} | {:.0} ({:.0}) | {:.0} ({:.0}) | {:.0} |",
        cell.name,
        cell.describe(),
        netloom / linux,
        median(&theirs, |f| f.again),
        median(&theirs, |f| f.lost),
        median(&ours, |f| f.again),
        median(&ours, |f| f.lost),
        median(&theirs, |f| f.late),
    );
    Ok(())
}

/// One transfer between two kernels.
fn linux(
    path: &Bottleneck,
    congestion: &'static str,
    time: Duration,
    verbose: bool,
) -> io::Result<Figures> {
    let between = Between::new(path, Duration::ZERO, None)?;
    // As ours is, it is timed from its SYN on.
    let start = Instant::now();
    between.sender.send(congestion, &between.stop)?;
    between.receiver.wait_for(1)?;
    if verbose {
        for _ in 0..time.as_millis() / 500 {
            thread::sleep(ms(500));
            let octets: u64 = between.receiver.octets().iter().map(|(_, n)| n).sum();
            for statistics in between.sender.statistics()? {
                eprintln!(
                    "{:.1} {octets} {}",
                    start.elapsed().as_secs_f64(),
                    statistics.line
                );
            }
        }
    }
    thread::sleep(time.saturating_sub(start.elapsed()));
    let octets: u64 = between.receiver.octets().iter().map(|(_, n)| n).sum();
    let elapsed = start.elapsed().as_secs_f64();
    let (statistics, done) = between.end(&[congestion])?;
    Ok(Figures {
        mbit: octets as f64 * 8.0 / elapsed / 1e6,
        again: statistics.iter().map(|s| s.retransmissions as f64).sum(),
        lost: done.lost as f64,
        late: done.late as f64,
    })
}

/// Two kernels and the link between them at work.
struct Between {
    sender: Kernel,
    receiver: Arc<kernel::Receiver>,
    stop: Arc<AtomicBool>,
    emulator: thread::JoinHandle<io::Result<Done>>,
    _receiving: Kernel,
}

impl Between {
    fn new(path: &Bottleneck, jitter: Duration, ours: Option<Ours>) -> io::Result<Between> {
        let (sender, a) = Kernel::new(1)?;
        let (receiving, b) = Kernel::new(2)?;
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = receiving.receive(&stop)?;
        let emulator = Emulator::new(path, jitter, [a, b], ours);
        let until = stop.clone();
        Ok(Between {
            sender,
            receiver,
            stop,
            emulator: thread::spawn(move || emulator.run(&until)),
            _receiving: receiving,
        })
    }

    /// Stops everything; fails if a connection's congestion control is another than was asked for.
    fn end(self, congestion: &[&str]) -> io::Result<(Vec<Statistics>, Done)> {
        let statistics = self.sender.statistics()?;
        for (statistics, congestion) in statistics.iter().zip(congestion) {
            if !statistics.uses(congestion) {
                let line = &statistics.line;
                return Err(io::Error::other(format!("not {congestion}: {line}")));
            }
        }
        if statistics.len() != congestion.len() {
            return Err(io::Error::other("ss does not list every connection"));
        }
        self.stop.store(true, Ordering::Relaxed);
        let done = self.emulator.join();
        let done = done.map_err(|_| io::Error::other("the link broke"))??;
        Ok((statistics, done))
    }
}

/// Senders that share a link.
const OURS: usize = 4;
const THEIRS: usize = 4;

/// What acknowledgments take longer at most where senders share a link: a few packets' times. Else
/// the same sender's packets come when the queue has no room, again and again (Floyd and Jacobson,
/// "On traffic phase effects in packet-switched gateways", 1992).
const JITTER: Duration = ms(1);

/// Four senders of ours beside four of Linux's, all towards one kernel.
fn share(options: &Options) -> io::Result<()> {
    let time = options.time.unwrap_or(Duration::from_secs(60));
    println!("| path | seed | each of ours, Mbit/s | each of Linux's, Mbit/s | Jain's index |");
    println!("|---|---|---|---|---|");
    for seed in 1..=options.seeds {
        let path = Bottleneck {
            seed,
            ..Bottleneck::new(mbit(100), ms(20))
        };
        let buffer = (path.bdp() as u64 + path.queue() as u64) * 2;
        let told = Told::default();
        let ours = Ours::new(OURS, "cubic", buffer, &told);
        let between = Between::new(&path, JITTER, Some(ours))?;
        for _ in 0..THEIRS {
            between.sender.send("cubic", &between.stop)?;
        }
        between.receiver.wait_for(OURS + THEIRS)?;
        // They have to find their shares first.
        thread::sleep(time / 4);
        let before = between.receiver.octets();
        let end = Instant::now() + time - time / 4;
        while options.verbose && Instant::now() < end {
            thread::sleep(ms(1_000));
            for info in &told.lock().expect("nobody panics with it").1 {
                let TcpInfo {
                    cwnd,
                    ssthresh,
                    srtt,
                    snd_wnd,
                    total_retransmissions,
                    ..
                } = info;
                eprintln!(
                    "ours: cwnd {cwnd} ssthresh {ssthresh} srtt {srtt} window {snd_wnd} again {total_retransmissions}"
                );
            }
            for statistics in between.sender.statistics()? {
                eprintln!("Linux's: {}", statistics.line);
            }
        }
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let after = between.receiver.octets();
        let (statistics, done) = between.end(&["cubic"; THEIRS])?;
        if options.verbose {
            let again: u64 = statistics.iter().map(|s| s.retransmissions).sum();
            eprintln!(
                "lost {}, Linux sent {again} again; late {} us",
                done.lost, done.late
            );
        }
        let seconds = (time - time / 4).as_secs_f64();
        let shares = |of: u8| -> Vec<f64> {
            let flows = before.iter().zip(&after);
            flows
                .filter(|((from, _), _)| *from == address(of))
                .map(|((_, before), (_, after))| (after - before) as f64 * 8.0 / seconds / 1e6)
                .collect()
        };
        let (ours, theirs) = (shares(3), shares(1));
        let all: Vec<f64> = ours.iter().chain(&theirs).copied().collect();
        let words = |shares: &[f64]| {
            let words: Vec<String> = shares.iter().map(|s| format!("{s:.1}")).collect();
            words.join(" ")
        };
        println!(
            "| 100 Mbit/s, 20 ms, 1 BDP, {} s | {seed} | {} | {} | {:.3} |",
            time.as_secs(),
            words(&ours),
            words(&theirs),
            fairness(&all)
        );
    }
    Ok(())
}
