//! Addresses as options take them.

use std::net::{IpAddr, SocketAddr};

use netloom::wire::{Addr, Cidr};

/// `10.71.0.2/24`, `fd71::2/64`.
pub(super) fn parse_cidr(text: &str) -> Result<Cidr, String> {
    // Without a prefix length nothing would be on the link.
    text.contains('/')
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| "it is an address and a prefix length: 10.71.0.2/24".to_owned())
}

/// `10.71.0.1`, `fd71::1`.
pub(super) fn parse_addr(text: &str) -> Result<Addr, String> {
    let ip: IpAddr = text
        .parse()
        .map_err(|_| "it is an address: 10.71.0.1".to_owned())?;
    Ok(Addr::from(ip))
}

/// `02:00:00:00:00:01`: six octets in hexadecimal, of a station's address.
pub(crate) fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let mistake = || "it is the address of a station: 02:00:00:00:00:01".to_owned();
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2);
        let part = part.filter(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
        *octet = u8::from_str_radix(part.ok_or_else(mistake)?, 16).map_err(|_| mistake())?;
    }
    if parts.next().is_some() || mac[0] & 1 != 0 || mac == [0; 6] {
        return Err(mistake());
    }
    Ok(mac)
}

/// `10.71.0.1`, `10.71.0.1:5353`, `fd71::1`, `[fd71::1]:5353`.
pub(crate) fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let alone = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    alone
        .or_else(|_| text.parse())
        .map_err(|_| "it is an address: 10.71.0.1 or [fd71::1]:53".to_owned())
}
