//! What a 304 changes in the stored response, and what it must not (RFC 9111 §3.2, §4.3.4).

use tower_keep::cache::{CachePolicy, Reason, SetCookie};

use super::{ETAG, FRESH, Fields, SAFE, stale};
use crate::support::{Harness, answered, date_at, request, response};

#[tokio::test]
async fn a_304_replaces_the_fields_that_it_brings_and_no_others() {
    let first = [
        ("cache-control", "max-age=60"),
        ETAG,
        ("content-type", "text/plain"),
        ("x-kept", "a"),
        ("x-kept", "b"),
        ("x-list", "1"),
        ("x-list", "2"),
        ("x-one", "old"),
    ];
    let then = [
        ("cache-control", "max-age=30"),
        ETAG,
        ("content-type", "text/html"),
        ("x-list", "3"),
        ("x-one", "new"),
        ("x-one", "newer"),
        ("x-added", "1"),
    ];
    let cache = stale(SAFE, &first, 304, &then).await;
    let validated = cache.get("/", &[]).await;
    cache.advance(29);
    let hit = cache.get("/", &[]).await;
    assert!(hit.is_hit());
    for got in [&validated, &hit] {
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "page"));
        let all = |name: &str| {
            let lines = got.headers.get_all(name).iter();
            lines.map(|line| line.to_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(all("cache-control"), ["max-age=30"]);
        assert_eq!(all("content-type"), ["text/html"]);
        assert_eq!(all("x-kept"), ["a", "b"]);
        assert_eq!(all("x-list"), ["3"]);
        assert_eq!(all("x-one"), ["new", "newer"]);
        assert_eq!(all("x-added"), ["1"]);
        assert_eq!(all("etag"), ["\"1\""]);
        assert_eq!(all("date"), [date_at(60)], "the 304 has none: when it came");
    }
    cache.advance(1);
    assert!(!cache.get("/", &[]).await.is_hit(), "its lifetime is the new one");
}

/// RFC 9111 §3.2: the fields that the stored body depends on, and those of one connection.
#[tokio::test]
async fn c48_a_304_smuggles_nothing_into_the_framing_of_the_body() {
    let evil = [
        ("content-length", "999"),
        ("content-length", "0"),
        ("transfer-encoding", "chunked"),
        ("content-encoding", "gzip"),
        ("content-range", "bytes 0-0/999"),
        ("trailer", "x-sum"),
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("keep-alive", "1"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("proxy-connection", "close"),
        ETAG,
    ];
    for method in ["GET", "HEAD"] {
        let coded = [FRESH, ETAG, ("content-encoding", "br"), ("content-length", "4")];
        for (first, coding) in [(&[FRESH, ETAG][..], None), (&coded, Some("br"))] {
            let cache = stale(SAFE, first, 304, &evil).await;
            cache.send(request(method, "/", &[])).await;
            for again in ["GET", "HEAD"] {
                let hit = cache.send(request(again, "/", &[])).await;
                assert_eq!((hit.status.as_u16(), hit.is_hit()), (200, true));
                assert_eq!(hit.body, if again == "GET" { "page" } else { "" });
                let lengths: Vec<_> = hit.headers.get_all("content-length").iter().collect();
                assert_eq!(lengths, ["4"]);
                assert_eq!(hit.field("content-encoding"), coding);
                for (name, _) in &evil[2..12] {
                    assert!(
                        *name == "content-encoding" || !hit.headers.contains_key(*name),
                        "{name}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cookie_of_a_304_is_for_the_client_whose_request_it_answered() {
    let then = [ETAG, ("set-cookie", "session=alice"), ("set-cookie", "b=2"), ("x-new", "1")];
    for policy in [SAFE, SAFE.set_cookie(SetCookie::StoredWithoutCookies)] {
        for (held, status) in [("\"0\"", 200), ("\"1\"", 304)] {
            let cache = stale(policy.clone(), &[FRESH, ETAG], 304, &then).await;
            let alice = cache.get("/", &[("if-none-match", held)]).await;
            assert_eq!(alice.status.as_u16(), status);
            assert_eq!(alice.headers.get_all("set-cookie").iter().count(), 2, "{status}");
            let bob = cache.get("/", &[]).await;
            assert!(!bob.headers.contains_key("set-cookie"));
            assert_eq!(bob.body, if bob.is_hit() { "page" } else { "new" });
        }
    }
    // Where the user says by name that cookies are replayed, they are.
    let replayed = SAFE.set_cookie(SetCookie::StoredAndReplayed);
    let cache = stale(replayed, &[FRESH, ETAG], 304, &[ETAG, ("set-cookie", "lang=en")]).await;
    cache.get("/", &[]).await;
    let other = cache.get("/", &[]).await;
    assert_eq!((other.is_hit(), other.field("set-cookie")), (true, Some("lang=en")));
}

/// The fields that the origin's new word keeps out of the store.
#[tokio::test]
async fn a_304_can_take_fields_out_of_the_store() {
    let first = [FRESH, ETAG, ("x-own", "old")];
    for control in ["max-age=60, private=\"x-own\"", "max-age=60, no-cache=x-own"] {
        let then = [("cache-control", control), ETAG, ("x-own", "alice")];
        let cache = stale(SAFE, &first, 304, &then).await;
        assert_eq!(cache.get("/", &[]).await.field("x-own"), Some("alice"), "{control}");
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.is_hit(), hit.field("x-own")), (true, None), "{control}");
    }
}

/// The stored one has Vary already, as far as a 304 that is silent of it goes.
#[tokio::test]
async fn c48_a_304_changes_what_a_stored_response_varies_on() {
    let added = stale(SAFE, &[FRESH, ETAG], 304, &[ETAG, ("vary", "x")]).await;
    assert_eq!(added.get("/", &[("x", "1")]).await.body, "page");
    assert!(added.get("/", &[("x", "1")]).await.is_hit());
    assert_eq!(added.get("/", &[("x", "2")]).await.body, "new");

    let kept = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ETAG, ("vary", "x")], "page"),
        1 => answered(304, &[ETAG], ""),
        _ => response(&[FRESH, ("vary", "x")], "new"),
    });
    kept.get("/", &[("x", "1")]).await;
    kept.advance(60);
    assert_eq!(kept.get("/", &[("x", "1")]).await.body, "page");
    let hit = kept.get("/", &[("x", "1")]).await;
    assert_eq!((hit.is_hit(), hit.field("vary")), (true, Some("x")));
    assert_eq!(kept.get("/", &[("x", "2")]).await.body, "new");

    for any in ["*", "x, *"] {
        let cache = stale(SAFE, &[FRESH, ETAG], 304, &[ETAG, ("vary", any)]).await;
        let got = cache.get("/", &[]).await;
        assert_eq!((got.body.as_str(), got.reason()), ("page", Some(Reason::VaryAny)));
        assert!(!cache.get("/", &[]).await.is_hit());
    }
}

/// A stored response that its origin no longer wants stored is not kept for a worse day either.
#[tokio::test]
async fn a_304_with_no_store_or_private_removes_the_stored_response() {
    let first = [("cache-control", "max-age=60, stale-if-error=600"), ETAG];
    for field in [
        ("cache-control", "no-store"),
        ("cache-control", "max-age=60, No-Store"),
        ("cache-control", "private"),
        ("cache-control", "private=\"\", max-age=60"),
        ("cdn-cache-control", "no-store"),
    ] {
        let cache = stale(SAFE, &first, 304, &[ETAG, field]).await;
        let got = cache.get("/", &[]).await;
        assert_eq!(
            (got.status.as_u16(), got.body.as_str()),
            (200, "page"),
            "it is the current one"
        );
        assert!(got.reason().is_some());
        assert!(!cache.get("/", &[]).await.is_hit(), "{field:?}");
        let conditional = cache.inner.seen()[2].headers.contains_key("if-none-match");
        assert!(!conditional, "nothing is left to validate after {field:?}");
    }
}

/// No client can have removed what is still fresh for the others, by asking for the newest.
#[tokio::test]
async fn a_304_with_no_store_removes_nothing_that_is_fresh() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ETAG], "page"),
        _ => answered(304, &[ETAG, ("cache-control", "no-store")], ""),
    });
    cache.get("/", &[]).await;
    let newest = cache.get("/", &[("cache-control", "no-cache")]).await;
    assert_eq!((newest.body.as_str(), newest.reason()), ("page", Some(Reason::NoStore)));
    assert!(cache.get("/", &[]).await.is_hit());
}

/// What one client's request forbids says nothing of the stored response.
#[tokio::test]
async fn a_304_to_a_request_that_forbids_storing_removes_nothing() {
    let first = [FRESH, ETAG];
    let asked: [Fields<'_>; 2] =
        [&[("cache-control", "no-store")], &[("authorization", "Bearer x")]];
    for asked in asked {
        let cache = Harness::new(|_, call| match call {
            0 => response(&[FRESH, ETAG], "page"),
            _ => answered(304, &[ETAG, ("x-new", "1")], ""),
        });
        cache.get("/", &first[..0]).await;
        cache.advance(60);
        assert_eq!(cache.get("/", asked).await.body, "page");
        let next = cache.get("/", &[]).await;
        assert_eq!((next.body.as_str(), next.is_hit()), ("page", false), "{asked:?}");
        assert_eq!(cache.inner.seen()[2].headers["if-none-match"], "\"1\"");
        assert!(cache.get("/", &[]).await.is_hit());
    }
}

#[tokio::test]
async fn expires_of_a_304_gives_a_new_lifetime() {
    let [soon, later, at] = [30, 90, 60].map(date_at);
    let cache =
        stale(SAFE, &[("expires", &soon), ETAG], 304, &[("expires", &later), ("date", &at), ETAG])
            .await;
    let validated = cache.get("/", &[]).await;
    assert_eq!((validated.body.as_str(), validated.left()), ("page", Some(30)));
    // One that brings no new Expires leaves the old one, which is over.
    let silent = stale(SAFE, &[("expires", &soon), ETAG], 304, &[ETAG]).await;
    assert_eq!(silent.get("/", &[]).await.body, "page");
    assert!(!silent.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn a_304_renews_the_default_freshness() {
    let old = date_at(-1000);
    let first = [ETAG, ("last-modified", &*old)];
    let cache = stale(CachePolicy::rfc9111(), &first, 304, &first).await;
    cache.advance(50);
    assert_eq!(cache.get("/", &[]).await.body, "page");
    let hit = cache.get("/", &[]).await;
    // A tenth of the 1110 s that lie now between the dates.
    assert_eq!((hit.is_hit(), hit.left()), (true, Some(111)));
}

/// The Range did not cause what is stored, so it is no reason to lose it.
#[tokio::test]
async fn a_304_to_a_request_with_a_range_takes_nothing_from_what_is_no_200() {
    for status in [301, 404, 410] {
        let cache = Harness::new(move |_, call| match call {
            0 => answered(status, &[FRESH, ETAG], "page"),
            _ => answered(304, &[FRESH, ETAG], ""),
        });
        cache.get("/", &[]).await;
        cache.advance(60);
        let got = cache.get("/", &[("range", "bytes=0-1")]).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (status, "page"));
        assert_eq!(cache.get("/", &[]).await.body, "page");
        assert!(
            cache.inner.seen()[1..]
                .iter()
                .all(|inward| inward.headers.contains_key("if-none-match"))
        );
    }
}
