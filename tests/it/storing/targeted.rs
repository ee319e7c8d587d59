//! Targeted fields (RFC 9213), heard before Cache-Control and Expires.

use http::HeaderName;
use tower_keep::cache::CachePolicy;

use super::{Asked, ETAG, NotStored, RFC, Reused, SAFE, fate, fate_for};
use crate::support::date_at;

const CDN: &str = "cdn-cache-control";
const CC: &str = "cache-control";

#[tokio::test]
async fn a_targeted_field_replaces_cache_control_and_expires() {
    let (past, hour) = (date_at(-1), date_at(3600));
    for (fields, expected) in [
        (&[(CDN, "max-age=60")][..], Reused(60)),
        (&[(CDN, "max-age=60"), (CC, "max-age=1")], Reused(60)),
        (&[(CDN, "max-age=60"), (CC, "no-store")], Reused(60)),
        (&[(CDN, "max-age=60"), (CC, "private, no-cache")], Reused(60)),
        (&[(CDN, "max-age=60"), ("expires", &past)], Reused(60)),
        (&[(CDN, "s-maxage=60, max-age=5")], Reused(60)),
        (&[(CDN, "no-store"), (CC, "max-age=60")], NotStored),
        (&[(CDN, "private"), (CC, "public, max-age=60")], NotStored),
        (&[(CDN, "private, max-age=60")], NotStored),
        (&[(CDN, "max-age=0"), (CC, "max-age=60"), ETAG], Asked),
        (&[(CDN, "no-cache, max-age=60"), (CC, "max-age=60"), ETAG], Asked),
        // It says nothing of freshness, and what does is silenced.
        (&[(CDN, "must-revalidate"), (CC, "max-age=60"), ("expires", &hour)], NotStored),
        (&[(CDN, "foo"), (CC, "max-age=60")], NotStored),
        (&[(CDN, "must-understand, no-store, max-age=60")], Reused(60)),
    ] {
        assert_eq!(fate(SAFE, 200, fields).await, expected, "{fields:?}");
    }
}

/// RFC 9213 §2.1: empty, or no Dictionary, and it is as if it were not there.
#[tokio::test]
async fn a_targeted_field_that_cannot_be_parsed_is_ignored() {
    for value in [
        "",
        " ",
        "max-age=60,",
        ",max-age=60",
        "MAX-AGE=60",
        "no-store; max-age=60=",
        "max-age=",
        "max-age=60 no-store",
        "\"no-store\"",
        "no-store,,",
        "max-age=\"60",
        "max-age=6\u{7f}0",
        "private=x y",
        "no-store=(",
        "1=2",
        "max-age=99999999999999999999",
    ] {
        if http::HeaderValue::from_str(value).is_err() {
            continue;
        }
        let kept = [(CDN, value), (CC, "max-age=7")];
        assert_eq!(fate(SAFE, 200, &kept).await, Reused(7), "{value}");
        let not = [(CDN, value), (CC, "no-store, max-age=7")];
        assert_eq!(fate(SAFE, 200, &not).await, NotStored, "{value}");
    }
}

#[tokio::test]
async fn a_targeted_fields_values_have_types_and_the_last_of_several_counts() {
    for (value, expected) in [
        ("max-age=60, max-age=5", Reused(5)),
        ("max-age=5, max-age=60", Reused(60)),
        ("max-age=60;x=1, y;z", Reused(60)),
        ("max-age=999999999999999", Reused(1 << 31)),
        // Of the wrong type, a lifetime is none, and what permits does not.
        ("max-age=\"60\"", Asked),
        ("max-age=60.0", Asked),
        ("max-age=-1", Asked),
        ("max-age", Asked),
        ("max-age=?1", Asked),
        ("max-age=(60)", Asked),
        ("max-age=60, no-store=?0", Reused(60)),
        ("max-age=60, no-store=1", NotStored),
        ("max-age=60, no-store=()", NotStored),
        ("max-age=60, private=\"x-own\"", Reused(60)),
        ("max-age=60, private=\"\"", NotStored),
        ("max-age=60, private=x", NotStored),
        ("max-age=60, private=?0", Reused(60)),
        ("max-age=60, no-cache=\"x y\"", Asked),
    ] {
        assert_eq!(fate(SAFE, 200, &[(CDN, value), ETAG]).await, expected, "{value}");
    }
    let lines = [(CDN, "must-revalidate"), (CDN, "max-age=60")];
    assert_eq!(fate(SAFE, 200, &lines).await, Reused(60));
    let lines = [(CDN, "max-age=60"), (CDN, "no-store")];
    assert_eq!(fate(SAFE, 200, &lines).await, NotStored, "lines are joined before they are parsed");
}

/// RFC 9111 §3.5, by the targeted field alone.
#[tokio::test]
async fn credentials_are_shared_by_the_word_of_the_targeted_field() {
    let asked = [("authorization", "Bearer x")];
    for (value, expected) in [
        ("public, max-age=60", Reused(60)),
        ("must-revalidate, max-age=60", Reused(60)),
        ("s-maxage=60", Reused(60)),
        ("max-age=60", NotStored),
        ("public=1, max-age=60", NotStored),
    ] {
        let fields = [(CDN, value), (CC, "public, s-maxage=60")];
        assert_eq!(fate_for(SAFE, &asked, 200, &fields).await, expected, "{value}");
    }
}

fn targets(names: &[&'static str]) -> CachePolicy {
    SAFE.targeted_fields(names.iter().map(|name| HeaderName::from_static(name)))
}

#[tokio::test]
async fn the_target_list_is_heard_in_its_order() {
    const OWN: &str = "edge-cache-control";
    let both = [(CDN, "max-age=20"), (OWN, "max-age=10"), (CC, "max-age=30")];
    for (policy, fields, expected) in [
        (SAFE, &both[..], 20),
        (targets(&[CDN]), &both, 20),
        (targets(&[OWN, CDN]), &both, 10),
        (targets(&[CDN, OWN]), &both, 20),
        (targets(&[OWN]), &both, 10),
        (targets(&[]), &both, 30),
        (SAFE, &both[1..], 30),
        (targets(&[OWN, CDN]), &[both[0], both[2], (OWN, "")], 20),
        (targets(&[OWN, CDN]), &[both[2], (OWN, "x=\""), (CDN, "=")], 30),
    ] {
        assert_eq!(
            fate(policy.clone(), 200, fields).await,
            Reused(expected),
            "{policy:?} {fields:?}"
        );
    }
    let forbidding = [(OWN, "no-store"), (CDN, "max-age=20"), (CC, "max-age=30")];
    assert_eq!(fate(targets(&[OWN, CDN]), 200, &forbidding).await, NotStored);
    assert_eq!(fate(RFC, 200, &forbidding).await, Reused(20), "who is not addressed does not obey");
}
