//! C47 with these layers: lists that are made to cost.

use super::{ETAG, FRESH, Stack};
use crate::support::response;

const TAGS: usize = 10_000;

fn page(is_cached: bool) -> Stack {
    Stack::new(|_, _| response(&[ETAG, FRESH], "page")).conditional().maybe_cached(is_cached)
}

fn listed(member: impl Fn(usize) -> String) -> String {
    (0..TAGS).map(member).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn c47_one_of_ten_thousand_tags_is_found_alone_and_under_the_cache() {
    let others: [fn(usize) -> String; 5] = [
        |at| format!("\"t{at}\""),
        |at| format!("W/\"t{at}\""),
        |at| format!("t{at}"),
        |at| format!("\"1\"{at}"),
        |_| "*".to_owned(),
    ];
    for is_cached in [false, true] {
        let page = page(is_cached);
        for others in others {
            let others = listed(others);
            for (member, none_match, matches) in
                [("\"1\"", 304, 200), ("W/\"1\"", 304, 412), ("\"2\"", 200, 412), ("1", 200, 412)]
            {
                let list = format!("{others}, {member}, {others}");
                assert_eq!(page.status(&[("if-none-match", &list)]).await, none_match, "{member}");
                assert_eq!(page.status(&[("if-match", &list)]).await, matches, "{member}");
            }
        }
    }
}

/// A megabyte each: a reader that looked twice at what it has read would not come to its end.
#[tokio::test]
async fn c47_a_megabyte_takes_linear_time_alone_and_under_the_cache() {
    for is_cached in [false, true] {
        let page = page(is_cached);
        for part in ["W/\"abc\", ", "\"", "\",", "\"a", "W/", "W/\"", ",", "\" ,", "*,"] {
            let list = part.repeat(1_000_000 / part.len());
            assert_eq!(page.status(&[("if-none-match", &list)]).await, 200, "{part}");
            assert_eq!(page.status(&[("if-match", &list)]).await, 412, "{part}");
        }
    }
}

#[tokio::test]
async fn c47_asterisks_weak_tags_and_bad_dates_alone_and_under_the_cache() {
    for is_cached in [false, true] {
        let page = page(is_cached);
        for (fields, status) in [
            (&[("if-none-match", "*")][..], 304),
            (&[("if-none-match", " * ")], 304),
            (&[("if-none-match", "*, \"2\"")], 200),
            (&[("if-none-match", "W/\"1\"")], 304),
            (&[("if-none-match", "w/\"1\"")], 200),
            (&[("if-none-match", "\"2\""), ("if-none-match", "\"1\"")], 304),
            (&[("if-modified-since", "not a date")], 200),
            (&[("if-modified-since", "Sun, 31 Feb 2026 00:00:00 GMT")], 200),
            (&[("if-none-match", "\"2\""), ("if-modified-since", "not a date")], 200),
        ] {
            assert_eq!(page.status(fields).await, status, "{fields:?} cached: {is_cached}");
        }
    }
}
