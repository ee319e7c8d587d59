//! Keys from the network: a scripted issuer, driven by a manual clock.

mod asking;
mod discovery;
mod keeping;
mod passing_on;
mod replies;
mod secrecy;
mod sockets;
mod starting;
mod tries;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use tokio::sync::Notify;
use tower::Service;
use tower_keep::auth::{JwksKeys, JwksOptions, KeySet, KeySource, Refreshed, TokenHeader};
use tower_keep::cache::{Spawn, Work};
use tower_keep::test_util::ManualClock;

const URL: &str = "https://login.test/jwks";

/// What the issuer does with a request.
enum Act {
    Reply(Response<Body>),
    /// When it is let go on, this.
    Later(Arc<Notify>, Response<Body>),
    Hang,
    Fail,
    Panic,
}

type Answer = dyn Fn(&Request<Body>, usize) -> Act + Send + Sync;

/// A client of an issuer that answers by a function; clones are of the same.
#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Arc<Answer>>>,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Issuer {
    fn new(answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(Mutex::new(Arc::new(answer))), seen: Arc::default() }
    }

    /// From now on it answers by this.
    fn answers(&self, answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn seen(&self) -> Vec<http::request::Parts> {
        self.seen.lock().unwrap().clone()
    }
}

impl Service<Request<Body>> for Issuer {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.answer.lock().unwrap().clone();
        let act = answer(&request, self.calls());
        self.seen.lock().unwrap().push(request.into_parts().0);
        Box::pin(async move {
            match act {
                Act::Reply(response) => Ok(response),
                Act::Later(go_on, response) => {
                    go_on.notified().await;
                    Ok(response)
                }
                Act::Hang => std::future::pending().await,
                Act::Fail => Err(io::Error::other("no route to the issuer")),
                Act::Panic => panic!("the client panics"),
            }
        })
    }
}

/// Keys of an issuer, and the clock that they go by.
struct World {
    issuer: Issuer,
    clock: ManualClock,
    keys: JwksKeys,
}

impl World {
    fn new(answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::with(|options| options, answer)
    }

    fn with(
        change: impl FnOnce(JwksOptions) -> JwksOptions,
        answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let (issuer, clock) = (Issuer::new(answer), ManualClock::new());
        let options = change(JwksKeys::options().clock(clock.clone()));
        let keys = options.at(URL, issuer.clone()).unwrap();
        Self { issuer, clock, keys }
    }

    /// With the first set there.
    async fn loaded(
        change: impl FnOnce(JwksOptions) -> JwksOptions,
        answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let world = Self::with(change, answer);
        world.keys.load().await.unwrap();
        settle().await;
        world
    }

    /// What came of asking for a key of this id.
    async fn refreshed(&self, id: &str) -> Refreshed {
        refreshed(self.keys.clone(), id.to_owned()).await
    }

    /// Time passes, second by second, and everybody does what is to be done.
    async fn pass(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Duration::from_secs(1));
            settle().await;
        }
    }

    /// The ids of the keys that there are now.
    fn ids(&self) -> Option<Vec<String>> {
        self.keys.keys().as_ref().map(ids)
    }
}

async fn refreshed(keys: JwksKeys, id: String) -> Refreshed {
    let header = header(&id);
    keys.refreshed(&header).unwrap().await
}

/// Everybody else goes on until nobody can.
async fn settle() {
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
}

fn ids(keys: &KeySet) -> Vec<String> {
    keys.keys().iter().map(|key| key.id().unwrap_or_default().to_owned()).collect()
}

/// The header of a token of this key.
fn header(id: &str) -> TokenHeader {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","kid":"{id}"}}"#));
    TokenHeader::of(format!("{header}.e30.AA").as_bytes()).unwrap()
}

/// A key that can be used.
fn key(id: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{X}"}}"#)
}

/// RFC 8037 §A.2.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn set_of(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// A set of keys with these ids, with these fields.
fn set_with(fields: &[(&str, &str)], ids: &[&str]) -> Act {
    let ids: Vec<_> = ids.iter().map(|id| key(id)).collect();
    Act::Reply(json(fields, set_of(&ids)))
}

fn set(ids: &[&str]) -> Act {
    set_with(&[], ids)
}

fn json(fields: &[(&str, &str)], text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().header("content-type", "application/json");
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(text.into()).unwrap()
}

fn status(status: u16) -> Act {
    Act::Reply(Response::builder().status(status).body(Body::empty()).unwrap())
}

/// The ids, where there was an answer.
fn current(refreshed: &Refreshed) -> Vec<String> {
    match refreshed {
        Refreshed::Current(keys) => ids(keys),
        other => panic!("{other:?}"),
    }
}

/// When to come again, in seconds, where there was none.
fn retry_after(refreshed: &Refreshed) -> u64 {
    match refreshed {
        Refreshed::Unavailable { retry_after } => retry_after.as_secs(),
        other => panic!("{other:?}"),
    }
}

/// There is nothing that runs in the background.
struct Never;

impl Spawn for Never {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        Err(work)
    }
}
