//! C24 at the layer: parts of complete responses, of bodies that are there and of bodies that come in pieces.

use axum::body::Body;
use futures_util::FutureExt as _;
use http::Response;
use http_body_util::BodyExt as _;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};

use super::{ETAG, FRESH, Stack};
use crate::scripted::Step::{Data, Error, Trailer};
use crate::scripted::{knowing, paused, read, scripted};
use crate::support::{answered, request, response};

const DIGITS: &str = "0123456789";

fn digits() -> Stack {
    Stack::new(|_, _| response(&[ETAG, ("content-type", "text/plain")], DIGITS)).conditional()
}

#[tokio::test]
async fn c24_a_single_range_is_a_206_of_a_dynamic_response() {
    for tagged in [false, true] {
        let stack = Stack::new(|_, _| response(&[("x-own", "1")], DIGITS));
        let stack = if tagged { stack.tagged() } else { stack }.conditional();
        for (range, part, bytes) in [
            ("bytes=0-1", "01", "bytes 0-1/10"),
            ("bytes=8-", "89", "bytes 8-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=0-99", DIGITS, "bytes 0-9/10"),
        ] {
            let got = stack.get(&[("range", range)]).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (206, part));
            assert_eq!(got.field("content-range"), Some(bytes));
            assert_eq!(got.field("content-length"), Some(&*part.len().to_string()));
            assert_eq!(got.field("x-own"), Some("1"));
            assert_eq!(got.headers.contains_key("etag"), tagged);
        }
    }
}

#[tokio::test]
async fn c24_several_ranges_are_a_multipart_and_a_bad_one_is_a_416() {
    let digits = digits();
    let got = digits.get(&[("range", "bytes=0-1,4-5")]).await;
    assert_eq!(got.status, 206);
    let kind = got.field("content-type").unwrap().to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, bytes: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}\r\n"
        )
    };
    let whole = part("0-1", "01") + &part("4-5", "45") + &format!("--{boundary}--\r\n");
    assert_eq!(got.body, whole);
    assert_eq!(got.field("content-length"), Some(&*whole.len().to_string()));
    let none = digits.get(&[("range", "bytes=10-")]).await;
    assert_eq!((none.status.as_u16(), none.field("content-range")), (416, Some("bytes */10")));
    assert_eq!(none.body, "");
}

#[tokio::test]
async fn c24_too_many_overlapping_and_descending_ranges_are_a_200() {
    let digits = digits();
    let nine = (0..9).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
    let eight = (0..8).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
    assert_eq!(digits.status(&[("range", &format!("bytes={eight}"))]).await, 206);
    for range in [&*nine, "0-3,3-5", "4-5,0-1", "0-,0-", &"0-,".repeat(50_000)] {
        assert_eq!(digits.status(&[("range", &format!("bytes={range}"))]).await, 200);
    }
    let two = Stack::new(|_, _| response(&[], DIGITS))
        .with(|clock| ConditionalLayer::with_clock(clock).ranges_max(2));
    assert_eq!(two.status(&[("range", "bytes=0-0,2-2")]).await, 206);
    assert_eq!(two.status(&[("range", "bytes=0-0,2-2,4-4")]).await, 200);
    let none = Stack::new(|_, _| response(&[], DIGITS))
        .with(|clock| ConditionalLayer::with_clock(clock).ranges_max(0));
    let got = none.get(&[("range", "bytes=0-0")]).await;
    assert_eq!((got.status.as_u16(), got.field("accept-ranges")), (200, None));
}

/// The layers' parts are those of the cache: the same request, answered from the store and by the layer.
#[tokio::test]
async fn c24_layer_and_store_answer_alike() {
    let page = || Stack::new(|_, _| response(&[ETAG, FRESH], DIGITS)).conditional();
    let (alone, cached) = (page(), page().cached());
    cached.get(&[]).await;
    for range in ["bytes=0-1", "bytes=-1", "bytes=20-", "bytes=3-1", "bytes=0-0,2-2,20-", "bytes=x"]
    {
        let (one, other) =
            (alone.get(&[("range", range)]).await, cached.get(&[("range", range)]).await);
        assert!(other.is_hit());
        assert_eq!((one.status, one.body.len()), (other.status, other.body.len()), "{range}");
        assert_eq!(one.field("content-range"), other.field("content-range"), "{range}");
        assert_eq!(one.field("content-length").is_some(), one.status != 200);
    }
}

/// RFC 9110 §14.2: a range is for a GET that would be answered with a 200, of a length that is known.
#[tokio::test]
async fn c24_what_is_not_a_whole_200_of_known_length_is_sent_as_it_is() {
    let range = [("range", "bytes=0-1")];
    let head = digits().send(request("HEAD", "/", &range)).await;
    assert_eq!((head.status.as_u16(), head.field("content-range")), (200, None));
    for status in [201, 203, 404] {
        let other = Stack::new(move |_, _| answered(status, &[], DIGITS)).conditional();
        assert_eq!(other.status(&range).await, status);
    }
    let unknown = Stack::new(|_, _| Response::new(scripted(&[Data(DIGITS)]))).conditional();
    let got = unknown.get(&range).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, DIGITS));
    assert_eq!(got.field("accept-ranges"), None);
    for fields in [
        ("accept-ranges", "none"),
        ("content-range", "bytes 0-9/20"),
        ("content-length", "9"),
        ("content-length", "ten"),
        ("transfer-encoding", "gzip"),
    ] {
        let other = Stack::new(move |_, _| response(&[fields], DIGITS)).conditional();
        assert_eq!(other.status(&range).await, 200, "{fields:?}");
    }
}

/// A file server's body does not say how long it is, its head does.
#[tokio::test]
async fn c24_a_content_length_tells_the_length_of_a_body_that_does_not() {
    for (length, status) in [("10", 206), ("010", 206), ("+10", 200), ("10, 10", 200), ("", 200)] {
        let stack = Stack::new(move |_, _| {
            let mut response = Response::new(scripted(&[Data("01234"), Data("56789")]));
            response.headers_mut().insert("content-length", length.parse().unwrap());
            response
        })
        .conditional();
        let got = stack.get(&[("range", "bytes=4-5")]).await;
        assert_eq!(got.status, status, "{length}");
        assert_eq!(got.body, if status == 206 { "45" } else { DIGITS });
    }
}

/// One range goes to who may be able to seek; what few know of is answered here.
#[tokio::test]
async fn what_others_would_answer_wrongly_does_not_go_inwards() {
    let digits = digits();
    for (fields, goes) in [
        (&[("range", "bytes=0-1")][..], true),
        (&[("range", "bytes=0-1,3-4")], false),
        (&[("range", "bytes=0-1"), ("range", "bytes=3-4,6-7")], false),
        (&[("range", "bytes=0-1"), ("if-range", "\"2\"")], false),
    ] {
        digits.get(fields).await;
        let seen = digits.inner.seen();
        let headers = &seen.last().unwrap().headers;
        assert_eq!(headers.contains_key("range"), goes, "{fields:?}");
        assert!(!headers.contains_key("if-range"), "{fields:?}");
    }
    digits.send(request("POST", "/", &[("range", "bytes=0-1"), ("if-range", "\"2\"")])).await;
    assert!(digits.inner.seen().last().unwrap().headers.contains_key("range"));
}

/// RFC 9110 §14.3.
#[tokio::test]
async fn who_may_ask_for_parts_is_told_so() {
    let digits = Stack::new(|_, _| response(&[("content-length", "10")], DIGITS)).conditional();
    for method in ["GET", "HEAD"] {
        let got = digits.send(request(method, "/", &[])).await;
        assert_eq!(got.field("accept-ranges"), Some("bytes"), "{method}");
    }
    let got = digits.get(&[("range", "bytes=x")]).await;
    assert_eq!((got.status.as_u16(), got.field("accept-ranges")), (200, Some("bytes")));
    let posted = digits.send(request("POST", "/", &[])).await;
    assert_eq!(posted.field("accept-ranges"), None);
    let none = Stack::new(|_, _| response(&[("accept-ranges", "none")], DIGITS)).conditional();
    assert_eq!(none.get(&[]).await.field("accept-ranges"), Some("none"));
}

/// A body that comes in pieces: what lies before a range is passed over, and what comes after the last is not asked for.
#[tokio::test]
async fn c24_parts_of_a_body_that_comes_in_pieces() {
    for (range, part) in [("bytes=1-2", "12"), ("bytes=2-6", "23456"), ("bytes=-1", "9")] {
        let pieces = Stack::new(|_, _| {
            let body =
                knowing(&[Data("012"), Data(""), Data("3456"), Data("789"), Trailer("x", "y")]);
            Response::new(body)
        })
        .conditional();
        let response = pieces.start(request("GET", "/", &[("range", range)])).await;
        assert_eq!(response.status(), 206);
        let read = read(response.into_body()).await;
        assert_eq!((read.text().as_str(), read.trailers, read.error), (part, None, None));
    }
}

#[tokio::test]
async fn a_part_does_not_wait_for_what_comes_after_it() {
    let (script, body, made) = paused();
    let sized = std::sync::Mutex::new(Some(Sized { body, length: 10 }));
    let paused =
        Stack::new(move |_, _| Response::new(Body::new(sized.lock().unwrap().take().unwrap())))
            .conditional();
    script.send(Data("012")).unwrap();
    let response = paused.start(request("GET", "/", &[("range", "bytes=0-1")])).await;
    assert_eq!(read(response.into_body()).await.text(), "01");
    assert_eq!(made.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(script.is_closed(), "the rest of the body is let go");
}

/// All of it is there at once: to pass over it must not keep the thread from others.
#[tokio::test]
async fn what_lies_before_a_part_is_passed_over_by_turns() {
    let stack = Stack::new(|_, _| {
        let steps = vec![Data("0123456789"); 1_000];
        Response::new(Body::new(Sized { body: scripted(&steps), length: 10_000 }))
    })
    .conditional();
    let response = stack.start(request("GET", "/", &[("range", "bytes=-2")])).await;
    let mut body = response.into_body();
    assert!(body.frame().now_or_never().is_none());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "89");
}

#[tokio::test]
async fn a_body_that_fails_before_or_in_a_part_fails_the_part() {
    for steps in [&[Data("0"), Error][..], &[Data("0123"), Error]] {
        let steps = steps.to_vec();
        let broken = Stack::new(move |_, _| {
            Response::new(Body::new(Sized { body: scripted(&steps), length: 10 }))
        })
        .conditional();
        let response = broken.start(request("GET", "/", &[("range", "bytes=2-8")])).await;
        assert_eq!(response.status(), 206);
        assert!(read(response.into_body()).await.error.is_some());
    }
}

/// A body that says of itself how long it is.
pub(super) struct Sized {
    pub(super) body: Body,
    pub(super) length: u64,
}

impl http_body::Body for Sized {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, axum::Error>>> {
        let polled = std::pin::Pin::new(&mut self.body).poll_frame(cx);
        if let std::task::Poll::Ready(Some(Ok(frame))) = &polled {
            let came = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.length = self.length.saturating_sub(came);
        }
        polled
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length)
    }
}

#[tokio::test]
async fn an_etag_layer_inside_keeps_ranges_and_if_range() {
    let stack = Stack::new(|_, _| response(&[], DIGITS))
        .with(|clock| EtagLayer::with_clock(clock).without_compression_outside())
        .conditional();
    let tag = stack.tag(&[]).await.unwrap();
    let got = stack.get(&[("range", "bytes=2-3"), ("if-range", &tag)]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (206, "23"));
    assert_eq!(got.field("etag"), Some(&*tag));
    assert_eq!(stack.status(&[("range", "bytes=2-3"), ("if-range", "\"other\"")]).await, 200);
}
