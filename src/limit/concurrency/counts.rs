//! How many requests of each key are in flight. Keys without any are not there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};

use ahash::RandomState;

use crate::limit::key::LimitKey;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::lock::{Mutex, MutexGuard};

/// Keys lie in one of some shards, which their digest chooses: clients cannot, since they do not know its secret.
pub(crate) struct Counts {
    shards: Box<[Shard]>,
    /// In all shards. Nothing is read because of it, so that its order does not matter.
    keys: AtomicU64,
    /// Requests that had no key.
    keyless: AtomicU64,
}

/// Aligned as processors share memory.
#[repr(align(64))]
struct Shard(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    /// Never 0.
    in_flight: HashMap<LimitKey, u32, RandomState>,
    admitted: u64,
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests of one key.
    pub(crate) at_once: NonZeroU32,
    /// Keys that have any.
    pub(crate) keys_max: u64,
    /// Whether those beyond the first bound are counted too, since they pass.
    pub(crate) is_shadow: bool,
}

/// What a request was given.
pub(crate) struct Taken {
    pub(crate) permit: Option<Permit>,
    pub(crate) is_too_many: bool,
}

/// A request in flight. It is one no longer when this is dropped.
pub(crate) struct Permit {
    counts: Arc<Counts>,
    key: LimitKey,
}

/// Figures of a [`KeyedConcurrencyLayer`](crate::limit::KeyedConcurrencyLayer) and its clones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyStats {
    /// The keys that have requests in flight.
    pub keys: u64,
    /// The requests in flight that are counted.
    pub in_flight: u64,
    /// How many requests were admitted.
    pub admitted: u64,
    /// How many were refused, or would have been if not for [shadow mode](crate::limit::KeyedConcurrencyLayer::shadow).
    pub refused: u64,
}

impl Counts {
    pub(crate) fn new() -> Self {
        let shard = || Shard(Mutex::new(Numbers::default()));
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { shards, keys: AtomicU64::new(0), keyless: AtomicU64::new(0) }
    }

    /// One request more of this key, if that is not too many.
    pub(crate) fn take(self: &Arc<Self>, key: LimitKey, bounds: Bounds) -> Taken {
        let Some(mut numbers) = self.numbers(key) else {
            return Taken { permit: None, is_too_many: true };
        };
        let (is_counted, is_too_many) = match numbers.in_flight.entry(key) {
            Entry::Occupied(mut count) => {
                let is_too_many = *count.get() >= bounds.at_once.get();
                let next = match is_too_many && !bounds.is_shadow {
                    true => None,
                    false => count.get().checked_add(1),
                };
                if let Some(next) = next {
                    count.insert(next);
                }
                (next.is_some(), is_too_many)
            }
            Entry::Vacant(place) => {
                let has_room = self.has_room(bounds.keys_max);
                if has_room {
                    place.insert(1);
                }
                (has_room, !has_room)
            }
        };
        match is_too_many {
            true => numbers.refused += 1,
            false => numbers.admitted += 1,
        }
        drop(numbers);
        let permit = is_counted.then(|| Permit { counts: self.clone(), key });
        Taken { permit, is_too_many }
    }

    /// A request without a key was refused.
    pub(crate) fn refuse_keyless(&self) {
        self.keyless.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> ConcurrencyStats {
        let refused = self.keyless.load(Ordering::Relaxed);
        let mut stats = ConcurrencyStats { refused, ..ConcurrencyStats::default() };
        for shard in &self.shards {
            let numbers = shard.lock();
            stats.keys += numbers.in_flight.len() as u64;
            stats.in_flight +=
                numbers.in_flight.values().map(|count| u64::from(*count)).sum::<u64>();
            stats.admitted += numbers.admitted;
            stats.refused += numbers.refused;
        }
        stats
    }

    fn give_back(&self, key: LimitKey) {
        let Some(mut numbers) = self.numbers(key) else { return };
        let Entry::Occupied(mut count) = numbers.in_flight.entry(key) else { return };
        match count.get().saturating_sub(1) {
            0 => {
                count.remove();
                self.keys.fetch_sub(1, Ordering::Relaxed);
                numbers.shrink();
            }
            left => _ = count.insert(left),
        }
    }

    /// Whether one key more may be there; it is counted then.
    fn has_room(&self, keys_max: u64) -> bool {
        let next = |keys: u64| keys.checked_add(1).filter(|next| *next <= keys_max);
        self.keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn numbers(&self, key: LimitKey) -> Option<MutexGuard<'_, Numbers>> {
        let (_, high) = key.halves();
        let shard = high % SHARDS as u64;
        self.shards.get(shard as usize).map(Shard::lock)
    }
}

impl Shard {
    /// Whoever panics with the lock has changed nothing by half.
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbers {
    /// Gives memory back after a flood. What is copied then is less than what was removed since it was copied last.
    fn shrink(&mut self) {
        let (keys, room) = (self.in_flight.len(), self.in_flight.capacity());
        if room > ROOM_MIN && keys < room / 4 {
            self.in_flight.shrink_to((keys * 2).max(ROOM_MIN / 2));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counts.give_back(self.key);
    }
}

/// So many that two threads seldom want the same.
const SHARDS: usize = 64;

/// Room for so many keys is kept in a shard: less than two kilobytes.
const ROOM_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::by::LimitBy;

    fn key(number: u64) -> LimitKey {
        let by = LimitBy::with(move |_, parts| {
            parts.part(&number.to_le_bytes());
            Some(())
        });
        by.key((&http::Request::new(())).into(), &[7; 16]).unwrap()
    }

    fn bounds(at_once: u32, keys_max: u64) -> Bounds {
        Bounds { at_once: NonZeroU32::new(at_once).unwrap(), keys_max, is_shadow: false }
    }

    fn room(counts: &Counts) -> usize {
        counts.shards.iter().map(|shard| shard.lock().in_flight.capacity()).sum()
    }

    #[test]
    fn r12_a_key_has_so_many_at_once_and_leaves_nothing_behind() {
        let counts = Arc::new(Counts::new());
        let bounds = bounds(2, 10);
        let mut taken: Vec<_> = (0..4).map(|_| counts.take(key(1), bounds)).collect();
        let too_many: Vec<_> = taken.iter().map(|taken| taken.is_too_many).collect();
        assert_eq!(too_many, [false, false, true, true]);
        assert!(taken.iter().all(|taken| taken.permit.is_some() != taken.is_too_many));
        assert!(!counts.take(key(2), bounds).is_too_many, "another key");
        let stats = counts.stats();
        assert_eq!((stats.keys, stats.in_flight, stats.admitted, stats.refused), (1, 2, 3, 2));
        drop(taken.swap_remove(0));
        assert_eq!(counts.stats().in_flight, 1, "one of two");
        drop(taken);
        let stats = counts.stats();
        assert_eq!((stats.keys, stats.in_flight, stats.admitted, stats.refused), (0, 0, 3, 2));
        assert_eq!(counts.keys.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn r05_no_more_keys_than_that_and_a_place_that_is_free_again_is_given_away() {
        let counts = Arc::new(Counts::new());
        let bounds = bounds(3, 2);
        let one = counts.take(key(1), bounds);
        let _two = counts.take(key(2), bounds);
        assert!(counts.take(key(3), bounds).is_too_many);
        assert!(!counts.take(key(1), bounds).is_too_many, "it is there");
        drop(one);
        assert!(!counts.take(key(3), bounds).is_too_many);
        assert_eq!(counts.stats().keys, 1);
    }

    #[test]
    fn r12_in_shadow_mode_what_is_too_many_is_counted_and_given_back() {
        let counts = Arc::new(Counts::new());
        let bounds = Bounds { is_shadow: true, ..bounds(1, 1) };
        let taken: Vec<_> = (0..3).map(|_| counts.take(key(1), bounds)).collect();
        assert!(taken.iter().all(|taken| taken.permit.is_some()));
        let other = counts.take(key(2), bounds);
        assert!(other.is_too_many && other.permit.is_none(), "there is no room for it");
        let stats = counts.stats();
        assert_eq!((stats.keys, stats.in_flight, stats.admitted, stats.refused), (1, 3, 1, 3));
        drop((taken, other));
        assert_eq!(counts.stats().in_flight, 0);
    }

    #[test]
    fn r05_memory_is_given_back_after_a_flood() {
        let counts = Arc::new(Counts::new());
        let before = room(&counts);
        let bounds = bounds(1, u64::MAX);
        let flood: Vec<_> = (0..100_000).map(|number| counts.take(key(number), bounds)).collect();
        assert!(room(&counts) >= 100_000);
        drop(flood);
        assert!(before == 0 && room(&counts) <= SHARDS * ROOM_MIN, "{}", room(&counts));
    }

    #[test]
    fn a_poisoned_lock_is_taken_over() {
        let counts = Arc::new(Counts::new());
        let held = counts.take(key(1), bounds(2, 9));
        let panicking = counts.clone();
        let panicked = std::thread::spawn(move || {
            let _locks: Vec<_> = panicking.shards.iter().map(Shard::lock).collect();
            panic!("with all locks");
        });
        assert!(panicked.join().is_err());
        assert!(!counts.take(key(1), bounds(2, 9)).is_too_many);
        drop(held);
        assert_eq!(counts.stats().keys, 0);
    }

    #[test]
    fn r12_threads_never_have_more_than_that_together() {
        let counts = Arc::new(Counts::new());
        let (most, now) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let taken = counts.take(key(1), bounds(2, 9));
                        if taken.permit.is_some() {
                            let others = now.fetch_add(1, Ordering::SeqCst);
                            most.fetch_max(others + 1, Ordering::SeqCst);
                            now.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        let stats = counts.stats();
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!((stats.keys, stats.admitted + stats.refused), (0, 80_000));
    }
}
