//! The inner service is called when it is ready, as it is, and not at all for what is refused.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer as _, Service, ServiceExt as _};
use tower_keep::auth::{JwtLayer, KeySet, Refreshed, RequireScope};
use tower_keep::test_util::ManualClock;

use super::guarded::{PUBLIC, asker, read};
use super::scripted_keys::Script;
use super::tokens::{bearer, signers, verifier};
use crate::support::{Inner, request, response};

/// May be called only when this very instance was found ready since its last call; ready at the second time of asking.
struct Strict {
    inner: Inner,
    polls: usize,
    /// Made ready, and neither called nor given back.
    unused: Arc<AtomicUsize>,
}

impl Strict {
    fn new() -> Self {
        let inner = Inner::new(|request, _| response(&[], asker(request)));
        Self { inner, polls: 0, unused: Arc::default() }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), polls: 0, unused: self.unused.clone() }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        if self.polls >= 2 {
            self.unused.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

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

fn layer() -> JwtLayer<ManualClock> {
    JwtLayer::with_clock(verifier(), signers().keys(&PUBLIC), ManualClock::new())
}

fn asking(keys: &Script) -> JwtLayer<ManualClock> {
    JwtLayer::with_clock(verifier(), keys.clone(), ManualClock::new())
}

#[tokio::test]
async fn the_service_that_was_found_ready_is_the_one_that_is_called() {
    let strict = Strict::new();
    let mut service = layer().layer(RequireScope::new("read").layer(strict.clone()));
    let line = bearer("alice");
    for calls in 1..4 {
        // A refusal takes no place of the next one's.
        let refused = service.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap();
        assert_eq!((refused.status().as_u16(), strict.inner.calls()), (401, calls - 1));
        let sent = request("GET", "/", &[("authorization", &line)]);
        let passed = service.ready().await.unwrap().call(sent).await.unwrap();
        assert_eq!((passed.status().as_u16(), strict.inner.calls()), (200, calls));
        assert_eq!(strict.unused.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn who_has_waited_for_keys_waits_for_the_inner_service_then() {
    let keys = Script::asking(None);
    let strict = Strict::new();
    let mut service = asking(&keys).layer(strict.clone());
    let sent = || request("GET", "/", &[("authorization", &bearer("alice"))]);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(Box::pin(service.ready().await.unwrap().call(sent())));
    }
    for future in &mut waiting {
        assert!(future.now_or_never().is_none());
    }
    let unused = || strict.unused.load(Ordering::Relaxed);
    assert_eq!(unused(), 0, "who waits has given its place back");
    keys.answer(Refreshed::Current(signers().keys(&PUBLIC)));
    for future in waiting {
        assert_eq!(read(future.await.unwrap()).await.body, "alice");
    }
    assert_eq!((strict.inner.calls(), unused()), (3, 0));
}

#[tokio::test]
async fn a_place_in_the_inner_service_is_given_back() {
    // Panics where it is called without a place that was reserved.
    let inner = Strict::new();
    let service = layer().layer(Buffer::new(inner.clone(), 1));
    let limited = layer().layer(ConcurrencyLimit::new(inner.clone(), 1));
    let line = bearer("alice");
    for fields in
        [&[][..], &[("authorization", &*line)], &[("authorization", "Bearer a")]].repeat(5)
    {
        let buffered: Result<_, BoxError> =
            service.clone().oneshot(request("GET", "/", fields)).await;
        let limited = limited.clone().oneshot(request("GET", "/", fields)).await.unwrap();
        let is_good = fields.first().is_some_and(|(_, value)| *value == line);
        let status = if is_good { 200 } else { 401 };
        assert_eq!(
            (buffered.unwrap().status().as_u16(), limited.status().as_u16()),
            (status, status)
        );
    }
    assert_eq!(inner.inner.calls(), 10);
    // Of one who waits for keys and goes, too.
    let keys = Script::asking(Some(KeySet::default()));
    let limited = asking(&keys).layer(ConcurrencyLimit::new(inner.clone(), 1));
    let sent = || request("GET", "/", &[("authorization", &line)]);
    let mut gone = Box::pin(limited.clone().oneshot(sent()));
    for _ in 0..3 {
        assert!((&mut gone).now_or_never().is_none());
    }
    assert_eq!(keys.waiting(), 1);
    drop(gone);
    keys.answer(Refreshed::Current(signers().keys(&PUBLIC)));
    assert_eq!(limited.oneshot(sent()).await.unwrap().status(), 200);
}

#[derive(Debug, PartialEq)]
struct Broken(u8);

/// Fails when it is asked whether it is ready, or when it is called.
#[derive(Clone)]
struct Failing {
    is_ready: bool,
}

impl Service<Request<Body>> for Failing {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = Ready<Result<Response<Body>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(if self.is_ready { Ok(()) } else { Err(Broken(1)) })
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Err(Broken(2)))
    }
}

#[tokio::test]
async fn the_error_of_the_inner_service_passes_unchanged() {
    let line = bearer("alice");
    let sent = || request("GET", "/", &[("authorization", &line)]);
    for (is_ready, error) in [(false, Broken(1)), (true, Broken(2))] {
        let service = layer().layer(RequireScope::new("read").layer(Failing { is_ready }));
        assert_eq!(service.oneshot(sent()).await.unwrap_err(), error);
    }
    let keys = Script::asking(None);
    keys.answer(Refreshed::Current(signers().keys(&PUBLIC)));
    let waited = asking(&keys).layer(Failing { is_ready: true });
    assert_eq!(waited.oneshot(sent()).await.unwrap_err(), Broken(2));
    let refused = layer().layer(Failing { is_ready: true }).oneshot(request("GET", "/", &[])).await;
    assert_eq!(refused.unwrap().status(), 401, "a refusal is a response");
}

/// A body that no two threads may share, and that breaks.
struct Lonely(Cell<u8>);

impl http_body::Body for Lonely {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let step = self.0.replace(self.0.get() + 1);
        Poll::Ready(match step {
            0 => Some(Ok(Frame::data(Bytes::from_static(b"x")))),
            1 => Some(Ok(Frame::trailers(http::HeaderMap::new()))),
            _ => Some(Err(Broken(step))),
        })
    }
}

/// Frames, trailers and errors are the inner body's; of the request's body nothing is asked.
#[tokio::test]
async fn bodies_pass_as_they_are() {
    struct Opaque;
    let inner = tower::service_fn(async |_: Request<Opaque>| {
        Ok::<_, Infallible>(Response::new(Lonely(Cell::new(0))))
    });
    let service = layer().layer(RequireScope::new("read").layer(inner));
    let sent = Request::get("/").header("authorization", bearer("alice")).body(Opaque).unwrap();
    let mut body = service.oneshot(sent).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert_eq!(body.frame().await.unwrap().unwrap_err(), Broken(2));
}
