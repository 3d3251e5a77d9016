//! The HTTP server: one connection, heads of up to a KiB, two routes.

use core::hint::black_box;

use netloom_services::http::{
    Buffers, Content, Handler, Match, Reply, Request, Route, Router, Server, Status, Timeouts,
};
use netloom_stack::{ListenerHandle, Stack};
use static_cell::{ConstStaticCell, StaticCell};

static STATE: StaticCell<Server<'static, 1>> = StaticCell::new();
static RX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static TX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static CONTENT: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

enum Page {
    Index,
    Switch,
}

const ROUTES: &[Route<Page>] = &[
    Route::get("/", Page::Index),
    Route::put("/lamps/{number}", Page::Switch),
];

struct Pages;

impl Handler for Pages {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let sent = match Router::new(ROUTES).find(request.method(), request.path()) {
            Match::Found { value, params } => match value {
                Page::Index => reply.text(Status::OK, "text/html", "<p>lamps"),
                Page::Switch => {
                    black_box((params.get("number"), content));
                    reply.status(Status::OK)
                }
            },
            Match::NotFound => reply.status(Status::NOT_FOUND),
            Match::MethodNotAllowed(allowed) => {
                reply.send(Status::METHOD_NOT_ALLOWED, Content::Empty, |head| {
                    head.field("Allow", allowed)
                })
            }
        };
        sent.unwrap_or_default();
    }
}

pub(crate) struct Service {
    server: &'static mut Server<'static, 1>,
    listener: ListenerHandle,
}

impl Service {
    #[inline(never)]
    pub(crate) fn start(stack: &mut Stack) -> Service {
        let buffers = Buffers {
            rx: RX.take(),
            tx: TX.take(),
            content: CONTENT.take(),
        };
        let Ok(listener) = stack.tcp_listen(80) else {
            panic!("there is room for a listener");
        };
        Service {
            server: STATE.init_with(|| Server::new([buffers], Timeouts::default())),
            listener,
        }
    }

    pub(crate) fn turn(&mut self, stack: &mut Stack) {
        let now = stack.now();
        while self.server.has_room() {
            let Ok(Some(handle)) = stack.tcp_accept(self.listener) else {
                break;
            };
            self.server.start(now, stack, handle);
        }
        self.server.poll(now, None, stack, &mut Pages);
        black_box(self.server.next_deadline());
    }
}
