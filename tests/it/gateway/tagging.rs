//! `--etag`: tags for an upstream that sends none, and the answers that follow from them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::IntoResponse;
use http::HeaderMap;

use super::origin;
use super::program::Gateway;
use super::streaming::by_hand;
use super::wire::{Reply, open, read_to_end, read_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// Says neither a tag nor freshness, so that every request comes to it.
async fn plain() -> SocketAddr {
    origin::of(async || "0123456789").await
}

async fn tagging(upstream: SocketAddr) -> Gateway {
    Gateway::with(upstream, &["--etag"]).await
}

/// An upstream without tags, whose body is the number that the test sets.
struct Counter {
    number: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    gateway: Gateway,
}

impl Counter {
    async fn with(cache_control: &'static str, flags: &[&str]) -> Self {
        let (number, calls) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(0)));
        let (shown, counted) = (number.clone(), calls.clone());
        let address = origin::of(move || async move {
            counted.fetch_add(1, Ordering::Relaxed);
            let body = format!("number {}", shown.load(Ordering::Relaxed));
            ([("cache-control", cache_control)], body)
        })
        .await;
        Self { number, calls, gateway: Gateway::with(address, flags).await }
    }

    fn set(&self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn tag(reply: &Reply) -> &str {
    reply.field("etag").unwrap_or_else(|| panic!("no tag: {reply:?}"))
}

#[tokio::test]
async fn the_same_body_has_the_same_tag_and_is_sent_once() {
    let gateway = tagging(plain().await).await;
    let (first, second) = (gateway.get("/").await, gateway.get("/").await);
    assert_eq!((first.status(), first.body.as_str()), (200, "0123456789"));
    assert_eq!(first.field("content-length"), Some("10"));
    assert!(tag(&first).starts_with('"') && tag(&first).len() > 10, "{first:?}");
    assert_eq!(tag(&first), tag(&second));

    let held = gateway.get_with("/", &format!("If-None-Match: {}\r\n", tag(&first))).await;
    assert_eq!((held.status(), held.body.as_str()), (304, ""), "{held:?}");
    assert_eq!(tag(&held), tag(&first));
}

#[tokio::test]
async fn a_connection_goes_on_after_a_304() {
    let gateway = tagging(plain().await).await;
    let first = gateway.get("/").await;
    let held = format!("GET / HTTP/1.1\r\nHost: a.test\r\nIf-None-Match: {}\r\n\r\n", tag(&first));
    let mut stream = open(gateway.public, &format!("{held}{held}{GET}")).await;
    let all = read_to_end(&mut stream).await;
    // Nothing stands between an answer and the next.
    let answers: Vec<&str> = all.split("\r\n\r\n").collect();
    let [one, two, three, body] = answers[..] else { panic!("{all}") };
    assert!(one.starts_with("HTTP/1.1 304 ") && two.starts_with("HTTP/1.1 304 "), "{all}");
    assert!(three.starts_with("HTTP/1.1 200 ") && body == "0123456789", "{all}");
}

#[tokio::test]
async fn another_body_has_another_tag() {
    let counter = Counter::with("no-cache", &["--etag"]).await;
    let first = counter.gateway.get("/").await;
    let held = format!("If-None-Match: {}\r\n", tag(&first));
    assert_eq!(counter.gateway.get_with("/", &held).await.status(), 304);
    counter.set(2);
    let changed = counter.gateway.get_with("/", &held).await;
    assert_eq!((changed.status(), changed.body.as_str()), (200, "number 2"));
    assert_ne!(tag(&changed), tag(&first));
}

#[tokio::test]
async fn a_tag_is_weak_for_who_takes_a_coding() {
    let gateway = tagging(plain().await).await;
    let strong = gateway.get("/").await;
    let gzip = "Accept-Encoding: gzip\r\n";
    let weak = gateway.get_with("/", gzip).await;
    assert_eq!(tag(&weak), format!("W/{}", tag(&strong)));
    for held in [tag(&strong), tag(&weak)] {
        let fields = format!("{gzip}If-None-Match: {held}\r\n");
        assert_eq!(gateway.get_with("/", &fields).await.status(), 304, "{held}");
    }
}

#[tokio::test]
async fn a_tag_of_the_upstream_is_kept() {
    let address = origin::of(async || ([("etag", "\"its-own\"")], "0123456789")).await;
    let gateway = tagging(address).await;
    assert_eq!(tag(&gateway.get("/").await), "\"its-own\"");
    let held = gateway.get_with("/", "If-None-Match: \"its-own\"\r\n").await;
    assert_eq!((held.status(), held.body.as_str()), (304, ""));
}

#[tokio::test]
async fn preconditions_and_ranges_are_answered() {
    let gateway = tagging(plain().await).await;
    let whole = gateway.get("/").await;
    let tag = tag(&whole);
    let range = "Range: bytes=2-4\r\n";
    for (fields, status, body) in [
        ("If-Match: \"other\"\r\n".to_owned(), 412, ""),
        (format!("If-Match: {tag}\r\n"), 200, "0123456789"),
        ("If-Match: *\r\n".to_owned(), 200, "0123456789"),
        (range.to_owned(), 206, "234"),
        (format!("{range}If-Range: {tag}\r\n"), 206, "234"),
        (format!("{range}If-Range: \"other\"\r\n"), 200, "0123456789"),
        (format!("{range}If-None-Match: {tag}\r\n"), 304, ""),
        ("Range: bytes=10-\r\n".to_owned(), 416, ""),
    ] {
        let reply = gateway.get_with("/", &fields).await;
        assert_eq!((reply.status(), reply.body.as_str()), (status, body), "{fields}: {reply:?}");
    }
    let part = gateway.get_with("/", range).await;
    assert_eq!(part.field("content-range"), Some("bytes 2-4/10"));
    assert_eq!((part.field("content-length"), part.field("etag")), (Some("3"), Some(tag)));
}

#[tokio::test]
async fn a_body_of_unknown_length_streams_without_a_tag() {
    let (address, chunks) = by_hand(("cache-control", "max-age=60")).await;
    let gateway = tagging(address).await;
    let mut stream = open(gateway.public, GET).await;
    chunks.send(Ok("first".into())).await.unwrap();
    // The second is not there yet: who waited for the end would wait for ever.
    let began = read_until(&mut stream, "first").await;
    assert!(!began.contains("etag:"), "{began}");
    chunks.send(Ok("second".into())).await.unwrap();
    drop(chunks);
    let rest = read_to_end(&mut stream).await;
    assert!(rest.contains("second") && rest.ends_with("\r\n0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn a_body_that_takes_too_long_goes_on_without_a_tag() {
    let (address, chunks) = by_hand(("content-length", "11")).await;
    let gateway = tagging(address).await;
    let mut stream = open(gateway.public, GET).await;
    chunks.send(Ok("first".into())).await.unwrap();
    let began = read_until(&mut stream, "first").await;
    assert!(began.contains("content-length: 11\r\n") && !began.contains("etag:"), "{began}");
    chunks.send(Ok("second".into())).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "second");
}

/// Who took the next answer for the rest of this one would show one client what is another's (RFC 9112 §6.3).
#[tokio::test]
async fn nothing_follows_a_body_that_breaks_off() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\n\r\n12345",
    ] {
        let gateway = tagging(origin::saying(cut).await).await;
        let get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let mut stream = open(gateway.public, &format!("{get}{get}")).await;
        let all = read_to_end(&mut stream).await;
        assert!(all.matches("HTTP/1.1 ").count() <= 1, "{all:?}");
        // A connection that ends in a panic looks the same from outside.
        let log = gateway.log_to_its_end().await;
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[tokio::test]
async fn what_nobody_may_keep_or_is_too_long_or_no_success_has_no_tag() {
    let address = origin::of(async |fields: HeaderMap| match fields["x-case"].to_str().unwrap() {
        "no-store" => ([("cache-control", "no-store")], "secret").into_response(),
        "long" => "x".repeat((1 << 20) + 1).into_response(),
        "longest" => "x".repeat(1 << 20).into_response(),
        _ => (http::StatusCode::NOT_FOUND, "not here").into_response(),
    })
    .await;
    let gateway = tagging(address).await;
    for (case, bytes, is_tagged) in [
        ("no-store", 6, false),
        ("long", (1 << 20) + 1, false),
        ("longest", 1 << 20, true),
        ("missing", 8, false),
    ] {
        let reply = gateway.get_with("/", &format!("X-Case: {case}\r\n")).await;
        assert_eq!(reply.body.len(), bytes, "{case}");
        assert_eq!(reply.field("etag").is_some(), is_tagged, "{case}");
    }
}

#[tokio::test]
async fn what_is_stale_is_revalidated_though_the_upstream_knows_no_tags() {
    let counter = Counter::with("max-age=0", &["--etag"]).await;
    let first = counter.gateway.get("/").await;
    assert_eq!((first.body.as_str(), counter.calls()), ("number 1", 1));
    let second = counter.gateway.get("/").await;
    assert_eq!((second.status(), second.body.as_str(), counter.calls()), (200, "number 1", 2));
    assert!(second.field("cache-status").unwrap().contains("fwd-status=304"), "{second:?}");
    let stats = counter.gateway.stats().await;
    // As after any 304, its fields are written again (RFC 9111 §4.3.4), which counts as stored.
    for (name, count) in [("misses", 1), ("revalidated", 1), ("hits", 0)] {
        assert_eq!(stats[name], count, "{name} in {stats}");
    }

    counter.set(2);
    let changed = counter.gateway.get("/").await;
    assert_eq!((changed.body.as_str(), counter.calls()), ("number 2", 3));
    assert_ne!(tag(&changed), tag(&first));
    let stats = counter.gateway.stats().await;
    for (name, count) in [("misses", 2), ("revalidated", 1)] {
        assert_eq!(stats[name], count, "{name} in {stats}");
    }
}

/// RFC 9111 §4.2.3: an upstream that is a cache says how old its answer is, which a 304 must not make new.
#[tokio::test]
async fn a_304_is_as_old_as_the_response_it_stands_for() {
    let calls = Arc::new(AtomicUsize::new(0));
    let address = origin::of(move || async move {
        let age = if calls.fetch_add(1, Ordering::Relaxed) == 0 { "60" } else { "30" };
        ([("cache-control", "max-age=60"), ("age", age)], "0123456789")
    })
    .await;
    let gateway = tagging(address).await;
    gateway.get("/").await;
    let validated = gateway.get("/").await;
    assert!(validated.field("cache-status").unwrap().contains("fwd-status=304"), "{validated:?}");
    let hit = gateway.get("/").await;
    let age: u64 = hit.field("age").expect("a hit tells it").parse().unwrap();
    assert!((30..60).contains(&age), "{hit:?}");
}

#[tokio::test]
async fn without_the_flag_there_is_none_of_it() {
    let counter = Counter::with("max-age=0", &[]).await;
    for fields in ["", "If-None-Match: *\r\n", "If-Match: \"other\"\r\n", "Range: bytes=2-4\r\n"] {
        let reply = counter.gateway.get_with("/", fields).await;
        assert_eq!((reply.status(), reply.body.as_str()), (200, "number 1"), "{fields}");
        assert_eq!((reply.field("etag"), reply.field("accept-ranges")), (None, None), "{fields}");
    }
    assert_eq!(counter.gateway.stats().await["revalidated"], 0);
}
