//! What every stack is asked to do: the work is written once and runs over each of them.

use crate::wire::Link;

/// One end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The end that connects and sends.
    Client,
    /// The end that accepts and answers.
    Server,
}

/// Two stacks of one make, joined by a wire, on a clock that the work turns.
pub(crate) trait Pair: Sized {
    /// A connection as its user holds it.
    type Conn: Copy;

    /// What the stack is called in tables.
    const NAME: &'static str;

    /// Two stacks. `buffer` is the size of each connection's send and of its receive buffer in
    /// bytes; `slots` is how many frames the wire holds each way.
    fn new(link: Link, buffer: usize, slots: usize) -> Self;

    /// Opens so many connections; the handshakes are complete on return.
    fn open(&mut self, count: usize) -> Vec<(Self::Conn, Self::Conn)>;

    /// Opens a connection, closes it from the client's side, then the server's, and lets go
    /// of both ends: six frames, since the server's FIN carries its ACK.
    fn connect_and_close(&mut self);

    /// Queues bytes; says how many.
    fn write(&mut self, side: Side, conn: Self::Conn, data: &[u8]) -> usize;

    /// Takes bytes that have arrived; says how many.
    fn read(&mut self, side: Side, conn: Self::Conn, buffer: &mut [u8]) -> usize;

    /// Fills free room of the send queue with `byte`, without a copy; says how many bytes.
    fn write_in_place(&mut self, side: Side, conn: Self::Conn, byte: u8) -> usize;

    /// Looks at what has arrived where it lies and takes it; says how many bytes.
    fn read_in_place(&mut self, side: Side, conn: Self::Conn) -> usize;

    /// Lets `from` send all it owes and hands that to the other side.
    fn carry(&mut self, from: Side);

    /// Turns the clock.
    fn pass(&mut self, micros: u64);

    /// Frames that were ever sent, both ways.
    fn frames(&self) -> u64;
}
