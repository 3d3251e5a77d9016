//! netstack-smoltcp, with its default settings but for the MTU, which is the interface's.

use std::io;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use netloom_bench_device::station::Stop;
use netstack_smoltcp::StackBuilder;

use crate::service::{serve, station};
use crate::tun::{MTU, Tun};

/// A station on a TUN interface.
pub(crate) fn run(tun: Tun, stop: &Stop) {
    station(stop, async { carry(tun).await.expect("the device works") });
}

async fn carry(tun: Tun) -> io::Result<()> {
    let tun = Arc::new(tun.into_async()?);
    let (stack, runner, _, listener) = StackBuilder::default()
        .enable_tcp(true)
        .mtu(MTU.into())
        .build()?;
    let (Some(runner), Some(mut listener)) = (runner, listener) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    tokio::spawn(runner);
    let (mut to_stack, mut from_stack) = stack.split();
    let out = Arc::clone(&tun);
    tokio::spawn(async move {
        while let Some(Ok(packet)) = from_stack.next().await {
            if out.send(&packet).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((stream, _, remote)) = listener.next().await {
            tokio::spawn(serve(remote.port(), stream));
        }
    });
    let mut buffer = vec![0; MTU.into()];
    loop {
        let len = tun.recv(&mut buffer).await?;
        to_stack.send(buffer[..len].to_vec()).await?;
    }
}
