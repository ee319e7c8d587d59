//! What a scan of many URLs does to those that are popular.

use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::CacheLayer;
use tower_keep::store::{LruStore, MemoryStore, Store};
use tower_keep::test_util::ManualClock;

use crate::support::{Inner, request, response};

const BYTES_MAX: u64 = 1 << 20;
const POPULAR: usize = 50;

/// Asks for the popular URLs as often as for those of the scan; says what share of the popular was a hit,
/// in percent, before the scan and during it.
async fn share_of_hits<St: Store + Clone>(store: St, entries: fn(&St) -> u64) -> (f64, f64) {
    let inner = Inner::new(|_, _| response(&[("cache-control", "max-age=60")], "x".repeat(500)));
    let cache = CacheLayer::with_clock(store.clone(), ManualClock::new()).layer(inner);
    let is_hit = async |path: String| {
        let response = cache.clone().oneshot(request("GET", &path, &[])).await.unwrap();
        let is_hit = response.body().outcome().is_hit();
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
        is_hit
    };
    let popular = async |round: usize| {
        let mut hits = 0;
        for at in 0..POPULAR {
            hits += usize::from(is_hit(format!("/popular/{}", (at * 7 + round) % POPULAR)).await);
        }
        hits
    };
    popular(0).await;
    let mut before = 0;
    for round in 1..=4 {
        before += popular(round).await;
    }
    // Fill it once, to know what it has room for.
    let mut scanned = 0;
    let mut full = 0;
    while entries(&store) > full {
        full = entries(&store);
        for _ in 0..100 {
            assert!(!is_hit(format!("/scan/{scanned}")).await);
            scanned += 1;
        }
    }
    let (mut during, mut rounds) = (0, 0);
    for _ in 0..10 {
        for _ in 0..full {
            assert!(!is_hit(format!("/scan/{scanned}")).await);
            scanned += 1;
        }
        during += popular(rounds).await;
        rounds += 1;
    }
    let percent = |hits: usize, rounds: usize| hits as f64 * 100.0 / (rounds * POPULAR) as f64;
    (percent(before, 4), percent(during, rounds))
}

#[tokio::test]
async fn c49_a_scan_of_ten_times_the_capacity_takes_less_than_five_points_of_hits() {
    let store = MemoryStore::with_bytes_max(BYTES_MAX);
    let (before, during) = share_of_hits(store, MemoryStore::entries).await;
    println!("before {before} %, during the scan {during} %");
    assert!(before - during < 5.0, "before {before} %, during the scan {during} %");
}

#[tokio::test]
async fn a_scan_of_the_capacity_takes_everything_from_plain_recency() {
    let store = LruStore::with_bytes_max(BYTES_MAX);
    let (before, during) = share_of_hits(store, LruStore::entries).await;
    assert_eq!((before, during), (100.0, 0.0));
}

#[tokio::test]
async fn c49_keys_and_fields_are_weighed_as_the_body_is() {
    let of_a_body = bytes_of("/x", &[], 20_000).await;
    let of_a_field = bytes_of("/x", &[("x-long", &"f".repeat(10_000))], 10_000).await;
    let of_a_key = bytes_of(&format!("/{}", "k".repeat(9_999)), &[], 10_000).await;
    let of_none = bytes_of("/x", &[], 10_000).await;
    for bytes in [of_a_body, of_a_field, of_a_key] {
        assert!((9_900..10_500).contains(&(bytes - of_none)), "{bytes} {of_none}");
    }
}

/// What one response takes in each of the stores.
async fn bytes_of(path: &str, fields: &[(&str, &str)], body_bytes: usize) -> u64 {
    let memory = MemoryStore::with_bytes_max(BYTES_MAX);
    let lru = LruStore::with_bytes_max(BYTES_MAX);
    store_one(memory.clone(), path, fields, body_bytes).await;
    store_one(lru.clone(), path, fields, body_bytes).await;
    assert_eq!((memory.entries(), lru.entries()), (1, 1));
    assert!(memory.bytes().abs_diff(lru.bytes()) < 1000, "{memory:?} {lru:?}");
    memory.bytes()
}

async fn store_one(store: impl Store, path: &str, fields: &[(&str, &str)], body_bytes: usize) {
    let fields: Vec<_> =
        [("cache-control", "max-age=60")].into_iter().chain(fields.to_vec()).collect();
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let inner = Inner::new(move |_, _| {
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        response(&fields, "x".repeat(body_bytes))
    });
    let cache = CacheLayer::with_clock(store, ManualClock::new()).layer(inner);
    let response = cache.oneshot(request("GET", path, &[])).await.unwrap();
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
}
