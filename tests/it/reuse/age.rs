//! Freshness: for how long, and how old a stored response is (RFC 9111 §4.2).

use std::time::Duration;

use http::StatusCode;
use tower_keep::cache::{Forward, Reason};

use super::{ETAG, SAFE, aged};
use crate::support::{Harness, answered, date_at, request, response};

#[tokio::test]
async fn a_response_is_fresh_while_its_lifetime_is_greater_than_its_age() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=60")]);
    cache.get("/", &[]).await;
    for (millis, age) in [(0, "0"), (999, "0"), (1, "1"), (58_000, "59"), (999, "59")] {
        cache.clock.advance(Duration::from_millis(millis));
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.is_hit(), hit.field("age")), (true, Some(age)));
        let left = 60 - age.parse::<i64>().unwrap();
        assert_eq!(hit.field("cache-status").unwrap(), format!("tower-keep; hit; ttl={left}"));
    }
    cache.clock.advance(Duration::from_millis(1));
    let next = cache.get("/", &[]).await;
    assert_eq!((next.is_hit(), next.body.as_str(), next.field("age")), (false, "call 1", None));
    assert_eq!((next.forward(), next.reason()), (Some(Forward::Stale), None));
    assert_eq!(next.field("cache-status"), Some("tower-keep; fwd=stale; ttl=60; stored"));
}

#[tokio::test]
async fn s_maxage_comes_before_max_age_and_max_age_before_expires() {
    let (near, far) = (date_at(5), date_at(1000));
    for (fields, lifetime) in [
        (&[("cache-control", "s-maxage=20, max-age=5"), ("expires", &*near)][..], 20),
        (&[("cache-control", "max-age=1000, s-maxage=20"), ("expires", &far)], 20),
        (&[("cache-control", "max-age=20"), ("expires", &near)], 20),
        (&[("cache-control", "max-age=20"), ("expires", &far)], 20),
        (&[("cache-control", "public"), ("expires", &near)], 5),
    ] {
        let cache = Harness::always(SAFE, 200, fields);
        cache.get("/", &[]).await;
        cache.advance(lifetime - 1);
        assert!(cache.get("/", &[]).await.is_hit(), "{fields:?}");
        cache.advance(1);
        assert!(!cache.get("/", &[]).await.is_hit(), "{fields:?}");
    }
}

/// RFC 9111 §4.2.3: the age that came with it, and its residence here, add up.
#[tokio::test]
async fn the_age_of_caches_further_in_counts() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=60"), ("age", "40")]);
    assert_eq!(cache.get("/", &[]).await.field("age"), Some("40"), "a miss passes it on");
    cache.advance(19);
    let hit = cache.get("/", &[]).await;
    assert_eq!((hit.is_hit(), hit.field("age")), (true, Some("59")));
    assert_eq!(hit.headers.get_all("age").iter().count(), 1);
    cache.advance(1);
    assert!(!cache.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn apparent_age_and_age_do_not_add_up_but_the_greater_counts() {
    let (long_ago, recently) = (date_at(-30), date_at(-10));
    for (date, age, told) in [(&long_ago, "20", "30"), (&recently, "20", "20")] {
        let fields = [("cache-control", "max-age=60"), ("date", date), ("age", age)];
        let cache = Harness::always(SAFE, 200, &fields);
        cache.get("/", &[]).await;
        assert_eq!(cache.get("/", &[]).await.field("age"), Some(told));
    }
}

/// RFC 9111 §3.2 takes Age with the other fields of a 304: who validated by a cache further in is told.
#[tokio::test]
async fn a_304_brings_its_age() {
    let cache = Harness::new(|_, call| {
        let fields = [("cache-control", "max-age=60"), ETAG, ("age", "40")];
        match call {
            0 => response(&fields, "page"),
            _ => answered(304, &fields, ""),
        }
    });
    cache.get("/", &[]).await;
    cache.advance(30);
    let validated = cache.get("/", &[]).await;
    assert_eq!((validated.status, validated.is_hit()), (StatusCode::OK, false));
    assert_eq!(validated.left(), Some(20));
    cache.advance(10);
    let hit = cache.get("/", &[]).await;
    assert_eq!((hit.is_hit(), hit.field("age")), (true, Some("50")));
    assert_eq!(validated.field("age"), Some("40"));
}

#[tokio::test]
async fn a_304_makes_a_response_as_young_as_it_is_itself() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[("cache-control", "max-age=60"), ETAG, ("age", "40")], "page"),
        _ => answered(304, &[ETAG], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(100);
    let validated = cache.get("/", &[]).await;
    assert_eq!((validated.forward(), validated.left()), (Some(Forward::Stale), Some(60)));
    assert_eq!(
        validated.field("cache-status"),
        Some("tower-keep; fwd=stale; fwd-status=304; ttl=60; stored")
    );
    cache.advance(59);
    let hit = cache.get("/", &[]).await;
    assert_eq!((hit.is_hit(), hit.field("age")), (true, Some("59")));
}

#[tokio::test]
async fn no_cache_is_validated_before_every_use() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[("cache-control", "max-age=60, no-cache"), ETAG], "page"),
        _ => answered(304, &[ETAG], ""),
    });
    for at in 0..3 {
        let got = cache.get("/", &[("cache-control", "max-stale")]).await;
        assert_eq!((got.body.as_str(), cache.inner.calls()), ("page", at + 1));
    }
    assert_eq!(cache.layer.handle().stats().hits, 0);
}

/// What is not asked to be validated each time is served without asking, whatever else it is.
#[tokio::test]
async fn must_revalidate_changes_nothing_while_a_response_is_fresh() {
    for control in ["must-revalidate", "proxy-revalidate", "immutable", "public", "no-transform"] {
        let cache = aged(SAFE, &format!("max-age=60, {control}"), 59, 500).await;
        assert!(cache.get("/", &[]).await.is_hit(), "{control}");
    }
}

#[tokio::test]
async fn a_stored_redirect_or_error_is_served_again_as_it_came() {
    for status in [301, 404, 503] {
        let fields = [("cache-control", "max-age=60"), ("location", "/y"), ("retry-after", "7")];
        let cache = Harness::always(SAFE, status, &fields);
        cache.get("/", &[]).await;
        for method in ["GET", "HEAD"] {
            let hit = cache.send(request(method, "/", &[])).await;
            assert_eq!((hit.is_hit(), hit.status.as_u16()), (true, status));
            assert_eq!((hit.field("location"), hit.field("retry-after")), (Some("/y"), Some("7")));
        }
    }
}

/// RFC 8246 §2.1.
#[tokio::test]
async fn a_reload_asks_nothing_of_what_is_immutable_and_fresh() {
    for (control, asked, age, is_hit) in [
        ("max-age=60, immutable", "max-age=0", 10, true),
        ("max-age=60, Immutable", "max-age=0", 59, true),
        ("max-age=60", "max-age=0", 0, false),
        ("max-age=60", "max-age=0", 10, false),
        ("max-age=60, immutable=1", "max-age=0", 10, false),
        ("max-age=60, immutable", "max-age=0", 60, false),
        ("max-age=60, immutable", "no-cache", 10, false),
        ("max-age=60, immutable", "max-age=0, no-cache", 10, false),
        ("max-age=60, immutable", "max-age=5", 10, false),
        ("max-age=60, immutable", "max-age=0, max-stale", 70, false),
        ("max-age=60, immutable, no-cache", "max-age=0", 10, false),
    ] {
        let cache = aged(SAFE, control, age, 500).await;
        let got = cache.get("/", &[("cache-control", asked)]).await;
        assert_eq!(got.is_hit(), is_hit, "{control}; {asked}; {age}");
        let asks = got.reason() == Some(Reason::Request) || got.forward().is_some();
        assert_eq!(asks, !is_hit);
    }
}
