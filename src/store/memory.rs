//! Entries in this process, bounded in bytes.

mod shard;

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::available_parallelism;
use std::time::Duration;

use ahash::RandomState;

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::contract::{Answer, Store};
use crate::store::error::StoreError;
use crate::store::memory::shard::{Shard, Sought};

/// Keeps entries in this process, as many as its bytes have room for. Clones share them.
///
/// Bodies, fields, keys and the store's own tables all count. What is asked for again stays longer than
/// what was asked for once, so a scan of many URLs does not push out what is popular.
///
/// ```
/// use tower_keep::store::MemoryStore;
///
/// let store = MemoryStore::with_bytes_max(64 << 20).entry_bytes_max(4 << 20);
/// assert_eq!(store.bytes(), 0);
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    /// A power of two of them.
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    bytes_max: u64,
    entry_bytes_max: u64,
}

impl MemoryStore {
    /// A store of so many bytes. An entry may take a megabyte (2^20) and 64 KiB for its fields, but at most
    /// an eighth of the store.
    ///
    /// ```
    /// use tower_keep::store::{MemoryStore, Store};
    ///
    /// let store = MemoryStore::with_bytes_max(64 << 20);
    /// assert!(store.is_empty() && store.entries() == 0 && store.bytes() == 0);
    /// assert_eq!(Store::entry_bytes_max(&store), (1 << 20) + (64 << 10));
    /// ```
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        Self::build(bytes_max, (1 << 20) + FIELDS_ALLOWANCE, most_shards(bytes_max))
    }

    /// How many bytes one entry may take, at most an eighth of the store. Call it first: what was in the
    /// store before is not in the one that this returns.
    ///
    /// ```
    /// use tower_keep::store::{MemoryStore, Store};
    ///
    /// let store = MemoryStore::with_bytes_max(64 << 20).entry_bytes_max(u64::MAX);
    /// assert_eq!(Store::entry_bytes_max(&store), 8 << 20);
    /// ```
    #[must_use]
    pub fn entry_bytes_max(self, entry_bytes_max: u64) -> Self {
        Self::build(self.0.bytes_max, entry_bytes_max, most_shards(self.0.bytes_max))
    }

    /// How many bytes the store takes now: its entries, their keys, and its own tables. The tables do not
    /// shrink at once, so some are left when every entry is gone.
    pub fn bytes(&self) -> u64 {
        self.0.shards.iter().map(|shard| read(shard).bytes()).sum()
    }

    /// How many entries there are now; the index of a resource that varies counts as one.
    pub fn entries(&self) -> u64 {
        self.0.shards.iter().map(|shard| read(shard).entries() as u64).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.shards.iter().all(|shard| read(shard).entries() == 0)
    }

    fn build(bytes_max: u64, entry_bytes_max: u64, shards_max: u64) -> Self {
        let entry_bytes_max = entry_bytes_max.min(bytes_max / SHARD_ENTRIES_MIN);
        let shards = shards(bytes_max, entry_bytes_max, shards_max);
        let shard = || RwLock::new(Shard::new(bytes_max / shards));
        let shards = (0..shards).map(|_| shard()).collect();
        Self(Arc::new(Shared { shards, hasher: hasher(), bytes_max, entry_bytes_max }))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.0.bytes_max)
            .finish()
    }
}

impl Store for MemoryStore {
    fn get(
        &self,
        key: &CacheKey,
    ) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send {
        ready(Ok(self.0.find(key)))
    }

    fn put(
        &self,
        key: &CacheKey,
        entry: Entry,
        _retain_for: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.0.put(key, entry);
        ready(Ok(()))
    }

    fn remove(&self, key: &CacheKey) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.0.remove(key);
        ready(Ok(()))
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        self.0.find(key).map_or(Answer::Absent, Answer::Found)
    }

    fn entry_bytes_max(&self) -> u64 {
        self.0.entry_bytes_max
    }
}

impl Shared {
    fn find(&self, key: &CacheKey) -> Option<Entry> {
        let (shard, key) = self.place(key)?;
        read(shard).find(key).cloned()
    }

    fn put(&self, key: &CacheKey, entry: Entry) {
        if entry.bytes() > self.entry_bytes_max {
            // What lies there is older than what was to be put: it must not be found again.
            return self.remove(key);
        }
        let Some((shard, key)) = self.place(key) else { return };
        let evicted = write(shard).put(key, entry);
        drop(evicted);
    }

    fn remove(&self, key: &CacheKey) {
        let Some((shard, key)) = self.place(key) else { return };
        let removed = write(shard).remove(key);
        drop(removed);
    }

    /// The shard of a key, and how it is found there. One half of its hash does the one, the other half the
    /// other.
    fn place<'a>(&self, key: &'a CacheKey) -> Option<(&RwLock<Shard>, Sought<'a>)> {
        let bytes = key.as_bytes();
        let hash = self.hasher.hash_one(bytes);
        let shard = self.shards.get((hash >> 32) as usize & (self.shards.len() - 1))?;
        Some((shard, Sought { hash: hash as u32, bytes }))
    }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

/// As many shards as keep threads apart, but none so small that it could not hold some of the largest
/// entries: what is heavier than its shard would be dropped without a word.
fn shards(bytes_max: u64, entry_bytes_max: u64, shards_max: u64) -> u64 {
    let room = bytes_max / entry_bytes_max.saturating_mul(SHARD_ENTRIES_MIN).max(SHARD_BYTES_MIN);
    // A power of two, so that a mask finds the shard.
    1 << room.clamp(1, shards_max.max(1)).ilog2()
}

/// Clients choose the keys, so their hashes are seeded at random: no two stores hash alike.
fn hasher() -> RandomState {
    RandomState::new()
}

/// Some for each thread, so that few meet; and more in a large store, so that none is long in its lock.
fn most_shards(bytes_max: u64) -> u64 {
    let threads = available_parallelism().map_or(1, |threads| threads.get() as u64);
    (threads * 4).max(bytes_max / SHARD_BYTES_TYPICAL).min(SHARDS_MAX)
}

const SHARD_ENTRIES_MIN: u64 = 8;
/// Smaller shards would fill unevenly, and evict what another has room for.
const SHARD_BYTES_MIN: u64 = 512 << 10;
const SHARD_BYTES_TYPICAL: u64 = 64 << 20;
const SHARDS_MAX: u64 = 1024;
/// Room for the fields of an entry whose body is as long as it may be.
const FIELDS_ALLOWANCE: u64 = 64 << 10;

#[cfg(test)]
mod tests;
