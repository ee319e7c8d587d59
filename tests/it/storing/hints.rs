//! The handler's own word, which comes before every field and loosens none that forbids; and the answer to
//! a POST that fills GET.

use std::time::Duration;

use tower_keep::cache::{CacheHint, CachePolicy, Reason};

use super::{Asked, ETAG, Fate, NotStored, RFC, Reused, SAFE, fate_in};
use crate::support::{Harness, answered, date_at, request, response};

const fn minute() -> CacheHint {
    CacheHint::fresh_for(Duration::from_secs(60))
}

fn hinting(policy: CachePolicy, hint: CacheHint, fields: &[(&str, &str)]) -> Harness {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Harness::with(
        |layer| layer.policy(policy),
        move |_, call| {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut response = response(&fields, format!("call {call}"));
            response.extensions_mut().insert(hint.clone());
            response
        },
    )
}

async fn hinted(hint: CacheHint, fields: &[(&str, &str)]) -> Fate {
    fate_in(&hinting(SAFE, hint, fields), &[]).await
}

#[tokio::test]
async fn a_hint_comes_before_targeted_fields_and_cache_control_and_the_default() {
    let (past, hour) = (date_at(-1), date_at(3600));
    for fields in [
        &[][..],
        &[("cache-control", "max-age=1")],
        &[("cache-control", "max-age=3600, s-maxage=3600")],
        &[("cache-control", "max-age=0")],
        &[("cdn-cache-control", "max-age=5")],
        &[("cdn-cache-control", "max-age=5"), ("cache-control", "max-age=7")],
        &[("expires", &past)],
        &[("expires", &hour)],
    ] {
        assert_eq!(hinted(minute(), fields).await, Reused(60), "{fields:?}");
    }
    let policy = SAFE.default_freshness(super::defaults::MINUTE);
    let shorter = CacheHint::fresh_for(Duration::from_secs(7));
    assert_eq!(fate_in(&hinting(policy.clone(), shorter, &[]), &[]).await, Reused(7));
    let never = CacheHint::fresh_for(Duration::ZERO);
    assert_eq!(fate_in(&hinting(policy.clone(), never.clone(), &[]), &[]).await, NotStored);
    assert_eq!(hinted(never, &[("cache-control", "max-age=60"), ETAG]).await, Asked);
    let capped = SAFE.freshness_max(Duration::from_secs(30));
    assert_eq!(fate_in(&hinting(capped, minute(), &[]), &[]).await, Reused(30));
    assert_eq!(hinted(CacheHint::fresh_for(Duration::MAX), &[]).await, Reused(1 << 31));
}

#[tokio::test]
async fn a_hint_loosens_neither_no_store_nor_private() {
    for hint in [minute(), minute().public()] {
        for (fields, expected) in [
            (&[("cache-control", "no-store")][..], NotStored),
            (&[("cache-control", "private")], NotStored),
            (&[("cache-control", "private=\"\"")], NotStored),
            (&[("cache-control", "no-store, max-age=60, public")], NotStored),
            (&[("cdn-cache-control", "no-store")], NotStored),
            (&[("cdn-cache-control", "private, max-age=60")], NotStored),
            (&[("cache-control", "no-cache"), ETAG], Asked),
            (&[("cache-control", "no-cache")], NotStored),
            (&[("vary", "*")], NotStored),
            (&[("set-cookie", "a=1")], NotStored),
        ] {
            assert_eq!(hinted(hint.clone(), fields).await, expected, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn a_hint_that_forbids_storing_wins_over_everything() {
    for fields in [
        &[][..],
        &[("cache-control", "public, max-age=60")],
        &[("cdn-cache-control", "max-age=60")],
        // RFC 9111 §5.2.2.3 speaks of the directive beside it, not of the handler's word.
        &[("cache-control", "must-understand, max-age=60")],
    ] {
        assert_eq!(hinted(CacheHint::no_store(), fields).await, NotStored, "{fields:?}");
    }
}

/// RFC 9111 §3.5.
#[tokio::test]
async fn a_hint_lets_an_answer_to_credentials_be_shared_only_where_it_says_public() {
    let asked = [("authorization", "Bearer x")];
    let alone = hinting(SAFE, minute(), &[]);
    assert_eq!(fate_in(&alone, &asked).await, NotStored);
    assert_eq!(alone.get("/", &asked).await.reason(), Some(Reason::Authorization));
    assert_eq!(fate_in(&hinting(SAFE, minute().public(), &[]), &asked).await, Reused(60));
    let public = hinting(SAFE, minute(), &[("cache-control", "public")]);
    assert_eq!(fate_in(&public, &asked).await, Reused(60));
}

#[tokio::test]
async fn a_hints_stale_windows_come_before_the_fields() {
    let hint = minute().stale_if_error(Duration::from_secs(30));
    let cache = Harness::new(move |_, call| {
        let mut response = match call {
            0 => response(&[("cache-control", "max-age=1, stale-if-error=1")], "page"),
            _ => answered(503, &[], "down"),
        };
        response.extensions_mut().insert(hint.clone());
        response
    });
    cache.get("/", &[]).await;
    cache.advance(90);
    assert_eq!(cache.get("/", &[]).await.body, "page");
    cache.advance(1);
    assert_eq!(cache.get("/", &[]).await.body, "down");
}

const POSTED: [(&str, &str); 2] = [("cache-control", "max-age=60"), ("content-location", "/x?y")];

/// Whether a GET is served what a POST with these fields was answered.
async fn posted(policy: CachePolicy, asked: &[(&str, &str)], fields: &[(&str, &str)]) -> bool {
    let cache = Harness::always(policy, 200, fields);
    cache.send(request("POST", "/x?y", asked)).await;
    let got = cache.get("/x?y", &[]).await;
    assert_eq!(got.is_hit(), got.body == "call 0");
    got.is_hit()
}

/// RFC 9110 §9.3.3.
#[tokio::test]
async fn a_post_fills_get_only_by_policy_with_explicit_freshness_and_its_own_location() {
    let old = date_at(-1000);
    assert!(posted(RFC, &[], &POSTED).await);
    assert!(posted(SAFE.post_fills_get(), &[], &POSTED).await);
    assert!(posted(RFC, &[], &[POSTED[0], ("content-location", "http://a.test/x?y")]).await);
    assert!(!posted(SAFE, &[], &POSTED).await);
    for fields in [
        &POSTED[..1],
        &POSTED[1..],
        &[POSTED[1], ("last-modified", &old)],
        &[POSTED[0], ("content-location", "/x")],
        &[POSTED[0], ("content-location", "http://b.test/x?y")],
        &[POSTED[0], ("content-location", "https://a.test/x?y")],
        &[POSTED[0], ("location", "/x?y")],
        &[POSTED[1], ("cache-control", "max-age=60, no-store")],
        &[POSTED[1], ("cache-control", "max-age=60, private")],
        &[POSTED[0], POSTED[1], ("vary", "*")],
    ] {
        assert!(!posted(RFC, &[], fields).await, "{fields:?}");
    }
    assert!(!posted(RFC, &[("cache-control", "no-store")], &POSTED).await);
    assert!(!posted(RFC, &[("authorization", "Bearer x")], &POSTED).await);
    for method in ["PUT", "PATCH", "DELETE", "FROB"] {
        let cache = Harness::always(RFC, 200, &POSTED);
        cache.send(request(method, "/x?y", &[])).await;
        assert!(cache.store.is_empty(), "{method}");
    }
}
