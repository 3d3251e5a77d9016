//! Runs the events of a script against a [`Subject`].

mod arrive;
mod expect;

use std::collections::HashMap;
use std::net::SocketAddr;

use super::ast::{Action, Direction, Event, Script, When};
use super::calls::Pending;
use super::code;
use super::describe;
use super::error::{Mismatch, Position};
use super::flow::{Flow, Transport};
use super::live;
use super::settings::Settings;
use super::subject::{Fd, Subject};

/// A line of the narration.
pub type Narrator<'n> = &'n mut (dyn FnMut(&str) + 'n);

/// A script being run.
pub(crate) struct Runner<'a, 'n> {
    pub(super) subject: &'a mut dyn Subject,
    pub(super) settings: &'a Settings,
    narrate: Option<Narrator<'n>>,
    /// The time of the event before, which relative times count from.
    last: u64,
    pub(super) flows: Vec<Flow>,
    /// The flow that packets without ports belong to.
    pub(super) current: Option<usize>,
    /// A listener was opened: the next SYN without ports is of a new connection.
    pub(super) fresh: bool,
    /// The port that listeners without one are bound to.
    pub(super) local_port: u16,
    /// The remote port of the next connection of its own.
    pub(super) next_port: u16,
    /// Descriptors of the script to those of the subject.
    pub(super) files: HashMap<i64, Fd>,
    /// The call that has not returned.
    pub(super) pending: Option<Pending>,
}

/// Remote ports begin here, one more for each connection.
const FIRST_REMOTE_PORT: u16 = 40_000;
/// How long a packet that may come at any time is waited for, µs: longer than any back-off.
const ANY_TIME: u64 = 24 * 3_600 * 1_000_000;

impl<'a, 'n> Runner<'a, 'n> {
    pub(crate) fn new(
        subject: &'a mut dyn Subject,
        settings: &'a Settings,
        narrate: Option<Narrator<'n>>,
    ) -> Runner<'a, 'n> {
        Runner {
            subject,
            narrate,
            last: 0,
            flows: Vec::new(),
            current: None,
            fresh: true,
            local_port: settings.bind_port,
            next_port: FIRST_REMOTE_PORT,
            files: HashMap::new(),
            pending: None,
            settings,
        }
    }

    /// Runs every event.
    pub(crate) fn run(&mut self, script: &Script) -> Result<(), Mismatch> {
        for event in &script.events {
            self.event(event)?;
        }
        let at = script
            .events
            .last()
            .map(|event| event.at)
            .unwrap_or_default();
        self.finish_pending()?;
        self.nothing_left(at)
    }

    /// The initial sequence number the stack chose for the first connection.
    pub(crate) fn first_isn(&self) -> Option<u32> {
        self.flows.iter().find_map(Flow::live_isn)
    }

    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        self.say_at(self.subject.now(), line);
    }

    fn say_at(&mut self, at: u64, line: impl FnOnce() -> String) {
        if let Some(narrate) = &mut self.narrate {
            narrate(&format!("{} {}", describe::time(at), line()));
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Mismatch> {
        let (from, to) = self.times(event.when);
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Out => {
                self.expect_packet(event.at, packet, from, to)?;
                // What follows counts from when it came, or from now if it came before.
                self.last = self.subject.now();
            }
            Action::Packet(packet) => {
                self.advance(from)?;
                self.arrive(event.at, packet)?;
            }
            Action::Call(call) => {
                self.finish_pending()?;
                self.advance(from)?;
                let base = match event.when {
                    When::Relative(_) => self.base(),
                    _ => 0,
                };
                self.call(call, base)?;
            }
            Action::Code(statements) => {
                self.advance(from)?;
                let info = self.connection_info();
                for statement in statements {
                    code::check(statement, info.as_deref())?;
                }
                self.say(|| "assertions hold".to_owned());
            }
            Action::Sysctl(settings) => {
                self.advance(from)?;
                for setting in settings {
                    self.sysctl(setting)?;
                }
            }
        }
        if !matches!(&event.action, Action::Packet(p) if p.direction == Direction::Out) {
            self.last = from;
        }
        self.subject
            .balance()
            .map_err(|text| Mismatch::new(event.at, text))
    }

    /// The time relative times count from: that of the event before.
    fn base(&self) -> u64 {
        self.last
    }

    /// The earliest and latest time of an event.
    fn times(&self, when: When) -> (u64, u64) {
        match when {
            When::Absolute(at) => (at, at),
            When::Relative(after) => (self.base() + after, self.base() + after),
            When::AbsoluteRange(from, to) => (from, to),
            When::RelativeRange(from, to) => (self.base() + from, self.base() + to),
            When::Any => (self.subject.now(), self.subject.now() + ANY_TIME),
        }
    }

    /// Moves the clock on, letting the call that waits return when it can.
    pub(super) fn advance(&mut self, to: u64) -> Result<(), Mismatch> {
        while let Some(next) = self.next_stop().filter(|next| *next <= to) {
            let before = self.subject.now();
            self.subject.advance(next);
            self.retry_pending()?;
            let stuck = next <= before && self.next_stop().is_some_and(|n| n <= before);
            if stuck {
                break;
            }
        }
        self.subject.advance(to);
        self.retry_pending()
    }

    /// When something happens by itself next.
    fn next_stop(&self) -> Option<u64> {
        let timer = self.subject.next_deadline();
        let timeout = self.pending.as_ref().and_then(|pending| pending.timeout);
        timer.into_iter().chain(timeout).min()
    }

    /// At the end, nothing was sent before the last event that the script did not expect.
    fn nothing_left(&mut self, at: Position) -> Result<(), Mismatch> {
        let Some((sent, bytes)) = self.subject.take_packet() else {
            return Ok(());
        };
        if sent > self.last {
            return Ok(());
        }
        Err(Mismatch::new(
            at,
            format!(
                "a packet was sent that the script does not expect\n      came: {} > {}",
                describe::time(sent),
                self.show_live(&bytes)
            ),
        ))
    }

    /// A packet of the wire as the script would write it.
    pub(super) fn show_live(&self, bytes: &[u8]) -> String {
        match live::read(bytes) {
            Err(what) => format!("{what} ({} bytes)", bytes.len()),
            Ok(packet) => {
                let flow = self.flow_of(&packet).map(|index| &self.flows[index]);
                describe::sent(&packet, flow)
            }
        }
    }

    /// The flow a packet of the wire belongs to, by its addresses and ports.
    fn flow_of(&self, packet: &live::Packet) -> Option<usize> {
        let (src, dst, transport) = match &packet.body {
            live::Body::Tcp(tcp) => (tcp.src_port, tcp.dst_port, Transport::Tcp),
            live::Body::Udp(udp) => (udp.src_port, udp.dst_port, Transport::Udp),
            live::Body::Icmp(_) | live::Body::Other { .. } => return self.current,
        };
        let local = SocketAddr::new(packet.ip.src, src);
        let remote = SocketAddr::new(packet.ip.dst, dst);
        self.find_flow(transport, local, remote)
    }

    pub(super) fn find_flow(
        &self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<usize> {
        self.flows.iter().rposition(|flow| {
            flow.transport == transport && flow.local == local && flow.remote == remote
        })
    }

    /// The flow between two ends, made if there is none.
    pub(super) fn open_flow(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> usize {
        if let Some(index) = self.find_flow(transport, local, remote) {
            return index;
        }
        let ahead = self.settings.remote_ahead;
        self.flows.push(Flow::new(transport, local, remote, ahead));
        self.flows.len() - 1
    }

    /// A flow for packets without ports, with a remote port of its own.
    pub(super) fn new_current(&mut self, transport: Transport) -> usize {
        let local = SocketAddr::new(self.settings.local_ip, self.local_port);
        let remote = SocketAddr::new(self.settings.remote_ip, self.next_port);
        self.next_port = self.next_port.wrapping_add(1).max(FIRST_REMOTE_PORT);
        let index = self.open_flow(transport, local, remote);
        self.current = Some(index);
        self.fresh = false;
        index
    }
}
