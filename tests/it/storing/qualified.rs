//! `private` and `no-cache` with field names, `must-understand`, and Vary (RFC 9111 §5.2.2, §4.1).

use super::{Asked, ETAG, NotStored, RFC, Reused, SAFE, fate};
use crate::support::Harness;

#[tokio::test]
async fn c25_a_malformed_qualified_form_is_the_unqualified_one() {
    for value in ["\"\"", "\"", "", "\" \"", "\",\"", "\"x y\"", "\"x", "x y", "\"x\"y", "\"x:\""] {
        for (name, kept) in [("private", NotStored), ("no-cache", Asked)] {
            let control = format!("max-age=60, {name}={value}");
            let fields = [("cache-control", control.as_str()), ("x", "1"), ETAG];
            assert_eq!(fate(SAFE, 200, &fields).await, kept, "{control}");
            assert_eq!(fate(SAFE, 200, &fields[..2]).await, NotStored, "{control}");
        }
    }
}

#[tokio::test]
async fn c25_an_unqualified_form_wins_over_a_qualified_one() {
    for (lines, expected) in [
        (&["private=\"x\", private, max-age=60"][..], NotStored),
        (&["private, private=\"x\", max-age=60"], NotStored),
        (&["private=\"x\"", "max-age=60", "private=\"\""], NotStored),
        (&["no-cache=\"x\", no-cache, max-age=60"], Asked),
        (&["NO-CACHE", "max-age=60, no-cache=\"x\""], Asked),
        (&["max-age=60, no-cache"], Asked),
        (&["max-age=60, no-cache=\"x\", private"], NotStored),
    ] {
        let fields = lines.iter().map(|line| ("cache-control", *line)).chain([ETAG]);
        assert_eq!(fate(SAFE, 200, &fields.collect::<Vec<_>>()).await, expected, "{lines:?}");
    }
}

#[tokio::test]
async fn fields_named_by_private_or_no_cache_are_left_out_of_the_store() {
    for control in [
        "max-age=60, private=\"X-One\"",
        "max-age=60, no-cache=\"x-one\"",
        "max-age=60, private=x-one",
        "max-age=60, no-cache=\"x-zero, X-ONE ,\", private=\"x-zero\"",
        "max-age=60, private=\"x-zero\", private=\"x-one\"",
    ] {
        let fields = [("cache-control", control), ("x-one", "a"), ("x-one", "b"), ("x-two", "c")];
        let cache = Harness::always(SAFE, 200, &fields);
        assert!(cache.get("/", &[]).await.headers.contains_key("x-one"));
        let hit = cache.get("/", &[]).await;
        assert!(hit.is_hit(), "{control}");
        assert_eq!((hit.field("x-one"), hit.field("x-two")), (None, Some("c")), "{control}");
    }
}

/// Without these, the rest of the response would mean something else.
#[tokio::test]
async fn fields_that_give_the_rest_its_meaning_cannot_be_left_out() {
    for name in [
        "content-type",
        "Content-Encoding",
        "content-length",
        "content-language",
        "content-range",
        "content-location",
        "content-security-policy",
        "age",
        "cache-control",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "transfer-encoding",
        "vary",
    ] {
        for (directive, kept) in [("private", NotStored), ("no-cache", Asked)] {
            let control = format!("max-age=60, {directive}=\"x-own, {name}\"");
            let fields = [("cache-control", control.as_str()), ETAG];
            assert_eq!(fate(SAFE, 200, &fields).await, kept, "{control}");
        }
    }
}

#[tokio::test]
async fn must_understand_stores_what_is_understood_despite_no_store() {
    for control in [
        "must-understand, no-store, max-age=60",
        "no-store, Must-Understand, max-age=60",
        "must-understand, max-age=60",
    ] {
        for status in [200, 204, 301, 404, 503] {
            let fate = fate(SAFE, status, &[("cache-control", control)]).await;
            assert_eq!(fate, Reused(60), "{status} {control}");
        }
        for status in [209, 299, 399, 418 + 80, 599] {
            let fate = fate(RFC, status, &[("cache-control", control)]).await;
            assert_eq!(fate, NotStored, "{status} {control}");
        }
        for status in [206, 304] {
            assert_eq!(fate(RFC, status, &[("cache-control", control)]).await, NotStored);
        }
    }
}

#[tokio::test]
async fn must_understand_loosens_nothing_but_no_store() {
    for control in [
        "must-understand, private, max-age=60",
        "must-understand, no-store",
        "must-understand",
        "must-understand, no-store, max-age=0",
        // With an argument it is some other directive.
        "must-understand=1, no-store, max-age=60",
        "must-understand=\"\", no-store, max-age=60",
        "xmust-understand, no-store, max-age=60",
    ] {
        assert_eq!(fate(SAFE, 200, &[("cache-control", control)]).await, NotStored, "{control}");
    }
    let cookie =
        [("cache-control", "must-understand, no-store, max-age=60"), ("set-cookie", "a=1")];
    assert_eq!(fate(SAFE, 200, &cookie).await, NotStored);
}

#[tokio::test]
async fn a_response_that_varies_on_anything_is_not_stored() {
    for lines in [
        &["*"][..],
        &["accept, *"],
        &["*, accept"],
        &["accept", "*"],
        &["*", ""],
        &[" * "],
        // What is no field name may mean anything.
        &["accept encoding"],
        &["\"accept\""],
        &["accept;q=1"],
        &["(accept)"],
    ] {
        let fields = lines.iter().map(|line| ("vary", *line));
        let fields = fields.chain([("cache-control", "public, max-age=60"), ETAG]);
        assert_eq!(fate(RFC, 200, &fields.collect::<Vec<_>>()).await, NotStored, "{lines:?}");
    }
    assert_eq!(
        fate(SAFE, 200, &[("cache-control", "max-age=60"), ("vary", " ,")]).await,
        Reused(60)
    );
}

#[tokio::test]
async fn a_response_that_varies_on_too_many_fields_is_not_stored() {
    for (count, expected) in [(1, Reused(60)), (32, Reused(60)), (33, NotStored), (200, NotStored)]
    {
        let names: Vec<_> = (0..count).map(|at| format!("x-{at}")).collect();
        let one_line = names.join(", ");
        let fields = [("vary", one_line.as_str()), ("cache-control", "max-age=60"), ETAG];
        assert_eq!(fate(SAFE, 200, &fields).await, expected, "{count}");
        let lines = names.iter().map(|name| ("vary", name.as_str()));
        let lines: Vec<_> = lines.chain([("cache-control", "max-age=60")]).collect();
        assert_eq!(fate(SAFE, 200, &lines).await, expected, "{count} lines");
    }
}

/// Long values are told apart by a digest: no way past the cache, and no way to fill the index.
#[tokio::test]
async fn a_response_whose_selecting_values_are_long_is_stored_too() {
    let fields = [("vary", "x-long"), ("cache-control", "max-age=60")];
    let long = "a".repeat(10_000);
    assert_eq!(super::fate_for(SAFE, &[("x-long", "a")], 200, &fields).await, Reused(60));
    assert_eq!(super::fate_for(SAFE, &[("x-long", &long)], 200, &fields).await, Reused(60));
}
