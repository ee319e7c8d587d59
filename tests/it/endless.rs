//! Bodies without an end, and bodies that turn out too long: both pass at once, and nothing of them stays.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, mpsc::UnboundedSender};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::{CacheHint, CachePolicy, Reason};

use crate::scripted::Step::{self, Data};
use crate::scripted::{fresh, paused, scripted};
use crate::support::{Got, Harness, TestLayer, request};

/// What says of itself that it has no end.
const STREAMS: [&str; 8] = [
    "text/event-stream",
    "text/event-stream;charset=utf-8",
    "TEXT/Event-Stream ; x=y",
    "application/grpc",
    "application/grpc+proto",
    "Application/gRPC",
    "application/grpc-web+json",
    "multipart/x-mixed-replace; boundary=x",
];
/// What may have one: a long poll, lines that go on and on.
const OTHERS: [&str; 4] =
    ["text/plain", "application/json", "application/x-ndjson", "application/octet-stream"];

/// Each answer is a body that waits for its steps, which the test makes.
struct Endless {
    cache: Harness,
    scripts: Arc<Mutex<Vec<UnboundedSender<Step>>>>,
}

impl Endless {
    fn of(kind: &'static str, policy: CachePolicy, cap: u64) -> Self {
        let scripts: Arc<Mutex<Vec<_>>> = Arc::default();
        let made = scripts.clone();
        let cache = Harness::with(
            |layer| layer.policy(policy).body_bytes_max(cap),
            move |_, _| {
                let (script, body, _) = paused();
                made.lock().unwrap().push(script);
                let mut made = fresh(&[("content-type", kind), ("etag", "\"1\"")], body);
                let hint = CacheHint::fresh_for(Duration::from_secs(60)).public();
                made.extensions_mut().insert(hint);
                made
            },
        );
        Self { cache, scripts }
    }

    fn make(&self, stream: usize, step: Step) {
        self.scripts.lock().unwrap()[stream].send(step).unwrap();
    }

    fn end(&self) {
        self.scripts.lock().unwrap().clear();
    }

    fn is_left(&self, stream: usize) -> bool {
        self.scripts.lock().unwrap()[stream].is_closed()
    }
}

/// What is there without waiting.
fn now<B>(body: &mut B) -> Option<bytes::Bytes>
where
    B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug> + Unpin,
{
    let frame = tokio::task::unconstrained(body.frame()).now_or_never();
    Some(frame??.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn c41_each_frame_of_an_endless_body_passes_before_the_next_is_made() {
    for policy in [CachePolicy::shared(), CachePolicy::rfc9111()] {
        for kind in STREAMS.into_iter().chain(OTHERS) {
            let endless = Endless::of(kind, policy.clone(), 1 << 20);
            let response = endless.cache.start(request("GET", "/", &[])).now_or_never();
            let response = response.expect("the head waits for no frame");
            assert_eq!(response.headers()["content-type"], kind);
            let mut body = response.into_body();
            for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
                assert_eq!(now(&mut body), None, "{kind}");
                endless.make(0, Data(event));
                assert_eq!(now(&mut body).as_deref(), Some(event.as_bytes()), "{kind}");
                assert!(endless.cache.store.is_empty(), "{kind}");
            }
        }
    }
}

/// Not gathered either, so it makes no difference whether it ends, how, and who has seen that.
#[tokio::test]
async fn c41_nothing_of_a_stream_is_stored_whatever_its_fields_say() {
    for policy in [CachePolicy::shared(), CachePolicy::rfc9111()] {
        for kind in STREAMS {
            let endless = Endless::of(kind, policy.clone(), 1 << 20);
            for round in 0..2 {
                let response = endless.cache.start(request("GET", "/", &[])).await;
                assert_eq!(format!("{:?}", response.body()), "CacheBody(passing)", "{kind}");
                endless.make(0, Data("data: 1\n\n"));
                endless.end();
                let got = Got::read(response).await;
                assert_eq!((got.reason(), &*got.body), (Some(Reason::EventStream), "data: 1\n\n"));
                assert_eq!(endless.cache.inner.calls(), round + 1, "{kind}");
            }
            endless.cache.start(request("HEAD", "/", &[])).await;
            assert_eq!(endless.cache.inner.calls(), 3, "{kind}");
            assert!(endless.cache.store.is_empty(), "{kind}");
        }
    }
}

/// Who comes later has a stream of its own, at once, and not the end of somebody else's to wait for.
#[tokio::test]
async fn c41_nobody_waits_for_an_endless_body_of_somebody_else() {
    for kind in STREAMS {
        let endless = Endless::of(kind, CachePolicy::shared(), 1 << 20);
        let mut bodies = Vec::new();
        for at in 0..4 {
            let response = endless.cache.start(request("GET", "/", &[])).now_or_never();
            let mut body = response.expect("it waits for nobody").into_body();
            endless.make(at, Data("own"));
            assert_eq!(now(&mut body).as_deref(), Some(&b"own"[..]), "{kind}");
            assert_eq!(endless.cache.inner.calls(), at + 1, "{kind}");
            bodies.push(body);
        }
        endless.make(1, Data("second"));
        assert_eq!(now(&mut bodies[0]), None, "{kind}");
        assert_eq!(now(&mut bodies[1]).as_deref(), Some(&b"second"[..]), "{kind}");
    }
}

/// Nor is the end waited for of what does not say that it has none: all read what there is.
#[tokio::test]
async fn c41_each_frame_of_an_endless_body_passes_to_all_who_read_it() {
    for kind in OTHERS {
        let endless = Endless::of(kind, CachePolicy::shared(), 1 << 20);
        let mut bodies = Vec::new();
        for _ in 0..4 {
            let response = endless.cache.start(request("GET", "/", &[])).now_or_never();
            bodies.push(response.expect("the head is there").into_body());
        }
        for event in ["first", "second"] {
            bodies.iter_mut().for_each(|body| assert_eq!(now(body), None, "{kind}"));
            endless.make(0, Data(event));
            for body in &mut bodies {
                assert_eq!(now(body).as_deref(), Some(event.as_bytes()), "{kind}");
            }
        }
        assert_eq!(endless.cache.inner.calls(), 1, "{kind}");
    }
}

/// A long poll, which is not even answered until something happens, and then with what nobody stores.
#[tokio::test]
async fn c41_nobody_waits_for_a_long_poll_of_somebody_else() {
    let happened = Arc::new(Notify::new());
    let wait = happened.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let (wait, waits) = (wait.clone(), request.headers().contains_key("wait"));
        async move {
            if waits {
                wait.notified().await;
            }
            let mut answer =
                fresh(&[], scripted(&[Data(if waits { "at last" } else { "at once" })]));
            answer.headers_mut().insert("cache-control", "no-store".parse().unwrap());
            Ok::<_, Infallible>(answer)
        }
    });
    let cache = Harness::new(|_, _| Response::default());
    let send = async |fields: &[(&str, &str)], path: &str| {
        let service = cache.layer.layer(inner.clone());
        Got::read(service.oneshot(request("GET", path, fields)).await.unwrap()).await.body
    };
    // By the first answer it is known that nobody else has any use for the others.
    assert_eq!(send(&[], "/").await, "at once");
    let mut poll = Box::pin(send(&[("wait", "1")], "/"));
    assert!((&mut poll).now_or_never().is_none());
    assert_eq!(send(&[], "/other").await, "at once");
    assert_eq!(send(&[], "/").await, "at once", "the same URL");
    let mut left = Box::pin(send(&[("wait", "1"), ("cache-control", "no-cache")], "/"));
    assert!((&mut left).now_or_never().is_none());
    drop(left);
    happened.notify_waiters();
    assert_eq!(poll.await, "at last");
}

/// The limit of what is gathered is that of an entry, and the stream goes on beyond it.
#[tokio::test]
async fn c41_no_more_than_the_limit_is_gathered_of_an_endless_body() {
    for kind in OTHERS {
        let endless = Endless::of(kind, CachePolicy::shared(), 1000);
        let mut body = endless.cache.start(request("GET", "/", &[])).await.into_body();
        for bytes in (0..20_000).step_by(10) {
            let state = if bytes <= 1000 { "passing and being stored" } else { "passing" };
            assert_eq!(format!("{body:?}"), format!("CacheBody({state})"), "{kind} at {bytes}");
            endless.make(0, Data("0123456789"));
            assert_eq!(now(&mut body).unwrap(), "0123456789");
        }
        assert_eq!(endless.cache.layer.handle().stats().not_stored, 1);
        endless.end();
        assert!(body.frame().await.is_none());
        assert!(endless.cache.store.is_empty(), "{kind}");
    }
}

/// Nothing reads on for the store's sake.
#[tokio::test]
async fn c41_an_endless_stream_ends_when_its_client_leaves() {
    for kind in STREAMS {
        let endless = Endless::of(kind, CachePolicy::shared(), 1 << 20);
        let mut body = endless.cache.start(request("GET", "/", &[])).await.into_body();
        endless.make(0, Data("data: 1\n\n"));
        assert!(now(&mut body).is_some() && !endless.is_left(0));
        drop(body);
        assert!(endless.is_left(0), "{kind}");
        tokio::task::yield_now().await;
        assert!(endless.cache.store.is_empty(), "{kind}");
    }
}

/// What may be stored goes on for a while; but not for ever, and not beyond what is kept.
#[tokio::test]
async fn c41_an_endless_body_ends_a_minute_after_its_last_client_left() {
    for kind in OTHERS {
        let endless = Endless::of(kind, CachePolicy::shared(), 1 << 20);
        let mut body = endless.cache.start(request("GET", "/", &[])).await.into_body();
        endless.make(0, Data("data: 1\n\n"));
        assert!(now(&mut body).is_some());
        drop(body);
        tokio::task::yield_now().await;
        assert_eq!(endless.cache.layer.handle().stats().background, 1, "{kind}");
        endless.cache.advance(59);
        tokio::task::yield_now().await;
        assert!(!endless.is_left(0), "{kind}");
        endless.cache.advance(1);
        tokio::task::yield_now().await;
        assert!(endless.is_left(0), "{kind}");
        let stats = endless.cache.layer.handle().stats();
        assert_eq!((stats.background, stats.flights, stats.stored), (0, 0, 0), "{kind}");
    }
}

#[tokio::test]
async fn c41_an_endless_body_that_nobody_reads_ends_when_it_outgrows_the_limit() {
    let endless = Endless::of("text/plain", CachePolicy::shared(), 20);
    drop(endless.cache.start(request("GET", "/", &[])).await);
    for _ in 0..3 {
        endless.make(0, Data("0123456789"));
    }
    endless.cache.layer.handle().drain(Duration::MAX).await.unwrap();
    assert!(endless.is_left(0));
    assert_eq!(endless.cache.layer.handle().stats().flights, 0);
}

/// What memory that takes is shown in `tests/memory.rs`.
#[tokio::test]
async fn c42_a_body_that_outgrows_the_limit_passes_whole_and_leaves_nothing() {
    const FRAME: &str = "0123456789abcdef";
    let mut endless = Endless::of("text/plain", CachePolicy::shared(), 100);
    endless.cache.change(TestLayer::without_collapsing);
    let mut bodies = Vec::new();
    for _ in 0..8 {
        bodies.push(endless.cache.start(request("GET", "/", &[])).await.into_body());
    }
    // All of them grow at the same time.
    for frames in 1..=20 {
        for (at, body) in bodies.iter_mut().enumerate() {
            endless.make(at, Data(FRAME));
            assert_eq!(now(body).unwrap(), FRAME);
            let is_filling = format!("{body:?}").contains("stored");
            assert_eq!(is_filling, frames * FRAME.len() <= 100, "frame {frames}");
        }
    }
    endless.end();
    for mut body in bodies {
        assert!(body.frame().await.is_none());
    }
    let stats = endless.cache.layer.handle().stats();
    assert_eq!((stats.stored, stats.not_stored), (0, 8));
    assert!(endless.cache.store.is_empty());
}

/// A client that asks for the newest cannot take what the others are served.
#[tokio::test]
async fn c42_a_body_over_the_limit_neither_replaces_nor_removes_what_is_fresh() {
    let cache = Harness::with(
        |layer| layer.body_bytes_max(10),
        |request, _| match request.headers().contains_key("big") {
            true => fresh(&[], scripted(&[Data("01234567"), Data("89"), Data("more")])),
            false => fresh(&[], scripted(&[Data("small")])),
        },
    );
    cache.get("/", &[]).await;
    let big = cache.get("/", &[("big", "1"), ("cache-control", "no-cache")]).await;
    assert_eq!(big.body, "0123456789more");
    assert_eq!(cache.layer.handle().stats().not_stored, 1);
    let hit = cache.get("/", &[]).await;
    assert_eq!((hit.is_hit(), hit.body.as_str()), (true, "small"));
}
