//! What a 304 may say of a stored response: validators, cookies, Vary, and the framing of a body it has not.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::{CacheLayer, CachePolicy, SetCookie};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::{ETAG, FRESH, Fields};
use crate::support::{Got, Harness, answered, date_at, request, response};
use crate::upgrades::serve;

/// A page, stale by now, and a service that answers 304 with these fields, once.
async fn stale(policy: CachePolicy, first: Fields<'_>, then: Fields<'static>) -> Harness {
    let first: Vec<_> =
        first.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let cache = Harness::with(
        |layer| layer.policy(policy),
        move |_, call| match call {
            0 => {
                let lent: Vec<_> = first.iter().map(|(name, value)| (&**name, &**value)).collect();
                response(&lent, "page")
            }
            1 => answered(304, then, ""),
            _ => response(&[FRESH, ("etag", "\"9\"")], "new"),
        },
    );
    cache.get("/", &[]).await;
    cache.advance(60);
    cache
}

#[tokio::test]
async fn c48_a_304_without_validators_freshens_and_one_with_others_is_fetched_anew() {
    let old = date_at(-1000);
    let cases: [(Fields<'_>, Fields<'static>, &str); 8] = [
        (&[FRESH, ETAG], &[FRESH], "page"),
        (&[FRESH, ("last-modified", &old)], &[FRESH], "page"),
        (&[FRESH, ETAG], &[FRESH, ("etag", "\"2\"")], "new"),
        (&[FRESH, ETAG], &[FRESH, ("etag", "\"1\""), ("etag", "\"2\"")], "new"),
        (&[FRESH, ETAG], &[FRESH, ("etag", "*")], "new"),
        (&[FRESH, ("etag", "W/\"1\"")], &[FRESH, ("etag", "\"1\"")], "new"),
        (&[FRESH, ("last-modified", &old)], &[FRESH, ("last-modified", "0")], "new"),
        (&[FRESH, ("last-modified", &old)], &[FRESH, ETAG], "new"),
    ];
    for (first, then, body) in cases {
        let cache = stale(CachePolicy::shared(), first, then).await;
        for is_hit in [false, true] {
            let got = cache.get("/", &[]).await;
            assert_eq!(
                (got.status.as_u16(), &*got.body, got.is_hit()),
                (200, body, is_hit),
                "{then:?}"
            );
        }
        assert_eq!(cache.inner.calls(), if body == "new" { 3 } else { 2 });
    }
}

/// What has no validator is not asked about, so a 304 speaks of nothing that is stored.
#[tokio::test]
async fn c48_a_304_that_nobody_asked_for_freshens_nothing() {
    let first: [Fields<'_>; 3] = [
        &[("cache-control", "max-age=60, stale-if-error=600")],
        &[("cache-control", "max-age=60, stale-if-error=600"), ("etag", "1")],
        &[("cache-control", "max-age=60, stale-if-error=600"), ("last-modified", "bad")],
    ];
    for first in first {
        let cache = stale(CachePolicy::shared(), first, &[FRESH, ("x-new", "1")]).await;
        let got = cache.get("/", &[]).await;
        assert!(got.status == 304 && !got.is_hit(), "it passes as it came");
        let inward = &cache.inner.seen()[1].headers;
        assert!(!inward.contains_key("if-none-match") && !inward.contains_key("if-modified-since"));
        assert_eq!(cache.get("/", &[]).await.body, "new", "nothing was freshened by it");
    }
    let missed = Harness::always(CachePolicy::rfc9111(), 304, &[FRESH, ETAG]);
    for _ in 0..2 {
        assert!(!missed.get("/", &[("if-none-match", "\"1\"")]).await.is_hit());
        assert!(missed.store.is_empty(), "a 304 is no response to store");
    }
}

#[tokio::test]
async fn c48_a_cookie_of_a_304_reaches_the_client_that_it_answered_and_no_other() {
    const SESSION: &str = "session=alice";
    for policy in
        [CachePolicy::shared(), CachePolicy::shared().set_cookie(SetCookie::StoredWithoutCookies)]
    {
        for then in [&[FRESH, ETAG, ("set-cookie", SESSION)][..], &[FRESH, ("Set-Cookie", SESSION)]]
        {
            let cache = stale(policy.clone(), &[FRESH, ETAG], then).await;
            let cookies = |got: &Got| got.headers.get_all("set-cookie").iter().count();
            let alice = cache.get("/", &[]).await;
            assert_eq!((alice.body.as_str(), cookies(&alice)), ("page", 1));
            for method in ["GET", "HEAD", "GET"] {
                let other = cache.send(request(method, "/", &[])).await;
                assert_eq!((cookies(&other), other.is_hit()), (0, true), "{method}");
            }
        }
    }
}

/// The Vary of a 304 selects from then on, and one that cannot be stored by is no reason to serve anyone else.
#[tokio::test]
async fn c48_the_vary_of_a_304_selects_from_then_on() {
    let cases: [(Fields<'static>, bool, bool); 4] = [
        (&[FRESH, ETAG], true, true),
        (&[FRESH, ETAG, ("vary", "x")], true, false),
        (&[FRESH, ETAG, ("vary", "cookie, x")], true, false),
        (&[FRESH, ETAG, ("vary", "*")], false, false),
    ];
    for (then, same_hits, other_hits) in cases {
        for (value, hits) in [("1", same_hits), ("2", other_hits)] {
            let cache = stale(CachePolicy::shared(), &[FRESH, ETAG], then).await;
            assert_eq!(cache.get("/", &[("x", "1")]).await.body, "page");
            let got = cache.get("/", &[("x", value)]).await;
            assert_eq!(got.is_hit(), hits, "{value} {then:?}");
            assert_eq!(got.body, if hits { "page" } else { "new" });
        }
    }
}

/// What a 304 says of framing stands between no two responses of a connection.
#[tokio::test]
async fn c48_a_304_smuggles_nothing_onto_the_wire() {
    const EVIL: [(&str, &str); 6] = [
        FRESH,
        ETAG,
        ("content-length", "99"),
        ("transfer-encoding", "chunked"),
        ("content-encoding", "gzip"),
        ("content-range", "bytes 0-1/9"),
    ];
    for method in ["GET", "HEAD"] {
        let (clock, store) = (ManualClock::new(), MemoryStore::with_bytes_max(1 << 20));
        let inner = service_fn(|request: Request<Body>| {
            let is_asked = request.headers().contains_key("if-none-match");
            let made =
                if is_asked { answered(304, &EVIL, "") } else { response(&[FRESH, ETAG], "page") };
            std::future::ready(Ok::<_, Infallible>(made))
        });
        let address = serve(CacheLayer::with_clock(store, clock.clone()).layer(inner)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for (at, method) in ["GET", method, "GET", method, "GET"].into_iter().enumerate() {
            if at == 1 {
                clock.advance(Duration::from_secs(60));
            }
            let head = format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut text = Vec::new();
            let end = if method == "GET" { "\r\n\r\npage" } else { "\r\n\r\n" };
            while !text.ends_with(end.as_bytes()) {
                let read = tokio::time::timeout(Duration::from_secs(20), stream.read_u8());
                text.push(read.await.expect("it comes in time").unwrap());
            }
            let text = String::from_utf8(text).unwrap();
            // Byte for byte: the next response starts where this one ends.
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            assert!(text.contains("content-length: 4\r\n"), "{at} {text}");
            for gone in ["transfer-encoding", "content-encoding", "content-range", "99"] {
                assert!(!text.contains(gone), "{gone} in {text}");
            }
        }
    }
}
