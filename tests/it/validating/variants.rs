//! Several stored responses of one URL, told apart by the fields that Vary names (RFC 9111 §4.1).

use tower_keep::cache::{CachePolicy, Forward, LanguageMatching, UnknownFields};

use super::{FRESH, Fields, SAFE};
use crate::support::{Harness, request, response};

/// Every answer is another body, and varies so.
fn varying(policy: CachePolicy, vary: &str) -> Harness {
    Harness::always(policy, 200, &[FRESH, ("vary", vary)])
}

/// Whether the answer to a request with the one fields may be served to one with the other.
async fn matches(policy: CachePolicy, vary: &str, one: Fields<'_>, other: Fields<'_>) -> bool {
    let cache = varying(policy, vary);
    cache.get("/", one).await;
    let got = cache.get("/", other).await;
    assert_eq!(got.is_hit(), got.body == "call 0");
    assert!(got.is_hit() || got.forward() == Some(Forward::VaryMiss));
    got.is_hit()
}

#[tokio::test]
async fn each_variant_is_served_to_those_who_select_it() {
    let cache = varying(SAFE, "x-one, X-Two");
    let variants: [Fields<'_>; 6] = [
        &[],
        &[("x-one", "")],
        &[("x-one", "a")],
        &[("x-two", "a")],
        &[("x-one", "a"), ("x-two", "b")],
        &[("x-one", "b"), ("x-two", "a")],
    ];
    for (at, fields) in variants.into_iter().enumerate() {
        assert_eq!(cache.get("/", fields).await.body, format!("call {at}"), "{fields:?}");
    }
    for (at, fields) in variants.into_iter().enumerate() {
        let other = [fields, &[("x-three", "any")]].concat();
        let hit = cache.get("/", &other).await;
        assert!(hit.is_hit() && hit.body == format!("call {at}"), "{fields:?}");
        let head = cache.send(request("HEAD", "/", fields)).await;
        assert!(head.is_hit(), "{fields:?}");
    }
    let miss = cache.get("/", &[("x-one", "c")]).await;
    assert_eq!(miss.forward(), Some(Forward::VaryMiss));
}

/// Those that are known to be lists; others only where the policy reads them as lists.
#[tokio::test]
async fn selecting_fields_match_as_they_would_be_combined_and_spaced() {
    for (name, one, other) in [
        ("x", &["a, b"][..], &["a,b"][..]),
        ("x", &["a, b"], &["a", "b"]),
        ("x", &["a\t,  b"], &["a ,b"]),
        ("accept", &["a/b, c/d"], &["a/b", "c/d"]),
        ("accept-encoding", &["gzip, br"], &["GZIP ,BR"]),
        ("accept-encoding", &["gzip;q=0.5"], &["gzip ; q=0.5"]),
        ("accept-language", &["en-GB, de"], &["EN-gb,DE"]),
        ("accept-charset", &["UTF-8"], &["utf-8"]),
    ] {
        let fields = |lines: &[&'static str]| -> Vec<(&'static str, &'static str)> {
            lines.iter().map(|line| (name, *line)).collect()
        };
        let lists = SAFE.unknown_fields(UnknownFields::Lists);
        for (one, other) in [(one, other), (other, one)] {
            let (one, other) = (fields(one), fields(other));
            assert!(matches(lists.clone(), name, &one, &other).await, "{one:?} {other:?}");
            assert_eq!(matches(SAFE, name, &one, &other).await, name != "x", "{one:?} {other:?}");
            assert!(matches(SAFE, name, &one, &one).await, "{one:?}");
        }
    }
}

#[tokio::test]
async fn selecting_fields_that_may_mean_something_else_do_not_match() {
    for (name, one, other) in [
        ("x", "a, b", "b, a"),
        ("x", "a b", "ab"),
        ("x", "a", "A"),
        ("x", "a", "a, a"),
        ("x", "\"a , b\"", "\"a,b\""),
        ("x", "\"a , b", "\"a,b"),
        ("x", "a;b", "a; b"),
        ("x", "", "a"),
        ("accept-encoding", "gzip", "gzip;q=0"),
        ("accept-encoding", "gzip;q=x", "gzip"),
        ("accept-language", "en, de", "de, en"),
        ("cookie", "a=1", "A=1"),
        ("cookie", "a=1; b=2", "b=2; a=1"),
        ("authorization", "Bearer x", "Bearer X"),
    ] {
        // `public`, as RFC 9111 §3.5 has its own say.
        let fields = [("cache-control", "public, max-age=60"), ("vary", name)];
        for policy in [SAFE, SAFE.unknown_fields(UnknownFields::Lists)] {
            for (one, other) in [(one, other), (other, one)] {
                let cache = Harness::always(policy.clone(), 200, &fields);
                cache.get("/", &[(name, one)]).await;
                assert!(!cache.get("/", &[(name, other)]).await.is_hit(), "{name}: {one} {other}");
                assert!(cache.get("/", &[(name, one)]).await.is_hit(), "{name}: {one}");
            }
        }
    }
    for policy in [SAFE, SAFE.unknown_fields(UnknownFields::Lists)] {
        let differ = async |vary: &str, one: Fields<'_>, other: Fields<'_>| {
            !matches(policy.clone(), vary, one, other).await
        };
        assert!(differ("x", &[], &[("x", "")]).await, "a missing field is no empty one");
        assert!(differ("x, y", &[("x", "ab"), ("y", "c")], &[("x", "a"), ("y", "bc")]).await);
        assert!(differ("x, y", &[("x", "a")], &[("y", "a")]).await);
        assert!(differ("x, y", &[("x", "a"), ("x", "b")], &[("x", "a"), ("y", "b")]).await);
        let (one, other) = ([("x", "b"), ("y", "c")], [("y", "b"), ("y", "c")]);
        let both = |more| [("x", "a"), ("x", "b"), ("y", more)];
        assert!(differ("x, y", &[&[("x", "a")], &other[..]].concat(), &both("c")).await);
        assert!(differ("x, y", &one, &both("c")).await);
    }
}

#[tokio::test]
async fn languages_match_as_the_policy_says() {
    for (matching, one, other, is_match) in [
        (LanguageMatching::Listed, "en, de", "de, en", false),
        (LanguageMatching::Unordered, "en, de", "de, en", true),
        (LanguageMatching::Unordered, "en, de;q=0.5", "de;q=0.5, en;q=1.0", true),
        (LanguageMatching::Unordered, "en, de;q=0.5", "de, en;q=0.5", false),
        (LanguageMatching::Unordered, "en;q=x", "en", false),
        (LanguageMatching::ContentLanguage, "de, en", "fr;q=0.1, de", true),
        (LanguageMatching::ContentLanguage, "de, en", "fr, de;q=0.1", false),
    ] {
        let fields = [FRESH, ("vary", "accept-language"), ("content-language", "de")];
        let cache = Harness::always(SAFE.language_matching(matching), 200, &fields);
        cache.get("/", &[("accept-language", one)]).await;
        let got = cache.get("/", &[("accept-language", other)]).await;
        assert_eq!(got.is_hit(), is_match, "{matching:?}: {one} / {other}");
    }
}

#[tokio::test]
async fn the_newest_vary_list_counts() {
    let cache = Harness::new(|request, call| {
        let vary = if request.headers().contains_key("new") { "x, y" } else { "x" };
        response(&[FRESH, ("vary", vary)], format!("call {call}"))
    });
    cache.get("/", &[("x", "1")]).await;
    cache.get("/", &[("x", "2"), ("new", "1")]).await;
    assert!(cache.get("/", &[("x", "2")]).await.is_hit());
    assert!(!cache.get("/", &[("x", "2"), ("y", "1")]).await.is_hit());
    // The variants under the old list are not asked by a list that they were not stored under.
    assert_eq!(cache.get("/", &[("x", "1"), ("new", "1")]).await.body, "call 3");
}

#[tokio::test]
async fn a_response_that_no_longer_varies_is_for_all() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ("vary", "x")], "varies"),
        1 => response(&[FRESH], "for all"),
        _ => response(&[FRESH, ("vary", "x")], "varies again"),
    });
    cache.get("/", &[("x", "1")]).await;
    cache.get("/", &[("x", "2")]).await;
    for x in ["1", "2", "3"] {
        assert_eq!(cache.get("/", &[("x", x)]).await.body, "for all");
    }
    cache.get("/", &[("x", "1"), ("cache-control", "no-cache")]).await;
    assert_eq!(cache.get("/", &[("x", "1")]).await.body, "varies again");
    assert!(!cache.get("/", &[("x", "2")]).await.is_hit());
}

/// RFC 9111 §4.3: a variant is validated by its own validators, and freshened alone.
#[tokio::test]
async fn each_variant_is_validated_by_itself() {
    let cache = Harness::new(|request, _| {
        let x = request.headers()["x"].to_str().unwrap();
        let tag = format!("\"{x}\"");
        let fields = [FRESH, ("vary", "x"), ("etag", tag.as_str())];
        let held = request.headers().get("if-none-match").map(|held| held.to_str().unwrap());
        match held {
            Some(held) if held == tag => crate::support::answered(304, &fields, ""),
            Some(held) => panic!("{held} for {x}"),
            None => response(&fields, x),
        }
    });
    for x in ["1", "2"] {
        cache.get("/", &[("x", x)]).await;
    }
    cache.advance(60);
    assert_eq!(cache.get("/", &[("x", "1")]).await.body, "1");
    assert!(cache.get("/", &[("x", "1")]).await.is_hit());
    let other = cache.get("/", &[("x", "2")]).await;
    assert_eq!((other.body.as_str(), other.is_hit()), ("2", false));
    assert!(cache.get("/", &[("x", "2")]).await.is_hit());
    assert!(cache.get("/", &[("x", "1")]).await.is_hit(), "the other's 304 took nothing from it");
}

#[tokio::test]
async fn c29_at_most_32_variants_of_a_url_are_kept() {
    let cache = varying(SAFE, "accept-language");
    cache.get("/other", &[]).await;
    for at in 0..1000 {
        let language = format!("x-{at}");
        cache.clock.advance(std::time::Duration::from_micros(1));
        let used = cache.get("/", &[("accept-language", "en")]).await;
        assert!(used.is_hit() || at == 0, "the least recently used leaves, {at}");
        cache.get("/", &[("accept-language", &language)]).await;
        // Two entries are the other URL's.
        assert!(cache.store.entries() <= 32 + 1 + 2, "{}", cache.store.entries());
    }
    assert!(cache.get("/other", &[]).await.is_hit());
    for at in 969..1000 {
        let language = format!("x-{at}");
        assert!(cache.get("/", &[("accept-language", &language)]).await.is_hit(), "{at}");
    }
    assert!(!cache.get("/", &[("accept-language", "x-968")]).await.is_hit());
}
