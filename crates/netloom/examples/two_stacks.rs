//! The stack itself, no runtime: two stacks, and two queues of frames between them.

use std::collections::VecDeque;

use netloom::driver::{FrameSink, Full, Instant, RxMeta, TxCaps, TxMeta};
use netloom::stack::{Config, Error, IfaceId, Limits, Seed, Stack};

/// A device that keeps its frames in memory.
#[derive(Default)]
struct Queue(VecDeque<Vec<u8>>);

impl FrameSink for Queue {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(1500)
    }

    fn frame(
        &mut self,
        len: usize,
        _: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let mut frame = vec![0; len];
        fill(&mut frame);
        self.0.push_back(frame);
        Ok(())
    }
}

fn stack(address: &str) -> Stack {
    let config = Config::ip().address(address.parse().expect("an address"));
    // A program takes its seed from the system's or the hardware's randomness.
    Stack::with_heap(config, Limits::default(), Seed::for_tests(7))
}

fn main() -> Result<(), Error> {
    let (mut a, mut b) = (stack("10.0.0.1/24"), stack("10.0.0.2/24"));
    let (mut to_a, mut to_b) = (Queue::default(), Queue::default());
    let listener = b.tcp_listen(7)?;
    let client = a.tcp_connect(([10, 0, 0, 2], 7).into())?;
    a.tcp_write(client, b"hello")?;

    let mut now = Instant::from_secs(1);
    for _ in 0..4 {
        now = now.plus_micros(1_000);
        let _ = a.transmit(now, IfaceId::FIRST, &mut to_b);
        while let Some(frame) = to_b.0.pop_front() {
            b.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
        let _ = b.transmit(now, IfaceId::FIRST, &mut to_a);
        while let Some(frame) = to_a.0.pop_front() {
            a.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
    }

    let server = b.tcp_accept(listener)?.expect("the handshake is complete");
    let mut buffer = [0; 16];
    let len = b.tcp_read(server, &mut buffer)?;
    println!("{}", String::from_utf8_lossy(&buffer[..len]));
    Ok(())
}
