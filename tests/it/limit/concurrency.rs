//! R12: so many requests of a key at once, until their bodies have ended.

mod composing;
mod ending;
mod random;
mod refusing;
mod wire;

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use tower_keep::limit::{KeyedConcurrencyLayer, LimitBy};

/// So many at once for each value of the field `who`. A request without it has no key.
fn at_once(at_once: u32) -> KeyedConcurrencyLayer {
    let by = LimitBy::with(|head, parts| {
        parts.part(head.headers.get("who")?.as_bytes());
        Some(())
    });
    KeyedConcurrencyLayer::new(NonZeroU32::new(at_once).unwrap(), by)
}

fn from(who: &str) -> Request<Body> {
    Request::get("/").header("who", who).body(Body::empty()).unwrap()
}

/// How many keys have requests in flight, and how many requests there are.
fn in_flight(layer: &KeyedConcurrencyLayer) -> (u64, u64) {
    let stats = layer.handle().stats();
    (stats.keys, stats.in_flight)
}

/// Waits until there are so many requests in flight: a server sees only after a while that somebody has gone.
async fn until(layer: &KeyedConcurrencyLayer, requests: u64) {
    let seen = async {
        while in_flight(layer).1 != requests {
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(10), seen).await;
    assert!(seen.is_ok(), "{:?} in flight, not {requests}", in_flight(layer));
}

/// Fails when it does not come.
async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), event).await.expect("within ten seconds")
}
