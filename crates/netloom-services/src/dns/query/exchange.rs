//! The messages of one query: sent, received and judged, over UDP and over TCP.

use core::net::{IpAddr, SocketAddr, SocketAddrV6};

use netloom_stack::rand::Rng;
use netloom_stack::{Error, Stack, TcpHandle};
use netloom_wire::WireError;
use netloom_wire::dns::{DnsHeader, DnsView, DnsWriter, Edns, HEADER_LEN, Question, class, rcode};

use super::super::answer::copy;
use super::super::config::Config;
use super::super::counters::count;
use super::super::failure::Failure;
use super::super::response::{Asked, Mismatch, check, interpret};
use super::{Context, Slot, State};

/// Octets of a query at most: the header, a question, OPT.
const QUERY: usize = 12 + 255 + 4 + 11;

impl Slot {
    /// Sends the question to the server whose turn it is, from a new port with a new id.
    pub(super) fn send(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
    ) -> Result<(), Error> {
        self.close(stack);
        let turn = self.attempt.checked_rem(self.servers).unwrap_or(0);
        let round = u32::from(self.attempt.checked_div(self.servers).unwrap_or(0));
        self.server = self.order.get(usize::from(turn)).copied().unwrap_or(0);
        let to = self.address(context.config).ok_or(Error::InvalidRemote)?;
        let local = source(stack, to)?;
        //= https://www.rfc-editor.org/rfc/rfc5452#section-9.2
        //# Use an unpredictable source port for outgoing queries from the
        //# range of available ports (53, or 1024 and above) that is as large
        //# as possible and practicable;
        let socket = stack.udp_bind(local)?;
        self.socket = Some(socket);
        self.choose(context.rng);
        let mut buffer = [0; QUERY];
        let payload = context.config.payload.clamp(512, 4096);
        let payload = payload.min(u16::try_from(context.message.len()).unwrap_or(u16::MAX));
        let len = self.write(&mut buffer, payload.max(512));
        stack.udp_send_to(socket, buffer.get(..len).unwrap_or_default(), to)?;
        self.due = stack
            .now()
            .plus_micros(context.config.timeout_micros(round));
        stack.udp_wake_at(socket, Some(self.due))?;
        self.state = State::Udp;
        count(&mut context.counters.sent);
        if self.attempt > 0 {
            count(&mut context.counters.retries);
        }
        Ok(())
    }

    fn address(&self, config: &Config) -> Option<SocketAddr> {
        config.servers().nth(usize::from(self.server))
    }

    /// A new id, and new letters.
    //= https://www.rfc-editor.org/rfc/rfc5452#section-9.2
    //# Use an unpredictable query ID for outgoing queries, utilizing the
    //# full range available (0-65535).
    fn choose(&mut self, rng: &mut Rng) {
        self.id = rng.next_u32() as u16;
        let (mut bits, mut left) = (0, 0);
        self.cased &= self.keeps_case;
        let cased = self.cased;
        self.question = self.question.with_case(|| {
            if left == 0 {
                (bits, left) = (rng.next_u64(), 64);
            }
            let bit = bits & 1 == 1 && cased;
            (bits, left) = (bits >> 1, left - 1);
            bit
        });
    }

    /// Writes the query; returns its length.
    fn write(&self, buffer: &mut [u8], payload: u16) -> usize {
        let header = DnsHeader {
            id: self.id,
            recursion_desired: true,
            ..DnsHeader::default()
        };
        let question = Question {
            name: self.question.view(),
            kind: self.kind,
            class: class::IN,
        };
        // The buffer is as long as the longest name needs.
        let Ok(mut message) = DnsWriter::new(buffer, &header) else {
            return 0;
        };
        let _ = message.question(&question);
        if self.edns {
            let _ = message.edns(&Edns::new(payload));
        }
        message.len()
    }

    /// Takes what has come over UDP. Says whether there is more to do.
    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
    ) -> bool {
        let Some(socket) = self.socket else {
            return self.next_server(context, stack, Failure::TimedOut);
        };
        let received = match stack.udp_recv(socket, context.message) {
            Ok(received) => received,
            Err(Error::WouldBlock) => {
                if stack.now() < self.due {
                    return false;
                }
                count(&mut context.counters.timeouts);
                context.health.silent(self.server, stack.now());
                return self.next_server(context, stack, Failure::TimedOut);
            }
            Err(error) => {
                count(&mut context.counters.unreachable);
                context.health.silent(self.server, stack.now());
                return self.next_server(context, stack, Failure::Unreachable(error));
            }
        };
        let from = SocketAddr::new(received.meta.remote.into(), received.meta.remote_port);
        let server = self.address(context.config);
        if server.is_none_or(|server| (server.ip(), server.port()) != (from.ip(), from.port())) {
            count(&mut context.counters.wrong_address);
            return true;
        }
        let len = received.copied;
        let is_cut = received.truncated;
        self.judge(context, stack, answer, 0, len, is_cut)
    }

    /// Takes a message that has come from the server being asked.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
        from: usize,
        to: usize,
        is_cut: bool,
    ) -> bool {
        let Context {
            counters, message, ..
        } = context;
        let message = message.get_mut(from..to).unwrap_or_default();
        let asked = Asked {
            id: self.id,
            name: &self.question,
            kind: self.kind,
            cased: self.cased,
        };
        let checked = parse(message, is_cut).map(|view| check(&view, &asked));
        match checked {
            Ok(Ok(())) => {}
            Err(_) => {
                count(&mut counters.malformed);
                return self.dropped(context, stack);
            }
            Ok(Err(Mismatch::Id)) => {
                count(&mut counters.wrong_id);
                return self.dropped(context, stack);
            }
            Ok(Err(Mismatch::Question)) => {
                count(&mut counters.wrong_question);
                return self.dropped(context, stack);
            }
            Ok(Err(Mismatch::Case)) => {
                // A server that does not keep the case, or a forger who guessed the rest: asked
                // again in lower case, it has to be guessed again. The question that is out keeps
                // its letters, or the forger would only have to say the same twice.
                count(&mut counters.wrong_case);
                self.keeps_case = false;
                return self.dropped(context, stack);
            }
        }
        count(&mut counters.taken);
        self.uncase(message);
        let Ok(view) = parse(message, is_cut) else {
            return self.dropped(context, stack);
        };
        if view.header().truncated && self.state == State::Udp {
            return self.dial(context, stack);
        }
        let question = self.question.view();
        let meaning = interpret(&view, &question, self.kind, self.aliases, answer);
        let knows_edns = view.edns().is_some();
        self.apply(context, stack, answer, meaning, knows_edns)
    }

    /// Takes the dice out of the question's letters, which names in the records may point to.
    fn uncase(&mut self, message: &mut [u8]) {
        let plain = self.question.with_case(|| false);
        let name = message.get_mut(HEADER_LEN..).unwrap_or_default();
        // A question that is compressed, or none, is left alone.
        if name
            .get(..plain.as_octets().len())
            .is_some_and(|octets| octets.eq_ignore_ascii_case(plain.as_octets()))
        {
            copy(name, plain.as_octets());
        }
        self.question = plain;
    }

    /// A message was none of ours: over UDP the right one may come yet.
    fn dropped(&mut self, context: &mut Context<'_>, stack: &mut Stack) -> bool {
        if self.state == State::Udp {
            return true;
        }
        self.next_server(context, stack, Failure::ServerFailed(rcode::SERVER_FAILURE))
    }

    /// Asks again over TCP. The UDP socket stays: its timer is this query's.
    //= https://www.rfc-editor.org/rfc/rfc7766#section-5
    //# resolution library) MUST support TCP since to do otherwise would
    //# limit the interoperability between their own clients and upstream
    //# servers.
    pub(super) fn dial(&mut self, context: &mut Context<'_>, stack: &mut Stack) -> bool {
        let to = self.address(context.config);
        let opened = to.ok_or(Error::InvalidRemote).and_then(|to| {
            let connection = stack.tcp_connect(to)?;
            self.connection = Some(connection);
            let _ = stack.tcp_set_nodelay(connection, true);
            let round = u32::from(self.attempt.checked_div(self.servers).unwrap_or(0));
            let timeout = context.config.timeout_micros(round).saturating_mul(2);
            self.due = stack.now().plus_micros(timeout);
            if let Some(socket) = self.socket {
                stack.udp_wake_at(socket, Some(self.due))?;
            }
            Ok(())
        });
        match opened {
            Ok(()) => {
                self.choose(context.rng);
                self.written = 0;
                self.state = State::Tcp;
                count(&mut context.counters.tcp);
                true
            }
            Err(error) => {
                count(&mut context.counters.unreachable);
                self.next_server(context, stack, Failure::Unreachable(error))
            }
        }
    }

    /// Writes what is left of the query, and reads the reply when all of it is there. Says whether
    /// there is more to do.
    pub(super) fn read(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
    ) -> bool {
        let Some(connection) = self.connection else {
            return self.next_server(context, stack, Failure::TimedOut);
        };
        if let Err(error) = self.write_tcp(stack, connection) {
            count(&mut context.counters.unreachable);
            return self.next_server(context, stack, Failure::Unreachable(error));
        }
        let is_late = stack.now() >= self.due;
        let (there, ended) = match stack.tcp_peek(connection, 0, context.message) {
            Ok(0) => (0, true),
            Ok(there) => (there, false),
            Err(Error::WouldBlock) => (0, false),
            Err(error) => {
                count(&mut context.counters.unreachable);
                return self.next_server(context, stack, Failure::Unreachable(error));
            }
        };
        let ended = ended
            || stack
                .tcp_readiness(connection)
                .is_ok_and(|ready| ready.peer_finished || ready.closed);
        // RFC 1035 §4.2.2: two octets of length stand before a message.
        let prefix = context.message.first_chunk().copied();
        let len = usize::from(u16::from_be_bytes(prefix.unwrap_or_default())).saturating_add(2);
        if there >= 2 && there >= len {
            return self.judge(context, stack, answer, 2, len, false);
        }
        // What is longer than the memory for it is read as far as it goes; late, as far as it came.
        let is_full = there == context.message.len() || (is_late && there > 2);
        if is_full {
            return self.judge(context, stack, answer, 2, there, true);
        }
        if !ended && !is_late {
            return false;
        }
        if is_late {
            count(&mut context.counters.timeouts);
            context.health.silent(self.server, stack.now());
        } else {
            count(&mut context.counters.unreachable);
        }
        self.next_server(context, stack, Failure::TimedOut)
    }

    fn write_tcp(&mut self, stack: &mut Stack, connection: TcpHandle) -> Result<(), Error> {
        let mut buffer = [0; QUERY + 2];
        let len = match buffer.split_first_chunk_mut::<2>() {
            Some((prefix, rest)) => {
                let len = self.write(rest, 4096);
                *prefix = u16::try_from(len).unwrap_or(0).to_be_bytes();
                len.saturating_add(2)
            }
            None => return Ok(()),
        };
        let rest = buffer
            .get(usize::from(self.written)..len)
            .unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        match stack.tcp_write(connection, rest) {
            Ok(n) => {
                let n = u16::try_from(n).unwrap_or(u16::MAX);
                self.written = self.written.saturating_add(n);
                Ok(())
            }
            Err(Error::WouldBlock) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn parse(message: &[u8], is_cut: bool) -> Result<DnsView<'_>, WireError> {
    if is_cut {
        DnsView::of_beginning(message)
    } else {
        DnsView::new(message)
    }
}

/// The address this stack speaks to a server from.
//= https://www.rfc-editor.org/rfc/rfc5452#section-9.1
//# o  Destination address against query source address
fn source(stack: &mut Stack, to: SocketAddr) -> Result<SocketAddr, Error> {
    // A socket bound to it takes nothing that was sent to another.
    let probe = stack.udp_bind(0)?;
    let local = stack
        .udp_connect(probe, to)
        .and_then(|()| stack.udp_local_addr(probe));
    let _ = stack.udp_close(probe);
    let local = local?.ip();
    Ok(match (local, to) {
        // A link-local address is one of an interface.
        (IpAddr::V6(local), SocketAddr::V6(to)) => {
            SocketAddrV6::new(local, 0, 0, to.scope_id()).into()
        }
        (local, _) => SocketAddr::new(local, 0),
    })
}
