//! C61: no fault of the cache is an error of the service, or an answer that the inner service did not give.

use std::future::Ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body::Body as _;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::{Cache, CacheLayer};
use tower_keep::clock::SystemClock;
use tower_keep::store::MemoryStore;

use super::{Faulty, Mode, Rig, settled, timed};
use crate::support::{Got, answered, request, response};

/// No error type of any crate: neither `Error`, `Debug`, `Clone` nor `Sync`.
struct Odd(std::cell::Cell<u8>);

type Failing = fn(Request<Body>) -> Ready<Result<Response<Body>, Odd>>;
type Behind<St> = Cache<tower::util::ServiceFn<Failing>, St, SystemClock>;

/// Compiles only where the service's error is the inner one.
const fn has_error<S: Service<Request<Body>, Error = E>, E>() {}
const _: () = has_error::<Behind<MemoryStore>, Odd>();
const _: () = has_error::<Behind<Faulty>, Odd>();

fn fail(_: Request<Body>) -> Ready<Result<Response<Body>, Odd>> {
    std::future::ready(Err(Odd(std::cell::Cell::new(7))))
}

/// A look-up, a write, and what the cache has no part in.
const REQUESTS: [(&str, &[(&str, &str)]); 5] = [
    ("GET", &[]),
    ("HEAD", &[]),
    ("PUT", &[]),
    ("OPTIONS", &[]),
    ("GET", &[("upgrade", "websocket")]),
];

#[tokio::test]
async fn c61_error_of_the_inner_service_passes_unchanged() {
    let service = CacheLayer::new(Faulty::default()).layer(service_fn(fail as Failing));
    for (method, fields) in REQUESTS {
        match service.clone().oneshot(request(method, "/", fields)).await {
            Err(error) => assert_eq!(error.0.get(), 7, "{method}"),
            Ok(response) => panic!("{method}: {response:?}"),
        }
    }
}

/// `Router::layer` takes only services that cannot fail.
#[tokio::test]
async fn c61_router_takes_the_layer_as_it_is() {
    let router: Router = Router::new()
        .route("/", axum::routing::get(async || "x"))
        .layer(CacheLayer::new(Faulty::default()));
    let response: Result<_, std::convert::Infallible> =
        router.oneshot(request("GET", "/", &[])).await;
    assert_eq!(response.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn c61_fault_of_the_store_changes_no_answer() {
    let modes = [Mode::Works, Mode::Errs, Mode::Hangs, Mode::After(Duration::from_millis(30))];
    for mode in modes {
        for status in [200, 204, 206, 301, 404, 410, 500, 503] {
            let fields = [("cache-control", "max-age=60"), ("etag", "\"a\""), ("vary", "accept")];
            let rig = Rig::new(move |_, _| {
                let body = if status == 204 { "" } else { "the answer" };
                answered(status, &fields, body)
            });
            // Before, and after something was stored in good times.
            for _ in 0..2 {
                rig.store.set_all(&mode);
                for (method, fields) in REQUESTS {
                    let (got, _) = timed(rig.send(method, "/", fields)).await;
                    assert_eq!(got.status, status, "{mode:?} {method}");
                    let is_plain = method != "HEAD" && status != 204;
                    assert!(!is_plain || got.body == "the answer", "{mode:?} {method} {status}");
                }
                rig.store.set_all(&Mode::Works);
                rig.get("/").await;
            }
        }
    }
}

/// RFC 9111 §5.2.1.7 asks for a 504 where nothing is stored; it is no error, and not to be kept.
#[tokio::test(start_paused = true)]
async fn c61_only_if_cached_with_a_broken_store_is_504() {
    for mode in [Mode::Errs, Mode::Hangs] {
        let rig = Rig::new(|_, _| response(&[("cache-control", "max-age=60")], "x"));
        rig.get("/").await;
        rig.store.set_all(&mode);
        let (got, _) = timed(rig.send("GET", "/", &[("cache-control", "only-if-cached")])).await;
        assert_eq!((got.status.as_u16(), got.field("cache-control")), (504, Some("no-store")));
    }
}

#[tokio::test]
async fn c61_future_that_is_polled_after_its_end_does_not_panic() {
    let rig = Rig::new(|_, _| response(&[("cache-control", "max-age=60")], "x"));
    rig.get("/").await;
    rig.store.answer_now(1);
    let cx = &mut Context::from_waker(Waker::noop());
    // A hit, then a miss, a write and a bypass.
    for (method, path, fields) in [
        ("GET", "/", &[][..]),
        ("GET", "/other", &[]),
        ("OPTIONS", "/", &[]),
        ("PUT", "/", &[]),
        ("GET", "/", &[("upgrade", "websocket")]),
    ] {
        let mut future = pin!(rig.service.clone().call(request(method, path, fields)));
        std::future::poll_fn(|cx| future.as_mut().poll(cx)).await.unwrap();
        assert!(future.as_mut().poll(cx).is_pending(), "{method} {path}");
        assert!(future.as_mut().poll(cx).is_pending(), "{method} {path}");
    }
}

#[tokio::test]
async fn c61_body_that_is_polled_after_its_end_does_not_panic() {
    let rig = Rig::new(|_, _| response(&[("cache-control", "max-age=60")], "x"));
    for is_hit in [false, true] {
        let mut body = pin!(rig.start(request("GET", "/", &[])).await.into_body());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(matches!(body.as_mut().poll_frame(cx), Poll::Ready(Some(Ok(_)))), "{is_hit}");
        for _ in 0..3 {
            assert!(matches!(body.as_mut().poll_frame(cx), Poll::Ready(None)), "{is_hit}");
        }
        settled().await;
    }
}

/// Neither a timer nor tasks: then the store is waited for as long as it takes, and what nobody waits for
/// is done at once or not at all.
#[test]
fn c61_cache_needs_no_runtime() {
    let rig = Rig::new(|_, _| response(&[("cache-control", "max-age=60")], "x"));
    for method in ["GET", "PUT", "GET"] {
        let mut work = pin!(async { Got::read(rig.start(request(method, "/", &[])).await).await });
        let got = loop {
            if let Poll::Ready(got) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break got;
            }
        };
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "x"));
    }
    assert!(rig.store.entries().is_empty());
}
