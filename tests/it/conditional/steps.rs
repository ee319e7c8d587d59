//! RFC 9110 §13.1.1 to §13.1.5 and §13.2, at the layer.

use super::{ETAG, Stack};
use crate::support::{answered, request, response};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// A page with both validators.
fn page() -> Stack {
    Stack::new(|_, _| response(&[ETAG, ("last-modified", MODIFIED)], "page")).conditional()
}

fn with(fields: &'static [(&str, &str)]) -> Stack {
    Stack::new(move |_, _| response(fields, "page")).conditional()
}

#[tokio::test]
async fn section_13_1_1_if_match_compares_strongly_and_fails_with_412() {
    let page = page();
    for (value, status) in [
        ("\"1\"", 200),
        ("*", 200),
        ("\"2\", \"1\"", 200),
        ("\"2\"", 412),
        ("W/\"1\"", 412),
        ("1", 412),
        ("", 412),
        ("*, \"2\"", 412),
    ] {
        assert_eq!(page.status(&[("if-match", value)]).await, status, "{value}");
    }
    let weak = with(&[("etag", "W/\"1\"")]);
    assert_eq!(weak.status(&[("if-match", "W/\"1\"")]).await, 412);
    assert_eq!(weak.status(&[("if-match", "*")]).await, 200);
    let untagged = with(&[]);
    assert_eq!(untagged.status(&[("if-match", "\"1\"")]).await, 412);
    assert_eq!(untagged.status(&[("if-match", "*")]).await, 200);
    let failed = page.get(&[("if-match", "\"2\"")]).await;
    assert_eq!((failed.field("etag"), failed.body.as_str()), (Some("\"1\""), ""));
    assert_eq!(failed.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn section_13_1_2_if_none_match_compares_weakly_and_is_304() {
    for (tag, stack) in [("\"1\"", page()), ("W/\"1\"", with(&[("etag", "W/\"1\"")]))] {
        for (value, status) in [
            ("\"1\"", 304),
            ("W/\"1\"", 304),
            ("\"2\", W/\"1\"", 304),
            ("*", 304),
            ("\"2\"", 200),
            ("1", 200),
            ("", 200),
        ] {
            let got = stack.get(&[("if-none-match", value)]).await;
            assert_eq!(got.status, status, "{value}");
            assert_eq!(got.field("etag"), Some(tag));
            assert_eq!(got.body.is_empty(), status == 304);
        }
    }
    let untagged = with(&[]);
    assert_eq!(untagged.status(&[("if-none-match", "*")]).await, 304);
    assert_eq!(untagged.status(&[("if-none-match", "\"1\"")]).await, 200);
}

#[tokio::test]
async fn section_13_1_3_if_modified_since_counts_in_all_three_formats() {
    let page = page();
    for (value, status) in [
        (MODIFIED, 304),
        (AFTER, 304),
        (BEFORE, 200),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("Sunday, 06-Nov-94 08:49:36 GMT", 200),
        ("Sun Nov  6 08:49:37 1994", 304),
        ("Sun Nov  6 08:49:36 1994", 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("Fri, 12 Dec 1969 00:00:00 GMT", 200),
        // 1971 by the clock of 2020, and 2070.
        ("Friday, 01-Jan-71 00:00:00 GMT", 200),
        ("Wednesday, 01-Jan-70 00:00:00 GMT", 304),
        ("yesterday", 200),
        ("", 200),
        ("0", 200),
    ] {
        assert_eq!(page.status(&[("if-modified-since", value)]).await, status, "{value}");
    }
    let twice = [("if-modified-since", MODIFIED), ("if-modified-since", MODIFIED)];
    assert_eq!(page.status(&twice).await, 200);
    assert_eq!(with(&[ETAG]).status(&[("if-modified-since", AFTER)]).await, 200);
    let old = with(&[("last-modified", "Wed, 31 Dec 1969 00:00:00 GMT")]);
    for (value, status) in [
        ("Wed, 31 Dec 1969 00:00:00 GMT", 304),
        ("Tue, 30 Dec 1969 00:00:00 GMT", 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 304),
    ] {
        assert_eq!(old.status(&[("if-modified-since", value)]).await, status, "{value}");
    }
}

#[tokio::test]
async fn section_13_1_4_if_unmodified_since_fails_with_412() {
    let page = page();
    for (value, status) in [
        (MODIFIED, 200),
        (AFTER, 200),
        (BEFORE, 412),
        ("Sun Nov  6 08:49:36 1994", 412),
        ("no", 200),
    ] {
        assert_eq!(page.status(&[("if-unmodified-since", value)]).await, status, "{value}");
    }
    assert_eq!(with(&[ETAG]).status(&[("if-unmodified-since", BEFORE)]).await, 200);
    let twice = [("if-unmodified-since", BEFORE), ("if-unmodified-since", BEFORE)];
    assert_eq!(page.status(&twice).await, 200);
}

#[tokio::test]
async fn section_13_1_5_if_range_wants_the_very_same_bytes() {
    let page = page();
    for (value, status) in [
        ("\"1\"", 206),
        ("\"2\"", 200),
        ("W/\"1\"", 200),
        (MODIFIED, 206),
        ("Sun Nov  6 08:49:37 1994", 206),
        (BEFORE, 200),
        (AFTER, 200),
        ("", 200),
        ("*", 200),
        ("\"1\", \"2\"", 200),
    ] {
        let got = page.get(&[("range", "bytes=0-1"), ("if-range", value)]).await;
        assert_eq!(got.status, status, "{value}");
        assert_eq!(got.body, if status == 206 { "pa" } else { "page" });
        assert_eq!(page.status(&[("if-range", value)]).await, 200, "without Range: {value}");
    }
    let weak = with(&[("etag", "W/\"1\"")]);
    assert_eq!(weak.status(&[("range", "bytes=0-1"), ("if-range", "W/\"1\"")]).await, 200);
    assert_eq!(weak.status(&[("range", "bytes=0-1")]).await, 206);
    let twice = [("range", "bytes=0-1"), ("if-range", "\"1\""), ("if-range", "\"1\"")];
    assert_eq!(page.status(&twice).await, 200);
    // RFC 9110 §8.8.2.2: of what was modified in the second in which it is sent a date is no strong validator.
    let now = with(&[("last-modified", super::STARTS)]);
    let fields = [("range", "bytes=0-1"), ("if-range", super::STARTS)];
    assert_eq!(now.status(&fields).await, 200);
    now.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(now.status(&fields).await, 206);
}

#[tokio::test]
async fn section_13_2_1_what_is_no_success_has_no_preconditions() {
    for status in [301, 304, 401, 404, 410, 412, 416, 500, 503] {
        let other = Stack::new(move |_, _| answered(status, &[ETAG], "")).conditional();
        for fields in [("if-match", "\"2\""), ("if-none-match", "\"1\""), ("range", "bytes=0-0")] {
            assert_eq!(other.status(&[fields]).await, status, "{fields:?}");
        }
    }
    for status in [200, 203, 204, 206] {
        let success = Stack::new(move |_, _| answered(status, &[ETAG], "")).conditional();
        assert_eq!(success.status(&[("if-none-match", "\"1\"")]).await, 304, "{status}");
        assert_eq!(success.status(&[("if-match", "\"2\"")]).await, 412, "{status}");
    }
}

/// RFC 9110 §13.2.1: CONNECT, OPTIONS and TRACE have none, and of what writes the layer learns too late.
#[tokio::test]
async fn section_13_2_1_other_methods_pass_as_they_are() {
    let page = page();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
        for (name, value) in
            [("if-match", "\"2\""), ("if-none-match", "\"1\""), ("range", "bytes=0-1")]
        {
            let got = page.send(request(method, "/", &[(name, value)])).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "page"), "{method} {name}");
            let seen = page.inner.seen();
            assert_eq!(seen.last().unwrap().headers[name], value, "{method}");
        }
    }
}

#[tokio::test]
async fn section_13_2_2_step_1_comes_first() {
    let page = page();
    let all = [("if-match", "\"2\""), ("if-none-match", "\"1\""), ("range", "bytes=0-1")];
    assert_eq!(page.status(&all).await, 412);
}

#[tokio::test]
async fn section_13_2_2_step_2_counts_without_if_match_only() {
    let page = page();
    assert_eq!(page.status(&[("if-unmodified-since", BEFORE)]).await, 412);
    let both = [("if-match", "\"1\""), ("if-unmodified-since", BEFORE)];
    assert_eq!(page.status(&both).await, 200);
    let first = [("if-unmodified-since", BEFORE), ("if-none-match", "\"1\"")];
    assert_eq!(page.status(&first).await, 412);
}

#[tokio::test]
async fn section_13_2_2_step_3_comes_after_those_that_hold() {
    let page = page();
    for holds in [("if-match", "\"1\""), ("if-unmodified-since", MODIFIED)] {
        assert_eq!(page.status(&[holds, ("if-none-match", "\"1\"")]).await, 304, "{holds:?}");
        assert_eq!(page.status(&[holds, ("if-none-match", "\"2\"")]).await, 200, "{holds:?}");
    }
    let head = page.send(request("HEAD", "/", &[("if-none-match", "\"1\"")])).await;
    assert_eq!(head.status, 304);
}

#[tokio::test]
async fn section_13_2_2_step_4_is_silenced_by_if_none_match() {
    let page = page();
    let differs = [("if-none-match", "\"2\""), ("if-modified-since", AFTER)];
    assert_eq!(page.status(&differs).await, 200);
    let same = [("if-none-match", "\"1\""), ("if-modified-since", BEFORE)];
    assert_eq!(page.status(&same).await, 304);
    let unreadable = [("if-none-match", "garbage"), ("if-modified-since", AFTER)];
    assert_eq!(page.status(&unreadable).await, 200);
}

#[tokio::test]
async fn section_13_2_2_step_5_a_304_goes_before_a_part() {
    let page = page();
    let held = [("if-none-match", "\"1\""), ("range", "bytes=0-1"), ("if-range", "\"1\"")];
    assert_eq!(page.status(&held).await, 304);
    let other = [("if-none-match", "\"2\""), ("range", "bytes=0-1"), ("if-range", "\"1\"")];
    assert_eq!(page.status(&other).await, 206);
    let neither = [("range", "bytes=9-"), ("if-range", "\"2\"")];
    assert_eq!(page.status(&neither).await, 200, "no 416 for a range that does not count");
    assert_eq!(page.status(&[("range", "bytes=9-"), ("if-range", "\"1\"")]).await, 416);
}

#[tokio::test]
async fn section_13_2_2_step_6_performs_what_nothing_stands_in_the_way_of() {
    let page = page();
    assert_eq!(page.get(&[]).await.body, "page");
    assert_eq!(page.inner.calls(), 1);
}

/// RFC 9110 §13.1.3, §13.1.4: who is further in, and knows dates only, must not answer by them beside a tag.
#[tokio::test]
async fn a_date_beside_a_tag_does_not_go_inwards() {
    let page = page();
    page.get(&[
        ("if-none-match", "\"2\""),
        ("if-modified-since", AFTER),
        ("if-match", "\"1\""),
        ("if-unmodified-since", AFTER),
    ])
    .await;
    page.get(&[("if-modified-since", BEFORE), ("if-unmodified-since", AFTER)]).await;
    let seen = page.inner.seen();
    let dates = ["if-modified-since", "if-unmodified-since"];
    assert!(dates.iter().all(|name| !seen[0].headers.contains_key(*name)));
    assert!(["if-none-match", "if-match"].iter().all(|name| seen[0].headers.contains_key(*name)));
    assert!(dates.iter().all(|name| seen[1].headers.contains_key(*name)));
}
