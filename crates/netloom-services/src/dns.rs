//! A stub resolver (RFC 1034 §5.3.1): it asks recursive servers, and remembers what they said.
//!
//! [`Resolver`] works on any [`Stack`](netloom_stack::Stack) through UDP sockets and TCP
//! connections. A query is begun, the resolver is polled with the stack, and the answer is taken:
//!
//! ```
//! use netloom_services::dns::{Config, RecordType, Resolver};
//! use netloom_stack::{Seed, Stack};
//!
//! // One query at a time, answers of 64 octets (six addresses), a cache of 256, messages of 512.
//! type Small = Resolver<1, 64, 256, 512>;
//!
//! fn ask(stack: &mut Stack, dns: &mut Small) {
//!     let query = dns.begin(stack, "example.org", RecordType::A).unwrap();
//!     // Whenever the stack has done something:
//!     dns.poll(stack);
//!     if let Some(result) = dns.answer(query) {
//!         if let Ok(answer) = result {
//!             for _addr in answer.addresses() { /* ... */ }
//!         }
//!         dns.end(stack, query);
//!     }
//! }
//! # let _ = ask;
//! let config = Config::new().server("192.0.2.53:53".parse().unwrap());
//! let dns = Small::new(config, Seed::from([7; 32]));
//! # drop(dns);
//! ```
//!
//! # What it holds itself to
//!
//! * Every query goes out from an unpredictable port with an unpredictable id, and its letters in
//!   unpredictable case; a reply must match all of that, the server's address and port, and the
//!   question (RFC 5452). What does not match is dropped and counted: [`Counters`]. There is one
//!   outstanding query for a question at most, however many ask it.
//! * Only records that answer the question are taken, through a bounded chain of aliases.
//! * Positive and negative answers are cached for as long as they may be (RFC 2308), in a fixed
//!   number of octets.
//! * A server that is silent costs one retry, and is asked last for half a minute.
//! * What does not fit UDP comes over TCP (RFC 7766).
//! * `localhost`, `invalid` and `onion` are never asked of servers (RFC 6761, 7686), nor are
//!   numeric addresses, nor names that were given addresses by [`Resolver::add_host`].
//!
//! [`Connector`] connects by name, trying addresses of both versions as RFC 8305 has it; [`Attempts`]
//! does to addresses that are known.
//!
//! | file | what is in it |
//! |---|---|
//! | `config` | servers, search list, what can be set |
//! | `resolver` | queries begun, polled, taken |
//! | `query` | one query: along the search list and aliases, from server to server |
//! | `query/exchange` | its messages, over UDP and TCP |
//! | `health` | which servers to ask first |
//! | `failure` | why there is no answer |
//! | `response` | which replies are taken, and what they mean |
//! | `answer` | records as they are kept |
//! | `cache` | answers remembered |
//! | `special` | names that are nobody's to ask |
//! | `order` | destination addresses in the order of RFC 6724 |
//! | `attempts` | happy eyeballs: connecting to addresses, each beside those before it |
//! | `connect` | the same by name |

mod answer;
mod attempts;
mod cache;
mod config;
mod connect;
mod counters;
mod failure;
mod health;
mod order;
mod query;
mod resolver;
mod response;
mod special;

pub use answer::{Answer, AnswerRecord};
pub use attempts::Attempts;
pub use config::{Config, MAX_SERVERS};
pub use connect::{ConnectError, Connector, ConnectorSettings, split_host_port};
pub use counters::Counters;
pub use failure::Failure;
pub use netloom_wire::dns::{Name, NameView, Rdata, RecordType};
pub use order::{interleave, sort_destinations};
pub use resolver::{BeginError, Query, Resolver};

#[cfg(test)]
mod tests;
