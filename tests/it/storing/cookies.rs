//! Responses that set cookies, and requests that bring some.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_keep::cache::{CachePolicy, Reason, SetCookie};

use super::{ETAG, NotStored, RFC, Reused, SAFE, fate, fate_for};
use crate::support::{Harness, date_at, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn a_response_that_sets_a_cookie_is_not_stored() {
    for control in ["max-age=60", "public, max-age=60", "s-maxage=60, must-revalidate", "public"] {
        for cookie in ["a=1", "", "a=; max-age=0", "a=1; httponly; secure"] {
            let fields = [("cache-control", control), ("set-cookie", cookie), ETAG];
            assert_eq!(fate(SAFE, 200, &fields).await, NotStored, "{control}; {cookie}");
        }
    }
    let got = Harness::always(SAFE, 200, &[FRESH, ("Set-Cookie", "a=1")]).get("/", &[]).await;
    assert_eq!((got.reason(), got.field("set-cookie")), (Some(Reason::SetCookie), Some("a=1")));
}

#[tokio::test]
async fn a_response_is_stored_without_its_cookies_where_the_policy_says_so() {
    let policy = SAFE.set_cookie(SetCookie::StoredWithoutCookies);
    let fields = [FRESH, ("set-cookie", "a=1"), ("Set-Cookie", "b=2"), ("x-own", "1")];
    let cache = Harness::always(policy, 200, &fields);
    let first = cache.get("/", &[]).await;
    assert_eq!(first.headers.get_all("set-cookie").iter().count(), 2, "they were made for it");
    let hit = cache.get("/", &[]).await;
    assert!(hit.is_hit());
    assert_eq!((hit.field("set-cookie"), hit.field("x-own")), (None, Some("1")));
}

#[tokio::test]
async fn a_cookie_is_replayed_only_by_policy_and_with_explicit_freshness() {
    let (old, soon) = (date_at(-1000), date_at(60));
    let policy = SAFE.set_cookie(SetCookie::StoredAndReplayed);
    for fresh in [FRESH, ("expires", &soon), ("cdn-cache-control", "max-age=60")] {
        let cache = Harness::always(policy.clone(), 200, &[fresh, ("set-cookie", "a=1")]);
        cache.get("/", &[]).await;
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.is_hit(), hit.field("set-cookie")), (true, Some("a=1")), "{fresh:?}");
    }
    let by_heuristic = [("last-modified", old.as_str()), ("set-cookie", "a=1")];
    assert_eq!(fate(RFC, 200, &by_heuristic[..1]).await, Reused(100));
    assert_eq!(fate(RFC, 200, &by_heuristic).await, NotStored);
    let public = [&by_heuristic[..], &[("cache-control", "public")]].concat();
    assert_eq!(fate(RFC, 200, &public).await, NotStored);
}

#[tokio::test]
async fn c25_a_cookie_that_the_origin_keeps_out_of_caches_does_not_keep_the_rest_out() {
    for control in [
        "max-age=60, no-cache=\"set-cookie\"",
        "max-age=60, private=\"x, Set-Cookie\"",
        "max-age=60, no-cache=Set-Cookie",
    ] {
        let fields = [("cache-control", control), ("set-cookie", "a=1")];
        assert_eq!(fate(SAFE, 200, &fields).await, NotStored, "not without the user's own word");
        for policy in [RFC, SAFE.set_cookie(SetCookie::StoredWithoutCookies)] {
            let fields = [("cache-control", control), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
            let cache = Harness::always(policy, 200, &fields);
            assert!(cache.get("/", &[]).await.headers.contains_key("set-cookie"));
            let hit = cache.get("/", &[]).await;
            assert_eq!((hit.is_hit(), hit.field("set-cookie")), (true, None), "{control}");
        }
    }
}

/// A trailer section is no way around the policy.
#[tokio::test]
async fn a_cookie_in_the_trailers_is_not_replayed() {
    let cache = Harness::new(|_, _| {
        let mut trailers = HeaderMap::new();
        trailers.insert("set-cookie", HeaderValue::from_static("a=1"));
        trailers.insert("x-sum", HeaderValue::from_static("7"));
        let frames = [Frame::data(Bytes::from_static(b"page")), Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, std::io::Error>);
        response(&[FRESH], "").map(|_| Body::new(StreamBody::new(stream::iter(frames))))
    });
    cache.get("/", &[]).await;
    let again = cache.get("/", &[]).await;
    let replayed = again.trailers.is_some_and(|trailers| trailers.contains_key("set-cookie"));
    assert!(!(replayed && again.outcome.is_some_and(|outcome| outcome.is_hit())));
}

#[tokio::test]
async fn a_request_with_a_cookie_takes_no_part_where_the_policy_bypasses_it() {
    let cache = Harness::always(SAFE.bypass_on_cookie(), 200, &[("cache-control", "s-maxage=60")]);
    for cookie in ["a=1", ""] {
        let got = cache.get("/", &[("cookie", cookie)]).await;
        assert_eq!((got.is_hit(), got.reason()), (false, Some(Reason::Cookie)));
        assert!(cache.store.is_empty());
    }
    assert!(!cache.get("/", &[]).await.is_hit());
    assert!(!cache.get("/", &[("cookie", "a=1")]).await.is_hit());
    assert!(cache.get("/", &[]).await.is_hit(), "what is stored stays for the others");
}

/// C18's rule for policies that bypass nothing: a page for somebody with a session is for everybody only
/// where the origin says how long.
#[tokio::test]
async fn c18_the_answer_to_a_request_with_a_cookie_is_stored_only_with_explicit_freshness() {
    let old = date_at(-1000);
    let by_default: [(CachePolicy, (&str, &str)); 2] =
        [(RFC, ("last-modified", &old)), (SAFE.default_freshness(super::defaults::MINUTE), ETAG)];
    for (policy, field) in by_default {
        let asked = [("cookie", "session=7")];
        assert_eq!(fate_for(policy.clone(), &asked, 200, &[field]).await, NotStored);
        assert_eq!(fate_for(policy.clone(), &asked, 200, &[FRESH]).await, Reused(60));
        assert!(matches!(fate(policy, 200, &[field]).await, Reused(_)));
    }
}

#[tokio::test]
async fn a_request_with_a_cookie_is_served_what_was_stored_for_anybody() {
    let cache = Harness::always(SAFE, 200, &[FRESH]);
    cache.get("/", &[]).await;
    assert!(cache.get("/", &[("cookie", "a=1")]).await.is_hit());
}
