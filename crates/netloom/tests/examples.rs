//! The examples do what they say.

use std::process::Command;

/// What an example prints. Cargo builds examples before tests, beside them.
fn example(name: &str) -> String {
    let mut path = std::env::current_exe().expect("this test's path");
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples").join(name)).output();
    let output = output.expect("`cargo test` builds the examples");
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn two_stacks() {
    assert_eq!(example("two_stacks"), "hello\n");
}

#[test]
fn headers() {
    assert_eq!(
        example("headers"),
        "10.0.0.1:49152 > 10.0.0.2:80 syn true seq 1\n"
    );
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn tcp_listener() {
    assert_eq!(example("tcp_listener"), "hello, echo\n");
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn tcp_connection() {
    assert_eq!(
        example("tcp_connection"),
        "nothing yet\nconnected: true\ncoils: 0110\nlost: the peer reset the connection\n\
         connected again: true\n"
    );
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn stream_not_messages() {
    assert_eq!(
        example("stream_not_messages"),
        "two writes, one stream: onetwo\na message: \"one\"\na message: \"two\"\n\
         a message: \"\"\na message: \"and a longer one\"\n"
    );
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn web_counter() {
    assert_eq!(
        example("web_counter"),
        "/: <p>You are visitor 1.\n/favicon.ico: <p>There is nothing here.\n\
         /: <p>You are visitor 2.\n/: <p>You are visitor 3.\n"
    );
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn fetch_url() {
    assert_eq!(example("fetch_url"), "A page from the other stack.\n");
}

#[cfg(all(feature = "host", target_os = "linux"))]
#[test]
fn http_forms() {
    let page = |visit| {
        format!(
            "GET /: 200 OK\n  <!doctype html>\n  <title>Forms</title>\n  <p>Visit {visit}\n  \
             <form action=/form method=post><input name=name><button>Say</button></form>\n  \
             <form action=/upload method=post enctype=multipart/form-data>\
             <input type=file name=file multiple><button>Send</button></form>\n"
        )
    };
    let expected = [
        &*page(1),
        "HEAD /: 200 OK\n",
        "POST /form: 200 OK\n  name: Jürgen & Söhne\n  share: 50 %\n",
        "POST /upload: 200 OK\n  who: 2 bytes\n  file (notes.txt): 18 bytes\n",
        "GET /hello/big%20world: 200 OK\n  hello, big world\n",
        // HEAD is a visit too: it has all fields of GET.
        &*page(3),
        "DELETE /form: 405 Method Not Allowed\n  Allow: POST\n",
        "GET /nothing: 404 Not Found\n  404 Not Found: there is no such page\n",
    ];
    assert_eq!(example("http_forms"), expected.concat());
}

#[cfg(all(feature = "channel", target_os = "linux"))]
#[test]
fn chat() {
    assert_eq!(
        example("chat"),
        "bob hears * 10.0.0.1:4001 is here\nann hears * 10.0.0.1:4002 has come\n\
         ann hears 10.0.0.1:4002: hello ann\nbob hears 10.0.0.1:4001: hello bob\n\
         ann hears * 10.0.0.1:4002 has gone\nann hears * 10.0.0.1:4003 has come\n\
         ann hears * 10.0.0.1:4003 has gone: what is said is not read there\n\
         carl is told: the peer reset the connection\n"
    );
}

#[cfg(all(feature = "tokio", target_os = "linux"))]
#[test]
fn wireguard() {
    assert_eq!(
        example("wireguard"),
        "203.0.113.5:7: 1048576 bytes came back, all right: true\n\
         [2001:db8::5]:7: 1048576 bytes came back, all right: true\n\
         203.0.113.9:9 sent \"a datagram\"\n"
    );
}
