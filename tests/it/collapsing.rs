//! Requests that want the same while one of them fetches it.

mod answers;
mod bodies;
mod crowds;
mod failing;
mod leaving;
mod overtaken;
mod pace;
mod patience;
mod stampedes;
mod telling;
mod threads;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::body::Body;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::cache::{Cache, CacheBody, CacheLayer};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, TestLayer, request};

type Answer = dyn Fn(&Request<Body>, usize) -> Result<Response<Body>, Down> + Send + Sync;

/// The inner service's own error.
#[derive(Clone, Debug, PartialEq)]
pub struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for Down {}

/// An inner service whose calls wait until they are let go.
#[derive(Clone)]
pub struct Origin {
    answer: Arc<Answer>,
    gate: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
    /// Calls that have begun and not ended.
    running: Arc<AtomicUsize>,
}

impl Origin {
    pub fn new(
        answer: impl Fn(&Request<Body>, usize) -> Result<Response<Body>, Down> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            gate: Arc::new(Semaphore::new(0)),
            calls: Arc::default(),
            running: Arc::default(),
        }
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Lets so many calls go on, those that wait first.
    pub fn let_go(&self, calls: usize) {
        self.gate.add_permits(calls);
    }
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Down;
    type Future = futures_util::future::BoxFuture<'static, Result<Response<Body>, Down>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Down>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { answer, gate, .. } = self.clone();
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.running.clone());
        Box::pin(async move {
            let _running = running;
            gate.acquire().await.unwrap().forget();
            answer(&request, call)
        })
    }
}

/// A cache in front of an origin.
pub struct Crowd {
    pub clock: ManualClock,
    pub origin: Origin,
    pub layer: TestLayer,
    service: Cache<Origin, MemoryStore, ManualClock>,
}

pub type Answered = Result<Response<CacheBody<Body>>, Down>;

impl Crowd {
    pub fn new(
        answer: impl Fn(&Request<Body>, usize) -> Result<Response<Body>, Down> + Send + Sync + 'static,
    ) -> Self {
        Self::with(|layer| layer, answer)
    }

    pub fn with(
        change: impl FnOnce(TestLayer) -> TestLayer,
        answer: impl Fn(&Request<Body>, usize) -> Result<Response<Body>, Down> + Send + Sync + 'static,
    ) -> Self {
        let (clock, origin) = (ManualClock::new(), Origin::new(answer));
        let store = MemoryStore::with_bytes_max(64 << 20);
        let layer = change(CacheLayer::with_clock(store, clock.clone()));
        let service = layer.layer(origin.clone());
        Self { clock, origin, layer, service }
    }

    /// A request on a task of its own, up to its head.
    pub fn start(&self, request: Request<Body>) -> JoinHandle<Answered> {
        tokio::spawn(self.service.clone().oneshot(request))
    }

    /// The same, with its body read to the end.
    pub fn send(&self, request: Request<Body>) -> JoinHandle<Result<Got, Down>> {
        let sent = self.service.clone().oneshot(request);
        tokio::spawn(async { Ok(Got::read(sent.await?).await) })
    }

    /// So many GETs of `/` at once, all of which have come as far as they come by themselves.
    pub async fn crowd(
        &self,
        count: usize,
        fields: &[(&str, &str)],
    ) -> Vec<JoinHandle<Result<Got, Down>>> {
        let crowd = (0..count).map(|_| self.send(request("GET", "/", fields))).collect();
        settled().await;
        crowd
    }

    pub async fn get(&self, fields: &[(&str, &str)]) -> Result<Got, Down> {
        self.send(request("GET", "/", fields)).await.unwrap()
    }

    /// Nothing is left behind of what is over.
    pub async fn assert_nothing_left(&self) {
        settled().await;
        let stats = self.layer.handle().stats();
        assert_eq!((stats.flights, stats.background, self.origin.running()), (0, 0, 0));
    }
}

/// Lets all other tasks come as far as they come by themselves.
pub async fn settled() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub const FRESH: (&str, &str) = ("cache-control", "max-age=60");
