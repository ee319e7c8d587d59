//! The origin: few workers, a page that takes one of them for a while, and a line before them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

use crate::page;

/// What the handler works with, and what it has seen.
pub(crate) struct Origin {
    workers: Semaphore,
    cache_control: &'static str,
    calls: AtomicUsize,
    queue: AtomicUsize,
    queue_max: AtomicUsize,
}

impl Origin {
    pub(crate) fn new(cache_control: &'static str) -> Self {
        Self {
            workers: Semaphore::new(WORKERS),
            cache_control,
            calls: AtomicUsize::new(0),
            queue: AtomicUsize::new(0),
            queue_max: AtomicUsize::new(0),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many wait for a worker now.
    pub(crate) fn queue(&self) -> usize {
        self.queue.load(Ordering::Relaxed)
    }

    pub(crate) fn queue_max(&self) -> usize {
        self.queue_max.load(Ordering::Relaxed)
    }
}

/// A place in the line. It is left by dropping it, so that a call that is given up counts no longer.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(State(origin): State<Arc<Origin>>) -> Result<impl IntoResponse, StatusCode> {
    let call = origin.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let worker = match origin.workers.try_acquire() {
        Ok(worker) => worker,
        Err(_) => {
            let waiting = origin.queue.fetch_add(1, Ordering::Relaxed) + 1;
            let _place = Place(&origin.queue);
            origin.queue_max.fetch_max(waiting, Ordering::Relaxed);
            origin.workers.acquire().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?
        }
    };
    // The work: a database, a template, whatever makes a page slow.
    tokio::time::sleep(WORK).await;
    drop(worker);
    Ok(([(CACHE_CONTROL, origin.cache_control)], page::of_call(call)))
}

/// A server on a port of its own, until it is told to stop.
pub(crate) struct Server {
    pub(crate) page: Uri,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(origin: Arc<Origin>, has_layer: bool) -> Result<Self, String> {
        let mut app = Router::new().route("/page", get(answer)).with_state(origin);
        if has_layer {
            app = app.layer(CacheLayer::new(MemoryStore::with_bytes_max(8 << 20)));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| format!("cannot listen on the loopback address: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let page = format!("http://{address}/page").parse::<Uri>().map_err(|e| e.to_string())?;
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, app).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Ok(Self { page, stop, serving: tokio::spawn(serving.into_future()) })
    }

    /// Accepts no more, and returns when all that was asked is answered.
    pub(crate) async fn stop(self) -> Result<(), String> {
        let _ = self.stop.send(());
        match timeout(STOP_MAX, self.serving).await {
            Ok(Ok(served)) => served.map_err(|error| format!("the origin: {error}")),
            Ok(Err(error)) => Err(format!("the origin: {error}")),
            Err(_) => Err("the origin does not stop".into()),
        }
    }
}

pub(crate) const WORKERS: usize = 8;

/// For how long an answer takes a worker.
pub(crate) const WORK: Duration = Duration::from_millis(50);

/// Every client has its answer by then; only idle connections are left.
const STOP_MAX: Duration = Duration::from_secs(10);
