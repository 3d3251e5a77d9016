//! Which running instances a command is about.

use std::io;
use std::path::{Path, PathBuf};

use netloom::control::{Client, Instance, instances};

use crate::failure::Failure;

/// Which running instance to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct InstanceArgs {
    /// The instance: its process, its device, or the path of its socket [default: every one of
    /// this user's]
    #[arg(long, short = 'I', value_name = "WHICH")]
    instance: Option<String>,
}

/// An instance that answers.
pub(crate) struct Found {
    pub(crate) instance: Instance,
    pub(crate) client: Client,
}

impl Found {
    /// Its name in messages and headings.
    pub(crate) fn title(&self) -> String {
        let Instance {
            pid,
            program,
            device,
            ..
        } = &self.instance;
        format!("{device} ({program}, process {pid})")
    }

    /// A failure of its own.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::new(format!("{}: {error}", self.title()))
    }
}

impl InstanceArgs {
    /// The instances that are meant; never none.
    ///
    /// # Errors
    /// There is none, or the one that is named does not answer.
    pub(crate) fn find(&self) -> Result<Vec<Found>, Failure> {
        if let Some(which) = self.instance.as_ref().filter(|which| which.contains('/')) {
            let path = Path::new(which);
            let found = open(path).map_err(|error| {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => ": it is another user's",
                    io::ErrorKind::ConnectionRefused => ": nobody is behind it any more",
                    _ => "",
                };
                Failure::new(format!("cannot ask `{which}`: {error}{hint}"))
            })?;
            return Ok(vec![found]);
        }
        let paths: Vec<PathBuf> = instances()
            .map_err(|error| Failure::new(format!("cannot look for running instances: {error}")))?;
        // One that ends just now is none.
        let mut found: Vec<Found> = paths.iter().filter_map(|path| open(path).ok()).collect();
        if found.is_empty() {
            return Err(Failure::new(
                "no running instance of this user's: start one (`netloom serve`), or name the \
                 socket of one with --instance",
            ));
        }
        if let Some(which) = &self.instance {
            let is_meant =
                |f: &Found| *which == f.instance.pid.to_string() || *which == f.instance.device;
            let all: Vec<String> = found.iter().map(Found::title).collect();
            found.retain(is_meant);
            if found.is_empty() {
                let all = all.join(", ");
                return Err(Failure::new(format!(
                    "no instance `{which}`: there is {all}"
                )));
            }
        }
        Ok(found)
    }

    /// The one instance that is meant.
    ///
    /// # Errors
    /// As [`InstanceArgs::find`]; there are several.
    pub(crate) fn find_one(&self) -> Result<Found, Failure> {
        let mut found = self.find()?;
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => {
                let all: Vec<_> = found.iter().chain(&last).map(Found::title).collect();
                let all = all.join(", ");
                Err(Failure::new(format!(
                    "several instances run: {all}: choose with --instance"
                )))
            }
        }
    }
}

fn open(path: &Path) -> io::Result<Found> {
    let mut client = Client::connect(path)?;
    let instance = client.instance()?;
    Ok(Found { instance, client })
}

/// Calls `print` for each, with a line of heading if there are several.
///
/// # Errors
/// What `print` says.
pub(crate) fn each(
    found: &mut [Found],
    out: &mut String,
    mut print: impl FnMut(&mut Found, &mut String) -> io::Result<()>,
) -> Result<(), Failure> {
    let several = found.len() > 1;
    for (index, one) in found.iter_mut().enumerate() {
        if several {
            let gap = if index > 0 { "\n" } else { "" };
            *out += &format!("{gap}{}\n", one.title());
        }
        if let Err(error) = print(one, out) {
            return Err(one.failed(&error));
        }
    }
    Ok(())
}
