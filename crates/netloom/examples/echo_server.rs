//! Answers for everybody: whatever is routed into the TUN interface comes back, TCP, UDP and pings.
//!
//! Needs root or `CAP_NET_ADMIN`. `ping 203.0.113.5`, `nc 203.0.113.5 7777` and
//! `nc -u 203.0.113.5 7777` try it.

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    use netloom::tokio::{Flow, FlowConfig, FlowListener};

    let tun = netloom::Tun::create("tun%d")?;
    tun.kernel_end()?
        .address("10.71.9.1".parse().unwrap(), 32)?
        .up()?
        .route("203.0.113.0".parse().unwrap(), 24, None)?;
    println!("203.0.113.0/24 echoes");
    let mut flows = FlowListener::new(tun, FlowConfig::default())?;
    while let Some(flow) = flows.accept().await {
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_535];
            match flow {
                Flow::Tcp(syn) => {
                    let mut stream = syn.accept().await?;
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await?;
                    tokio::io::AsyncWriteExt::shutdown(&mut writer).await
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
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("TUN devices exist on Linux only");
}
