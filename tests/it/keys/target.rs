//! Path and query: byte for byte, as the service sees them.

use super::{each_has_its_own_entry, echo};
use crate::support::request;

/// Every target has its own entry, and the service sees the bytes that are the key.
async fn each_is_its_own(targets: &[&str]) {
    let cache = echo();
    let requests = targets.iter().map(|target| ((*target).to_owned(), request("GET", target, &[])));
    each_has_its_own_entry(&cache, requests.collect()).await;
    for (target, seen) in targets.iter().zip(cache.inner.seen()) {
        assert_eq!(seen.uri.path_and_query().unwrap().as_str(), *target);
    }
}

#[tokio::test]
async fn c14_the_query_is_the_key_byte_for_byte() {
    each_is_its_own(&[
        "/x",
        "/x?",
        "/x??",
        "/x?a=1",
        "/x?a=1&",
        "/x?&a=1",
        "/x?a=1&b=2",
        "/x?b=2&a=1",
        "/x?a=1;b=2",
        "/x?a=1%26b=2",
        "/x?a=1%3bb=2",
        "/x?a=1%3Bb=2",
        "/x?a=1&a=2",
        "/x?a=2&a=1",
        "/x?a=1&a=1",
        "/x?A=1",
        "/x?%61=1",
        "/x?a=%31",
        "/x?a",
        "/x?a=",
        "/x?a[]=1",
        "/x?a%5B%5D=1",
        "/x?a=1+2",
        "/x?a=1%202",
        "/x?a=1%2b2",
        "/x?a=1?b=2",
        "/x?a=1/../b",
        "/x?a=%00",
        "/x?a=%",
        "/x?a='",
    ])
    .await;
}

/// What caches leave out of their keys elsewhere, some services still read.
#[tokio::test]
async fn c14_no_parameter_is_taken_for_one_that_does_not_count() {
    each_is_its_own(&[
        "/x?cb=1",
        "/x?utm_source=1",
        "/x?utm_source=1;cb=evil",
        "/x?utm_source=1&cb=evil",
        "/x?utm_content=x%26cb=evil",
        "/x?cb=1&utm_source=1",
        "/x?utm_source=2",
        "/x?fbclid=1",
        "/x?gclid=1",
        "/x?_=1",
        "/x?callback=1",
        "/x?_method=POST",
        "/x?callback=evil;callback=1",
        "/x?PHPSESSID=1",
    ])
    .await;
}

#[tokio::test]
async fn c15_the_path_is_the_key_byte_for_byte() {
    each_is_its_own(&[
        "/",
        "//",
        "/a",
        "/A",
        "/a/",
        "//a",
        "/a//",
        "/./a",
        "/a/.",
        "/a/b",
        "/a/../b",
        "/b",
        "/../b",
        "/a/%2e%2e/b",
        "/a/%2E%2E/b",
        "/a/..%2fb",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a;x",
        "/a;y",
        "/a;",
        "/a%3bx",
        "/a%00",
        "/a%00b",
        "/a%3fb",
        "/a?b",
        "/a%23b",
        "/%61",
        "/a%20",
        "/a+",
        "/a%0d%0ab",
        "/a%",
        "/a%zz",
        "/a%c0%ae",
        "/a:b",
        "/a@b",
        "/a|b",
        "/http://a.test/a",
    ])
    .await;
}

/// RFC 9110 §4.2.3 has an empty path mean `/`, so only these two may be one.
#[tokio::test]
async fn c15_an_empty_path_is_the_root() {
    let cache = echo();
    cache.get("/", &[]).await;
    assert!(cache.get("http://a.test", &[]).await.is_hit());
    assert!(cache.get("http://a.test/", &[]).await.is_hit());
}

/// A fragment never reaches a service, so it cannot be a part of the key.
#[tokio::test]
async fn c15_what_follows_a_number_sign_is_dropped_before_cache_and_service() {
    let cache = echo();
    let first = cache.get("/a#evil", &[]).await;
    assert!(!first.body.contains("evil"));
    assert_eq!(cache.get("/a", &[]).await.body, first.body);
}
