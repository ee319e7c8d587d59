//! Tags: where they are read, what too many or unreadable ones mean, and that clients do not see them.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Response};
use tower_keep::cache::{CacheHint, CachePolicy, Purge, PurgeErrorKind, Reason};
use tower_keep::store::Reach;

use super::{AnyLayer, FRESH, Hit, Miss, Next, Shop, page};
use crate::support::response;

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// Reads tags from this field.
fn reading(field: HeaderName) -> impl Fn(AnyLayer) -> AnyLayer {
    move |layer| layer.policy(CachePolicy::shared().tags_from(field.clone()))
}

/// A response with these lines, and the tags of a hint.
#[derive(Clone, Debug, Default)]
struct Tagged {
    lines: Vec<(HeaderName, HeaderValue)>,
    hinted: Vec<String>,
}

impl Tagged {
    fn line(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.lines.push((HeaderName::from_static(name), value));
        self
    }

    fn hint(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.hinted.extend(tags.into_iter().map(Into::into));
        self
    }

    fn apply(&self, mut response: Response<Body>) -> Response<Body> {
        for (name, value) in &self.lines {
            response.headers_mut().append(name, value.clone());
        }
        if !self.hinted.is_empty() {
            let hint = CacheHint::fresh_for(Duration::from_secs(60));
            let hint = self.hinted.iter().fold(hint, |hint, tag| hint.tag(tag.as_str()));
            response.extensions_mut().insert(hint);
        }
        response
    }
}

/// `/` is tagged so, all else is not.
fn tagged(field: HeaderName, tags: &Tagged) -> Shop {
    let tags = tags.clone();
    Shop::with(reading(field), move |request: &Request<Body>, call| {
        let response = page(request, call, &[]);
        if request.uri().path() == "/" { tags.apply(response) } else { response }
    })
}

/// Whether a purge by the tag reaches `/`, of which it is told that it is stored.
async fn carries(field: HeaderName, tags: &Tagged, tag: &str) -> bool {
    let shop = tagged(field, tags);
    shop.warm(&["/", "/other"]).await;
    shop.purge(Purge::tag(tag)).await;
    assert_eq!(shop.next("/other", &[]).await, Hit, "{tag}");
    shop.next("/", &[]).await == Miss
}

#[tokio::test]
async fn tags_are_read_from_hints_groups_and_the_field_that_the_policy_names() {
    let none = Tagged::default;
    let all = none()
        .hint(["of the hint", "twice"])
        .line("cache-groups", r#""first";a=1;b, "a \"b\"", "twice""#)
        .line("cache-groups", r#""second line""#)
        .line("surrogate-key", "one two,three\tfour ,, five")
        .line("surrogate-key", "six");
    for tag in ["of the hint", "twice", "first", "a \"b\"", "second line"] {
        assert!(carries(SURROGATE_KEY, &all, tag).await, "{tag}");
        assert!(carries(CACHE_TAG, &all, tag).await, "{tag}");
    }
    for tag in ["one", "two", "three", "four", "five", "six"] {
        assert!(carries(SURROGATE_KEY, &all, tag).await, "{tag}");
        assert!(!carries(CACHE_TAG, &all, tag).await, "{tag} is in a field that is not read");
    }
    for vendors in ["news,sport", "news, sport", "news sport"] {
        let tags = none().line("cache-tag", vendors);
        for tag in ["news", "sport"] {
            assert!(carries(CACHE_TAG, &tags, tag).await, "{tag} in {vendors}");
        }
    }
}

/// RFC 9875 §2: equal when they are the same sequence of characters; parameters do not count.
#[tokio::test]
async fn a_tag_is_compared_whole_and_case_counts() {
    let tags = Tagged::default()
        .hint(["user:7"])
        .line("cache-groups", r#""Group";user="x""#)
        .line("surrogate-key", "Key");
    for other in
        ["user:", "user:77", "User:7", "group", "GROUP", "Group;user", "x", "key", "Key ", "*"]
    {
        assert!(!carries(SURROGATE_KEY, &tags, other).await, "{other}");
    }
    for tag in ["user:7", "Group", "Key"] {
        assert!(carries(SURROGATE_KEY, &tags, tag).await, "{tag}");
    }
}

fn list(tags: impl Iterator<Item = usize>) -> String {
    tags.map(|tag| format!("\"{tag}\"")).collect::<Vec<_>>().join(", ")
}

/// What could not be purged is not stored.
#[tokio::test]
async fn more_tags_than_are_kept_or_such_as_cannot_be_read_are_a_reason_not_to_store() {
    let none = Tagged::default;
    let long = |bytes| "x".repeat(bytes);
    let numbers = |count: usize| (0..count).map(|tag| tag.to_string());
    let quoted = |bytes| format!("\"{}\"", long(bytes));
    for (tags, is_stored) in [
        (none(), true),
        (none().line("cache-groups", ""), true),
        (none().line("cache-groups", list(0..64)), true),
        (none().line("cache-groups", list(0..65)), false),
        (none().line("cache-groups", list((0..64).chain(0..64))), true),
        (none().line("cache-groups", list(0..40)).line("cache-groups", list(40..65)), false),
        (none().hint(numbers(64)), true),
        (none().hint(numbers(65)), false),
        (none().hint(numbers(32)).line("cache-groups", list(32..64)), true),
        (none().hint(numbers(32)).line("cache-groups", list(32..65)), false),
        (none().hint(numbers(32)).line("surrogate-key", "a ".repeat(40) + "b"), true),
        (none().line("surrogate-key", numbers(64).collect::<Vec<_>>().join(" ")), true),
        (none().line("surrogate-key", numbers(65).collect::<Vec<_>>().join(" ")), false),
        (none().hint([long(256)]), true),
        (none().hint([long(257)]), false),
        (none().hint([""]), false),
        (none().line("cache-groups", quoted(256)), true),
        (none().line("cache-groups", quoted(257)), false),
        (none().line("cache-groups", "\"\""), false),
        (none().line("surrogate-key", long(256)), true),
        (none().line("surrogate-key", long(257)), false),
        (none().line("surrogate-key", b"good b\xe4d"), false),
        (none().line("cache-groups", "token"), false),
        (none().line("cache-groups", "\"a\" \"b\""), false),
        (none().line("cache-groups", "(\"a\" \"b\")"), false),
        (none().line("cache-groups", "\"a"), false),
        (none().line("cache-groups", "\"a\",").line("cache-groups", "1"), false),
        (none().line("cache-groups", b"\"\xc3\xa4\""), false),
        (none().line("cache-groups", "\"a\", 7"), false),
    ] {
        let shop = tagged(SURROGATE_KEY, &tags);
        let got = shop.get("/", &[]).await;
        let outcome = got.outcome.unwrap();
        let reason = (!is_stored).then_some(Reason::Tags);
        assert_eq!((outcome.is_stored(), outcome.reason()), (is_stored, reason), "{tags:?}");
        let status = got.field("cache-status").unwrap();
        assert_eq!(status.ends_with("detail=tags"), !is_stored, "{tags:?}: {status}");
        assert_eq!(shop.next("/", &[]).await == Hit, is_stored, "{tags:?}");
    }
}

#[tokio::test]
async fn a_tag_that_no_response_can_carry_is_an_error() {
    let shop = Shop::new(|request, call| page(request, call, &[]));
    for tag in ["", &"x".repeat(257)] {
        let error = shop.layer.handle().purge(Purge::tag(tag)).await.unwrap_err();
        assert_eq!(error.kind(), PurgeErrorKind::Tag, "{tag}");
    }
    let purged = shop.layer.handle().purge(Purge::tag("x".repeat(256))).await;
    assert_eq!(purged.unwrap(), Reach::ThisProcess);
}

/// The second variant has a tag of its own.
#[tokio::test]
async fn a_tag_reaches_the_variants_that_carry_it_and_no_other() {
    let shop = Shop::new(|request, call| {
        let group = format!("\"{}\"", request.headers()["x"].to_str().unwrap());
        page(request, call, &[("vary", "x"), ("cache-groups", &group)])
    });
    for x in ["1", "2"] {
        shop.get("/", &[("x", x)]).await;
    }
    shop.purge(Purge::tag("1")).await;
    assert_eq!(shop.next("/", &[("x", "2")]).await, Hit);
    assert_eq!(shop.next("/", &[("x", "1")]).await, Miss);
}

/// A purge of what it was tagged with before may be on its way.
#[tokio::test]
async fn the_tags_of_a_304_join_those_that_the_response_had() {
    let after = |tags: Tagged, validating: Tagged| async move {
        let shop = freshened(&tags, &validating).await;
        assert_eq!(shop.next("/", &[]).await, Hit, "{validating:?}");
        shop
    };
    let none = Tagged::default;
    let before = none().hint(["hint"]).line("cache-groups", "\"old\"").line("surrogate-key", "k");
    let none_in_304 = none();
    let others = none().hint(["hint 2"]).line("cache-groups", "\"new\"").line("surrogate-key", "l");
    for (validating, tags) in [
        (none_in_304, &["hint", "old", "k"][..]),
        (others, &["hint", "old", "k", "hint 2", "new", "l"]),
    ] {
        for tag in tags {
            let shop = after(before.clone(), validating.clone()).await;
            shop.purge(Purge::tag(*tag)).await;
            assert_eq!(shop.next("/", &[]).await, Miss, "{tag} with {validating:?}");
        }
    }
}

/// After `before` was stored, and validated by a 304 that is tagged so.
async fn freshened(before: &Tagged, validating: &Tagged) -> Shop {
    let (before, validating) = (before.clone(), validating.clone());
    let shop = Shop::with(reading(SURROGATE_KEY), move |request, call| {
        let tags = if call == 1 { &validating } else { &before };
        tags.apply(page(request, call, &[]))
    });
    shop.get("/", &[]).await;
    shop.clock.advance(Duration::from_secs(61));
    assert_eq!(shop.next("/", &[]).await, Next::Validated);
    shop
}

#[tokio::test]
async fn a_304_that_makes_the_tags_too_many_or_unreadable_drops_the_response() {
    let of = |tags| Tagged::default().line("cache-groups", tags);
    for (validating, is_kept) in [
        (of(list(32..64)), true),
        (of(list(0..64)), true),
        (of(list(32..65)), false),
        (of(list(0..65)), false),
        (of("\"unreadable".to_owned()), false),
        (Tagged::default().line("surrogate-key", b"\xe4"), false),
    ] {
        let shop = freshened(&of(list(0..32)), &validating).await;
        let expected = if is_kept { Hit } else { Miss };
        assert_eq!(shop.next("/", &[]).await, expected, "{validating:?}");
    }
}

/// RFC 9111 §4.3.5: nor do those of a HEAD that freshens it.
#[tokio::test]
async fn the_tags_of_a_head_join_those_that_the_response_had() {
    for tag in ["old", "new"] {
        let shop = Shop::new(|request, _| {
            let group = if request.method() == "HEAD" { "\"new\"" } else { "\"old\"" };
            response(&[FRESH, ("etag", "\"1\""), ("cache-groups", group)], "")
        });
        shop.get("/", &[]).await;
        shop.clock.advance(Duration::from_secs(61));
        shop.send("HEAD", "/", &[]).await;
        assert_eq!(shop.next("/", &[]).await, Hit, "the HEAD made it fresh");
        shop.purge(Purge::tag(tag)).await;
        assert_eq!(shop.next("/", &[]).await, Miss, "{tag}");
    }
}
