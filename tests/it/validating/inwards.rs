//! Validation of a stored response with the inner service (RFC 9111 §4.3.1).

use http::HeaderMap;
use tower_keep::cache::Forward;

use super::{ETAG, FRESH, Fields, SAFE, stale};
use crate::support::{Harness, answered, date_at, request, response};

fn conditions(headers: &HeaderMap) -> (Option<&str>, Option<&str>) {
    let read = |name: &str| {
        let mut lines = headers.get_all(name).iter();
        let first = lines.next().map(|line| line.to_str().unwrap());
        assert!(lines.next().is_none(), "{name}");
        first
    };
    (read("if-none-match"), read("if-modified-since"))
}

const STALE: (&str, &str) = ("cache-control", "max-age=60, stale-if-error=1");

#[tokio::test]
async fn the_stored_validators_go_inwards_in_the_place_of_the_clients() {
    let [old, other] = [-1000, -7].map(date_at);
    let modified = ("last-modified", &*old);
    let client: [Fields<'_>; 4] = [
        &[],
        &[("if-none-match", "\"7\", W/\"8\"")],
        &[("if-none-match", "*"), ("if-none-match", "\"7\"")],
        &[("if-modified-since", &other)],
    ];
    for (fields, expected) in [
        (&[STALE, ETAG, modified][..], (Some("\"1\""), Some(&*old))),
        (&[STALE, ETAG], (Some("\"1\""), None)),
        (&[STALE, ("etag", "W/\"1\"")], (Some("W/\"1\""), None)),
        (&[STALE, modified], (None, Some(&*old))),
        // A tag that cannot be read validates nothing.
        (&[STALE, ("etag", "1"), modified], (None, Some(&*old))),
        (&[STALE, ETAG, ("etag", "\"2\""), modified], (None, Some(&*old))),
        (&[STALE, ETAG, ("last-modified", "long ago")], (Some("\"1\""), None)),
    ] {
        for asked in client {
            for method in ["GET", "HEAD"] {
                let cache = stale(SAFE, fields, 200, &[]).await;
                let own = [asked, &[("accept", "a/b"), ("authorization", "Bearer x")]].concat();
                let got = cache.send(request(method, "/", &own)).await;
                assert_eq!(got.forward(), Some(Forward::Stale));
                let inward = &cache.inner.seen()[1];
                assert_eq!(conditions(&inward.headers), expected, "{fields:?} {asked:?}");
                assert_eq!(inward.method.as_str(), method);
                assert_eq!(inward.headers["accept"], "a/b");
                assert_eq!(inward.headers["authorization"], "Bearer x");
            }
        }
    }
}

/// Then the client's condition is the only one there is, and its 304 is for the client alone.
#[tokio::test]
async fn without_a_stored_validator_the_clients_own_conditions_go_inwards() {
    let old = date_at(-1000);
    let cache = stale(SAFE, &[STALE], 304, &[ETAG]).await;
    let asked = [("if-none-match", "\"1\""), ("if-modified-since", &*old)];
    let got = cache.get("/", &asked).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (304, ""));
    let seen = cache.inner.seen();
    assert_eq!(conditions(&seen[1].headers), (Some("\"1\""), Some(&*old)));
    assert_eq!(cache.get("/", &[]).await.body, "new", "it says nothing of what is stored");
}

#[tokio::test]
async fn what_is_fresh_is_not_validated() {
    let cache = stale(SAFE, &[("cache-control", "max-age=61"), ETAG], 304, &[]).await;
    assert!(cache.get("/", &[]).await.is_hit());
    assert_eq!(cache.inner.calls(), 1);
}

/// RFC 9111 §4.3.2: the client's condition is compared with the outcome.
#[tokio::test]
async fn after_a_304_the_clients_own_condition_decides() {
    for (held, status, body) in [
        (None, 200, "page"),
        (Some("\"1\""), 304, ""),
        (Some("W/\"1\""), 304, ""),
        (Some("\"7\""), 200, "page"),
    ] {
        let cache = stale(SAFE, &[FRESH, ETAG], 304, &[ETAG, ("x-new", "1")]).await;
        let asked: Vec<_> = held.map(|held| ("if-none-match", held)).into_iter().collect();
        let got = cache.get("/", &asked).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (status, body), "{held:?}");
        assert_eq!(got.outcome.unwrap().forward_status().unwrap(), 304);
        assert_eq!(cache.layer.handle().stats().revalidated, 1);
        let hit = cache.get("/", &[]).await;
        assert_eq!(
            (hit.body.as_str(), hit.is_hit(), hit.field("x-new")),
            ("page", true, Some("1"))
        );
    }
}

#[tokio::test]
async fn a_full_answer_to_a_validation_takes_the_place_of_the_stored_one() {
    for (status, fields) in [(200, [FRESH, ("etag", "\"2\"")]), (404, [FRESH, ETAG])] {
        let cache = Harness::new(move |_, call| match call {
            0 => response(&[FRESH, ETAG, ("x-own", "old")], "page"),
            _ => answered(status, &fields, "other"),
        });
        cache.get("/", &[]).await;
        cache.advance(60);
        let got = cache.get("/", &[("if-none-match", "\"1\"")]).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (status, "other"));
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.status.as_u16(), hit.body.as_str(), hit.is_hit()), (status, "other", true));
        assert_eq!(hit.field("x-own"), None, "of the old one nothing is left");
    }
}

/// RFC 9111 §4.3.3: a server error may be passed on; what is stored is not what it speaks of.
#[tokio::test]
async fn a_server_error_leaves_the_stored_response_to_be_validated_again() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ETAG], "page"),
        1 => answered(503, &[], "down"),
        _ => answered(304, &[], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    assert_eq!(cache.get("/", &[]).await.body, "down");
    assert_eq!(cache.get("/", &[]).await.body, "page");
    assert_eq!(conditions(&cache.inner.seen()[2].headers), (Some("\"1\""), None));
}

const KEPT: (&str, &str) = ("cache-control", "max-age=60, stale-if-error=600");

/// Whether a stale page stands in for a failure after this answer to this request.
async fn stands_in(asked: Fields<'_>, status: u16, then: Fields<'_>) -> bool {
    let then: Vec<_> =
        then.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let cache = Harness::new(move |_, call| match call {
        0 => response(&[KEPT, ETAG], "page"),
        1 => {
            let then: Vec<_> =
                then.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            answered(status, &then, "other")
        }
        _ => answered(503, &[], "down"),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    assert_eq!(cache.get("/", asked).await.body, "other");
    let got = cache.get("/", &[]).await;
    let held = cache.inner.seen()[2].headers.contains_key("if-none-match");
    assert_eq!(held, got.body == "page");
    held
}

/// RFC 9111 §4.3.3: none of what was asked about is the one, so a worse day does not bring it back.
#[tokio::test]
async fn what_an_answer_takes_the_place_of_is_dropped_though_the_answer_is_not_stored() {
    for (status, then) in [
        (200, ("cache-control", "no-store")),
        (200, ("cache-control", "private")),
        (200, ("set-cookie", "a=1")),
        (200, ("vary", "*")),
        (200, ("x-says", "nothing of its freshness")),
        (301, ("location", "/y")),
        (404, ("x-says", "nothing of its freshness")),
        (410, ("cache-control", "no-store")),
    ] {
        assert!(!stands_in(&[], status, &[then]).await, "{status} {then:?}");
    }
}

#[tokio::test]
async fn what_only_this_request_could_not_get_is_not_dropped() {
    for (asked, status, then) in [
        (&[("cache-control", "no-store")][..], 200, &[FRESH][..]),
        (&[("authorization", "Bearer x")], 200, &[FRESH]),
        (&[], 400, &[]),
        (&[], 403, &[]),
        (&[], 429, &[]),
        (&[], 501, &[]),
        (&[("range", "bytes=0-1")], 206, &[("content-range", "bytes 0-1/4")]),
        (&[("range", "bytes=9-")], 416, &[("content-range", "bytes */4")]),
    ] {
        assert!(stands_in(asked, status, then).await, "{asked:?} {status}");
    }
}
