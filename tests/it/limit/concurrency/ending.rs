//! When a request is in flight no longer: once, and not before.

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use super::{at_once, from, in_flight};
use crate::scripted::Step::{self, Data, Error, Panic, Trailer};
use crate::scripted::{knowing, paused, scripted};

type Answer = Result<Response<Body>, Infallible>;

#[tokio::test]
async fn r12_the_next_is_admitted_when_the_body_has_ended_and_not_at_its_head() {
    let layer = at_once(1);
    let (script, body, _) = paused();
    let streaming = Arc::new(Mutex::new(Some(body)));
    let service = layer.layer(service_fn(move |_: Request<Body>| {
        let body = streaming.lock().unwrap().take().unwrap_or_default();
        ready(Answer::Ok(Response::new(body)))
    }));
    let status = async || service.clone().oneshot(from("ada")).await.unwrap().status().as_u16();

    let mut streamed = service.clone().oneshot(from("ada")).await.unwrap();
    assert_eq!(status().await, 429, "at the head");
    script.send(Data("a")).unwrap();
    assert!(streamed.body_mut().frame().await.unwrap().unwrap().is_data());
    assert_eq!(status().await, 429, "in mid-body");
    assert!(streamed.body_mut().frame().now_or_never().is_none());
    assert_eq!(status().await, 429, "while it waits");
    let other = service.clone().oneshot(from("bob")).await.unwrap();
    assert_eq!((other.status().as_u16(), in_flight(&layer)), (200, (1, 1)), "another key");
    drop(script);
    assert!(streamed.body_mut().frame().await.is_none());
    assert_eq!(in_flight(&layer), (0, 0), "at the end, though the body is still there");
    assert_eq!(status().await, 200);
    drop(streamed);
    assert_eq!(in_flight(&layer), (0, 0), "once");
    let stats = layer.handle().stats();
    assert_eq!((stats.admitted, stats.refused), (3, 3));
}

/// Which of its frames ends a body, the first being 1; 0 is its head.
async fn ends_with(body: impl Fn() -> Body + Clone + Send + Sync + 'static) -> usize {
    let layer = at_once(2);
    let service =
        layer.layer(service_fn(move |_: Request<Body>| ready(Answer::Ok(Response::new(body())))));
    let other = service.clone().call(from("ada"));
    let response = service.clone().oneshot(from("ada")).await.unwrap();
    let mut body = response.into_body();
    for frames in 0..10 {
        match in_flight(&layer) {
            (1, 1) => {
                drop(body);
                assert_eq!(in_flight(&layer), (1, 1), "the other is still there");
                drop(other);
                return frames;
            }
            counts => assert_eq!(counts, (1, 2)),
        }
        let _ = AssertUnwindSafe(body.frame()).catch_unwind().await;
    }
    panic!("it never ends");
}

#[tokio::test]
async fn r12_a_body_ends_where_its_end_is_seen() {
    let cases: [(&[Step], usize); 6] = [
        (&[], 1),
        (&[Data("a"), Data("b")], 3),
        (&[Data("a"), Error], 2),
        (&[Data("a"), Trailer("t", "1")], 2),
        (&[Data("a"), Panic], 2),
        (&[Trailer("t", "1")], 1),
    ];
    for (steps, frames) in cases {
        assert_eq!(ends_with(|| scripted(steps)).await, frames, "{steps:?}");
    }
    assert_eq!(ends_with(Body::empty).await, 0, "at its head");
    assert_eq!(ends_with(|| Body::from("one")).await, 1, "it says itself that it is at its end");
    assert_eq!(ends_with(|| knowing(&[Data("a"), Data("b")])).await, 2);
}

#[tokio::test]
async fn r12_a_body_that_is_dropped_unread_or_half_read_has_ended() {
    let layer = at_once(1);
    let answer = |_| ready(Answer::Ok(Response::new(scripted(&[Data("a"), Data("b")]))));
    let service = layer.layer(service_fn(answer));
    for frames in 0..3 {
        let mut response = service.clone().oneshot(from("ada")).await.unwrap();
        assert_eq!(response.status(), 200, "after {frames} frames");
        for _ in 0..frames {
            response.body_mut().frame().await.unwrap().unwrap();
        }
        assert_eq!(in_flight(&layer), (1, 1));
        drop(response);
        assert_eq!(in_flight(&layer), (0, 0));
    }
}

#[tokio::test]
async fn r12_a_request_is_in_flight_from_its_call_until_its_future_is_dropped() {
    let layer = at_once(1);
    let mut service = layer.layer(service_fn(|_: Request<Body>| pending::<Answer>()));
    let unpolled = service.call(from("ada"));
    assert_eq!(in_flight(&layer), (1, 1));
    drop(unpolled);
    let mut polled = Box::pin(service.call(from("ada")));
    assert!(polled.as_mut().now_or_never().is_none());
    assert_eq!(in_flight(&layer), (1, 1));
    drop(polled);
    assert_eq!(in_flight(&layer), (0, 0));
}

#[tokio::test]
async fn r12_an_error_of_the_inner_service_ends_a_request_and_passes_as_it_is() {
    let layer = at_once(1);
    let failing = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>("as it is"));
    let mut call = pin!(layer.layer(failing).oneshot(from("ada")));
    assert_eq!(call.as_mut().await.err(), Some("as it is"));
    assert_eq!(in_flight(&layer), (0, 0), "though the future is still there");
}

#[test]
fn r12_a_handler_that_panics_leaves_nothing_behind() {
    let layer = at_once(1);
    let mut in_call = layer.layer(service_fn(|_: Request<Body>| -> std::future::Ready<Answer> {
        panic!("in the call")
    }));
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| drop(in_call.call(from("ada"))))).is_err());
        assert_eq!(in_flight(&layer), (0, 0));
    }
    let mut later = layer.layer(service_fn(async |_: Request<Body>| -> Answer {
        tokio::task::yield_now().await;
        panic!("at the second poll")
    }));
    let mut call = pin!(later.call(from("ada")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let mut poll = || catch_unwind(AssertUnwindSafe(|| poll_once(call.as_mut()).is_pending()));
    assert!(poll().unwrap());
    assert_eq!(in_flight(&layer), (1, 1));
    assert!(poll().is_err());
    assert_eq!(in_flight(&layer), (0, 0), "though what is left of the future is still there");
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
