//! Whether a 304 speaks of the stored response at all (RFC 9111 §4.3.4).

use super::{ETAG, FRESH, Fields, SAFE, stale};
use crate::support::{Harness, answered, date_at, response};

/// Whether a 304 with these fields freshens a stored response with those.
async fn freshens(first: Fields<'_>, then: Fields<'_>) -> bool {
    let first = [&[FRESH], first].concat();
    let then = [&[FRESH, ("x-new", "1")], then].concat();
    let cache = stale(SAFE, &first, 304, &then).await;
    let got = cache.get("/", &[]).await;
    assert_eq!(got.status, 200);
    match got.body.as_str() {
        "page" => {
            assert_eq!(got.field("x-new"), Some("1"));
            assert_eq!(cache.inner.calls(), 2);
            assert!(cache.get("/", &[]).await.is_hit());
            true
        }
        // Fetched anew, without any condition, and that one is stored in its place.
        "new" => {
            assert_eq!((cache.inner.calls(), got.field("x-new")), (3, None));
            let anew = &cache.inner.seen()[2].headers;
            assert!(!anew.contains_key("if-none-match") && !anew.contains_key("if-modified-since"));
            let hit = cache.get("/", &[]).await;
            assert_eq!((hit.body.as_str(), hit.is_hit()), ("new", true));
            false
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn c48_a_304_with_another_tag_is_fetched_anew() {
    for (stored, told, is_same) in [
        ("\"1\"", Some("\"1\""), true),
        ("\"1\"", Some("W/\"1\""), true),
        ("W/\"1\"", Some("W/\"1\""), true),
        ("\"1\"", None, true),
        ("\"1\"", Some("\"2\""), false),
        ("\"1\"", Some("W/\"2\""), false),
        // A strong validator that nothing stored has: not the same by strong comparison.
        ("W/\"1\"", Some("\"1\""), false),
        ("\"1\"", Some("1"), false),
        ("\"1\"", Some(""), false),
        ("\"a\"", Some("\"A\""), false),
    ] {
        let told: Vec<_> = told.map(|told| ("etag", told)).into_iter().collect();
        assert_eq!(freshens(&[("etag", stored)], &told).await, is_same, "{stored} {told:?}");
    }
    assert!(!freshens(&[ETAG], &[ETAG, ("etag", "\"2\"")]).await);
}

#[tokio::test]
async fn c48_a_304_with_another_date_is_fetched_anew() {
    let [old, newer] = [-1000, -500].map(date_at);
    let (old, newer) = (("last-modified", &*old), ("last-modified", &*newer));
    assert!(freshens(&[old], &[old]).await);
    assert!(freshens(&[old], &[]).await);
    assert!(!freshens(&[old], &[newer]).await);
    assert!(!freshens(&[old], &[("last-modified", "bad")]).await);
    // The tag decides where both have one.
    assert!(freshens(&[ETAG, old], &[ETAG, newer]).await);
    assert!(!freshens(&[ETAG, old], &[("etag", "\"2\""), old]).await);
    // A tag where there was none selects nothing that is stored, though the date is the same.
    assert!(!freshens(&[old], &[ETAG, old]).await);
    assert!(!freshens(&[old], &[ETAG, newer]).await);
    assert!(!freshens(&[old], &[ETAG]).await);
}

/// A date that differs is a validator that nothing stored has, though the tag is not spoken of.
#[tokio::test]
async fn c48_a_304_with_another_date_and_no_tag_is_fetched_anew() {
    let [old, newer] = [-1000, -500].map(date_at);
    let (old, newer) = (("last-modified", &*old), ("last-modified", &*newer));
    assert!(freshens(&[ETAG, old], &[old]).await);
    assert!(!freshens(&[ETAG, old], &[newer]).await);
}

/// Whoever was conditional gets a full answer then: what it holds was compared with nothing.
#[tokio::test]
async fn after_a_mismatch_the_client_gets_a_full_answer() {
    let cache = stale(SAFE, &[FRESH, ETAG], 304, &[("etag", "\"2\"")]).await;
    let asked = [("if-none-match", "\"1\""), ("if-modified-since", &*date_at(0))];
    let got = cache.get("/", &asked).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "new"));
    let anew = &cache.inner.seen()[2].headers;
    assert!(!anew.contains_key("if-none-match") && !anew.contains_key("if-modified-since"));
}

/// A second 304, to a request without conditions, is nothing to be stored or waited on.
#[tokio::test]
async fn c48_a_service_that_answers_304_to_everything_is_asked_twice_and_no_more() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ETAG], "page"),
        _ => answered(304, &[FRESH, ("etag", "\"2\"")], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    assert_eq!(cache.get("/", &[]).await.status, 304);
    assert_eq!(cache.inner.calls(), 3);
    assert!(!cache.get("/", &[]).await.is_hit());
}

/// The stale window covers the second call as well as the first.
#[tokio::test]
async fn an_error_after_a_mismatch_is_answered_with_the_stale_response() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[("cache-control", "max-age=60, stale-if-error=60"), ETAG], "page"),
        1 => answered(304, &[("etag", "\"2\"")], ""),
        _ => answered(503, &[], "down"),
    });
    cache.get("/", &[]).await;
    cache.advance(61);
    assert_eq!(cache.get("/", &[]).await.body, "page");
}
