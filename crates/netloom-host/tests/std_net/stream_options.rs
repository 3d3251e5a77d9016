//! Options of a connection.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::sockets::{Listener, Shared, Stream};
use crate::world::{checks, kind, until};

const SHORT: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

checks! { w;
    reading_waits_for_ever_at_first => {
        let listener = w.server.listen()?;
        let client = w.client.connect_to(&[listener.local_addr()?])?;
        client.read_timeout()
    }
    writing_waits_for_ever_at_first => {
        let (client, _server) = w.connection()?;
        client.write_timeout()
    }
    a_read_timeout_reads_back => {
        let (client, _server) = w.connection()?;
        client.set_read_timeout(Some(SECOND))?;
        client.read_timeout()
    }
    a_write_timeout_reads_back => {
        let (client, _server) = w.connection()?;
        client.set_write_timeout(Some(SECOND))?;
        client.write_timeout()
    }
    a_read_timeout_goes_again => {
        let (client, _server) = w.connection()?;
        client.set_read_timeout(Some(SECOND))?;
        client.set_read_timeout(None)?;
        client.read_timeout()
    }
    a_write_timeout_goes_again => {
        let (client, _server) = w.connection()?;
        client.set_write_timeout(Some(SECOND))?;
        client.set_write_timeout(None)?;
        client.write_timeout()
    }
    a_read_timeout_of_zero => {
        let (client, _server) = w.connection()?;
        client.set_read_timeout(Some(Duration::ZERO))
    }
    a_write_timeout_of_zero => {
        let (client, _server) = w.connection()?;
        client.set_write_timeout(Some(Duration::ZERO))
    }
    a_read_times_out => {
        let (mut client, _server) = w.connection()?;
        client.set_read_timeout(Some(SHORT))?;
        let start = Instant::now();
        Ok((kind(client.read(&mut [0])), start.elapsed() >= SHORT))
    }
    a_servers_read_times_out => {
        let (_client, mut server) = w.connection()?;
        server.set_read_timeout(Some(SHORT))?;
        server.read(&mut [0])
    }
    a_peek_times_out => {
        let (client, _server) = w.connection()?;
        client.set_read_timeout(Some(SHORT))?;
        client.peek(&mut [0])
    }
    after_a_timeout_the_connection_goes_on => {
        let (mut client, server) = w.connection()?;
        client.set_read_timeout(Some(SHORT))?;
        let late = kind(client.read(&mut [0; 4]));
        client.set_read_timeout(Some(crate::world::PATIENCE))?;
        server.put(b"late")?;
        Ok((late, client.read(&mut [0; 4])?))
    }
    a_write_times_out => {
        let (client, _server) = w.connection()?;
        client.set_write_timeout(Some(SHORT))?;
        loop {
            if let Err(error) = client.put(&[0; 65536]) {
                break Ok(error.kind());
            }
        }
    }
    a_timeout_of_a_blocked_write_takes_part_of_it => {
        let (client, _server) = w.connection()?;
        client.set_write_timeout(Some(SHORT))?;
        let len = 64 << 20;
        let written = client.put(&vec![0; len])?;
        Ok(0 < written && written < len)
    }
    clones_share_timeouts => {
        let (client, _server) = w.connection()?;
        let clone = client.again()?;
        clone.set_read_timeout(Some(SECOND))?;
        client.read_timeout()
    }
    data_that_is_there_needs_no_time => {
        let (client, mut server) = w.connection()?;
        client.put(b"x")?;
        until(|| server.peek(&mut [0]).is_ok());
        server.set_read_timeout(Some(Duration::from_micros(1)))?;
        server.read(&mut [0; 4])
    }
    small_writes_are_gathered_at_first => {
        let (client, server) = w.connection()?;
        Ok((client.nodelay()?, server.nodelay()?))
    }
    nodelay_reads_back => {
        let (client, server) = w.connection()?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok((client.nodelay()?, server.nodelay()?))
    }
    nodelay_goes_again => {
        let (client, _server) = w.connection()?;
        client.set_nodelay(true)?;
        client.set_nodelay(false)?;
        client.nodelay()
    }
    clones_share_nodelay => {
        let (client, _server) = w.connection()?;
        client.again()?.set_nodelay(true)?;
        client.nodelay()
    }
    a_ttl_is_64_at_first => {
        let (client, server) = w.connection()?;
        Ok((client.ttl()?, server.ttl()?))
    }
    a_ttl_reads_back => {
        let (client, server) = w.connection()?;
        client.set_ttl(100)?;
        server.set_ttl(255)?;
        Ok((client.ttl()?, server.ttl()?))
    }
    a_ttl_of_zero => {
        let (client, _server) = w.connection()?;
        client.set_ttl(0)
    }
    a_ttl_of_256 => {
        let (client, _server) = w.connection()?;
        client.set_ttl(256)
    }
    a_refused_ttl_changes_nothing => {
        let (client, _server) = w.connection()?;
        let _ = client.set_ttl(256);
        client.ttl()
    }
}
