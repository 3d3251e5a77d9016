//! A stack looked at by who does not keep it running.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use netloom_stack::{Error as StackError, Stack, Tunable};

use super::error::to_io;
use super::runtime::{Running, Shared};
use crate::control::{Control, Server};
use crate::device;

/// Connections that are remembered beyond their end.
const DEAD: u16 = 1024;

/// The way to a stack that may have ended.
#[derive(Debug, Clone)]
pub(crate) struct WeakLooker(Weak<Shared>);

/// A stack that still runs, or did a moment ago.
#[derive(Debug)]
pub(crate) struct Looker(Arc<Shared>);

impl WeakLooker {
    pub(crate) fn get(&self) -> Option<Looker> {
        self.0.upgrade().map(Looker)
    }
}

impl Looker {
    /// Looks at the stack, under its lock.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Stack) -> T) -> T {
        self.0.look(|engine| {
            // Timers are seen as they are now, not as they were when something happened last.
            engine.stack.advance(engine.clock.now());
            look(&mut engine.stack)
        })
    }

    /// How long the stack has run.
    pub(crate) fn age(&self) -> Duration {
        self.0.look(|engine| engine.clock.age())
    }

    pub(crate) fn device_counters(&self) -> device::Counters {
        self.0.look(|engine| engine.device_counters())
    }

    /// Changes a tunable to what a text says; gives it as it is then.
    pub(crate) fn set_tunable(&self, name: &str, text: &str) -> io::Result<Tunable> {
        let set = |engine: &mut super::engine::Engine| {
            let set = engine.stack.set_tunable_named(name, text);
            let now = engine.stack.tunables().get(name);
            match (set, now) {
                (Ok(()), Some(now)) => Ok(now),
                (Err(StackError::OutOfRange), Some(Tunable { min, max, .. })) => {
                    let message = format!("`{text}` is not a number from {min} to {max}");
                    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
                }
                (Err(error), _) => Err(to_io(error)),
                (Ok(()), None) => Err(to_io(StackError::NoSuchTunable)),
            }
        };
        self.0.with(set)
    }
}

impl Running {
    /// Opens the socket by which others ask about the stack.
    pub(super) fn open_control(&mut self, control: &Control, device: &str) -> io::Result<()> {
        let path = match control {
            Control::Off => return Ok(()),
            Control::On | Control::IfPossible => None,
            Control::At(path) => Some(path.as_path()),
        };
        let limit = |engine: &mut super::engine::Engine| engine.stack.remember_dead(DEAD);
        self.shared().with(limit);
        match Server::start(WeakLooker(self.weak()), device, path) {
            Ok(server) => self.control = Some(server),
            Err(_) if *control == Control::IfPossible => {}
            Err(error) => {
                let message = format!("cannot make the socket to be asked by: {error}");
                return Err(io::Error::new(error.kind(), message));
            }
        }
        Ok(())
    }
}
