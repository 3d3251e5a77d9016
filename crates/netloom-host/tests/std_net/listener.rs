//! Listeners.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::sockets::{Accept, Listener, Shared, Stream};
use crate::world::{checks, kind, until};

checks! { w;
    port_zero_chooses_one => {
        let listener = w.server.listen()?;
        let local = listener.local_addr()?;
        Ok((local.ip() == w.server.ip(), local.port() != 0))
    }
    two_ports_that_were_chosen_differ => {
        let (first, second) = (w.server.listen()?, w.server.listen()?);
        Ok(first.local_addr()? != second.local_addr()?)
    }
    accepting_tells_the_peer => {
        let listener = w.server.listen()?;
        let client = w.client.connect_to(&[listener.local_addr()?])?;
        let (_server, peer) = listener.accept()?;
        Ok(peer == client.local_addr()?)
    }
    incoming_goes_on => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        let clients = [w.client.connect_to(&[at])?, w.client.connect_to(&[at])?];
        let mut accepted = Vec::new();
        for stream in listener.incoming().take(2) {
            accepted.push(stream?.peer_addr()?);
        }
        Ok([accepted[0] == clients[0].local_addr()?, accepted[1] == clients[1].local_addr()?])
    }
    accepting_waits => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        std::thread::scope(|scope| {
            let accepted = scope.spawn(|| listener.accept().map(drop));
            std::thread::sleep(Duration::from_millis(20));
            let _client = w.client.connect_to(&[at])?;
            accepted.join().unwrap()
        })
    }
    a_nonblocking_accept_does_not_wait => {
        let listener = w.server.listen()?;
        listener.set_nonblocking(true)?;
        listener.accept().map(drop)
    }
    a_nonblocking_accept_takes_what_is_there => {
        let listener = w.server.listen()?;
        listener.set_nonblocking(true)?;
        let _client = w.client.connect_to(&[listener.local_addr()?])?;
        let mut accepted = false;
        until(|| {
            accepted = listener.accept().is_ok();
            accepted
        });
        Ok(accepted)
    }
    what_a_nonblocking_listener_accepts_blocks => {
        let listener = w.server.listen()?;
        listener.set_nonblocking(true)?;
        let _client = w.client.connect_to(&[listener.local_addr()?])?;
        let mut accepted = None;
        until(|| {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let (mut server, _) = accepted.ok_or(std::io::ErrorKind::TimedOut)?;
        server.set_read_timeout(Some(Duration::from_millis(20)))?;
        let start = Instant::now();
        Ok((kind(server.read(&mut [0])), start.elapsed() >= Duration::from_millis(20)))
    }
    listening_twice_at_one_place => {
        let listener = w.server.listen()?;
        w.server.listen_at(&[listener.local_addr()?]).map(drop)
    }
    listening_everywhere_beside_one_address => {
        let listener = w.server.listen()?;
        let port = listener.local_addr()?.port();
        w.server.listen_at(&[w.server.anywhere(port)]).map(drop)
    }
    listening_at_one_address_beside_everywhere => {
        let listener = w.server.listen_at(&[w.server.anywhere(0)])?;
        let port = listener.local_addr()?.port();
        w.server.listen_at(&[w.server.at(port)]).map(drop)
    }
    listening_at_somebody_elses_address => {
        w.server.listen_at(&[w.server.foreign()]).map(drop)
    }
    listening_at_no_address => {
        w.server.listen_at(&[]).map(drop)
    }
    the_first_place_that_is_free_is_taken => {
        let taken = w.server.listen()?.local_addr()?;
        let listener = w.server.listen_at(&[w.server.foreign(), taken])?;
        Ok(listener.local_addr()? == taken)
    }
    a_place_is_free_again => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        let mut client = w.client.connect_to(&[at])?;
        // The server's end goes through TIME-WAIT.
        drop(listener.accept()?);
        let _end = client.read(&mut [0])?;
        drop((client, listener));
        w.server.listen_at(&[at]).map(drop)
    }
    a_connection_outlives_its_listener => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_to(&[listener.local_addr()?])?;
        let (mut server, _) = listener.accept()?;
        drop(listener);
        client.write_all(b"x")?;
        server.read(&mut [0; 4])
    }
    without_a_listener_connections_are_refused => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        drop(listener);
        w.client.connect_to(&[at]).map(drop)
    }
    a_listener_that_goes_resets_who_was_not_accepted => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_to(&[listener.local_addr()?])?;
        client.set_read_timeout(Some(crate::world::PATIENCE))?;
        // A connection the server has not completed yet would be forgotten instead.
        client.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(20));
        drop(listener);
        client.read(&mut [0])
    }
    connections_wait_to_be_accepted => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        let clients: Vec<_> = (0..50)
            .map(|_| w.client.connect_to(&[at]))
            .collect::<std::io::Result<_>>()?;
        let mut accepted = 0;
        for _ in &clients {
            listener.accept()?;
            accepted += 1;
        }
        Ok(accepted)
    }
    what_was_said_before_accepting_is_heard => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_to(&[listener.local_addr()?])?;
        client.write_all(b"early")?;
        let (mut server, _) = listener.accept()?;
        let mut buffer = [0; 5];
        server.read_exact(&mut buffer)?;
        Ok(buffer)
    }
    who_has_left_before_accepting_is_heard => {
        let listener = w.server.listen()?;
        let mut client = w.client.connect_to(&[listener.local_addr()?])?;
        client.write_all(b"bye")?;
        drop(client);
        std::thread::sleep(Duration::from_millis(20));
        let (mut server, _) = listener.accept()?;
        let mut text = String::new();
        server.read_to_string(&mut text)?;
        Ok(text)
    }
    a_clone_accepts_too => {
        let listener = w.server.listen()?;
        let clone = listener.again()?;
        let _client = w.client.connect_to(&[listener.local_addr()?])?;
        clone.accept().map(drop)
    }
    a_clone_goes_on_listening => {
        let listener = w.server.listen()?;
        let clone = listener.again()?;
        let at = listener.local_addr()?;
        drop(listener);
        let _client = w.client.connect_to(&[at])?;
        clone.accept().map(drop)
    }
    clones_of_a_listener_are_nonblocking_together => {
        let listener = w.server.listen()?;
        let clone = listener.again()?;
        listener.set_nonblocking(true)?;
        clone.accept().map(drop)
    }
    listening_everywhere_is_listening_here => {
        let listener = w.server.listen_at(&[w.server.anywhere(0)])?;
        let port = listener.local_addr()?.port();
        let client = w.client.connect_to(&[w.server.at(port)])?;
        let (server, _) = listener.accept()?;
        Ok((
            listener.local_addr()?.ip().is_unspecified(),
            server.local_addr()? == client.peer_addr()?,
        ))
    }
    a_listener_has_a_ttl => {
        let listener = w.server.listen()?;
        let first = listener.ttl()?;
        listener.set_ttl(99)?;
        Ok((first, listener.ttl()?))
    }
    what_it_accepts_has_its_ttl => {
        let listener = w.server.listen()?;
        listener.set_ttl(99)?;
        let _client = w.client.connect_to(&[listener.local_addr()?])?;
        listener.accept()?.0.ttl()
    }
    a_listeners_ttl_of_zero => {
        w.server.listen()?.set_ttl(0)
    }
    a_listener_has_no_error => {
        Ok(w.server.listen()?.take_error()?.map(|error| error.kind()))
    }
    a_listeners_debug_output_names_its_place => {
        let listener = w.server.listen()?;
        let text = format!("{listener:?}");
        let local = listener.local_addr()?.to_string();
        Ok((text.starts_with("TcpListener { addr: "), text.contains(&local)))
    }
    many_threads_accept => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| listener.accept().and_then(|(s, _)| s.put(b"x"))))
                .collect();
            let mut clients: Vec<_> = (0..4)
                .map(|_| w.client.connect_to(&[at]))
                .collect::<std::io::Result<_>>()?;
            let mut total = 0;
            for client in &mut clients {
                total += client.read(&mut [0; 4])?;
            }
            for thread in threads {
                thread.join().unwrap()?;
            }
            Ok(total)
        })
    }
    listening_beside_the_connections_of_before => {
        let listener = w.server.listen()?;
        let at = listener.local_addr()?;
        let mut client = w.client.connect_to(&[at])?;
        let (mut server, _) = listener.accept()?;
        drop(listener);
        let again = w.server.listen_at(&[at])?;
        let _second = w.client.connect_to(&[at])?;
        let (_accepted, _) = again.accept()?;
        client.write_all(b"x")?;
        server.read(&mut [0; 4])
    }
    listening_at_the_port_of_an_own_connection => {
        let (client, _server) = w.connection()?;
        w.client.listen_at(&[client.local_addr()?]).map(drop)
    }
    listening_for_both_versions_beside_one => {
        let listener = w.server.listen_at(&[(Ipv4Addr::UNSPECIFIED, 0).into()])?;
        let port = listener.local_addr()?.port();
        w.server.listen_at(&[(Ipv6Addr::UNSPECIFIED, port).into()]).map(drop)
    }
    listening_for_one_version_beside_both => {
        let listener = w.server.listen_at(&[(Ipv6Addr::UNSPECIFIED, 0).into()])?;
        let port = listener.local_addr()?.port();
        w.server.listen_at(&[(Ipv4Addr::UNSPECIFIED, port).into()]).map(drop)
    }
    listening_at_a_group => {
        w.server.listen_at(&[(Ipv4Addr::new(224, 0, 0, 1), 0).into()]).map(drop)
    }
    listening_at_a_group_of_ipv6 => {
        let group = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x99);
        w.server.listen_at(&[(group, 0).into()]).map(drop)
    }
    listening_at_the_broadcast_address => {
        w.server.listen_at(&[(Ipv4Addr::BROADCAST, 0).into()]).map(drop)
    }
}
