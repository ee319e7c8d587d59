//! The inner service is called when it is ready, as it is, and its errors come through.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};

use crate::support::request;

/// May be called only when this very instance was found ready since its last call.
struct Strict {
    is_ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { is_ready: false }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been found ready");
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

fn layer() -> RateLimitLayer {
    RateLimitLayer::new(Quota::per_second(1_000), LimitBy::everyone()).unwrap()
}

#[test]
fn c06_the_service_that_was_ready_is_the_one_that_is_called() {
    let mut service = layer().layer(Strict { is_ready: false });
    for _ in 0..3 {
        let answer =
            async { service.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap() };
        assert_eq!(answer.now_or_never().unwrap().status(), 200);
    }
}

#[test]
fn an_error_of_the_inner_service_comes_through_as_it_is() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Own(u8);
    let service =
        layer().layer(service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Own(7))));
    let error = service.oneshot(request("GET", "/", &[])).now_or_never().unwrap().unwrap_err();
    assert_eq!(error, Own(7));
}

/// Bodies that are not `Sync`, and services whose errors are their own, in a router and in a stack.
#[test]
fn a_router_takes_the_layer_as_it_is() {
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(async || "hello"))
        .layer(layer())
        .route_layer(layer());
    let answer = app.oneshot(request("GET", "/", &[])).now_or_never().unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    fn is_layer<L: Clone + Send + Sync + 'static>(_: &L) {}
    is_layer(&layer());
    is_layer(&tower::ServiceBuilder::new().layer(layer()).layer(layer()).into_inner());
}

#[tokio::test]
async fn c06_who_is_one_too_many_at_once_gives_up_the_place_that_was_made_ready() {
    use std::num::NonZeroU32;
    use tower::limit::ConcurrencyLimitLayer;
    use tower_keep::limit::KeyedConcurrencyLayer;
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::from("until it is read")))
    });
    let inner = ConcurrencyLimitLayer::new(2).layer(inner);
    let mut one =
        KeyedConcurrencyLayer::new(NonZeroU32::MIN, LimitBy::everyone()).layer(inner.clone());
    let held = one.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap();
    let refused = one.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap();
    assert_eq!((held.status().as_u16(), refused.status().as_u16()), (200, 429));
    // tower's own gives its permit back at the head, and the refused one has no place: there are two.
    let (mut other, mut another) = (inner.clone(), inner.clone());
    assert!(other.ready().now_or_never().is_some() && another.ready().now_or_never().is_some());
}

/// As of a `ConcurrencyLimit`: whoever is found ready and not called must not keep the place.
#[tokio::test]
async fn c06_who_is_refused_gives_up_the_place_that_was_made_ready() {
    use tower::limit::ConcurrencyLimitLayer;
    let inner =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let inner = ConcurrencyLimitLayer::new(1).layer(inner);
    let limit = RateLimitLayer::new(Quota::per_hour(1), LimitBy::everyone()).unwrap();
    let mut one = limit.layer(inner.clone());
    let status = async |service: &mut tower_keep::limit::RateLimit<_, _, _>| {
        let response = service.ready().await.unwrap().call(request("GET", "/", &[])).await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status(&mut one).await, 200);
    assert_eq!(status(&mut one).await, 429);
    // The refused one is still there, and has no place.
    let mut other = inner.clone();
    assert!(other.ready().now_or_never().is_some());
}
