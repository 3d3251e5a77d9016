//! The rows of the table: what is run, in which order, and what is the least that is good.

use crate::memory;
use crate::netloom::Netloom;
use crate::pair::Pair;
use crate::smoltcp::Smoltcp;
use crate::wire::Link;
use crate::work::{BUFFER, Bulk, Connects, Exchange, Measured, Payload};

/// What the command line asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Short runs.
    pub(crate) quick: bool,
    /// Even what takes smoltcp minutes.
    pub(crate) full: bool,
    /// Only rows whose name contains this.
    pub(crate) only: Option<String>,
    /// Only netloom's half of rows whose name contains this, once and long.
    pub(crate) profile: Option<String>,
    /// With `profile`: smoltcp's half instead.
    pub(crate) theirs: bool,
}

/// In `--quick`, on a shared and noisy machine: netloom is at least this much of smoltcp. It
/// notices a fall; the goal is 1.
const FLOOR: f64 = 0.25;

/// How a rate is printed.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// 10^9 bytes a second.
    Bytes,
    /// Thousands a second.
    Times,
}

impl Unit {
    fn show(self, rate: f64) -> String {
        match self {
            Unit::Bytes => format!("{:.2} GB/s", rate / 1e9),
            Unit::Times if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
            Unit::Times if rate >= 1e3 => format!("{:.1} k/s", rate / 1e3),
            Unit::Times => format!("{rate:.0} /s"),
        }
    }
}

struct Table<'a> {
    options: &'a Options,
    good: bool,
}

/// What becomes of smoltcp's sockets when their connection is closed.
#[derive(Debug, Clone, Copy)]
enum Sockets {
    /// They are dropped, in TIME-WAIT too.
    Dropped,
    /// They are used again, TIME-WAIT being over by then.
    Kept,
    /// They stay until TIME-WAIT is over, then they are dropped.
    Waiting,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Table<'_> {
    fn wants(&self, name: &str) -> bool {
        let filter = self.options.profile.as_ref().or(self.options.only.as_ref());
        filter.is_none_or(|part| name.contains(part.as_str()))
    }

    /// How many pairs of runs.
    fn pairs(&self) -> usize {
        if self.options.quick { 3 } else { 7 }
    }

    /// Runs both in turns and prints a row. Returns netloom's nanoseconds a frame.
    fn row(
        &mut self,
        name: &str,
        unit: Unit,
        amount: (u64, u64),
        ours: impl FnOnce() -> Box<dyn FnMut(u64) -> Measured>,
        theirs: impl FnOnce() -> Option<Box<dyn FnMut(u64) -> Measured>>,
    ) -> Option<f64> {
        if !self.wants(name) {
            return None;
        }
        if self.options.profile.is_some() {
            let m = if self.options.theirs {
                theirs()?(amount.1)
            } else {
                ours()(amount.0)
            };
            println!(
                "{name}: {} units, {} frames, {:.1} ns a frame",
                m.units,
                m.frames,
                m.frame_ns()
            );
            return Some(m.frame_ns());
        }
        let mut ours = ours();
        let mut theirs = theirs();
        let shorter = if self.options.quick { 8 } else { 1 };
        let amount = (amount.0 / shorter, (amount.1 / shorter).max(2));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..self.pairs() {
            a.push(ours(amount.0));
            if let Some(theirs) = &mut theirs {
                b.push(theirs(amount.1));
            }
        }
        let rate = median(a.iter().map(Measured::rate).collect());
        let frame = median(a.iter().map(Measured::frame_ns).collect());
        if b.is_empty() {
            println!("| {name} | {} | | | {frame:.0} | |", unit.show(rate));
            return Some(frame);
        }
        let ratio = median(a.iter().zip(&b).map(|(a, b)| a.rate() / b.rate()).collect());
        println!(
            "| {name} | {} | {} | {ratio:.2} | {frame:.0} | {:.0} |",
            unit.show(rate),
            unit.show(median(b.iter().map(Measured::rate).collect())),
            median(b.iter().map(Measured::frame_ns).collect()),
        );
        if self.options.quick && ratio < FLOOR {
            eprintln!("{name}: {ratio:.2} times smoltcp is less than {FLOOR}");
            self.good = false;
        }
        Some(frame)
    }

    fn bulk(&mut self, name: &str, link: Link, payload: Payload) {
        fn runner<P: Pair + 'static>(
            link: Link,
            payload: Payload,
        ) -> Box<dyn FnMut(u64) -> Measured> {
            let mut bulk = Bulk::<P>::new(link, payload);
            Box::new(move |bytes| bulk.run(bytes))
        }
        let bytes = 256 << 20;
        self.row(
            name,
            Unit::Bytes,
            (bytes, bytes),
            || runner::<Netloom>(link, payload),
            || Some(runner::<Smoltcp>(link, payload)),
        );
    }

    fn exchange(&mut self, name: &str, link: Link) {
        fn runner<P: Pair + 'static>(link: Link) -> Box<dyn FnMut(u64) -> Measured> {
            let mut exchange = Exchange::<P>::new(link, 0, BUFFER);
            Box::new(move |count| exchange.run(count))
        }
        self.row(
            name,
            Unit::Times,
            (400_000, 400_000),
            || runner::<Netloom>(link),
            || Some(runner::<Smoltcp>(link)),
        );
    }

    fn connects(&mut self, name: &str, buffer: usize, theirs: Sockets) {
        let link = Link::ip(1500);
        let warm = if self.options.quick { 2_000 } else { 25_000 };
        // Until as many of its sockets are in TIME-WAIT as stay there.
        let (their_warm, their_count, each): (u64, u64, fn(&mut Smoltcp)) = match theirs {
            Sockets::Dropped => (100, 20_000, Smoltcp::connect_and_close),
            Sockets::Kept => (100, 40_000, Smoltcp::connect_and_close_kept),
            Sockets::Waiting => (3_400, 300, Smoltcp::connect_and_close_waiting),
        };
        self.row(
            name,
            Unit::Times,
            (40_000, their_count),
            || {
                let each = Netloom::connect_and_close;
                let mut connects = Connects::<Netloom>::new(link, buffer, warm, each);
                Box::new(move |count| connects.run(count))
            },
            || {
                let mut connects = Connects::<Smoltcp>::new(link, buffer, their_warm, each);
                Some(Box::new(move |count| connects.run(count)))
            },
        );
    }

    /// One active connection among idle ones.
    fn among(&mut self) {
        let link = Link::ip(1500);
        let mut alone = None;
        for (idle, theirs) in [
            (0, 400_000),
            (100, 40_000),
            (1_000, 4_000),
            (10_000, 300),
            (100_000, 20),
        ] {
            if idle == 100_000 && self.options.quick {
                continue;
            }
            let frame = self.row(
                &format!("1 B request/response among {idle} idle"),
                Unit::Times,
                (400_000, theirs),
                || {
                    let mut exchange = Exchange::<Netloom>::new(link, idle, BUFFER);
                    Box::new(move |count| exchange.run(count))
                },
                || {
                    if idle > 10_000 && !self.options.full {
                        return None;
                    }
                    let mut exchange = Exchange::<Smoltcp>::new(link, idle, 256);
                    Some(Box::new(move |count| exchange.run(count)))
                },
            );
            let Some(frame) = frame else { continue };
            let base = *alone.get_or_insert(frame);
            if idle > 0 {
                println!(
                    "|   a frame costs, against one alone | {:.2} × | | | | |",
                    frame / base
                );
            }
        }
    }

    fn memory(&mut self) {
        let name = "resident bytes of an idle connection";
        if self.options.profile.is_some() || !self.wants(name) {
            return;
        }
        let (count, few) = if self.options.quick {
            (20_000, 1_000)
        } else {
            (100_000, 10_000)
        };
        let ours = memory::per_idle_connection(Netloom::NAME, count);
        let theirs = memory::per_idle_connection(Smoltcp::NAME, few);
        println!(
            "| {name} | {ours} B ({count}) | {theirs} B + buffers ({few}) | {:.2} | | |",
            theirs as f64 / ours as f64
        );
        if self.options.quick && ours > 700 {
            eprintln!("{name}: {ours} is more than 700");
            self.good = false;
        }
    }

    fn allocations(&mut self) {
        let name = "allocations in steady state";
        if self.options.profile.is_some() || !self.wants(name) {
            return;
        }
        let (blocks, segments) = memory::allocations_in_bulk(100_000);
        println!("| {name} ({segments} segments) | {blocks} | | | | |");
        if blocks > 0 {
            eprintln!("{name}: there are {blocks}");
            self.good = false;
        }
    }

    fn sizes(&self) {
        if self.options.profile.is_some() || !self.wants("sizes") {
            return;
        }
        use netloom_stack::Storage;
        // What each further one adds to the memory a program lends.
        let none = size_of::<Storage<0, 0, 0, 0, 0>>();
        println!();
        println!("| entry, with all that comes with it | bytes |");
        println!("|---|---|");
        println!(
            "| connection (lent: 4 records, 4 ranges, 2 TIME-WAIT entries; no buffers) | {} |",
            size_of::<Storage<1, 0, 0, 0, 0>>() - none
        );
        println!(
            "| listener (lent: 2 SYN entries) | {} |",
            size_of::<Storage<0, 1, 0, 0, 0>>() - none
        );
        println!(
            "| UDP socket (lent; no buffers) | {} |",
            size_of::<Storage<0, 0, 1, 0, 0>>() - none
        );
        println!(
            "| a connection's protocol state alone | {} |",
            size_of::<netloom_tcp::Connection>()
        );
        println!(
            "| record of what was sent | {} |",
            size_of::<netloom_tcp::Record>()
        );
        println!(
            "| range received out of order | {} |",
            size_of::<netloom_tcp::Range>()
        );
    }
}

/// Runs what the options ask for and prints the table. False if a floor was missed.
pub(crate) fn run(options: &Options) -> bool {
    let mut table = Table {
        options,
        good: true,
    };
    if options.profile.is_none() {
        println!(
            "| work | netloom | smoltcp | ratio | netloom, ns a frame | smoltcp, ns a frame |"
        );
        println!("|---|---|---|---|---|---|");
    }
    table.bulk("bulk, IP, MTU 1500", Link::ip(1500), Payload::Copied);
    table.bulk(
        "bulk, Ethernet, MTU 1500",
        Link::ethernet(1500),
        Payload::Copied,
    );
    table.bulk("bulk, IP, MTU 65535", Link::ip(65535), Payload::Copied);
    table.bulk(
        "bulk in place, IP, MTU 1500",
        Link::ip(1500),
        Payload::InPlace,
    );
    table.exchange("1 B request/response, IP", Link::ip(1500));
    table.exchange("1 B request/response, Ethernet", Link::ethernet(1500));
    table.connects(
        "connect and close, TIME-WAIT kept by both",
        4096,
        Sockets::Waiting,
    );
    table.connects("connect and close, 4 KiB buffers", 4096, Sockets::Dropped);
    table.connects("connect and close, 64 KiB buffers", 65536, Sockets::Dropped);
    table.connects(
        "connect and close, smoltcp's sockets kept",
        65536,
        Sockets::Kept,
    );
    table.among();
    table.memory();
    table.allocations();
    table.sizes();
    table.good
}
