//! The small HTTP server for people, probes and Prometheus.
//!
//! | path | answer |
//! | --- | --- |
//! | `/metrics` | all series in the Prometheus text format |
//! | `/livez` | 200 while the process should be left running, else 503 and why |
//! | `/readyz` | 200 while rows are being processed, else 503 and why |
//! | `/` | the live page for a browser, a list of the paths for others |
//!
//! It has one thread and one runtime of its own: nothing else in the house is asynchronous, and a slow reader slows nobody.

mod page;
mod samples;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use crate::telemetry::{Exposition, Health};

/// How long answers that are under way may take when the server stops.
const GRACE: Duration = Duration::from_millis(500);
/// How often recorded durations are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not an address.
    #[error("serve.listen = \"{listen}\" is no address: {source}; expected host:port, such as \"127.0.0.1:9464\"")]
    Address {
        /// As written.
        listen: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The port belongs to somebody else.
    #[error("cannot listen on {listen}: the port is in use; is another pipeline running? choose another serve.listen")]
    InUse {
        /// As written.
        listen: String,
    },
    /// Any other reason not to listen.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// As written.
        listen: String,
        /// The system's reason.
        source: io::Error,
    },
    /// No thread or no runtime.
    #[error("cannot start the server's thread: {0}")]
    Thread(#[source] io::Error),
}

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    exposition: Exposition,
    health: Health,
}

impl Server {
    /// Listens on `listen` (`host:port`, port 0 for any) and answers from a thread of its own. Connections are accepted from
    /// the moment this returns.
    ///
    /// # Errors
    /// If the address is none, is taken, or may not be listened on.
    pub fn start(listen: &str, exposition: Exposition, health: Health) -> Result<Self, ServeError> {
        let name = || listen.to_owned();
        let addresses: Vec<SocketAddr> =
            listen.to_socket_addrs().map_err(|source| ServeError::Address { listen: name(), source })?.collect();
        let listener = TcpListener::bind(&addresses[..]).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse { listen: name() },
            _ => ServeError::Listen { listen: name(), source },
        })?;
        let cannot_listen = |source| ServeError::Listen { listen: name(), source };
        let address = listener.local_addr().map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(cannot_listen)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || runtime.block_on(serve(listener, Shared { exposition, health }, stopped)))
            .map_err(ServeError::Thread)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; names the port that was chosen for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has already ended no longer listens for the signal, and one that panicked has said so.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread panicked");
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, shared: Shared, stopped: oneshot::Receiver<()>) {
    let (drain, drained) = oneshot::channel::<()>();
    let exposition = shared.exposition.clone();
    let router = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/livez", get(async |State(shared): State<Shared>| verdict(shared.health.liveness())))
        .route("/readyz", get(async |State(shared): State<Shared>| verdict(shared.health.readiness())))
        .with_state(shared);
    let ended = async move {
        // Dropping the sender is the signal; nothing is ever sent.
        drained.await.ok();
    };
    let answer = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(ended).into_future());
    tokio::spawn(async move {
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            upkeep.tick().await;
            exposition.upkeep();
        }
    });
    // Both the signal and a vanished owner end it.
    stopped.await.ok();
    drop(drain);
    match tokio::time::timeout(GRACE, answer).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::error!(%error, "the server failed"),
        Ok(Err(error)) => tracing::error!(%error, "the server panicked"),
        Err(_) => tracing::debug!("connections were still open when the server stopped"),
    }
}

const INDEX: &str = "evenkeel\n\n/metrics  all series in the Prometheus text format\n/livez    should this process be left running?\n/readyz   are rows being processed?\n";

/// Browsers name `text/html` among what they accept, other programs do not.
async fn index(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accepts = headers.get_all(ACCEPT);
    let html = accepts.iter().any(|types| types.to_str().is_ok_and(|types| types.contains("text/html")));
    let caching = [(CACHE_CONTROL, "no-store"), (VARY, "accept")];
    if !html {
        return (caching, INDEX).into_response();
    }
    let view = page::View {
        exposition: &shared.exposition.render(),
        liveness: shared.health.liveness(),
        readiness: shared.health.readiness(),
        now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
    };
    (caching, Html(page::render(&view))).into_response()
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shared.exposition.render())
}

fn verdict(verdict: Result<(), String>) -> (StatusCode, String) {
    match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
