//! Requests and responses at the edge of what there is: each was answered wrongly once.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_keep::conditional::{ConditionalLayer, Current, EtagLayer, Preconditions};

use super::composing::Dir;
use super::parts::Sized;
use super::{ETAG, FRESH, Stack, seven};
use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{paused, scripted};
use crate::support::{answered, request, response};

const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

fn text() -> String {
    "a page that says the same again and again. ".repeat(40)
}

/// An inner service that seeks by itself (a file server, a proxied backend) and knows of no tags.
fn seeking() -> Stack {
    Stack::new(|request, _| match request.headers().contains_key("range") {
        true => answered(206, &[("content-range", "bytes 0-1/10")], "01"),
        false => response(&[], "0123456789"),
    })
}

/// DESIGN: responses that differ by coding never share a strong tag. The order is the documented
/// "conditional, compression, etag". `list::members` reads quoted-strings in Accept-Encoding, which has none; tower-http splits
/// at each comma.
#[tokio::test]
async fn a_quote_in_accept_encoding_makes_gzip_and_identity_share_a_strong_tag() {
    let stack = Stack::new(|_, _| response(&[FRESH, ("content-type", "text/plain")], text()))
        .tagged()
        .with(|_| CompressionLayer::new())
        .conditional();
    let plain = stack.get(&[]).await;
    let odd = stack.get(&[("accept-encoding", "identity;a=\", gzip")]).await;
    assert_eq!(odd.field("content-encoding"), Some("gzip"));
    let (one, other) = (plain.field("etag").unwrap(), odd.field("etag").unwrap());
    assert!(one != other || one.starts_with("W/"), "{one} {other}");
}

/// And so If-Range mixes parts of the two: the second half of identity for who holds the first half of gzip.
#[tokio::test]
async fn and_if_range_then_mixes_the_two() {
    let stack = Stack::new(|_, _| response(&[FRESH, ("content-type", "text/plain")], text()))
        .tagged()
        .with(|_| CompressionLayer::new())
        .conditional();
    let odd = ("accept-encoding", "identity;a=\", gzip");
    let first = stack.get(&[odd]).await;
    assert_eq!(first.field("content-encoding"), Some("gzip"));
    let tag = first.field("etag").unwrap();
    let rest = stack.get(&[("range", "bytes=20-"), ("if-range", tag)]).await;
    assert_eq!(rest.status, 200, "a part of identity was sent: {:?}", rest.headers);
}

/// The version function knows that If-Match holds, the handler is called; its 206 gets no tag and so becomes a 412.
#[tokio::test]
async fn if_match_with_a_range_fails_although_the_version_matches() {
    let stack = seeking().with(seven).conditional();
    assert_eq!(stack.status(&[("if-match", "\"7\"")]).await, 200);
    assert_eq!(stack.status(&[("range", "bytes=0-1")]).await, 206);
    assert_eq!(stack.status(&[("if-match", "\"7\""), ("range", "bytes=0-1")]).await, 206);
}

/// The same by digest: the tag of the 200 is current, and the inner 206 carries none.
#[tokio::test]
async fn if_match_with_a_range_fails_although_the_digest_matches() {
    let stack = seeking().tagged().conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-match", &tag)]).await, 200);
    assert_eq!(stack.status(&[("if-match", &tag), ("range", "bytes=0-1")]).await, 206);
}

/// RFC 9110 §13.2.2 step 3 comes before step 5: who holds it and asks for a part gets a 304.
#[tokio::test]
async fn if_none_match_is_passed_over_where_the_inner_service_seeks() {
    let stack = seeking().tagged().conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-none-match", &tag)]).await, 304);
    assert_eq!(stack.status(&[("if-none-match", &tag), ("range", "bytes=0-1")]).await, 304);
}

/// RFC 9110 §15.3.7: a 206 has the ETag that the 200 would have.
#[tokio::test]
async fn a_206_has_the_etag_of_the_200_by_version() {
    let stack = seeking().with(seven).conditional();
    assert_eq!(stack.tag(&[]).await.as_deref(), Some("\"7\""));
    assert_eq!(stack.tag(&[("range", "bytes=0-1")]).await.as_deref(), Some("\"7\""));
}

/// A version function that knows a time alone (the docs offer it), and a handler with a tag of its own, which "is never
/// replaced": its tag in If-Match is 412 before it is asked.
#[tokio::test]
async fn a_version_that_is_a_time_alone_refuses_the_handlers_own_tag() {
    let stack = Stack::new(|_, _| response(&[ETAG], "page"))
        .with(|clock| {
            EtagLayer::with_clock(clock).by_version(|_| {
                Some(
                    Current::exists()
                        .last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000)),
                )
            })
        })
        .conditional();
    assert_eq!(stack.tag(&[]).await.as_deref(), Some("\"1\""));
    assert_eq!(stack.status(&[("if-match", "\"1\"")]).await, 200);
}

/// The same nested: a digest inside, a time outside. The response has the tag, and If-Match with it fails.
#[tokio::test]
async fn a_time_around_a_digest_refuses_the_digest() {
    let stack = Stack::new(|_, _| response(&[], "page"))
        .tagged()
        .with(|clock| {
            EtagLayer::with_clock(clock).by_version(|_| {
                Some(
                    Current::exists()
                        .last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000)),
                )
            })
        })
        .conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-match", &tag)]).await, 200);
}

/// RFC 9110 §15.4.5: a 304 is for what would have been a 200. The tag does not cover the status, so who polls a job
/// is told that nothing changed when it went from 202 to 200.
#[tokio::test]
async fn a_304_hides_that_a_202_has_become_a_200() {
    let stack = Stack::new(|_, call| answered(if call == 0 { 202 } else { 200 }, &[], ""))
        .tagged()
        .conditional();
    let pending = stack.get(&[]).await;
    assert_eq!(pending.status, 202);
    let Some(tag) = pending.field("etag") else { return };
    assert_eq!(stack.status(&[("if-none-match", tag)]).await, 200);
}

/// Docs of `ranges_max`: "with 0 nobody gets a part".
#[tokio::test]
async fn with_ranges_max_0_nobody_gets_a_part() {
    let dir = Dir::new("zero");
    let service = ConditionalLayer::new().ranges_max(0).layer(ServeDir::new(&dir.0));
    let get = request("GET", "/file.txt", &[("range", "bytes=0-1")]);
    assert_eq!(service.oneshot(get).await.unwrap().status(), 200);
}

/// And then an If-Range that does not hold goes inwards with it: a part of the new for who holds one of the old (§13.1.5).
#[tokio::test]
async fn with_ranges_max_0_an_if_range_that_does_not_hold_is_passed_over() {
    let dir = Dir::new("zero-if-range");
    let service = ConditionalLayer::new().ranges_max(0).layer(ServeDir::new(&dir.0));
    let get = request("GET", "/file.txt", &[("range", "bytes=0-1"), ("if-range", "\"old\"")]);
    assert_eq!(service.oneshot(get).await.unwrap().status(), 200);
}

/// A map as full as the http crate takes.
fn full() -> Response<Body> {
    let mut response = Response::new(Body::from("page"));
    for n in 0..40_000u32 {
        let name = HeaderName::try_from(format!("x-{n}")).unwrap();
        if response.headers_mut().try_insert(name, HeaderValue::from_static("1")).is_err() {
            break;
        }
    }
    response
}

#[tokio::test]
async fn a_full_header_map_does_not_panic_in_etag_layer() {
    Stack::new(|_, _| full()).tagged().get(&[]).await;
}

#[tokio::test]
async fn a_full_header_map_does_not_panic_in_conditional_layer() {
    Stack::new(|_, _| full()).conditional().get(&[]).await;
}

#[tokio::test]
async fn a_full_header_map_does_not_panic_by_version() {
    Stack::new(|_, _| full()).with(seven).get(&[]).await;
}

/// A Content-Length from the network that no memory has, with limits set to their largest.
#[tokio::test]
async fn a_length_beyond_all_memory_does_not_panic() {
    let stack = Stack::new(|_, _| {
        Response::new(Body::new(Sized {
            body: scripted(&[Data("a"), Data("b")]),
            length: u64::MAX - 9,
        }))
    })
    .with(|clock| {
        EtagLayer::with_clock(clock).body_bytes_max(u64::MAX).in_flight_bytes_max(u64::MAX)
    });
    stack.get(&[]).await;
}

/// Both would be written as the epoch, and a 304 would follow for what has changed.
#[tokio::test]
async fn two_times_before_1970_are_not_one() {
    let stack = Stack::new(|_, call| response(&[], format!("page {call}"))).with(|clock| {
        let calls = std::sync::atomic::AtomicU64::new(0);
        EtagLayer::with_clock(clock).by_version(move |_| {
            // The first request asks twice.
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let before = if call < 2 { 2_000_000 } else { 1_000_000 };
            Some(
                Current::exists()
                    .last_modified(SystemTime::UNIX_EPOCH - Duration::from_secs(before)),
            )
        })
    });
    assert_eq!(stack.get(&[]).await.field("last-modified"), None);
    assert_eq!(stack.status(&[("if-modified-since", EPOCH)]).await, 200);
}

/// The same lets a lost update through.
#[test]
fn two_times_before_1970_are_not_one_for_a_write() {
    let at = |before| SystemTime::UNIX_EPOCH - Duration::from_secs(before);
    // The client has read the row of 1969-12-08, was told the epoch; by now it is another.
    let put = Request::put("/").header("if-unmodified-since", EPOCH).body(()).unwrap();
    let now = Current::exists().last_modified(at(1_000_000));
    assert!(Preconditions::of(&put).required().check(&now).is_err());
}

/// docs/design.md: "the same bytes under another Content-Language mean something else". Of several lines the first counts only.
#[tokio::test]
async fn the_second_line_of_content_language_counts() {
    let tag = async |second: &'static str| {
        Stack::new(move |_, _| {
            response(&[("content-language", "de"), ("content-language", second)], "page")
        })
        .tagged()
        .tag(&[])
        .await
    };
    assert_ne!(tag("fr").await, tag("en").await);
}

#[tokio::test]
async fn the_second_line_of_content_encoding_counts() {
    let tag = async |fields: &'static [(&str, &str)]| {
        Stack::new(move |_, _| response(fields, "page")).tagged().tag(&[]).await
    };
    assert_ne!(
        tag(&[("content-encoding", "gzip")]).await,
        tag(&[("content-encoding", "gzip"), ("content-encoding", "br")]).await
    );
}

/// RFC 9110 §14.1.2: a set with a suffix-range of a length that is not zero is satisfiable.
#[tokio::test]
async fn a_suffix_of_an_empty_body_is_no_416() {
    let stack = Stack::new(|_, _| response(&[ETAG], "")).conditional();
    assert_eq!(stack.status(&[("range", "bytes=-5")]).await, 200);
}

/// "How many bytes of bodies may be gathered at the same time in all": none, yet nine of ten are held, of as many bodies as come.
#[tokio::test]
async fn what_is_held_back_counts_from_the_first_frame() {
    let (script, body, _) = paused();
    let body = std::sync::Mutex::new(Some(body));
    let stack = Stack::new(move |_, _| {
        let body = body.lock().unwrap().take().unwrap();
        Response::new(Body::new(Sized { body, length: 10 }))
    })
    .with(|clock| EtagLayer::with_clock(clock).in_flight_bytes_max(0));
    script.send(Data("012345678")).unwrap();
    let held = stack.start(request("GET", "/", &[])).now_or_never();
    assert!(held.is_some(), "nine bytes are gathered with a budget of none");
}

/// Two frames of trailers: both pass without the layer.
#[tokio::test]
async fn no_frame_of_trailers_is_lost() {
    let frames = async |stack: Stack| {
        let mut body = stack.start(request("GET", "/", &[])).await.into_body();
        let mut trailers = HeaderMap::new();
        while let Some(frame) = body.frame().await {
            if let Ok(more) = frame.unwrap().into_trailers() {
                trailers.extend(more);
            }
        }
        trailers
    };
    let stack = || {
        Stack::new(|_, _| {
            let steps = &[Data("abc"), Trailer("x-one", "1"), Trailer("x-two", "2")];
            Response::new(Body::new(Sized { body: scripted(steps), length: 3 }))
        })
    };
    let bare = frames(stack()).await;
    assert_eq!(bare.len(), 2);
    assert_eq!(frames(stack().tagged()).await, bare);
}

/// RFC 9110 §14.2: for a HEAD a range means nothing, so nobody takes it away from whoever is further in.
#[tokio::test]
async fn a_head_keeps_its_range() {
    let stack = Stack::new(|_, _| response(&[ETAG], "0123456789")).conditional();
    stack.send(request("HEAD", "/", &[("range", "bytes=0-1,3-4"), ("if-range", "\"2\"")])).await;
    let seen = stack.inner.seen();
    assert!(["range", "if-range"].iter().all(|name| seen[0].headers.contains_key(*name)));
}

#[tokio::test]
async fn two_lines_of_content_length_are_no_length() {
    let twice = [("content-length", "10"), ("content-length", "10")];
    let stack = Stack::new(move |_, _| {
        let mut response = response(&twice, "");
        *response.body_mut() = scripted(&[Data("0123456789")]);
        response
    })
    .conditional();
    assert_eq!(stack.status(&[("range", "bytes=0-1")]).await, 200);
}

#[tokio::test]
async fn a_head_without_a_length_promises_no_ranges() {
    let stack = Stack::new(|_, _| response(&[], "0123456789")).conditional();
    let head = stack.send(request("HEAD", "/", &[])).await;
    assert_eq!(head.field("accept-ranges"), None);
}

/// And a 304 what caches are guided by, such as its age.
#[tokio::test]
async fn a_412_keeps_its_date_and_a_304_its_age() {
    let fields = [ETAG, ("date", EPOCH), ("age", "7"), ("cache-tag", "a"), ("x-own", "1")];
    let stack = Stack::new(move |_, _| response(&fields, "page")).conditional();
    let failed = stack.get(&[("if-match", "\"2\"")]).await;
    assert_eq!((failed.status.as_u16(), failed.field("date")), (412, Some(EPOCH)));
    let held = stack.get(&[("if-none-match", "\"1\"")]).await;
    assert_eq!((held.field("age"), held.field("cache-tag")), (Some("7"), Some("a")));
    assert_eq!(held.field("x-own"), None);
}

/// A version that is a time alone, and changes while the handler works.
#[tokio::test]
async fn a_time_that_changes_while_the_handler_works_is_not_told() {
    let stack = Stack::new(|_, _| response(&[], "page")).with(|clock| {
        let asked = std::sync::atomic::AtomicU64::new(1_500_000_000);
        EtagLayer::with_clock(clock).by_version(move |_| {
            let secs = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            Some(Current::exists().last_modified(at))
        })
    });
    assert_eq!(stack.get(&[]).await.field("last-modified"), None);
}
