//! Ten thousand requests of every kind, received, routed, answered and read, without one call of the
//! allocator.
#![cfg(all(feature = "http", feature = "std"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;

use netloom_services::http::{
    ByteRanges, Client, Content, EntityTag, FORM_TYPE, Form, FormPairs, Handler, HttpDate, Match,
    Method, Multipart, Part, Piece, Progress, Ranges, Reply, Request, Route, Router, Selection,
    Session, SetCookie, Status, StreamError, Transport, Url, Validators, Verdict, cookie, evaluate,
};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One direction of a connection.
struct Pipe {
    octets: [u8; 4096],
    start: usize,
    end: usize,
}

impl Pipe {
    const EMPTY: Pipe = Pipe {
        octets: [0; 4096],
        start: 0,
        end: 0,
    };
}

/// One end of a connection.
struct End<'p> {
    from: &'p mut Pipe,
    to: &'p mut Pipe,
}

impl Transport for End<'_> {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let Pipe { octets, start, end } = &mut *self.from;
        let len = buffer.len().min(*end - *start);
        if len == 0 {
            return Err(StreamError::WouldBlock);
        }
        buffer[..len].copy_from_slice(&octets[*start..*start + len]);
        *start += len;
        Ok(len)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        let Pipe { octets, start, end } = &mut *self.to;
        if *start == *end {
            (*start, *end) = (0, 0);
        }
        let len = data.len().min(octets.len() - *end);
        if len == 0 {
            return Err(StreamError::WouldBlock);
        }
        octets[*end..*end + len].copy_from_slice(&data[..len]);
        *end += len;
        Ok(len)
    }
}

#[derive(Clone, Copy)]
enum Page {
    Hello,
    Item,
    Form,
    Upload,
    File,
    Chunks,
    Moved,
}

const ROUTES: &[Route<Page>] = &[
    Route::get("/", Page::Hello),
    Route::get("/items/{id}", Page::Item),
    Route::post("/form", Page::Form),
    Route::post("/upload", Page::Upload),
    Route::get("/files/{*path}", Page::File),
    Route::get("/chunks", Page::Chunks),
    Route::get("/moved", Page::Moved),
];

const FILE: &[u8] = &[b'f'; 2000];

/// The parts of the file that are being sent.
#[derive(Default)]
struct Site(Option<ByteRanges<'static, 8>>);

/// Several ranges of the file.
fn parts(ranges: Ranges<8>) -> ByteRanges<'static, 8> {
    ByteRanges::new(ranges, FILE.len() as u64, "text/plain", [1, 2])
}

impl Handler for Site {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let router = Router::new(ROUTES);
        let (page, params) = match router.find(request.method(), request.path()) {
            Match::Found { value, params } => (*value, params),
            Match::NotFound => return reply.status(Status::NOT_FOUND).unwrap(),
            Match::MethodNotAllowed(allowed) => {
                return reply
                    .send(Status::METHOD_NOT_ALLOWED, Content::Empty, |head| {
                        head.field("Allow", allowed)
                    })
                    .unwrap();
            }
        };
        match page {
            Page::Hello => {
                let visits = cookie(request.fields(), "visits").unwrap_or(b"0");
                let visits = core::str::from_utf8(visits).unwrap();
                let set = SetCookie::new("visits", visits).unwrap().http_only();
                reply
                    .send(Status::OK, Content::Bytes(b"hello"), |head| {
                        head.field("Set-Cookie", set)
                    })
                    .unwrap();
            }
            Page::Item => {
                assert_eq!(params.get("id").and_then(|id| id.number()), Some(77));
                let mut buffer = [0; 20];
                let form = Form::new(request.query().unwrap_or_default());
                let name = form.get("name").unwrap();
                let name = name.decode_str(&mut buffer).unwrap();
                reply.text(Status::OK, "text/plain", name).unwrap();
            }
            Page::Form => {
                assert_eq!(request.single("Content-Type"), Some(FORM_TYPE.as_bytes()));
                let form = Form::new(content);
                assert!(form.get("b").unwrap().is(b"two words"));
                reply.redirect(Status::SEE_OTHER, "/").unwrap();
            }
            Page::Upload => {
                let kind = request.single("Content-Type").unwrap();
                let mut buffer = [0; 200];
                let mut parts = Multipart::new(kind, &mut buffer).unwrap();
                let (mut at, mut octets) = (0, 0);
                while at < content.len() {
                    let (taken, piece) = parts.take(&content[at..]).unwrap();
                    at += taken;
                    match piece {
                        Piece::Data(data) => octets += data.len(),
                        Piece::Part(part) => {
                            assert!(Part::name(&part).is_some_and(|name| name.is(b"file")));
                        }
                        Piece::Nothing | Piece::End => {}
                    }
                }
                assert!(parts.is_done() && octets == 11);
                reply.status(Status::CREATED).unwrap();
            }
            Page::File => {
                let version = Validators {
                    etag: Some(EntityTag::strong(b"v1")),
                    last_modified: HttpDate::from_unix(784_111_777),
                };
                let status = match evaluate(request, Some(&version), None) {
                    Verdict::Proceed => Status::OK,
                    Verdict::NotModified => Status::NOT_MODIFIED,
                    Verdict::Failed => Status::PRECONDITION_FAILED,
                };
                let range = request.single("Range").unwrap_or_default();
                let selection = Ranges::<8>::select(range, FILE.len() as u64);
                let (status, part) = match selection {
                    Selection::Ranges(ranges) if status == Status::OK => match ranges.as_slice() {
                        [range] => {
                            let part = range.first as usize..=range.last as usize;
                            (Status::PARTIAL_CONTENT, &FILE[part])
                        }
                        _ => {
                            let parts = self.0.insert(parts(ranges));
                            let content = Content::Stream {
                                key: 2,
                                length: Some(parts.len()),
                            };
                            let kind = parts.content_type();
                            return reply
                                .send(Status::PARTIAL_CONTENT, content, |head| {
                                    head.field("Content-Type", kind)
                                })
                                .unwrap();
                        }
                    },
                    _ => (status, FILE),
                };
                reply
                    .send(status, Content::Static(part), |head| {
                        head.field("ETag", EntityTag::strong(b"v1"))
                    })
                    .unwrap();
            }
            Page::Chunks => {
                let content = Content::Stream {
                    key: 1,
                    length: None,
                };
                reply.send(Status::OK, content, |head| head).unwrap();
            }
            Page::Moved => reply.redirect(Status::FOUND, "/items/77?name=a").unwrap(),
        }
    }

    fn stream(&mut self, key: u32, offset: u64, room: &mut [u8]) -> usize {
        if let (2, Some(parts)) = (key, &self.0) {
            let filled = parts.fill(offset, room, |at, room| {
                room.copy_from_slice(&FILE[at as usize..][..room.len()]);
                Ok::<_, Infallible>(room.len())
            });
            return filled.unwrap();
        }
        let len = (3000 - offset).min(room.len() as u64) as usize;
        room[..len].fill(b'c');
        len
    }
}

/// One request and its answer: the status, and the octets of the content.
fn exchange(
    client: &mut Client<'_>,
    session: &mut Session<'_>,
    site: &mut Site,
    pipes: &mut (Pipe, Pipe),
) -> (u16, usize) {
    let now = HttpDate::from_unix(784_111_777);
    let (mut status, mut octets) = (None, 0);
    let (there, back) = (&mut pipes.0, &mut pipes.1);
    loop {
        let mut near = End {
            from: back,
            to: there,
        };
        if status.is_none() {
            status = client.receive(&mut near).ok().map(|r| r.status().code());
        }
        if let Some(status) = status {
            while let Ok(Some(piece)) = client.read_body(&mut near) {
                octets += piece.len();
            }
            if let Ok(None) = client.read_body(&mut near) {
                assert!(client.finish());
                return (status, octets);
            }
        }
        let mut far = End {
            from: there,
            to: back,
        };
        let progress = session.poll(&mut far, site, now).unwrap();
        assert_ne!(progress, Progress::Done);
    }
}

#[test]
fn http_10000_requests_zero_allocations() {
    let base = Url::parse("http://10.71.0.2/").unwrap();
    let mut pipes = (Pipe::EMPTY, Pipe::EMPTY);
    let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let (mut rx, mut tx, mut content) = ([0; 1024], [0; 512], [0; 512]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    const UPLOAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"file\"; \
        filename=\"a.txt\"\r\n\r\nhello world\r\n--b--\r\n";

    const RANGES: &str = "bytes=0-9,500-509,-7";
    let Selection::Ranges(ranges) = Ranges::select(RANGES.as_bytes(), FILE.len() as u64) else {
        panic!("the file has them");
    };
    let (several, mut site) = (parts(ranges).len() as usize, Site::default());

    let before = CALLS.get();
    let mut statuses = [0_usize; 600];
    for turn in 0..10_000 {
        let mut buffer = [0; 100];
        let join = |reference, buffer| base.join(reference, buffer).unwrap();
        let (code, octets) = match turn % 10 {
            0 => {
                let head = client.request(Method::Get, &base);
                head.field("Cookie", "visits=7").finish().unwrap();
                (200, 5)
            }
            1 => {
                let url = join("/items/77?name=J%C3%BCrgen", &mut buffer);
                client.request(Method::Get, &url).finish().unwrap();
                (200, "Jürgen".len())
            }
            2 => {
                let url = join("/form", &mut buffer);
                let pairs = FormPairs(&[("a", "1"), ("b", "two words")]);
                let head = client.request(Method::Post, &url).content_length(17);
                head.field("Content-Type", FORM_TYPE).finish().unwrap();
                let mut text = Text::default();
                core::fmt::write(&mut text, format_args!("{pairs}")).unwrap();
                client.output().push(text.as_bytes());
                (303, 0)
            }
            3 => {
                let url = join("/upload", &mut buffer);
                let kind = "multipart/form-data; boundary=b";
                let head = client.request(Method::Post, &url).chunked();
                head.field("Content-Type", kind).finish().unwrap();
                for piece in UPLOAD.chunks(40) {
                    assert_eq!(client.output().chunk(piece), piece.len());
                }
                assert!(client.output().last_chunk());
                (201, "Created".len())
            }
            4 | 5 => {
                let url = join("/files/a/b", &mut buffer);
                let head = client.request(Method::Get, &url);
                if turn % 10 == 4 {
                    head.field("If-None-Match", "\"v1\"").finish().unwrap();
                    (304, 0)
                } else {
                    head.field("Range", "bytes=-100").finish().unwrap();
                    (206, 100)
                }
            }
            6 => {
                let url = join("/files/", &mut buffer);
                let head = client.request(Method::Get, &url);
                if turn % 20 < 10 {
                    head.field("Range", RANGES).finish().unwrap();
                    (206, several)
                } else {
                    head.finish().unwrap();
                    (200, FILE.len())
                }
            }
            7 => {
                let url = join("/chunks", &mut buffer);
                client.request(Method::Get, &url).finish().unwrap();
                (200, 3000)
            }
            8 => {
                let url = join("/moved", &mut buffer);
                client.request(Method::Head, &url).finish().unwrap();
                (302, 0)
            }
            _ => {
                let url = join("/form", &mut buffer);
                client.request(Method::Delete, &url).finish().unwrap();
                (405, 0)
            }
        };
        assert_eq!(
            exchange(&mut client, &mut session, &mut site, &mut pipes),
            (code, octets)
        );
        statuses[usize::from(code)] += 1;
    }
    assert_eq!(CALLS.get() - before, 0, "calls of the allocator");
    assert_eq!((statuses[200], statuses[206]), (3500, 1500));
}

/// A text of no more than thirty octets.
#[derive(Default)]
struct Text {
    octets: [u8; 30],
    len: usize,
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        let place = self.octets.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
