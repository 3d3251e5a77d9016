//! A web server that takes forms, in an address or a body, and files; and a client.
//!
//! Without arguments both run here, on two stacks with a cable in memory between them. With `--tap`,
//! as root, it is served at <http://10.71.0.2/> for a browser and for curl:
//! `curl -F who=me -F file=@/etc/hostname http://10.71.0.2/upload`.

#[cfg(target_os = "linux")]
mod site {
    use std::fmt::Write as _;
    use std::io::{self, Read};
    use std::net::Shutdown;
    use std::time::{Duration, SystemTime};

    use netloom::http::{
        BadPercent, Content, Encoded, Form, Handler, HttpDate, Match, Multipart, Piece, Progress,
        Refusal, Reply, Request, Route, Router, Session, SetCookie, Status, cookie,
    };
    use netloom::{TcpListener, TcpStream};

    /// The content of a request at most.
    const LARGEST: usize = 2 << 20;
    /// The time to wait for the next octet of a request, or for room for the next of an answer.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// What is still read from a client that goes on sending when its connection is to be closed.
    const LINGER: u64 = 16 << 20;

    const TEXT: &str = "text/plain; charset=utf-8";
    const HTML: &str = "text/html; charset=utf-8";

    const PAGE: &str = r#"<form action=/form method=post><input name=name><button>Say</button></form>
<form action=/upload method=post enctype=multipart/form-data><input type=file name=file multiple><button>Send</button></form>
"#;

    enum Page {
        Index,
        Form,
        Upload,
        Hello,
    }

    const ROUTES: &[Route<Page>] = &[
        Route::get("/", Page::Index),
        Route::post("/form", Page::Form),
        Route::post("/upload", Page::Upload),
        Route::get("/hello/{name}", Page::Hello),
    ];

    /// What answers on one connection: it holds the answer that is being sent.
    #[derive(Default)]
    struct Visitor {
        answer: String,
    }

    impl Handler for Visitor {
        fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
            let found = Router::new(ROUTES).find(request.method(), request.path());
            let answered = match found {
                Match::Found { value, params } => match value {
                    Page::Index => return self.index(request, reply),
                    Page::Form => form(content),
                    Page::Upload => upload(request, content),
                    Page::Hello => {
                        let name = decoded(params.get("name").unwrap_or_default());
                        name.map(|name| format!("hello, {name}\n"))
                    }
                },
                Match::NotFound => Err(Refusal::new(Status::NOT_FOUND, "there is no such page")),
                Match::MethodNotAllowed(allowed) => {
                    let sent = reply.send(Status::METHOD_NOT_ALLOWED, Content::Empty, |head| {
                        head.field("Allow", allowed)
                    });
                    return sent.unwrap_or_default();
                }
            };
            let (status, answer) = match answered {
                Ok(answer) => (Status::OK, answer),
                Err(refusal) => (refusal.status, format!("{refusal}\n")),
            };
            let content = self.answer_with(answer);
            // A reply that does not fit is not sent, and answered with 500 instead.
            let sent = reply.send(status, content, |head| head.field("Content-Type", TEXT));
            sent.unwrap_or_default();
        }

        /// An answer may be longer than the buffer it is sent through.
        fn stream(&mut self, _: u32, offset: u64, room: &mut [u8]) -> usize {
            let rest = usize::try_from(offset)
                .ok()
                .map(|at| self.answer.as_bytes().get(at..));
            rest.flatten().unwrap_or_default().read(room).unwrap_or(0)
        }
    }

    impl Visitor {
        fn answer_with(&mut self, answer: String) -> Content<'static> {
            self.answer = answer;
            let length = Some(self.answer.len() as u64);
            Content::Stream { key: 0, length }
        }

        /// The page with the forms. How often a client has seen it, the client knows.
        fn index(&mut self, request: &Request<'_>, reply: Reply<'_, '_>) {
            let visits = cookie(request.fields(), "visits")
                .and_then(|visits| std::str::from_utf8(visits).ok()?.parse::<u32>().ok())
                .unwrap_or(0)
                .saturating_add(1);
            let count = visits.to_string();
            let page = format!("<!doctype html>\n<title>Forms</title>\n<p>Visit {count}\n{PAGE}");
            let content = self.answer_with(page);
            // Digits are good in a cookie.
            let Ok(count) = SetCookie::new("visits", &count) else {
                return;
            };
            let sent = reply.send(Status::OK, content, |head| {
                head.field("Content-Type", HTML)
                    .field("Set-Cookie", count.path("/").max_age(86400).http_only())
            });
            sent.unwrap_or_default();
        }
    }

    /// Names and values, a line each.
    fn form(content: &[u8]) -> Result<String, Refusal> {
        let mut answer = String::new();
        for (name, value) in Form::new(content).pairs() {
            let _ = writeln!(answer, "{}: {}", decoded(name)?, decoded(value)?);
        }
        Ok(answer)
    }

    /// The name and the size of each part, a line each.
    fn upload(request: &Request<'_>, content: &[u8]) -> Result<String, Refusal> {
        let content_type = request.single("Content-Type").unwrap_or_default();
        let mut buffer = [0; 4096];
        let mut parts = Multipart::new(content_type, &mut buffer)?;
        let mut sizes: Vec<(String, usize)> = Vec::new();
        let mut rest = content;
        while !rest.is_empty() {
            let (taken, piece) = parts.take(rest)?;
            rest = &rest[taken..];
            match piece {
                Piece::Part(part) => {
                    let mut name = shown(part.name().into_iter().flat_map(|name| name.bytes()));
                    if let Some(file) = part.file_name() {
                        let _ = write!(name, " ({})", shown(file.bytes()));
                    }
                    sizes.push((name, 0));
                }
                Piece::Data(data) => {
                    if let Some((_, size)) = sizes.last_mut() {
                        *size += data.len();
                    }
                }
                Piece::Nothing | Piece::End => {}
            }
        }
        if !parts.is_done() {
            return Err(Refusal::bad("the last boundary is missing"));
        }
        Ok(sizes
            .iter()
            .fold(String::new(), |mut answer, (name, size)| {
                let _ = writeln!(answer, "{name}: {size} bytes");
                answer
            }))
    }

    fn decoded(text: Encoded<'_>) -> Result<String, Refusal> {
        let octets: Result<Vec<u8>, BadPercent> = text.decoded().collect();
        let octets = octets.map_err(|_| Refusal::bad("a `%` has no two digits behind it"))?;
        Ok(shown(octets.into_iter()))
    }

    /// What a client has sent may be no text.
    fn shown(octets: impl Iterator<Item = u8>) -> String {
        String::from_utf8_lossy(&octets.collect::<Vec<u8>>()).into_owned()
    }

    /// Serves for ever, each connection on a thread of its own.
    pub(super) fn serve(listener: &TcpListener) -> io::Result<()> {
        for stream in listener.incoming() {
            let stream = stream?;
            // A client that goes away early is no concern of others.
            std::thread::spawn(move || converse(stream));
        }
        Ok(())
    }

    fn converse(mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (mut rx, mut tx, mut content) = (vec![0; 16384], vec![0; 16384], vec![0; LARGEST]);
        let mut session = Session::new(&mut rx, &mut tx, &mut content);
        let mut visitor = Visitor::default();
        loop {
            let now = HttpDate::from_system(SystemTime::now());
            // A socket that waits itself comes back when there is nothing left to do, or after a
            // time-out.
            match session.poll(&mut stream, &mut visitor, now)? {
                Progress::Done => break,
                Progress::Receiving => session.time_out(),
                Progress::Idle | Progress::Sending => return Ok(()),
            }
        }
        // An answer before the end of a request, 413 say, would be lost if what the client still
        // sends were answered with a reset.
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream.take(LINGER), &mut io::sink())?;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod visit {
    use std::error::Error;

    use netloom::TcpStream;
    use netloom::http::{Client, FORM_TYPE, FormPairs, Method, ReceivedCookie, Url};

    const MULTIPART: &str = "multipart/form-data; boundary=next-part";
    const UPLOAD: &str = "--next-part\r\n\
        Content-Disposition: form-data; name=\"who\"\r\n\r\n\
        me\r\n\
        --next-part\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\n\
        Content-Type: text/plain\r\n\r\n\
        three\nshort\nlines\n\r\n\
        --next-part--\r\n";

    /// Asks for everything there is, on one connection, and prints the answers.
    pub(super) fn all(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
        let (mut rx, mut tx) = ([0; 4096], [0; 4096]);
        let mut client = Client::with_buffers(&mut rx, &mut tx);
        let form = FormPairs(&[("name", "Jürgen & Söhne"), ("share", "50 %")]).to_string();
        let mut kept = None;
        for (method, path, kind, content) in [
            (Method::Get, "/", "", ""),
            (Method::Head, "/", "", ""),
            (Method::Post, "/form", FORM_TYPE, &*form),
            (Method::Post, "/upload", MULTIPART, UPLOAD),
            (Method::Get, "/hello/big%20world", "", ""),
            (Method::Get, "/", "", ""),
            (Method::Delete, "/form", "", ""),
            (Method::Get, "/nothing", "", ""),
        ] {
            let address = format!("http://10.0.0.2{path}");
            let mut head = client.request(method, &Url::parse(&address)?);
            if let Some(cookie) = &kept {
                head = head.field("Cookie", cookie);
            }
            if method == Method::Post {
                head = head.field("Content-Type", kind);
                head = head.content_length(content.len() as u64);
            }
            head.finish()?;
            client
                .output()
                .push_all(content.as_bytes(), &mut stream)
                .map_err(|e| format!("{e:?}"))?;

            let response = client.receive(&mut stream)?;
            println!("{method} {path}: {}", response.status());
            if let Some(allowed) = response.single("Allow") {
                println!("  Allow: {}", String::from_utf8_lossy(allowed));
            }
            if let Some(cookie) = response
                .single("Set-Cookie")
                .and_then(ReceivedCookie::parse)
            {
                let [name, value] = [cookie.name, cookie.value].map(String::from_utf8_lossy);
                kept = Some(format!("{name}={value}"));
            }
            let mut answer = Vec::new();
            while let Some(piece) = client.read_body(&mut stream)? {
                answer.extend_from_slice(piece);
            }
            for line in String::from_utf8(answer)?.lines() {
                println!("  {line}");
            }
            if !client.finish() {
                return Err("the server closes the connection".into());
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("--tap") {
        let net = netloom::Tap::create("netloom0")?
            .address("10.71.0.2/24")
            .kernel_address("10.71.0.1/24")
            .start()?;
        let listener = net.tcp_listen("0.0.0.0:80")?;
        println!("listening at http://10.71.0.2/");
        return Ok(site::serve(&listener)?);
    }
    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let server = right.address("10.0.0.2/24").start()?;
    let client = left.address("10.0.0.1/24").start()?;
    let listener = server.tcp_listen("0.0.0.0:80")?;
    std::thread::spawn(move || site::serve(&listener));
    visit::all(client.tcp_connect("10.0.0.2:80")?)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
