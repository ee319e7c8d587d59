//! What a request pays for a limit by peer, beside `tower_governor`: without fields and with them. By turns with the service alone, in one run, at
//! 100,000 addresses that are all admitted.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use tower::{Layer, Service};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::PeerIpKeyExtractor;
use tower_keep::BoxError;
use tower_keep::limit::{LimitBy, MemoryLimitStore, Quota, RateLimitFields, RateLimitLayer};

fn main() -> Result<(), BoxError> {
    println!("medians of {ROUNDS} rounds by turns, in ns; allowed in brackets\n");
    println!("{:24} {:>8} {:>14} {:>8} {:>6}", "", "service", "tower_governor", "here", "ratio");
    let mut builder = GovernorConfigBuilder::default();
    builder.per_nanosecond(1_000).burst_size(1_000_000);
    let mut builder = builder.key_extractor(PeerIpKeyExtractor);
    let plain = builder.finish().ok_or("a quota of nothing")?;
    let mut theirs = GovernorLayer::<_, _, Body>::new(plain).layer(Echo);
    row("without fields", &mut theirs, RateLimitFields::None, 0.8)?;
    let telling = builder.use_headers().finish().ok_or("a quota of nothing")?;
    let mut theirs = GovernorLayer::<_, _, Body>::new(telling).layer(Echo);
    row("RateLimit", &mut theirs, RateLimitFields::Draft11, 0.6)?;
    row("X-RateLimit", &mut theirs, RateLimitFields::Legacy, 0.6)
}

fn row<S>(name: &str, theirs: &mut S, fields: RateLimitFields, allowed: f64) -> Result<(), BoxError>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let peer = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
    let quota = Quota::per_second(1_000_000);
    let store = MemoryLimitStore::with_bytes_max(ADDRESSES * KEY_BYTES);
    let mut ours = RateLimitLayer::new(quota, peer)?.store(store).fields(fields).layer(Echo);
    let mut service = Echo;
    let (mut alone, mut governed, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // All addresses have been there before the first that counts.
        let addresses = if round == 0 { ADDRESSES } else { BATCH };
        let began = |salt: u32| (round as u32).wrapping_mul(7_919).wrapping_add(salt);
        alone.push(time(&mut service, addresses, began(0))?);
        governed.push(time(theirs, addresses, began(0))?);
        limited.push(time(&mut ours, addresses, began(0))?);
    }
    let alone = median(&mut alone);
    let (governed, limited) = (median(&mut governed) - alone, median(&mut limited) - alone);
    let ratio = limited / governed;
    let verdict = if ratio <= allowed { "met" } else { "NOT met" };
    println!(
        "{name:24} {alone:>8.0} {governed:>14.0} {limited:>8.0} {ratio:>6.2} ({allowed}): {verdict}"
    );
    Ok(())
}

/// Nanoseconds for one request, each from another address.
fn time<S, B>(service: &mut S, requests: usize, mut seed: u32) -> Result<f64, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let mut all: Vec<_> = Vec::with_capacity(requests);
    for _ in 0..requests {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let address = Ipv4Addr::from(0x0a00_0000 + (seed >> 8) % ADDRESSES as u32);
        let mut request = Request::get("https://shop.example/orders/7").body(Body::empty())?;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 443))));
        all.push(request);
    }
    let began = Instant::now();
    for request in all.drain(..) {
        let answer = pin!(service.call(black_box(request)));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) if response.status() == 200 => drop(black_box(response)),
            _ => return Err("a request was refused".into()),
        }
    }
    Ok(began.elapsed().as_nanos() as f64 / requests as f64)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[derive(Clone, Copy)]
struct Echo;

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(Body::empty())))
    }
}

const ADDRESSES: usize = 100_000;
/// What the table is given for an address.
const KEY_BYTES: usize = 48;
const BATCH: usize = 2_000;
const ROUNDS: usize = 401;
