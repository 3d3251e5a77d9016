//! `netloom sysctl`: the tunables of running instances.

use std::io::{self, Write};

use netloom::control::{Ask, Client, Line, Tunable};

use crate::failure::Failure;
use crate::instances::{InstanceArgs, each};

/// Read and set the tunables of running netloom instances, by Linux's names where they mean the
/// same.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
Examples:
  netloom sysctl                         every tunable
  netloom sysctl -d tcp_sack             what it is for, and its range
  netloom sysctl tcp_keepalive_time=60   set it in the running instance
  netloom sysctl tcp_congestion_control=bbr

What is set holds until the instance ends.")]
pub struct SysctlArgs {
    /// Tunables to read (NAME) or set (NAME=VALUE) [default: all]
    #[arg(value_name = "NAME[=VALUE]")]
    names: Vec<String>,

    /// What each is for, and its range
    #[arg(long, short)]
    describe: bool,

    /// Values alone
    #[arg(long, short = 'n', conflicts_with = "describe")]
    values: bool,

    /// As JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    which: InstanceArgs,
}

/// A tunable to read, or to set.
type Order<'a> = (&'a str, Option<&'a str>);

impl SysctlArgs {
    /// Reads or sets them.
    ///
    /// # Errors
    ///
    /// There is no instance, or it does not answer; it has no tunable of a name; the value is
    /// outside its range.
    pub fn run(&self) -> Result<(), Failure> {
        let orders: Vec<Order<'_>> = self.names.iter().map(|order| parse(order)).collect();
        let sets = orders.iter().any(|(_, value)| value.is_some());
        // To read many is harmless.
        let mut found = if sets {
            vec![self.which.find_one()?]
        } else {
            self.which.find()?
        };
        let mut text = String::new();
        if self.json {
            let mut all = Vec::new();
            for one in &mut found {
                let tunables = carry_out(&mut one.client, &orders);
                let tunables = tunables.map_err(|error| one.failed(&error))?;
                all.push(serde_json::json!({ "instance": one.instance, "tunables": tunables }));
            }
            text = serde_json::to_string_pretty(&all).unwrap_or_default();
            text.push('\n');
        } else {
            each(&mut found, &mut text, |one, text| {
                for tunable in carry_out(&mut one.client, &orders)? {
                    *text += &self.line(&tunable);
                }
                Ok(())
            })?;
        }
        // Whoever has read enough may go.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(())
    }

    fn line(&self, tunable: &Tunable) -> String {
        let Tunable {
            name,
            min,
            max,
            doc,
            choices,
            ..
        } = tunable;
        let value = tunable.said();
        if self.values {
            format!("{value}\n")
        } else if self.describe && !choices.is_empty() {
            format!("{name} = {value}  # {}: {doc}\n", choices.join(", "))
        } else if self.describe {
            format!("{name} = {value}  # {min} to {max}: {doc}\n")
        } else {
            format!("{name} = {value}\n")
        }
    }
}

fn parse(order: &str) -> Order<'_> {
    match order.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (order.trim(), None),
    }
}

fn carry_out(client: &mut Client, orders: &[Order<'_>]) -> io::Result<Vec<Tunable>> {
    let pick = |line| match line {
        Line::Tunable(tunable) => Some(tunable),
        _ => None,
    };
    if orders.is_empty() {
        return client.gather(Ask::Tunables, pick);
    }
    let mut done = Vec::new();
    for &(name, value) in orders {
        if let Some(value) = value {
            let (name, value) = (name.to_owned(), value.to_owned());
            done.extend(client.gather(Ask::SetTunable { name, value }, pick)?);
            continue;
        }
        let all = client.gather(Ask::Tunables, pick)?;
        match all.iter().find(|tunable| tunable.name == name) {
            Some(found) => done.push(found.clone()),
            None => {
                let names: Vec<&str> = all.iter().map(|tunable| tunable.name.as_str()).collect();
                let message = format!("{name}: no such tunable; there are: {}", names.join(" "));
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        }
    }
    Ok(done)
}
