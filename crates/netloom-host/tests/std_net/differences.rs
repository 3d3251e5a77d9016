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
];
