//! Clients' own conditions, answered from what is stored (RFC 9111 §4.3.2).

use std::collections::BTreeSet;

use tower_keep::cache::{CachePolicy, Reason};

use super::{ETAG, FRESH, Fields, SAFE};
use crate::support::{Got, Harness, date_at, request, response};

async fn stored(fields: Fields<'_>) -> Harness {
    let cache = Harness::always(CachePolicy::rfc9111(), 200, fields);
    cache.get("/", &[]).await;
    cache
}

fn names(got: &Got) -> BTreeSet<&str> {
    got.headers.keys().map(http::HeaderName::as_str).collect()
}

/// RFC 9110 §15.4.5, and what this cache says of itself.
#[tokio::test]
async fn a_304_has_exactly_the_fields_that_update_what_the_client_holds() {
    let (old, soon) = (date_at(-1000), date_at(60));
    let fields = [
        FRESH,
        ETAG,
        ("last-modified", &*old),
        ("expires", &soon),
        ("vary", "x-one, x-two"),
        ("content-location", "/here"),
        ("content-type", "text/plain"),
        ("content-language", "en"),
        ("content-encoding", "x"),
        ("set-cookie", "a=1"),
        ("server", "s"),
        ("link", "</a>"),
        ("x-own", "1"),
        ("cdn-cache-control", "max-age=60"),
        ("accept-ranges", "bytes"),
    ];
    let guides = [
        "age",
        "cache-control",
        "cache-status",
        "content-location",
        "date",
        "etag",
        "expires",
        "vary",
    ];
    let cache = stored(&fields).await;
    cache.advance(7);
    for method in ["GET", "HEAD"] {
        let got = cache.send(request(method, "/", &[("if-none-match", "\"1\"")])).await;
        assert_eq!((got.status.as_u16(), got.body.as_str(), got.is_hit()), (304, "", true));
        assert_eq!(names(&got), BTreeSet::from(guides));
        assert_eq!(got.field("etag"), Some("\"1\""));
        assert_eq!(got.field("vary"), Some("x-one, x-two"));
        assert_eq!((got.field("age"), got.field("expires")), (Some("7"), Some(&*soon)));
        assert_eq!(got.field("date"), Some(&*date_at(0)));
    }
    let untagged: Vec<_> = fields.iter().copied().filter(|field| *field != ETAG).collect();
    let cache = stored(&untagged).await;
    let got = cache.get("/", &[("if-modified-since", &old)]).await;
    assert_eq!(got.status, 304);
    let with_date = guides.map(|name| if name == "etag" { "last-modified" } else { name });
    assert_eq!(names(&got), BTreeSet::from(with_date));
}

#[tokio::test]
async fn if_none_match_compares_weakly_over_a_list() {
    for (stored_tag, given, is_held) in [
        ("\"1\"", &["\"1\""][..], true),
        ("\"1\"", &["W/\"1\""], true),
        ("W/\"1\"", &["\"1\""], true),
        ("W/\"1\"", &["W/\"1\""], true),
        ("\"1\"", &["\"2\", W/\"3\" ,\"1\""], true),
        ("\"1\"", &["\"2\"", "\"1\""], true),
        ("\"1\"", &[",, \"1\",,"], true),
        ("\"1\"", &["*"], true),
        ("\"1\"", &[" * "], true),
        ("\"1\"", &["bad, \"1\""], true),
        ("\"1\"", &["\"2\""], false),
        ("\"1\"", &["\"1 \""], false),
        ("\"a\"", &["\"A\""], false),
        ("\"1\"", &["1"], false),
        ("\"1\"", &["w/\"1\""], false),
        ("\"1\"", &["\"*\""], false),
        ("\"1\"", &["\"0,1\""], false),
        ("\"0,1\"", &["\"0,1\""], true),
        ("\"1\"", &[""], false),
        ("\"1\"", &["*, \"2\""], false),
        ("\"\"", &["\"\""], true),
    ] {
        let cache = stored(&[FRESH, ("etag", stored_tag)]).await;
        let asked: Vec<_> = given.iter().map(|line| ("if-none-match", *line)).collect();
        for method in ["GET", "HEAD"] {
            let got = cache.send(request(method, "/", &asked)).await;
            let expected = if is_held { 304 } else { 200 };
            assert_eq!(
                (got.status.as_u16(), got.is_hit()),
                (expected, true),
                "{stored_tag} {given:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_asterisk_matches_a_stored_response_without_a_tag() {
    let cache = stored(&[FRESH]).await;
    assert_eq!(cache.get("/", &[("if-none-match", "*")]).await.status, 304);
    assert_eq!(cache.get("/", &[("if-none-match", "\"1\"")]).await.status, 200);
}

/// RFC 9110 §13.1.3, §13.2.2.
#[tokio::test]
async fn if_none_match_silences_if_modified_since() {
    let [old, newer] = [-1000, -10].map(date_at);
    let cache = stored(&[FRESH, ETAG, ("last-modified", &old)]).await;
    for (tag, since, status) in [
        ("\"2\"", &*newer, 200),
        ("\"2\"", &old, 200),
        ("bad", &old, 200),
        ("", &old, 200),
        ("\"1\"", &date_at(-99_999), 304),
        ("\"1\"", "bad", 304),
    ] {
        let asked = [("if-none-match", tag), ("if-modified-since", since)];
        assert_eq!(cache.get("/", &asked).await.status.as_u16(), status, "{asked:?}");
    }
}

#[tokio::test]
async fn if_modified_since_compares_with_last_modified() {
    let [old, older, newer, ahead] = [-1000, -1001, -999, 1000].map(date_at);
    let cache = stored(&[FRESH, ("last-modified", &old)]).await;
    for (since, status) in [
        (&*old, 304),
        (&newer, 304),
        (&ahead, 304),
        (&older, 200),
        // Another form of the same second.
        ("Sunday, 13-Sep-20 12:10:00 GMT", 304),
        ("Sun Sep 13 12:10:00 2020", 304),
        ("Sun Sep 13 12:09:59 2020", 200),
        ("0", 200),
        ("", 200),
        ("yesterday", 200),
        ("\"1\"", 200),
    ] {
        let got = cache.get("/", &[("if-modified-since", since)]).await;
        assert_eq!((got.status.as_u16(), got.is_hit()), (status, true), "{since}");
    }
    let lines = [("if-modified-since", &*old), ("if-modified-since", &*old)];
    assert_eq!(cache.get("/", &lines).await.status, 200, "a second line makes it invalid");
}

/// RFC 9111 §4.3.2: where there is no Last-Modified.
#[tokio::test]
async fn if_modified_since_compares_with_the_date_at_last() {
    let cache = stored(&[FRESH, ETAG, ("date", &date_at(-20))]).await;
    for (since, status) in [(-21, 200), (-20, 304), (0, 304)] {
        let since = date_at(since);
        let got = cache.get("/", &[("if-modified-since", &since)]).await;
        assert_eq!(got.status.as_u16(), status, "{since}");
    }
}

/// RFC 9110 §13.2.1: a condition counts only where the answer without it would be a success.
#[tokio::test]
async fn only_a_success_is_not_modified() {
    let old = date_at(-1000);
    for status in [301, 404, 410, 503] {
        let cache = Harness::always(SAFE, status, &[FRESH, ETAG, ("last-modified", &old)]);
        cache.get("/", &[]).await;
        for asked in
            [("if-none-match", "\"1\""), ("if-none-match", "*"), ("if-modified-since", &old)]
        {
            let got = cache.get("/", &[asked]).await;
            assert_eq!((got.status.as_u16(), got.is_hit()), (status, true), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn conditions_that_only_the_origin_can_check_are_left_to_it() {
    for asked in [("if-match", "\"1\""), ("if-match", "*"), ("if-unmodified-since", &*date_at(0))] {
        let cache = stored(&[FRESH, ETAG]).await;
        let got = cache.get("/", &[asked]).await;
        assert_eq!((got.reason(), got.body.as_str()), (Some(Reason::Precondition), "call 1"));
        assert_eq!(cache.inner.seen()[1].headers[asked.0], asked.1);
        assert_eq!(cache.get("/", &[]).await.body, "call 0", "nor is its answer stored");
    }
}

/// The client's condition goes inwards with a miss, and a full answer to it is stored.
#[tokio::test]
async fn a_conditional_miss_goes_inwards_as_it_came() {
    let old = date_at(-1000);
    let cache = Harness::new(|_, _| response(&[FRESH, ETAG], "page"));
    let asked = [("if-none-match", "W/\"7\""), ("if-modified-since", &old)];
    assert_eq!(cache.get("/", &asked).await.body, "page");
    let inward = &cache.inner.seen()[0].headers;
    assert_eq!(
        (&inward["if-none-match"], &inward["if-modified-since"]),
        (&"W/\"7\"".parse().unwrap(), &old.parse().unwrap())
    );
    assert!(cache.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn c47_a_list_of_ten_thousand_tags_is_read_whole() {
    let cache = stored(&[FRESH, ETAG]).await;
    let many = (2..10_002).map(|at| format!("W/\"{at}\"")).collect::<Vec<_>>().join(", ");
    assert_eq!(cache.get("/", &[("if-none-match", &many)]).await.status, 200);
    let held = format!("{many}, \"1\"");
    assert_eq!(cache.get("/", &[("if-none-match", &held)]).await.status, 304);
}
