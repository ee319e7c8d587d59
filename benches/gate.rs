//! What a request pays for `JwtLayer`, beside the service behind it: where the token is remembered, and where it is not. By
//! turns with the service alone, in one run.

#[path = "cases/token.rs"]
#[allow(dead_code, reason = "other benches use the rest")]
mod token;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http::{Request, Response};
use tower::{Layer, Service};
use tower_keep::auth::{Algorithm, JwtLayer};

use crate::token::{BoxError, Subject};

fn main() -> Result<(), BoxError> {
    println!("medians of {ROUNDS} rounds by turns, in ns; allowed in brackets\n");
    println!("{:30} {:>6} {:>8} {:>8} {:>8}", "", "bytes", "service", "layered", "added");
    row(
        "ES256, remembered",
        Algorithm::Es256,
        JwtLayer::MEMO_BYTES_MAX,
        64,
        Some(MEMO_NS + LAYER_NS),
    )?;
    row("RS256, remembered", Algorithm::Rs256, JwtLayer::MEMO_BYTES_MAX, 64, None)?;
    row("HS256, verified each time", Algorithm::Hs256, JwtLayer::MEMO_BYTES_MAX, 32, None)?;
    row("ES256, verified each time", Algorithm::Es256, 0, 2, None)
}

fn row(
    name: &str,
    algorithm: Algorithm,
    memo_bytes_max: usize,
    batch: usize,
    allowed: Option<f64>,
) -> Result<(), BoxError> {
    let subject = Subject::new(algorithm, token::now()?)?;
    let (verifier, keys) = subject.rules();
    let mut layered = JwtLayer::new(verifier, keys).memo_bytes_max(memo_bytes_max).layer(Echo);
    let mut service = Echo;
    let mut request = Request::get("https://shop.example/orders/7").body(())?;
    for (name, value) in FIELDS {
        request.headers_mut().insert(name, value.parse()?);
    }
    request.headers_mut().insert("authorization", format!("Bearer {}", subject.token).parse()?);
    let (mut alone, mut both) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(time(&mut service, &request, batch)?);
        both.push(time(&mut layered, &request, batch)?);
    }
    let mut added: Vec<f64> = both.iter().zip(&alone).map(|(both, alone)| both - alone).collect();
    let added = median(&mut added);
    let verdict = allowed.map_or(String::new(), |allowed| {
        format!(" ({allowed:.0}): {}", if added <= allowed { "met" } else { "NOT met" })
    });
    let (bytes, alone, both) = (subject.token.len(), median(&mut alone), median(&mut both));
    println!("{name:30} {bytes:>6} {alone:>8.0} {both:>8.0} {added:>8.0}{verdict}");
    Ok(())
}

/// Nanoseconds for one request, which is copied each time.
fn time<S, B>(service: &mut S, request: &Request<()>, batch: usize) -> Result<f64, BoxError>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let began = Instant::now();
    for _ in 0..batch {
        let answer = pin!(service.call(black_box(request.clone())));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) if response.status() == 200 => drop(black_box(response)),
            _ => return Err("the token was refused".into()),
        }
    }
    Ok(began.elapsed().as_nanos() as f64 / batch as f64)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Takes a request and drops it.
#[derive(Clone)]
struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(Response::new(String::new())))
    }
}

const FIELDS: [(&str, &str); 6] = [
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("host", "shop.example"),
    ("user-agent", "bench"),
    ("x-request-id", "5ba552d67a034a0a"),
];
const ROUNDS: usize = 2001;
/// What a hit of the memo may take, and the layer around it.
const MEMO_NS: f64 = 450.0;
const LAYER_NS: f64 = 150.0;
