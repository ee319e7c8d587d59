//! How a body is read for its tag: nothing of it is lost, whatever becomes of it, and nothing is waited for too long.

use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower_keep::conditional::EtagLayer;

use super::Stack;
use super::parts::Sized;
use crate::scripted::Step::{self, Data, Error, Pending, Trailer};
use crate::scripted::{knowing, paused, read, scripted};
use crate::support::{request, response};

fn of(steps: &'static [Step], length: u64) -> Stack {
    Stack::new(move |_, _| Response::new(Body::new(Sized { body: scripted(steps), length })))
        .tagged()
}

async fn got(stack: &Stack) -> (bool, crate::scripted::Read) {
    let response = stack.start(request("GET", "/", &[])).await;
    (response.headers().contains_key("etag"), read(response.into_body()).await)
}

#[tokio::test]
async fn a_body_in_pieces_has_the_tag_of_the_whole() {
    let whole = Stack::new(|_, _| response(&[], "abcdef")).tagged().tag(&[]).await;
    for steps in [
        &[Data("abcdef")][..],
        &[Data("ab"), Data("cd"), Data("ef")],
        &[Data(""), Data("a"), Data(""), Pending, Data("bcdef"), Data("")],
    ] {
        for body in [scripted, knowing] {
            let stack = Stack::new(move |_, _| {
                Response::new(Body::new(Sized { body: body(steps), length: 6 }))
            })
            .tagged();
            assert_eq!(stack.tag(&[]).await, whole);
            assert_eq!(got(&stack).await.1.text(), "abcdef");
        }
    }
}

#[tokio::test]
async fn trailers_survive() {
    let (tagged, read) = got(&of(&[Data("ab"), Data("c"), Trailer("x-sum", "1")], 3)).await;
    assert!(tagged);
    assert_eq!(read.text(), "abc");
    assert_eq!(read.trailers.unwrap()["x-sum"], "1");
}

#[tokio::test]
async fn a_body_that_fails_fails_where_it_did_and_has_no_tag() {
    let (tagged, read) = got(&of(&[Data("ab"), Data("c"), Error], 6)).await;
    assert_eq!((tagged, read.text().as_str()), (false, "abc"));
    assert!(read.error.unwrap().contains("the origin broke off"));
}

#[tokio::test]
async fn a_body_that_is_another_length_passes_whole_and_has_no_tag() {
    for (steps, length) in [
        (&[Data("ab")][..], 3),
        (&[Data("ab"), Data("cd")], 3),
        (&[Data("abcd"), Data("ef")], 3),
        (&[Data("ab"), Trailer("x", "y")], 3),
        (&[Data("ab"), Data("c"), Data("d"), Data("e")], 3),
    ] {
        let stack = of(steps, length);
        let response = stack.start(request("GET", "/", &[])).await;
        assert!(!response.headers().contains_key("etag"), "{steps:?}");
        let collected = response.into_body().collect().await.unwrap();
        let expected: String = steps
            .iter()
            .filter_map(|step| if let Data(data) = step { Some(*data) } else { None })
            .collect();
        assert_eq!(collected.to_bytes(), expected);
    }
}

/// What is left to come is told as it was promised: a server that learnt of less would end the message there, and go on with the
/// next one on the same connection.
#[tokio::test]
async fn a_body_that_breaks_off_does_not_say_that_it_is_whole() {
    for steps in [&[Data("ab"), Data("c")][..], &[Data("ab"), Data("c"), Error]] {
        let stack = Stack::new(move |_, _| {
            Response::new(Body::new(Sized { body: scripted(steps), length: 6 }))
        })
        .tagged();
        let mut body = stack.start(request("GET", "/", &[])).await.into_body();
        assert_eq!(body.size_hint().exact(), Some(6));
        body.frame().await.unwrap().unwrap();
        assert!(!body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(body.frame().await.is_none_or(|frame| frame.is_err()));
    }
}

/// An error behind all that was promised is still an error.
#[tokio::test]
async fn an_error_behind_the_last_byte_comes_through() {
    let (tagged, read) = got(&of(&[Data("ab"), Data("c"), Error], 3)).await;
    assert_eq!((tagged, read.text().as_str()), (false, "abc"));
    assert!(read.error.is_some());
}

/// Trailers end a body (RFC 9110 §6.5): what comes behind them belongs to no content that has a tag.
#[tokio::test]
async fn data_behind_trailers_are_no_part_of_a_tagged_body() {
    let stack = of(&[Data("ab"), Trailer("x", "y"), Data("c")], 3);
    assert!(!stack.start(request("GET", "/", &[])).await.headers().contains_key("etag"));
}

/// After so many frames others have a turn, and it goes on by itself.
#[tokio::test]
async fn many_frames_are_read_by_turns() {
    let stack = Stack::new(|_, _| {
        let steps = vec![Data("a"); 1_000];
        Response::new(Body::new(Sized { body: scripted(&steps), length: 1_000 }))
    })
    .tagged();
    let mut answer = std::pin::pin!(stack.start(request("GET", "/", &[])));
    assert!(answer.as_mut().now_or_never().is_none());
    let response =
        tokio::time::timeout(Duration::from_secs(60), answer).await.expect("it is woken");
    assert!(response.headers().contains_key("etag"));
}

/// The order of things, on a manual clock: the head leaves at the deadline, with what came so far and without a tag.
#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_until_the_deadline() {
    let (script, body, _) = paused();
    let slot = std::sync::Mutex::new(Some(Sized { body, length: 6 }));
    let stack =
        Stack::new(move |_, _| Response::new(Body::new(slot.lock().unwrap().take().unwrap())))
            .tagged();
    script.send(Data("ab")).unwrap();
    script.send(Data("c")).unwrap();
    let mut answer = std::pin::pin!(stack.start(request("GET", "/", &[])));
    assert!(answer.as_mut().now_or_never().is_none());
    stack.clock.advance(EtagLayer::BODY_DEADLINE - Duration::from_millis(1));
    assert!(answer.as_mut().now_or_never().is_none());
    stack.clock.advance(Duration::from_millis(1));
    let response = answer.now_or_never().unwrap();
    assert!(!response.headers().contains_key("etag"));
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert!(body.frame().now_or_never().is_none());
    script.send(Data("def")).unwrap();
    drop(script);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "def");
}

#[tokio::test]
async fn a_body_that_comes_before_the_deadline_is_tagged() {
    let (script, body, _) = paused();
    let slot = std::sync::Mutex::new(Some(Sized { body, length: 3 }));
    let stack =
        Stack::new(move |_, _| Response::new(Body::new(slot.lock().unwrap().take().unwrap())))
            .tagged();
    let mut answer = std::pin::pin!(stack.start(request("GET", "/", &[])));
    assert!(answer.as_mut().now_or_never().is_none());
    script.send(Data("abc")).unwrap();
    drop(script);
    assert!(answer.now_or_never().unwrap().headers().contains_key("etag"));
}

/// Empty frames without an end neither block the thread nor pass the deadline.
#[tokio::test]
async fn frames_without_anything_in_them_are_no_way_around_the_deadline() {
    let stack = Stack::new(|_, _| {
        let steps = vec![Data(""); 100_000];
        Response::new(Body::new(Sized { body: scripted(&steps), length: 3 }))
    })
    .tagged();
    let mut answer = std::pin::pin!(stack.start(request("GET", "/", &[])));
    assert!(answer.as_mut().now_or_never().is_none());
    stack.clock.advance(EtagLayer::BODY_DEADLINE);
    let response = answer.now_or_never().unwrap();
    assert!(!response.headers().contains_key("etag"));
}

/// What is gathered is copied, so it is counted: beyond the bound responses pass untagged, and what was sent makes room.
#[tokio::test]
async fn what_is_gathered_at_the_same_time_is_bounded() {
    let stack = Stack::new(|_, _| {
        Response::new(Body::new(Sized { body: scripted(&[Data("ab"), Data("cdef")]), length: 6 }))
    })
    .with(|clock| EtagLayer::with_clock(clock).in_flight_bytes_max(13));
    let start = || stack.start(request("GET", "/", &[]));
    let is_tagged = |response: &Response<Body>| response.headers().contains_key("etag");
    let (first, second, third) = (start().await, start().await, start().await);
    assert_eq!([&first, &second, &third].map(is_tagged), [true, true, false]);
    assert_eq!(read(third.into_body()).await.text(), "abcdef");
    let mut body = first.into_body();
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.is_none());
    assert!(is_tagged(&start().await), "what was sent is gone");
    drop(second);
    drop(body);
    let in_one_piece = Stack::new(|_, _| response(&[], "abcdef"))
        .with(|clock| EtagLayer::with_clock(clock).in_flight_bytes_max(0));
    assert!(in_one_piece.tag(&[]).await.is_some(), "what is not copied does not count");
}
