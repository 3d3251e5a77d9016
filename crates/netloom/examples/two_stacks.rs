//! The stack itself, no runtime: two stacks, and two queues of frames between them.

use netloom::driver::{FrameQueue, Instant, RxMeta};
use netloom::stack::{Config, Error, IfaceId, Limits, Seed, Stack};

fn stack(address: &str) -> Stack {
    let config = Config::ip().address(address.parse().expect("an address"));
    // A program takes its seed from the system's or the hardware's randomness.
    Stack::with_heap(config, Limits::default(), Seed::for_tests(7))
}

fn main() -> Result<(), Error> {
    let (mut a, mut b) = (stack("10.0.0.1/24"), stack("10.0.0.2/24"));
    let (mut to_a, mut to_b) = (FrameQueue::default(), FrameQueue::default());
    let listener = b.tcp_listen(7)?;
    let client = a.tcp_connect(([10, 0, 0, 2], 7).into())?;
    a.tcp_write(client, b"hello")?;

    let mut now = Instant::from_secs(1);
    for _ in 0..4 {
        now = now.plus_micros(1_000);
        let _ = a.transmit(now, IfaceId::FIRST, &mut to_b);
        while let Some(frame) = to_b.frames.pop_front() {
            b.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
        let _ = b.transmit(now, IfaceId::FIRST, &mut to_a);
        while let Some(frame) = to_a.frames.pop_front() {
            a.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
    }

    let server = b.tcp_accept(listener)?.expect("the handshake is complete");
    let mut buffer = [0; 16];
    let len = b.tcp_read(server, &mut buffer)?;
    println!("{}", String::from_utf8_lossy(&buffer[..len]));
    Ok(())
}
