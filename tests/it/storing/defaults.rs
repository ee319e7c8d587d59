//! Freshness that no response speaks of: fixed, or by the time since Last-Modified (RFC 9111 §4.2.2).

use std::collections::BTreeSet;
use std::time::Duration;

use tower_keep::cache::{CachePolicy, DefaultFreshness, Reason};

use super::{Asked, ETAG, NotStored, RFC, Reused, SAFE, fate, fate_for};
use crate::support::{Harness, date_at};

pub(super) const MINUTE: DefaultFreshness = DefaultFreshness::fixed(Duration::from_secs(60));

fn with(freshness: DefaultFreshness) -> CachePolicy {
    SAFE.default_freshness(freshness)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test]
async fn a_response_that_says_nothing_of_its_freshness_is_not_stored_by_default() {
    let old = date_at(-10_000_000);
    for fields in [&[][..], &[ETAG], &[ETAG, ("last-modified", &old)], &[("cache-control", "")]] {
        assert_eq!(fate(SAFE, 200, fields).await, NotStored, "{fields:?}");
    }
    let got = Harness::always(SAFE, 200, &[ETAG]).get("/", &[]).await;
    assert_eq!(got.reason(), Some(Reason::NoFreshness));
}

#[tokio::test]
async fn default_freshness_counts_where_nothing_is_said() {
    for fields in [&[][..], &[ETAG], &[("cache-control", "")], &[("cache-control", "public, x=1")]]
    {
        assert_eq!(fate(with(MINUTE), 200, fields).await, Reused(60), "{fields:?}");
    }
    for control in ["must-revalidate", "proxy-revalidate", "immutable"] {
        assert_eq!(fate(with(MINUTE), 200, &[("cache-control", control)]).await, Reused(60));
    }
}

#[tokio::test]
async fn default_freshness_never_counts_against_what_a_response_says() {
    let (past, soon) = (date_at(-1), date_at(5));
    for (field, expected) in [
        (("cache-control", "no-store"), NotStored),
        (("cache-control", "private"), NotStored),
        (("cache-control", "max-age=0"), Asked),
        (("cache-control", "max-age=x"), Asked),
        (("cache-control", "no-cache"), Asked),
        (("cache-control", "s-maxage=0"), Asked),
        (("expires", past.as_str()), Asked),
        (("expires", "0"), Asked),
        (("cdn-cache-control", "max-age=0"), Asked),
        (("cache-control", "max-age=5"), Reused(5)),
        (("expires", soon.as_str()), Reused(5)),
    ] {
        assert_eq!(fate(with(MINUTE), 200, &[field, ETAG]).await, expected, "{field:?}");
    }
}

#[tokio::test]
async fn default_freshness_is_not_for_requests_with_credentials() {
    for name in ["cookie", "authorization"] {
        for value in ["x", ""] {
            let fate = fate_for(with(MINUTE), &[(name, value)], 200, &[ETAG]).await;
            assert_eq!(fate, NotStored, "{name}");
        }
        // Not even where the origin lets it be shared: how long, it did not say.
        let fields = [("cache-control", "public, must-revalidate"), ETAG];
        assert_eq!(fate_for(with(MINUTE), &[(name, "x")], 200, &fields).await, NotStored);
    }
}

#[tokio::test]
async fn heuristic_freshness_is_a_fraction_of_the_time_since_last_modified() {
    let day = 24 * 60 * 60;
    for (modified, date, expected) in [
        (-1000, None, Reused(100)),
        (-1000, Some(0), Reused(100)),
        // 1100 s before a Date that is 100 s ago: 110 s fresh, 100 of them over.
        (-1200, Some(-100), Reused(10)),
        (-1000, Some(-100), NotStored),
        (-100 * day, None, Reused(day)),
        (-1_600_000_000, None, Reused(day)),
        (0, None, NotStored),
        (1000, None, NotStored),
    ] {
        let (modified, date) = (date_at(modified), date.map(date_at));
        let mut fields = vec![("last-modified", modified.as_str())];
        fields.extend(date.as_deref().map(|date| ("date", date)));
        // NotStored, as without explicit freshness a validator alone is no reason to keep it; but a stale
        // heuristic one may be validated.
        let got = fate(RFC, 200, &fields).await;
        match expected {
            NotStored => assert!(!matches!(got, Reused(_)), "{fields:?}: {got:?}"),
            expected => assert_eq!(got, expected, "{fields:?}"),
        }
    }
    for fields in [&[][..], &[ETAG], &[("last-modified", "long ago")]] {
        assert_eq!(fate(RFC, 200, fields).await, NotStored, "{fields:?}");
    }
}

#[tokio::test]
async fn heuristic_freshness_takes_any_fraction() {
    let modified = date_at(-1000);
    for (fraction, expected) in [
        (0.5, Reused(500)),
        (1.0, Reused(1000)),
        (7.0, Reused(1000)),
        (0.0, NotStored),
        (-1.0, NotStored),
        (f64::NAN, NotStored),
        (f64::INFINITY, Reused(1000)),
    ] {
        let policy = with(DefaultFreshness::heuristic(fraction));
        let fields = [("last-modified", modified.as_str())];
        assert_eq!(fate(policy, 200, &fields).await, expected, "{fraction}");
    }
}

#[tokio::test]
async fn default_freshness_has_a_minimum_and_a_maximum() {
    let recently = date_at(-100);
    let tenth = DefaultFreshness::heuristic(0.1);
    for (freshness, expected) in [
        (tenth, Reused(10)),
        (tenth.min(secs(30)), Reused(30)),
        (tenth.min(secs(5)), Reused(10)),
        (tenth.max(secs(3)), Reused(3)),
        (tenth.max(secs(30)), Reused(10)),
        (tenth.min(secs(30)).max(secs(20)), Reused(20)),
        (MINUTE.max(secs(20)), Reused(20)),
        (MINUTE.min(secs(90)), Reused(90)),
        (MINUTE.max(secs(0)), NotStored),
        (DefaultFreshness::fixed(Duration::MAX), Reused(1 << 31)),
        (MINUTE.min(Duration::MAX), Reused(1 << 31)),
    ] {
        let fields = [("last-modified", recently.as_str())];
        assert_eq!(fate(with(freshness), 200, &fields).await, expected, "{freshness:?}");
        let fields = [&fields[..], &[("cache-control", "max-age=7")]].concat();
        assert_eq!(fate(with(freshness), 200, &fields).await, Reused(7), "what is said is as said");
    }
}

#[tokio::test]
async fn jitter_spreads_the_default_freshness_and_only_shortens_it() {
    let cache = Harness::always(with(DefaultFreshness::fixed(secs(1000)).jitter(0.5)), 200, &[]);
    let mut lefts = BTreeSet::new();
    for at in 0..200 {
        lefts.extend(cache.get(&format!("/{at}"), &[]).await.left());
    }
    let (least, most) = (*lefts.first().unwrap(), *lefts.last().unwrap());
    assert!(least >= 500 && most <= 1000, "{least} to {most}");
    assert!(most - least > 400, "200 draws lie close to both ends: {least} to {most}");
    assert!(lefts.len() > 100, "{}", lefts.len());
}

#[tokio::test]
async fn jitter_takes_any_fraction_and_spares_what_is_said() {
    for fraction in [1.0, 99.0, -1.0, f64::NAN] {
        let cache = Harness::always(with(MINUTE.jitter(fraction)), 200, &[]);
        for at in 0..50 {
            let left = cache.get(&format!("/{at}"), &[]).await.left();
            assert!(left.is_none_or(|left| (0..=60).contains(&left)), "{fraction}: {left:?}");
        }
        let said = [("cache-control", "max-age=60")];
        assert_eq!(fate(with(MINUTE.jitter(fraction)), 200, &said).await, Reused(60));
    }
}

#[tokio::test]
async fn no_freshness_exceeds_the_policys_maximum() {
    let (hour, old) = (date_at(3600), date_at(-10_000_000));
    let capped = |policy: CachePolicy| policy.freshness_max(secs(30));
    for field in [
        ("cache-control", "max-age=3600"),
        ("cache-control", "s-maxage=3600"),
        ("cdn-cache-control", "max-age=3600"),
        ("expires", &hour),
    ] {
        assert_eq!(fate(capped(SAFE), 200, &[field]).await, Reused(30), "{field:?}");
    }
    assert_eq!(fate(capped(RFC), 200, &[("last-modified", &old)]).await, Reused(30));
    assert_eq!(fate(capped(with(MINUTE)), 200, &[]).await, Reused(30));
    assert_eq!(fate(capped(SAFE), 200, &[("cache-control", "max-age=5")]).await, Reused(5));
}
