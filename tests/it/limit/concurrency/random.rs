//! Many requests of a few keys that end in all ways, held against a count by hand.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tokio::sync::oneshot;
use tower::{Layer as _, Service as _, service_fn};
use tower_keep::limit::KeyedConcurrencyBody;

use super::{at_once, from, in_flight};
use crate::scripted::Step::{self, Data, Error, Panic, Trailer};
use crate::scripted::{knowing, scripted};

type Answer = Result<Response<Body>, &'static str>;
type Got = Result<Response<KeyedConcurrencyBody<Body>>, &'static str>;

/// What a handler waits for.
#[derive(Clone)]
struct Cue(std::sync::Arc<std::sync::Mutex<Option<oneshot::Receiver<Ending>>>>);

#[derive(Clone, Copy, Debug)]
enum Ending {
    FutureDropped,
    Fails,
    Panics,
    Empty,
    /// The body has these steps, and is dropped after so many frames.
    Body(&'static [Step], usize),
    Knowing,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Begin(usize),
    /// One of those in flight.
    End(usize, Ending),
}

fn act() -> impl Strategy<Value = Act> {
    let bodies: [&[Step]; 5] = [
        &[],
        &[Data("a"), Data("b")],
        &[Data("a"), Error],
        &[Data("a"), Trailer("t", "1")],
        &[Data("a"), Panic],
    ];
    let ending = prop_oneof![
        Just(Ending::FutureDropped),
        Just(Ending::Fails),
        Just(Ending::Panics),
        Just(Ending::Empty),
        Just(Ending::Knowing),
        (proptest::sample::select(bodies.to_vec()), 0..5usize)
            .prop_map(|(steps, frames)| Ending::Body(steps, frames)),
    ];
    prop_oneof![
        (0..3usize).prop_map(Act::Begin),
        (0..16usize, ending).prop_map(|(which, ending)| Act::End(which, ending))
    ]
}

async fn handler(request: Request<Body>) -> Answer {
    let cue = request.extensions().get::<Cue>().unwrap().0.lock().unwrap().take().unwrap();
    match cue.await {
        Ok(Ending::Fails) | Err(_) => Err("as it is"),
        Ok(Ending::Panics) => panic!("the handler panics"),
        Ok(Ending::Empty | Ending::FutureDropped) => Ok(Response::new(Body::empty())),
        Ok(Ending::Body(steps, _)) => Ok(Response::new(scripted(steps))),
        Ok(Ending::Knowing) => Ok(Response::new(knowing(&[Data("a"), Data("b")]))),
    }
}

/// Lets a request end so.
fn end(call: Pin<Box<dyn Future<Output = Got>>>, cue: oneshot::Sender<Ending>, ending: Ending) {
    if let Ending::FutureDropped = ending {
        return;
    }
    cue.send(ending).unwrap();
    let Ok(answer) = AssertUnwindSafe(call).catch_unwind().now_or_never().unwrap() else { return };
    let Ok(response) = answer else { return };
    let frames = if let Ending::Body(_, frames) = ending { frames } else { 2 };
    let mut body = response.into_body();
    for _ in 0..frames {
        if let Err(_panic) = AssertUnwindSafe(body.frame()).catch_unwind().now_or_never().unwrap() {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn r12_whatever_ends_a_request_it_is_counted_once(
        most in 1..4u32,
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let layer = at_once(most);
        let mut service = layer.layer(service_fn(handler));
        let mut calls = Vec::new();
        let mut counts = BTreeMap::<usize, u32>::new();
        for act in acts {
            match act {
                Act::Begin(who) => {
                    let (cue, cued) = oneshot::channel();
                    let mut request = from(&who.to_string());
                    let cued = std::sync::Mutex::new(Some(cued));
                    request.extensions_mut().insert(Cue(std::sync::Arc::new(cued)));
                    let mut call: Pin<Box<dyn Future<Output = Got>>> =
                        Box::pin(service.call(request));
                    let count = counts.entry(who).or_default();
                    match call.as_mut().now_or_never() {
                        Some(refused) => {
                            prop_assert_eq!(refused.unwrap().status(), 429);
                            prop_assert_eq!(*count, most);
                        }
                        None => {
                            *count += 1;
                            prop_assert!(*count <= most);
                            calls.push((who, call, cue));
                        }
                    }
                }
                Act::End(_, _) if calls.is_empty() => {}
                Act::End(which, ending) => {
                    let (who, call, cue) = calls.swap_remove(which % calls.len());
                    end(call, cue, ending);
                    *counts.get_mut(&who).unwrap() -= 1;
                }
            }
            let keys = counts.values().filter(|count| **count > 0).count() as u64;
            let requests = counts.values().map(|count| u64::from(*count)).sum();
            prop_assert_eq!(in_flight(&layer), (keys, requests));
        }
        drop(calls);
        prop_assert_eq!(in_flight(&layer), (0, 0));
    }
}
