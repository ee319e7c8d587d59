//! Which statuses are stored, and on whose word.

use std::time::Duration;

use http::HeaderValue;
use tower_keep::cache::{DefaultFreshness, Reason};

use super::{Asked, ETAG, NotStored, RFC, Reused, SAFE, fate};
use crate::support::{Harness, answered, date_at, request, response};

/// Those that nobody may store without a word of their freshness.
const NEVER_BY_DEFAULT: [u16; 34] = [
    201, 202, 204, 205, 299, 302, 303, 307, 400, 401, 402, 403, 406, 407, 408, 409, 411, 412, 413,
    414, 415, 417, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 502, 504,
];

#[tokio::test]
async fn any_final_status_is_stored_with_explicit_freshness() {
    for status in (200..600).filter(|status| ![206, 304, 416].contains(status)) {
        let fate = fate(SAFE, status, &[("cache-control", "max-age=60")]).await;
        assert_eq!(fate, Reused(60), "{status}");
    }
}

#[tokio::test]
async fn no_interim_status_is_ever_stored() {
    for status in [100, 101, 102, 103, 199] {
        for policy in [SAFE, RFC] {
            let fields = [("cache-control", "public, max-age=60, s-maxage=60"), ETAG];
            assert_eq!(fate(policy, status, &fields).await, NotStored, "{status}");
        }
    }
}

#[tokio::test]
async fn c20_error_statuses_are_never_stored_by_heuristic() {
    let old = date_at(-10_000_000);
    let fixed = SAFE.default_freshness(DefaultFreshness::fixed(Duration::from_secs(60)));
    for status in NEVER_BY_DEFAULT.into_iter().chain([501, 503, 505, 511, 599]) {
        for policy in [SAFE, RFC, fixed.clone()] {
            let fields = [("last-modified", old.as_str()), ETAG];
            assert_eq!(fate(policy, status, &fields).await, NotStored, "{status}");
        }
    }
}

#[tokio::test]
async fn statuses_that_are_cacheable_by_default_are_stored_by_heuristic() {
    let old = date_at(-1000);
    let fixed = SAFE.default_freshness(DefaultFreshness::fixed(Duration::from_secs(60)));
    for status in [200, 203, 300, 301, 308, 404, 405, 410] {
        let fields = [("last-modified", old.as_str())];
        assert_eq!(fate(SAFE, status, &fields).await, NotStored, "{status}");
        assert_eq!(fate(RFC, status, &fields).await, Reused(100), "{status}");
        assert_eq!(fate(fixed.clone(), status, &fields).await, Reused(60), "{status}");
    }
}

/// RFC 9111 §4.2.2: `public` makes any status fit for a heuristic, which only the rfc policy makes use of.
#[tokio::test]
async fn c20_public_lets_rfc_mode_store_any_status_by_heuristic() {
    let old = date_at(-1000);
    let fixed = SAFE.default_freshness(DefaultFreshness::fixed(Duration::from_secs(60)));
    for status in NEVER_BY_DEFAULT {
        let fields = [("last-modified", old.as_str()), ("cache-control", "public")];
        assert_eq!(fate(RFC, status, &fields).await, Reused(100), "{status}");
        // Elsewhere it is kept for its validator alone, and never served without asking.
        assert_eq!(fate(SAFE, status, &fields).await, Asked, "{status}");
        assert_eq!(fate(fixed.clone(), status, &fields).await, Asked, "{status}");
        assert_eq!(fate(SAFE, status, &[("cache-control", "public")]).await, NotStored, "{status}");
    }
}

/// Cache-poisoned denial of service by a header that is too large for the origin (HHO) or holds bytes that
/// it refuses (HMC; what is no field value at all, no server hands on).
#[tokio::test]
async fn c20_an_error_provoked_by_one_clients_fields_is_not_served_to_others() {
    for status in [400, 408, 413, 414, 421, 425, 429, 431, 500, 501, 502, 503, 504] {
        for policy in [SAFE, RFC] {
            let (old, also_old) = (date_at(-10_000_000), date_at(-1000));
            let cache = Harness::with(
                |layer| layer.policy(policy),
                move |request, _| match request.headers().get("x-padding") {
                    Some(_) => answered(status, &[("last-modified", &old), ETAG], "refused"),
                    None => response(&[("cache-control", "max-age=60")], "home"),
                },
            );
            let oversized = "a".repeat(40_000);
            assert_eq!(cache.get("/", &[("x-padding", &oversized)]).await.status, status);
            let mut odd = request("GET", "/", &[("if-modified-since", &also_old)]);
            odd.headers_mut().insert("x-padding", HeaderValue::from_bytes(b"\xff\xfe\t").unwrap());
            assert_eq!(cache.send(odd).await.status, status);
            assert!(cache.store.is_empty());
            assert_eq!(cache.get("/", &[]).await.body, "home", "{status}");
        }
    }
}

/// Cache-poisoned denial of service by a field that overrides the method (HMO): 404 and 405 are cacheable
/// by default, so the request must not take part at all.
#[tokio::test]
async fn c20_a_request_that_overrides_its_method_is_neither_answered_nor_stored() {
    for name in ["x-http-method-override", "x-http-method", "X-Method-Override"] {
        for value in ["DELETE", "POST", "GET", "HEAD", "", "x"] {
            let cache = Harness::with(
                |layer| layer.policy(RFC),
                move |request, call| match request.headers().get(name) {
                    Some(_) => answered(404, &[("cache-control", "public, max-age=60")], "gone"),
                    None => response(&[("cache-control", "max-age=60")], format!("call {call}")),
                },
            );
            let poison = cache.get("/", &[(name, value)]).await;
            assert_eq!(poison.reason(), Some(Reason::MethodOverride), "{name}: {value}");
            assert!(cache.store.is_empty());
            assert_eq!(cache.get("/", &[]).await.body, "call 1");
            assert_eq!(cache.get("/", &[(name, value)]).await.body, "gone");
            assert_eq!(cache.send(request("HEAD", "/", &[(name, value)])).await.status, 404);
            assert!(cache.get("/", &[]).await.is_hit(), "what others are served stays");
        }
    }
}

#[tokio::test]
async fn c21_no_content_is_stored_only_with_explicit_freshness() {
    let (old, soon) = (date_at(-10_000_000), date_at(60));
    let fixed = SAFE.default_freshness(DefaultFreshness::fixed(Duration::from_secs(60)));
    for policy in [SAFE, RFC, fixed] {
        let fields = [("last-modified", old.as_str()), ETAG];
        assert_eq!(fate(policy.clone(), 204, &fields).await, NotStored);
        assert_eq!(fate(policy.clone(), 204, &[]).await, NotStored);
        assert_eq!(fate(policy.clone(), 204, &[("expires", &soon)]).await, Reused(60));
        let explicit = Harness::with(
            |layer| layer.policy(policy),
            |_, _| answered(204, &[("cache-control", "max-age=60"), ("content-length", "0")], ""),
        );
        explicit.get("/", &[]).await;
        let hit = explicit.get("/", &[]).await;
        assert_eq!((hit.status.as_u16(), hit.body.as_str(), hit.is_hit()), (204, "", true));
        // RFC 9110 §8.6.
        assert_eq!(hit.field("content-length"), None);
    }
}

/// As in CVE-2025-49826: an empty answer that comes in the middle of another's fill.
#[tokio::test]
async fn c21_an_empty_answer_does_not_take_the_place_of_a_page() {
    for empty in [204, 304] {
        let cache = Harness::with(
            |layer| layer.policy(RFC).without_collapsing(),
            move |_, call| match call {
                1 => answered(empty, &[ETAG], ""),
                _ => response(&[("cache-control", "max-age=60"), ETAG], "page"),
            },
        );
        let slow = cache.start(request("GET", "/", &[])).await;
        assert_eq!(cache.get("/", &[]).await.status, empty);
        assert_eq!(crate::support::Got::read(slow).await.body, "page");
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.body.as_str(), hit.is_hit()), ("page", true), "{empty}");
    }
}

#[tokio::test]
async fn c21_a_304_is_never_stored_as_content() {
    let held = [("if-none-match", "\"1\"")];
    for asked in [&[][..], &held] {
        for policy in [SAFE, RFC] {
            let cache = Harness::with(
                |layer| layer.policy(policy),
                |_, call| match call {
                    0 => answered(304, &[("cache-control", "public, max-age=60"), ETAG], ""),
                    _ => response(&[("cache-control", "max-age=60"), ETAG], "page"),
                },
            );
            let first = cache.get("/", asked).await;
            assert_eq!((first.status.as_u16(), first.reason()), (304, Some(Reason::Status)));
            assert!(cache.store.is_empty());
            let next = cache.get("/", &[]).await;
            assert_eq!((next.status.as_u16(), next.body.as_str()), (200, "page"));
        }
    }
}

/// RFC 9111 §3.3: a part is stored only by who puts parts together, whether a range was asked for or not.
#[tokio::test]
async fn c24_a_206_is_never_stored() {
    for asked in [&[][..], &[("range", "bytes=0-1")]] {
        let fields =
            [("cache-control", "public, max-age=60"), ("content-range", "bytes 0-1/6"), ETAG];
        for policy in [SAFE, RFC] {
            assert_eq!(super::fate_for(policy, asked, 206, &fields).await, NotStored);
        }
    }
}

/// What a Range, a condition or an Expect of one request caused would, stored, be everybody's answer.
#[tokio::test]
async fn c24_what_only_one_request_can_have_caused_is_never_stored() {
    for (asked, status) in [
        (("range", "bytes=9-"), 416),
        (("range", "bytes=9-"), 400),
        (("range", "bytes=9-"), 404),
        (("range", "items=9"), 416),
        (("if-none-match", "\"1\""), 412),
        (("if-modified-since", "bad"), 412),
        (("if-range", "\"1\""), 412),
        (("expect", "x"), 417),
    ] {
        for policy in [SAFE, RFC] {
            let cache = Harness::with(
                |layer| layer.policy(policy),
                move |request, _| match request.headers().contains_key(asked.0) {
                    true => answered(status, &[("cache-control", "public, max-age=60")], "caused"),
                    false => response(&[("cache-control", "max-age=60")], "page"),
                },
            );
            let got = cache.get("/", &[asked]).await;
            assert_eq!((got.body.as_str(), got.reason()), ("caused", Some(Reason::Status)));
            assert!(cache.store.is_empty());
            assert_eq!(cache.get("/", &[]).await.body, "page", "{asked:?} {status}");
        }
    }
}

#[tokio::test]
async fn a_full_answer_to_a_range_is_stored() {
    let fields = [("cache-control", "max-age=60")];
    let asked = [("range", "bytes=0-1")];
    assert_eq!(super::fate_for(SAFE, &asked, 200, &fields).await, Reused(60));
}
