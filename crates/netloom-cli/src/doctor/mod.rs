//! `netloom doctor`: what this machine allows, and the line that changes what it does not.

mod checks;

use std::io::{self, Write};

use crate::failure::Failure;
use checks::{Check, Outcome};

/// Say what this machine allows netloom, and how to change what it does not.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom doctor
  netloom doctor --json

Exit codes: 0 if there is all that `netloom run` needs, else 1.")]
pub struct DoctorArgs {
    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Only try to make the namespaces and the cable that `netloom run` needs.
    #[arg(long, hide = true)]
    try_run: bool,

    /// Only try what the kernel takes over on a TAP interface.
    #[arg(long, hide = true)]
    try_offload: bool,
}

impl DoctorArgs {
    /// Looks at everything and tells.
    ///
    /// # Errors
    ///
    /// Something is missing that `netloom run` needs.
    pub fn run(&self) -> Result<(), Failure> {
        if self.try_run {
            return checks::try_run();
        }
        if self.try_offload {
            return checks::try_offload();
        }
        let checks = checks::all();
        let text = if self.json {
            json(&checks)
        } else {
            table(&checks)
        };
        // Standard output may be closed; the exit code still tells.
        let _ = writeln!(io::stdout(), "{text}");
        if checks.iter().any(Check::is_in_the_way) {
            return Err(Failure::new(
                "`netloom run` cannot work here: the lines above say what to do",
            ));
        }
        Ok(())
    }
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max();
    let width = width.unwrap_or(0);
    let mut lines = Vec::new();
    for check in checks {
        let word = match check.outcome {
            Outcome::Yes => "yes",
            Outcome::No { .. } if check.is_needed => "NO ",
            Outcome::No { .. } => "no ",
        };
        lines.push(format!("{word}  {:width$}  {}", check.name, check.serves));
        if let Outcome::No { why, fix } = &check.outcome {
            lines.push(format!("     {:width$}  {why}", ""));
            lines.push(format!("     {:width$}  do: {fix}", ""));
        }
    }
    lines.join("\n")
}

fn json(checks: &[Check]) -> String {
    let objects: Vec<String> = checks
        .iter()
        .map(|check| {
            let Check {
                name,
                serves,
                is_needed,
                outcome,
            } = check;
            let (ok, rest) = match outcome {
                Outcome::Yes => (true, String::new()),
                Outcome::No { why, fix } => (
                    false,
                    format!(",\"why\":{},\"fix\":{}", quoted(why), quoted(fix)),
                ),
            };
            format!(
                "{{\"name\":{},\"serves\":{},\"needed\":{is_needed},\"ok\":{ok}{rest}}}",
                quoted(name),
                quoted(serves),
            )
        })
        .collect();
    format!("[{}]", objects.join(","))
}

/// A JSON string (RFC 8259 §7).
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same() {
        let checks = [
            Check {
                name: "one",
                serves: "this",
                is_needed: true,
                outcome: Outcome::Yes,
            },
            Check {
                name: "three",
                serves: "that",
                is_needed: false,
                outcome: Outcome::No {
                    why: "a \"reason\"\n".to_owned(),
                    fix: "do it".to_owned(),
                },
            },
        ];
        assert_eq!(
            json(&checks),
            r#"[{"name":"one","serves":"this","needed":true,"ok":true},{"name":"three","serves":"that","needed":false,"ok":false,"why":"a \"reason\"\u000a","fix":"do it"}]"#
        );
        let table = table(&checks);
        assert!(
            table.starts_with("yes  one    this\nno   three  that\n"),
            "{table}"
        );
        assert!(table.ends_with("do: do it"), "{table}");
    }
}
