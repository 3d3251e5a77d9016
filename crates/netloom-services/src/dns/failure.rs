//! Why a query has no answer.

use core::fmt;

use netloom_stack::Error;
use netloom_wire::dns::rcode;

/// Why a query has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The name exists, but has no record of this type.
    NoSuchRecord,
    /// No server answered in time.
    TimedOut,
    /// Every server that was asked failed; the last one's response code.
    ServerFailed(u16),
    /// The name's aliases lead in a circle, or too far.
    TooManyAliases,
    /// Not even one record fits the memory there is for an answer.
    TooLong,
    /// No server was named.
    NoServers,
    /// No server can be reached: what the stack or ICMP said last.
    Unreachable(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoSuchName => f.write_str("there is no such name"),
            Failure::NoSuchRecord => f.write_str("the name has no such record"),
            Failure::TimedOut => f.write_str("no DNS server answers"),
            Failure::ServerFailed(code) => {
                let what = match *code {
                    rcode::FORMAT_ERROR => "it cannot read the query",
                    rcode::SERVER_FAILURE => "SERVFAIL",
                    rcode::NOT_IMPLEMENTED => "not implemented",
                    rcode::REFUSED => "refused",
                    _ => return write!(f, "the DNS server failed: code {code}"),
                };
                write!(f, "the DNS server failed: {what}")
            }
            Failure::TooManyAliases => f.write_str("the name's aliases lead nowhere"),
            Failure::TooLong => f.write_str("the answer is too long"),
            Failure::NoServers => f.write_str("no DNS server was named"),
            Failure::Unreachable(error) => write!(f, "no DNS server can be reached: {error}"),
        }
    }
}

impl core::error::Error for Failure {}
