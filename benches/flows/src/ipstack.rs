//! ipstack 1.0, with its default settings but for the MTU, and the MSS it
//! announces for it: without, the kernel would send segments of 536 bytes.

use ::ipstack::{IpStack, IpStackConfig, IpStackStream, TcpConfig, TcpOptions};
use netloom_bench_device::station::Stop;

use crate::service::{serve, station};
use crate::tun::{MTU, Tun};

/// A station on a TUN interface.
pub(crate) fn run(tun: Tun, stop: &Stop) {
    station(stop, async {
        let mut tcp = TcpConfig::default();
        tcp.options = Some(vec![TcpOptions::MaximumSegmentSize(MTU - 40)]);
        let mut config = IpStackConfig::default();
        config.with_tcp_config(tcp);
        config.mtu(MTU).expect("more than the least");
        let mut stack = IpStack::new(config, tun.into_async().expect("a pollable device"));
        while let Ok(stream) = stack.accept().await {
            let IpStackStream::Tcp(stream) = stream else {
                continue;
            };
            let port = stream.peer_addr().port();
            tokio::spawn(serve(port, stream));
        }
    });
}
