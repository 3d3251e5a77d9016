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
type Order<'a> = (&'a str, Option<u64>);

impl SysctlArgs {
    /// Reads or sets them.
    ///
    /// # Errors
    ///
    /// There is no instance, or it does not answer; it has no tunable of a name; the value is
    /// outside its range.
    pub fn run(&self) -> Result<(), Failure> {
        let orders = self.names.iter().map(|order| parse(order));
        let orders = orders.collect::<Result<Vec<Order<'_>>, Failure>>()?;
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
            value,
            min,
            max,
            doc,
        } = tunable;
        if self.values {
            format!("{value}\n")
        } else if self.describe {
            format!("{name} = {value}  # {min} to {max}: {doc}\n")
        } else {
            format!("{name} = {value}\n")
        }
    }
}

fn parse(order: &str) -> Result<Order<'_>, Failure> {
    let Some((name, value)) = order.split_once('=') else {
        return Ok((order.trim(), None));
    };
    let wrong = |_| Failure::usage(format!("`{value}` is not a number: write {name}=NUMBER"));
    let value = value.trim().parse().map_err(wrong)?;
    Ok((name.trim(), Some(value)))
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
        let some = match value {
            Some(value) => {
                let name = name.to_owned();
                client.gather(Ask::SetTunable { name, value }, pick)?
            }
            None => {
                let mut all = client.gather(Ask::Tunables, pick)?;
                all.retain(|tunable| tunable.name == name);
                all
            }
        };
        if some.is_empty() {
            let message = format!("no tunable `{name}`: see `netloom sysctl`");
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        done.extend(some);
    }
    Ok(done)
}
