//! A web server of axum's behind TLS, HTTP/1.1 and HTTP/2, on connections of netloom's.
//!
//! Needs root or `CAP_NET_ADMIN`: `https_server cert.pem` makes a certificate, writes it to that
//! file, and `curl --cacert cert.pem https://10.71.0.2/` reaches it.

#[cfg(target_os = "linux")]
mod server {
    use std::io;
    use std::sync::Arc;

    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::extract::{Path, Request};
    use axum::http::header::CONTENT_TYPE;
    use axum::response::{Html, IntoResponse};
    use axum::routing::{get, post};
    use futures_util::stream;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto;
    use hyper_util::service::TowerToHyperService;
    use netloom::tokio::TcpStream;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    const ADDRESS: &str = "10.71.0.2";
    /// Images of the page.
    const IMAGES: usize = 50;
    /// Bytes of `/bytes/N` that are sent at a time.
    const CHUNK: usize = 65_536;

    #[tokio::main]
    pub(super) async fn main() -> io::Result<()> {
        let Some(file) = std::env::args().nth(1) else {
            eprintln!("usage: https_server FILE   (where to write the certificate)");
            std::process::exit(2);
        };
        let (tls, certificate) = tls().map_err(io::Error::other)?;
        std::fs::write(file, certificate)?;
        let net = netloom::Tap::create("tap%d")?
            .address(&*format!("{ADDRESS}/24"))
            .kernel_address("10.71.0.1/24")
            .start_on(&tokio::runtime::Handle::current())?;
        let listener = net.tokio().tcp_listen("0.0.0.0:443").await?;
        println!("listening at https://{ADDRESS}/");
        let app = Router::new()
            .route("/", get(page))
            .route("/image/{n}", get(image))
            .route("/bytes/{n}", get(bytes))
            .route("/echo", post(async |request: Request| request.into_body()));
        loop {
            let (stream, peer) = listener.accept().await?;
            let (tls, app) = (tls.clone(), app.clone());
            // The next one need not wait for this one's handshake.
            tokio::spawn(async move {
                if let Err(error) = serve(stream, tls, app).await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    }

    /// Serves one connection, in whichever version the client has agreed to.
    async fn serve(
        stream: TcpStream,
        tls: TlsAcceptor,
        app: Router,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let stream = tls.accept(stream).await?;
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
            .await
    }

    /// TLS with a certificate made for the occasion, which comes with it.
    fn tls() -> Result<(TlsAcceptor, String), Box<dyn std::error::Error + Send + Sync>> {
        let made = rcgen::generate_simple_self_signed([ADDRESS.to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(made.key_pair.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
        Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
    }

    /// A page that counts the images that have been loaded.
    async fn page() -> Html<String> {
        let images: String = (0..IMAGES)
            .map(|n| format!("<img src=/image/{n} onload=loaded++>"))
            .collect();
        Html(format!(
            "<!DOCTYPE html><title>netloom</title><script>let loaded = 0;</script>{images}<p id=sum></p>\
             <script>onload = () => sum.textContent = `loaded ${{loaded}} images`;</script>"
        ))
    }

    async fn image(Path(n): Path<usize>) -> impl IntoResponse {
        let drawing = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='9'/>",
            n + 1
        );
        ([(CONTENT_TYPE, "image/svg+xml")], drawing)
    }

    /// That many zeros, as fast as they are taken.
    async fn bytes(Path(n): Path<usize>) -> Body {
        let zeros = Bytes::from_static(&[0; CHUNK]);
        Body::from_stream(stream::unfold(n, move |left| {
            let chunk = zeros.slice(..left.min(CHUNK));
            let next = (left > 0).then(|| (Ok::<_, io::Error>(chunk.clone()), left - chunk.len()));
            async { next }
        }))
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    server::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("TAP devices exist on Linux only");
}
