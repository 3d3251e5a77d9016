//! Where our sockets are meant to behave otherwise than the kernel's.

/// Between whom the checks ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// Both ends are ours.
    OursOnly,
    /// Only the client is.
    OurClient,
    /// Only the server is.
    OurServer,
}

/// Whose sockets differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the table may have no need of one of them")]
pub(crate) enum Of {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

impl Of {
    pub(crate) fn covers(self, at: Where) -> bool {
        match at {
            Where::OursOnly => true,
            Where::OurClient => self == Of::Client,
            Where::OurServer => self == Of::Server,
        }
    }
}

/// A check that does not end as it does on the kernel's sockets.
pub(crate) struct Difference {
    pub(crate) check: &'static str,
    /// Whose sockets it is about.
    pub(crate) at: Of,
    /// What the kernel's sockets show.
    pub(crate) kernel: &'static str,
    /// What ours show.
    pub(crate) ours: &'static str,
    pub(crate) why: &'static str,
}

/// All of them.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        check: "connecting_to_port_zero",
        at: Of::Client,
        kernel: "Err(ConnectionRefused)",
        ours: "Err(InvalidInput)",
        why: "port 0 is nobody's: the mistake is told without asking the peer",
    },
    Difference {
        check: "listening_at_one_address_beside_everywhere",
        at: Of::Server,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a listener at one address goes before one at every address, as with UDP",
    },
    Difference {
        check: "listening_everywhere_beside_one_address",
        at: Of::Server,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a listener at one address goes before one at every address, as with UDP",
    },
    Difference {
        check: "reading_again_after_a_reset",
        at: Of::Server,
        kernel: "Ok(0)",
        ours: "Err(ConnectionReset)",
        why: "the kernel tells of a reset once, and the end of the stream afterwards, as if the \
              peer had finished: a reset never reads as an orderly end here",
    },
    Difference {
        check: "writing_after_a_reset_was_told",
        at: Of::Server,
        kernel: "Err(BrokenPipe)",
        ours: "Err(ConnectionReset)",
        why: "as with reading: every call tells how the connection ended",
    },
    Difference {
        check: "connecting_to_nowhere_is_connecting_to_oneself",
        at: Of::Client,
        kernel: "Ok(true)",
        ours: "Err(InvalidInput)",
        why: "the unspecified address is nobody's (RFC 1122, 3.2.1.3): it is no name for this host",
    },
    Difference {
        check: "listening_at_the_port_of_an_own_connection",
        at: Of::Client,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a connection is known by both its ends: a listener at its port takes none of its segments",
    },
    Difference {
        check: "listening_at_a_group",
        at: Of::Server,
        kernel: "Ok(())",
        ours: "Err(InvalidInput)",
        why: "nobody can connect there: the mistake is told where it is made",
    },
    Difference {
        check: "listening_at_the_broadcast_address",
        at: Of::Server,
        kernel: "Ok(())",
        ours: "Err(InvalidInput)",
        why: "nobody can connect there: the mistake is told where it is made",
    },
    Difference {
        check: "what_came_before_reading_was_shut_down_is_read",
        at: Of::Server,
        kernel: "Ok((Ok(5), Ok(2), (3, Ok(()))))",
        ours: "Ok((Ok(0), Ok(0), (0, Ok(()))))",
        why: "std's documentation has all future reads return 0, which the kernel's do not while something is there",
    },
    Difference {
        check: "what_comes_after_reading_was_shut_down",
        at: Of::Server,
        kernel: "Ok((Ok(4), Ok(0)))",
        ours: "Ok((Ok(0), Ok(0)))",
        why: "std's documentation has all future reads return 0, which the kernel's do not while something is there",
    },
    Difference {
        check: "the_peers_address_after_both_ends",
        at: Of::Server,
        kernel: "Err(NotConnected)",
        ours: "Ok(())",
        why: "a connection that is over stays what it was: whose it was can still be told, and every call tells how it ended",
    },
    Difference {
        check: "the_peers_address_after_a_reset",
        at: Of::Server,
        kernel: "Err(NotConnected)",
        ours: "Ok(())",
        why: "a connection that is over stays what it was: whose it was can still be told, and every call tells how it ended",
    },
    Difference {
        check: "shutting_down_after_both_ends",
        at: Of::Server,
        kernel: "Err(NotConnected)",
        ours: "Ok(())",
        why: "there is nothing left to do, which is what was asked for; the kernel says so only once the last acknowledgment has come",
    },
    Difference {
        check: "shutting_down_reading_after_a_reset",
        at: Of::Server,
        kernel: "Err(NotConnected)",
        ours: "Err(ConnectionReset)",
        why: "a connection that is over stays what it was: whose it was can still be told, and every call tells how it ended",
    },
    Difference {
        check: "shutting_down_writing_after_a_reset",
        at: Of::Server,
        kernel: "Err(NotConnected)",
        ours: "Err(ConnectionReset)",
        why: "a connection that is over stays what it was: whose it was can still be told, and every call tells how it ended",
    },
    Difference {
        check: "an_error_that_was_read_is_not_told_again",
        at: Of::Server,
        kernel: "Ok(None)",
        ours: "Ok(Some(ConnectionReset))",
        why: "as with reading: every call tells how the connection ended, and this one tells it once",
    },
    Difference {
        check: "a_port_is_taken_everywhere",
        at: Of::Client,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a socket at one address goes before one at every address, and one with a peer before both: none takes the other's datagrams",
    },
    Difference {
        check: "a_port_that_is_taken_everywhere_is_taken_here",
        at: Of::Client,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a socket at one address goes before one at every address, and one with a peer before both: none takes the other's datagrams",
    },
    Difference {
        check: "a_port_is_taken_beside_a_connected_socket",
        at: Of::Client,
        kernel: "Err(AddrInUse)",
        ours: "Ok(())",
        why: "a socket at one address goes before one at every address, and one with a peer before both: none takes the other's datagrams",
    },
    Difference {
        check: "connecting_a_socket_to_port_zero",
        at: Of::Client,
        kernel: "Ok((Ok(()), Err(NotConnected)))",
        ours: "Ok((Err(InvalidInput), Err(NotConnected)))",
        why: "port 0 is nobody's: the mistake is told when it is made, not when something is sent",
    },
    Difference {
        check: "what_waited_when_a_socket_was_connected",
        at: Of::Server,
        kernel: "Ok(5)",
        ours: "Err(WouldBlock)",
        why: "who connects a socket wants to hear its peer alone from then on, not what others sent before",
    },
];
