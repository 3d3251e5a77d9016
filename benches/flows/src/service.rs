//! What a station's program does with a stream, whoever made it.

use std::time::Duration;

use netloom_bench_device::station::{CHUNK, NAP, Service, Stop};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Builder;

/// What is left to a stack to end in.
const LAST: Duration = Duration::from_millis(500);

/// Runs a station on a runtime of one worker, which has this thread's core, until it is told to
/// stop. (ipstack waits for tasks where it drops a stream, and so needs a worker beside the thread
/// that drives the runtime.)
pub(crate) fn station(stop: &Stop, run: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        tokio::select! {
            () = run => {}
            () = stopped(stop) => {}
        }
    });
    runtime.shutdown_timeout(LAST);
}

async fn stopped(stop: &Stop) {
    while !stop.is_told() {
        tokio::time::sleep(NAP).await;
    }
}

/// Serves a stream to the port until it ends.
pub(crate) async fn serve(port: u16, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut chunk = vec![0x5a; CHUNK];
    match Service::of_port(port) {
        Some(Service::Discard) => while let Ok(1..) = stream.read(&mut chunk).await {},
        Some(Service::Generate) => while stream.write_all(&chunk).await.is_ok() {},
        Some(Service::Echo) => {
            while let Ok(len @ 1..) = stream.read(&mut chunk).await {
                if stream.write_all(&chunk[..len]).await.is_err() {
                    break;
                }
            }
        }
        None => {}
    }
}
