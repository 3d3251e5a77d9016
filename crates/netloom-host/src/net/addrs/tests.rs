use super::*;

#[test]
fn numbers_in_every_form() {
    let expected: SocketAddr = "10.0.0.1:80".parse().unwrap();
    let v4 = Ipv4Addr::new(10, 0, 0, 1);
    for given in [
        "10.0.0.1:80".to_socket_addrs(),
        String::from("10.0.0.1:80").to_socket_addrs(),
        ("10.0.0.1", 80).to_socket_addrs(),
        (v4, 80).to_socket_addrs(),
        (IpAddr::V4(v4), 80).to_socket_addrs(),
        expected.to_socket_addrs(),
        [expected].as_slice().to_socket_addrs(),
    ] {
        assert_eq!(given.unwrap(), [expected]);
    }
    assert!("[fd00::1]:80".to_socket_addrs().unwrap()[0].is_ipv6());
}

#[test]
fn names_and_nonsense_are_refused_with_an_example() {
    for error in [
        "localhost:80".to_socket_addrs().unwrap_err(),
        "10.0.0.1".to_socket_addrs().unwrap_err(),
        ("example.com", 80).to_socket_addrs().unwrap_err(),
        "10.0.0.1/33".to_cidr().map(drop).unwrap_err(),
        "router".to_addr().map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("write it like"), "{error}");
    }
    let none: &[SocketAddr] = &[];
    assert_eq!(
        none.to_socket_addrs().unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn the_first_that_works_is_taken_and_the_last_error_told() {
    let both: Vec<SocketAddr> = vec!["10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap()];
    let second = first_that(both.as_slice(), |addr| match addr.port() {
        1 => Err(io::ErrorKind::TimedOut.into()),
        port => Ok(port),
    });
    assert_eq!(second.unwrap(), 2);
    let none = first_that(both.as_slice(), |addr| {
        Err::<(), _>(io::Error::other(addr.to_string()))
    });
    assert_eq!(none.unwrap_err().to_string(), "10.0.0.2:2");
}
