//! A channel of packets as a device: for tunnels and tests.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::tokio::sync::mpsc;
use netloom_driver::{Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

use crate::device::{BATCH, Counters, Device, DeviceError, Interest, Medium};
use crate::sys;

/// A device whose packets come from and go to a program, each one bare IP packet in a buffer, with
/// room for `capacity` of them either way.
///
/// What the stack sends while the receiver has not made room waits in the stack. When the last
/// sender is dropped the device has ended; when the receiver is, what the stack sends is dropped.
///
/// # Errors
/// [`DeviceError::InvalidArgument`] for an MTU below 68 bytes or no capacity;
/// [`DeviceError::Os`] when there are no descriptors left.
pub fn packet_channel(
    mtu: u16,
    capacity: usize,
) -> Result<(PacketDevice, PacketSender, PacketReceiver), DeviceError> {
    if mtu < 68 || capacity == 0 {
        let reason =
            format!("an MTU of {mtu} bytes and room for {capacity} packets are too little");
        return Err(DeviceError::InvalidArgument { reason });
    }
    let bell = sys::event_fd().map_err(|source| DeviceError::Os {
        action: "make an event descriptor".to_owned(),
        source,
    })?;
    let bell = Arc::new(File::from(bell));
    let (to_stack, incoming) = mpsc::channel(capacity);
    let (outgoing, from_stack) = mpsc::channel(capacity);
    let refused = Arc::new(AtomicBool::new(false));
    let device = PacketDevice {
        mtu,
        bell: Arc::clone(&bell),
        incoming,
        outgoing,
        refused: Arc::clone(&refused),
        ended: false,
        counters: Counters::default(),
    };
    let sender = PacketSender {
        channel: Some(to_stack),
        bell: Arc::clone(&bell),
    };
    let receiver = PacketReceiver {
        channel: from_stack,
        bell,
        refused,
    };
    Ok((device, sender, receiver))
}

/// The stack's end of a [`packet_channel`].
#[derive(Debug)]
pub struct PacketDevice {
    mtu: u16,
    /// Wakes the driver: packets have come, or there is room again.
    bell: Arc<File>,
    incoming: mpsc::Receiver<Vec<u8>>,
    outgoing: mpsc::Sender<Vec<u8>>,
    /// The driver was refused a packet and waits for room.
    refused: Arc<AtomicBool>,
    ended: bool,
    counters: Counters,
}

/// What sends packets into a stack: see [`packet_channel`].
#[derive(Debug, Clone)]
pub struct PacketSender {
    /// `None` while it is being dropped.
    channel: Option<mpsc::Sender<Vec<u8>>>,
    bell: Arc<File>,
}

/// What receives packets from a stack: see [`packet_channel`].
#[derive(Debug)]
pub struct PacketReceiver {
    channel: mpsc::Receiver<Vec<u8>>,
    bell: Arc<File>,
    refused: Arc<AtomicBool>,
}

fn ring(bell: &File) {
    let mut bell = bell;
    // It fails only when the counter is at its end, and then it has been heard already.
    let _ = bell.write(&1_u64.to_ne_bytes());
}

impl PacketSender {
    /// Hands the stack a packet; waits while it has as many as there is room for.
    ///
    /// Cancel safe: what was not returned from was not sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if the stack is gone.
    pub async fn send(&self, packet: Vec<u8>) -> io::Result<()> {
        let Some(channel) = &self.channel else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let sent = channel.send(packet).await;
        ring(&self.bell);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Hands the stack a packet if there is room.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none; [`io::ErrorKind::BrokenPipe`] if the stack
    /// is gone.
    pub fn try_send(&self, packet: Vec<u8>) -> io::Result<()> {
        let Some(channel) = &self.channel else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match channel.try_send(packet) {
            Ok(()) => {
                ring(&self.bell);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(io::ErrorKind::WouldBlock.into()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for PacketSender {
    fn drop(&mut self) {
        // The last one ends the device, which must look to see that.
        self.channel = None;
        ring(&self.bell);
    }
}

impl PacketReceiver {
    /// The next packet the stack sends; `None` when it is gone.
    ///
    /// Cancel safe: a packet that was not returned is the next call's.
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        let packet = self.channel.recv().await;
        self.made_room();
        packet
    }

    /// The next packet, if there is one.
    pub fn try_recv(&mut self) -> Option<Vec<u8>> {
        let packet = self.channel.try_recv().ok();
        self.made_room();
        packet
    }

    fn made_room(&self) {
        if self.refused.swap(false, Ordering::AcqRel) {
            ring(&self.bell);
        }
    }
}

impl Driver for PacketDevice {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        // Silenced before looking: whatever comes later rings again.
        let _ = self.bell.as_ref().read(&mut [0; 8]);
        let mut count = 0;
        while count < BATCH {
            match self.incoming.try_recv() {
                Ok(packet) => {
                    self.counters.rx_frames += 1;
                    count += 1;
                    each(&packet, &RxMeta::default());
                }
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.ended = true;
                    break;
                }
            }
        }
        if count == BATCH {
            // There may be more.
            ring(&self.bell);
        }
        count
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        if self.ended {
            LinkState::Down
        } else {
            LinkState::Up
        }
    }
}

impl FrameSink for PacketDevice {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.mtu)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let permit = match self.outgoing.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Full(())) => {
                self.counters.tx_deferred += 1;
                self.refused.store(true, Ordering::Release);
                // Room that was made before that was not announced.
                match self.outgoing.try_reserve() {
                    Ok(permit) => permit,
                    Err(_) => return Err(Full),
                }
            }
            Err(mpsc::error::TrySendError::Closed(())) => {
                self.counters.tx_dropped += 1;
                fill(&mut vec![0; len]);
                return Ok(());
            }
        };
        let mut packet = vec![0; len];
        fill(&mut packet);
        permit.send(packet);
        self.counters.tx_frames += 1;
        Ok(())
    }
}

impl AsFd for PacketDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Device for PacketDevice {
    fn name(&self) -> &str {
        "channel"
    }

    fn medium(&self) -> Medium {
        Medium::Ip
    }

    fn mtu(&self) -> u16 {
        self.mtu
    }

    fn refresh(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn interest(&self) -> Interest {
        // Room, too, is announced by the bell.
        Interest {
            readable: !self.ended,
            ..Interest::default()
        }
    }

    fn fault(&self) -> Option<DeviceError> {
        self.ended.then(|| DeviceError::Removed {
            name: self.name().to_owned(),
        })
    }

    fn counters(&mut self) -> Counters {
        self.counters
    }
}
