//! A chat room: whoever comes hears who is there, what is said, and who goes. Who does not read what is
//! said is shown out: nobody waits for him.
//!
//! Without arguments three members meet in it, over a cable in memory. With `tap`, as root, it is at
//! 10.71.0.2 port 6667: `chat tap`, then `nc 10.71.0.2 6667` in other windows.

#[cfg(target_os = "linux")]
mod room {
    use std::collections::BTreeMap;

    use futures_util::{SinkExt, StreamExt};
    use netloom::channel::{Address, Bus, BusEvent, Bytes, ChannelMessage, Endpoint};
    use netloom::net::{Error, Net};
    use netloom::stack::CloseReason;

    /// A line that never ends is cut here.
    const LINE: usize = 1024;
    /// Octets that may wait for a member: more than what all lines of one message amount to, which is
    /// 64 KiB at most, with a name before each.
    const BEHIND: usize = 1 << 20;

    /// Who is there: this side's end, and what was said of a line so far.
    type Members = BTreeMap<Address, (Endpoint, Vec<u8>)>;

    /// Opens the room; done when the device has failed.
    pub(super) async fn open(net: &Net, port: u16) -> Result<(), Error> {
        let mut bus = Bus::new(net);
        bus.listen(port)?;
        bus.reset_slow(BEHIND);
        let mut members = Members::new();
        while let Some(event) = bus.next().await {
            match event {
                BusEvent::Appeared { here, peer } => {
                    for known in members.keys() {
                        let text = format!("* {} is here\n", known.0);
                        say(&mut bus, here, peer, text).await?;
                    }
                    tell(
                        &mut bus,
                        &members,
                        peer,
                        &format!("* {} has come\n", peer.0),
                    )
                    .await?;
                    members.insert(peer, (here, Vec::new()));
                }
                BusEvent::Departed { here, peer, reason } => {
                    members.remove(&peer);
                    bus.finish(here, peer);
                    let why = match reason {
                        // By this side, that is.
                        Some(CloseReason::Aborted) => ": what is said is not read there",
                        _ => "",
                    };
                    let text = format!("* {} has gone{why}\n", peer.0);
                    tell(&mut bus, &members, peer, &text).await?;
                }
                BusEvent::Message(ChannelMessage {
                    source, subpacket, ..
                }) => {
                    let Endpoint::Address(peer) = source else {
                        continue;
                    };
                    // An empty line says nothing: with a name before it it would be many times as long.
                    for line in members
                        .get_mut(&peer)
                        .map_or(Vec::new(), |m| lines(&mut m.1, &subpacket))
                        .iter()
                        .filter(|line| !line.is_empty())
                    {
                        tell(&mut bus, &members, peer, &format!("{}: {line}\n", peer.0)).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The lines that are complete with these octets: TCP carries a stream, not lines.
    fn lines(so_far: &mut Vec<u8>, octets: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for &octet in octets {
            if octet == b'\n' || so_far.len() >= LINE {
                let line = String::from_utf8_lossy(so_far);
                complete.push(line.trim_end().to_owned());
                so_far.clear();
            }
            if octet != b'\n' {
                so_far.push(octet);
            }
        }
        complete
    }

    /// Says it to everybody but one.
    async fn tell(bus: &mut Bus, members: &Members, but: Address, text: &str) -> Result<(), Error> {
        for (&peer, &(here, _)) in members.iter().filter(|(peer, _)| **peer != but) {
            say(bus, here, peer, text.to_owned()).await?;
        }
        Ok(())
    }

    async fn say(
        bus: &mut Bus,
        source: Endpoint,
        peer: Address,
        text: String,
    ) -> Result<(), Error> {
        let destination = peer.into();
        let subpacket = Bytes::from(text);
        // Sent with whatever else is said by then, while the room waits for the next event.
        bus.feed(ChannelMessage {
            source,
            destination,
            subpacket,
        })
        .await
    }
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::pin::pin;

    use futures_util::future::{Either, select};
    use futures_util::{SinkExt, Stream, StreamExt};
    use netloom::channel::{Bytes, block_on};

    if std::env::args().nth(1).as_deref() == Some("tap") {
        let net = netloom::Tap::create("netloom0")?
            .address("10.71.0.2/24")
            .kernel_address("10.71.0.1/24")
            .start()?;
        println!("a chat room at 10.71.0.2 port 6667");
        return Ok(block_on(room::open(&net, 6667))?);
    }

    /// The next words, as soon as they are a line.
    async fn hear(who: &str, member: &mut (impl Stream<Item = Bytes> + Unpin)) {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.extend(
                member
                    .next()
                    .await
                    .unwrap_or_else(|| Bytes::from("the end\n")),
            );
        }
        print!("{who} hears {}", String::from_utf8_lossy(&line));
    }

    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let server = right.address("10.0.0.2/24").start()?;
    let net = left.address("10.0.0.1/24").start()?;
    std::thread::spawn(move || block_on(room::open(&server, 6667)));
    // Ports of one's own choice, so that names are the same each time.
    let from = |port: u16| net.tcp_socket()?.bind(("10.0.0.1", port));
    block_on(async {
        let room = "10.0.0.2:6667";
        let mut ann = loop {
            // The room opens in a moment.
            match net.channel_connect_with(&from(4001)?, room).await {
                Ok(ann) => break ann,
                Err(_) => std::thread::yield_now(),
            }
        };
        let mut bob = net.channel_connect_with(&from(4002)?, room).await?;
        hear("bob", &mut bob).await;
        hear("ann", &mut ann).await;
        bob.send(Bytes::from("hello ")).await?;
        bob.send(Bytes::from("ann\n")).await?;
        hear("ann", &mut ann).await;
        ann.send(Bytes::from("hello bob\n")).await?;
        hear("bob", &mut bob).await;
        drop(bob);
        hear("ann", &mut ann).await;
        // Carl does not read. Whatever ann says, the room goes on.
        let mut carl = net.channel_connect_with(&from(4003)?, room).await?;
        hear("ann", &mut ann).await;
        let (mut mouth, mut ear) = ann.split();
        let story = async {
            loop {
                let mut line = vec![b'x'; 1000];
                line.push(b'\n');
                if let Err(error) = mouth.send(Bytes::from(line)).await {
                    break error;
                }
            }
        };
        match select(pin!(story), pin!(hear("ann", &mut ear))).await {
            Either::Left((error, _)) => return Err(error.into()),
            Either::Right(((), _)) => {}
        }
        while carl.next().await.is_some() {}
        if let Some(reason) = carl.close_reason() {
            println!("carl is told: {}", reason.message());
        }
        Ok(())
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
