use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::scripted::Step::{Data, Pending, Trailer};
use crate::scripted::{Step, fresh, paused, read, scripted};
use crate::support::{Harness, request};

const SUMMED: &[Step] = &[Data("abc"), Data("def"), Trailer("x-sum", "7")];

fn sum(trailers: &Option<HeaderMap>) -> Option<&str> {
    trailers.as_ref()?.get("x-sum")?.to_str().ok()
}

#[tokio::test]
async fn trailers_are_stored_and_replayed() {
    let heads: [&[(&str, &str)]; 5] = [
        &[],
        &[("trailer", "x-sum")],
        &[("trailer", "x-other, x-sum")],
        &[("content-length", "6")],
        &[("content-length", "6"), ("trailer", "x-sum")],
    ];
    for fields in heads {
        let cache = Harness::new(move |_, _| fresh(fields, scripted(SUMMED)));
        let miss = cache.get("/", &[]).await;
        assert_eq!((miss.body.as_str(), sum(&miss.trailers)), ("abcdef", Some("7")));
        let hit = cache.get("/", &[]).await;
        assert!(hit.is_hit(), "{fields:?}");
        assert_eq!((hit.body.as_str(), sum(&hit.trailers)), ("abcdef", Some("7")), "{fields:?}");
        // RFC 9110 §6.6.2: what really comes.
        assert_eq!(hit.field("trailer"), Some("x-sum"), "{fields:?}");
        // With a length, HTTP/1.1 has no place for trailers.
        assert_eq!(hit.field("content-length"), None, "{fields:?}");
        assert_eq!(hit.field("x-sum"), None, "RFC 9110 §6.5.1: not merged into the header section");
    }
}

#[tokio::test]
async fn a_hit_with_trailers_is_not_at_its_end_before_them() {
    let cache = Harness::new(|_, _| fresh(&[], scripted(SUMMED)));
    cache.get("/", &[]).await;
    let mut body = cache.start(request("GET", "/", &[])).await.into_body();
    let hint = body.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (6, None), "an exact size would frame it by a length");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcdef");
    assert!(!body.is_end_stream());
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap()["x-sum"], "7");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_hit_with_trailers_and_no_data_is_the_trailers() {
    let cache = Harness::new(|_, _| fresh(&[], scripted(&[Trailer("x-sum", "0")])));
    cache.get("/", &[]).await;
    let body = cache.start(request("GET", "/", &[])).await.into_body();
    assert!(!body.is_end_stream());
    let hit = read(body).await;
    assert!(hit.frames.is_empty());
    assert_eq!(sum(&hit.trailers), Some("0"));
    assert_eq!(cache.inner.calls(), 1);
}

/// A part is not the whole that the trailers speak of, and HEAD and 304 have no content to follow.
#[tokio::test]
async fn parts_heads_and_304_have_no_trailers() {
    let cache = Harness::new(|_, _| fresh(&[("etag", "\"a\"")], scripted(SUMMED)));
    cache.get("/", &[]).await;
    for (method, field, status) in [
        ("GET", ("range", "bytes=0-1"), 206),
        ("GET", ("if-none-match", "\"a\""), 304),
        ("HEAD", ("accept", "*/*"), 200),
    ] {
        let response = cache.start(request(method, "/", &[field])).await;
        assert_eq!(response.status(), status);
        let got = read(response.into_body()).await;
        assert!(got.trailers.is_none(), "{method} {field:?}");
        assert_eq!(got.text(), if status == 206 { "ab" } else { "" });
    }
}

/// A length alone is not the end where trailers are announced: it goes on until they are there.
#[tokio::test]
async fn trailers_that_the_client_did_not_wait_for_are_waited_for_in_the_background() {
    for fields in [&[("trailer", "x-sum")][..], &[("content-length", "6"), ("trailer", "x-sum")]] {
        let (script, body, _) = paused();
        let body = Mutex::new(Some(body));
        let cache = Harness::new(move |_, call| {
            let steps = scripted(SUMMED);
            fresh(fields, if call == 0 { body.lock().unwrap().take().unwrap() } else { steps })
        });
        let mut body = cache.start(request("GET", "/", &[])).await.into_body();
        script.send(Data("abcdef")).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcdef");
        drop(body);
        assert!(cache.store.is_empty(), "{fields:?}");
        script.send(Trailer("x-sum", "7")).unwrap();
        cache.layer.handle().drain(Duration::MAX).await.unwrap();
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.is_hit(), sum(&hit.trailers)), (true, Some("7")), "{fields:?}");
    }
}

/// At its length, the body is asked once more; what comes of it is passed on all the same.
#[tokio::test]
async fn trailers_after_the_content_length_are_passed_on_and_stored() {
    for steps in [
        &[Data("abcdef"), Trailer("x-sum", "7")][..],
        &[Data("abcdef"), Pending, Trailer("x-sum", "7")],
    ] {
        let cache = Harness::new(move |_, _| fresh(&[("content-length", "6")], scripted(steps)));
        let miss = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
        assert_eq!((miss.text().as_str(), sum(&miss.trailers)), ("abcdef", Some("7")));
        let hit = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
        assert_eq!((hit.text().as_str(), sum(&hit.trailers)), ("abcdef", Some("7")));
        assert_eq!(cache.inner.calls(), 1);
    }
}

#[tokio::test]
async fn trailers_survive_validation() {
    let cache = Harness::new(|_, call| {
        let mut made = fresh(&[("etag", "\"a\"")], scripted(SUMMED));
        if call == 1 {
            *made.status_mut() = http::StatusCode::NOT_MODIFIED;
            *made.body_mut() = axum::body::Body::empty();
        }
        made
    });
    cache.get("/", &[]).await;
    cache.advance(61);
    for _ in 0..2 {
        let got = cache.get("/", &[]).await;
        assert_eq!((got.body.as_str(), sum(&got.trailers)), ("abcdef", Some("7")));
        assert_eq!(got.field("content-length"), None);
        assert_eq!(got.field("trailer"), Some("x-sum"));
    }
    assert_eq!(cache.inner.calls(), 2);
}
