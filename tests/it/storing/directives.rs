//! Cache-Control as it comes: twice, contradictory, malformed, endless.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Response};

use super::{Asked, ETAG, Fate, NotStored, Reused, SAFE, fate, fate_for, fate_in};
use crate::support::{Harness, date_at};

/// Of a response with these lines of Cache-Control.
async fn of(lines: &[&str]) -> Fate {
    let fields: Vec<_> = lines.iter().map(|line| ("cache-control", *line)).collect();
    fate(SAFE, 200, &fields).await
}

/// The same, with a validator.
async fn validated(lines: &[&str]) -> Fate {
    let fields = lines.iter().map(|line| ("cache-control", *line)).chain([ETAG]);
    fate(SAFE, 200, &fields.collect::<Vec<_>>()).await
}

#[tokio::test]
async fn c25_no_store_and_private_win_over_everything() {
    for lines in [
        &["max-age=60, no-store"][..],
        &["no-store, max-age=60"],
        &["max-age=60", "no-store"],
        &["no-store", "max-age=60", "public"],
        &["NO-STORE, max-age=60"],
        &["max-age=60,No-Store,public,s-maxage=60"],
        &["max-age=60, no-store=x"],
        &["max-age=60, no-store=\"x\""],
        &["max-age=60, no-store;"],
        &["no-store max-age=60", "max-age=60"],
        &["max-age=60, private"],
        &["public, private, max-age=60"],
        &["Private", "s-maxage=60, public"],
        &["\tprivate ,max-age=60"],
        &[", ,,private,, max-age=60"],
    ] {
        assert_eq!(of(lines).await, NotStored, "{lines:?}");
        assert_eq!(validated(lines).await, NotStored, "{lines:?}");
    }
}

#[tokio::test]
async fn c25_the_least_of_several_lifetimes_counts() {
    for (lines, left) in [
        (&["max-age=60, max-age=10"][..], 10),
        (&["max-age=10, max-age=60"], 10),
        (&["max-age=60", "max-age=10"], 10),
        (&["max-age=60, max-age=60"], 60),
        (&["s-maxage=20, max-age=60"], 20),
        (&["max-age=10, s-maxage=20"], 20),
        (&["s-maxage=20", "s-maxage=30"], 20),
        (&["max-age=\"60\""], 60),
        (&["MAX-AGE=60"], 60),
        (&["Max-Age=\"060\", S-MaxAge=\"070\""], 70),
        (&[",, ,max-age=60,,"], 60),
    ] {
        assert_eq!(of(lines).await, Reused(left), "{lines:?}");
    }
    for lines in [
        &["max-age=0, max-age=60"][..],
        &["max-age=60, max-age=0"],
        &["max-age=60", "max-age=x"],
        &["max-age=60, max-age"],
        &["s-maxage=0, max-age=60"],
        &["s-maxage=60, s-maxage=\"\"", "max-age=60"],
    ] {
        assert_eq!(of(lines).await, NotStored, "{lines:?}");
        assert_eq!(validated(lines).await, Asked, "{lines:?}");
    }
}

#[tokio::test]
async fn c25_unknown_extensions_are_ignored_and_hide_nothing() {
    for line in [
        "max-age=60, foo",
        "foo, bar=1, baz=\"no-store, private\", community=\"UCI\", max-age=60",
        "max-age=60, x=\"\\\"no-store\\\"\"",
        "max-age=60, nostore, no_store, xno-store, no-storex",
        "max-age=60, \"no-store\"",
    ] {
        assert_eq!(of(&[line]).await, Reused(60), "{line}");
    }
    for line in [
        // A quote that is never closed, or closed in the wrong place, swallows nothing that forbids.
        "max-age=60, foo=\"bar, no-store",
        "max-age=60, foo=\"bar, private",
        "max-age=60, foo=a\"b, no-store\"",
        "foo=\"bar, max-age=60",
        // Glued to what permits.
        "max-age=60;no-store",
        "max-age=60 no-store",
    ] {
        assert_eq!(of(&[line]).await, NotStored, "{line}");
    }
}

#[tokio::test]
async fn c25_a_value_of_a_hundred_kilobytes_is_read_whole() {
    let long = "x".repeat(100_000);
    let names = (0..10_000).map(|at| format!("x-{at}")).collect::<Vec<_>>().join(",");
    for (value, expected) in [
        (format!("max-age=60, {long}"), Reused(60)),
        (format!("{long}=\"{long}\", max-age=60"), Reused(60)),
        (format!("{}max-age=60", ",".repeat(100_000)), Reused(60)),
        (format!("{}, max-age=60", "max-age=70,".repeat(10_000)), Reused(60)),
        (format!("max-age=60, no-cache=\"{names}\""), Reused(60)),
        (format!("max-age=60, {long}, no-store"), NotStored),
        (format!("max-age=60, foo=\"{long}, no-store"), NotStored),
        (format!("max-age=60, private=\"{long}\""), NotStored),
        (format!("max-age=60, {}, private", "foo=\"".repeat(20_001)), NotStored),
        (format!("max-age={}", "9".repeat(100_000)), Reused(1 << 31)),
        (format!("max-age=60{}", "\\".repeat(100_000)), NotStored),
    ] {
        assert_eq!(of(&[&value]).await, expected, "{}", &value[..40.min(value.len())]);
    }
}

#[tokio::test]
async fn c25_no_bytes_of_a_field_value_make_it_panic() {
    for byte in (0u8..=255).filter(|byte| HeaderValue::from_bytes(&[*byte]).is_ok()) {
        for (before, after) in [
            (&b"no-store, max-age=60, "[..], &b""[..]),
            (b"no-store, max-age=", b"60"),
            (b"no-store, private=\"", b"\""),
            (b"", b"no-store, max-age=60"),
            (b"no-store, ", b"max-age=60"),
        ] {
            // Where the byte is glued to the name it names something else, so the second line forbids.
            let value = HeaderValue::from_bytes(&[before, &[byte], after].concat()).unwrap();
            let cache = Harness::new(move |_, _| {
                let mut response = Response::new(Body::from("page"));
                response.headers_mut().append("cache-control", value.clone());
                response
                    .headers_mut()
                    .append("cache-control", HeaderValue::from_static("no-store"));
                response
            });
            assert_eq!(fate_in(&cache, &[]).await, NotStored, "{byte}");
        }
    }
}

#[tokio::test]
async fn c26_lifetimes_are_clamped_to_two_to_the_thirty_first() {
    for name in ["max-age", "s-maxage"] {
        for (value, left) in [
            ("1", 1),
            ("00060", 60),
            ("1000000000", 1_000_000_000),
            ("2147483647", (1 << 31) - 1),
            ("2147483648", 1 << 31),
            ("2147483649", 1 << 31),
            ("4294967296", 1 << 31),
            ("4294967297", 1 << 31),
            ("9223372036854775808", 1 << 31),
            ("18446744073709551617", 1 << 31),
            ("99999999999999999999", 1 << 31),
        ] {
            let line = format!("{name}={value}");
            assert_eq!(of(&[&line]).await, Reused(left), "{line}");
        }
    }
}

#[tokio::test]
async fn c26_a_lifetime_that_cannot_be_read_is_stale() {
    let (hour, old) = (date_at(3600), date_at(-10_000));
    for name in ["max-age", "s-maxage"] {
        for value in [
            "-1",
            "+1",
            "60s",
            "",
            " ",
            "60.0",
            "1e9",
            "0x3c",
            " 60",
            "\"60",
            "60\"",
            "\"60s\"",
            "\"\"",
            "\" 60\"",
            "'60'",
            "NaN",
            "six",
            "60=60",
            "-99999999999999999999",
        ] {
            let line = format!("{name}={value}");
            assert_eq!(of(&[&line]).await, NotStored, "{line}");
            assert_eq!(validated(&[&line]).await, Asked, "{line}");
            // It is not as if it were not there: nothing else gives freshness in its place.
            let fields = [("cache-control", line.as_str()), ("expires", &hour)];
            let fields = [&fields[..], &[("last-modified", old.as_str())]].concat();
            assert_eq!(fate(super::RFC, 200, &fields).await, Asked, "{line}");
        }
        assert_eq!(of(&[name]).await, NotStored);
        let line = format!("{name} = 60");
        assert_eq!(of(&[&line]).await, NotStored);
    }
}

#[tokio::test]
async fn c26_clamped_freshness_ends() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=99999999999999999999")]);
    cache.get("/", &[]).await;
    cache.clock.advance(Duration::from_secs((1 << 31) - 1));
    assert!(cache.get("/", &[]).await.is_hit());
    cache.clock.advance(Duration::from_secs(1));
    assert!(!cache.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn a_request_with_no_store_keeps_its_answer_out_of_the_store() {
    for control in ["no-store", "NO-STORE", "max-age=5, no-store", "no-store=\"x\""] {
        let fields = [("cache-control", "public, max-age=60")];
        assert_eq!(fate_for(SAFE, &[("cache-control", control)], 200, &fields).await, NotStored);
    }
}
