//! What who is refused gets, and who is.

use std::convert::Infallible;
use std::future::{Ready, ready};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::limit::{KeyedConcurrencyBody, KeyedConcurrencyLayer, NoKey};

use super::{at_once, from, in_flight};
use crate::scripted::Step::Data;
use crate::scripted::scripted;

type Got = Response<KeyedConcurrencyBody<Body>>;

/// Answers with a body that is in flight until it is dropped.
fn answer(_: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    ready(Ok(Response::new(scripted(&[Data("a")]))))
}

async fn send(layer: &KeyedConcurrencyLayer, request: Request<Body>) -> Got {
    layer.layer(service_fn(answer)).oneshot(request).await.unwrap()
}

async fn status(layer: &KeyedConcurrencyLayer, who: &str) -> (u16, Got) {
    let got = send(layer, from(who)).await;
    (got.status().as_u16(), got)
}

fn keyless() -> Request<Body> {
    Request::new(Body::empty())
}

#[tokio::test]
async fn r12_who_is_refused_gets_429_and_no_word_on_when_to_come_again() {
    let layer = at_once(1);
    let _held = send(&layer, from("ada")).await;
    let got = send(&layer, from("ada")).await;
    assert_eq!(got.status(), 429);
    assert_eq!(got.headers()["cache-control"], "no-store");
    assert_eq!(got.headers()["content-type"], "application/problem+json");
    assert!(!got.headers().contains_key("retry-after"));
    let body = got.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["status"], 429);
}

#[tokio::test]
async fn r12_grpc_is_refused_by_its_own_status_in_trailers_alone() {
    let layer = at_once(1);
    let _held = send(&layer, from("ada")).await;
    let request = Request::post("/shop.Shop/Buy").header("who", "ada");
    let request = request.header("content-type", "application/grpc+proto");
    let got = send(&layer, request.body(Body::empty()).unwrap()).await;
    assert_eq!(got.status(), 200);
    assert_eq!(got.headers()["grpc-status"], "8");
    assert_eq!(got.headers()["content-type"], "application/grpc");
    assert!(http_body::Body::is_end_stream(got.body()));
}

#[tokio::test]
async fn r12_who_is_refused_is_not_in_flight_and_reaches_nobody() {
    let layer = at_once(1);
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let service = layer.layer(service_fn(|request| {
        calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        answer(request)
    }));
    let call = async || service.clone().oneshot(from("ada")).await.unwrap();
    let held = call().await;
    let refused = [call().await, call().await];
    assert_eq!(in_flight(&layer), (1, 1));
    drop(held);
    assert_eq!(in_flight(&layer), (0, 0), "though the refusals are still there");
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 1);
    drop(refused);
    assert_eq!(call().await.status(), 200);
}

#[tokio::test]
async fn requests_without_a_key_are_refused_allowed_or_counted_together() {
    let refusing = at_once(1);
    let got = send(&refusing, keyless()).await;
    assert_eq!(got.status(), 500, "it is not the client's fault");
    assert_eq!(got.headers()["cache-control"], "no-store");
    assert_eq!(refusing.handle().stats().refused, 1);

    let allowing = at_once(1).no_key(NoKey::Allow);
    let got = [send(&allowing, keyless()).await, send(&allowing, keyless()).await];
    assert!(got.iter().all(|got| got.status() == 200));
    assert_eq!(in_flight(&allowing), (0, 0));

    let sharing = at_once(1).no_key(NoKey::Share);
    let _held = send(&sharing, keyless()).await;
    assert_eq!(send(&sharing, keyless()).await.status(), 429);
    assert_eq!(status(&sharing, "").await.0, 200, "a key of nothing is another");
}

#[tokio::test]
async fn in_shadow_mode_all_pass_and_are_counted() {
    let layer = at_once(1).shadow();
    let held = [status(&layer, "ada").await, status(&layer, "ada").await];
    assert!(held.iter().all(|(status, _)| *status == 200));
    assert_eq!(send(&layer, keyless()).await.status(), 200);
    let stats = layer.handle().stats();
    assert_eq!((stats.keys, stats.in_flight, stats.admitted, stats.refused), (1, 2, 1, 2));
    drop(held);
    assert_eq!(in_flight(&layer), (0, 0));
}

#[tokio::test]
async fn r05_keys_in_flight_are_bounded_and_those_that_are_there_go_on() {
    let layer = at_once(2).keys_max(2);
    let (ada, bob) = (status(&layer, "ada").await, status(&layer, "bob").await);
    assert_eq!((ada.0, bob.0, status(&layer, "eve").await.0), (200, 200, 429));
    assert_eq!(status(&layer, "ada").await.0, 200);
    drop(bob);
    assert_eq!(status(&layer, "eve").await.0, 200);
}

#[tokio::test]
async fn clones_share_counts_and_layers_do_not() {
    let layer = at_once(1);
    let _held = send(&layer.clone(), from("ada")).await;
    assert_eq!(status(&layer.clone().keys_max(9), "ada").await.0, 429);
    assert_eq!(status(&at_once(1), "ada").await.0, 200);
}

/// Fails unless this very instance was found ready before its call.
struct Strict(bool);

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        self.0 = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "the one that was ready is called");
        answer(request)
    }
}

#[tokio::test]
async fn c06_the_service_that_was_ready_is_the_one_that_is_called() {
    let mut service = at_once(1).layer(Strict(false));
    for _ in 0..2 {
        assert_eq!(service.ready().await.unwrap().call(from("ada")).await.unwrap().status(), 200);
    }
}
