//! What fails, fails alone, and says why.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::Service;
use tower_keep::cache::{WarmingError, WarmingErrorKind};

use super::{FRESH, counts, warming};
use crate::support::{Harness, answered, response};

#[tokio::test]
async fn a_url_that_is_not_absolute_fails_alone_and_is_not_asked_for() {
    let bad = ["/a", "*", "a.test:80", "ftp://a.test/", "http://user@a.test/", "ws://a.test/"];
    let harness = Harness::new(|_, _| response(&[FRESH], "x"));
    let urls: Vec<_> =
        ["http://a.test/1"].into_iter().chain(bad).chain(["http://a.test/2"]).collect();
    let (progress, told) = harness.warm_and_tell(warming(&urls).parallel(1)).await;
    assert_eq!(counts(progress), (2, 2, 0, 6));
    let failed: Vec<_> = told.iter().filter(|(_, kind)| kind.is_some()).collect();
    assert_eq!(failed.len(), 6);
    for ((url, kind), bad) in failed.into_iter().zip(bad) {
        assert_eq!((url.as_str(), *kind), (bad, Some(WarmingErrorKind::Url)));
    }
    assert_eq!(harness.inner.calls(), 2);
}

#[tokio::test]
async fn an_answer_with_an_error_counts_as_failed() {
    let harness = Harness::new(|request, _| {
        let status = request.uri().path()[1..].parse().unwrap();
        answered(status, &[FRESH], "the page")
    });
    let urls: Vec<_> = ["200", "203", "301", "404", "410", "503", "599"]
        .map(|it| format!("http://a.test/{it}"))
        .into();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let mut statuses = Vec::new();
    let cached = tower::Layer::layer(&harness.layer, harness.inner.clone());
    let progress = warming(&urls)
        .parallel(1)
        .run(cached, |step| statuses.extend(step.error.map(|error| (error.kind(), error.status()))))
        .await;
    assert_eq!((progress.ok, progress.failed), (3, 4));
    for ((kind, status), expected) in statuses.into_iter().zip([404, 410, 503, 599]) {
        assert_eq!((kind, status.unwrap().as_u16()), (WarmingErrorKind::Status, expected));
    }
    assert!(harness.get("/200", &[]).await.is_hit());
    harness.layer.handle().drain(std::time::Duration::MAX).await.unwrap();
    assert!(harness.get("/404", &[]).await.is_hit(), "it said that it may be stored");
}

#[tokio::test]
async fn a_body_that_fails_counts_as_failed_and_is_not_stored() {
    let harness = Harness::new(|request, _| {
        let frames: Vec<Result<_, &str>> = match request.uri().path() {
            "/broken" => vec![Ok(Frame::data(Bytes::from("half"))), Err("reset")],
            _ => vec![Ok(Frame::data(Bytes::from("a"))), Ok(Frame::data(Bytes::from("b")))],
        };
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        Response::builder().header(FRESH.0, FRESH.1).body(body).unwrap()
    });
    let urls = ["http://a.test/broken", "http://a.test/whole"];
    let (progress, told) = harness.warm_and_tell(warming(&urls).parallel(1)).await;
    assert_eq!(counts(progress), (1, 1, 0, 1));
    assert_eq!(told[0].1, Some(WarmingErrorKind::Body));
    assert_eq!(harness.layer.handle().stats().stored, 1);
    assert_eq!(harness.get("/whole", &[]).await.body, "ab");
}

/// Fails where its number says: when it is asked whether it is ready, or when it is called.
#[derive(Clone)]
struct Failing(u8);

impl Service<Request<Body>> for Failing {
    type Response = Response<Body>;
    type Error = u8;
    type Future = Ready<Result<Response<Body>, u8>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), u8>> {
        Poll::Ready(if self.0 == 0 { Err(0) } else { Ok(()) })
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(if request.uri().path() == "/bad" { Err(1) } else { Ok(Response::default()) })
    }
}

#[tokio::test]
async fn a_service_that_fails_fails_that_url_alone() {
    for (service, failed) in [(Failing(0), 2), (Failing(1), 1)] {
        let urls = warming(&["http://a.test/bad", "http://a.test/good"]);
        let mut kinds = Vec::new();
        let progress =
            urls.run(service, |step| kinds.extend(step.error.map(WarmingError::kind))).await;
        assert_eq!((progress.ok, progress.failed), (2 - failed, failed));
        assert_eq!(kinds, vec![WarmingErrorKind::Service; failed as usize]);
    }
}

#[tokio::test]
async fn an_error_says_in_words_what_failed() {
    let mut words = Vec::new();
    let service = tower::service_fn(async |_: Request<Body>| {
        let response = Response::builder().status(StatusCode::GONE).body(Body::empty());
        Ok::<_, Infallible>(response.unwrap())
    });
    let urls = warming(&["http://a.test/", "/"]).parallel(1);
    urls.run(service, |step| {
        let error = step.error.unwrap();
        assert!(error.source().is_none());
        words.push(error.to_string());
    })
    .await;
    assert_eq!(words[0], "the answer to the URL was 410 Gone");
    assert!(words[1].starts_with("the URL to warm needs `http` or `https`"));
}
