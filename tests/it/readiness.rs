//! C06: the instance of the inner service that is called is the one that was ready.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, TestLayer, answered, request, response};

type Fields = &'static [(&'static str, &'static str)];

/// Calls the inner service only when this very instance was found ready since its last call; ready at the
/// second time of asking. A clone starts anew, as tower's own do.
struct Probe {
    inner: Inner,
    polls: usize,
    /// Calls less the readiness that was found for them: what was made ready in vain.
    unused: Arc<AtomicUsize>,
}

impl Probe {
    fn new(inner: Inner) -> Self {
        Self { inner, polls: 0, unused: Arc::default() }
    }
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), polls: 0, unused: self.unused.clone() }
    }
}

impl Service<Request<Body>> for Probe {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.polls += 1;
        if self.polls == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.polls == 2 {
            self.unused.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(self.polls >= 2, "called before it was ready");
        self.polls = 0;
        self.unused.fetch_sub(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

fn layer() -> (TestLayer, ManualClock) {
    let clock = ManualClock::new();
    (CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone()), clock)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn c06_inner_service_is_called_only_when_it_is_ready() {
    // A clone of the layer further in passes everything on.
    for is_nested in [false, true] {
        let inner = Inner::new(|request, call| match (call, request.method().as_str()) {
            // A 304 that fits nothing, so that one request needs two calls.
            (1, _) => answered(304, &[("etag", "\"other\"")], ""),
            (_, "DELETE") => answered(204, &[], ""),
            _ => response(&[("cache-control", "max-age=60"), ("etag", "\"a\"")], "x"),
        });
        let probe = Probe::new(inner.clone());
        let (layer, clock) = layer();
        let single = layer.layer(probe.clone());
        let nested = layer.layer(single.clone());
        let steps: [(&str, Fields, usize); 10] = [
            ("GET", &[], 1),
            // Stale by then: validated, and asked for again without conditions.
            ("GET", &[], 3),
            ("GET", &[], 4),
            ("HEAD", &[("cache-control", "no-cache")], 5),
            ("PUT", &[], 6),
            ("DELETE", &[], 7),
            ("OPTIONS", &[], 8),
            ("GET", &[("upgrade", "websocket")], 9),
            ("GET", &[("if-match", "\"a\"")], 10),
            ("HEAD", &[], 11),
        ];
        for (method, fields, calls) in steps {
            let request = request(method, "/", fields);
            let got = match is_nested {
                false => Got::read(single.clone().oneshot(request).await.unwrap()).await,
                true => Got::read(nested.clone().oneshot(request).await.unwrap()).await,
            };
            assert!(got.status.is_success(), "{method} {fields:?}");
            assert_eq!(inner.calls(), calls, "{method} {fields:?}");
            assert_eq!(probe.unused.load(Ordering::Relaxed), 0, "{method}: made ready in vain");
            clock.advance(std::time::Duration::from_secs(61));
        }
    }
}

/// Its own readiness costs nothing: what is made ready and not called would hold a place for ever.
#[tokio::test]
async fn c06_readiness_of_the_cache_takes_nothing_from_the_inner_service() {
    let probe = Probe::new(Inner::new(|_, _| response(&[("cache-control", "max-age=60")], "x")));
    let (layer, _) = layer();
    let mut service = layer.layer(probe.clone());
    for _ in 0..3 {
        poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut service, cx)).await.unwrap();
    }
    assert_eq!(probe.unused.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        let response = service.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap();
        assert_eq!(Got::read(response).await.body, "x");
        assert_eq!(probe.unused.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn c06_concurrency_limit_is_kept_and_never_leaks() {
    let hour = std::time::Duration::from_secs(3600);
    tokio::time::timeout(hour, one_at_a_time()).await.expect("no place is held for ever");
}

async fn one_at_a_time() {
    let (layer, _) = layer();
    let (open, running) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let inner = {
        let (open, running) = (open.clone(), running.clone());
        service_fn(move |request: Request<Body>| {
            let (open, running) = (open.clone(), running.clone());
            async move {
                assert_eq!(running.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
                if request.uri().path() != "/free" {
                    open.acquire().await.unwrap().forget();
                }
                running.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, Infallible>(response(&[("cache-control", "max-age=60")], "x"))
            }
        })
    };
    let service = layer.layer(ConcurrencyLimit::new(inner, 1));
    let send = |path: &str| service.clone().oneshot(request("GET", path, &[]));
    Got::read(send("/free").await.unwrap()).await;
    let mut first = pin!(send("/1"));
    let mut second = pin!(send("/2"));
    let mut gone = Box::pin(send("/3"));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(gone.as_mut()).is_pending());
    // A hit waits for nobody, and a client that gives up gives up its place in the queue.
    assert!(Got::read(send("/free").await.unwrap()).await.is_hit());
    drop(gone);
    for waiting in [first, second] {
        open.add_permits(1);
        assert!(!Got::read(waiting.await.unwrap()).await.is_hit());
    }
    for at in 0..10 {
        open.add_permits(1);
        Got::read(send(&format!("/again/{at}")).await.unwrap()).await;
    }
}

#[tokio::test]
async fn c06_buffer_is_called_with_the_place_that_was_reserved() {
    let (layer, _) = layer();
    let inner = Inner::new(|_, _| response(&[("cache-control", "max-age=60")], "x"));
    // Panics when it is called without a reserved place.
    let service = layer.layer(Buffer::new(inner.clone(), 1));
    for (at, method) in ["GET", "GET", "PUT", "GET", "OPTIONS", "HEAD"].into_iter().enumerate() {
        let response: Result<_, BoxError> =
            service.clone().oneshot(request(method, "/", &[])).await;
        Got::read(response.unwrap()).await;
        assert_eq!(inner.calls(), [1, 1, 2, 3, 4, 4][at], "{method}");
    }
    let all = (0..50).map(|at| {
        let sent = service.clone().oneshot(request("GET", &format!("/{at}"), &[]));
        tokio::spawn(async { Got::read(sent.await.unwrap()).await })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().body, "x");
    }
    assert_eq!(inner.calls(), 54);
}

/// Ready once for each permit, for any of its clones.
#[derive(Clone)]
struct Seldom {
    inner: Inner,
    left: Arc<AtomicUsize>,
}

impl Service<Request<Body>> for Seldom {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.left.load(Ordering::Relaxed) == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.left.fetch_sub(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

#[tokio::test]
async fn c06_hits_are_served_while_the_inner_service_is_never_ready() {
    let inner = Inner::new(|_, _| {
        response(&[("cache-control", "max-age=60"), ("vary", "accept"), ("etag", "\"a\"")], "abc")
    });
    let (layer, _) = layer();
    let service = layer.layer(Seldom { inner: inner.clone(), left: Arc::new(AtomicUsize::new(1)) });
    let send = |method, fields| service.clone().oneshot(request(method, "/", fields));
    Got::read(send("GET", &[]).await.unwrap()).await;
    let asked: [(&str, Fields, u16); 5] = [
        ("GET", &[], 200),
        ("HEAD", &[], 200),
        ("GET", &[("range", "bytes=0-0")], 206),
        ("GET", &[("if-none-match", "\"a\"")], 304),
        ("GET", &[("accept", "x/y"), ("cache-control", "only-if-cached")], 504),
    ];
    for (method, fields, status) in asked {
        // At once: not even one turn of the executor.
        match poll(pin!(send(method, fields))) {
            Poll::Ready(response) => assert_eq!(response.unwrap().status(), status),
            Poll::Pending => panic!("{method} {fields:?} waits"),
        }
    }
    let waiting: [(&str, Fields); 3] =
        [("GET", &[("accept", "x/y")]), ("PUT", &[]), ("OPTIONS", &[])];
    for (method, fields) in waiting {
        assert!(poll(pin!(send(method, fields))).is_pending(), "{method}");
    }
    assert_eq!(inner.calls(), 1);
}

/// An error of readiness is the request's, unchanged, and a stale answer may stand in for it.
#[tokio::test]
async fn c06_error_of_readiness_is_the_inner_error() {
    #[derive(Debug, PartialEq)]
    struct Closed(u8);
    #[derive(Clone)]
    struct Failing(Inner, Arc<AtomicUsize>);
    impl Service<Request<Body>> for Failing {
        type Response = Response<Body>;
        type Error = Closed;
        type Future = std::future::Ready<Result<Response<Body>, Closed>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
            let open = self.1.load(Ordering::Relaxed) == 0;
            Poll::Ready(if open { Ok(()) } else { Err(Closed(7)) })
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            std::future::ready(Ok(self.0.call(request).into_inner().unwrap()))
        }
    }
    let inner =
        Inner::new(|_, _| response(&[("cache-control", "max-age=60, stale-if-error=60")], "x"));
    let (layer, clock) = layer();
    let closed = Arc::new(AtomicUsize::new(0));
    let service = layer.layer(Failing(inner, closed.clone()));
    let send = |method, path| service.clone().oneshot(request(method, path, &[]));
    Got::read(send("GET", "/").await.unwrap()).await;
    closed.store(1, Ordering::Relaxed);
    for (method, path) in [("GET", "/other"), ("PUT", "/other"), ("OPTIONS", "/")] {
        assert_eq!(send(method, path).await.unwrap_err(), Closed(7), "{method}");
    }
    clock.advance(std::time::Duration::from_secs(90));
    assert_eq!(Got::read(send("GET", "/").await.unwrap()).await.body, "x");
    clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(send("GET", "/").await.unwrap_err(), Closed(7));
}
