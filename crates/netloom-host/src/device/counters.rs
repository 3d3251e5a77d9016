//! What a device has carried and lost.

/// Frames since the device was made. Every frame offered to the sink is sent, dropped, or the one
/// that still waits; every frame the kernel had for us is received, dropped or in overrun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Frames handed to the stack.
    pub rx_frames: u64,
    /// Frames dropped because they were longer than any frame may be.
    pub rx_dropped: u64,
    /// Frames the kernel dropped because the program was too slow (packet sockets only).
    pub rx_overruns: u64,
    /// Times reading failed for another reason than that nothing was there.
    pub rx_errors: u64,
    /// Frames the kernel took.
    pub tx_frames: u64,
    /// Frames dropped: the device was down or gone, or the kernel refused the frame.
    pub tx_dropped: u64,
    /// Times a frame had to wait because the kernel would not take it yet.
    pub tx_deferred: u64,
}
