//! Running stacks, seen and tuned from other programs: what `netloom ss`, `stat` and `sysctl` do.
//!
//! An instance that is to be seen ([`Builder::control`](crate::net::Builder::control)) has a unix
//! socket, mode 0600 in a folder of mode 0700, and answers only its own user and root.
//!
//! # The protocol
//!
//! A client sends a line, the instance answers in lines, and the next question may follow. Each line
//! is a JSON value. A question is a [`Question`] with the protocol's [`VERSION`]:
//!
//! ```json
//! {"version":1,"ask":"sockets"}
//! {"version":1,"ask":{"set_tunable":{"name":"tcp_sack","value":0}}}
//! ```
//!
//! The answer is a [`Line`] each for what there is, and `"end"`, or one `{"error":"..."}`. An
//! instance of another version says so in an error. Within a version fields may be added: what is
//! not known is skipped.
//!
//! | file | what is in it |
//! |---|---|
//! | `message` | questions and answers |
//! | `answer` | what a stack answers |
//! | `server` | the socket of an instance, and the thread behind it |
//! | `client` | finding instances, and asking them |
//! | `folder` | where the sockets are |
//! | `proc_net` | the same tables as Linux's files of `/proc/net` have them |

#[cfg(target_os = "linux")]
mod answer;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod folder;
mod message;
pub mod proc_net;
#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
pub use client::{Client, instances};
pub use message::{
    Ask, Closed, Counter, Detail, Instance, Interface, Line, Neighbor, Protocol, Question, Route,
    Socket, SocketState, Timer, TimerKind, Tunable, VERSION,
};
#[cfg(target_os = "linux")]
pub(crate) use server::Server;

/// Whether a running stack can be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Control {
    /// No.
    #[default]
    Off,
    /// Yes; without a folder for the socket the stack cannot be started.
    On,
    /// Yes, if there is a folder for the socket.
    IfPossible,
    /// Yes, by a socket at this path, which must not exist.
    At(std::path::PathBuf),
}
