//! Pools, reservations and options as the command line has them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netloom::dhcp::{ClientId, LeaseTime, Pool, Reservation, Who};
use netloom::wire::dhcpv4::code;
use netloom::wire::{Cidr, MacAddr, dns};

use super::DhcpdArgs;
use crate::device::parse_mac;
use crate::failure::Failure;

/// A range of addresses, and its network if it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawPool {
    network: Option<Cidr>,
    first: Ipv4Addr,
    last: Ipv4Addr,
}

/// `10.71.0.100-10.71.0.200`, `10.9.0.0/24:10.9.0.10-10.9.0.99`.
pub(super) fn parse_pool(text: &str) -> Result<RawPool, String> {
    let mistake = || "it is a range of addresses: 10.71.0.100-10.71.0.200".to_owned();
    let (network, range) = match text.split_once(':') {
        Some((network, range)) => {
            let network = network
                .contains('/')
                .then(|| network.parse().ok())
                .flatten();
            (Some(network.ok_or_else(mistake)?), range)
        }
        None => (None, text),
    };
    let (first, last) = range.split_once('-').ok_or_else(mistake)?;
    let (first, last) = (first.parse(), last.parse());
    match (first, last) {
        (Ok(first), Ok(last)) if first <= last => Ok(RawPool {
            network,
            first,
            last,
        }),
        _ => Err(mistake()),
    }
}

/// `02:00:00:00:00:07=10.71.0.7`, `id:01020000000007=10.71.0.7`.
pub(super) fn parse_reservation(text: &str) -> Result<Reservation, String> {
    let mistake = || "it is a client and its address: 02:00:00:00:00:07=10.71.0.7".to_owned();
    let (who, address) = text.split_once('=').ok_or_else(mistake)?;
    let who = match who.strip_prefix("id:") {
        Some(id) => {
            let id = unhex(id).and_then(|id| ClientId::new(&id));
            Who::Id(id.ok_or_else(mistake)?)
        }
        None => Who::Mac(MacAddr(parse_mac(who)?)),
    };
    let address = address.parse().map_err(|_| mistake())?;
    Ok(Reservation { who, address })
}

/// A DNS server, where clients are told of it: IPv4, and no port.
pub(super) fn parse_told_server(text: &str) -> Result<SocketAddr, String> {
    let ip: Result<Ipv4Addr, _> = text.parse();
    ip.map(|ip| SocketAddr::new(ip.into(), dns::PORT))
        .map_err(|_| "it is an IPv4 address: 10.71.0.1".to_owned())
}

/// An option by its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawOption {
    code: u8,
    data: Vec<u8>,
}

/// `44=10.71.0.1,10.71.0.2`, `66="boot.example"`, `43=0104c0000201`.
pub(super) fn parse_option(text: &str) -> Result<RawOption, String> {
    let mistake =
        || "it is a code and its content: 44=10.71.0.1, 66=\"boot\", 43=0104ff".to_owned();
    let (code, value) = text.split_once('=').ok_or_else(mistake)?;
    let code: u8 = code.parse().map_err(|_| mistake())?;
    if matches!(code, code::PAD | code::END) {
        return Err(mistake());
    }
    if let Some(instead) = says_itself(code) {
        return Err(format!("the server tells option {code} itself: {instead}"));
    }
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let addresses = || -> Option<Vec<u8>> {
        let each = value.split(',').map(str::parse::<Ipv4Addr>);
        let all: Result<Vec<_>, _> = each.collect();
        Some(all.ok()?.iter().flat_map(Ipv4Addr::octets).collect())
    };
    let data = match quoted {
        Some(text) => text.as_bytes().to_vec(),
        None => addresses().or_else(|| unhex(value)).ok_or_else(mistake)?,
    };
    Ok(RawOption { code, data })
}

/// Where an option comes from that the server writes into its replies whatever else they hold.
fn says_itself(code: u8) -> Option<&'static str> {
    Some(match code {
        code::SUBNET_MASK => "it is the mask of the network of --pool",
        code::LEASE_TIME => "use --lease-time and --max-lease-time",
        code::RENEWAL_TIME | code::REBINDING_TIME => {
            "it is a part of the lease: use --lease-time and --max-lease-time"
        }
        code::SERVER_IDENTIFIER => "it is the address of the interface: use --address",
        code::OVERLOAD | code::MESSAGE_TYPE => "it says what a reply is",
        code::CLIENT_IDENTIFIER => "it is the client's own; to tell clients apart use --reserve",
        code::RELAY_AGENT => "it is the relay agent's own",
        _ => return None,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|d| !d.is_empty() && d.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

fn octets(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(Ipv4Addr::octets).collect()
}

impl DhcpdArgs {
    /// A pool with its network and what comes with its addresses.
    pub(super) fn pool_of(
        &self,
        raw: &RawPool,
        networks: &[Cidr],
    ) -> Result<Pool<'static>, Failure> {
        let RawPool {
            network,
            first,
            last,
        } = *raw;
        let own = networks.iter().find(|own| own.contains(&first.into()));
        let Some(network) = network.or(own.copied()) else {
            return Err(Failure::usage(format!(
                "no --address is in the network of the pool {first}-{last}: \
                 name it as in --pool 10.9.0.0/24:{first}-{last}"
            )));
        };
        if !network.contains(&first.into()) || !network.contains(&last.into()) {
            let what = format!("the pool {first}-{last} is not within {network}");
            return Err(Failure::usage(what));
        }
        let most = self.max_lease_time.unwrap_or(self.lease_time);
        if most < self.lease_time {
            let what = "--max-lease-time is less than --lease-time";
            return Err(Failure::usage(what));
        }
        Ok(Pool {
            network,
            first,
            last,
            lease_time: LeaseTime {
                least: 1,
                usual: self.lease_time,
                most,
            },
            options: self.options_in(&network),
        })
    }

    fn dns(&self) -> Vec<Ipv4Addr> {
        let each = self.device.dns().iter().map(SocketAddr::ip);
        each.filter_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            // The option takes none.
            IpAddr::V6(_) => None,
        })
        .collect()
    }

    fn options_in(&self, network: &Cidr) -> &'static [(u8, &'static [u8])] {
        let routers: Vec<Ipv4Addr> = self
            .router
            .iter()
            .filter(|router| network.contains(&(**router).into()))
            .copied()
            .collect();
        let mut options = vec![
            (code::ROUTER, octets(&routers)),
            (code::DNS_SERVER, octets(&self.dns())),
            (code::NTP_SERVER, octets(&self.ntp)),
        ];
        if let Some(domain) = &self.domain {
            options.push((code::DOMAIN_NAME, domain.clone().into_bytes()));
        }
        if let Some(mtu) = self.mtu {
            options.push((code::INTERFACE_MTU, mtu.to_be_bytes().to_vec()));
        }
        let broadcast = network.broadcast().and_then(|addr| addr.v4_octets());
        if let Some(broadcast) = broadcast {
            options.push((code::BROADCAST_ADDRESS, broadcast.to_vec()));
        }
        let others = self.option.iter();
        options.extend(others.map(|option| (option.code, option.data.clone())));
        let told = options.into_iter().filter(|(_, data)| !data.is_empty());
        // As long as the program runs.
        let told: Vec<(u8, &'static [u8])> =
            told.map(|(code, data)| (code, &*Vec::leak(data))).collect();
        told.leak()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_as_options_take_them() {
        let pool = parse_pool("10.71.0.100-10.71.0.200").unwrap();
        assert_eq!(pool.network, None);
        assert_eq!(
            (pool.first, pool.last),
            ([10, 71, 0, 100].into(), [10, 71, 0, 200].into())
        );
        let pool = parse_pool("10.9.0.0/24:10.9.0.10-10.9.0.99").unwrap();
        assert_eq!(pool.network, Some("10.9.0.0/24".parse().unwrap()));
        for bad in [
            "",
            "10.0.0.1",
            "10.0.0.2-10.0.0.1",
            "10.0.0.0:10.0.0.1-10.0.0.2",
            "a-b",
        ] {
            assert!(parse_pool(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reservations_as_options_take_them() {
        let mac = parse_reservation("02:00:00:00:00:07=10.71.0.7").unwrap();
        assert_eq!(mac.who, Who::Mac(MacAddr([2, 0, 0, 0, 0, 7])));
        let id = parse_reservation("id:01:ab=10.71.0.7").unwrap();
        assert_eq!(id.who, Who::Id(ClientId::new(&[1, 0xab]).unwrap()));
        for bad in [
            "",
            "02:00:00:00:00:07",
            "id:0=1.2.3.4",
            "id:01=1.2.3.4",
            "x=1.2.3.4",
        ] {
            assert!(parse_reservation(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_as_options_take_them() {
        let data = |text| parse_option(text).map(|option| (option.code, option.data));
        assert_eq!(
            data("44=10.0.0.1,10.0.0.2"),
            Ok((44, vec![10, 0, 0, 1, 10, 0, 0, 2]))
        );
        assert_eq!(data("66=\"boot\""), Ok((66, b"boot".to_vec())));
        assert_eq!(data("43=0104ff"), Ok((43, vec![1, 4, 0xff])));
        for bad in ["", "44", "0=01", "255=01", "256=01", "43=1", "43=zz"] {
            assert!(data(bad).is_err(), "{bad}");
        }
    }

    /// What would be dropped without a word otherwise.
    #[test]
    fn options_the_server_tells_itself_are_refused_with_what_to_use() {
        for (code, instead) in [
            (1, "--pool"),
            (51, "--lease-time"),
            (52, "what a reply is"),
            (53, "what a reply is"),
            (54, "--address"),
            (58, "--lease-time"),
            (59, "--lease-time"),
            (61, "--reserve"),
            (82, "relay agent"),
        ] {
            let refused = parse_option(&format!("{code}=00000e10")).unwrap_err();
            assert!(refused.contains(instead), "{refused}");
            assert!(refused.contains(&code.to_string()), "{refused}");
        }
    }
}
