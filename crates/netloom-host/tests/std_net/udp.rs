//! Datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::sockets::Udp;
use crate::world::{PATIENCE, checks, kind, until};

const SHORT: Duration = Duration::from_millis(20);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0x71, 3);

checks! { w;
    sending_tells_the_length => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"hello", server.local_addr()?)
    }
    receiving_tells_the_sender => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"hello", server.local_addr()?)?;
        let mut buffer = [0; 8];
        let (len, from) = server.recv_from(&mut buffer)?;
        Ok((len, from == client.local_addr()?, buffer))
    }
    an_answer_comes_back => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"question", server.local_addr()?)?;
        let mut buffer = [0; 16];
        let (_, from) = server.recv_from(&mut buffer)?;
        server.send_to(b"answer", from)?;
        let (len, from) = client.recv_from(&mut buffer)?;
        Ok((len, from == server.local_addr()?))
    }
    an_empty_datagram_is_one => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let sent = client.send_to(b"", server.local_addr()?)?;
        Ok((sent, server.recv_from(&mut [0; 4])?.0))
    }
    datagrams_keep_their_bounds_and_order => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let to = server.local_addr()?;
        for len in [3, 1, 1400, 0, 7] {
            client.send_to(&vec![1; len], to)?;
        }
        let mut lens = Vec::new();
        for _ in 0..5 {
            lens.push(server.recv_from(&mut [0; 2000])?.0);
        }
        Ok(lens)
    }
    what_does_not_fit_is_lost => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let to = server.local_addr()?;
        client.send_to(b"abcdef", to)?;
        client.send_to(b"next", to)?;
        let mut buffer = [0; 3];
        let first = server.recv_from(&mut buffer)?.0;
        Ok((first, buffer, server.recv_from(&mut [0; 8])?.0))
    }
    peeking_leaves_the_datagram => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"x", server.local_addr()?)?;
        let (peeked, from) = server.peek_from(&mut [0; 4])?;
        let (received, again) = server.recv_from(&mut [0; 4])?;
        Ok((peeked, received, from == again))
    }
    peeking_short_leaves_all_of_it => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"abcdef", server.local_addr()?)?;
        let peeked = server.peek_from(&mut [0; 2])?.0;
        Ok((peeked, server.recv_from(&mut [0; 8])?.0))
    }
    a_socket_has_an_address_and_a_port => {
        let local = w.client.udp()?.local_addr()?;
        Ok((local.ip() == w.client.ip(), local.port() != 0))
    }
    a_socket_everywhere_has_no_address => {
        let socket = w.client.udp_at(&[w.client.anywhere(0)])?;
        Ok(socket.local_addr()?.ip().is_unspecified())
    }
    connecting_a_socket_everywhere_gives_it_an_address => {
        let (client, server) = (w.client.udp_at(&[w.client.anywhere(0)])?, w.server.udp()?);
        client.connect(server.local_addr()?)?;
        Ok(client.local_addr()?.ip() == w.client.ip())
    }
    a_socket_everywhere_hears => {
        let (client, server) = (w.client.udp()?, w.server.udp_at(&[w.server.anywhere(0)])?);
        server.set_read_timeout(Some(PATIENCE))?;
        client.send_to(b"x", w.server.at(server.local_addr()?.port()))?;
        Ok(server.recv_from(&mut [0; 4])?.0)
    }
    a_port_is_taken => {
        let socket = w.server.udp()?;
        w.server.udp_at(&[socket.local_addr()?]).map(drop)
    }
    a_port_is_free_again => {
        let socket = w.server.udp()?;
        let at = socket.local_addr()?;
        drop(socket);
        w.server.udp_at(&[at]).map(drop)
    }
    binding_to_somebody_elses_address => {
        w.server.udp_at(&[w.server.foreign()]).map(drop)
    }
    binding_to_no_address => {
        w.server.udp_at(&[]).map(drop)
    }
    the_first_address_of_ours_is_bound => {
        let socket = w.server.udp_at(&[w.server.foreign(), w.server.at(0)])?;
        Ok(socket.local_addr()?.ip() == w.server.ip())
    }
    an_unconnected_socket_has_no_peer => {
        w.client.udp()?.peer_addr().map(drop)
    }
    a_connected_socket_has_a_peer => {
        let (client, server) = w.sockets()?;
        Ok(client.peer_addr()? == server.local_addr()?)
    }
    an_unconnected_socket_cannot_send => {
        Ok(w.client.udp()?.send(b"x").is_err())
    }
    a_connected_socket_sends_and_receives => {
        let (client, server) = w.sockets()?;
        let sent = client.send(b"question")?;
        let (_, from) = server.recv_from(&mut [0; 16])?;
        server.send_to(b"answer", from)?;
        let mut buffer = [0; 16];
        Ok((sent, client.recv(&mut buffer)?, buffer))
    }
    receiving_without_the_sender => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"x", server.local_addr()?)?;
        server.recv(&mut [0; 4])
    }
    peeking_without_the_sender => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"x", server.local_addr()?)?;
        Ok((server.peek(&mut [0; 4])?, server.recv(&mut [0; 4])?))
    }
    a_connected_socket_hears_its_peer_alone => {
        let (client, server) = w.sockets()?;
        let other = w.server.udp()?;
        let to = client.local_addr()?;
        other.send_to(b"from somebody else", to)?;
        server.send_to(b"x", to)?;
        client.recv(&mut [0; 32])
    }
    a_connected_socket_may_send_elsewhere => {
        let (client, _server) = w.sockets()?;
        let other = w.server.udp()?;
        client.send_to(b"x", other.local_addr()?)?;
        other.recv(&mut [0; 4])
    }
    connecting_again_changes_the_peer => {
        let (client, server) = w.sockets()?;
        let other = w.server.udp()?;
        client.connect(other.local_addr()?)?;
        client.send(b"x")?;
        server.set_read_timeout(Some(SHORT))?;
        Ok((other.recv(&mut [0; 4])?, kind(server.recv(&mut [0; 4]))))
    }
    connecting_to_the_same_peer_again => {
        let (client, server) = w.sockets()?;
        client.connect(server.local_addr()?)?;
        client.send(b"x")?;
        server.recv(&mut [0; 4])
    }
    a_closed_port_is_told_to_who_receives => {
        let (client, server) = w.sockets()?;
        drop(server);
        client.send(b"anybody there?")?;
        client.recv(&mut [0; 4])
    }
    a_closed_port_is_told_once => {
        let (client, server) = w.sockets()?;
        drop(server);
        client.send(b"anybody there?")?;
        let first = kind(client.recv(&mut [0; 4]));
        client.set_read_timeout(Some(SHORT))?;
        Ok((first, kind(client.recv(&mut [0; 4]))))
    }
    a_closed_port_is_told_to_who_sends => {
        let (client, server) = w.sockets()?;
        drop(server);
        client.send(b"anybody there?")?;
        let mut refused = None;
        until(|| {
            std::thread::sleep(SHORT);
            refused = client.send(b"x").err();
            refused.is_some()
        });
        Ok(refused.map(|error| error.kind()))
    }
    a_closed_port_is_told_by_take_error => {
        let (client, server) = w.sockets()?;
        drop(server);
        client.send(b"anybody there?")?;
        let mut told = None;
        until(|| {
            told = client.take_error().ok().flatten();
            told.is_some()
        });
        Ok((told.map(|error| error.kind()), client.take_error()?.map(|error| error.kind())))
    }
    a_closed_port_is_told_by_peeking => {
        let (client, server) = w.sockets()?;
        drop(server);
        client.send(b"anybody there?")?;
        client.set_read_timeout(Some(PATIENCE))?;
        let told = kind(client.peek_from(&mut [0; 4]).map(drop));
        client.set_read_timeout(Some(SHORT))?;
        Ok((told, kind(client.peek(&mut [0; 4]).map(drop))))
    }
    a_closed_port_is_not_told_to_an_unconnected_socket_that_peeks => {
        let client = w.client.udp()?;
        let gone = w.server.udp()?.local_addr()?;
        client.send_to(b"anybody there?", gone)?;
        std::thread::sleep(SHORT);
        client.set_read_timeout(Some(SHORT))?;
        client.peek_from(&mut [0; 4]).map(drop)
    }
    a_closed_port_is_not_told_to_an_unconnected_socket => {
        let client = w.client.udp()?;
        let gone = w.server.udp()?.local_addr()?;
        client.send_to(b"anybody there?", gone)?;
        std::thread::sleep(SHORT);
        client.set_read_timeout(Some(SHORT))?;
        client.recv_from(&mut [0; 4]).map(drop)
    }
    there_is_no_error_of_a_datagram_at_first => {
        Ok(w.client.udp()?.take_error()?.map(|error| error.kind()))
    }
    receiving_times_out => {
        let socket = w.client.udp()?;
        socket.set_read_timeout(Some(SHORT))?;
        let start = Instant::now();
        let received = kind(socket.recv_from(&mut [0; 4]).map(drop));
        Ok((received, start.elapsed() >= SHORT))
    }
    peeking_for_a_datagram_times_out => {
        let socket = w.client.udp()?;
        socket.set_read_timeout(Some(SHORT))?;
        socket.peek_from(&mut [0; 4]).map(drop)
    }
    timeouts_of_a_socket_read_back => {
        let socket = w.client.udp_at(&[w.client.at(0)])?;
        let first = (socket.read_timeout()?, socket.write_timeout()?);
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.set_write_timeout(Some(Duration::from_secs(2)))?;
        Ok((first, socket.read_timeout()?, socket.write_timeout()?))
    }
    timeouts_of_zero => {
        let socket = w.client.udp()?;
        Ok((
            kind(socket.set_read_timeout(Some(Duration::ZERO))),
            kind(socket.set_write_timeout(Some(Duration::ZERO))),
        ))
    }
    a_nonblocking_receive_does_not_wait => {
        let socket = w.client.udp()?;
        socket.set_nonblocking(true)?;
        socket.recv_from(&mut [0; 4]).map(drop)
    }
    a_nonblocking_receive_takes_what_is_there => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"x", server.local_addr()?)?;
        server.peek_from(&mut [0; 4])?;
        server.set_nonblocking(true)?;
        Ok((server.recv_from(&mut [0; 4])?.0, kind(server.recv_from(&mut [0; 4]).map(drop))))
    }
    receiving_waits => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let to = server.local_addr()?;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                client.send_to(b"late", to)
            });
            Ok(server.recv_from(&mut [0; 8])?.0)
        })
    }
    clones_are_one_socket => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let clone = server.again()?;
        client.send_to(b"x", server.local_addr()?)?;
        Ok((clone.recv(&mut [0; 4])?, clone.local_addr()? == server.local_addr()?))
    }
    a_clone_keeps_the_port => {
        let server = w.server.udp()?;
        let (clone, at) = (server.again()?, server.local_addr()?);
        drop(server);
        let _client = w.client.udp()?.send_to(b"x", at)?;
        clone.recv(&mut [0; 4])
    }
    broadcast_is_forbidden_at_first => {
        w.client.udp()?.broadcast()
    }
    broadcast_reads_back => {
        let socket = w.client.udp()?;
        socket.set_broadcast(true)?;
        let allowed = socket.broadcast()?;
        socket.set_broadcast(false)?;
        Ok((allowed, socket.broadcast()?))
    }
    a_socket_has_a_ttl => {
        let socket = w.client.udp()?;
        let first = socket.ttl()?;
        socket.set_ttl(42)?;
        Ok((first, socket.ttl()?))
    }
    a_sockets_ttl_of_zero => {
        w.client.udp()?.set_ttl(0)
    }
    too_much_for_a_datagram => {
        let (client, server) = w.sockets()?;
        let sent = client.send(&vec![0; 65_536]);
        server.set_read_timeout(Some(SHORT))?;
        Ok((sent.is_err(), kind(server.recv(&mut [0; 4]))))
    }
    sending_to_port_zero => {
        w.client.udp()?.send_to(b"x", w.server.at(0))
    }
    sockets_do_not_hear_each_other => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        let other = w.server.udp()?;
        client.send_to(b"x", server.local_addr()?)?;
        other.set_read_timeout(Some(SHORT))?;
        Ok((server.recv(&mut [0; 4])?, kind(other.recv(&mut [0; 4]))))
    }
    a_sockets_debug_output_names_its_place => {
        let socket = w.client.udp()?;
        let text = format!("{socket:?}");
        let local = socket.local_addr()?.to_string();
        Ok((text.starts_with("UdpSocket { addr: "), text.contains(&local)))
    }
    groups_hear_their_own_host_at_first => {
        let socket = w.client.udp()?;
        let first = socket.multicast_loop_v4()?;
        socket.set_multicast_loop_v4(false)?;
        Ok((first, socket.multicast_loop_v4()?))
    }
    datagrams_to_groups_go_one_hop_at_first => {
        let socket = w.client.udp()?;
        let first = socket.multicast_ttl_v4()?;
        socket.set_multicast_ttl_v4(0)?;
        let none = socket.multicast_ttl_v4()?;
        socket.set_multicast_ttl_v4(255)?;
        Ok((first, none, socket.multicast_ttl_v4()?, kind(socket.set_multicast_ttl_v4(256))))
    }
    joining_a_group_twice => {
        let socket = w.client.udp()?;
        let IpAddr::V4(interface) = w.client.ip() else {
            return Ok(None);
        };
        socket.join_multicast_v4(&GROUP, &interface)?;
        Ok(Some(kind(socket.join_multicast_v4(&GROUP, &interface))))
    }
    joining_and_leaving_a_group => {
        let socket = w.client.udp()?;
        let IpAddr::V4(interface) = w.client.ip() else {
            return Ok(None);
        };
        socket.join_multicast_v4(&GROUP, &interface)?;
        let left = kind(socket.leave_multicast_v4(&GROUP, &interface));
        Ok(Some((left, kind(socket.leave_multicast_v4(&GROUP, &interface)))))
    }
    joining_what_is_no_group => {
        let socket = w.client.udp()?;
        let IpAddr::V4(interface) = w.client.ip() else {
            return Ok(None);
        };
        let nobody = Ipv4Addr::new(10, 1, 2, 3);
        Ok(Some(kind(socket.join_multicast_v4(&nobody, &interface))))
    }
    sending_to_everybody_without_leave => {
        let socket = w.client.udp_at(&[(Ipv4Addr::LOCALHOST, 0).into()])?;
        socket.send_to(b"x", (Ipv4Addr::BROADCAST, 9).into())
    }
    sending_to_everybody_after_leave_was_taken_back => {
        let socket = w.client.udp_at(&[(Ipv4Addr::LOCALHOST, 0).into()])?;
        socket.set_broadcast(true)?;
        socket.set_broadcast(false)?;
        socket.send_to(b"x", (Ipv4Addr::BROADCAST, 9).into())
    }
    connecting_to_everybody_without_leave => {
        let socket = w.client.udp_at(&[(Ipv4Addr::LOCALHOST, 0).into()])?;
        socket.connect((Ipv4Addr::BROADCAST, 9).into())
    }
    a_port_is_taken_everywhere => {
        let socket = w.client.udp()?;
        w.client.udp_at(&[w.client.anywhere(socket.local_addr()?.port())]).map(drop)
    }
    a_port_that_is_taken_everywhere_is_taken_here => {
        let socket = w.client.udp_at(&[w.client.anywhere(0)])?;
        w.client.udp_at(&[w.client.at(socket.local_addr()?.port())]).map(drop)
    }
    a_port_is_taken_beside_a_connected_socket => {
        let (client, _server) = w.sockets()?;
        w.client.udp_at(&[client.local_addr()?]).map(drop)
    }
    a_port_is_taken_for_both_versions => {
        let socket = w.client.udp_at(&[(Ipv4Addr::UNSPECIFIED, 0).into()])?;
        let port = socket.local_addr()?.port();
        w.client.udp_at(&[(Ipv6Addr::UNSPECIFIED, port).into()]).map(drop)
    }
    a_port_of_datagrams_and_one_of_connections_are_two => {
        let socket = w.client.udp()?;
        w.client.listen_at(&[socket.local_addr()?]).map(drop)
    }
    binding_at_a_group => {
        let socket = w.client.udp_at(&[(GROUP, 0).into()])?;
        Ok(socket.local_addr()?.ip() == GROUP)
    }
    binding_at_a_group_of_ipv6 => {
        let socket = w.client.udp_at(&[(GROUP_V6, 0).into()])?;
        Ok(socket.local_addr()?.ip() == GROUP_V6)
    }
    binding_at_the_broadcast_address => {
        let socket = w.client.udp_at(&[(Ipv4Addr::BROADCAST, 0).into()])?;
        Ok(socket.local_addr()?.ip() == Ipv4Addr::BROADCAST)
    }
    connecting_a_socket_to_port_zero => {
        let socket = w.client.udp()?;
        Ok((kind(socket.connect(w.server.at(0))), kind(socket.peer_addr().map(drop))))
    }
    joining_a_group_of_the_other_version => {
        let (one, other) = (
            w.client.udp_at(&[(Ipv4Addr::LOCALHOST, 0).into()])?,
            w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?,
        );
        Ok((
            one.join_multicast_v6(&GROUP_V6, 1).is_ok(),
            other.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).is_ok(),
        ))
    }
    leaving_a_group_of_the_other_version => {
        let socket = w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?;
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
        socket.leave_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)
    }
    joining_a_group_of_ipv6_twice => {
        let socket = w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?;
        socket.join_multicast_v6(&GROUP_V6, 1)?;
        Ok(kind(socket.join_multicast_v6(&GROUP_V6, 1)))
    }
    leaving_a_group_of_ipv6_twice => {
        let socket = w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?;
        socket.join_multicast_v6(&GROUP_V6, 1)?;
        let left = kind(socket.leave_multicast_v6(&GROUP_V6, 1));
        Ok((left, kind(socket.leave_multicast_v6(&GROUP_V6, 1))))
    }
    joining_what_is_no_group_of_ipv6 => {
        let socket = w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?;
        socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 1)
    }
    joining_a_group_on_an_interface_there_is_not => {
        let socket = w.client.udp_at(&[(Ipv6Addr::LOCALHOST, 0).into()])?;
        Ok(socket.join_multicast_v6(&GROUP_V6, 999_999).is_err())
    }
    joining_a_group_at_somebody_elses_address => {
        let socket = w.client.udp_at(&[(Ipv4Addr::LOCALHOST, 0).into()])?;
        Ok(socket.join_multicast_v4(&GROUP, &Ipv4Addr::new(192, 0, 2, 1)).is_err())
    }
    what_waited_when_a_socket_was_connected => {
        let (client, server) = (w.client.udp()?, w.server.udp()?);
        client.send_to(b"early", server.local_addr()?)?;
        server.peek_from(&mut [0; 8])?;
        server.connect(client.local_addr()?)?;
        server.set_read_timeout(Some(SHORT))?;
        server.recv(&mut [0; 8])
    }
}
