//! Tags by version: no body is read, and a client that holds the response is answered before the handler is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::{HeaderName, Request, Response};
use tower_keep::cache::CacheControl;
use tower_keep::conditional::{Current, EntityTag, EtagLayer};

use super::Stack;
use crate::scripted::Step::Data;
use crate::scripted::scripted;
use crate::support::{answered, request, response};

const SECOND: Duration = Duration::from_secs(1_600_000_000);
const MODIFIED: &str = "Sun, 13 Sep 2020 12:26:40 GMT";

/// A page whose version the request says.
fn page() -> Stack {
    Stack::new(|_, _| response(&[("x-own", "1")], "page")).with(by_field).conditional()
}

fn by_field(
    clock: tower_keep::test_util::ManualClock,
) -> EtagLayer<tower_keep::test_util::ManualClock> {
    EtagLayer::with_clock(clock).by_version(|head| {
        let version = head.headers.get("x-version")?.to_str().ok()?;
        Some(match version {
            "absent" => Current::absent(),
            "exists" => Current::exists(),
            "modified" => Current::exists().last_modified(SystemTime::UNIX_EPOCH + SECOND),
            "full" => Current::tagged(7)
                .last_modified(SystemTime::UNIX_EPOCH + SECOND)
                .cache_control(CacheControl::no_cache())
                .vary(HeaderName::from_static("accept-language")),
            version => Current::tagged(EntityTag::strong(version).unwrap()),
        })
    })
}

#[tokio::test]
async fn the_version_is_the_tag_and_no_body_is_read() {
    let got = page().get(&[("x-version", "7")]).await;
    assert_eq!((got.field("etag"), got.body.as_str()), (Some("\"7\""), "page"));
    let endless = Stack::new(|_, _| Response::new(scripted(&[Data("page")]))).with(by_field);
    let got = endless.get(&[("x-version", "7")]).await;
    assert_eq!((got.field("etag"), got.body.as_str()), (Some("\"7\""), "page"));
}

#[tokio::test]
async fn who_holds_the_version_is_answered_without_the_handler() {
    let page = page();
    for held in ["\"7\"", "W/\"7\"", "*", "\"1\", \"7\""] {
        for method in ["GET", "HEAD"] {
            let fields = [("x-version", "7"), ("if-none-match", held)];
            let got = page.send(request(method, "/", &fields)).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (304, ""), "{method} {held}");
        }
    }
    let fields = [("x-version", "7"), ("if-match", "\"6\"")];
    let failed = page.get(&fields).await;
    assert_eq!((failed.status.as_u16(), failed.field("etag")), (412, Some("\"7\"")));
    assert_eq!(failed.field("cache-control"), Some("no-store"));
    let modified = [("x-version", "modified"), ("if-modified-since", MODIFIED)];
    assert_eq!(page.status(&modified).await, 304);
    assert_eq!(page.inner.calls(), 0);
    for fields in [("if-none-match", "\"6\""), ("if-match", "\"7\""), ("range", "bytes=0-1")] {
        page.get(&[("x-version", "7"), fields]).await;
    }
    assert_eq!(page.inner.calls(), 3);
}

/// RFC 9110 §15.4.5: it has the fields that the 200 has, as far as a 304 may.
#[tokio::test]
async fn the_304_has_the_fields_of_the_200() {
    let page = page();
    let whole = page.get(&[("x-version", "full")]).await;
    assert_eq!(whole.field("last-modified"), Some(MODIFIED));
    let got = page.get(&[("x-version", "full"), ("if-none-match", "\"7\"")]).await;
    for name in ["etag", "cache-control", "vary"] {
        assert_eq!(
            got.headers.get_all(name).iter().collect::<Vec<_>>(),
            whole.headers.get_all(name).iter().collect::<Vec<_>>()
        );
    }
    assert_eq!(got.field("cache-control"), Some("no-cache"));
    assert!(!got.headers.contains_key("last-modified"), "the tag says enough");
    let dated = page.get(&[("x-version", "modified"), ("if-modified-since", MODIFIED)]).await;
    assert_eq!((dated.status.as_u16(), dated.field("last-modified")), (304, Some(MODIFIED)));
}

#[tokio::test]
async fn a_handlers_own_fields_stay() {
    let own = [
        ("cache-control", "max-age=9"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("vary", "Accept-Language"),
    ];
    let got = Stack::new(move |_, _| response(&own, "page"))
        .with(by_field)
        .get(&[("x-version", "full")])
        .await;
    assert_eq!(got.field("cache-control"), Some(own[0].1));
    assert_eq!(got.field("last-modified"), Some(own[1].1));
    let vary: Vec<_> = got.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Language", "accept-encoding"]);
}

#[tokio::test]
async fn what_the_function_does_not_know_passes_untouched() {
    let page = page();
    for version in [None, Some("absent")] {
        let mut fields = vec![("if-none-match", "*")];
        fields.extend(version.map(|version| ("x-version", version)));
        let got = Stack::new(|_, _| response(&[], "page")).with(by_field).get(&fields).await;
        assert_eq!((got.status.as_u16(), got.field("etag")), (200, None));
    }
    let got = page.get(&[("x-version", "exists"), ("if-match", "\"7\"")]).await;
    assert_eq!(got.status, 412);
    for status in [204, 404, 500] {
        let stack = Stack::new(move |_, _| answered(status, &[], "")).with(by_field);
        assert_eq!(stack.tag(&[("x-version", "7")]).await, None);
    }
    let no_store = Stack::new(|_, _| response(&[("cache-control", "no-store")], "")).with(by_field);
    assert_eq!(no_store.tag(&[("x-version", "full")]).await, None);
    let posted =
        page.send(request("POST", "/", &[("x-version", "7"), ("if-none-match", "*")])).await;
    assert_eq!((posted.status.as_u16(), posted.field("etag")), (200, None));
}

/// The handler may have seen the state before a change or the one after it.
#[tokio::test]
async fn what_changes_while_the_handler_works_is_not_tagged() {
    let version = Arc::new(AtomicU64::new(1));
    let (told, changed) = (version.clone(), version.clone());
    let clock = tower_keep::test_util::ManualClock::new();
    let layer = EtagLayer::with_clock(clock)
        .by_version(move |_| Some(Current::tagged(told.load(Ordering::Relaxed))));
    let inner = crate::support::Inner::new(move |request: &Request<Body>, _| {
        if request.uri().path() == "/changes" {
            changed.fetch_add(1, Ordering::Relaxed);
        }
        response(&[], "page")
    });
    let service = super::boxed(tower::Layer::layer(&layer, inner));
    for (path, tag) in [("/", Some("\"1\"")), ("/changes", None), ("/", Some("\"2\""))] {
        let response =
            tower::ServiceExt::oneshot(service.clone(), request("GET", path, &[])).await.unwrap();
        let got = response.headers().get("etag").map(|tag| tag.to_str().unwrap());
        assert_eq!(got, tag, "{path}");
    }
}

/// One version is one state in all codings: none of them may have the strong tag of another.
#[tokio::test]
async fn codings_of_one_version_have_a_weak_tag() {
    let coded = Stack::new(|_, _| response(&[("content-encoding", "gzip")], "page")).with(by_field);
    assert_eq!(coded.tag(&[("x-version", "7")]).await.as_deref(), Some("W/\"7\""));
    let page = page();
    let gzip = ("accept-encoding", "gzip");
    assert_eq!(page.tag(&[("x-version", "7"), gzip]).await.as_deref(), Some("W/\"7\""));
    let got = page.get(&[("x-version", "7")]).await;
    assert_eq!((got.field("etag"), got.field("vary")), (Some("\"7\""), Some("accept-encoding")));
}

/// A 304 tells the client of the very tag that it holds: a cache would find no stored response by another (RFC 9111 §4.3.4).
#[tokio::test]
async fn a_304_has_the_form_of_the_tag_that_the_client_holds() {
    let page = page();
    for (held, tag) in
        [("\"7\"", "\"7\""), ("W/\"7\"", "W/\"7\""), ("W/\"7\", \"7\"", "\"7\""), ("*", "W/\"7\"")]
    {
        let got = page.get(&[("x-version", "7"), ("if-none-match", held)]).await;
        assert_eq!((got.status.as_u16(), got.field("etag")), (304, Some(tag)), "{held}");
    }
    let by_digest = Stack::new(|_, _| response(&[], "page")).tagged().conditional();
    let tag = by_digest.tag(&[]).await.unwrap();
    let weak = format!("W/{tag}");
    for held in [&tag, &weak] {
        let got = by_digest.get(&[("if-none-match", held)]).await;
        assert_eq!((got.status.as_u16(), got.field("etag")), (304, Some(&**held)));
    }
}

/// RFC 9110 §8.8.2.1.
#[tokio::test]
async fn nothing_was_modified_later_than_it_is_sent() {
    let stack = Stack::new(|_, _| response(&[], "page")).with(|clock| {
        let tomorrow = SystemTime::UNIX_EPOCH + SECOND + Duration::from_secs(86_400);
        EtagLayer::with_clock(clock)
            .by_version(move |_| Some(Current::exists().last_modified(tomorrow)))
    });
    assert_eq!(stack.get(&[]).await.field("last-modified"), Some(MODIFIED));
}

#[tokio::test]
async fn the_function_sees_extensions_before_and_after() {
    #[derive(Clone)]
    struct Row(u64);
    let stack = Stack::new(|_, _| response(&[], "page")).with(|clock| {
        EtagLayer::with_clock(clock)
            .by_version(|head| head.extensions.get::<Row>().map(|row| Current::tagged(row.0)))
    });
    let mut asked = request("GET", "/", &[]);
    asked.extensions_mut().insert(Row(9));
    assert_eq!(stack.send(asked).await.field("etag"), Some("\"9\""));
    assert_eq!(stack.tag(&[]).await, None);
}
