//! With the cache outside, with compression on either side (C32), and around `ServeDir`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::Decompression;
use tower_http::services::ServeDir;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};

use super::{FRESH, Stack};
use crate::support::{Got, request, response};

const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const GZIP: (&str, &str) = ("accept-encoding", "gzip");

/// Long enough to be worth compressing.
fn text() -> String {
    "a page that says the same again and again. ".repeat(40)
}

fn page() -> Stack {
    Stack::new(|_, _| response(&[FRESH, ("content-type", "text/plain")], text()))
}

/// The response as it left, and its content decoded.
async fn decoded(stack: &Stack, fields: &[(&str, &str)]) -> (http::response::Parts, String) {
    let response = stack.start(request("GET", "/", fields)).await;
    let (head, body) = response.into_parts();
    let length =
        head.headers.get("content-length").map(|length| length.to_str().unwrap().to_owned());
    let bytes = body.collect().await.unwrap().to_bytes();
    assert!(
        length.is_none_or(|length| length == bytes.len().to_string()),
        "Content-Length is right"
    );
    let sent = head.clone();
    let client = Decompression::new(service_fn(move |_: Request<Body>| {
        let response = Response::from_parts(sent.clone(), Body::from(bytes.clone()));
        async move { Ok::<_, Infallible>(response) }
    }));
    let plain = client.oneshot(request("GET", "/", &[])).await.unwrap();
    let plain = plain.into_body().collect().await.unwrap().to_bytes();
    (head, String::from_utf8(plain.to_vec()).unwrap())
}

fn tag(head: &http::response::Parts) -> Option<&str> {
    head.headers.get("etag").map(|tag| tag.to_str().unwrap())
}

fn is_gzip(head: &http::response::Parts) -> bool {
    head.headers.get("content-encoding").is_some_and(|coding| coding == "gzip")
}

/// Each order of the layers that somebody may choose, outermost last.
fn orders() -> [(&'static str, Stack); 6] {
    let compressed = |stack: Stack| stack.with(|_| CompressionLayer::new());
    [
        ("compression outside", compressed(page().tagged()).conditional()),
        ("compression outermost", compressed(page().tagged().conditional())),
        ("compression inside", compressed(page()).tagged().conditional()),
        ("compression inside, cached", compressed(page()).tagged().conditional().cached()),
        ("compression outside the tag, cached", compressed(page().tagged()).conditional().cached()),
        ("compression outside the cache", compressed(page().tagged().conditional().cached())),
    ]
}

#[tokio::test]
async fn c32_each_coding_has_its_own_content_and_no_strong_tag_of_another() {
    for (order, stack) in orders() {
        // Whoever comes first: what he leaves in the cache is nothing that the other may not have.
        for clients in [[&[][..], &[GZIP]], [&[GZIP], &[]]] {
            let mut tags = Vec::new();
            for fields in clients {
                let (head, content) = decoded(&stack, fields).await;
                assert_eq!(content, text(), "{order}");
                assert_eq!(is_gzip(&head), !fields.is_empty(), "{order}");
                tags.push(tag(&head).map(str::to_owned));
            }
            if let [Some(one), Some(other)] = &*tags {
                assert!(one != other || one.starts_with("W/"), "{order}: {one} {other}");
            }
        }
    }
}

/// What each order gives, as the docs of `EtagLayer` say.
#[tokio::test]
async fn c32_who_holds_a_tag_gets_a_304_in_every_order() {
    for (order, stack) in orders() {
        for fields in [&[][..], &[GZIP]] {
            let (head, _) = decoded(&stack, fields).await;
            let streams = order.starts_with("compression inside") && !fields.is_empty();
            assert_eq!(tag(&head).is_none(), streams, "{order}");
            let Some(tag) = tag(&head) else { continue };
            assert_eq!(tag.starts_with("W/"), !fields.is_empty(), "{order}");
            let held = [fields, &[("if-none-match", tag)]].concat();
            let got = stack.get(&held).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (304, ""), "{order}");
            assert_eq!(got.field("etag"), Some(tag), "{order}");
        }
    }
}

/// An identity client after a gzip fill, and the other way round, with ranges: parts of two codings are never mixed.
#[tokio::test]
async fn c32_a_part_is_of_the_coding_that_if_range_names() {
    for (order, stack) in orders() {
        let (head, _) = decoded(&stack, &[GZIP]).await;
        let gzip = tag(&head).unwrap_or("\"none\"").to_owned();
        let fields = [("range", "bytes=0-3"), ("if-range", &*gzip)];
        assert_eq!(stack.status(&fields).await, 200, "{order}");
    }
}

/// The head is written anew, the body is the very same piece of memory.
#[tokio::test]
async fn an_unchanged_body_is_revalidated_and_not_stored_again() {
    let stack = page().tagged().conditional().cached();
    let stats = || stack.cache.as_ref().unwrap().stats();
    let first = stack.get(&[]).await;
    let stored = async || {
        let response = stack.start(request("GET", "/", &[])).await;
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    };
    let body = stored().await;
    for round in 1..=3 {
        stack.clock.advance(Duration::from_secs(61));
        let again = stored().await;
        assert_eq!((again.as_ptr(), &again), (body.as_ptr(), &body));
        assert_eq!((stats().misses, stats().revalidated), (1, round));
    }
    let seen = stack.inner.seen();
    assert_eq!((seen.len(), &seen[1].headers["if-none-match"]), (4, &first.headers["etag"]));
}

/// An identity client revalidates what a gzip client has left under its weak tag.
#[tokio::test]
async fn a_weak_tag_in_the_cache_is_revalidated_by_all_clients() {
    let stack = page().tagged().conditional().cached();
    let weak = stack.get(&[GZIP]).await;
    assert!(weak.field("etag").unwrap().starts_with("W/"));
    stack.clock.advance(Duration::from_secs(61));
    let plain = stack.get(&[]).await;
    assert_eq!(plain.field("etag"), weak.field("etag"));
    let stats = stack.cache.as_ref().unwrap().stats();
    assert_eq!((stats.misses, stats.revalidated, stack.inner.calls()), (1, 1, 2));
}

#[tokio::test]
async fn a_changed_body_is_stored_anew() {
    let stack = Stack::new(|_, call| response(&[FRESH], format!("page {}", call / 2)))
        .tagged()
        .conditional()
        .cached();
    let mut tags = Vec::new();
    for _ in 0..4 {
        tags.push(stack.tag(&[]).await);
        stack.clock.advance(Duration::from_secs(61));
    }
    assert!(tags[0] == tags[1] && tags[1] != tags[2] && tags[2] == tags[3]);
    let stats = stack.cache.as_ref().unwrap().stats();
    assert_eq!((stats.misses, stats.revalidated), (2, 2));
}

/// A directory with one file, served by tower-http.
pub(super) struct Dir(pub(super) std::path::PathBuf);

impl Dir {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tower-keep-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("file.txt"), "0123456789").unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn file<S, B>(service: &S, fields: &[(&str, &str)]) -> Got
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug> + 'static,
{
    Got::read(service.clone().oneshot(request("GET", "/file.txt", fields)).await.unwrap()).await
}

#[tokio::test]
async fn serve_dir_keeps_its_own_tags_and_ranges() {
    let dir = Dir::new("own");
    let bare = ServeDir::new(&dir.0);
    let wrapped = ConditionalLayer::new().layer(EtagLayer::new().layer(bare.clone()));
    let (one, other) = (file(&bare, &[]).await, file(&wrapped, &[]).await);
    assert_eq!((one.body.as_str(), other.body.as_str()), ("0123456789", "0123456789"));
    let (tag, modified) = (one.field("etag").unwrap(), one.field("last-modified").unwrap());
    assert_eq!(other.field("etag"), Some(tag));
    for (fields, status) in [
        (&[("if-none-match", tag)][..], 304),
        (&[("if-none-match", "\"other\"")], 200),
        (&[("if-none-match", "\"other\""), ("if-modified-since", modified)], 200),
        (&[("if-modified-since", modified)], 304),
        (&[("if-match", tag)], 200),
        (&[("if-match", "\"other\"")], 412),
        (&[("range", "bytes=0-1")], 206),
        (&[("range", "bytes=0-1"), ("if-none-match", tag)], 304),
        (&[("range", "bytes=10-")], 416),
        (&[("range", "bytes=0-1"), ("if-range", tag)], 206),
        // By itself it knows of neither, and would send a part of the new to who holds one of the old.
        (&[("range", "bytes=0-1"), ("if-range", "\"other\"")], 200),
        (&[("range", "bytes=0-1"), ("if-range", BEFORE)], 200),
    ] {
        let got = file(&wrapped, fields).await;
        assert_eq!(got.status, status, "{fields:?}");
        if status == 206 {
            assert_eq!(
                (got.body.as_str(), got.field("content-range")),
                ("01", Some("bytes 0-1/10"))
            );
        }
    }
}

#[tokio::test]
async fn serve_dir_under_the_cache_is_revalidated() {
    let dir = Dir::new("cached");
    let (clock, store) = (
        tower_keep::test_util::ManualClock::new(),
        tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
    );
    let cache = tower_keep::cache::CacheLayer::with_clock(store, clock.clone())
        .policy(tower_keep::cache::CachePolicy::shared().default_freshness(
            tower_keep::cache::DefaultFreshness::fixed(Duration::from_secs(60)),
        ));
    let handle = cache.handle();
    let service =
        cache.layer(ConditionalLayer::new().layer(EtagLayer::new().layer(ServeDir::new(&dir.0))));
    assert_eq!(file(&service, &[]).await.body, "0123456789");
    assert_eq!(file(&service, &[("range", "bytes=1-2,5-6")]).await.status, 206);
    clock.advance(Duration::from_secs(61));
    assert_eq!(file(&service, &[]).await.body, "0123456789");
    assert_eq!((handle.stats().misses, handle.stats().revalidated), (1, 1));
}

/// A router with both layers is a `Router` like any other: error types, bodies and readiness fit.
#[tokio::test]
async fn a_router_takes_both_layers() {
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(async || "page"))
        .layer(EtagLayer::new())
        .layer(ConditionalLayer::new());
    let first = app.clone().oneshot(request("GET", "/", &[])).await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = app.clone().oneshot(request("GET", "/", &[("if-none-match", &tag)])).await.unwrap();
    assert_eq!(again.status(), 304);
    let head = app.oneshot(request("HEAD", "/", &[])).await.unwrap();
    assert_eq!(head.headers()["etag"], tag);
}
