//! HTTP/1.1 (RFC 9110, RFC 9112), server and client, without waiting and without a heap.
//!
//! Heads are parsed in place, in one lent buffer that is used again and again; so are bodies, whose
//! pieces are handed out where they arrived. Nothing is allocated for a request, and nothing is
//! copied but content that a program asks to have in one piece.
//!
//! Three layers, each useful alone:
//!
//! | layer | what is in it |
//! |---|---|
//! | messages | [`parse_request`], [`parse_response`], [`Decoder`]: bytes to typed heads and content |
//! | streams | [`Head`] receives and [`Output`] sends messages over any [`Transport`] |
//! | programs | [`Session`] and [`Server`] answer through a [`Handler`] and a [`Router`]; [`Client`] asks |
//!
//! What fields mean: [`Ranges`] and [`ByteRanges`], [`evaluate`] (conditional requests), [`HttpDate`], [`cookies`] and
//! [`SetCookie`], [`Form`], [`Multipart`], [`Encoded`] (percent-encoding), [`Url`].
//!
//! # Against clients that mean harm
//!
//! Where leniency lets two readers of one byte stream disagree on where a message ends, there is
//! none (RFC 9112 §11.2); `docs/http-negative.md` has the table of what is refused, and how. What is
//! received is bounded by the buffers lent, what is sent cannot be split: a field with a control
//! character in it is not written. Time is the caller's: [`Server`] bounds that of a request as a
//! whole.

mod body;
mod byteranges;
mod client;
mod condition;
mod cookie;
mod counters;
mod date;
mod fields;
mod form;
mod framing;
mod head;
mod method;
mod multipart;
mod output;
mod percent;
mod range;
mod request;
mod response;
mod router;
mod server;
mod session;
mod status;
mod target;
mod transport;
mod url;

pub use body::Decoder;
pub use byteranges::ByteRanges;
pub use client::{Client, Continue, Redirect};
pub use condition::{EntityTag, Validators, Verdict, evaluate};
pub use cookie::{BadCookie, ReceivedCookie, SameSite, SetCookie, cookie, cookies};
#[cfg(feature = "counters")]
pub use counters::Counters;
pub use date::HttpDate;
pub use fields::{Field, Fields, Quotable, is_token, list_members, parameters};
pub use form::{FORM_TYPE, Form, FormPairs};
pub use framing::Framing;
pub use head::{Head, ReadError};
pub use method::{Method, Version};
pub use multipart::{Multipart, Part, Piece};
pub use output::{HeadError, HeadWriter, Output, Persistence};
pub use percent::{BadPercent, DecodeError, Encoded, PercentEncoded};
pub use range::{ByteRange, ContentRange, Ranges, Selection};
pub use request::{HeadLimits, Parsed, Request, parse_request};
pub use response::{Response, parse_response};
pub use router::{Allowed, Match, Params, Route, Router};
pub use server::{Buffers, Server, Timeouts};
pub use session::{Content, Handler, Progress, Reply, Session};
pub use status::{Class, Refusal, Status};
pub use target::{Target, is_authority, split_authority};
pub use transport::{Connection, StreamError, Transport};
pub use url::{Authority, HTTP_PORT, Url, UrlError};
