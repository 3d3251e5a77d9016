//! netloom's flows as streams, with their default settings.

use netloom_bench_device::station::Stop;
use netloom_host::device::Tun;
use netloom_host::tokio::{Flow, FlowConfig, FlowListener};

use crate::service::{serve, station};

/// A station on a TUN interface.
pub(crate) fn run(tun: Tun, stop: &Stop) {
    station(stop, async {
        let mut flows = FlowListener::new(tun, FlowConfig::default()).expect("an IP device");
        while let Some(flow) = flows.accept().await {
            let Flow::Tcp(syn) = flow else { continue };
            tokio::spawn(async move {
                let port = syn.destination().port();
                if let Ok(stream) = syn.accept().await {
                    serve(port, stream).await;
                }
            });
        }
    });
}
