//! netloom with its default settings, on one thread: what the device has, what the programs
//! want, what is owed.

use std::thread::yield_now;
use std::time::Instant as Clock;

use netloom_driver::Instant;
use netloom_host::device::{Device, Eagerness, Medium, Tap, Waiter};
use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, Event, IfaceId, Limits, Seed, Stack, TcpHandle};

use netloom_bench_device::station::{BUFFER, CHUNK, NAP, ROOMY, STATION, Service, Stop};

const IFACE: IfaceId = IfaceId::FIRST;

/// A station on a TAP interface.
pub(crate) fn run(tap: Tap, stop: &Stop) {
    run_on(tap, stop);
}

/// A station on any device.
pub(crate) fn run_on(mut device: impl Device, stop: &Stop) {
    let mut stack = stack(&device);
    let mut waiter = Waiter::new().expect("a descriptor is free");
    let origin = Clock::now();
    let now = || Instant::from_secs(1) + origin.elapsed();
    let mut chunk = vec![0; CHUNK];
    let mut generating: Option<TcpHandle> = None;
    let mut at = now();
    let mut eagerness = Eagerness::new();
    while !stop.is_told() {
        let mut frames = 0;
        if eagerness.is_due() {
            at = now();
            frames = stack.receive_all(at, IFACE, &mut device);
            if frames == 0 {
                yield_now();
                at = now();
                frames = stack.receive_all(at, IFACE, &mut device);
            }
            eagerness.looked(frames > 0);
        }
        if frames == 0 {
            let timeout = stack
                .next_deadline()
                .map(|due| due.saturating_duration_since(at))
                .map_or(NAP, |left| left.min(NAP));
            waiter
                .wait(&[&device], Some(timeout))
                .expect("waiting works");
            at = now();
            let _ = stack.receive_all(at, IFACE, &mut device);
        }
        serve(&mut stack, &mut chunk, &mut generating);
        let _ = stack.transmit_to(at, IFACE, &mut device);
        // Sending made room for more, as long as the peer's window lasts.
        while let Some(handle) = generating {
            if !generate(&mut stack, handle, &chunk) {
                break;
            }
            if stack.transmit_to(now(), IFACE, &mut device).frames == 0 {
                break;
            }
        }
    }
}

fn stack(device: &dyn Device) -> Stack {
    let mut config = match device.medium() {
        Medium::Ethernet { mac } => Config::ethernet(MacAddr(mac)),
        _ => Config::ip(),
    }
    .mtu(device.mtu());
    config.tunables.tcp_rmem = BUFFER as u32;
    config.tunables.tcp_wmem = BUFFER as u32;
    let mut stack = Stack::with_heap(config, Limits::default(), Seed::from([7; 32]));
    let cidr = Cidr {
        addr: Addr::v4(STATION),
        prefix: 24,
    };
    stack.add_address(IFACE, cidr).expect("room for an address");
    for service in Service::ALL {
        stack.tcp_listen(service.port()).expect("a free port");
    }
    stack
}

/// Does what the programs on top would do.
fn serve(stack: &mut Stack, chunk: &mut [u8], generating: &mut Option<TcpHandle>) {
    while let Some(event) = stack.poll_event() {
        match event {
            Event::Acceptable(listener) => {
                while let Ok(Some(handle)) = stack.tcp_accept(listener) {
                    match service(stack, handle) {
                        Some(Service::Generate) => *generating = Some(handle),
                        _ => drop(stack.tcp_set_nodelay(handle, true)),
                    }
                }
            }
            Event::Tcp(handle, readiness) if readiness.closed || readiness.peer_finished => {
                let _ = stack.tcp_abort(handle);
                let _ = stack.tcp_close(handle);
                if *generating == Some(handle) {
                    *generating = None;
                }
            }
            Event::Tcp(handle, _) => match service(stack, handle) {
                Some(Service::Echo) => {
                    while let Ok(len @ 1..) = stack.tcp_read(handle, chunk) {
                        let _ = stack.tcp_write(handle, &chunk[..len]);
                    }
                }
                Some(Service::Discard) => while let Ok(1..) = stack.tcp_read(handle, chunk) {},
                Some(Service::Generate) => {
                    generate(stack, handle, chunk);
                }
                None => {}
            },
            _ => {}
        }
    }
}

/// Writes a chunk if there is room enough; says whether anything went in.
fn generate(stack: &mut Stack, handle: TcpHandle, chunk: &[u8]) -> bool {
    if stack
        .tcp_unacked(handle)
        .is_ok_and(|queued| queued >= ROOMY)
    {
        return false;
    }
    stack.tcp_write(handle, chunk).is_ok_and(|len| len > 0)
}

fn service(stack: &Stack, handle: TcpHandle) -> Option<Service> {
    Service::of_port(stack.tcp_local_addr(handle).ok()?.port())
}
