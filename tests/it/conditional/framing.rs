//! C21, C48 and C62 with these layers, alone and under the cache.

use axum::body::Body;
use http::Request;
use tower_keep::cache::CacheHint;

use super::{ETAG, FRESH, Stack};
use crate::support::{answered, request, response};

/// Exactly the fields of RFC 9110 §15.4.5 go with a 304, and what a cache is told beside them.
#[tokio::test]
async fn c48_a_304_keeps_the_fields_of_15_4_5_and_no_others() {
    let all = [
        ETAG,
        FRESH,
        ("content-location", "/page.en"),
        ("date", "Sun, 13 Sep 2020 12:26:40 GMT"),
        ("expires", "Sun, 13 Sep 2020 12:27:40 GMT"),
        ("vary", "accept-language"),
        ("vary", "accept"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("set-cookie", "id=1"),
        ("content-type", "text/plain"),
        ("content-length", "4"),
        ("content-encoding", "identity"),
        ("content-language", "en"),
        ("x-own", "1"),
        ("connection", "close"),
        ("trailer", "x"),
    ];
    let stack = Stack::new(move |_, _| {
        let mut page = response(&all, "page");
        page.extensions_mut().insert(CacheHint::fresh_for(std::time::Duration::from_secs(9)));
        page
    })
    .conditional();
    let got = stack.start(request("GET", "/", &[("if-none-match", "\"1\"")])).await;
    assert_eq!(got.status(), 304);
    let mut names: Vec<&str> = got.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let kept = ["cache-control", "content-location", "date", "etag", "expires", "vary"];
    assert_eq!(names, kept);
    assert_eq!(got.headers().get_all("vary").iter().count(), 2);
    assert!(got.extensions().get::<CacheHint>().is_some());
    let fields = [("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let undated = Stack::new(move |_, _| response(&fields, "page")).conditional();
    let got = undated.get(&[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]).await;
    assert_eq!(got.status, 304);
    assert_eq!(got.field("last-modified"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
}

/// A revalidation by these layers updates what the cache holds by nothing but that.
#[tokio::test]
async fn c48_a_revalidation_brings_no_field_that_frames_or_sets() {
    let stack = Stack::new(|_, call| {
        let fields = match call {
            0 => vec![FRESH, ("x-own", "1")],
            _ => vec![FRESH, ("set-cookie", "id=1"), ("content-length", "4"), ("x-own", "2")],
        };
        response(&fields, "page")
    })
    .tagged()
    .conditional()
    .cached();
    let first = stack.get(&[]).await;
    stack.clock.advance(std::time::Duration::from_secs(61));
    let second = stack.get(&[]).await;
    assert_eq!((second.status, second.body.as_str()), (first.status, "page"));
    assert_eq!(second.field("content-length"), Some("4"));
    assert_eq!((second.field("set-cookie"), second.field("x-own")), (None, Some("1")));
    let stats = stack.cache.as_ref().unwrap().stats();
    assert_eq!((stats.revalidated, stats.misses), (1, 1));
}

#[tokio::test]
async fn c21_a_304_that_nobody_asked_for_passes_and_is_never_stored() {
    for is_cached in [false, true] {
        let stack = Stack::new(|_, _| answered(304, &[ETAG, FRESH], ""))
            .tagged()
            .conditional()
            .maybe_cached(is_cached);
        for _ in 0..2 {
            assert_eq!(stack.status(&[]).await, 304);
        }
        assert_eq!(stack.inner.calls(), 2);
    }
}

/// The client's own condition makes the 304: the next client must not get it.
#[tokio::test]
async fn c21_a_304_to_one_client_is_no_content_for_another() {
    for is_tagged in [false, true] {
        let stack = Stack::new(|_, _| response(&[FRESH], "page"));
        let stack = if is_tagged { stack.tagged() } else { stack }.conditional();
        let held = stack.tag(&[]).await.unwrap_or_else(|| "*".to_owned());
        let stack = stack.cached();
        assert_eq!(stack.status(&[("if-none-match", &held)]).await, 304);
        let other = stack.get(&[]).await;
        assert_eq!((other.status.as_u16(), other.body.as_str()), (200, "page"));
        assert!(stack.get(&[]).await.is_hit());
    }
}

#[tokio::test]
async fn c21_an_empty_answer_is_no_page() {
    for is_cached in [false, true] {
        let stack = Stack::new(|_, call| match call {
            0 => answered(204, &[], ""),
            _ => response(&[FRESH], "page"),
        })
        .tagged()
        .conditional()
        .maybe_cached(is_cached);
        let empty = stack.get(&[]).await;
        assert_eq!((empty.status.as_u16(), empty.field("etag")), (204, None));
        assert_eq!(stack.get(&[]).await.body, "page");
    }
}

#[tokio::test]
async fn c62_a_length_that_is_wrong_gets_neither_tag_nor_parts() {
    for is_cached in [false, true] {
        for length in ["3", "5", "four", "4, 4"] {
            let stack =
                Stack::new(move |_, _| response(&[("content-length", length), FRESH], "page"))
                    .tagged()
                    .conditional()
                    .maybe_cached(is_cached);
            let response = stack.start(request("GET", "/", &[("range", "bytes=0-1")])).await;
            assert_eq!(response.status(), 200, "{length}");
            assert!(!response.headers().contains_key("etag"), "{length}");
            assert_eq!(response.headers()["content-length"], length);
        }
    }
}

#[tokio::test]
async fn c62_head_304_and_204_have_no_body_and_no_length_of_one() {
    for is_cached in [false, true] {
        let stack = Stack::new(|request: &Request<Body>, _| match request.uri().path() {
            "/empty" => answered(204, &[FRESH], "a body where none may be"),
            _ => response(&[FRESH, ETAG, ("content-length", "4")], "page"),
        })
        .tagged()
        .conditional()
        .maybe_cached(is_cached);
        assert_eq!(stack.get(&[]).await.field("content-length"), Some("4"));
        let held = stack.get(&[("if-none-match", "\"1\"")]).await;
        assert_eq!((held.status.as_u16(), held.body.as_str()), (304, ""));
        assert_eq!(held.field("content-length"), None, "cached: {is_cached}");
        let head = stack.send(request("HEAD", "/", &[])).await;
        assert_eq!(head.field("content-length"), Some("4"));
        let part = stack.get(&[("range", "bytes=1-")]).await;
        assert_eq!((part.field("content-length"), part.body.as_str()), (Some("3"), "age"));
        let empty = stack.send(request("GET", "/empty", &[])).await;
        assert_eq!((empty.status.as_u16(), empty.field("etag")), (204, None));
        assert_eq!(empty.field("content-length"), None);
    }
}
