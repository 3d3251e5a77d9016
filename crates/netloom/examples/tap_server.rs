//! A server on a host, blocking, like `std::net`: `curl http://10.71.0.2/` reaches it.
//!
//! Needs root or `CAP_NET_ADMIN`.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::{Read, Write};

    let net = netloom::Tap::create("netloom0")?
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .start()?;
    let listener = net.tcp_listen("0.0.0.0:80")?;
    println!("listening at http://10.71.0.2/");
    for stream in listener.incoming() {
        let mut stream = stream?;
        std::thread::spawn(move || -> std::io::Result<()> {
            // The request says nothing that changes the answer.
            let _ = stream.read(&mut [0; 4096])?;
            stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
        });
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("TAP devices exist on Linux only");
}
