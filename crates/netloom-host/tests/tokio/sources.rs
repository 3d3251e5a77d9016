//! Where packets come from stands still, or fails.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_host::device::{Counters, Device, DeviceError, Interest, Medium};
use netloom_host::net::{Builder, Net as Blocking};
use netloom_host::tokio::{
    Flow, FlowConfig, FlowListener, Net, PacketDevice, PacketReceiver, PacketSender, TcpStream,
    packet_channel,
};
use netloom_stack::driver::{Driver, FrameSink, LinkState, RxMeta};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::{pattern, soon};

/// Carries packets while the gate is open; keeps them while it is not.
fn carry(mut from: PacketReceiver, to: PacketSender, mut gate: watch::Receiver<bool>) {
    tokio::spawn(async move {
        while let Some(packet) = from.recv().await {
            if gate.wait_for(|open| *open).await.is_err() || to.send(packet).await.is_err() {
                break;
            }
        }
    });
}

/// A client, the device of the listener it speaks with, and a gate between them.
fn world() -> (Net, PacketDevice, watch::Sender<bool>) {
    let (near, to_near, from_near) = packet_channel(1500, 64).unwrap();
    let (far, to_far, from_far) = packet_channel(1500, 64).unwrap();
    let (gate, open) = watch::channel(true);
    carry(from_near, to_far, open.clone());
    carry(from_far, to_near, open);
    let builder: Builder = Blocking::builder(near)
        .address("10.0.0.1/24")
        .gateway("10.0.0.254");
    let client = builder
        .start_on(&tokio::runtime::Handle::current())
        .unwrap();
    (client.tokio(), far, gate)
}

async fn open(client: &Net, flows: &mut FlowListener) -> (TcpStream, TcpStream) {
    let (near, far) = soon(async {
        tokio::join!(client.tcp_connect("203.0.113.9:80"), async {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            syn.accept().await
        })
    })
    .await;
    (near.unwrap(), far.unwrap())
}

#[tokio::test]
async fn a_source_that_stands_still_for_a_while_loses_nothing() {
    const BUDGET: usize = 4 << 20;
    let (client, far, gate) = world();
    let config = FlowConfig::default().memory_budget(BUDGET);
    let mut flows = FlowListener::new(far, config).unwrap();
    let (mut near, far) = open(&client, &mut flows).await;
    let sent = pattern(3_000_000);
    let expected = sent.clone();
    let echo = tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(far);
        tokio::io::copy(&mut reader, &mut writer).await?;
        writer.shutdown().await
    });
    let back = tokio::spawn(async move {
        let (mut reader, mut writer) = near.split();
        let mut got = Vec::new();
        let (written, read) = tokio::join!(
            async {
                writer.write_all(&sent).await?;
                writer.shutdown().await
            },
            reader.read_to_end(&mut got)
        );
        written.and(read).map(|_| got)
    });
    for _ in 0..3 {
        gate.send_replace(false);
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(flows.memory_in_use() <= BUDGET);
        gate.send_replace(true);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(soon(back).await.unwrap().unwrap() == expected);
    soon(echo).await.unwrap().unwrap();
}

/// A device that fails when it is told to.
struct Failing {
    device: PacketDevice,
    fails: Arc<AtomicBool>,
}

impl Driver for Failing {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        self.device.receive(each)
    }
    fn sink(&mut self) -> &mut dyn FrameSink {
        self.device.sink()
    }
    fn link(&self) -> LinkState {
        self.device.link()
    }
}

impl AsFd for Failing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Device for Failing {
    fn name(&self) -> &str {
        "failing"
    }
    fn medium(&self) -> Medium {
        self.device.medium()
    }
    fn mtu(&self) -> u16 {
        self.device.mtu()
    }
    fn refresh(&mut self) -> Result<(), DeviceError> {
        self.device.refresh()
    }
    fn interest(&self) -> Interest {
        self.device.interest()
    }
    fn fault(&self) -> Option<DeviceError> {
        if !self.fails.load(Ordering::Relaxed) {
            return self.device.fault();
        }
        Some(DeviceError::Os {
            action: "read packets".to_owned(),
            source: ErrorKind::BrokenPipe.into(),
        })
    }
    fn counters(&mut self) -> Counters {
        self.device.counters()
    }
}

#[tokio::test]
async fn a_source_that_fails_ends_the_listener_and_its_flows_with_its_error() {
    let (client, device, _gate) = world();
    let fails = Arc::new(AtomicBool::new(false));
    let device = Failing {
        device,
        fails: Arc::clone(&fails),
    };
    let mut flows = FlowListener::new(device, FlowConfig::default()).unwrap();
    let (mut near, mut far) = open(&client, &mut flows).await;
    near.write_all(b"the last").await.unwrap();
    let mut buffer = [0; 8];
    soon(far.read_exact(&mut buffer)).await.unwrap();
    fails.store(true, Ordering::Relaxed);
    // It is looked at when something comes.
    near.write_all(b"too late").await.unwrap();
    assert!(soon(flows.accept()).await.is_none());
    let read = soon(async {
        // What came before the device failed is still there.
        while far.read(&mut buffer).await? > 0 {}
        Ok::<_, std::io::Error>(())
    });
    assert_eq!(read.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let written = soon(async {
        loop {
            far.write_all(&[0; 1 << 16]).await?;
        }
        #[expect(unreachable_code, reason = "it says what the loop fails with")]
        Ok::<(), std::io::Error>(())
    });
    assert_eq!(written.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}
