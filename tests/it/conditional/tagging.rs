//! Tags by digest: which responses get one, and which form of it.

use axum::body::Body;
use http::{Request, Response};
use tower_keep::conditional::EtagLayer;

use super::Stack;
use crate::scripted::Step::Data;
use crate::scripted::scripted;
use crate::support::{answered, request, response};

fn of(fields: &'static [(&str, &str)], body: &'static str) -> Stack {
    Stack::new(move |_, _| response(fields, body)).tagged()
}

fn is_strong(tag: &str) -> bool {
    tag.len() == 42 && tag.starts_with('"') && tag.ends_with('"')
}

#[tokio::test]
async fn a_complete_body_has_a_strong_tag_that_is_the_same_everywhere() {
    let tag = of(&[], "page").tag(&[]).await.unwrap();
    assert!(is_strong(&tag), "{tag}");
    // In every instance, today and tomorrow: a tag that changed with a release would refill every cache.
    assert_eq!(tag, "\"4e44a9315480ae9fd6b49c1fee4e95147ee504bd\"");
    assert_eq!(of(&[], "page").tag(&[]).await.unwrap(), tag);
    assert_ne!(of(&[], "pagf").tag(&[]).await.unwrap(), tag);
    let empty = of(&[], "").tag(&[]).await.unwrap();
    assert!(is_strong(&empty) && empty != tag);
    let got = of(&[("x-own", "1")], "page").get(&[]).await;
    assert_eq!((got.body.as_str(), got.field("x-own")), ("page", Some("1")));
}

/// RFC 9110 §8.8.1: the same bytes that mean something else are another state.
#[tokio::test]
async fn what_the_content_means_is_part_of_the_tag() {
    let mut seen = vec![of(&[], "page").tag(&[]).await.unwrap()];
    for fields in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "text/html")],
        &[("content-language", "text/html")],
        &[("content-encoding", "text/html")],
    ] {
        let tag = of(fields, "page").tag(&[]).await.unwrap();
        assert!(!seen.contains(&tag), "{fields:?}");
        seen.push(tag);
    }
}

#[tokio::test]
async fn a_handlers_own_tag_is_never_replaced() {
    for own in ["\"1\"", "W/\"1\"", "not a tag"] {
        let stack = Stack::new(move |_, _| response(&[("etag", own)], "page")).tagged();
        assert_eq!(stack.tag(&[]).await.as_deref(), Some(own));
        let versioned = Stack::new(move |_, _| response(&[("etag", own)], "page")).with(|clock| {
            EtagLayer::with_clock(clock)
                .by_version(|_| Some(tower_keep::conditional::Current::tagged(7)))
        });
        assert_eq!(versioned.tag(&[]).await.as_deref(), Some(own));
    }
}

#[tokio::test]
async fn no_store_errors_and_parts_are_left_alone() {
    for value in ["no-store", "max-age=1, No-Store", "private, no-store=\"x\""] {
        let stack = Stack::new(move |_, _| response(&[("cache-control", value)], "page")).tagged();
        assert_eq!(stack.tag(&[]).await, None, "{value}");
    }
    assert!(of(&[("cache-control", "no-cache, x=\"no-store\"")], "page").tag(&[]).await.is_some());
    for status in [204, 205, 206, 301, 304, 400, 404, 412, 416, 500, 503] {
        let stack = Stack::new(move |_, _| answered(status, &[], "page")).tagged();
        assert_eq!(stack.tag(&[]).await, None, "{status}");
    }
    assert_eq!(of(&[("content-range", "bytes 0-3/9")], "page").tag(&[]).await, None);
}

#[tokio::test]
async fn only_what_get_and_head_are_answered_is_a_representation() {
    let page = of(&[], "page");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        let got = page.send(request(method, "/", &[])).await;
        assert_eq!((got.body.as_str(), got.field("etag")), ("page", None), "{method}");
    }
}

/// A router has taken the body off already: a digest of nothing would be a wrong tag, and HEAD would drop what a cache holds.
#[tokio::test]
async fn a_head_has_the_tag_of_the_get_or_none() {
    let whole = of(&[], "page");
    let tag = whole.tag(&[]).await;
    let head = whole.send(request("HEAD", "/", &[])).await;
    assert_eq!(head.field("etag"), tag.as_deref());
    let stripped = Stack::new(|request: &Request<Body>, _| {
        let body = if request.method() == "HEAD" { "" } else { "page" };
        response(&[("content-length", "4")], body)
    })
    .tagged();
    assert_eq!(stripped.send(request("HEAD", "/", &[])).await.field("etag"), None);
    assert_eq!(stripped.tag(&[]).await, tag);
    let empty = of(&[], "").send(request("HEAD", "/", &[])).await;
    assert_eq!(empty.field("etag"), None);
}

#[tokio::test]
async fn a_body_of_unknown_length_or_over_the_cap_passes_untagged() {
    let unknown = Stack::new(|_, _| Response::new(scripted(&[Data("page")]))).tagged();
    let got = unknown.get(&[]).await;
    assert_eq!((got.body.as_str(), got.field("etag")), ("page", None));
    for (cap, is_tagged) in [(3, false), (4, true)] {
        let stack = Stack::new(|_, _| response(&[], "page"));
        let stack = match cap {
            3 => stack.with(|clock| EtagLayer::with_clock(clock).body_bytes_max(3)),
            _ => stack.with(|clock| EtagLayer::with_clock(clock).body_bytes_max(4)),
        };
        let got = stack.get(&[]).await;
        assert_eq!((got.body.as_str(), got.headers.contains_key("etag")), ("page", is_tagged));
    }
}

/// RFC 9110 §8.8.3.3: a compression layer further out changes the bytes and keeps the tag.
#[tokio::test]
async fn who_takes_a_coding_gets_a_weak_tag_and_no_cache_gives_him_the_strong_one() {
    let page = of(&[], "page");
    let strong = page.get(&[]).await;
    let tag = strong.field("etag").unwrap();
    assert!(is_strong(tag));
    assert_eq!(strong.field("vary"), Some("accept-encoding"));
    for accepts in ["gzip", "gzip, deflate, br, zstd", "*", "identity, gzip;q=0.1"] {
        let weak = page.get(&[("accept-encoding", accepts)]).await;
        assert_eq!(weak.field("etag"), Some(&*format!("W/{tag}")), "{accepts}");
        assert_eq!(weak.field("vary"), None);
    }
    for accepts in ["identity", "gzip;q=0", ""] {
        assert_eq!(page.tag(&[("accept-encoding", accepts)]).await.as_deref(), Some(tag));
    }
}

#[tokio::test]
async fn what_is_encoded_already_has_a_strong_tag_of_its_own() {
    let plain = of(&[], "page").tag(&[]).await;
    let coded = of(&[("content-encoding", "gzip")], "page");
    let got = coded.get(&[("accept-encoding", "gzip")]).await;
    assert!(is_strong(got.field("etag").unwrap()));
    assert_ne!(got.field("etag"), plain.as_deref());
    assert_eq!(got.field("vary"), None, "whether it is encoded is its handler's to tell");
}

#[tokio::test]
async fn without_compression_outside_all_tags_are_strong() {
    let page = Stack::new(|_, _| response(&[], "page"))
        .with(|clock| EtagLayer::with_clock(clock).without_compression_outside());
    for accepts in ["gzip", ""] {
        let got = page.get(&[("accept-encoding", accepts)]).await;
        assert!(is_strong(got.field("etag").unwrap()));
        assert_eq!(got.field("vary"), None);
    }
}

#[tokio::test]
async fn vary_is_kept_and_added_to_once() {
    for (own, vary) in [
        ("accept-language", &["accept-language", "accept-encoding"][..]),
        ("Accept-Encoding", &["Accept-Encoding"]),
        ("*", &["*"]),
    ] {
        let stack = Stack::new(move |_, _| response(&[("vary", own)], "page")).tagged();
        let got = stack.get(&[]).await;
        assert_eq!(got.headers.get_all("vary").iter().collect::<Vec<_>>(), vary);
    }
}

#[tokio::test]
async fn the_layer_and_its_service_say_what_they_are() {
    let layer = EtagLayer::new().by_version(|_| None).body_bytes_max(7);
    let shown = format!("{layer:?}");
    assert!(shown.contains("by_version: true") && shown.contains("body_bytes_max: 7"), "{shown}");
}
