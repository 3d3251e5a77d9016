//! Two stacks on a path that delays and loses, on a virtual clock.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use netloom::sim::{Error, HostSetup, Link, Sim, TcpListener, TcpStream, mbit, ms, sleep};
use netloom::stack::TcpInfo;

use super::content::{LEN, content, sha256};
use super::narrator::{Narrator, Window};
use super::say;
use crate::failure::Failure;

/// The path: 100 ms there and back, and one packet in a hundred lost.
const DELAY_MS: u64 = 50;
const LOSS: f64 = 0.01;
const RATE_MBIT: u64 = 100;

const PORT: u16 = 80;
/// Octets written at a time: after each the connection is asked how it stands.
const PART: usize = 4096;
/// How often that is asked once everything is written.
const OFTEN: Duration = Duration::from_millis(20);

/// Has a client fetch 10 MB from a server; tells of it; returns the capture.
///
/// # Errors
///
/// The connection failed, or what arrived is not what was sent.
pub(super) fn run(seed: u64) -> Result<Vec<u8>, Failure> {
    say(&format!(
        "Two netloom stacks, on a path of {} ms there and back, {RATE_MBIT} Mbit/s, that loses \
         {} % of all packets.\nThe clock is virtual, and everything follows from seed {seed}.\n",
        2 * DELAY_MS,
        LOSS * 100.0,
    ));
    let start = Instant::now();
    let mut world = Sim::with_seed(seed);
    world.failure_file(None);
    let path = Link::new()
        .rate(mbit(RATE_MBIT))
        .delay(ms(DELAY_MS))
        .loss(LOSS);
    let client = world.add_host(HostSetup::heap());
    let server = world.add_host(HostSetup::heap());
    let link = world.connect(client, server, path);
    let address = SocketAddr::new(world.ipv4(server), PORT);
    let window = Rc::new(Cell::new(None));
    let mut narrator = Narrator::new(client, Rc::clone(&window));
    world.observe(move |seen| narrator.see(seen));

    let data = content();
    let sent_sum = sha256(&data);
    let serving = world.spawn(server, serve(data, window));
    let fetching = world.spawn(client, fetch(address));
    world
        .run_until_idle()
        .map_err(|failure| Failure::new(format!("the virtual network failed: {failure}")))?;

    let failed = |error: Error| Failure::new(format!("the transfer failed: {error}"));
    let missing = || Failure::new("the transfer never ended");
    let info = serving.take().ok_or_else(missing)?.map_err(failed)?;
    let (received, seconds) = fetching.take().ok_or_else(missing)?.map_err(failed)?;
    let received_sum = sha256(&received);
    let (there, back) = world.link_stats(link);
    say(&format!(
        "  {} octets in {seconds:.1} s of virtual time, {:.2} Mbit/s (and {:.2} s of yours)\n\
         \x20 {} of {} packets lost; {} segments sent again; smoothed round trip {:.1} ms; \
         congestion window at the end {} octets\n\
         \x20 SHA-256 sent      {sent_sum}\n\
         \x20 SHA-256 received  {received_sum}",
        received.len(),
        LEN as f64 * 8.0 / seconds / 1e6,
        start.elapsed().as_secs_f64(),
        there.lost + back.lost,
        there.offered + back.offered,
        info.total_retransmissions,
        f64::from(info.srtt) / 1000.0,
        info.cwnd,
    ));
    if received_sum != sent_sum {
        return Err(Failure::new("what arrived is not what was sent"));
    }
    Ok(world.pcapng())
}

/// Sends `data` to the first client and tells how the connection stands meanwhile; returns how it
/// stood at the end.
async fn serve(data: Vec<u8>, window: Rc<Cell<Option<Window>>>) -> Result<TcpInfo, Error> {
    let (stream, _) = TcpListener::bind(PORT)?.accept().await?;
    let ask = || -> Result<TcpInfo, Error> {
        let info = stream.info()?;
        let (cwnd, srtt) = (info.cwnd, info.srtt);
        window.set(Some(Window { cwnd, srtt }));
        Ok(info)
    };
    for part in data.chunks(PART) {
        stream.write_all(part).await?;
        ask()?;
    }
    let mut info = ask()?;
    while info.unsent > 0 {
        sleep(OFTEN).await;
        info = ask()?;
    }
    stream.finish()?;
    stream.read_to_end().await?;
    Ok(info)
}

/// Reads everything the server sends; tells how many seconds that took.
async fn fetch(server: SocketAddr) -> Result<(Vec<u8>, f64), Error> {
    let start = netloom::sim::now();
    let stream = TcpStream::connect(server).await?;
    let received = stream.read_to_end().await?;
    let seconds = netloom::sim::now().micros_since(start) as f64 / 1e6;
    stream.finish()?;
    Ok((received, seconds))
}
