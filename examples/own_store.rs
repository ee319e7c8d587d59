//! A store of your own: a bounded map, sixty lines, and the suite that says whether it is one.
//!
//! ```text
//! cargo run --example own_store --features test-util
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::conformance::StoreSuite;
use tower_keep::store::{CacheKey, Entry, Store, StoreError};

/// Two generations. When the young have filled half of the room they are the old ones, and the old ones
/// before them are forgotten.
#[derive(Debug)]
pub struct TwoGenerations {
    bytes_max: u64,
    kept: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<CacheKey, Entry>,
    old: HashMap<CacheKey, Entry>,
    young_bytes: u64,
}

impl Store for TwoGenerations {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let kept = self.lock();
        Ok(kept.young.get(key).or_else(|| kept.old.get(key)).cloned())
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        let mut kept = self.lock();
        kept.forget(key); // whatever comes of the new entry, the old one is out of date
        let bytes = weight(key, &entry);
        if bytes > self.bytes_max / 2 {
            return Ok(());
        }
        if kept.young_bytes + bytes > self.bytes_max / 2 {
            kept.old = mem::take(&mut kept.young);
            kept.young_bytes = 0;
        }
        kept.young_bytes += bytes;
        kept.young.insert(key.clone(), entry);
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.lock().forget(key);
        Ok(())
    }

    fn entry_bytes_max(&self) -> u64 {
        self.bytes_max / 2
    }
}

impl TwoGenerations {
    /// A store of so many bytes.
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// What is in it now. The suite compares it with `bytes_max`.
    pub fn bytes(&self) -> u64 {
        let kept = self.lock();
        kept.young.iter().chain(&kept.old).map(|(key, entry)| weight(key, entry)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn forget(&mut self, key: &CacheKey) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

fn weight(key: &CacheKey, entry: &Entry) -> u64 {
    (size_of::<(CacheKey, Entry)>() + key.as_bytes().len()) as u64 + entry.bytes()
}

async fn hello(_: Request<String>) -> Result<Response<String>, http::Error> {
    Response::builder().header("cache-control", "max-age=60").body("Hello!".to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = TwoGenerations::with_bytes_max(1 << 20);
    StoreSuite::new(store).bounded(1 << 20, TwoGenerations::bytes).run().await;
    println!("The suite found nothing wrong.");

    let cache = CacheLayer::new(TwoGenerations::with_bytes_max(64 << 20));
    let service = cache.layer(service_fn(hello));
    for _ in 0..2 {
        let request = Request::get("http://shop.example/").body(String::new())?;
        let response = service.clone().oneshot(request).await?;
        println!("{}", if response.body().outcome().is_hit() { "hit" } else { "miss" });
        // A response is stored when all of its body has come.
        response.into_body().collect().await?;
    }
    Ok(())
}
