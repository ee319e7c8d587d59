//! Ranges out of a complete stored response (RFC 9110 §14; RFC 9111 §3.3).

mod multipart;

use std::time::{Duration, Instant};

use tower_keep::cache::CachePolicy;

use super::{ETAG, FRESH, Fields, SAFE};
use crate::support::{Harness, answered, date_at, request, response};

const DIGITS: &str = "0123456789";

/// Ten digits, stored with these fields.
async fn digits(fields: Fields<'_>) -> Harness {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let cache = Harness::with(
        |layer| layer.policy(CachePolicy::rfc9111()),
        move |_, call| {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            response(&fields, if call == 0 { DIGITS } else { "inner" })
        },
    );
    cache.get("/", &[]).await;
    cache
}

#[tokio::test]
async fn c24_a_single_range_of_a_stored_response_is_a_206() {
    let cache = digits(&[FRESH, ETAG, ("content-type", "text/plain"), ("x-own", "1")]).await;
    cache.advance(7);
    for (range, part, first_last) in [
        ("bytes=0-1", "01", "0-1"),
        ("bytes=0-0", "0", "0-0"),
        ("bytes=9-9", "9", "9-9"),
        ("bytes=3-", "3456789", "3-9"),
        ("bytes=3-99999999999999999999999", "3456789", "3-9"),
        ("bytes=0-9", DIGITS, "0-9"),
        ("bytes=0-", DIGITS, "0-9"),
        ("bytes=-3", "789", "7-9"),
        ("bytes=-10", DIGITS, "0-9"),
        ("bytes=-99999999999999999999999", DIGITS, "0-9"),
        ("Bytes=2-4", "234", "2-4"),
        ("bytes=002-004", "234", "2-4"),
        // RFC 9110 §5.6.1.2: empty members of a list are none.
        ("bytes=2-4,", "234", "2-4"),
        ("bytes=, 2-4 , ", "234", "2-4"),
        // RFC 9110 §15.3.7.2: one that is left is no multipart.
        ("bytes=2-4,10-", "234", "2-4"),
        ("bytes=99-,-0,2-4", "234", "2-4"),
    ] {
        let got = cache.get("/", &[("range", range)]).await;
        assert_eq!(
            (got.status.as_u16(), got.body.as_str(), got.is_hit()),
            (206, part, true),
            "{range}"
        );
        assert_eq!(got.field("content-range"), Some(&*format!("bytes {first_last}/10")), "{range}");
        assert_eq!(got.field("content-length"), Some(&*part.len().to_string()), "{range}");
        let kept = ["etag", "cache-control", "content-type", "age", "date", "x-own"];
        assert!(kept.iter().all(|name| got.headers.contains_key(*name)), "{range}");
        assert_eq!(got.field("age"), Some("7"));
    }
    let whole = cache.get("/", &[]).await;
    assert_eq!((whole.status.as_u16(), whole.body.as_str(), whole.is_hit()), (200, DIGITS, true));
    assert_eq!(whole.field("content-range"), None);
    assert_eq!(cache.inner.calls(), 1);
}

#[tokio::test]
async fn c24_a_range_beyond_the_end_is_a_416() {
    let cache = digits(&[FRESH, ETAG, ("x-own", "1")]).await;
    for range in [
        "bytes=10-",
        "bytes=10-10",
        "bytes=99999999999999999999999-",
        "bytes=-0",
        "bytes=-000",
        "bytes=10-,-0,20-30",
        "bytes=20-30,10-25",
    ] {
        let got = cache.get("/", &[("range", range)]).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (416, ""), "{range}");
        assert_eq!(got.field("content-range"), Some("bytes */10"), "{range}");
        assert_eq!(got.field("content-length"), Some("0"), "{range}");
        assert_eq!(got.field("cache-control"), Some("no-store"), "nobody further out keeps it");
        assert_eq!((got.field("etag"), got.field("x-own")), (None, None));
    }
    assert!(cache.get("/", &[]).await.is_hit(), "what others are served stays");
    let empty = Harness::new(|_, _| response(&[FRESH], ""));
    empty.get("/", &[]).await;
    for range in ["bytes=0-", "bytes=0-0", "bytes=-0"] {
        let got = empty.get("/", &[("range", range)]).await;
        assert_eq!((got.status.as_u16(), got.field("content-range")), (416, Some("bytes */0")));
    }
}

/// RFC 9110 §14.2: a server may ignore the field, and must where it cannot read it.
#[tokio::test]
async fn c24_ranges_that_overlap_or_descend_and_malformed_ones_are_a_200() {
    let cache = digits(&[FRESH, ETAG]).await;
    let many = format!("bytes={}", "0-,".repeat(50_000));
    let descending = (0..8).rev().map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
    let began = Instant::now();
    for range in [
        "bytes=0-1,1-2",
        "bytes=0-0,0-0",
        "bytes=0-,0-,0-",
        "bytes=0-5,-5",
        "bytes=5-20,9-30",
        "bytes=3-4,0-1",
        "bytes=0-1,4-5,2-3",
        &many,
        &format!("bytes={descending}"),
        "bytes=0-1,x",
        "bytes=0-1,5-4",
        "bytes=99-,x",
        "bytes=0-1;3-4",
        "bytes=,",
        "bytes=1-0",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=--1",
        "bytes=0-1-2",
        "bytes=+0-1",
        "bytes=0x0-1",
        "bytes 0-1",
        "bytes = 0-1",
        "bytes= 0-1",
        "bytes=0 -1",
        "bytes=0- 1",
        "items=0-1",
        "=0-1",
        "0-1",
        "",
        "bytes=\"0-1\"",
        "byte=0-1",
        "bytess=0-1",
    ] {
        let got = cache.get("/", &[("range", range)]).await;
        let short = &range[..range.len().min(40)];
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, DIGITS), "{short}");
        assert!(got.is_hit() && !got.headers.contains_key("content-range"), "{short}");
    }
    assert!(began.elapsed() < Duration::from_secs(1), "no time is spent on what is ignored");
    let lines = [("range", "bytes=0-1"), ("range", "bytes=0-1")];
    assert_eq!(cache.get("/", &lines).await.status, 200);
}

#[tokio::test]
async fn c24_a_range_is_for_get_and_for_a_stored_200() {
    let cache = digits(&[FRESH, ETAG]).await;
    let head = cache.send(request("HEAD", "/", &[("range", "bytes=0-1")])).await;
    assert_eq!((head.status.as_u16(), head.field("content-length")), (200, Some("10")));
    for status in [203, 301, 404, 410, 503] {
        let other = Harness::always(SAFE, status, &[FRESH]);
        other.get("/", &[]).await;
        let got = other.get("/", &[("range", "bytes=0-1")]).await;
        assert_eq!(
            (got.status.as_u16(), got.body.as_str(), got.is_hit()),
            (status, "call 0", true)
        );
    }
}

#[tokio::test]
async fn c24_if_range_with_a_tag_compares_strongly() {
    for (stored, given, is_part) in [
        ("\"1\"", "\"1\"", true),
        ("\"1\"", "\"2\"", false),
        ("\"1\"", "W/\"1\"", false),
        ("W/\"1\"", "W/\"1\"", false),
        ("W/\"1\"", "\"1\"", false),
        ("\"1\"", "1", false),
        ("\"1\"", "*", false),
        ("\"1\"", "\"1\", \"2\"", false),
        ("\"1\"", "", false),
        ("1", "\"1\"", false),
    ] {
        let cache = digits(&[FRESH, ("etag", stored)]).await;
        let got = cache.get("/", &[("range", "bytes=0-1"), ("if-range", given)]).await;
        let expected = if is_part { (206, "01") } else { (200, DIGITS) };
        assert_eq!((got.status.as_u16(), got.body.as_str()), expected, "{stored} {given}");
    }
    let cache = digits(&[FRESH, ETAG]).await;
    let twice = [("range", "bytes=0-1"), ("if-range", "\"1\""), ("if-range", "\"1\"")];
    assert_eq!(cache.get("/", &twice).await.status, 200);
    // Not even a range beyond the end is one.
    let old = [("range", "bytes=99-"), ("if-range", "\"2\"")];
    assert_eq!(cache.get("/", &old).await.status, 200);
    assert_eq!(cache.get("/", &[("if-range", "\"2\"")]).await.status, 200);
}

/// RFC 9110 §8.8.2.2, §13.1.5: exactly the same date, and a second at least before the Date.
#[tokio::test]
async fn c24_if_range_with_a_date_wants_the_very_same_and_strong_one() {
    let [now, just, old, older] = [0, -1, -1000, -1001].map(date_at);
    for (modified, given, is_part) in [
        (Some(&old), &old, true),
        (Some(&just), &just, true),
        // Within the second of its Date the response may have changed once more.
        (Some(&now), &now, false),
        (Some(&old), &older, false),
        (Some(&older), &old, false),
        (Some(&old), &now, false),
        (None, &old, false),
        (None, &now, false),
    ] {
        let mut fields = vec![FRESH, ETAG];
        fields.extend(modified.map(|modified| ("last-modified", modified.as_str())));
        let cache = digits(&fields).await;
        let got = cache.get("/", &[("range", "bytes=0-1"), ("if-range", given)]).await;
        assert_eq!(got.status.as_u16(), if is_part { 206 } else { 200 }, "{modified:?} {given}");
    }
    let cache = digits(&[FRESH, ("last-modified", &old)]).await;
    let spoilt = format!("{old} ago");
    let got = cache.get("/", &[("range", "bytes=0-1"), ("if-range", &spoilt)]).await;
    assert_eq!(got.status, 200);
}

/// RFC 9110 §13.2.2: If-Range comes last.
#[tokio::test]
async fn c24_who_holds_the_whole_gets_a_304_and_no_part() {
    let cache = digits(&[FRESH, ETAG]).await;
    let fields = [("range", "bytes=0-1"), ("if-none-match", "\"1\""), ("if-range", "\"1\"")];
    assert_eq!(cache.get("/", &fields).await.status, 304);
    let fields = [("range", "bytes=0-1"), ("if-none-match", "\"2\""), ("if-range", "\"1\"")];
    assert_eq!(cache.get("/", &fields).await.status, 206);
}

#[tokio::test]
async fn c24_a_part_from_the_inner_service_neither_fills_nor_replaces() {
    let cache = Harness::new(|request, _| match request.headers().contains_key("range") {
        true => answered(206, &[FRESH, ETAG, ("content-range", "bytes 0-1/10")], "01"),
        false => response(&[FRESH, ETAG], DIGITS),
    });
    let part = [("range", "bytes=0-1")];
    let got = cache.get("/", &part).await;
    assert_eq!((got.status.as_u16(), got.body.as_str(), got.is_hit()), (206, "01", false));
    assert!(cache.store.is_empty());
    assert_eq!(cache.get("/", &[]).await.body, DIGITS);
    let anew = [part[0], ("cache-control", "no-cache")];
    assert_eq!(cache.get("/", &anew).await.status, 206);
    let whole = cache.get("/", &[]).await;
    assert_eq!((whole.status.as_u16(), whole.body.as_str(), whole.is_hit()), (200, DIGITS, true));
}

#[tokio::test]
async fn c24_a_stale_response_is_validated_before_a_part_of_it_is_served() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[FRESH, ETAG], DIGITS),
        _ => answered(304, &[ETAG], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    let got = cache.get("/", &[("range", "bytes=-2")]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (206, "89"));
    assert_eq!(cache.inner.seen()[1].headers["if-none-match"], "\"1\"");
    assert!(cache.get("/", &[("range", "bytes=-2")]).await.is_hit());
}
