//! Stale answers for the time of a failure (RFC 5861), validated in the foreground.

use http::StatusCode;
use tower_keep::cache::{Forward, Reason};

use super::{ETAG, SAFE, aged, is_page};
use crate::support::{Harness, answered, response};

#[tokio::test]
async fn stale_if_error_counts_for_four_statuses() {
    for inner in [400, 403, 404, 410, 429, 499, 500, 501, 502, 503, 504, 505, 507, 511, 599] {
        let cache = aged(SAFE, "max-age=60, stale-if-error=60", 70, inner).await;
        let is_failure = matches!(inner, 500 | 502 | 503 | 504);
        assert_eq!(is_page(&cache, "").await, is_failure, "{inner}");
    }
}

#[tokio::test]
async fn an_answer_in_place_of_an_error_says_so() {
    let cache = aged(SAFE, "max-age=60, stale-if-error=60", 70, 503).await;
    let got = cache.get("/", &[]).await;
    assert_eq!(
        (got.status, got.body.as_str(), got.field("age")),
        (StatusCode::OK, "page", Some("70"))
    );
    assert_eq!((got.forward(), got.reason()), (Some(Forward::Stale), Some(Reason::StaleIfError)));
    assert_eq!(got.outcome.unwrap().forward_status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        got.field("cache-status"),
        Some("tower-keep; fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error")
    );
    assert_eq!(cache.layer.handle().stats().served_stale, 1);
    let held = cache.get("/", &[("if-none-match", "\"1\"")]).await;
    assert_eq!(held.status, StatusCode::NOT_MODIFIED, "to who holds it already");
}

#[tokio::test]
async fn stale_if_error_ends_with_its_window() {
    for (control, asked, ends) in [
        ("max-age=60, stale-if-error=30", "", 90),
        ("max-age=60, stale-if-error=\"30\"", "", 90),
        ("max-age=60, stale-if-error=30, stale-if-error=50", "", 90),
        ("s-maxage=60, stale-if-error=30", "", 90),
        ("max-age=60", "stale-if-error=30", 90),
        ("max-age=60, stale-if-error=10", "stale-if-error=30", 90),
        ("max-age=60, stale-if-error=30", "stale-if-error=10", 90),
        ("max-age=60, stale-while-revalidate=30", "", 90),
        ("max-age=60, stale-while-revalidate=10, stale-if-error=30", "", 90),
    ] {
        let cache = aged(SAFE, control, ends, 500).await;
        assert!(is_page(&cache, asked).await, "{control}; {asked}");
        cache.advance(1);
        assert!(!is_page(&cache, asked).await, "{control}; {asked}");
    }
}

#[tokio::test]
async fn an_error_passes_where_no_window_is_open() {
    for (control, asked) in [
        ("max-age=60", ""),
        ("max-age=60, stale-if-error=0", ""),
        ("max-age=60, stale-if-error=x", ""),
        ("max-age=60, stale-if-error", ""),
        ("max-age=60, stale-if-error=60, stale-if-error=x", ""),
        ("max-age=60", "stale-if-error"),
        ("max-age=60", "stale-if-error=x"),
        ("max-age=60", "max-stale=5, stale-if-error=5"),
        // A client that asks for the newest gets nothing older.
        ("max-age=60, stale-if-error=600", "no-cache"),
        ("max-age=60", "no-cache, stale-if-error=600"),
    ] {
        let cache = aged(SAFE, control, 70, 500).await;
        assert!(!is_page(&cache, asked).await, "{control}; {asked}");
    }
}

/// RFC 9111 §4.2.4: neither the response's own window nor the request's opens what the response shuts.
#[tokio::test]
async fn stale_if_error_gets_nothing_where_the_response_forbids_it() {
    for forbidding in ["must-revalidate", "proxy-revalidate", "no-cache", "NO-CACHE=\"\""] {
        for window in ["stale-if-error=600", "stale-while-revalidate=600", "foo"] {
            let cache = aged(SAFE, &format!("max-age=60, {forbidding}, {window}"), 70, 500).await;
            for asked in ["", "stale-if-error=600"] {
                assert!(!is_page(&cache, asked).await, "{forbidding}, {window}; {asked}");
            }
        }
    }
    let shared = aged(SAFE, "s-maxage=60", 70, 500).await;
    assert!(!is_page(&shared, "stale-if-error=600").await, "RFC 9111 §5.2.2.10");
}

#[tokio::test]
async fn after_a_failure_the_stored_response_is_still_there_to_be_validated() {
    let cache = Harness::new(|request, call| match call {
        0 => response(&[("cache-control", "max-age=60, stale-if-error=60"), ETAG], "page"),
        1 => answered(503, &[("cache-control", "max-age=600"), ETAG], "down"),
        _ if request.headers().contains_key("if-none-match") => answered(304, &[ETAG], ""),
        _ => response(&[], "anew"),
    });
    cache.get("/", &[]).await;
    cache.advance(70);
    assert_eq!(cache.get("/", &[]).await.body, "page");
    let validated = cache.get("/", &[]).await;
    assert_eq!((validated.body.as_str(), validated.left()), ("page", Some(60)));
    assert!(cache.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn a_response_without_a_validator_is_kept_for_its_stale_window() {
    let cache = Harness::new(|request, call| match call {
        0 => response(&[("cache-control", "max-age=0, stale-if-error=60")], "page"),
        _ => answered(500, &[], if request.headers().len() == 1 { "inner" } else { "odd" }),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    assert_eq!(cache.get("/", &[]).await.body, "page");
    cache.advance(1);
    assert_eq!(cache.get("/", &[]).await.body, "inner");
}
