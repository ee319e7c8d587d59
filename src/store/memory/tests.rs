//! What the store keeps, on traces that are the same in every run.
//!
//! Here and not among the tests of the public layer, since only here the number of shards can be chosen: it
//! is nothing that a user should have to think of.

use quick_cache::sync::Cache;

use super::*;
use crate::store::conformance::entries::{key, response};

mod trace;

use trace::Trace;

#[test]
fn a_shard_holds_eight_of_the_largest_entries_on_any_machine() {
    for shards_max in [1, 4, 64, 1024] {
        let count = shards(64 << 20, (1 << 20) + FIELDS_ALLOWANCE, shards_max);
        assert!((64 << 20) / count >= 8 * (1 << 20), "{shards_max}: {count}");
        assert!(count.is_power_of_two());
    }
    assert_eq!(shards(0, 0, 8), 1);
}

#[test]
fn a_megabyte_is_kept_by_a_store_of_64_on_any_machine() {
    for shards_max in [1, 4, 64, 256, 1024] {
        let store = MemoryStore::build(64 << 20, (1 << 20) + FIELDS_ALLOWANCE, shards_max);
        for number in 0..32 {
            put(&store, number, 1 << 20);
            assert!(hit(&store, number), "{shards_max} {number}");
        }
        // They also stay: there is room for nearly twice as many.
        let kept = (0..32).filter(|number| hit(&store, *number)).count();
        assert!(kept >= 28, "{shards_max}: {kept}");
    }
}

/// Nearest: the seed of a hash cannot be seen from the public layer. This is the hasher of every store.
#[test]
fn c50_two_stores_hash_the_same_key_differently() {
    let hashes = [0; 4].map(|_| hasher().hash_one(b"the same"));
    assert!(hashes.iter().any(|hash| *hash != hashes[0]));
}

#[test]
fn zipf_hits_as_with_quick_cache_alone() {
    compare(&Trace::zipf(REQUESTS, URLS));
}

#[test]
fn zipf_with_scans_hits_as_with_quick_cache_alone() {
    compare(&Trace::zipf_with_scans(REQUESTS, URLS));
}

#[test]
fn a_shifting_trace_hits_as_with_quick_cache_alone() {
    compare(&Trace::shifting(REQUESTS, URLS));
}

/// At most a point below a cache that counts no tables, with any number of shards.
fn compare(trace: &Trace) {
    for body_bytes in [4000, 16_000] {
        let items = ROOM / weight(body_bytes);
        let alone = alone(items, trace);
        for shards in [1, 64, 256] {
            let store = MemoryStore::build(ROOM, 64 << 10, shards);
            assert_eq!(store.0.shards.len() as u64, shards);
            let ours = hits(&store, trace, body_bytes);
            println!(
                "{}, {body_bytes} bytes, {shards} shards: {ours:.2} % of hits, alone {alone:.2} %",
                trace.name
            );
            assert!(ours > alone - 1.0, "{}, {shards} shards: {ours}, {alone}", trace.name);
        }
    }
    // The tables are a part of what small entries take, so there are fewer of these.
    let store = MemoryStore::build(ROOM / 8, 64 << 10, 4);
    let ours = hits(&store, trace, 100);
    let alone = alone(store.entries(), trace);
    println!("{}, 100 bytes: {ours:.2} % of hits, alone {alone:.2} %", trace.name);
    assert!(ours > alone - 1.0, "{}: {ours}, {alone}", trace.name);
}

/// The percentage of hits with entries that have a body of this length.
fn hits(store: &MemoryStore, trace: &Trace, body_bytes: usize) -> f64 {
    let entry = response(0, body_bytes);
    ratio(trace, |url| {
        let hit = hit(store, url);
        if !hit {
            drop(store.put(&key_of(url), entry.clone(), Duration::ZERO));
        }
        hit
    })
}

/// The percentage of hits.
fn ratio(trace: &Trace, mut hit: impl FnMut(u64) -> bool) -> f64 {
    let hits = trace.urls.iter().filter(|url| hit(**url)).count();
    hits as f64 * 100.0 / trace.urls.len() as f64
}

fn alone(items: u64, trace: &Trace) -> f64 {
    let cache = Cache::<u64, ()>::new(items as usize);
    ratio(trace, |url| {
        let hit = cache.get(&url).is_some();
        if !hit {
            cache.insert(url, ());
        }
        hit
    })
}

fn hit(store: &MemoryStore, url: u64) -> bool {
    matches!(store.get_now(&key_of(url)), Answer::Found(_))
}

fn put(store: &MemoryStore, url: u64, body_bytes: usize) {
    drop(store.put(&key_of(url), response(url, body_bytes), Duration::ZERO));
}

fn key_of(url: u64) -> CacheKey {
    key(url.to_be_bytes())
}

fn weight(body_bytes: usize) -> u64 {
    response(0, body_bytes).bytes() + key_of(0).as_bytes().len() as u64
}

/// Of which 256 shards are half a megabyte each.
const ROOM: u64 = 128 << 20;
const REQUESTS: usize = 200_000;
const URLS: usize = 100_000;
