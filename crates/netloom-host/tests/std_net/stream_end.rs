//! How connections begin and end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use crate::sockets::{Accept, Listener, Shared, Stream};
use crate::world::{PATIENCE, checks, kind, until};

/// Reads until something else than bytes comes: how many there were, and what it was.
fn drain(stream: &mut impl Read) -> (usize, Result<(), ErrorKind>) {
    let mut total = 0;
    loop {
        match stream.read(&mut [0; 1000]) {
            Ok(0) => return (total, Ok(())),
            Ok(n) => total += n,
            Err(error) => return (total, Err(error.kind())),
        }
    }
}

/// Repeats until `done`, for what one of the two may never do.
fn until_soon(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() && began.elapsed() < Duration::from_secs(3) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Writes until it fails.
fn write_until_it_fails(stream: &mut impl Write) -> Option<ErrorKind> {
    let mut failure = None;
    until(|| {
        failure = stream.write(b"x").err();
        failure.is_some()
    });
    failure.map(|error| error.kind())
}

checks! { w;
    both_ends_know_each_other => {
        let listener = w.server.listen()?;
        let client = w.client.connect_to(&[listener.local_addr()?])?;
        let (server, peer) = listener.accept()?;
        Ok((
            client.peer_addr()? == listener.local_addr()?,
            server.local_addr()? == listener.local_addr()?,
            server.peer_addr()? == client.local_addr()?,
            peer == client.local_addr()?,
        ))
    }
    a_client_has_an_address_and_a_port => {
        let (client, _server) = w.connection()?;
        let local = client.local_addr()?;
        Ok((local.ip() == w.client.ip(), local.port() != 0))
    }
    two_clients_have_two_ports => {
        let listener = w.server.listen()?;
        let first = w.client.connect_to(&[listener.local_addr()?])?;
        let second = w.client.connect_to(&[listener.local_addr()?])?;
        Ok(first.local_addr()? != second.local_addr()?)
    }
    a_refusal => {
        w.client.connect_to(&[w.nobody()?]).map(drop)
    }
    a_refusal_comes_before_the_timeout => {
        w.client.connect_timeout(w.nobody()?, PATIENCE).map(drop)
    }
    a_timeout_of_zero_to_connect => {
        let listener = w.server.listen()?;
        w.client.connect_timeout(listener.local_addr()?, Duration::ZERO).map(drop)
    }
    connecting_in_time => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_timeout(listener.local_addr()?, PATIENCE)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"x")?;
        server.read(&mut [0; 4])
    }
    a_stream_connected_in_time_blocks => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_timeout(listener.local_addr()?, PATIENCE)?;
        client.set_read_timeout(Some(Duration::from_millis(20)))?;
        let start = Instant::now();
        let read = kind(client.read(&mut [0]));
        Ok((read, start.elapsed() >= Duration::from_millis(20)))
    }
    the_first_address_that_answers_is_taken => {
        let listener = w.server.listen()?;
        let client = w.client.connect_to(&[w.nobody()?, listener.local_addr()?])?;
        Ok(client.peer_addr()? == listener.local_addr()?)
    }
    the_last_error_is_told_when_nobody_answers => {
        w.client.connect_to(&[w.nobody()?, w.nobody()?]).map(drop)
    }
    connecting_to_no_address => {
        w.client.connect_to(&[]).map(drop)
    }
    connecting_to_a_group => {
        let group: std::net::IpAddr = if w.server.ip().is_ipv4() {
            Ipv4Addr::new(224, 0, 0, 1).into()
        } else {
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into()
        };
        Ok(w.client.connect_to(&[SocketAddr::new(group, 80)]).is_err())
    }
    connecting_to_a_broadcast_address => {
        let to = SocketAddr::from((Ipv4Addr::BROADCAST, 80));
        Ok(w.client.connect_to(&[to]).is_err())
    }
    connecting_to_port_zero => {
        w.client.connect_to(&[w.server.at(0)]).map(drop)
    }
    the_end_reads_as_nothing => {
        let (client, mut server) = w.connection()?;
        drop(client);
        server.read(&mut [0; 4])
    }
    the_end_stays => {
        let (client, mut server) = w.connection()?;
        drop(client);
        Ok([server.read(&mut [0; 4])?, server.read(&mut [0; 4])?, server.read(&mut [0; 4])?])
    }
    what_was_written_arrives_before_the_end => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(&[1; 5000])?;
        drop(client);
        Ok(drain(&mut server))
    }
    a_half_closed_connection_goes_on_the_other_way => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        let question = drain(&mut server);
        server.write_all(b"answer")?;
        drop(server);
        let mut client = client;
        Ok((question, drain(&mut client)))
    }
    writing_after_the_own_end => {
        let (mut client, _server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        client.write(b"x")
    }
    ending_twice => {
        let (client, _server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        client.shutdown(Shutdown::Write)
    }
    after_shutting_down_reading_there_is_nothing => {
        let (mut client, _server) = w.connection()?;
        client.shutdown(Shutdown::Read)?;
        client.read(&mut [0; 4])
    }
    after_shutting_down_reading_writing_works => {
        let (mut client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Read)?;
        client.write_all(b"x")?;
        server.read(&mut [0; 4])
    }
    shutting_down_reading_ends_a_blocked_read => {
        let (client, _server) = w.connection()?;
        thread::scope(|scope| {
            let reader = scope.spawn(|| client.get(&mut [0]));
            thread::sleep(Duration::from_millis(20));
            client.shutdown(Shutdown::Read)?;
            reader.join().unwrap()
        })
    }
    shutting_down_both_ends_both => {
        let (mut client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Both)?;
        Ok((kind(client.read(&mut [0])), kind(client.write(b"x")), drain(&mut server)))
    }
    shutting_down_writing_lets_a_blocked_read_wait => {
        let (client, mut server) = w.connection()?;
        thread::scope(|scope| {
            let reader = scope.spawn(|| client.get(&mut [0; 4]));
            client.shutdown(Shutdown::Write)?;
            let end = drain(&mut server);
            server.write_all(b"x")?;
            Ok((end, kind(reader.join().unwrap())))
        })
    }
    a_connection_that_both_ends_have_finished_reads_nothing => {
        let (mut client, server) = w.connection()?;
        server.shutdown(Shutdown::Write)?;
        client.shutdown(Shutdown::Write)?;
        Ok(drain(&mut client))
    }
    there_is_no_error_at_first => {
        let (client, _server) = w.connection()?;
        Ok(client.take_error()?.map(|error| error.kind()))
    }
    there_is_no_error_after_an_orderly_end => {
        let (client, mut server) = w.connection()?;
        drop(client);
        let _end = server.read(&mut [0])?;
        Ok(server.take_error()?.map(|error| error.kind()))
    }
    a_reset_ends_a_read => {
        let (client, server) = w.connection()?;
        thread::scope(|scope| {
            let reader = scope.spawn(|| server.get(&mut [0]));
            client.set_linger(Some(Duration::ZERO))?;
            drop(client);
            reader.join().unwrap()
        })
    }
    a_reset_ends_a_read_of_the_client => {
        let mut client = w.resetting()?;
        client.read(&mut [0])
    }
    a_reset_is_told_by_take_error => {
        let client = w.resetting()?;
        let mut told = None;
        until(|| {
            told = client.take_error().ok().flatten();
            told.is_some()
        });
        Ok((told.map(|error| error.kind()), client.take_error()?.map(|error| error.kind())))
    }
    a_reset_ends_a_blocked_write => {
        let (client, server) = w.connection()?;
        thread::scope(|scope| {
            let writer = scope.spawn(move || loop {
                if let Err(error) = client.put(&[0; 65536]) {
                    break error.kind();
                }
            });
            thread::sleep(Duration::from_millis(50));
            server.set_linger(Some(Duration::ZERO))?;
            drop(server);
            Ok(writer.join().unwrap())
        })
    }
    reading_again_after_a_reset => {
        let mut server = w.reset()?;
        server.read(&mut [0])
    }
    writing_after_a_reset_was_told => {
        let mut server = w.reset()?;
        server.write(b"x")
    }
    a_closed_peer_makes_writing_fail_in_the_end => {
        let (client, mut server) = w.connection()?;
        drop(client);
        Ok(write_until_it_fails(&mut server).is_some())
    }
    closing_with_unread_data_resets => {
        let (mut client, server) = w.connection()?;
        client.write_all(b"never read")?;
        server.peek(&mut [0])?;
        drop(server);
        client.read(&mut [0; 4])
    }
    closing_with_everything_read_does_not => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"read")?;
        server.read_exact(&mut [0; 4])?;
        drop(server);
        client.read(&mut [0; 4])
    }
    lingering_delivers => {
        let (mut client, mut server) = w.connection()?;
        client.set_linger(Some(Duration::from_secs(5)))?;
        client.write_all(&[1; 3000])?;
        drop(client);
        Ok(drain(&mut server))
    }
    closing_one_connection_leaves_the_others => {
        let (client, server) = w.connection()?;
        let (mut other, mut other_server) = w.connection()?;
        drop((client, server));
        other.write_all(b"x")?;
        other_server.read(&mut [0; 4])
    }
    debug_output_names_both_ends => {
        let (client, _server) = w.connection()?;
        let text = format!("{client:?}");
        let (local, peer) = (client.local_addr()?.to_string(), client.peer_addr()?.to_string());
        Ok((text.starts_with("TcpStream { addr: "), text.contains(&local), text.contains(&peer)))
    }
    what_came_before_reading_was_shut_down_is_read => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"early")?;
        until(|| server.peek(&mut [0; 8]).is_ok_and(|len| len == 5));
        server.shutdown(Shutdown::Read)?;
        let peeked = kind(server.peek(&mut [0; 8]));
        let first = kind(server.read(&mut [0; 2]));
        Ok((peeked, first, drain(&mut server)))
    }
    what_comes_after_reading_was_shut_down => {
        let (mut client, mut server) = w.connection()?;
        server.shutdown(Shutdown::Read)?;
        client.write_all(b"late")?;
        let mut first = Ok(0);
        until_soon(|| {
            first = kind(server.read(&mut [0; 8]));
            first != Ok(0)
        });
        Ok((first, kind(server.read(&mut [0; 8]))))
    }
    the_peer_of_who_shut_down_reading_goes_on => {
        let (mut client, mut server) = w.connection()?;
        server.shutdown(Shutdown::Read)?;
        let written = kind(client.write_all(b"late"));
        server.write_all(b"answer")?;
        Ok((written, client.read(&mut [0; 8])?, client.take_error()?.is_none()))
    }
    shutting_down_reading_twice => {
        let (client, _server) = w.connection()?;
        client.shutdown(Shutdown::Read)?;
        client.shutdown(Shutdown::Read)
    }
    the_addresses_after_the_peers_end => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        let _end = drain(&mut server);
        Ok((server.local_addr().is_ok(), server.peer_addr()? == client.local_addr()?))
    }
    the_peers_address_after_both_ends => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        let _end = drain(&mut server);
        server.shutdown(Shutdown::Write)?;
        // The last acknowledgment may take a moment.
        let mut told = server.peer_addr().map(drop);
        until_soon(|| {
            told = server.peer_addr().map(drop);
            told.is_err()
        });
        told
    }
    the_own_address_after_both_ends => {
        let (mut client, server) = w.connection()?;
        let local = client.local_addr()?;
        client.shutdown(Shutdown::Write)?;
        server.shutdown(Shutdown::Write)?;
        let _end = drain(&mut client);
        Ok(client.local_addr()? == local)
    }
    the_peers_address_after_a_reset => {
        w.reset()?.peer_addr().map(drop)
    }
    the_own_address_after_a_reset => {
        w.reset()?.local_addr().map(|local| local.ip() == w.server.ip())
    }
    shutting_down_after_both_ends => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        let _end = drain(&mut server);
        server.shutdown(Shutdown::Write)?;
        let mut told = Ok(());
        until_soon(|| {
            told = server.shutdown(Shutdown::Both);
            told.is_err()
        });
        told
    }
    shutting_down_reading_after_a_reset => {
        w.reset()?.shutdown(Shutdown::Read)
    }
    shutting_down_writing_after_a_reset => {
        w.reset()?.shutdown(Shutdown::Write)
    }
    there_is_no_error_after_both_ends => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        let _end = drain(&mut server);
        server.shutdown(Shutdown::Write)?;
        Ok((server.take_error()?.is_none(), server.take_error()?.is_none()))
    }
    an_error_that_was_read_is_not_told_again => {
        let mut server = w.reset()?;
        // The first read tells it, or peeking has.
        let _told = server.read(&mut [0]);
        Ok(server.take_error()?.map(|error| error.kind()))
    }
    options_after_a_reset => {
        let server = w.reset()?;
        Ok((kind(server.set_nodelay(true)), kind(server.nodelay()), kind(server.set_ttl(9))))
    }
    connecting_to_nowhere_is_connecting_to_oneself => {
        let listener = w.client.listen_at(&[w.client.anywhere(0)])?;
        let to = w.client.anywhere(listener.local_addr()?.port());
        let client = w.client.connect_to(&[to])?;
        Ok(client.peer_addr()?.ip().is_loopback())
    }
}
