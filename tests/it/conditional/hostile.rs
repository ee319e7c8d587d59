//! What a hostile reviewer found (h..: fails) and what held (held..).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_keep::conditional::{ConditionalLayer, Current, EntityTag, EtagLayer, Preconditions};
use tower_keep::test_util::ManualClock;

use super::parts::Sized;
use super::{Boxed, ETAG, FRESH, Stack, boxed};
use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{paused, scripted};
use crate::support::{answered, request, response};

const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

fn text() -> String {
    "a page that says the same again and again. ".repeat(40)
}

/// Seven, always.
fn seven(clock: ManualClock) -> EtagLayer<ManualClock> {
    EtagLayer::with_clock(clock).by_version(|_| Some(Current::tagged(7)))
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
async fn h01_a_quote_in_accept_encoding_makes_gzip_and_identity_share_a_strong_tag() {
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
async fn h01b_and_if_range_then_mixes_the_two() {
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

/// The GET says that the tag is current, the HEAD says 412: the body that a digest needs is gone from it.
#[tokio::test]
async fn h02_a_head_with_the_current_tag_in_if_match_is_a_412() {
    // Around the router, as a gateway or `axum::serve(ServiceExt::<Request>::into_make_service(..))` has it; inside
    // `Router::layer` it holds.
    let app = axum::Router::<()>::new().route("/", axum::routing::get(async || "page"));
    let app = ConditionalLayer::new().layer(EtagLayer::new().layer(app));
    let send = async |method: &str, fields: &[(&str, &str)]| {
        app.clone().oneshot(request(method, "/", fields)).await.unwrap()
    };
    let tag = send("GET", &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(send("GET", &[("if-match", &tag)]).await.status(), 200);
    assert_eq!(send("HEAD", &[("if-match", &tag)]).await.status(), 200);
}

/// The version function knows that If-Match holds, the handler is called; its 206 gets no tag and so becomes a 412.
#[tokio::test]
async fn h03_if_match_with_a_range_fails_although_the_version_matches() {
    let stack = seeking().with(seven).conditional();
    assert_eq!(stack.status(&[("if-match", "\"7\"")]).await, 200);
    assert_eq!(stack.status(&[("range", "bytes=0-1")]).await, 206);
    assert_eq!(stack.status(&[("if-match", "\"7\""), ("range", "bytes=0-1")]).await, 206);
}

/// The same by digest: the tag of the 200 is current, and the inner 206 carries none.
#[tokio::test]
async fn h03b_if_match_with_a_range_fails_although_the_digest_matches() {
    let stack = seeking().tagged().conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-match", &tag)]).await, 200);
    assert_eq!(stack.status(&[("if-match", &tag), ("range", "bytes=0-1")]).await, 206);
}

/// RFC 9110 §13.2.2 step 3 comes before step 5: who holds it and asks for a part gets a 304.
#[tokio::test]
async fn h03c_if_none_match_is_passed_over_where_the_inner_service_seeks() {
    let stack = seeking().tagged().conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-none-match", &tag)]).await, 304);
    assert_eq!(stack.status(&[("if-none-match", &tag), ("range", "bytes=0-1")]).await, 304);
}

/// RFC 9110 §15.3.7: a 206 has the ETag that the 200 would have.
#[tokio::test]
async fn h03d_a_206_has_the_etag_of_the_200_by_version() {
    let stack = seeking().with(seven).conditional();
    assert_eq!(stack.tag(&[]).await.as_deref(), Some("\"7\""));
    assert_eq!(stack.tag(&[("range", "bytes=0-1")]).await.as_deref(), Some("\"7\""));
}

/// A version function that knows a time alone (the docs offer it), and a handler with a tag of its own, which "is never
/// replaced": its tag in If-Match is 412 before it is asked.
#[tokio::test]
async fn h04_a_version_that_is_a_time_alone_refuses_the_handlers_own_tag() {
    let stack = Stack::new(|_, _| response(&[ETAG], "page"))
        .with(|clock| {
            EtagLayer::with_clock(clock).by_version(|_| {
                Some(Current::modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000)))
            })
        })
        .conditional();
    assert_eq!(stack.tag(&[]).await.as_deref(), Some("\"1\""));
    assert_eq!(stack.status(&[("if-match", "\"1\"")]).await, 200);
}

/// The same nested: a digest inside, a time outside. The response has the tag, and If-Match with it fails.
#[tokio::test]
async fn h04b_a_time_around_a_digest_refuses_the_digest() {
    let stack = Stack::new(|_, _| response(&[], "page"))
        .tagged()
        .with(|clock| {
            EtagLayer::with_clock(clock).by_version(|_| {
                Some(Current::modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000)))
            })
        })
        .conditional();
    let tag = stack.tag(&[]).await.unwrap();
    assert_eq!(stack.status(&[("if-match", &tag)]).await, 200);
}

/// The 412 of the version layer names a strong tag that the same client's next If-Match with it is refused for, by the layer
/// around it: for ever.
#[tokio::test]
async fn h05_a_412_names_a_tag_with_which_the_client_fails_again() {
    let stack = Stack::new(|_, _| response(&[], "page")).with(seven).conditional();
    let gzip = ("accept-encoding", "gzip");
    let failed = stack.get(&[gzip, ("if-match", "\"6\"")]).await;
    assert_eq!(failed.status, 412);
    let named = failed.field("etag").unwrap();
    assert_eq!(stack.status(&[gzip, ("if-match", named)]).await, 200, "with {named}");
}

/// RFC 9110 §15.4.5: a 304 is for what would have been a 200. The tag does not cover the status, so who polls a job
/// is told that nothing changed when it went from 202 to 200.
#[tokio::test]
async fn h06_a_304_hides_that_a_202_has_become_a_200() {
    let stack = Stack::new(|_, call| answered(if call == 0 { 202 } else { 200 }, &[], ""))
        .tagged()
        .conditional();
    let pending = stack.get(&[]).await;
    assert_eq!(pending.status, 202);
    let Some(tag) = pending.field("etag") else { return };
    assert_eq!(stack.status(&[("if-none-match", tag)]).await, 200);
}

struct Dir(std::path::PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn dir(name: &str) -> Dir {
    let path = std::env::temp_dir().join(format!("tower-keep-h-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("file.txt"), "0123456789").unwrap();
    Dir(path)
}

/// Docs of `ranges_max`: "with 0 nobody gets a part".
#[tokio::test]
async fn h07_with_ranges_max_0_nobody_gets_a_part() {
    let dir = dir("zero");
    let service = ConditionalLayer::new().ranges_max(0).layer(ServeDir::new(&dir.0));
    let get = request("GET", "/file.txt", &[("range", "bytes=0-1")]);
    assert_eq!(service.oneshot(get).await.unwrap().status(), 200);
}

/// And then an If-Range that does not hold goes inwards with it: a part of the new for who holds one of the old (§13.1.5).
#[tokio::test]
async fn h07b_with_ranges_max_0_an_if_range_that_does_not_hold_is_passed_over() {
    let dir = dir("zero-if-range");
    let service = ConditionalLayer::new().ranges_max(0).layer(ServeDir::new(&dir.0));
    let get = request("GET", "/file.txt", &[("range", "bytes=0-1"), ("if-range", "\"old\"")]);
    assert_eq!(service.oneshot(get).await.unwrap().status(), 200);
}

/// RFC 9110 §15.4.5: the ETag "that would have been sent in a 200 to the same request".
#[tokio::test]
async fn h08_a_304_by_date_has_the_etag_of_the_200() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_599_000_000);
    let stack = Stack::new(|_, _| response(&[], "page")).with(|clock| {
        EtagLayer::with_clock(clock)
            .by_version(|_| {
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_599_000_000);
                Some(Current::tagged(7).last_modified(at))
            })
            .without_coding_outside()
    });
    let whole = stack.get(&[]).await;
    let date = httpdate::fmt_http_date(at);
    let not = stack.get(&[("if-modified-since", &date)]).await;
    assert_eq!((whole.status.as_u16(), not.status.as_u16()), (200, 304));
    assert_eq!(whole.field("etag"), not.field("etag"));
}

/// RFC 9110 §15.4.5: Vary, Cache-Control, Expires, Content-Location of the 200, by which the handler is not asked.
#[tokio::test]
async fn h08b_a_304_by_version_has_the_vary_of_the_200() {
    let stack =
        Stack::new(|_, _| response(&[("vary", "accept-language"), ("cache-control", "private")], "page"))
            .with(seven)
            .conditional();
    let whole = stack.get(&[]).await;
    let not = stack.get(&[("if-none-match", "\"7\"")]).await;
    assert_eq!(not.status, 304);
    assert_eq!(whole.field("cache-control"), not.field("cache-control"));
    assert!(not.field("vary").is_some_and(|vary| vary.contains("accept-language")));
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
async fn h09_a_full_header_map_does_not_panic_in_etag_layer() {
    Stack::new(|_, _| full()).tagged().get(&[]).await;
}

#[tokio::test]
async fn h09b_a_full_header_map_does_not_panic_in_conditional_layer() {
    Stack::new(|_, _| full()).conditional().get(&[]).await;
}

#[tokio::test]
async fn h09c_a_full_header_map_does_not_panic_by_version() {
    Stack::new(|_, _| full()).with(seven).get(&[]).await;
}

/// A Content-Length from the network that no memory has, with limits set to their largest.
#[tokio::test]
async fn h10_a_length_beyond_all_memory_does_not_panic() {
    let stack = Stack::new(|_, _| {
        Response::new(Body::new(Sized { body: scripted(&[Data("a"), Data("b")]), length: u64::MAX - 9 }))
    })
    .with(|clock| {
        EtagLayer::with_clock(clock).body_bytes_max(u64::MAX).in_flight_bytes_max(u64::MAX)
    });
    stack.get(&[]).await;
}

/// Both times before 1970 are written as the epoch: a 304 for what has changed.
#[tokio::test]
async fn h11_two_times_before_1970_are_not_one() {
    let stack = Stack::new(|_, call| response(&[], format!("page {call}"))).with(|clock| {
        let calls = std::sync::atomic::AtomicU64::new(0);
        EtagLayer::with_clock(clock).by_version(move |_| {
            // The first request asks twice.
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let before = if call < 2 { 2_000_000 } else { 1_000_000 };
            Some(Current::modified(SystemTime::UNIX_EPOCH - Duration::from_secs(before)))
        })
    });
    let first = stack.get(&[]).await;
    let date = first.field("last-modified").unwrap();
    assert_eq!(date, EPOCH);
    assert_eq!(stack.status(&[("if-modified-since", date)]).await, 200);
}

/// The same lets a lost update through.
#[test]
fn h11b_two_times_before_1970_are_not_one_for_a_write() {
    let at = |before| SystemTime::UNIX_EPOCH - Duration::from_secs(before);
    // The client has read the row of 1969-12-08, was told the epoch; by now it is another.
    let put = Request::put("/").header("if-unmodified-since", EPOCH).body(()).unwrap();
    let now = Current::modified(at(1_000_000));
    assert!(Preconditions::of(&put).required().check(&now).is_err());
}

/// docs/design.md: "the same bytes under another Content-Language mean something else". Of several lines the first counts only.
#[tokio::test]
async fn h12_the_second_line_of_content_language_counts() {
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
async fn h12b_the_second_line_of_content_encoding_counts() {
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
async fn h13_a_suffix_of_an_empty_body_is_no_416() {
    let stack = Stack::new(|_, _| response(&[ETAG], "")).conditional();
    assert_eq!(stack.status(&[("range", "bytes=-5")]).await, 200);
}

/// "How many bytes of bodies may be gathered at the same time in all": none, yet nine of ten are held, of as many bodies as come.
#[tokio::test]
async fn h14_what_is_held_back_counts_from_the_first_frame() {
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
async fn h15_no_frame_of_trailers_is_lost() {
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

/// A service that is readied and then not called keeps what it reserved. One idle clone starves all others.
#[tokio::test]
async fn h16_an_answer_without_the_handler_gives_back_its_permit() {
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::from("page")))
    });
    let service =
        EtagLayer::new().by_version(|_| Some(Current::tagged(7))).layer(limit.layer(inner));
    let (mut one, other) = (service.clone(), service);
    // A connection that keeps its service, as `tower::buffer` and hand-written servers do.
    let get = request("GET", "/", &[("if-none-match", "\"7\"")]);
    assert_eq!(one.ready().await.unwrap().call(get).await.unwrap().status(), 304);
    let waits = tokio::time::timeout(
        Duration::from_millis(200),
        other.oneshot(request("GET", "/", &[])),
    );
    assert!(waits.await.is_ok(), "hangs as long as the idle one lives");
}

/// A body that is neither Unpin nor Sync, and whose data are not `Bytes`.
struct Odd {
    data: Option<std::collections::VecDeque<u8>>,
    _not: (std::marker::PhantomPinned, std::cell::Cell<u8>),
}

impl http_body::Body for Odd {
    type Data = std::collections::VecDeque<u8>;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // Nothing is pinned in fact.
        #[allow(clippy::mut_mut)]
        let data = {
            // Without unsafe: the field is reached through a replaced copy.
            let this = self;
            this.as_ref().get_ref()._not.1.get()
        };
        Poll::Ready((data == 0).then(|| Ok(Frame::data(b"odd".to_vec().into()))))
    }

    fn size_hint(&self) -> SizeHint {
        self.data.as_ref().map_or(SizeHint::with_exact(3), |_| SizeHint::with_exact(3))
    }
}

#[tokio::test]
async fn held_odd_bodies_compile_and_pass() {
    let inner = service_fn(async |_: Request<Body>| {
        let _not = (std::marker::PhantomPinned, std::cell::Cell::new(0));
        Ok::<_, std::convert::Infallible>(Response::new(Odd { data: None, _not }))
    });
    let service = ConditionalLayer::new().layer(EtagLayer::new().layer(inner));
    let got = service.oneshot(request("GET", "/", &[("range", "bytes=0-1")])).await.unwrap();
    // It never ends: too long, given up, untagged; and a part is cut of it.
    assert_eq!(got.status(), 206);
    assert_eq!(got.into_body().collect().await.unwrap().to_bytes(), "od");
}

#[tokio::test]
async fn held_nested_twice_is_as_once() {
    let once = || Stack::new(|_, _| response(&[FRESH], "0123456789")).tagged().conditional();
    for (name, stack) in [
        ("twice", once().tagged().conditional()),
        ("under a cache", once().cached()),
        ("cache inside", once().cached().conditional()),
        ("twice under a cache", once().tagged().conditional().cached()),
    ] {
        let tag = once().tag(&[]).await.unwrap();
        for round in 0..2 {
            for (fields, status) in [
                (&[("if-none-match", &*tag)][..], 304),
                (&[], 200),
                (&[("range", "bytes=0-1")], 206),
                (&[("range", "bytes=0-1,4-5")], 206),
                (&[("range", "bytes=0-1"), ("if-range", &tag)], 206),
                (&[("range", "bytes=0-1"), ("if-range", "\"old\"")], 200),
                (&[("range", "bytes=0-1"), ("if-none-match", &tag)], 304),
            ] {
                assert_eq!(stack.status(fields).await, status, "{name} {round} {fields:?}");
            }
        }
    }
}

/// Who leads a flight with a precondition that fails leaves no 412 to those who follow.
#[tokio::test]
async fn held_a_412_and_a_416_are_for_their_client_alone() {
    let stack = Stack::new(|_, _| {
        let mut response = response(&[FRESH], "0123456789");
        let hint = tower_keep::cache::CacheHint::fresh_for(Duration::from_secs(60));
        response.extensions_mut().insert(hint);
        response
    })
    .tagged()
    .conditional()
    .cached();
    for fields in [("if-match", "\"no\""), ("range", "bytes=90-"), ("if-none-match", "*")] {
        let _ = stack.get(&[fields]).await;
        assert_eq!(stack.status(&[]).await, 200, "{fields:?}");
    }
}

/// A version function and a cache with a purge tag: the 304 that has no hint keeps the tag of what is stored.
#[tokio::test]
async fn held_a_304_by_version_keeps_the_purge_tags() {
    let stack = Stack::new(|_, call| {
        let mut response = response(&[FRESH], format!("page {call}"));
        let hint = tower_keep::cache::CacheHint::fresh_for(Duration::from_secs(60)).tag("t");
        response.extensions_mut().insert(hint);
        response
    })
    .with(seven)
    .conditional()
    .cached();
    assert_eq!(stack.get(&[]).await.body, "page 0");
    stack.clock.advance(Duration::from_secs(61));
    assert_eq!(stack.get(&[]).await.body, "page 0");
    assert_eq!(stack.inner.calls(), 1);
    stack.cache.as_ref().unwrap().purge(tower_keep::cache::Purge::tag("t")).await.unwrap();
    assert_eq!(stack.get(&[]).await.body, "page 1");
}

/// `public()` of the handler's hint does not outlive the 304 of a version function.
#[tokio::test]
async fn h17_a_304_by_version_keeps_that_the_response_is_public() {
    let stack = Stack::new(|_, call| {
        let mut response = response(&[], format!("page {call}"));
        let hint = tower_keep::cache::CacheHint::fresh_for(Duration::from_secs(60)).public();
        response.extensions_mut().insert(hint);
        response
    })
    .with(seven)
    .conditional()
    .cached();
    let user = [("authorization", "Bearer a")];
    assert_eq!(stack.get(&user).await.body, "page 0");
    assert!(stack.get(&user).await.is_hit(), "before the 304 it is shared");
    stack.clock.advance(Duration::from_secs(61));
    assert_eq!(stack.get(&user).await.body, "page 0");
    assert!(stack.get(&user).await.is_hit(), "stored anew after the 304");
}

/// A cache in front of a body that is streamed while its row changes: the version is asked before the body is.
#[tokio::test]
async fn h18_a_body_that_is_built_after_its_head_has_no_tag_of_before() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let row = Arc::new(AtomicU64::new(1));
    let (asked, read) = (row.clone(), row.clone());
    let inner = service_fn(move |_: Request<Body>| {
        let row = read.clone();
        // The handler answers at once and reads the row when its body is polled.
        let body = futures_util::stream::once(async move {
            Ok::<_, std::io::Error>(Bytes::from(format!("row {}", row.load(Ordering::Relaxed))))
        });
        async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from_stream(body))) }
    });
    let service = EtagLayer::new()
        .by_version(move |_| Some(Current::tagged(asked.load(Ordering::Relaxed))))
        .layer(inner);
    let response = service.oneshot(request("GET", "/", &[])).await.unwrap();
    let tag = response.headers().get("etag").cloned();
    row.store(2, Ordering::Relaxed);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(!(body == "row 2" && tag.as_ref().is_some_and(|tag| tag == "\"1\"")), "{body:?} {tag:?}");
}

/// A client that asks with If-Match gets 412 whenever the budget happens to be used up, although nothing changed.
#[tokio::test]
async fn h19_a_412_does_not_depend_on_the_load() {
    let stack = Stack::new(|_, _| {
        Response::new(Body::new(Sized { body: scripted(&[Data("ab"), Data("cd")]), length: 4 }))
    });
    let roomy = Stack { inner: stack.inner.clone(), ..Stack::new(|_, _| unreachable!()) };
    drop(roomy);
    let (inner, clock) = (stack.inner.clone(), stack.clock.clone());
    let with = |bytes: u64| -> Boxed {
        let etag = EtagLayer::with_clock(clock.clone()).in_flight_bytes_max(bytes);
        boxed(ConditionalLayer::with_clock(clock.clone()).layer(etag.layer(inner.clone())))
    };
    let response = with(4).oneshot(request("GET", "/", &[])).await.unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let get = || request("GET", "/", &[("if-match", &tag)]);
    assert_eq!(with(4).oneshot(get()).await.unwrap().status(), 200);
    // As when others take all of it at the moment.
    assert_eq!(with(3).oneshot(get()).await.unwrap().status(), 200);
}

/// The docs say of `by_version` outside `ConditionalLayer` (table): "tag, but never a 304".
#[tokio::test]
async fn held_by_version_outside_answers_itself() {
    let stack = Stack::new(|_, _| response(&[], "page")).conditional().with(seven);
    assert_eq!(stack.status(&[("if-none-match", "\"7\"")]).await, 304);
    assert_ne!(EntityTag::from(7), EntityTag::from(8));
}

/// A leader whose precondition fails, and followers without one.
#[tokio::test]
async fn held_followers_of_a_leader_with_a_failing_precondition_get_the_page() {
    for fields in [("if-match", "\"no\""), ("range", "bytes=90-"), ("range", "bytes=0-1,4-5")] {
        let inner = service_fn(async |_: Request<Body>| {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok::<_, std::convert::Infallible>(response(&[FRESH], "0123456789"))
        });
        let layer = tower_keep::cache::CacheLayer::new(
            tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
        );
        let service =
            boxed(layer.layer(ConditionalLayer::new().layer(EtagLayer::new().layer(inner))));
        let send = |fields: &[(&str, &str)]| {
            let sent = service.clone().oneshot(request("GET", "/", fields));
            async move { crate::support::Got::read(sent.await.unwrap()).await }
        };
        let (_, one, other) = tokio::join!(send(&[fields]), send(&[]), send(&[]));
        for got in [one, other] {
            assert_eq!((got.status.as_u16(), &*got.body), (200, "0123456789"), "{fields:?}");
        }
    }
}

#[tokio::test]
async fn held_extreme_deadlines_do_not_panic() {
    for deadline in [Duration::ZERO, Duration::MAX] {
        let (script, body, _) = paused();
        let body = std::sync::Mutex::new(Some(body));
        let inner = service_fn(move |_: Request<Body>| {
            let body = body.lock().unwrap().take().unwrap();
            async move {
                Ok::<_, std::convert::Infallible>(Response::new(Body::new(Sized { body, length: 2 })))
            }
        });
        let service = EtagLayer::new().body_deadline(deadline).layer(inner);
        let sent = tokio::spawn(service.oneshot(request("GET", "/", &[])));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(sent.is_finished(), deadline.is_zero());
        script.send(Data("ab")).unwrap();
        drop(script);
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ab");
    }
}

#[tokio::test]
async fn held_a_head_leaves_the_stored_get_as_it_is() {
    for by_version in [false, true] {
        let stack = Stack::new(|request, _| {
            let body = if request.method() == "HEAD" { "" } else { "page" };
            response(&[FRESH, ("content-length", "4")], body)
        });
        let stack = if by_version { stack.with(seven) } else { stack.tagged() };
        let stack = stack.conditional().cached();
        assert_eq!(stack.get(&[]).await.body, "page");
        stack.clock.advance(Duration::from_secs(61));
        let head = stack.send(request("HEAD", "/", &[])).await;
        assert_eq!((head.status.as_u16(), head.field("content-length")), (200, Some("4")));
        assert_eq!(stack.get(&[]).await.body, "page");
    }
}

/// The other order, which the docs do not warn of: a client that holds the page keeps the cache inside from storing it.
#[tokio::test]
async fn h20_a_304_does_not_keep_the_cache_inside_from_storing() {
    let stack = Stack::new(|_, _| {
        let steps = &[Data("0123"), Data("456789")];
        let body = Body::new(Sized { body: scripted(steps), length: 10 });
        Response::builder().header("cache-control", "max-age=60").header("etag", "\"1\"").body(body).unwrap()
    })
    .cached()
    .conditional();
    for _ in 0..5 {
        assert_eq!(stack.status(&[("if-match", "\"0\"")]).await, 412);
        assert_eq!(stack.status(&[("range", "bytes=0-0"), ("if-range", "\"1\"")]).await, 206);
    }
    assert!(stack.inner.calls() <= 2, "{} calls", stack.inner.calls());
}

/// RFC 9213: what the origin tells the cache in a targeted field of the new 200 does not come through the 304.
#[tokio::test]
async fn h21_a_304_carries_the_targeted_field_that_forbids_to_store() {
    let stack = Stack::new(|_, call| match call {
        0 => response(&[("cdn-cache-control", "max-age=60")], "page"),
        _ => response(&[("cdn-cache-control", "no-store")], "page"),
    })
    .tagged()
    .conditional();
    let cached = |stack: Stack| {
        let layer = tower_keep::cache::CacheLayer::with_clock(
            tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
            stack.clock.clone(),
        )
        .policy(tower_keep::cache::CachePolicy::shared().targeted_fields([HeaderName::from_static("cdn-cache-control")]));
        Stack { service: boxed(layer.layer(stack.service)), ..stack }
    };
    let stack = cached(stack);
    stack.get(&[]).await;
    stack.clock.advance(Duration::from_secs(61));
    for _ in 0..3 {
        stack.get(&[]).await;
    }
    assert_eq!(stack.inner.calls(), 4, "stored on although the origin says no-store");
}
