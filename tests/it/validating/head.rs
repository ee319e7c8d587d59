//! What the answer to HEAD does to a stored response (RFC 9111 §4.3.5).

use tower_keep::cache::Reason;

use super::{ETAG, FRESH, Fields, SAFE, stale};
use crate::support::{Harness, answered, date_at, request, response};

/// What a GET gets after a HEAD was answered so: `true` for the stored page, without asking again.
async fn stays(first: Fields<'_>, status: u16, then: Fields<'_>) -> bool {
    let cache = stale(SAFE, &[&[FRESH], first].concat(), status, then).await;
    let head = cache.send(request("HEAD", "/", &[])).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    let get = cache.get("/", &[]).await;
    assert_eq!((get.body == "page", get.body == "new"), (get.is_hit(), !get.is_hit()));
    if !get.is_hit() {
        let conditional = cache.inner.seen()[2].headers.contains_key("if-none-match");
        assert!(!conditional, "what it spoke against is gone: {then:?}");
    }
    get.is_hit()
}

#[tokio::test]
async fn c22_head_freshens_the_stored_response_whose_validators_it_has() {
    let old = date_at(-1000);
    let modified = ("last-modified", &*old);
    let four = ("content-length", "4");
    for (first, then) in [
        (&[ETAG][..], &[ETAG][..]),
        (&[ETAG], &[ETAG, four]),
        (&[ETAG, modified], &[ETAG, modified, four]),
        (&[ETAG, modified], &[modified]),
        (&[("etag", "W/\"1\"")], &[("etag", "W/\"1\"")]),
        (&[modified], &[modified, four]),
    ] {
        assert!(stays(first, 200, &[then, &[FRESH]].concat()).await, "{first:?} {then:?}");
    }
    // Where there was no validator to ask about, none is missing; but what says nothing makes nothing fresh.
    let window = ("cache-control", "max-age=60, stale-if-error=1");
    for (then, is_same) in [(&[FRESH][..], false), (&[FRESH, four], true), (&[FRESH, ETAG], false)]
    {
        assert_eq!(stays(&[window], 200, then).await, is_same, "{then:?}");
    }
    // By a 304 too.
    assert!(stays(&[ETAG], 304, &[ETAG, FRESH]).await);
}

#[tokio::test]
async fn c22_head_with_changed_validators_makes_the_stored_response_unusable() {
    let [old, newer] = [-1000, -500].map(date_at);
    let (modified, changed) = (("last-modified", &*old), ("last-modified", &*newer));
    for (first, then) in [
        (&[ETAG][..], &[("etag", "\"2\"")][..]),
        (&[("etag", "W/\"1\"")], &[ETAG]),
        (&[ETAG], &[("etag", "bad")]),
        (&[ETAG], &[ETAG, ("etag", "\"2\"")]),
        // To the stored validators a full answer says that they are not current.
        (&[ETAG], &[]),
        (&[modified], &[("content-length", "4")]),
        (&[ETAG], &[ETAG, ("content-length", "5")]),
        (&[ETAG], &[ETAG, ("content-length", "0")]),
        (&[ETAG], &[ETAG, ("content-length", "x")]),
        (&[ETAG, modified], &[ETAG, changed]),
        (&[modified], &[changed]),
        (&[modified], &[modified, ETAG]),
        (&[ETAG], &[ETAG, modified]),
        (&[modified], &[("last-modified", "bad")]),
    ] {
        assert!(!stays(first, 200, &[then, &[FRESH]].concat()).await, "{first:?} {then:?}");
    }
}

/// RFC 9111 §3.2, as by a 304; and the client of the HEAD gets what is now stored.
#[tokio::test]
async fn c22_head_updates_the_stored_fields() {
    let then = [
        ("cache-control", "max-age=30"),
        ETAG,
        ("x-own", "new"),
        ("content-length", "4"),
        ("content-encoding", "gzip"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ];
    let cache = stale(SAFE, &[FRESH, ETAG, ("x-own", "old"), ("x-kept", "1")], 200, &then).await;
    let head = cache.send(request("HEAD", "/", &[])).await;
    cache.advance(29);
    let get = cache.get("/", &[]).await;
    assert_eq!((get.body.as_str(), get.is_hit(), get.left()), ("page", true, Some(1)));
    for got in [head, get] {
        assert_eq!((got.field("x-own"), got.field("x-kept")), (Some("new"), Some("1")));
        assert_eq!(got.field("content-length"), Some("4"));
        assert_eq!((got.field("content-encoding"), got.field("x-hop")), (None, None));
    }
}

#[tokio::test]
async fn c22_head_that_is_no_success_changes_nothing() {
    for status in [301, 404, 410, 500, 503] {
        let cache = Harness::new(move |_, call| match call {
            0 => response(&[FRESH, ETAG], "page"),
            1 => answered(status, &[FRESH, ("etag", "\"2\"")], ""),
            _ => answered(304, &[ETAG], ""),
        });
        cache.get("/", &[]).await;
        cache.advance(60);
        let head = cache.send(request("HEAD", "/", &[])).await;
        assert_eq!((head.status.as_u16(), head.reason()), (status, Some(Reason::Head)));
        assert_eq!(cache.get("/", &[]).await.body, "page", "{status}");
        assert_eq!(cache.inner.seen()[2].headers["if-none-match"], "\"1\"");
    }
}

/// A HEAD whose client wants a validated answer speaks for the fresh response too.
#[tokio::test]
async fn c22_head_that_goes_inwards_by_request_freshens_or_removes_as_well() {
    for (tag, is_same) in [("\"1\"", true), ("\"2\"", false)] {
        let cache = Harness::new(move |_, call| match call {
            0 => response(&[FRESH, ETAG], "page"),
            1 => response(&[FRESH, ("etag", tag)], ""),
            _ => response(&[FRESH], "new"),
        });
        cache.get("/", &[]).await;
        cache.advance(30);
        cache.send(request("HEAD", "/", &[("cache-control", "no-cache")])).await;
        let get = cache.get("/", &[]).await;
        assert_eq!((get.is_hit(), get.left()), (is_same, Some(60)), "{tag}");
        assert_eq!(get.body, if is_same { "page" } else { "new" });
    }
}

#[tokio::test]
async fn c22_head_removes_all_variants_of_what_has_changed() {
    let cache = Harness::new(|request, call| {
        let tag = if request.method() == "HEAD" { "\"2\"" } else { "\"1\"" };
        response(&[FRESH, ("etag", tag), ("vary", "x")], format!("call {call}"))
    });
    for x in ["1", "2"] {
        cache.get("/", &[("x", x)]).await;
    }
    cache.send(request("HEAD", "/", &[("x", "1"), ("cache-control", "no-cache")])).await;
    for x in ["1", "2"] {
        assert!(!cache.get("/", &[("x", x)]).await.is_hit(), "{x}");
    }
}
