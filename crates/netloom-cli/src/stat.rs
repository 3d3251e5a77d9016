//! `netloom stat`: the counters of running instances.

use std::io::{self, Write};

use netloom::control::{Ask, Client, Counter, Line};

use crate::failure::Failure;
use crate::instances::{InstanceArgs, each};

/// Show the counters of running netloom instances, the reasons of dropped packets among them.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
Examples:
  netloom stat             what is not 0
  netloom stat -a tcp.     every counter that begins so
  netloom stat drop.       why packets were dropped")]
pub struct StatArgs {
    /// Counters whose names begin so
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Those that are 0, too
    #[arg(long, short)]
    all: bool,

    /// As JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    which: InstanceArgs,
}

impl StatArgs {
    /// Prints them.
    ///
    /// # Errors
    ///
    /// There is no instance, or it does not answer; there is no counter of a name.
    pub fn run(&self) -> Result<(), Failure> {
        let mut found = self.which.find()?;
        let mut text = String::new();
        if self.json {
            let mut all = Vec::new();
            for one in &mut found {
                let counters = self.counters(&mut one.client);
                let counters = counters.map_err(|error| one.failed(&error))?;
                let counters: serde_json::Map<_, _> = counters
                    .into_iter()
                    .map(|c| (c.name, c.value.into()))
                    .collect();
                all.push(serde_json::json!({ "instance": one.instance, "counters": counters }));
            }
            text = serde_json::to_string_pretty(&all).unwrap_or_default();
            text.push('\n');
        } else {
            each(&mut found, &mut text, |one, text| {
                let counters = self.counters(&mut one.client)?;
                let width = counters.iter().map(|c| c.name.len()).max().unwrap_or(0);
                for Counter { name, value } in counters {
                    *text += &format!("{name:<width$} {value}\n");
                }
                Ok(())
            })?;
        }
        // Whoever has read enough may go.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(())
    }

    fn counters(&self, client: &mut Client) -> io::Result<Vec<Counter>> {
        let mut all = client.gather(Ask::Counters, |line| match line {
            Line::Counter(counter) => Some(counter),
            _ => None,
        })?;
        for name in &self.names {
            if !all.iter().any(|c| c.name.starts_with(name.as_str())) {
                let message = format!("no counter begins with `{name}`: see `netloom stat -a`");
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        }
        all.retain(|counter| {
            let begins = |name: &String| counter.name.starts_with(name.as_str());
            let named = self.names.is_empty() || self.names.iter().any(begins);
            named && (self.all || counter.value > 0)
        });
        Ok(all)
    }
}
