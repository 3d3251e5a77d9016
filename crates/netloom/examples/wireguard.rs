//! Two stacks joined by a WireGuard tunnel, with boringtun at both ends: one connects to wherever
//! it likes, the other answers for everybody, and what passes between their hosts is UDP.
//!
//! Needs no rights. A packet channel is the device of either stack; [`carry`] is the tunnel.

#[cfg(target_os = "linux")]
mod tunnel {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use boringtun::noise::{Tunn, TunnResult};
    use boringtun::x25519::{PublicKey, StaticSecret};
    use netloom::Net;
    use netloom::tokio::{
        Flow, FlowConfig, FlowListener, PacketDevice, PacketReceiver, PacketSender, packet_channel,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UdpSocket;
    use tokio::runtime::Handle;

    /// IPv6, UDP and WireGuard add 80 bytes: what leaves fits an MTU of 1500.
    const MTU: u16 = 1420;
    /// What WireGuard adds to a packet, or the longest of its own messages.
    const OVERHEAD: usize = 148;
    /// Packets that wait on either side of a stack.
    const QUEUE: usize = 256;
    /// How often a tunnel looks at its timers.
    const TICK: Duration = Duration::from_millis(100);

    #[tokio::main]
    pub(super) async fn main() -> io::Result<()> {
        let keys: [StaticSecret; 2] = [secret()?, secret()?];
        let public = keys.each_ref().map(PublicKey::from);
        let [ours, theirs] = keys;
        let (here, there) = (
            UdpSocket::bind("127.0.0.1:0").await?,
            UdpSocket::bind("127.0.0.1:0").await?,
        );
        here.connect(there.local_addr()?).await?;
        there.connect(here.local_addr()?).await?;

        let answerer = end(Tunn::new(theirs, public[0], None, None, 1, None), there)?;
        tokio::spawn(answer(FlowListener::new(answerer, FlowConfig::default())?));

        let asker = end(Tunn::new(ours, public[1], None, None, 2, None), here)?;
        let net = Net::builder(asker)
            .address("10.66.0.2/24")
            .address("fd66::2/64")
            .gateway("10.66.0.1")
            .gateway("fd66::1")
            .start_on(&Handle::current())?;
        ask(&net).await
    }

    /// Echoes whatever comes, whomever it is for.
    async fn answer(mut flows: FlowListener) {
        while let Some(flow) = flows.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; usize::from(MTU)];
                match flow {
                    Flow::Tcp(syn) => {
                        let mut stream = syn.accept().await?;
                        let (mut reader, mut writer) = stream.split();
                        tokio::io::copy(&mut reader, &mut writer).await?;
                        writer.shutdown().await
                    }
                    Flow::Udp(flow) => loop {
                        let len = flow.recv(&mut buffer).await?;
                        flow.send(&buffer[..len]).await?;
                    },
                    Flow::Echo(flow) => loop {
                        let (sequence, len) = flow.recv(&mut buffer).await?;
                        flow.reply(sequence, &buffer[..len])?;
                    },
                }
            });
        }
    }

    /// Sends a megabyte and a datagram to two hosts that the other end stands for.
    async fn ask(net: &Net) -> io::Result<()> {
        let sent: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
        for host in ["203.0.113.5:7", "[2001:db8::5]:7"] {
            let stream = net.tokio().tcp_connect(host).await?;
            let (mut reader, mut writer) = stream.into_split();
            let data = sent.clone();
            let writing = tokio::spawn(async move {
                writer.write_all(&data).await?;
                writer.shutdown().await
            });
            let mut received = Vec::new();
            reader.read_to_end(&mut received).await?;
            writing.await??;
            let right = received == sent;
            println!(
                "{host}: {} bytes came back, all right: {right}",
                received.len()
            );
        }
        let socket = net.tokio().udp_bind("0.0.0.0:0").await?;
        socket.send_to(b"a datagram", "203.0.113.9:9").await?;
        let mut buffer = [0; 100];
        let (len, from) = socket.recv_from(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..len]);
        println!("{from} sent {text:?}");
        Ok(())
    }

    fn secret() -> io::Result<StaticSecret> {
        use std::io::Read;
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(StaticSecret::from(bytes))
    }

    /// A device whose packets go through a tunnel that leaves by `socket`.
    fn end(tunn: Tunn, socket: UdpSocket) -> io::Result<PacketDevice> {
        let (device, to_stack, from_stack) = packet_channel(MTU, QUEUE)?;
        let (tunn, socket) = (Arc::new(Mutex::new(tunn)), Arc::new(socket));
        tokio::spawn(leave(Arc::clone(&tunn), Arc::clone(&socket), from_stack));
        tokio::spawn(arrive(tunn, socket, to_stack));
        Ok(device)
    }

    /// Sends what the stack sends, and what the tunnel itself has to say, until the stack has ended.
    async fn leave(
        tunn: Arc<Mutex<Tunn>>,
        socket: Arc<UdpSocket>,
        mut from_stack: PacketReceiver,
    ) -> io::Result<()> {
        let mut sealed = vec![0; usize::from(MTU) + OVERHEAD];
        let mut tick = tokio::time::interval(TICK);
        loop {
            let packet = tokio::select! {
                packet = from_stack.recv() => match packet {
                    Some(packet) => Some(packet),
                    None => return Ok(()),
                },
                _ = tick.tick() => None,
            };
            let len = {
                let mut tunn = tunn.lock().unwrap_or_else(PoisonError::into_inner);
                let result = match &packet {
                    Some(packet) => tunn.encapsulate(packet, &mut sealed),
                    None => tunn.update_timers(&mut sealed),
                };
                match result {
                    TunnResult::WriteToNetwork(message) => message.len(),
                    // It waits for the handshake, or there is nothing to be said.
                    _ => continue,
                }
            };
            // What the path does not take is lost, as on any path.
            let _ = socket.send(&sealed[..len]).await;
        }
    }

    /// Hands the stack what has arrived. A stack that is slow is waited for; meanwhile the socket's
    /// own buffer fills.
    async fn arrive(
        tunn: Arc<Mutex<Tunn>>,
        socket: Arc<UdpSocket>,
        to_stack: PacketSender,
    ) -> io::Result<()> {
        let mut message = vec![0; usize::from(MTU) + OVERHEAD];
        let mut opened = vec![0; usize::from(MTU) + OVERHEAD];
        loop {
            // A peer that is not there yet is reported by ICMP; the handshake is tried again.
            let Ok(mut len) = socket.recv(&mut message).await else {
                continue;
            };
            loop {
                let packet = {
                    let mut tunn = tunn.lock().unwrap_or_else(PoisonError::into_inner);
                    match tunn.decapsulate(None, &message[..len], &mut opened) {
                        TunnResult::WriteToTunnelV4(packet, _)
                        | TunnResult::WriteToTunnelV6(packet, _) => Some(packet.to_vec()),
                        TunnResult::WriteToNetwork(reply) => {
                            let len = reply.len();
                            let _ = socket.try_send(&opened[..len]);
                            None
                        }
                        // Forged, repeated, or for the tunnel alone.
                        TunnResult::Done | TunnResult::Err(_) => break,
                    }
                };
                if let Some(packet) = packet {
                    to_stack.send(packet).await?;
                    break;
                }
                // More may have waited for what has just been said.
                len = 0;
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    tunnel::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("sockets for tokio exist on Linux only");
}
