//! What flights save an origin, and what they cost a request that nobody waits for.

#[allow(dead_code, reason = "two of the cases are measured here")]
mod cases;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::cases::{BATCH, Bench, BoxError, Case};

fn main() -> Result<(), BoxError> {
    println!("calls of the origin for {REQUESTS} requests of one key in 10 s, fresh for 1 s:");
    println!("{:>12} {:>18} {:>15}", "origin takes", "without collapsing", "with collapsing");
    for millis in [1, 10, 100, 500] {
        let took = Duration::from_millis(millis);
        let (without, with) = (calls(took, false)?, calls(took, true)?);
        println!("{millis:>9} ms {without:>18} {with:>15}");
    }
    let (alone, flight) = misses()?;
    println!("\na miss that is stored, median of {ROUNDS} rounds by turns, in ns:");
    println!(
        "alone {alone:.0}, with a flight that nobody joins {flight:.0}: {:.0} more",
        flight - alone
    );
    Ok(())
}

/// How often the origin is called. The time is a manual one: the same in every run.
fn calls(took: Duration, collapses: bool) -> Result<u64, BoxError> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let (clock, called) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
        let layer = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
        let layer = if collapses { layer } else { layer.without_collapsing() };
        let counted = called.clone();
        let service = layer.layer(service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(took).await;
                let response = Response::builder().header("cache-control", "max-age=1");
                Ok::<_, Infallible>(response.body(Body::from("page")).unwrap_or_default())
            }
        }));
        let mut clients = JoinSet::new();
        for _ in 0..REQUESTS {
            let request = Request::get("http://shop.example/").body(Body::empty())?;
            let service = service.clone();
            clients.spawn(async move {
                let Ok(response) = service.oneshot(request).await;
                read(response).await
            });
            tokio::time::sleep(Duration::from_millis(1)).await;
            clock.advance(Duration::from_millis(1));
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok(called.load(Ordering::Relaxed))
    })
}

async fn read<B: http_body::Body<Error: Into<BoxError>>>(
    response: Response<B>,
) -> Result<(), BoxError> {
    use http_body_util::BodyExt as _;
    let body = response.into_body().collect().await.map_err(Into::into)?;
    if body.to_bytes().is_empty() { Err("an answer without a body".into()) } else { Ok(()) }
}

/// The medians of misses without and with a flight, measured by turns so that noise meets both.
fn misses() -> Result<(f64, f64), BoxError> {
    let mut benches =
        [Bench::new(Case::MissAlone, 1 << 10)?, Bench::new(Case::MissStored, 1 << 10)?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (bench, times) in benches.iter_mut().zip(&mut times) {
            let requests = bench.requests(BATCH)?;
            let began = Instant::now();
            bench.serve(requests)?;
            times.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
        }
    }
    let [alone, flight] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    });
    Ok((alone, flight))
}

const REQUESTS: u64 = 10_000;
const ROUNDS: usize = 2001;
