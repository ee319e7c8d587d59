//! The field that tags are read from is for caches alone.

use axum::body::Body;
use http::{HeaderName, Request, StatusCode};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CachePolicy, Purge};

use super::{AnyLayer, Fields, Shop, page};
use crate::support::{Got, request};

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const TAGGED: Fields<'static> = &[("surrogate-key", "a b"), ("surrogate-key", "c")];

fn reading(layer: AnyLayer) -> AnyLayer {
    layer.policy(CachePolicy::shared().tags_from(SURROGATE_KEY).bypass_on_cookie())
}

fn plain(layer: AnyLayer) -> AnyLayer {
    layer
}

type Change = fn(AnyLayer) -> AnyLayer;

/// Method and fields, one after the other.
const ASKED: [(&str, Fields<'static>, &str); 11] = [
    ("GET", &[], "a miss"),
    ("GET", &[], "a hit"),
    ("GET", &[("if-none-match", "\"1\"")], "a 304 from the store"),
    ("HEAD", &[], "a hit for HEAD"),
    ("GET", &[("range", "bytes=0-1")], "a part"),
    ("GET", &[("cache-control", "no-cache")], "a validation"),
    ("GET", &[], "a hit after a validation"),
    ("GET", &[("cookie", "a=1")], "a bypass"),
    ("OPTIONS", &[], "a method without a part in it"),
    ("POST", &[], "a write"),
    ("HEAD", &[], "a miss for HEAD"),
];

/// The answers to all that is [`ASKED`], behind an outer clone of the layer and perhaps an inner one.
async fn answers(outer: Change, inner: Option<Change>) -> Vec<(&'static str, Got)> {
    let shop = Shop::new(|request: &Request<Body>, call| page(request, call, TAGGED));
    let layer = shop.layer.clone().outcome_in_extensions();
    let mut all = Vec::new();
    for (method, fields, what) in ASKED {
        let request = request(method, "/", fields);
        let origin = shop.inner.clone();
        let got = match inner {
            None => {
                Got::read(outer(layer.clone()).layer(origin).oneshot(request).await.unwrap()).await
            }
            Some(inner) => {
                let service = outer(layer.clone()).layer(inner(layer.clone()).layer(origin));
                Got::read(service.oneshot(request).await.unwrap()).await
            }
        };
        all.push((what, got));
    }
    all
}

fn assert_unseen(whose: &str, answers: &[(&'static str, Got)]) {
    for (what, got) in answers {
        assert_eq!(got.field("surrogate-key"), None, "{what} {whose}: {:?}", got.headers);
    }
    let is_hit: Vec<_> =
        answers.iter().filter(|(_, got)| got.is_hit()).map(|(what, _)| *what).collect();
    assert!(
        is_hit.contains(&"a hit") && is_hit.contains(&"a 304 from the store"),
        "{whose}: {is_hit:?}"
    );
}

#[tokio::test]
async fn clients_do_not_see_the_field_that_tags_are_read_from() {
    assert_unseen("of one layer", &answers(reading, None).await);
}

/// Without the option it is any field; a 304 has those that it must have (RFC 9110 §15.4.5).
#[tokio::test]
async fn a_field_that_no_policy_names_passes() {
    for (what, got) in answers(plain, None).await {
        if got.status == StatusCode::NOT_MODIFIED {
            continue;
        }
        assert!(got.headers.contains_key("surrogate-key"), "{what}");
    }
}

/// RFC 9875 §2: Cache-Groups is for the caches further out too.
#[tokio::test]
async fn cache_groups_are_passed_on() {
    let groups = [("cache-groups", "\"a\"")];
    let shop = Shop::with(reading, move |request, call| page(request, call, &groups));
    for (method, fields, what) in ASKED {
        let got = shop.send(method, "/", fields).await;
        if got.status == StatusCode::NOT_MODIFIED {
            continue;
        }
        assert_eq!(got.field("cache-groups"), Some("\"a\""), "{what}");
    }
}

#[tokio::test]
async fn clients_do_not_see_the_field_that_a_clone_further_in_names() {
    let mut answers_of_inner = answers(plain, Some(reading)).await;
    answers_of_inner.retain(|(what, _)| *what != "a validation");
    assert_unseen("of the inner clone", &answers_of_inner);
    assert_unseen("of both clones", &answers(reading, Some(reading)).await);
}

/// Whether what is validated may be stored or not.
#[tokio::test]
async fn clients_do_not_see_in_a_validated_answer_the_field_that_a_clone_further_in_names() {
    for cache_control in ["max-age=60", "no-store"] {
        let shop = Shop::new(move |request: &Request<Body>, call| {
            let mut response = page(request, call, TAGGED);
            if call > 0 {
                response.headers_mut().insert("cache-control", cache_control.parse().unwrap());
            }
            response
        });
        let inner = reading(shop.layer.clone()).layer(shop.inner.clone());
        let service = shop.layer.layer(inner);
        for fields in [&[][..], &[("cache-control", "no-cache")]] {
            let got = service.clone().oneshot(request("GET", "/", fields)).await.unwrap();
            assert_eq!(got.headers().get("surrogate-key"), None, "{cache_control} {fields:?}");
            Got::read(got).await;
        }
    }
}

/// The answer goes through both.
#[tokio::test]
async fn clients_do_not_see_the_field_that_only_the_outer_clone_names() {
    assert_unseen("of the outer clone", &answers(reading, Some(plain)).await);
}

/// The same head, sent by the shortest way and by another.
#[tokio::test]
async fn the_outer_clones_field_is_not_in_a_hit_of_what_an_inner_clone_had_stored() {
    let shop = Shop::new(|request: &Request<Body>, call| page(request, call, TAGGED));
    let inner = shop.layer.layer(shop.inner.clone());
    let service = reading(shop.layer.clone()).layer(inner);
    for what in ["a miss", "a hit"] {
        let got = Got::read(service.clone().oneshot(request("GET", "/", &[])).await.unwrap()).await;
        assert_eq!(got.field("surrogate-key"), None, "{what}");
    }
}

/// It is read by the clone that holds the look-up.
#[tokio::test]
async fn tags_that_a_clone_further_in_reads_can_be_purged() {
    let shop = Shop::new(|request: &Request<Body>, call| page(request, call, TAGGED));
    let inner = reading(shop.layer.clone()).layer(shop.inner.clone());
    let service = shop.layer.layer(inner);
    for tag in ["a", "b", "c"] {
        for is_hit in [false, true] {
            let got = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
            let status = got.headers()["cache-status"].to_str().unwrap();
            assert_eq!(status.contains("hit"), is_hit, "{tag}: {status}");
            Got::read(got).await;
        }
        shop.purge(Purge::tag(tag)).await;
    }
}
