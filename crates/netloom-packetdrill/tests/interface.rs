//! The table as the tool uses it: calls of C, packets as bytes, a clock that only moves when told.
#![cfg(target_os = "linux")]

use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::ptr::null_mut;
use std::thread;

use netloom_packetdrill::{Interface, packetdrill_interface_init};

const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const US: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);

/// The table behind calls that look like the tool's.
#[derive(Clone, Copy)]
struct Tool(Interface);

// SAFETY: the tool calls the functions from two threads: they say they can be.
unsafe impl Send for Tool {}

fn tool(flags: &str) -> Tool {
    let flags = CString::new(flags).unwrap();
    let mut table = MaybeUninit::uninit();
    // SAFETY: a C string and room for a table.
    unsafe { packetdrill_interface_init(flags.as_ptr(), table.as_mut_ptr()) };
    // SAFETY: the call fills the table.
    Tool(unsafe { table.assume_init() })
}

impl Tool {
    fn socket(&self) -> c_int {
        // SAFETY: numbers alone.
        unsafe { (self.0.socket)(self.0.userdata, libc::AF_INET, libc::SOCK_STREAM, 0) }
    }

    fn listening(&self) -> c_int {
        let fd = self.socket();
        let at = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 8080_u16.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from(US).to_be(),
            },
            sin_zero: [0; 8],
        };
        let (addr, len) = ((&raw const at).cast(), size_of_val(&at) as libc::socklen_t);
        // SAFETY: an address and its length.
        assert_eq!(unsafe { (self.0.bind)(self.0.userdata, fd, addr, len) }, 0);
        // SAFETY: numbers alone.
        assert_eq!(unsafe { (self.0.listen)(self.0.userdata, fd, 1) }, 0);
        fd
    }

    fn accept(&self, fd: c_int) -> c_int {
        // SAFETY: null pointers are allowed.
        unsafe { (self.0.accept)(self.0.userdata, fd, null_mut(), null_mut()) }
    }

    fn arrive(&self, packet: &[u8]) {
        let (start, len) = (packet.as_ptr().cast(), packet.len());
        // SAFETY: a buffer and its length.
        let code = unsafe { (self.0.netdev_send)(self.0.userdata, start, len) };
        assert_eq!(code, 0);
    }

    /// A packet and when it left, µs; an empty one if none comes.
    fn next_packet(&self) -> (Vec<u8>, i64) {
        let mut packet = vec![0; 65_536];
        let (mut len, mut at) = (packet.len(), 0);
        let start = packet.as_mut_ptr().cast::<c_void>();
        // SAFETY: a buffer, its length, a time.
        let code = unsafe { (self.0.netdev_receive)(self.0.userdata, start, &mut len, &mut at) };
        assert_eq!(code, 0);
        packet.truncate(len);
        (packet, at)
    }

    fn now(&self) -> i64 {
        let mut time = libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        // SAFETY: a time to be written, and nothing else.
        unsafe { (self.0.gettimeofday)(self.0.userdata, &mut time, null_mut()) };
        time.tv_sec * 1_000_000 + time.tv_usec
    }

    fn sleep(&self, micros: u32) {
        // SAFETY: a number alone.
        assert_eq!(unsafe { (self.0.usleep)(self.0.userdata, micros) }, 0);
    }
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A segment without options from the peer's port 40000 to ours, 8080.
fn segment(flags: u8, seq: u32, ack: u32, data: &[u8]) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(40_000_u16.to_be_bytes());
    tcp.extend(8080_u16.to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(data);
    let mut pseudo = [PEER.octets(), US.octets()].concat();
    pseudo.extend([0, 6]);
    pseudo.extend((tcp.len() as u16).to_be_bytes());
    pseudo.extend(&tcp);
    let check = sum(&pseudo).to_be_bytes();
    tcp[16..18].copy_from_slice(&check);
    let mut ip = vec![0x45, 0];
    ip.extend((20 + tcp.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    ip.extend(PEER.octets());
    ip.extend(US.octets());
    let check = sum(&ip).to_be_bytes();
    ip[10..12].copy_from_slice(&check);
    ip.extend(tcp);
    ip
}

fn seq_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[24..28].try_into().unwrap())
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const PUSH_ACK: u8 = 24;

#[test]
fn a_handshake_and_data_both_ways() {
    let tool = tool("");
    let listener = tool.listening();
    tool.arrive(&segment(SYN, 0, 0, b""));
    let (syn_ack, _) = tool.next_packet();
    assert_eq!(syn_ack[33], SYN | ACK);
    let isn = seq_of(&syn_ack);
    tool.arrive(&segment(ACK, 1, isn.wrapping_add(1), b""));
    let fd = tool.accept(listener);
    assert!(
        fd >= 0 && fd != listener,
        "a descriptor of the kernel's own: {fd}"
    );
    tool.arrive(&segment(PUSH_ACK, 1, isn.wrapping_add(1), b"hello"));
    assert_eq!(tool.next_packet().0[33], ACK);
    let mut buffer = [0_u8; 16];
    let start = buffer.as_mut_ptr().cast();
    // SAFETY: a buffer and its length.
    let len = unsafe { (tool.0.read)(tool.0.userdata, fd, start, buffer.len()) };
    assert_eq!(&buffer[..usize::try_from(len).unwrap()], b"hello");
    let text = b"world";
    // SAFETY: a buffer and its length.
    let len = unsafe { (tool.0.write)(tool.0.userdata, fd, text.as_ptr().cast(), 5) };
    assert_eq!(len, 5);
    assert!(tool.next_packet().0.ends_with(text));
    // SAFETY: a descriptor; nothing is said twice.
    assert_eq!(unsafe { (tool.0.close)(tool.0.userdata, fd) }, 0);
}

#[test]
fn a_retransmission_is_waited_for_on_the_stack_s_clock() {
    let tool = tool("");
    tool.listening();
    tool.arrive(&segment(SYN, 0, 0, b""));
    let (first, sent) = tool.next_packet();
    let (second, again) = tool.next_packet();
    assert_eq!(first[24..], second[24..]);
    assert!(
        (again - sent - 1_000_000).abs() <= 4_000,
        "after {} us",
        again - sent
    );
}

#[test]
fn time_passes_when_told() {
    let tool = tool("");
    tool.listening();
    let before = tool.now();
    assert_eq!(tool.now(), before);
    tool.sleep(1_000_000);
    assert_eq!(tool.now(), before + 1_000_020);
}

#[test]
fn who_waits_for_a_time_in_a_loop_gets_there() {
    let tool = tool("");
    tool.listening();
    let wanted = tool.now() + 100;
    let mut readings = 0;
    while tool.now() < wanted {
        readings += 1;
        assert!(readings < 1_000);
    }
}

#[test]
fn the_stack_s_clock_begins_with_the_first_call() {
    let isn = |looks: u32| {
        let tool = tool("");
        for _ in 0..looks {
            tool.now();
        }
        tool.listening();
        tool.arrive(&segment(SYN, 0, 0, b""));
        seq_of(&tool.next_packet().0)
    };
    // Initial sequence numbers count with the clock, 1 in 4 us.
    assert_eq!(isn(0), isn(1_000));
}

#[test]
fn no_packet_and_no_timer_is_an_answer() {
    assert_eq!(tool("").next_packet().0, b"");
}

#[test]
fn a_call_that_waits_returns_at_the_moment_it_can() {
    let tool = tool("");
    let listener = tool.listening();
    let other = thread::spawn(move || {
        // The whole of it, not the table alone, goes to the other thread.
        let tool = { tool };
        (tool.accept(listener), tool.now())
    });
    // The tool waits until the kernel says that the thread sleeps: here it may be too early, and
    // the call then finds the connection there.
    thread::sleep(std::time::Duration::from_millis(50));
    tool.arrive(&segment(SYN, 0, 0, b""));
    let isn = seq_of(&tool.next_packet().0);
    tool.sleep(100_000);
    let before = tool.now();
    tool.arrive(&segment(ACK, 1, isn.wrapping_add(1), b""));
    tool.sleep(1_000_000);
    let (fd, at) = other.join().unwrap();
    assert!(fd > 0);
    assert!(
        at == before || at >= before + 1_000_000,
        "{} us later",
        at - before
    );
}

#[test]
fn errors_are_those_of_the_c_library() {
    let tool = tool("");
    let listener = tool.listening();
    // SAFETY: numbers alone.
    let code = unsafe {
        (tool.0.fcntl)(
            tool.0.userdata,
            listener,
            libc::F_SETFL,
            libc::O_NONBLOCK as usize,
        )
    };
    assert_eq!(code, 0);
    assert_eq!(tool.accept(listener), -1);
    assert_eq!(
        std::io::Error::last_os_error().raw_os_error(),
        Some(libc::EAGAIN)
    );
    assert_eq!(tool.accept(9_999), -1);
    assert_eq!(
        std::io::Error::last_os_error().raw_os_error(),
        Some(libc::EBADF)
    );
}

#[test]
fn tunables_are_taken_from_the_flags() {
    let tool = tool("tcp_initial_window=2, tcp_rmem=65536 --mtu=1400");
    tool.listening();
    tool.arrive(&segment(SYN, 0, 0, b""));
    let syn_ack = tool.next_packet().0;
    // MSS is 1400 - 40.
    assert_eq!(syn_ack[40..44], [2, 4, 0x05, 0x50]);
}

#[test]
fn a_preloaded_getsockopt_knows_both_kinds_of_descriptors() {
    let tool = tool("");
    let fd = tool.listening();
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    let place = (&raw mut value).cast();
    // SAFETY: an integer and its length.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, place, &mut len) };
    assert_eq!((code, value), (0, 1));
    let kernel = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let raw = std::os::fd::AsRawFd::as_raw_fd(&kernel);
    // SAFETY: an integer and its length.
    let code = unsafe { libc::getsockopt(raw, libc::SOL_SOCKET, libc::SO_TYPE, place, &mut len) };
    assert_eq!((code, value), (0, libc::SOCK_DGRAM));
}
