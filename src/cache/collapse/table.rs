//! Which keys have a flight, and what is remembered of those that had.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use lru::LruCache;

use crate::cache::collapse::follower::Follower;
use crate::cache::collapse::reader::Reader;
use crate::cache::collapse::shared::{Body, Shared};
use crate::cache::collapse::{Head, Keeper};
use crate::cache::flight::{BackOff, Event, Failure, Prospect};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::lock::{Mutex, MutexGuard};
use crate::time::Ticks;

/// The flights of all keys, as many as there are requests that lead one.
pub(crate) struct Table<K: Hash + Eq, H: Head> {
    shards: Box<[Mutex<Shard<K, H>>]>,
    spare: Mutex<Shard<K, H>>,
    hasher: RandomState,
    /// How many flights have ended with something stored: see [`Table::landings`].
    landings: AtomicU64,
}

struct Shard<K: Hash + Eq, H: Head> {
    flights: HashMap<K, Arc<Shared<H>>, RandomState>,
    // Bounded in number, and each for itself: answers of one kind do not have what was learnt from others forgotten.
    /// The origin's answers are of no use to others until then.
    uncacheable: LruCache<K, Ticks, RandomState>,
    /// The inner service is spared.
    spared: LruCache<K, BackOff, RandomState>,
    /// Nothing is refreshed.
    resting: LruCache<K, BackOff, RandomState>,
}

/// What a request is to a flight.
pub(crate) enum Joined<K: Hash + Eq + Clone, H: Head> {
    /// The first: it fetches for all.
    Lead(Lead<K, H>),
    Follow(Follower<K, H>),
    /// Nothing is to be gained by waiting for others.
    Alone,
    /// Failed a short while ago, and again.
    BackedOff {
        failure: Failure,
        until: Ticks,
    },
}

impl<K: Hash + Eq + Clone, H: Head> Table<K, H> {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect();
        Self {
            shards,
            spare: Mutex::new(Shard::new()),
            hasher: RandomState::new(),
            landings: AtomicU64::new(0),
        }
    }

    /// How many flights have left something in the store. Who found nothing there and leads a flight looks
    /// again, unless this is the same as before it looked: the flight that would have told may be over.
    pub(crate) fn landings(&self) -> u64 {
        self.landings.load(Ordering::Acquire)
    }

    /// Joins the flight of the key, or begins one. `is_of_use` says whether this request may have what the
    /// flight brings, as far as that is known; `stays_apart` whether it goes alone where that was of no use to
    /// others.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &K,
        keeper: &Arc<dyn Keeper>,
        stays_apart: bool,
        begun: impl FnOnce() -> H::Begun,
        is_of_use: impl FnOnce(&Shared<H>) -> bool,
    ) -> Joined<K, H> {
        let now = keeper.now();
        let mut shard = self.shard(key);
        if let Some(flight) = shard.flights.get(key) {
            let is_open =
                matches!(flight.prospect(), Prospect::Wait | Prospect::Vacant(_) | Prospect::Read);
            if is_open && is_of_use(flight) {
                return Joined::Follow(Follower::new(self.clone(), key.clone(), flight.clone()));
            }
        }
        let Shard { flights, uncacheable, spared, .. } = &mut *shard;
        let mut is_noted = false;
        if !uncacheable.is_empty()
            && let Some(until) = uncacheable.get(key)
        {
            if stays_apart && now < *until {
                return Joined::Alone;
            }
            is_noted = true;
        }
        let mut after_failure = false;
        if !spared.is_empty()
            && let Some(back_off) = spared.get_mut(key)
        {
            let BackOff { failure, until, .. } = *back_off;
            if !back_off.admits(now) {
                return Joined::BackedOff { failure, until };
            }
            (is_noted, after_failure) = (true, now < until);
        }
        let flight = Shared::new(keeper.clone(), begun(), after_failure, now);
        // One that it takes the place of goes on for those who are on it.
        let replaced = flights.insert(key.clone(), flight.clone());
        drop(shard);
        drop(replaced);
        Joined::Lead(Lead {
            table: self.clone(),
            key: key.clone(),
            flight,
            is_noted,
            is_second: after_failure,
            is_over: false,
        })
    }

    /// Remembers that waiting for others is of no use: by the origin's word, whoever asks.
    fn note_uncacheable(&self, key: &K, now: Ticks) {
        self.shard(key).uncacheable.put(key.clone(), now.plus(UNCACHEABLE_FOR));
    }

    /// Forgets what was learnt: a response came that others may use.
    pub(crate) fn note_usable(&self, key: &K) {
        let mut shard = self.shard(key);
        shard.uncacheable.pop(key);
        shard.spared.pop(key);
        shard.resting.pop(key);
    }

    /// Whether a refresh has failed a short while ago.
    pub(crate) fn rests(&self, key: &K, now: Ticks) -> bool {
        self.shard(key).resting.peek(key).is_some_and(|resting| now < resting.until)
    }

    /// A refresh has failed, or brought what is of no use: it is not begun anew for a while.
    pub(crate) fn note_rest(&self, key: &K, now: Ticks) {
        let mut shard = self.shard(key);
        let before = shard.resting.peek(key).copied();
        let resting = BackOff::after(before, Failure::Status, now, true);
        shard.resting.put(key.clone(), resting);
    }

    /// Until when the key is spared, where it is.
    pub(crate) fn spared_until(&self, key: &K) -> Option<Ticks> {
        self.shard(key).spared.peek(key).map(|spared| spared.until)
    }

    fn note_failure(&self, key: &K, failure: Failure, now: Ticks, is_taken: bool) {
        if !failure.backs_off() {
            return;
        }
        let mut shard = self.shard(key);
        let before = shard.spared.peek(key).copied();
        shard.spared.put(key.clone(), BackOff::after(before, failure, now, is_taken));
    }

    /// Those who wait have waited long enough. Its leader goes on by itself.
    pub(super) fn expire(&self, key: &K, flight: &Arc<Shared<H>>) {
        if flight.note(Event::Failed(Failure::Deadline)) {
            self.note_failure(key, Failure::Deadline, flight.keeper.now(), false);
            self.remove(key, flight, false);
        }
    }

    /// The flight is over; what it brought is in the store, if it `has_landed`.
    pub(crate) fn remove(&self, key: &K, flight: &Arc<Shared<H>>, has_landed: bool) {
        if has_landed {
            self.landings.fetch_add(1, Ordering::AcqRel);
        }
        let removed = {
            let mut shard = self.shard(key);
            match shard.flights.get(key).is_some_and(|there| Arc::ptr_eq(there, flight)) {
                true => shard.flights.remove(key),
                false => None,
            }
        };
        drop(removed);
    }

    /// The same, if nothing can come of it any more: it failed for good, or nobody leads it or waits for it.
    pub(super) fn remove_idle(&self, key: &K, flight: &Arc<Shared<H>>) {
        let removed = {
            let mut shard = self.shard(key);
            let is_there = shard.flights.get(key).is_some_and(|there| Arc::ptr_eq(there, flight));
            if is_there && flight.is_idle() { shard.flights.remove(key) } else { None }
        };
        drop(removed);
    }

    /// How many flights there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).flights.len()).sum()
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, H>> {
        let at = (self.hasher.hash_one(key) % SHARDS) as usize;
        lock(self.shards.get(at).unwrap_or(&self.spare))
    }
}

impl<K: Hash + Eq, H: Head> Shard<K, H> {
    fn new() -> Self {
        Self {
            flights: HashMap::with_hasher(RandomState::new()),
            uncacheable: LruCache::with_hasher(KNOWN_MAX, RandomState::new()),
            spared: LruCache::with_hasher(KNOWN_MAX, RandomState::new()),
            resting: LruCache::with_hasher(KNOWN_MAX, RandomState::new()),
        }
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to fetch for all, and the duty to tell them what came. Dropped before that, the next one takes
/// over.
pub(crate) struct Lead<K: Hash + Eq + Clone, H: Head> {
    table: Arc<Table<K, H>>,
    key: K,
    flight: Arc<Shared<H>>,
    /// Something may be known of the key that a response of use to others ends.
    is_noted: bool,
    /// It is the one call that is left while the inner service is spared.
    is_second: bool,
    is_over: bool,
}

impl<K: Hash + Eq + Clone, H: Head> Lead<K, H> {
    pub(super) fn new(table: Arc<Table<K, H>>, key: K, flight: Arc<Shared<H>>) -> Self {
        Self { table, key, flight, is_noted: true, is_second: false, is_over: false }
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn flight(&self) -> &Arc<Shared<H>> {
        &self.flight
    }

    /// Nobody else may use what came. `by_request` where another request may well have another answer: then the
    /// next one leads; else nobody waits for others for a while.
    pub(crate) fn unusable(mut self, by_request: bool) {
        self.is_over = true;
        self.flight.note(if by_request { Event::Unusable } else { Event::Uncacheable });
        if !by_request {
            self.table.note_uncacheable(&self.key, self.flight.keeper.now());
        }
        self.table.remove_idle(&self.key, &self.flight);
    }

    /// A response came, and its body begins. It is over when its sink says so, by [`Table::remove`].
    pub(crate) fn streams(mut self, head: Arc<H>, body: Body<H>) -> Reader<H> {
        self.is_over = true;
        self.usable();
        self.flight.streams(head, body)
    }

    /// All of a response is there. It is over when it is stored, and [`Table::remove`] says so.
    pub(crate) fn landed(mut self, head: H) {
        self.is_over = true;
        self.usable();
        self.flight.landed(Arc::new(head));
    }

    /// Nothing came.
    pub(crate) fn failed(mut self, failure: Failure) {
        self.fail(failure);
    }

    /// Its client left, and nothing goes on for it.
    pub(crate) fn left(mut self) {
        self.leave();
    }

    fn leave(&mut self) {
        self.is_over = true;
        if self.is_second
            && !self.flight.is_waited_for()
            && let Some(spared) = self.table.shard(&self.key).spared.peek_mut(&self.key)
        {
            spared.give_back();
        }
        self.flight.note(Event::Left);
        self.table.remove_idle(&self.key, &self.flight);
    }

    fn usable(&self) {
        if self.is_noted {
            self.table.note_usable(&self.key);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.is_over = true;
        // Before anybody is woken: who leads again makes the second call of the while, and there is no third.
        let is_taken = self.flight.is_waited_for();
        self.table.note_failure(&self.key, failure, self.flight.keeper.now(), is_taken);
        self.flight.note(Event::Failed(failure));
        self.table.remove_idle(&self.key, &self.flight);
    }
}

impl<K: Hash + Eq + Clone, H: Head> Drop for Lead<K, H> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        match std::thread::panicking() {
            true => self.fail(Failure::Panic),
            false => self.leave(),
        }
    }
}

const SHARDS: u64 = 16;
/// Of so many keys each of these things is remembered, in each shard.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// So long nobody waits for others, once the origin's answers were of no use to them. The first that is ends it.
const UNCACHEABLE_FOR: Duration = Duration::from_secs(60);
