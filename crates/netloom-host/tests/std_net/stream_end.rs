//! How connections begin and end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

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
        let start = std::time::Instant::now();
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
}
