//! A thousand variants of a hot URL.

use std::time::Duration;

use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};
use tower_keep::cache::CachePolicy;
use tower_keep::store::{MemoryStore, Store};

use super::{Crowded, FRESH, RFC, SAFE};
use crate::doubles::{Asked, Keeping};
use crate::support::{Got, Harness, request, response};

const LANGUAGES: usize = 1000;
const VARIANTS_MAX: usize = 32;

fn language(at: usize) -> String {
    format!("x-{at:04}")
}

/// Answers that vary on the language, of so many bytes.
fn varying<St: Store>(store: St, policy: CachePolicy, bytes: usize) -> Crowded<St> {
    Crowded::over(store, policy, move |_, call| {
        response(&[FRESH, ("vary", "accept-language")], format!("{call:>bytes$}"))
    })
}

/// The store has room for the variants that are kept and for the other URLs, not for a thousand variants.
#[tokio::test]
async fn c29_a_thousand_languages_push_no_other_url_out() {
    const PAGE: usize = 16 << 10;
    let store = MemoryStore::with_bytes_max(1 << 20);
    let cache = varying(store.clone(), SAFE, PAGE);
    let others: Vec<String> = (0..16).map(|at| format!("/other/{at}")).collect();
    for other in &others {
        cache.get(other, &[]).await;
    }
    let before = store.entries();
    assert_eq!(before, 2 * 16, "each its index and its one variant");
    for at in 0..LANGUAGES {
        cache.clock.advance(Duration::from_micros(1));
        cache.get("/", &[("accept-language", &language(at))]).await;
        assert!(store.entries() <= before + 1 + VARIANTS_MAX as u64, "{at}");
    }
    assert_eq!(store.entries(), before + 1 + VARIANTS_MAX as u64);
    for other in &others {
        assert!(cache.is_hit(other, &[]).await, "{other}");
    }
    for at in 0..LANGUAGES {
        let is_kept = at >= LANGUAGES - VARIANTS_MAX;
        let head = request("HEAD", "/", &[("accept-language", &language(at))]);
        let calls = cache.inner.calls();
        cache.send(head).await;
        assert_eq!(cache.inner.calls() == calls, is_kept, "{at}");
    }
    assert_eq!(store.entries(), before + 1 + VARIANTS_MAX as u64, "HEAD brings none");
}

/// Each URL has variants of its own, and each selecting field counts into the same 32.
#[tokio::test]
async fn c29_the_cap_is_one_for_each_url_whatever_selects() {
    let cache = Harness::new(|request, call| {
        let vary = [FRESH, ("vary", "accept-language, accept"), ("vary", "x-name")];
        response(&vary, format!("{} {call}", request.uri().path()))
    });
    for at in 0..LANGUAGES {
        let name = ["accept-language", "accept", "x-name"][at % 3];
        cache.clock.advance(Duration::from_micros(1));
        cache.get(["/a", "/b"][at % 2], &[(name, &language(at))]).await;
    }
    assert_eq!(cache.store.entries(), 2 * (1 + VARIANTS_MAX as u64));
    for at in LANGUAGES - 2 * VARIANTS_MAX..LANGUAGES {
        let name = ["accept-language", "accept", "x-name"][at % 3];
        let (path, value) = (["/a", "/b"][at % 2], language(at));
        assert!(cache.get(path, &[(name, &value)]).await.is_hit(), "{at}");
    }
}

/// No time is taken: what the store is asked for, and what it holds, is the same for the thousandth.
#[tokio::test]
async fn c29_a_request_asks_the_store_no_more_often_among_a_thousand_variants() {
    for policy in [SAFE, RFC] {
        let store = Keeping::default();
        let cache = varying(store.clone(), policy, 100);
        let (mut hits, mut misses, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..LANGUAGES {
            cache.clock.advance(Duration::from_micros(1));
            for asked in [&mut misses, &mut hits] {
                store.asked();
                cache.get("/", &[("accept-language", &language(at))]).await;
                asked.push(store.asked());
            }
            bytes.push(store.bytes());
        }
        assert_eq!(cache.inner.calls(), LANGUAGES);
        assert!(hits.iter().all(|asked| *asked == Asked { gets: 2, puts: 0, removals: 0 }));
        let (second, full) = (misses[1], misses[VARIANTS_MAX]);
        assert_eq!(full, Asked { removals: 1, ..second });
        assert!(full.gets <= 5, "{full:?}");
        assert!(misses[1..VARIANTS_MAX].iter().all(|asked| *asked == second));
        assert!(misses[VARIANTS_MAX..].iter().all(|asked| *asked == full));
        let most = bytes.iter().max().unwrap();
        assert_eq!(bytes[VARIANTS_MAX], *most, "it grows no more");
    }
}

/// Values as long as they may be: 32 of them are what a URL costs.
#[tokio::test]
async fn c29_long_languages_cost_the_store_32_of_them() {
    let store = Keeping::default();
    let cache = varying(store.clone(), SAFE, 100);
    for at in 0..200 {
        let long = language(at) + &"a".repeat(3900);
        cache.clock.advance(Duration::from_micros(1));
        cache.get("/", &[("accept-language", &long)]).await;
    }
    assert_eq!(store.entries(), 1 + VARIANTS_MAX);
    // Each key stands in the index too.
    assert!(store.bytes() < 2 * VARIANTS_MAX as u64 * 5000, "{}", store.bytes());
}

/// The index is read and written again, and a store that takes its time lets others come between.
#[tokio::test]
async fn c29_variants_that_come_at_once_are_no_more_than_32() {
    let store = Keeping::slow();
    let cache = varying(store.clone(), SAFE, 100);
    let layer = cache.layer.clone().store_deadline(Duration::from_secs(600));
    let mut tasks = JoinSet::new();
    for at in 0..LANGUAGES {
        let service = layer.layer(cache.inner.clone());
        let request = request("GET", "/", &[("accept-language", &language(at))]);
        tasks.spawn(async { Got::read(service.oneshot(request).await.unwrap()).await });
    }
    tasks.join_all().await;
    let settled = || {
        let stats = cache.layer.handle().stats();
        stats.stored + stats.not_stored
    };
    while settled() < LANGUAGES as u64 {
        tokio::task::yield_now().await;
    }
    assert!(store.entries() <= 1 + VARIANTS_MAX, "{} entries", store.entries());
}
