//! A web server with routes on one stack, and a client on another: no runtime, and no memory but what
//! is lent. On firmware the frames go to the network device instead of a queue.

use netloom_services::http::{
    Buffers, Client, Connection, Content, Encoded, Form, Handler, Match, Method, Reply, Request,
    Route, Router, Server, Status, Timeouts, Url,
};
use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack};

/// Eight lamps, which can be looked at and switched.
struct Lamps(u8);

enum Page {
    Index,
    Show,
    Switch,
}

const ROUTES: &[Route<Page>] = &[
    Route::get("/", Page::Index),
    Route::get("/lamps/{number}", Page::Show),
    Route::put("/lamps/{number}", Page::Switch),
];

impl Handler for Lamps {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let (page, params) = match Router::new(ROUTES).find(request.method(), request.path()) {
            Match::Found { value, params } => (value, params),
            Match::NotFound => return reply.status(Status::NOT_FOUND).unwrap_or_default(),
            Match::MethodNotAllowed(allowed) => {
                let sent = reply.send(Status::METHOD_NOT_ALLOWED, Content::Empty, |head| {
                    head.field("Allow", allowed)
                });
                return sent.unwrap_or_default();
            }
        };
        let number = params.get("number").and_then(Encoded::number);
        let bit = 1 << number.unwrap_or(0).min(7);
        let sent = match page {
            Page::Index => reply.text(Status::OK, "text/plain", "eight lamps\n"),
            Page::Show if self.0 & bit == 0 => reply.text(Status::OK, "text/plain", "off\n"),
            Page::Show => reply.text(Status::OK, "text/plain", "on\n"),
            Page::Switch => {
                let on = Form::new(content).get("on").is_some_and(|on| on.is(b"1"));
                self.0 = if on { self.0 | bit } else { self.0 & !bit };
                reply.status(Status::OK)
            }
        };
        // What does not fit is answered with 500.
        sent.unwrap_or_default();
    }
}

fn stack(address: &str) -> Stack {
    let config = Config::ip().address(address.parse().expect("an address"));
    // A program takes its seed from the system's or the hardware's randomness.
    Stack::with_heap(config, Limits::default(), Seed::for_tests(7))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut near, mut far) = (stack("10.71.0.1/24"), stack("10.71.0.2/24"));
    let listener = far.tcp_listen(80)?;
    let (mut rx, mut tx, mut content) = ([0; 1024], [0; 1024], [0; 256]);
    let buffers = Buffers {
        rx: &mut rx,
        tx: &mut tx,
        content: &mut content,
    };
    let mut web = Server::new([buffers], Timeouts::default());
    let mut lamps = Lamps(0);

    let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let conn = near.tcp_connect(([10, 71, 0, 2], 80).into())?;
    let mut now = Instant::from_secs(1);
    for (method, url, body) in [
        (Method::Get, "http://10.71.0.2/", ""),
        (Method::Put, "http://10.71.0.2/lamps/3", "on=1"),
        (Method::Get, "http://10.71.0.2/lamps/3", ""),
    ] {
        let url = Url::parse(url)?;
        let head = client.request(method, &url);
        head.content_length(body.len() as u64).finish()?;
        client.output().push(body.as_bytes());
        loop {
            let mut stream = Connection::new(&mut near, conn);
            if let Ok(response) = client.receive(&mut stream) {
                print!("{method} {url}: {}: ", response.status());
                break;
            }
            // A millisecond on the link, and the server's turn.
            now = now.plus_micros(1_000);
            let mut queue = FrameQueue::default();
            let _ = near.transmit(now, IfaceId::FIRST, &mut queue);
            for frame in queue.frames.drain(..) {
                far.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
            }
            while let Some(conn) = far.tcp_accept(listener)? {
                web.start(now, &mut far, conn);
            }
            web.poll(now, None, &mut far, &mut lamps);
            let _ = far.transmit(now, IfaceId::FIRST, &mut queue);
            for frame in queue.frames.drain(..) {
                near.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
            }
        }
        let mut stream = Connection::new(&mut near, conn);
        while let Ok(Some(piece)) = client.read_body(&mut stream) {
            print!("{}", String::from_utf8_lossy(piece).trim_end());
        }
        println!();
        assert!(
            client.finish(),
            "the next request takes the same connection"
        );
    }
    Ok(())
}
