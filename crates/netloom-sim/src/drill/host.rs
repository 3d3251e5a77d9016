//! A netloom stack as the [`Subject`] of scripts.

mod epoll;
mod options;
mod sockets;

use std::collections::{BTreeMap, VecDeque};

use netloom_driver::{FrameSink, Full, Instant, PartialChecksum, RxMeta, TxCaps, TxMeta};
use netloom_stack::{Config, Event, IfaceId, Limits, Seed, Stack, TcpHandle};
use netloom_wire::checksum::Sum;
use netloom_wire::{Addr, Cidr};

use super::settings::Settings;
use super::subject::Fd;
use epoll::Epoll;
use options::SocketOptions;

/// A netloom stack with one interface of bare IP, and its table of descriptors.
pub struct NetloomHost {
    stack: Stack,
    /// What the stack's clock showed when the test began, µs.
    origin: u64,
    now: u64,
    mtu: u16,
    gso: u32,
    out: VecDeque<(u64, Vec<u8>)>,
    files: BTreeMap<Fd, File>,
    /// Connections with urgent data announced since they were last read.
    urgent: Vec<TcpHandle>,
}

impl std::fmt::Debug for NetloomHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetloomHost")
            .field("now", &self.now)
            .field("files", &self.files.keys())
            .finish_non_exhaustive()
    }
}

/// What a descriptor stands for.
enum File {
    Socket(sockets::Socket),
    Epoll(Epoll),
}

impl NetloomHost {
    /// A stack as the settings describe it.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: &Settings) -> Result<NetloomHost, String> {
        let local = Addr::from(settings.local_ip);
        let cidr = Cidr::new(local, settings.prefix_len).ok_or_else(|| {
            format!(
                "{}/{} is no address",
                settings.local_ip, settings.prefix_len
            )
        })?;
        let mut config = Config::ip()
            .address(cidr)
            .gateway(settings.gateway_ip.into())
            .mtu(settings.mtu);
        for (name, value) in &settings.tunables {
            config
                .tunables
                .set_named(name, value)
                .map_err(|error| format!("{name}={value}: {error}"))?;
        }
        let mut stack = Stack::with_heap(config, Limits::default(), Seed::for_tests(settings.seed));
        // A clock of zero is what uninitialised memory has: begin later, on a whole millisecond.
        let origin = 1_000_000 + settings.clock_ahead;
        stack.advance(Instant::from_micros(origin));
        // Scripts ask what is remembered of the one that ended last.
        stack.remember_dead(1);
        Ok(NetloomHost {
            stack,
            origin,
            now: 0,
            mtu: settings.mtu,
            gso: settings.gso,
            out: VecDeque::new(),
            files: BTreeMap::new(),
            urgent: Vec::new(),
        })
    }

    fn instant(&self) -> Instant {
        Instant::from_micros(self.origin + self.now)
    }

    /// Has the stack send what it owes now.
    fn pump(&mut self) {
        let now = self.instant();
        let mut sink = Sink {
            now: self.now,
            mtu: self.mtu,
            gso: self.gso,
            out: &mut self.out,
        };
        let _ = self.stack.transmit(now, IfaceId::FIRST, &mut sink);
        while let Some(event) = self.stack.poll_event() {
            if let Event::Tcp(handle, ready) = event {
                if ready.urgent {
                    self.urgent.push(handle);
                }
            }
        }
    }

    fn deadline(&self) -> Option<u64> {
        let deadline = self.stack.next_deadline()?;
        Some(deadline.as_micros().saturating_sub(self.origin))
    }

    /// A free descriptor, the lowest from 3.
    fn free_fd(&self) -> Fd {
        (3..)
            .find(|fd| !self.files.contains_key(fd))
            .unwrap_or(Fd::MAX)
    }

    fn arrives(&mut self, packet: &[u8]) {
        let now = self.instant();
        self.stack
            .receive(now, IfaceId::FIRST, packet, &RxMeta::default());
        self.pump();
    }

    /// Moves the clock on, stopping at every deadline.
    fn run_to(&mut self, to: u64) {
        while let Some(deadline) = self.deadline().filter(|deadline| *deadline <= to) {
            let stuck = deadline <= self.now;
            self.now = self.now.max(deadline);
            self.pump();
            if stuck && self.deadline().is_some_and(|next| next <= self.now) {
                // Nothing more comes of this moment: a deadline that stays in the past.
                break;
            }
        }
        self.now = self.now.max(to);
        self.stack.advance(self.instant());
    }
}

/// The wire: packets with the time they were sent.
struct Sink<'a> {
    now: u64,
    mtu: u16,
    gso: u32,
    out: &'a mut VecDeque<(u64, Vec<u8>)>,
}

impl FrameSink for Sink<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            checksum: self.gso > 0,
            gso_max: self.gso,
            ..TxCaps::plain(self.mtu)
        }
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let mut frame = vec![0; len];
        fill(&mut frame);
        if let Some(partial) = meta.checksum {
            finish_checksum(&mut frame, partial);
        }
        self.out.push_back((self.now, frame));
        Ok(())
    }
}

/// What a device does that finishes checksums: where the sum of the pseudo-header stands, all is summed.
fn finish_checksum(frame: &mut [u8], partial: PartialChecksum) {
    let transport = &mut frame[usize::from(partial.start)..];
    let checksum = Sum::new().add(transport).finish();
    let at = usize::from(partial.offset);
    transport[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}
