//! Deadlines.

/// A connection's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Retransmission (RFC 6298), of SYN, data or FIN.
    Retransmit,
    /// Zero-window probe, or the override of silly-window avoidance (RFC 9293 §3.8.6).
    Persist,
    /// Delayed acknowledgment.
    DelayedAck,
    /// Keep-alive.
    KeepAlive,
    /// User timeout, or R2 (RFC 9293 §3.8.3).
    User,
    /// The end of FIN-WAIT-2 without a user, of the linger time, or of a half-closed connection.
    Close,
}
