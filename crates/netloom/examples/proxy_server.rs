//! Carries everybody's TCP connections on by this host's sockets: what is routed into the TUN
//! interface is dialled first, and answered after. `netloom proxy` does the same for UDP and pings.
//!
//! Needs root or `CAP_NET_ADMIN`: `proxy_server 198.51.100.0/24` takes that network.

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    use netloom::tokio::{Flow, FlowConfig, FlowListener};
    use netloom::wire::Cidr;
    use tokio::io::copy_bidirectional;
    use tokio::net::TcpStream;

    let network = std::env::args().nth(1).unwrap_or("198.51.100.0/24".into());
    let Ok(Cidr { addr, prefix }) = network.parse() else {
        panic!("name a network, such as 198.51.100.0/24");
    };
    let tun = netloom::Tun::create("tun%d")?;
    tun.kernel_end()?
        .address("10.71.9.1".parse().unwrap(), 32)?
        .up()?
        .route(addr.into(), prefix, None)?;
    let config = FlowConfig::default().memory_budget(64 << 20);
    let mut flows = FlowListener::new(tun, config)?;
    while let Some(flow) = flows.accept().await {
        let Flow::Tcp(syn) = flow else { continue };
        tokio::spawn(async move {
            match TcpStream::connect(syn.destination()).await {
                Ok(mut up) => {
                    let mut down = syn.accept().await?;
                    copy_bidirectional(&mut down, &mut up).await?;
                }
                Err(error) => syn.refuse_like(&error),
            }
            Ok::<_, std::io::Error>(())
        });
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("TUN devices exist on Linux only");
}
