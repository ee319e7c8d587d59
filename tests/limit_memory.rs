//! How much memory keys take, however many come. A program of its own, with one test at a time: nothing else allocates here.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Request};
use peak_alloc::PeakAlloc;
use tower_keep::clock::Clock as _;
use tower_keep::limit::{
    LimitBy, LimitKey, LimitStore as _, MemoryLimitStore, Outcome, Quota, Quotas, Verdict,
};
use tower_keep::test_util::ManualClock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SECRET: [u8; 16] = [7; 16];
/// A unit comes back in six seconds.
const QUOTA: Quota = Quota::per_minute(10);
/// Keys that have used all they have before the others come.
const THROTTLED: u64 = 200;

/// What one test allocates is no other's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

struct Limited {
    store: MemoryLimitStore,
    quotas: Quotas,
    clock: ManualClock,
    request: Request<()>,
    by: LimitBy,
    id: Arc<AtomicU64>,
}

impl Limited {
    fn new(bytes_max: usize) -> Self {
        let id = Arc::new(AtomicU64::new(0));
        let of = id.clone();
        let by = LimitBy::with(move |_, parts| {
            parts.part(&of.load(Ordering::Relaxed).to_le_bytes());
            Some(())
        });
        let (store, quotas) =
            (MemoryLimitStore::with_bytes_max(bytes_max), QUOTA.try_into().unwrap());
        Self { store, quotas, clock: ManualClock::new(), request: Request::new(()), by, id }
    }

    fn key(&self, id: u64) -> LimitKey {
        self.id.store(id, Ordering::Relaxed);
        self.by.key_of((&self.request).into(), &SECRET).unwrap()
    }

    fn charge(&self, id: u64) -> Verdict {
        let (key, now) = (self.key(id), self.clock.now().ticks);
        self.store.charge_now(key, &self.quotas, NonZeroU64::MIN, now).unwrap()
    }

    fn is_refused(&self, id: u64) -> bool {
        self.charge(id).outcome() == Outcome::Refused
    }
}

/// So many keys, one after the other, within five seconds.
fn flood(keys: u64, bytes_max: usize) {
    let _alone = alone();
    let (used_before, resident_before) = (MEMORY.current_usage(), resident());
    MEMORY.reset_peak_usage();
    let limited = Limited::new(bytes_max);
    for id in 0..THROTTLED {
        while !limited.is_refused(id) {}
    }
    let steps = 1_000;
    for step in 0..steps {
        limited.clock.advance(Duration::from_secs(5) / steps as u32);
        let from = THROTTLED + step * keys / steps;
        for id in from..THROTTLED + (step + 1) * keys / steps {
            limited.charge(id);
        }
        assert!(limited.is_refused(step % THROTTLED), "after {from} keys");
    }
    let (used, taken) = (
        MEMORY.peak_usage().saturating_sub(used_before),
        resident().saturating_sub(resident_before),
    );
    println!(
        "{keys} keys in {bytes_max} bytes: {used} used at most, {taken} resident, {:?}",
        limited.store.stats()
    );
    let most = bytes_max + bytes_max / 10;
    assert!(used <= most, "{used}");
    assert!(taken <= most.max(bytes_max + (2 << 20)), "{taken}");
    assert!((0..THROTTLED).all(|id| limited.is_refused(id)), "a throttled key was forgotten");
    assert!(limited.store.stats().forgiven > keys / 2, "the others were");
    // And each has what it had to wait for: one unit after six seconds.
    limited.clock.advance(Duration::from_secs(1));
    for id in 0..THROTTLED {
        assert!(!limited.is_refused(id) && limited.is_refused(id), "{id}");
    }
}

#[test]
fn r05_many_keys_take_no_more_memory_than_they_may_and_none_that_is_throttled_is_forgotten() {
    flood(200_000, 1 << 20);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes: run it with --release")]
fn r05_fifty_million_keys_take_no_more_memory_than_they_may() {
    flood(50_000_000, 32 << 20);
}

/// Nor is anything left of a key, however long it is.
#[test]
fn r06_a_key_of_a_megabyte_leaves_nothing_of_itself() {
    let _alone = alone();
    let limited = Limited::new(1 << 20);
    let by = LimitBy::with(|head, parts| {
        parts.part(head.headers.get("x-api-key")?.as_bytes());
        Some(())
    });
    let mut request = Request::new(());
    let long = HeaderValue::from_str(&"k".repeat(1 << 20)).unwrap();
    request.headers_mut().insert("x-api-key", long);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let key = by.key_of((&request).into(), &SECRET).unwrap();
    let now = limited.clock.now().ticks;
    let verdict = limited.store.charge_now(key, &limited.quotas, NonZeroU64::MIN, now).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Admitted);
    assert_eq!(MEMORY.peak_usage().saturating_sub(before), 0);
    let (shown, bytes) = (format!("{key:?} {verdict:?} {by:?}"), key.to_bytes());
    assert!(!shown.contains("kk") && !shown.contains(&format!("{bytes:?}")), "{shown}");
}
