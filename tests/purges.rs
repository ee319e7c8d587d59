//! What purging costs, and what it takes, however much is stored or purged. A program of its own, with one
//! test at a time: nothing else allocates here.
//!
//! With `--release` it runs at full size; otherwise smaller, and says so.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may")]

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use peak_alloc::PeakAlloc;
use tower::{Layer as _, Service, service_fn};
use tower_keep::cache::{CacheHandle, CacheHint, CacheLayer, Purge};
use tower_keep::store::{Answer, CacheKey, Entry, MemoryStore, Store, StoreError};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const IS_FULL_SIZE: bool = !cfg!(debug_assertions);
/// For the reach of a purge.
const ENTRIES: usize = if IS_FULL_SIZE { 1_000_000 } else { 10_000 };
const FEW_ENTRIES: usize = 1000;
/// For the bounds of memory.
const DISTINCT: usize = if IS_FULL_SIZE { 10_000_000 } else { 50_000 };
const BUDGET: usize = if IS_FULL_SIZE { 256 << 20 } else { 8 << 20 };
/// What the two tables of stamps may take: of resources, and of all else.
const TABLES: usize = 2 * (8 << 20);

/// What one test allocates is no other's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    println!(
        "{} size: {ENTRIES} entries, {DISTINCT} tags",
        if IS_FULL_SIZE { "full" } else { "small" }
    );
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Each page has a tag of its own, and one of a thousand that others have too.
async fn inner(request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let number: usize = path[1..].parse().unwrap();
    let is_asked = request.headers().contains_key("if-none-match");
    let hint = CacheHint::fresh_for(Duration::from_secs(3600))
        .tag(path)
        .tag(format!("group {}", number % GROUPS));
    let response = Response::builder()
        .status(if is_asked { 304 } else { 200 })
        .header("etag", "\"1\"")
        .extension(hint);
    Ok(response.body(Full::from(&b"page"[..])).unwrap())
}

const GROUPS: usize = 1000;

/// What Cache-Status says of the answer: `hit`, or why it went inwards.
async fn ask<S, B>(service: &mut S, number: usize) -> String
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Debug>,
{
    let request = Request::get(format!("http://a.test/{number}")).body(Empty::new()).unwrap();
    let response = service.call(request).await.unwrap();
    let status = response.headers()["cache-status"].to_str().unwrap();
    let status = status.split("; ").nth(1).unwrap().to_owned();
    BodyExt::collect(response.into_body()).await.unwrap();
    status
}

/// Counts what it is asked.
struct Counting {
    store: MemoryStore,
    calls: Arc<AtomicUsize>,
}

impl Counting {
    fn counted(&self) -> &MemoryStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.store
    }
}

impl Store for Counting {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.counted().get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: Entry, long: Duration) -> Result<(), StoreError> {
        self.counted().put(key, entry, long).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.counted().remove(key).await
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        self.counted().get_now(key)
    }
}

/// What purges of one kind took: calls of the store, bytes at the peak of each, and the time of the median.
#[derive(Debug)]
struct Took {
    calls: usize,
    bytes: usize,
    time: Duration,
}

async fn took(handle: &CacheHandle, calls: &AtomicUsize, purge: impl Fn(usize) -> Purge) -> Took {
    const RUNS: usize = 2001;
    let before = calls.load(Ordering::Relaxed);
    let mut times = Vec::with_capacity(RUNS);
    let mut bytes = 0;
    for run in 0..RUNS {
        let purge = purge(run);
        let there = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let began = Instant::now();
        handle.purge(purge).await.unwrap();
        times.push(began.elapsed());
        // What is made once in a program is made in the first runs.
        if run >= RUNS / 2 {
            bytes = bytes.max(MEMORY.peak_usage() - there);
        }
    }
    times.sort_unstable();
    Took { calls: calls.load(Ordering::Relaxed) - before, bytes, time: times[RUNS / 2] }
}

/// Purges by tag, prefix and all, softly and hard, over so many entries; and that they reached what they
/// are of.
async fn purged_over(entries: usize) -> Vec<(&'static str, Took)> {
    let calls = Arc::new(AtomicUsize::new(0));
    let store = MemoryStore::with_bytes_max(4 << 30);
    let layer = CacheLayer::new(Counting { store: store.clone(), calls: calls.clone() });
    let (handle, mut service) = (layer.handle(), layer.layer(service_fn(inner)));
    for number in 0..entries {
        ask(&mut service, number).await;
    }
    assert_eq!(store.entries(), entries as u64, "all of them are stored");
    let url = || "http://a.test/none".parse().unwrap();
    let group = |number| Purge::tag(format!("group {number}"));
    let mut all = vec![
        ("a tag that nothing carries", took(&handle, &calls, |_| Purge::tag("none")).await),
        ("a prefix of nothing", took(&handle, &calls, |_| Purge::prefix(url())).await),
        ("one tag, softly", took(&handle, &calls, |_| group(7).soft()).await),
        ("one tag", took(&handle, &calls, |_| group(8)).await),
    ];
    for number in (0..entries).step_by(97) {
        let expected = match number % GROUPS {
            7 => "fwd=stale",
            8 => "fwd=uri-miss",
            _ => "hit",
        };
        assert_eq!(ask(&mut service, number).await, expected, "{number}");
    }
    all.push(("many tags", took(&handle, &calls, |run| group(run % GROUPS)).await));
    for number in (0..entries).step_by(997) {
        assert_eq!(ask(&mut service, number).await, "fwd=uri-miss", "{number}");
        assert_eq!(ask(&mut service, number).await, "hit", "{number}");
    }
    all.push(("all", took(&handle, &calls, |_| Purge::all()).await));
    for number in (0..entries).step_by(997) {
        assert_eq!(ask(&mut service, number).await, "fwd=uri-miss", "{number}");
    }
    all
}

#[test]
fn a_purge_by_tag_takes_as_long_over_a_million_entries_as_over_a_thousand() {
    let _alone = alone();
    block_on(async {
        let (few, many) = (purged_over(FEW_ENTRIES).await, purged_over(ENTRIES).await);
        for ((what, few), (_, many)) in few.iter().zip(&many) {
            println!("{what}: {few:?} over {FEW_ENTRIES}, {many:?} over {ENTRIES} entries");
            assert_eq!((few.calls, many.calls), (0, 0), "{what}: the store has no part in it");
            assert!(many.bytes <= few.bytes + SPARE && many.bytes <= 4 << 10, "{what}");
            // A thousand times as many entries; the rest is for what else the machine does.
            assert!(many.time <= few.time * RATIO_MAX, "{what}");
        }
    });
}

/// For the text of a number that has more digits.
const SPARE: usize = 64;
const RATIO_MAX: u32 = 20;

#[test]
fn distinct_tagged_urls_take_no_more_memory_than_the_store_may() {
    let _alone = alone();
    block_on(async {
        let store = MemoryStore::with_bytes_max(16 << 20);
        let warm_up = CacheLayer::new(store).layer(service_fn(inner));
        for number in 0..1000 {
            ask(&mut warm_up.clone(), number).await;
        }
        let before = MEMORY.current_usage();
        let store = MemoryStore::with_bytes_max(BUDGET as u64);
        let layer = CacheLayer::new(store.clone());
        let mut service = layer.layer(service_fn(inner));
        MEMORY.reset_peak_usage();
        let began = Instant::now();
        for number in 0..DISTINCT {
            ask(&mut service, number).await;
        }
        let (live, peak) = (MEMORY.current_usage() - before, MEMORY.peak_usage() - before);
        let (said, entries) = (store.bytes(), store.entries());
        println!(
            "{DISTINCT} tagged URLs in {:?}: {live} bytes live, {peak} at most, of {BUDGET}; the store says \
             {said} for {entries} entries",
            began.elapsed()
        );
        assert_eq!(layer.handle().stats().stored, DISTINCT as u64);
        assert!(peak <= BUDGET / 10 * 11, "{peak} of {BUDGET}");
        assert!(live >= BUDGET / 2, "it is full: {live}");
    });
}

/// No table has room for more.
const STAMPS_MAX: usize = 60_000;

/// And none of them is lost: what began before is not served any more unless it is validated.
#[test]
fn distinct_purges_take_no_more_memory_than_their_tables_may() {
    let _alone = alone();
    block_on(async {
        let layer = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
        let (handle, mut service) = (layer.handle(), layer.layer(service_fn(inner)));
        for number in [1, 2, 3] {
            ask(&mut service, number).await;
            assert_eq!(ask(&mut service, number).await, "hit");
        }
        handle.purge(Purge::tag("/1")).await.unwrap();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        for (what, purges) in
            [("tags", DISTINCT), ("prefixes", DISTINCT / 10), ("URLs", DISTINCT / 10)]
        {
            let began = Instant::now();
            for number in 0..purges {
                let url = || format!("http://b.test/{number}").parse().unwrap();
                handle
                    .purge(match what {
                        "tags" => Purge::tag(format!("tag {number}")),
                        "prefixes" => Purge::prefix(url()),
                        _ => Purge::url(url()),
                    })
                    .await
                    .unwrap();
            }
            let (live, peak) = (MEMORY.current_usage() - before, MEMORY.peak_usage() - before);
            println!("{purges} {what} in {:?}: {live} bytes live, {peak} at most", began.elapsed());
            assert!(peak <= TABLES, "{what}: {peak}");
        }
        // Where they fill their table, the stamp of the first has left it; what began before is unknown.
        let unknown = if DISTINCT > STAMPS_MAX { "fwd=stale" } else { "hit" };
        assert_ne!(ask(&mut service, 1).await, "hit", "it was purged");
        assert_eq!(ask(&mut service, 2).await, unknown, "nobody knows whether it was");
        assert_eq!(ask(&mut service, 2).await, "hit", "it was validated since");
        handle.purge(Purge::tag("/2")).await.unwrap();
        assert_eq!(ask(&mut service, 2).await, "fwd=uri-miss");
    });
}
