use super::*;
use crate::device::LinkEnd;

fn net() -> Net {
    let (a, _b) = LinkEnd::pair(1500).unwrap();
    a.address("10.0.0.1/24").start().unwrap()
}

const SECOND: Duration = Duration::from_secs(1);

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn addresses_need_nobody() {
    let net = net();
    for text in ["10.0.0.2:80", "[fd00::2]:80"] {
        let found = Remote::from(text).resolve(&net, SECOND).unwrap();
        assert_eq!(found, addrs(&[text]));
        assert_eq!(Remote::from(found[0]).to_string(), text);
    }
}

#[test]
fn names_are_asked_for_with_the_port_kept() {
    let net = net().with_resolver(|_: &Net, host: &str, timeout: Duration| {
        assert_eq!((host, timeout), ("plc.local", SECOND));
        Ok(vec!["10.0.0.7".parse().unwrap()])
    });
    let found = Remote::from("plc.local:502").resolve(&net, SECOND).unwrap();
    assert_eq!(found, addrs(&["10.0.0.7:502"]));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let nobody = net();
    let error = Remote::from("plc.local:502").resolve(&nobody, SECOND);
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let net = nobody.with_resolver(|_: &Net, host: &str, _: Duration| match host {
        "empty" => Ok(Vec::new()),
        other => panic!("asked for {other}"),
    });
    let error = Remote::from("empty:1").resolve(&net, SECOND).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let long = format!("{}:1", "a".repeat(64));
    let longer = format!("{}a:1", "a.".repeat(127));
    for wrong in [
        "",
        ":",
        "host",
        "host:",
        "host:65536",
        ":80",
        "a b:80",
        "a..b:80",
        "fd00::1",
        "ä:1",
        &long,
        &longer,
    ] {
        let error = Remote::from(wrong).resolve(&net, SECOND).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{wrong}");
    }
}
