//! Bytes through a connection.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::thread;

use crate::sockets::{Shared, Stream};
use crate::world::{checks, kind, until};

/// Bytes without a short period.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31) ^ (i >> 8)) as u8).collect()
}

checks! { w;
    a_read_gets_what_was_written => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"hello")?;
        let mut buffer = [0; 5];
        server.read_exact(&mut buffer)?;
        Ok(buffer)
    }
    it_goes_the_other_way_too => {
        let (mut client, mut server) = w.connection()?;
        server.write_all(b"hello")?;
        let mut buffer = [0; 5];
        client.read_exact(&mut buffer)?;
        Ok(buffer)
    }
    a_write_tells_how_much => {
        let (mut client, _server) = w.connection()?;
        client.write(&[7; 1000])
    }
    a_server_writes_first_too => {
        let (_client, mut server) = w.connection()?;
        server.write(&[7; 1000])
    }
    an_empty_write_is_nothing => {
        let (mut client, _server) = w.connection()?;
        client.write(&[])
    }
    an_empty_read_is_nothing => {
        let (mut client, _server) = w.connection()?;
        // Linux waits for bytes all the same, and then takes none.
        client.set_read_timeout(Some(std::time::Duration::from_millis(20)))?;
        client.read(&mut [])
    }
    an_empty_read_leaves_the_bytes => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"x")?;
        let empty = server.read(&mut [])?;
        Ok((empty, server.read(&mut [0; 4])?))
    }
    a_read_waits_for_the_first_bytes => {
        let (client, mut server) = w.connection()?;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(std::time::Duration::from_millis(20));
                client.put(b"late")
            });
            let mut buffer = [0; 4];
            server.read_exact(&mut buffer)?;
            Ok(buffer)
        })
    }
    a_short_buffer_gets_the_rest_later => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"abcdef")?;
        until(|| server.peek(&mut [0; 6]).is_ok_and(|n| n == 6));
        let mut parts = [[0; 4], [0; 4]];
        let first = server.read(&mut parts[0])?;
        let second = server.read(&mut parts[1])?;
        Ok((first, second, parts))
    }
    read_to_end_takes_everything => {
        let (mut client, mut server) = w.connection()?;
        let sent = pattern(300_000);
        thread::scope(|scope| {
            scope.spawn(|| {
                client.write_all(&sent)?;
                client.shutdown(Shutdown::Write)
            });
            let mut received = Vec::new();
            let len = server.read_to_end(&mut received)?;
            Ok((len, received == sent))
        })
    }
    read_to_string_takes_everything => {
        let (mut client, mut server) = w.connection()?;
        client.write_all("größer".as_bytes())?;
        client.shutdown(Shutdown::Write)?;
        let mut text = String::new();
        server.read_to_string(&mut text)?;
        Ok(text)
    }
    read_exact_of_too_little_is_an_unexpected_end => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"abc")?;
        client.shutdown(Shutdown::Write)?;
        server.read_exact(&mut [0; 4])
    }
    a_megabyte_is_echoed => {
        let (client, mut server) = w.connection()?;
        let sent = pattern(1 << 20);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = vec![0; 20_000];
                while let Ok(n @ 1..) = server.read(&mut buffer) {
                    server.write_all(&buffer[..n])?;
                }
                server.shutdown(Shutdown::Write)
            });
            let mut back = client.again()?;
            let mut writer = client;
            let reader = scope.spawn(move || {
                let mut received = Vec::new();
                back.read_to_end(&mut received).map(|_| received)
            });
            writer.write_all(&sent)?;
            writer.shutdown(Shutdown::Write)?;
            Ok(reader.join().unwrap()? == sent)
        })
    }
    small_writes_arrive_in_order => {
        let (mut client, mut server) = w.connection()?;
        let sent = pattern(2000);
        for byte in &sent {
            client.write_all(std::slice::from_ref(byte))?;
        }
        let mut received = vec![0; sent.len()];
        server.read_exact(&mut received)?;
        Ok(received == sent)
    }
    a_vectored_write_is_one_stream => {
        let (client, mut server) = w.connection()?;
        let written = client.put_vectored(&[
            IoSlice::new(b"one "),
            IoSlice::new(b"two "),
            IoSlice::new(b"three"),
        ])?;
        let mut buffer = [0; 13];
        server.read_exact(&mut buffer)?;
        Ok((written, buffer))
    }
    a_vectored_write_skips_empty_parts => {
        let (client, mut server) = w.connection()?;
        let parts = [IoSlice::new(b""), IoSlice::new(b"x"), IoSlice::new(b"")];
        let written = client.put_vectored(&parts)?;
        Ok((written, server.read(&mut [0; 4])?))
    }
    a_vectored_write_of_nothing => {
        let (client, _server) = w.connection()?;
        client.put_vectored(&[])
    }
    a_vectored_read_fills_one_after_the_other => {
        let (mut client, server) = w.connection()?;
        client.write_all(b"abcdefg")?;
        until(|| server.peek(&mut [0; 8]).is_ok_and(|n| n == 7));
        let (mut first, mut second) = ([0; 3], [0; 8]);
        let read = server.get_vectored(&mut [
            IoSliceMut::new(&mut first),
            IoSliceMut::new(&mut second),
        ])?;
        Ok((read, first, second))
    }
    a_vectored_read_of_nothing => {
        let (client, _server) = w.connection()?;
        client.get_vectored(&mut [])
    }
    flushing_does_nothing => {
        let (mut client, _server) = w.connection()?;
        client.flush()
    }
    a_shared_reference_reads_and_writes => {
        let (client, server) = w.connection()?;
        let put = client.put(b"shared")?;
        let mut buffer = [0; 6];
        until(|| server.peek(&mut [0; 6]).is_ok_and(|n| n == 6));
        Ok((put, server.get(&mut buffer)?, buffer))
    }
    one_thread_reads_while_another_writes => {
        let (client, server) = w.connection()?;
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut total = 0;
                while let Ok(n @ 1..) = client.get(&mut [0; 1000]) {
                    total += n;
                }
                total
            });
            for _ in 0..50 {
                client.put(&[1; 100])?;
                server.put(&[2; 200])?;
            }
            server.shutdown(Shutdown::Write)?;
            Ok(reader.join().unwrap())
        })
    }
    peeking_leaves_the_bytes => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"x")?;
        let mut buffer = [0; 4];
        let peeked = server.peek(&mut buffer)?;
        Ok((peeked, server.read(&mut buffer)?, buffer))
    }
    peeking_twice_is_the_same => {
        let (mut client, server) = w.connection()?;
        client.write_all(b"xy")?;
        until(|| server.peek(&mut [0; 4]).is_ok_and(|n| n == 2));
        let (mut first, mut second) = ([0; 4], [0; 4]);
        Ok((server.peek(&mut first)?, server.peek(&mut second)?, first == second))
    }
    peeking_with_a_short_buffer => {
        let (mut client, server) = w.connection()?;
        client.write_all(b"abcdef")?;
        until(|| server.peek(&mut [0; 6]).is_ok_and(|n| n == 6));
        let mut buffer = [0; 3];
        Ok((server.peek(&mut buffer)?, buffer))
    }
    peeking_at_the_end => {
        let (client, server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        server.peek(&mut [0; 4])
    }
    peeking_into_nothing => {
        let (mut client, server) = w.connection()?;
        client.write_all(b"x")?;
        server.peek(&mut [])
    }
    a_clone_reads_what_the_original_would => {
        let (mut client, server) = w.connection()?;
        let mut clone = server.again()?;
        client.write_all(b"abcd")?;
        until(|| server.peek(&mut [0; 4]).is_ok_and(|n| n == 4));
        let mut parts = [[0; 2], [0; 2]];
        clone.read_exact(&mut parts[0])?;
        let mut server = server;
        server.read_exact(&mut parts[1])?;
        Ok(parts)
    }
    a_clone_keeps_the_connection_open => {
        let (client, server) = w.connection()?;
        let mut clone = client.again()?;
        drop(client);
        clone.write_all(b"still here")?;
        let mut buffer = [0; 10];
        let mut server = server;
        server.read_exact(&mut buffer)?;
        Ok(buffer)
    }
    a_nonblocking_read_does_not_wait => {
        let (mut client, _server) = w.connection()?;
        client.set_nonblocking(true)?;
        client.read(&mut [0; 4])
    }
    a_nonblocking_peek_does_not_wait => {
        let (client, _server) = w.connection()?;
        client.set_nonblocking(true)?;
        client.peek(&mut [0; 4])
    }
    a_nonblocking_read_gets_what_is_there => {
        let (mut client, mut server) = w.connection()?;
        client.write_all(b"x")?;
        server.peek(&mut [0])?;
        server.set_nonblocking(true)?;
        Ok((server.read(&mut [0; 4])?, kind(server.read(&mut [0; 4]))))
    }
    a_nonblocking_read_sees_the_end => {
        let (client, mut server) = w.connection()?;
        client.shutdown(Shutdown::Write)?;
        server.peek(&mut [0])?;
        server.set_nonblocking(true)?;
        server.read(&mut [0; 4])
    }
    a_nonblocking_write_fills_the_queue => {
        let (mut client, _server) = w.connection()?;
        client.set_nonblocking(true)?;
        let mut total = 0_usize;
        loop {
            match client.write(&[0; 65536]) {
                Ok(n) => total += n,
                Err(error) => break Ok((total > 65536, error.kind())),
            }
        }
    }
    blocking_again_waits => {
        let (client, mut server) = w.connection()?;
        server.set_nonblocking(true)?;
        server.set_nonblocking(false)?;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(std::time::Duration::from_millis(20));
                client.put(b"x")
            });
            server.read(&mut [0; 4])
        })
    }
    clones_are_nonblocking_together => {
        let (client, _server) = w.connection()?;
        let mut clone = client.again()?;
        client.set_nonblocking(true)?;
        clone.read(&mut [0; 4])
    }
}
