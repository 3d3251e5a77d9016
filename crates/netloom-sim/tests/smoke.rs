//! The world works at all.
use netloom_sim::{CloseReason, Error, Link, Sim, TcpListener, TcpStream, mbit, ms};
use std::net::SocketAddr;

#[test]
fn a_transfer_over_a_bad_link() {
    for ip in [false, true] {
        for v6 in [false, true] {
            let mut world = Sim::with_seed(7);
            let mut link = Link::new()
                .rate(mbit(10))
                .delay(ms(50))
                .loss(0.02)
                .reorder(0.01);
            if ip {
                link = link.ip();
            }
            let (a, b) = world.link(link.mtu(1400));
            world.failure_file(Some(
                concat!(env!("CARGO_TARGET_TMPDIR"), "/smoke.pcapng").into(),
            ));
            let at = SocketAddr::new(if v6 { world.ipv6(a) } else { world.ipv4(a) }, 80);
            let data: Vec<u8> = (0..200_000_u32).map(|i| (i * 31 >> 3) as u8).collect();
            let expected = data.clone();
            let s = world.spawn(a, async move {
                let (stream, _) = TcpListener::bind(80)?.accept().await?;
                let all = stream.read_to_end().await?;
                stream.write_all(&all).await?;
                stream.finish()?;
                stream.closed().await
            });
            let c = world.spawn(b, async move {
                let stream = TcpStream::connect(at).await?;
                let (sent, got) = netloom_sim::join(
                    async {
                        stream.write_all(&data).await?;
                        stream.finish()
                    },
                    stream.read_to_end(),
                )
                .await;
                sent?;
                assert!(got? == expected);
                Ok::<_, Error>(stream.closed().await?)
            });
            world.run_until_idle().unwrap();
            assert_eq!(s.take(), Some(Ok(CloseReason::Finished)));
            assert_eq!(c.take(), Some(Ok(CloseReason::Finished)));
            eprintln!(
                "{:?} {:?}",
                world.now(),
                world.link_stats(world.first_link())
            );
        }
    }
}
