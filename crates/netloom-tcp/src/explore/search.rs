//! Breadth first through every state, then back from the good ends.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::time::Instant;
use std::vec::Vec;

use super::canonical::fingerprint;
use super::step::{Model, Step};
use super::world::{Rules, World};

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// The graph so far. A state's number is the order in which it was found.
#[derive(Default)]
struct Graph {
    numbers: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    /// From where, and by which of [`Step::ALL`], each state was first reached.
    parents: Vec<(u32, u8)>,
    /// Where each expanded state's successors start in `successors`.
    starts: Vec<usize>,
    successors: Vec<u32>,
    /// The states from which a clean close is known to be possible.
    good: Vec<bool>,
}

impl Graph {
    /// The number of a state, and whether it is new.
    fn number(&mut self, key: u64, parent: u32, step: u8) -> (u32, bool) {
        let next = self.parents.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.parents.push((parent, step));
            self.good.push(false);
        }
        (number, number == next)
    }

    /// The steps that lead to a state.
    fn path(&self, mut number: u32) -> Vec<Step> {
        let mut path = Vec::new();
        while number != 0 {
            let (parent, step) = self.parents[number as usize];
            path.push(Step::ALL[usize::from(step)]);
            number = parent;
        }
        path.reverse();
        path
    }

    /// Spreads `good` backwards over the successors until nothing changes. Most steps lead to
    /// later numbers, so few rounds from the last to the first are enough.
    fn spread(&mut self) {
        loop {
            let mut changed = false;
            for state in (0..self.starts.len()).rev() {
                if self.good[state] {
                    continue;
                }
                let from = self.starts[state];
                let to = self
                    .starts
                    .get(state + 1)
                    .copied()
                    .unwrap_or(self.successors.len());
                if self.successors[from..to]
                    .iter()
                    .any(|s| self.good[*s as usize])
                {
                    self.good[state] = true;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }
}

/// One step, with a panic told as a fault.
fn apply(model: &Model, world: &mut World, step: Step) -> Result<bool, String> {
    match catch_unwind(AssertUnwindSafe(|| model.apply(world, step))) {
        Ok(result) => result,
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| String::from(*s)));
            Err(format!("panicked: {}", message.unwrap_or_default()))
        }
    }
}

/// Runs `path` from the start again and tells what happens.
fn narrate(model: &Model, path: &[Step]) -> String {
    let mut text = String::new();
    let Ok(mut world) = model.start() else {
        return text;
    };
    for step in path {
        let result = apply(model, &mut world, *step);
        text += &format!(
            "\n{step:?}: {:?}\n  to 0 {:?}\n  to 1 {:?}\n  late {:?}",
            world.states(),
            world.queue[0],
            world.queue[1],
            world.late
        );
        if let Err(fault) = result {
            text += &format!("\n{fault}");
        }
    }
    text += &format!("\n{:?}", world.hosts);
    text
}

/// From `world`, the best of all channels and programs: whether that ends in a clean close.
/// It closes every state at the rim of a search that was cut short.
fn ends_well(model: &Model, mut world: World) -> Result<bool, String> {
    let mut first = 0;
    for _ in 0..400 {
        if model.is_done(&world) {
            return Ok(true);
        }
        let mut moved = false;
        for i in 0..2 {
            for step in [
                Step::DeliverLate(i),
                Step::Deliver(i),
                Step::Transmit(i),
                Step::Read(i),
                Step::Close(i),
            ] {
                moved |= apply(model, &mut world, step)?;
            }
        }
        // Both clocks go, now one first, now the other.
        if !moved {
            first = 1 - first;
            moved |= apply(model, &mut world, Step::Timer(first))?;
            moved |= apply(model, &mut world, Step::Timer(1 - first))?;
        }
        if !moved {
            return Ok(false);
        }
    }
    Ok(model.is_done(&world))
}

/// Explores `rules` up to about `limit` states; tells how much that was, and whether it was all.
/// An error tells the fault and the way to it.
pub(super) fn explore(rules: Rules, limit: usize) -> Result<(String, bool), String> {
    let begun = Instant::now();
    let model = Model::new(rules);
    let mut graph = Graph::default();
    let start = model.start()?;
    graph.number(fingerprint(&start), 0, 0);
    let mut level = Vec::from([start]);
    let mut pairs = std::collections::HashSet::new();
    let mut depth = 0;
    let mut expanded = 0u32;
    let mut done = 0;
    let mut rim = Vec::new();
    while !level.is_empty() {
        let mut next = Vec::new();
        let mut rest = level.into_iter();
        while graph.parents.len() < limit {
            let Some(world) = rest.next() else { break };
            let number = expanded;
            expanded += 1;
            graph.starts.push(graph.successors.len());
            pairs.insert(world.states());
            if model.is_done(&world) {
                done += 1;
                graph.good[number as usize] = true;
                continue;
            }
            for (code, step) in Step::ALL.iter().enumerate() {
                let mut after = world.clone();
                match apply(&model, &mut after, *step) {
                    Ok(false) => {}
                    Ok(true) => {
                        let key = fingerprint(&after);
                        let (successor, new) = graph.number(key, number, code as u8);
                        graph.successors.push(successor);
                        if new {
                            next.push(after);
                        }
                    }
                    Err(fault) => {
                        let mut path = graph.path(number);
                        path.push(*step);
                        let told = narrate(&model, &path);
                        return Err(format!("{}: {fault}\n{told}", model.rules.name));
                    }
                }
            }
        }
        if graph.parents.len() < limit {
            level = next;
            depth += 1;
        } else {
            rim = rest.chain(next).collect();
            break;
        }
    }
    let whole = rim.is_empty();
    for (number, world) in (expanded..).zip(rim) {
        match ends_well(&model, world) {
            Ok(well) => graph.good[number as usize] = well,
            Err(fault) => {
                let told = narrate(&model, &graph.path(number));
                return Err(format!("{}: after\n{told}\n{fault}", model.rules.name));
            }
        }
    }
    graph.spread();
    if let Some(bad) = graph.good.iter().position(|good| !good) {
        let told = narrate(&model, &graph.path(bad as u32));
        let name = model.rules.name;
        return Err(format!(
            "{name}: no clean close is possible any more after\n{told}"
        ));
    }
    let told = format!(
        "{}: {} states ({}), {} steps, depth {depth}, {} pairs of states, {done} clean ends, {} s",
        model.rules.name,
        graph.parents.len(),
        if whole { "all there are" } else { "cut short" },
        graph.successors.len(),
        pairs.len(),
        begun.elapsed().as_secs(),
    );
    Ok((told, whole))
}
