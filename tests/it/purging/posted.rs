//! An answer to a POST that a later GET may have, and what is purged while it is on its way.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, Response};
use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CachePolicy, Purge};
use tower_keep::test_util::ManualClock;

use super::overtaken::{PATH, TAGGED, purges};
use super::{AnyLayer, FRESH, Fields, settled, uri};
use crate::support::{Got, answered, request, response};

/// `POST /` answers with what a GET would have got, and waits for the gate first.
fn filling(gate: Arc<Semaphore>) -> impl Fn(Request<Body>) -> AnswerFuture + Clone {
    move |request: Request<Body>| {
        let gate = gate.clone();
        Box::pin(async move {
            let fields: Fields<'_> = &[FRESH, TAGGED, ("content-location", PATH)];
            Ok(match (request.method(), request.uri().path()) {
                (&Method::POST, "/a/b") => {
                    gate.acquire().await.unwrap().forget();
                    response(fields, "posted")
                }
                (&Method::GET, _) => response(&[FRESH, TAGGED], "got"),
                _ => answered(204, &[], ""),
            })
        })
    }
}

type AnswerFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// What a GET gets after a POST of which the answer may stand for it, where `meanwhile` came in between.
async fn after_a_post(meanwhile: &Meanwhile) -> String {
    let policy = CachePolicy::shared().post_fills_get();
    let layer = AnyLayer::with_clock(super::memory(), ManualClock::new()).policy(policy);
    let gate = Arc::new(Semaphore::new(0));
    let service = layer.layer(tower::service_fn(filling(gate.clone())));
    // Something is stored, and was purged before.
    let get =
        async || Got::read(service.clone().oneshot(request("GET", PATH, &[])).await.unwrap()).await;
    get().await;
    layer.handle().purge(Purge::url(uri("http://a.test/a/b?q"))).await.unwrap();
    let post = tokio::spawn(service.clone().oneshot(request("POST", PATH, &[])));
    settled().await;
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Write(method, path) => {
            drop(service.clone().oneshot(request(method, path, &[])).await.unwrap());
        }
        Meanwhile::Purge(purge) => drop(layer.handle().purge(purge.clone()).await.unwrap()),
    }
    gate.add_permits(1);
    assert_eq!(Got::read(post.await.unwrap().unwrap()).await.body, "posted");
    let got = get().await;
    assert_eq!(got.is_hit(), got.body == "posted");
    got.body
}

#[derive(Debug)]
enum Meanwhile {
    Nothing,
    Write(&'static str, &'static str),
    Purge(Purge),
}

/// RFC 9110 §9.3.3: it was made after all that the write made unusable.
#[tokio::test]
async fn a_post_that_fills_get_is_not_overtaken_by_its_own_invalidation() {
    for meanwhile in [Meanwhile::Nothing, Meanwhile::Write("PUT", "/other")] {
        assert_eq!(after_a_post(&meanwhile).await, "posted", "{meanwhile:?}");
    }
    for purge in purges().1 {
        let meanwhile = Meanwhile::Purge(purge);
        assert_eq!(after_a_post(&meanwhile).await, "posted", "{meanwhile:?}");
    }
}

#[tokio::test]
async fn a_post_that_fills_get_is_overtaken_by_another_write() {
    for method in ["PUT", "DELETE", "BREW"] {
        let meanwhile = Meanwhile::Write(method, PATH);
        assert_eq!(after_a_post(&meanwhile).await, "got", "{meanwhile:?}");
    }
    let url = Meanwhile::Purge(Purge::url(uri("http://a.test/a/b?q")));
    assert_eq!(after_a_post(&url).await, "got");
}

/// Its own invalidation is of one resource; what else was purged meanwhile was purged by others.
#[tokio::test]
async fn a_post_that_fills_get_is_overtaken_by_a_purge_of_any_kind() {
    for purge in purges().0 {
        let meanwhile = Meanwhile::Purge(purge);
        assert_eq!(after_a_post(&meanwhile).await, "got", "{meanwhile:?}");
    }
}
