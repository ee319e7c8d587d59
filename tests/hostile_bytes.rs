//! How much memory bytes from a store can take that are no entry. The one test of its own program: nothing
//! else allocates here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use peak_alloc::PeakAlloc;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::{CacheKey, Codec, Entry, Store, StoreError};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Keeps the last entry as bytes.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<Option<(CacheKey, Bytes)>>>);

impl Store for Last {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let last = self.0.lock().unwrap().clone().filter(|(last, _)| last == key);
        Ok(last.and_then(|(key, bytes)| Entry::decode(&key, bytes, &Codec::plain())))
    }
    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        *self.0.lock().unwrap() = Some((key.clone(), entry.encode(key, &Codec::plain())));
        Ok(())
    }
    async fn remove(&self, _: &CacheKey) -> Result<(), StoreError> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }
}

async fn inner(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = Response::builder().header("cache-control", "max-age=60");
    Ok(response.body(Full::new(vec![b'x'; 3 << 10].into())).unwrap())
}

fn used(key: &CacheKey, bytes: &Bytes) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    assert!(Entry::decode(key, bytes.clone(), &Codec::plain()).is_none());
    MEMORY.peak_usage().saturating_sub(before)
}

#[tokio::test]
async fn c53_bytes_that_are_no_entry_take_no_more_memory_than_they_are() {
    let store = Last::default();
    let service = CacheLayer::new(store.clone()).layer(service_fn(inner));
    for _ in 0..2 {
        let request = Request::get("http://localhost/").body(Empty::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 3 << 10);
        tokio::time::sleep(Duration::ZERO).await;
    }
    let (key, bytes) = store.0.lock().unwrap().take().unwrap();
    assert!(Entry::decode(&key, bytes.clone(), &Codec::plain()).is_some());

    let mut most = 0;
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        most = most.max(used(&key, &changed.into()));
    }
    // The lengths of head and body, of all sizes.
    for (at, shift) in (12..24).flat_map(|at| (0..8).map(move |shift| (at, shift))) {
        let mut changed = bytes.to_vec();
        changed[at..24].fill(0xff << shift);
        most = most.max(used(&key, &changed.into()));
    }
    assert!(most <= bytes.len(), "{most} bytes for {}", bytes.len());
}
