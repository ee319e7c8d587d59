//! How much memory tokens take, good ones and bad ones. A program of its own, with one test at a time: nothing else allocates
//! here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test may"
)]

#[path = "it/auth/tokens.rs"]
mod tokens;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use peak_alloc::PeakAlloc;
use serde_json::json;
use tower::{Layer as _, Service};
use tower_keep::auth::Algorithm::{self, Es256, Hs256};
use tower_keep::auth::{Jwt, JwtLayer, Verified};
use tower_keep::test_util::ManualClock;

use tokens::{claims_with, header_text, others, signers, verifier};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MEMO_BYTES: usize = 1 << 20;
const TOKENS: usize = 20_000;

/// What one test allocates is no other's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Inner;

impl Service<Request<Empty<Bytes>>> for Inner {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Empty<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        assert!(request.extensions().get::<Verified>().is_some());
        ready(Ok(Response::new(Empty::new())))
    }
}

type Guarded = Jwt<Inner, ManualClock>;

fn guarded(algorithm: Algorithm, memo_bytes: usize) -> Guarded {
    let keys = signers().keys(&[algorithm]);
    JwtLayer::with_clock(verifier(), keys, ManualClock::new())
        .memo_bytes_max(memo_bytes)
        .layer(Inner)
}

fn request(token: &str) -> Request<Empty<Bytes>> {
    let mut line = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    line.set_sensitive(true);
    Request::get("/").header("authorization", line).body(Empty::new()).unwrap()
}

fn status(guarded: &mut Guarded, request: Request<Empty<Bytes>>) -> u16 {
    guarded.call(request).now_or_never().unwrap().unwrap().status().as_u16()
}

/// What so many different requests have left in memory.
fn left(guarded: &mut Guarded, expected: u16, tokens: impl Iterator<Item = String>) -> usize {
    let before = MEMORY.current_usage();
    for token in tokens {
        assert_eq!(status(guarded, request(&token)), expected);
    }
    MEMORY.current_usage().saturating_sub(before)
}

/// Distinct tokens, with claims that are so much longer than they must be.
fn distinct(algorithm: Algorithm, from: usize, padding: usize) -> impl Iterator<Item = String> {
    let padding = "x".repeat(padding);
    (from..).map(move |n| {
        signers().token(algorithm, &claims_with(json!({"jti": n.to_string(), "padding": padding})))
    })
}

#[test]
fn j28_memory_for_tokens_is_bounded_however_many_come() {
    let _alone = alone();
    for (padding, tokens) in [(0, TOKENS), (300, 6_000), (5_000, 2_000)] {
        let mut guarded = guarded(Es256, MEMO_BYTES);
        let some = left(&mut guarded, 200, distinct(Es256, 0, padding).take(100));
        let most = some + left(&mut guarded, 200, distinct(Es256, 100, padding).take(tokens / 2));
        let more = left(&mut guarded, 200, distinct(Es256, TOKENS, padding).take(tokens / 2));
        println!(
            "padding {padding}: {some} bytes after 100 tokens, {most} after many, then {more} more"
        );
        assert!(some > 100 * 200, "tokens are remembered: {some}");
        assert!(most <= MEMO_BYTES * 11 / 10, "{most}");
        assert!(more <= MEMO_BYTES / 10, "and there it stays: {more}");
        drop(guarded);
    }
}

/// Neither do those that a secret has signed, nor where none is to be remembered.
#[test]
fn j28_what_is_not_remembered_takes_no_memory() {
    let _alone = alone();
    // What is made once is made here.
    let claims = claims_with(json!({})).to_string();
    let forged = || others().token(Es256, &claims_with(json!({})));
    for (mut guarded, algorithm) in
        [(guarded(Hs256, MEMO_BYTES), Hs256), (guarded(Es256, 0), Es256)]
    {
        left(&mut guarded, 200, distinct(algorithm, 0, 0).take(10));
        let left = left(&mut guarded, 200, distinct(algorithm, 10, 0).take(2_000));
        println!("{algorithm}: {left} bytes after 2,000 tokens");
        assert!(left < 1_000, "{algorithm} {left}");
    }
    let mut guarded = guarded(Es256, MEMO_BYTES);
    left(&mut guarded, 401, std::iter::once(forged()));
    let kinds: [&dyn Fn(usize) -> String; 4] = [
        &|n| others().token(Es256, &claims_with(json!({"jti": n.to_string()}))),
        &|n| {
            signers().token_of(Es256, header_text(Es256, "kid", Some(&format!("\"{n}\""))), &claims)
        },
        &|n| signers().token(Es256, &claims_with(json!({"exp": n}))),
        &|n| format!("a{n}.b.c"),
    ];
    for (at, kind) in kinds.into_iter().enumerate() {
        let left = left(&mut guarded, 401, (0..5_000).map(kind));
        println!("bad tokens of kind {at}: {left} bytes after 5,000");
        assert!(left < 1_000, "{at} {left}");
    }
}

/// What the refusal of one token takes for a moment, at most.
fn peak(guarded: &mut Guarded, token: &str) -> usize {
    let asked = request(token);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut response = None;
    let future = guarded.call(asked);
    response.replace(future.now_or_never().unwrap().unwrap());
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert_eq!(response.unwrap().status(), 401);
    peak
}

/// J03: a token that is too long is not looked at, and of another not more than a few times its length is taken.
#[test]
fn j03_a_refusal_costs_no_more_memory_than_the_limit_allows() {
    let _alone = alone();
    let mut guarded = guarded(Es256, MEMO_BYTES);
    let long = |length: usize| "x".repeat(length);
    peak(&mut guarded, &long(10));
    let (short, longer, longest) = (
        peak(&mut guarded, &long(8_193)),
        peak(&mut guarded, &long(20_000)),
        peak(&mut guarded, &long(60_000)),
    );
    println!("too long: {short}, {longer}, {longest}");
    assert!(short == longer && longer == longest && longest < 2_000, "{short} {longer} {longest}");
    let of = |claims: String| signers().token_of(Es256, header_text(Es256, "x", None), claims);
    let strings = vec!["\"\""; 1900].join(",");
    let nested = format!("{}{}", "[".repeat(2900), "]".repeat(2900));
    let members: Vec<_> =
        (0..128).map(|n| format!("\"{n}\":\"\\u0041\\u0042\\u0043\\u0044\"")).collect();
    for claims in [
        format!("{{\"aud\":[{strings}]}}"),
        format!("{{\"aud\":{nested}}}"),
        format!("{{{}}}", members.join(",")),
        format!("{{\"scope\":\"{}\"}}", "\\u0041".repeat(950)),
    ] {
        let token = of(claims);
        assert!(token.len() < 8_192 && token.len() > 4_000, "{}", token.len());
        let peak = peak(&mut guarded, &token);
        println!("{} bytes of token: {peak}", token.len());
        assert!(peak < 32 * 8_192, "{peak}");
    }
}
