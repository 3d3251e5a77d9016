//! Names in the place of addresses: a DNS server on one stack, programs on another, a link in
//! memory between them.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::LinkEnd;
use netloom_host::net::{Backoff, DnsConfig, DnsFailure, Name, TcpConnection};
use netloom_host::net::{Error, Net, Reason, RecordType};
use netloom_stack::wire::dns::{
    DnsHeader, DnsView, DnsWriter, Question, Rdata, Record, Section, class,
};

/// Whom the server knows: a name, IPv6 addresses, IPv4 addresses.
type Known = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const KNOWN: [Known; 4] = [
    ("dual.test", &["2001:db8::2"], &["10.0.0.2"]),
    ("v4.test", &[], &["10.0.0.2"]),
    // Nobody has this address of version 6.
    ("half.test", &["2001:db8::9"], &["10.0.0.2"]),
    ("nowhere.test", &["2001:db8::9"], &["10.0.0.9"]),
];

/// The two stacks, and how often the server was asked.
fn world(
    change: impl FnOnce(netloom_host::net::Builder) -> netloom_host::net::Builder,
) -> (Net, Net, Arc<Mutex<Vec<String>>>) {
    let (near, far) = LinkEnd::pair(1500).unwrap();
    let near = near.address("10.0.0.1/24").address("2001:db8::1/64");
    let near = change(near).start().unwrap();
    let far = far
        .address("10.0.0.2/24")
        .address("2001:db8::2/64")
        .start()
        .unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (socket, log) = (far.udp_bind("10.0.0.2:53").unwrap(), Arc::clone(&asked));
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            if let Some(reply) = reply(&buffer[..len], &log) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    (near, far, asked)
}

fn reply(query: &[u8], log: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let view = DnsView::new(query).ok()?;
    let question = view.question()?;
    let name = question.name.to_string().to_ascii_lowercase();
    log.lock().unwrap().push(name.clone());
    if name == "silent.test" {
        return None;
    }
    let known = KNOWN.iter().find(|known| known.0 == name);
    let mut buffer = [0; 512];
    let header = DnsHeader {
        id: view.header().id,
        response: true,
        recursion_available: true,
        rcode: if known.is_some() { 0 } else { 3 },
        ..DnsHeader::default()
    };
    let mut message = DnsWriter::new(&mut buffer, &header).ok()?;
    message.question(&Question { ..question }).ok()?;
    let addresses = match (known, question.kind) {
        (Some(known), RecordType::AAAA) => known.1,
        (Some(known), RecordType::A) => known.2,
        _ => &[],
    };
    for address in addresses {
        let data = match address.parse().ok()? {
            IpAddr::V4(addr) => Rdata::A(addr),
            IpAddr::V6(addr) => Rdata::Aaaa(addr),
        };
        let record = Record {
            name: question.name,
            kind: question.kind,
            class: class::IN,
            ttl: 300,
            data,
        };
        message.record(Section::Answer, &record).ok()?;
    }
    Some(message.as_octets().to_vec())
}

/// Has the server asked once, however slowly this machine answers: where questions are counted.
fn patient(builder: netloom_host::net::Builder) -> netloom_host::net::Builder {
    let mut config = DnsConfig::new().server("10.0.0.2:53".parse().unwrap());
    config.timeout = Duration::from_secs(20);
    builder.dns_config(config)
}

/// An echo on every address of a stack.
fn echo(net: &Net) {
    let listener = net.tcp_listen("[::]:7").unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 64];
            let len = stream.read(&mut buffer).unwrap_or(0);
            let _ = stream.write_all(&buffer[..len]);
        }
    });
}

fn failure(error: &std::io::Error) -> Option<DnsFailure> {
    match Error::of(error).map(Error::reason) {
        Some(Reason::Lookup { failure, .. }) => Some(*failure),
        _ => None,
    }
}

#[test]
fn a_name_is_connected_to() {
    let (near, far, asked) = world(patient);
    echo(&far);
    // Once it is connected, the answer that is still on its way is not waited for nor remembered:
    // both are looked up before questions are counted.
    near.lookup_host("dual.test").unwrap();
    // Nor does the search for the neighbor give version 4 a start.
    near.tcp_connect("[2001:db8::2]:7").unwrap();
    for name in ["dual.test:7", "v4.test:7", "DUAL.test.:7"] {
        let mut stream = near.tcp_connect(name).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
        let v6 = !name.starts_with("v4");
        assert_eq!(stream.peer_addr().unwrap().is_ipv6(), v6, "{name}");
    }
    let before = asked.lock().unwrap().len();
    assert_eq!(before, 4);
    for form in [
        near.tcp_connect(("dual.test", 7)),
        near.tcp_connect(("dual.test".to_owned(), 7)),
        near.tcp_connect("dual.test:7".to_owned()),
        near.tcp_connect_from("10.0.0.1:0".parse().unwrap(), "dual.test:7"),
    ] {
        form.unwrap();
    }
    // From memory: nobody was asked again.
    assert_eq!(asked.lock().unwrap().len(), before);
    assert!(near.dns_counters().unwrap().from_memory >= 12);
}

#[test]
fn a_dead_address_is_passed_over() {
    let (near, far, _) = world(|builder| builder.dns("10.0.0.2"));
    echo(&far);
    let start = Instant::now();
    let stream = near.tcp_connect("half.test:7").unwrap();
    assert!(stream.peer_addr().unwrap().is_ipv4());
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[test]
fn numeric_addresses_ask_nobody() {
    let (near, far, asked) = world(|builder| builder.dns("10.0.0.2"));
    echo(&far);
    for at in ["10.0.0.2:7", "[2001:db8::2]:7"] {
        near.tcp_connect(at).unwrap();
    }
    near.tcp_connect(("10.0.0.2", 7)).unwrap();
    assert_eq!(near.lookup_host("10.0.0.2").unwrap().len(), 1);
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn failures_say_why() {
    let (near, _far, _) = world(|builder| builder.dns("10.0.0.2"));
    for (name, kind, why) in [
        (
            "none.test:7",
            ErrorKind::NotFound,
            Some(DnsFailure::NoSuchName),
        ),
        ("v4.test:9", ErrorKind::ConnectionRefused, None),
        ("a..b:7", ErrorKind::InvalidInput, None),
    ] {
        let error = near.tcp_connect(name).unwrap_err();
        assert_eq!(
            (error.kind(), failure(&error)),
            (kind, why),
            "{name}: {error}"
        );
    }
    let mut config = DnsConfig::new().server("10.0.0.2:53".parse().unwrap());
    config.timeout = Duration::from_millis(20);
    let (impatient, _other, _) = world(|builder| builder.dns_config(config));
    let error = impatient.tcp_connect("silent.test:7").unwrap_err();
    assert_eq!(failure(&error), Some(DnsFailure::TimedOut));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = near.lookup_host("none.test").unwrap_err();
    assert_eq!(error.to_string(), "none.test: there is no such name");
    let error = near.lookup_host("a..b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn without_a_server_names_are_refused() {
    let (near, _far, _) = world(|builder| builder);
    let error = near.tcp_connect("dual.test:7").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = near.lookup_host("dual.test").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(near.dns_counters().is_none());
    // One can be named later, as DHCP does.
    near.set_dns_servers(&["10.0.0.2:53".parse().unwrap()])
        .unwrap();
    near.set_dns_search(&["test".parse().unwrap()]).unwrap();
    assert_eq!(near.lookup_host("dual").unwrap().len(), 2);
    near.set_dns_servers(&[]).unwrap();
    let error = near.lookup_host("dual").unwrap_err();
    assert_eq!(failure(&error), Some(DnsFailure::NoServers));
}

#[test]
fn addresses_and_records_are_looked_up() {
    let (near, _far, _) = world(|builder| builder.dns("10.0.0.2").dns_search("test"));
    let addresses = near.lookup_host("dual").unwrap();
    let expected: Vec<IpAddr> = ["2001:db8::2", "10.0.0.2"]
        .map(|a| a.parse().unwrap())
        .into();
    assert_eq!(addresses, expected);
    let shown = near.dns_query("dual.test", RecordType::A, |answer| {
        answer
            .records()
            .map(|r| r.data.to_string())
            .collect::<Vec<_>>()
    });
    assert_eq!(shown.unwrap(), ["10.0.0.2"]);
    near.clear_dns_cache().unwrap();
}

#[test]
fn hosts_of_ones_own() {
    let (near, far, asked) = world(|builder| {
        builder
            .host("plc.local", "10.0.0.2")
            .host("plc.local", "2001:db8::2")
    });
    echo(&far);
    near.tcp_connect("plc.local:7").unwrap();
    assert_eq!(near.lookup_host("PLC.local").unwrap().len(), 2);
    let name: Name = "other".parse().unwrap();
    near.add_host(&name, &["10.0.0.2".parse().unwrap()])
        .unwrap();
    near.tcp_connect("other:7").unwrap();
    assert!(asked.lock().unwrap().is_empty());
}

/// All is over before the call that begins it could wait for news.
#[test]
fn a_name_of_this_very_stack() {
    let (near, _far, _) = world(|builder| builder.host("myself", "10.0.0.1"));
    echo(&near);
    near.tcp_connect("myself:7").unwrap();
    let error = near.tcp_connect("myself:9").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn of_several_addresses_the_first_that_answers_is_taken() {
    let (near, far, _) = world(|builder| builder);
    echo(&far);
    let at = |texts: &[&str]| -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    // A refusal, and silence.
    for first in ["10.0.0.2:9", "10.0.0.9:7"] {
        let to = at(&[first, "[2001:db8::2]:7"]);
        let stream = near.tcp_connect(to.as_slice()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), to[1]);
    }
    let to = at(&["10.0.0.2:9", "[2001:db8::2]:9"]);
    let error = near.tcp_connect(to.as_slice()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // Nothing is left of what was given up.
    assert_eq!(near.usage().udp, 0);
}

#[test]
fn datagrams_to_names() {
    let (near, far, _) = world(|builder| builder.dns("10.0.0.2"));
    let there = far.udp_bind("10.0.0.2:9").unwrap();
    let here = near.udp_bind("0.0.0.0:0").unwrap();
    here.send_to(b"one", "v4.test:9").unwrap();
    // Its first address is of version 6, which this socket cannot send to.
    here.send_to(b"six", "dual.test:9").unwrap();
    here.connect(("v4.test", 9)).unwrap();
    here.send(b"two").unwrap();
    let mut buffer = [0; 8];
    for expected in [b"one", b"six", b"two"] {
        let (len, _) = there.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], expected);
    }
    let at: SocketAddr = "10.0.0.2:9".parse().unwrap();
    assert_eq!(here.peer_addr().unwrap(), at);
}

/// A connection that can be made again asks for the name each time; whichever of its addresses is
/// alive is taken.
#[test]
fn a_connection_by_name() {
    let (near, far, asked) = world(patient);
    echo(&far);
    let limit = Duration::from_secs(60);
    let mut buffer = [0; 5];
    // With both addresses known, and the neighbor, version 6 comes first.
    near.lookup_host("dual.test").unwrap();
    near.tcp_connect("[2001:db8::2]:7").unwrap();
    for (name, v6) in [("dual.test:7", true), ("half.test:7", false)] {
        let mut connection = TcpConnection::connect(&near, name, limit).unwrap();
        for _ in 0..2 {
            let peer = connection.stream().unwrap().peer_addr().unwrap();
            assert_eq!(peer.is_ipv6(), v6, "{name}: {peer}");
            connection.write_within(b"hello", limit).unwrap();
            let got = connection.read_at_least_one(&mut buffer, limit).unwrap();
            assert_eq!(&buffer[..got], b"hello", "{name}");
            connection.reconnect(Backoff::default()).unwrap();
        }
    }
    assert!(asked.lock().unwrap().iter().any(|name| name == "half.test"));
    let error = TcpConnection::connect(&near, "none.test:7", limit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = TcpConnection::connect(&near, "nowhere.test:7", Duration::from_millis(600));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    // The look-up is within the time too.
    let error = TcpConnection::connect(&near, "silent.test:7", Duration::from_millis(50));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Conversations are begun by name; the thread does not wait for the look-up, the task does.
#[cfg(feature = "channel")]
#[test]
fn a_conversation_by_name() {
    use futures_util::{FutureExt, SinkExt, StreamExt};
    use netloom_host::net::channel::{Bytes, block_on};

    let (near, far, _) = world(patient);
    let mut peers = far.channel_listen(7).unwrap();
    near.lookup_host("dual.test").unwrap();
    near.tcp_connect("[2001:db8::2]:7").unwrap();
    block_on(async {
        // Who came only for the neighbor to be known has gone.
        drop(peers.next().await);
        for (name, v6) in [("dual.test:7", true), ("half.test:7", false)] {
            let mut here = near.channel_connect(name).await.unwrap();
            assert_eq!(here.peer_addr().is_ipv6(), v6, "{name}");
            let mut there = peers.next().await.unwrap();
            here.send(Bytes::from("hello")).await.unwrap();
            assert_eq!(there.next().await, Some(Bytes::from("hello")));
        }
        let error = near.channel_connect("none.test:7").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
    // The server is asked for 20 s, and there is no answer.
    assert!(
        near.channel_connect("silent.test:7")
            .now_or_never()
            .is_none()
    );
}

/// More threads than the resolver has places: they wait for each other.
#[test]
fn many_threads_at_once() {
    let (near, far, asked) = world(patient);
    echo(&far);
    let threads: Vec<_> = (0..40)
        .map(|number| {
            let near = near.clone();
            thread::spawn(move || {
                if number % 2 == 0 {
                    // Connecting alone does not wait for the answer to the second question.
                    let found = near.lookup_host("dual.test");
                    found.and_then(|_| near.tcp_connect("dual.test:7").map(drop))
                } else {
                    near.lookup_host("v4.test").map(drop)
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    // Each question once, whoever asked it; that there is no AAAA record of v4.test is not
    // remembered, because no zone says for how long.
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|name| *name == "dual.test").count(), 2);
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    fn kind_and_failure(result: std::io::Result<usize>) -> (ErrorKind, Option<DnsFailure>) {
        let error = result.unwrap_err();
        (error.kind(), failure(&error))
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, future).await.expect("in time")
    }

    #[tokio::test]
    async fn datagrams_to_names() {
        let (near, far, asked) = world(patient);
        let there = far.tokio().udp_bind("[::]:9").await.unwrap();
        let here = near.tokio().udp_bind("0.0.0.0:0").await.unwrap();
        let mut buffer = [0; 8];
        // On a task of its own: what it waits for may go from thread to thread.
        let here = tokio::spawn(async move {
            here.send_to(b"one", "v4.test:9").await.unwrap();
            // Its first address is of version 6, which this socket cannot send to.
            here.send_to(b"two", ("dual.test".to_owned(), 9))
                .await
                .unwrap();
            here.connect(("dual.test", 9)).await.unwrap();
            here.send(b"six").await.unwrap();
            here
        });
        let here = soon(here).await.unwrap();
        for expected in [b"one", b"two", b"six"] {
            let (len, from) = soon(there.recv_from(&mut buffer)).await.unwrap();
            assert_eq!(&buffer[..len], expected);
            assert!(from.ip().to_canonical().is_ipv4(), "{from}");
        }
        let at: SocketAddr = "10.0.0.2:9".parse().unwrap();
        assert_eq!(here.peer_addr().unwrap(), at);
        // One that can send to both takes the first.
        let both = near.tokio().udp_bind("[::]:0").await.unwrap();
        soon(both.connect("dual.test:9")).await.unwrap();
        assert!(both.peer_addr().unwrap().is_ipv6());
        // Numbers ask nobody.
        let before = asked.lock().unwrap().len();
        both.connect("[2001:db8::2]:9").await.unwrap();
        both.send_to(b"ten", ("2001:db8::2", 9)).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), before);
    }

    #[tokio::test]
    async fn failures_say_why() {
        let (near, _far, _) = world(patient);
        let here = near.tokio().udp_bind("[::]:0").await.unwrap();
        for (name, kind, why) in [
            (
                "none.test:9",
                ErrorKind::NotFound,
                Some(DnsFailure::NoSuchName),
            ),
            ("a..b:9", ErrorKind::InvalidInput, None),
            ("nonsense", ErrorKind::InvalidInput, None),
        ] {
            let sent = soon(here.send_to(b"one", name)).await;
            assert_eq!(kind_and_failure(sent), (kind, why), "{name}");
            let connected = soon(here.connect(name)).await.map(|()| 0);
            assert_eq!(kind_and_failure(connected), (kind, why), "{name}");
        }
        let (nobody, _far, _) = world(|builder| builder);
        let here = nobody.tokio().udp_bind("[::]:0").await.unwrap();
        let sent = here.send_to(b"one", "dual.test:9").await;
        assert_eq!(kind_and_failure(sent), (ErrorKind::InvalidInput, None));
    }

    /// Nothing is sent, the socket is as it was, and the places of the resolver are free again,
    /// of which there are 16.
    #[tokio::test]
    async fn a_lookup_that_is_given_up_leaves_nothing() {
        let (near, far, asked) = world(patient);
        let there = far.tokio().udp_bind("10.0.0.2:9").await.unwrap();
        let here = near.tokio().udp_bind("10.0.0.1:0").await.unwrap();
        here.connect("10.0.0.2:9").await.unwrap();
        // Questions that wait for the neighbor do so beyond their end, and leave no room for others.
        near.lookup_host("dual.test").unwrap();
        for _ in 0..20 {
            for at_once in 1..=2 {
                let mut sending = std::pin::pin!(here.send_to(b"never", "silent.test:9"));
                let mut connecting = std::pin::pin!(here.connect("silent.test:9"));
                let began = std::future::poll_fn(|cx| {
                    let sending = sending.as_mut().poll(cx).is_pending();
                    let both = at_once == 1 || connecting.as_mut().poll(cx).is_pending();
                    std::task::Poll::Ready(sending && both)
                });
                assert!(began.await);
            }
        }
        assert_eq!(near.usage().udp, 1);
        let at: SocketAddr = "10.0.0.2:9".parse().unwrap();
        assert_eq!(here.peer_addr().unwrap(), at);
        soon(here.send_to(b"one", "v4.test:9")).await.unwrap();
        let mut buffer = [0; 8];
        let (len, _) = soon(there.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..len], b"one");
        let asked = asked.lock().unwrap();
        assert!(asked.iter().any(|name| name == "silent.test"));
    }

    /// More tasks than the resolver has places: they wait for each other.
    #[tokio::test]
    async fn many_tasks_at_once() {
        let (near, far, _) = world(patient);
        let there = far.tokio().udp_bind("10.0.0.2:9").await.unwrap();
        let tasks: Vec<_> = (0..40_u8)
            .map(|number| {
                let near = near.tokio();
                tokio::spawn(async move {
                    let here = near.udp_bind("10.0.0.1:0").await?;
                    let name = ["dual.test:9", "v4.test:9", "half.test:9"][usize::from(number % 3)];
                    let sent = here.send_to(&[number], name).await?;
                    // What waits for the neighbor is lost with its socket.
                    Ok::<_, std::io::Error>((here, sent))
                })
            })
            .collect();
        let mut heard = std::collections::BTreeSet::new();
        let mut buffer = [0; 8];
        while heard.len() < 40 {
            let (len, _) = soon(there.recv_from(&mut buffer)).await.unwrap();
            assert_eq!(len, 1);
            assert!(heard.insert(buffer[0]));
        }
        for task in tasks {
            let (_, sent) = soon(task).await.unwrap().unwrap();
            assert_eq!(sent, 1);
        }
    }
}
