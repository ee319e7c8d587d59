//! With routers, with other layers, and with bodies of any kind.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::trace::TraceLayer;
use tower_keep::limit::KeyedConcurrencyLayer;

use super::{at_once, from, in_flight};
use crate::scripted::Step::Data;
use crate::scripted::scripted;

async fn streaming() -> Body {
    scripted(&[Data("a"), Data("b")])
}

/// One at once, and the second is refused until the first was read.
async fn is_limited<S, B>(layer: &KeyedConcurrencyLayer, service: S)
where
    S: Service<Request<Body>, Response = Response<B>, Error: std::fmt::Debug> + Clone,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let first = service.clone().oneshot(from("ada")).await.unwrap();
    assert_eq!(in_flight(layer), (1, 1));
    assert_eq!(service.clone().oneshot(from("ada")).await.unwrap().status(), 429);
    let body = first.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "ab");
    assert_eq!(service.oneshot(from("ada")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn r12_it_wraps_a_router_a_route_and_what_a_builder_makes() {
    let layer = at_once(1);
    is_limited(&layer, Router::new().route("/", get(streaming)).layer(layer.clone())).await;
    is_limited(&layer, Router::new().route("/", get(streaming).layer(layer.clone()))).await;
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(layer.clone())
        .concurrency_limit(8)
        .service(service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::new(streaming().await))
        }));
    is_limited(&layer, stack).await;
    let timed = ServiceBuilder::new()
        .layer(layer.clone())
        .timeout(Duration::from_secs(60))
        .service(Router::new().route("/", get(streaming)));
    is_limited(&layer, timed).await;
}

/// Neither `Sync` nor `Unpin`, with data of another kind.
struct Odd(Cell<usize>, std::marker::PhantomPinned);

impl http_body::Body for Odd {
    type Data = bytes::buf::Chain<Bytes, Bytes>;
    type Error = String;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, String>>> {
        let left = self.0.get();
        let data = || bytes::Buf::chain(Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        self.0.set(left.saturating_sub(1));
        Poll::Ready((left > 0).then(|| Ok(Frame::data(data()))))
    }
}

#[tokio::test]
async fn bodies_may_be_of_any_kind() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_a_layer<L: Clone + Send + Sync + 'static>(layer: L) -> L {
        layer
    }
    let layer = is_a_layer(at_once(1));
    let service = layer.layer(service_fn(async |_: Request<Cell<()>>| {
        Ok::<_, Infallible>(Response::new(Odd(Cell::new(2), std::marker::PhantomPinned)))
    }));
    let response = service.oneshot(from("ada").map(|_| Cell::new(()))).await.unwrap();
    let body = is_send(Box::pin(response.into_body()));
    assert_eq!(in_flight(&layer), (1, 1));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abab");
    assert_eq!(in_flight(&layer), (0, 0));
}
