//! The world of these tests.

use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::{
    Config as StackConfig, IfaceId, Limits, ListenerHandle, Seed, Stack, Storage, TcpHandle,
    UdpHandle,
};
use netloom_wire::dns::*;

use super::super::{Config, Failure, Query, Resolver};

pub(super) const ANSWER: usize = 512;

pub(super) type Dns = Resolver<4, ANSWER, 2048, 2048>;

/// A question a server got.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) server: usize,
    /// In lower case.
    pub(super) name: String,
    /// As it was sent.
    pub(super) exact: String,
    pub(super) kind: RecordType,
    pub(super) id: u16,
    pub(super) port: u16,
    pub(super) edns: Option<u16>,
    pub(super) recursion: bool,
    pub(super) tcp: bool,
    pub(super) at: Instant,
}

/// What a server does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Answer,
    Silent,
    /// A response code, with an OPT record or without.
    Fail(u8, bool),
    /// FORMERR without a question where there is an OPT record.
    NoEdns,
    /// TC over UDP, answers over TCP.
    Truncate,
    /// TC over UDP, and closes TCP connections.
    TruncateAndHangUp,
    /// TC over UDP, and never answers over TCP.
    TruncateAndSleep,
    /// TC over UDP, and over TCP no more than the question.
    TruncateAndStall,
    /// Letters of the question in lower case.
    LowerCase,
}

/// An answer, taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) addresses: Vec<String>,
    pub(super) records: Vec<String>,
    pub(super) ttls: Vec<u32>,
    pub(super) canonical: String,
    pub(super) complete: bool,
}

/// Replies sent before the right one: from which server's address, and what is changed in it.
pub(super) type Forger = Box<dyn FnMut(&Asked, &[u8]) -> Vec<(SocketAddr, Vec<u8>)>>;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) client: Stack,
    pub(super) server: Stack,
    pub(super) dns: Box<Dns>,
    pub(super) asked: Vec<Asked>,
    pub(super) manners: [Manner; 2],
    zones: Vec<(Name, RecordType, Vec<String>)>,
    pub(super) soa: Option<String>,
    pub(super) ttl: u32,
    /// The server follows aliases.
    pub(super) chase: bool,
    pub(super) forger: Option<Forger>,
    udp: [UdpHandle; 2],
    /// From port 5353 of the first server.
    other_port: UdpHandle,
    tcp: [ListenerHandle; 2],
    connections: Vec<(usize, TcpHandle, Vec<u8>)>,
    to_client: FrameQueue,
    to_server: FrameQueue,
}

const IF: IfaceId = IfaceId::FIRST;

pub(super) fn servers() -> [SocketAddr; 2] {
    ["10.0.0.2:53", "10.0.0.3:53"].map(|server| server.parse().unwrap())
}

impl World {
    pub(super) fn new() -> World {
        let mut client = Stack::with_heap(StackConfig::ip(), Limits::default(), Seed::for_tests(1));
        for address in ["10.0.0.1/24", "2001:db8::1/64"] {
            client.add_address(IF, address.parse().unwrap()).unwrap();
        }
        World::with(client)
    }

    /// On a stack without a heap, with two UDP sockets.
    pub(super) fn small() -> World {
        let storage = Box::leak(Box::new(Storage::<1, 0, 2, 1400, 512>::new()));
        let config = StackConfig::ip().address("10.0.0.1/24".parse().unwrap());
        World::with(Stack::new(config, storage, Seed::for_tests(2)))
    }

    fn with(client: Stack) -> World {
        let addresses = [
            "10.0.0.2/24",
            "10.0.0.3/24",
            "2001:db8::2/64",
            "2001:db8::3/64",
        ];
        let limits = Limits::default();
        let mut server = Stack::with_heap(StackConfig::ip(), limits, Seed::for_tests(3));
        for address in addresses {
            server.add_address(IF, address.parse().unwrap()).unwrap();
        }
        let udp = servers().map(|at| server.udp_bind(at).unwrap());
        let other: SocketAddr = "10.0.0.2:5353".parse().unwrap();
        let other_port = server.udp_bind(other).unwrap();
        let tcp = servers().map(|at| server.tcp_listen(at).unwrap());
        let config = servers().into_iter().fold(Config::new(), Config::server);
        let mut world = World {
            now: Instant::from_secs(1),
            client,
            server,
            dns: Box::new(Dns::new(config, Seed::for_tests(4))),
            asked: Vec::new(),
            manners: [Manner::Answer; 2],
            zones: Vec::new(),
            soa: Some("example.org".into()),
            ttl: 300,
            chase: false,
            forger: None,
            udp,
            other_port,
            tcp,
            connections: Vec::new(),
            to_client: FrameQueue::default(),
            to_server: FrameQueue::default(),
        };
        world.zone("www.example.org", RecordType::A, &["192.0.2.1"]);
        world.zone("mail.example.org", RecordType::A, &["192.0.2.2"]);
        world.client.advance(world.now);
        world.server.advance(world.now);
        world
    }

    /// Gives a name records.
    pub(super) fn zone(&mut self, name: &str, kind: RecordType, data: &[&str]) {
        let data = data.iter().map(ToString::to_string).collect();
        self.zones.push((name.parse().unwrap(), kind, data));
    }

    pub(super) fn look_up(&mut self, name: &str, kind: RecordType) -> Result<Taken, Failure> {
        let query = self.dns.begin(&mut self.client, name, kind).unwrap();
        self.finish(query)
    }

    /// Lets time pass until the query has its answer.
    pub(super) fn finish(&mut self, query: Query) -> Result<Taken, Failure> {
        for _ in 0..1000 {
            if let Some(result) = self.dns.answer(query) {
                let taken = result.map(|answer| Taken {
                    addresses: answer.addresses().map(|a| a.to_string()).collect(),
                    records: answer
                        .records()
                        .map(|r| format!("{} {}", r.kind, r.data))
                        .collect(),
                    ttls: answer.records().map(|r| r.ttl).collect(),
                    canonical: answer.canonical_name().to_string(),
                    complete: answer.is_complete(),
                });
                self.dns.end(&mut self.client, query);
                return taken;
            }
            self.turn();
        }
        panic!("there is no end to it: {:?}", self.asked);
    }

    /// Carries what is to be carried; if that is nothing, lets time pass to the next deadline.
    pub(super) fn turn(&mut self) {
        if self.settle() {
            return;
        }
        let due = self.client.next_deadline().into_iter();
        let due = due.chain(self.server.next_deadline()).min();
        self.now = due.expect("nothing will ever happen").max(self.now);
        self.settle();
        self.poll();
    }

    pub(super) fn poll(&mut self) {
        while self.client.poll_event().is_some() {}
        self.dns.poll(&mut self.client);
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.now = self.now.plus_micros(time.as_micros() as u64);
        self.client.advance(self.now);
        self.server.advance(self.now);
        self.settle();
        self.poll();
    }

    /// Carries frames until nothing moves. Says whether anything did.
    pub(super) fn settle(&mut self) -> bool {
        let mut moved = false;
        for _ in 0..200 {
            let _ = self.client.transmit(self.now, IF, &mut self.to_server);
            let _ = self.server.transmit(self.now, IF, &mut self.to_client);
            if self.to_client.frames.is_empty() && self.to_server.frames.is_empty() {
                break;
            }
            moved = true;
            for frame in core::mem::take(&mut self.to_server.frames) {
                self.server
                    .receive(self.now, IF, &frame, &RxMeta::default());
            }
            self.serve();
            let _ = self.server.transmit(self.now, IF, &mut self.to_client);
            for frame in core::mem::take(&mut self.to_client.frames) {
                self.client
                    .receive(self.now, IF, &frame, &RxMeta::default());
            }
            self.poll();
        }
        moved
    }

    fn serve(&mut self) {
        while self.server.poll_event().is_some() {}
        for index in 0..2 {
            let mut buffer = [0; 2048];
            while let Ok(got) = self.server.udp_recv(self.udp[index], &mut buffer) {
                let from = SocketAddr::new(got.meta.remote.into(), got.meta.remote_port);
                let query = buffer[..got.copied].to_vec();
                let reply = self.answer(index, &query, from.port(), false);
                let forged = match (&mut self.forger, &reply) {
                    (Some(forger), Some(reply)) => forger(self.asked.last().unwrap(), reply),
                    _ => Vec::new(),
                };
                for (at, forged) in forged {
                    let socket = match at.port() {
                        53 => self.udp[usize::from(at == servers()[1])],
                        _ => self.other_port,
                    };
                    self.server.udp_send_to(socket, &forged, from).unwrap();
                }
                if let Some(reply) = reply {
                    self.server
                        .udp_send_to(self.udp[index], &reply, from)
                        .unwrap();
                }
            }
            while let Ok(Some(connection)) = self.server.tcp_accept(self.tcp[index]) {
                self.connections.push((index, connection, Vec::new()));
            }
        }
        let mut connections = core::mem::take(&mut self.connections);
        connections.retain_mut(|(index, connection, got)| {
            let mut buffer = [0; 2048];
            match self.server.tcp_read(*connection, &mut buffer) {
                Ok(0) => {
                    let _ = self.server.tcp_close(*connection);
                    return false;
                }
                Ok(n) => got.extend(&buffer[..n]),
                Err(_) => return true,
            }
            if got.len() < 2 || got.len() < 2 + usize::from(u16::from_be_bytes([got[0], got[1]])) {
                return true;
            }
            let port = self.server.tcp_peer_addr(*connection).unwrap().port();
            if let Some(reply) = self.answer(*index, &got[2..], port, true) {
                let mut message = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
                if self.manners[*index] == Manner::TruncateAndStall {
                    message.truncate(2 + 12 + self.asked.last().unwrap().exact.len() + 2 + 4);
                }
                assert_eq!(
                    self.server.tcp_write(*connection, &message),
                    Ok(message.len())
                );
            }
            if self.manners[*index] == Manner::TruncateAndHangUp {
                let _ = self.server.tcp_close(*connection);
                return false;
            }
            got.clear();
            true
        });
        self.connections = connections;
    }

    /// The right reply to a query.
    fn answer(&mut self, server: usize, query: &[u8], port: u16, tcp: bool) -> Option<Vec<u8>> {
        let view = DnsView::new(query).expect("a query is a message");
        let question = view.question().expect("a query has a question");
        let exact = question.name.to_string();
        let asked = Asked {
            server,
            name: exact.to_ascii_lowercase(),
            exact,
            kind: question.kind,
            id: view.header().id,
            port,
            edns: view.edns().map(|edns| edns.payload),
            recursion: view.header().recursion_desired,
            tcp,
            at: self.now,
        };
        let has_edns = asked.edns.is_some();
        self.asked.push(asked);
        let manner = self.manners[server];
        let mut name = question.name.to_name();
        if manner == Manner::LowerCase {
            name = name.with_case(|| false);
        }
        let question = Question {
            name: name.view(),
            ..question
        };
        let (code, edns, with_question) = match manner {
            Manner::Silent => return None,
            Manner::TruncateAndHangUp | Manner::TruncateAndSleep if tcp => return None,
            Manner::Fail(code, edns) => (Some(code), edns, true),
            Manner::NoEdns if has_edns => (Some(1), false, false),
            _ => (None, has_edns, true),
        };
        let mut header = DnsHeader {
            id: view.header().id,
            response: true,
            recursion_desired: true,
            recursion_available: true,
            rcode: code.unwrap_or(0),
            ..DnsHeader::default()
        };
        let truncate = matches!(
            manner,
            Manner::Truncate
                | Manner::TruncateAndHangUp
                | Manner::TruncateAndSleep
                | Manner::TruncateAndStall
        ) && !tcp;
        let soa = self.soa.as_ref().map(|soa| soa.parse::<Name>().unwrap());
        let mut chain = vec![name];
        let mut records = Vec::new();
        while code.is_none() && !truncate {
            let current = *chain.last().unwrap();
            let known = |kind| {
                self.zones
                    .iter()
                    .find(move |z| z.0 == current && z.1 == kind)
            };
            if let Some(zone) = known(question.kind) {
                records.extend(zone.2.iter().map(|data| (current, zone.1, data.clone())));
                break;
            }
            let Some(alias) = known(RecordType::CNAME) else {
                if !self.zones.iter().any(|zone| zone.0 == current) {
                    header.rcode = 3;
                }
                break;
            };
            records.push((current, RecordType::CNAME, alias.2[0].clone()));
            chain.push(alias.2[0].parse().unwrap());
            if !self.chase || chain.len() > 20 {
                break;
            }
        }
        let mut buffer = vec![0; 8192];
        let mut message = DnsWriter::new(&mut buffer, &header).unwrap();
        if with_question {
            message.question(&question).unwrap();
        }
        for (name, kind, data) in &records {
            let parsed = data.parse::<Name>().unwrap_or(Name::ROOT);
            let text = [&[data.len().min(255) as u8][..], data.as_bytes()].concat();
            let data = match *kind {
                RecordType::A => Rdata::A(data.parse().unwrap()),
                RecordType::AAAA => Rdata::Aaaa(data.parse().unwrap()),
                RecordType::CNAME => Rdata::Cname(parsed.view()),
                RecordType::PTR => Rdata::Ptr(parsed.view()),
                RecordType::TXT => Rdata::Txt(Txt::new(&text).unwrap()),
                RecordType::SRV => Rdata::Srv(Srv {
                    priority: 1,
                    weight: 2,
                    port: 5060,
                    target: parsed.view(),
                }),
                kind => panic!("{kind}"),
            };
            let record = Record {
                name: name.view(),
                kind: *kind,
                class: class::IN,
                ttl: self.ttl,
                data,
            };
            message.record(Section::Answer, &record).unwrap();
        }
        let is_negative = records.is_empty() || header.rcode == 3;
        if let Some(soa) = soa.filter(|_| is_negative && code.is_none()) {
            let data = Soa {
                primary: soa.view(),
                mailbox: soa.view(),
                serial: 1,
                refresh: 1,
                retry: 1,
                expire: 1,
                minimum: 60,
            };
            let record = Record {
                name: soa.view(),
                kind: RecordType::SOA,
                class: class::IN,
                ttl: 300,
                data: Rdata::Soa(data),
            };
            message.record(Section::Authority, &record).unwrap();
        }
        if edns {
            message.edns(&Edns::new(1232)).unwrap();
        }
        if truncate {
            message.truncate();
        }
        Some(message.as_octets().to_vec())
    }
}
