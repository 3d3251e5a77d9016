use clap::Parser;

use super::addresses::parse_mac;
use super::*;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    device: DeviceArgs,
}

fn parse(line: &str) -> Result<DeviceArgs, String> {
    let words = std::iter::once("program").chain(line.split_whitespace());
    Program::try_parse_from(words)
        .map(|program| program.device)
        .map_err(|error| error.to_string())
}

#[test]
fn a_device_has_both_ends_addresses_unless_told() {
    let tap = parse("--tap").unwrap();
    assert_eq!(tap.tap.as_deref(), Some("netloom0"));
    assert_eq!(tap.addresses(), constants(OWN));
    assert_eq!(tap.kernel_addresses(), constants(KERNEL));
    assert!(tap.is_given() && !tap.has_addresses());
    let own = parse("--tun=t1 --address 192.0.2.1/24 --gateway 192.0.2.254").unwrap();
    assert_eq!(own.addresses(), ["192.0.2.1/24".parse().unwrap()]);
    assert!(own.kernel_addresses().is_empty());
    let none = parse("").unwrap();
    assert!(!none.is_given());
    assert!(none.start(Watch::default(), "").unwrap().is_none());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "--tap --tun",
        "--tap --interface eth0 --address 192.0.2.1/24",
        "--tap --address 192.0.2.1",
        "--tap --address 192.0.2.1/33",
        "--tap --gateway nobody",
        "--tap --mac 01:00:00:00:00:01",
        "--tun --mac 02:00:00:00:00:01",
        "--tap --offload everything",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    assert!(parse("--interface eth0 --address 192.0.2.1/24 --mac 02:00:00:00:00:01").is_ok());
    // What finds its address otherwise may leave it out.
    let bare = parse("--interface eth0").unwrap();
    let error = bare.start(Watch::default(), "").unwrap_err();
    assert_eq!(error.exit_code(), Failure::USAGE);
}

#[test]
fn macs() {
    assert_eq!(parse_mac("02:00:5e:0a:fF:01"), Ok([2, 0, 0x5e, 10, 255, 1]));
    for bad in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "2:0:0:0:0:1",
        "02-00-00-00-00-01",
        "02:00:00:00:00:+1",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
    ] {
        assert!(parse_mac(bad).is_err(), "{bad}");
    }
}
