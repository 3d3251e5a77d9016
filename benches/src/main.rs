//! Measures netloom beside smoltcp: two stacks of one make joined by a queue in memory, on one
//! thread, in one run, in turns. Prints a table; `docs/performance.md` tells how to read it.
//!
//! ```text
//! cargo run --release                    everything, 7 pairs of each, about two minutes
//! cargo run --release -- --only bulk     the rows whose name contains "bulk"
//! cargo run --release -- --quick         short runs; ends with 1 if a generous floor is missed
//! cargo run --release -- --full          smoltcp with 100 000 idle connections too: minutes
//! cargo run --release -- --profile NAME  only netloom's half of a row, for a profiler
//! cargo run --release -- --profile-smoltcp NAME  only smoltcp's
//! ```

mod counting;
mod memory;
mod netloom;
mod pair;
mod rows;
mod smoltcp;
mod wire;
mod work;

use std::process::ExitCode;

use rows::Options;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() -> ExitCode {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--full" => options.full = true,
            "--only" => options.only = args.next(),
            "--profile" => options.profile = args.next(),
            "--profile-smoltcp" => {
                options.profile = args.next();
                options.theirs = true;
            }
            memory::CHILD => {
                let name = args.next().unwrap_or_default();
                let count = args.next().and_then(|n| n.parse().ok()).unwrap_or(1000);
                memory::child(&name, count);
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!(
                    "usage: netloom-bench [--quick | --full] [--only NAME | --profile NAME | --profile-smoltcp NAME]"
                );
                return ExitCode::from(2);
            }
        }
    }
    if rows::run(&options) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
