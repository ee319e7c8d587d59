//! Entries in this process, bounded in bytes.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::contract::{Answer, Store};
use crate::store::error::StoreError;

/// Keeps entries in this process, as many as its bytes have room for. Clones share them.
///
/// Bodies, fields, keys and the store's own overhead all count. What is asked for again stays longer than
/// what was asked for once, so a scan of many URLs does not push out what is popular.
///
/// ```
/// use tower_keep::store::MemoryStore;
///
/// let store = MemoryStore::with_bytes_max(64 << 20).entry_bytes_max(4 << 20);
/// assert_eq!(store.bytes(), 0);
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    cache: Arc<Cache<CacheKey, Kept, ByBytes, RandomState>>,
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
        Self::build(bytes_max, (1 << 20) + FIELDS_ALLOWANCE, most_shards())
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
        Self::build(self.bytes_max, entry_bytes_max, most_shards())
    }

    /// How many bytes the entries take now, with their keys and the store's own overhead.
    pub fn bytes(&self) -> u64 {
        self.cache.weight()
    }

    /// How many entries there are now; the index of a resource that varies counts as one.
    pub fn entries(&self) -> u64 {
        self.cache.len() as u64
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    fn build(bytes_max: u64, entry_bytes_max: u64, shards_max: u64) -> Self {
        let entry_bytes_max = entry_bytes_max.min(bytes_max / SHARD_ENTRIES_MIN);
        let shards = shards(bytes_max, entry_bytes_max, shards_max);
        let items = usize::try_from(bytes_max / ITEM_BYTES_TYPICAL)
            .unwrap_or(usize::MAX)
            .clamp(16, ITEMS_MAX);
        let cache = match OptionsBuilder::new()
            .shards(shards)
            .weight_capacity(bytes_max)
            .estimated_items_capacity(items)
            .build()
        {
            Ok(options) => {
                Cache::with_options(options, ByBytes, hasher(), DefaultLifecycle::default())
            }
            // Only missing options are an error, and none is.
            Err(_) => Cache::with(items, bytes_max, ByBytes, hasher(), DefaultLifecycle::default()),
        };
        Self { cache: Arc::new(cache), bytes_max, entry_bytes_max }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.bytes_max)
            .finish()
    }
}

impl Store for MemoryStore {
    fn get(
        &self,
        key: &CacheKey,
    ) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send {
        ready(Ok(self.cache.get(key).map(|kept| kept.entry)))
    }

    fn put(
        &self,
        key: &CacheKey,
        entry: Entry,
        _retain_for: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        if entry.bytes() > self.entry_bytes_max {
            self.cache.remove(key);
        } else {
            let bytes = entry.bytes() + key.as_bytes().len() as u64 + SLOT_BYTES;
            self.cache.insert(key.clone(), Kept { entry, bytes });
        }
        ready(Ok(()))
    }

    fn remove(&self, key: &CacheKey) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.cache.remove(key);
        ready(Ok(()))
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        match self.cache.get(key) {
            Some(kept) => Answer::Found(kept.entry),
            None => Answer::Absent,
        }
    }

    fn entry_bytes_max(&self) -> u64 {
        self.entry_bytes_max
    }
}

#[derive(Clone)]
struct Kept {
    entry: Entry,
    /// Counted once: eviction asks often.
    bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<CacheKey, Kept> for ByBytes {
    fn weight(&self, _: &CacheKey, kept: &Kept) -> u64 {
        kept.bytes
    }
}

/// As many shards as keep threads apart, but none so small that it could not hold some of the largest
/// entries: what is heavier than its shard would be dropped without a word.
fn shards(bytes_max: u64, entry_bytes_max: u64, shards_max: u64) -> usize {
    let room = bytes_max / entry_bytes_max.saturating_mul(SHARD_ENTRIES_MIN).max(1);
    let shards = room.clamp(1, shards_max.max(1));
    // The cache rounds up to a power of two, so round down first.
    1 << shards.ilog2()
}

/// Clients choose the keys, so their hashes are seeded at random: no two stores hash alike.
fn hasher() -> RandomState {
    RandomState::new()
}

fn most_shards() -> u64 {
    available_parallelism().map_or(4, |threads| threads.get() as u64 * 4)
}

const SHARD_ENTRIES_MIN: u64 = 8;
/// Room for the fields of an entry whose body is as long as it may be.
const FIELDS_ALLOWANCE: u64 = 64 << 10;
/// What the cache itself keeps for an entry, and the reference counts of its parts.
const SLOT_BYTES: u64 = 160;
/// For the first size of its tables only.
const ITEM_BYTES_TYPICAL: u64 = 4096;
const ITEMS_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_holds_eight_of_the_largest_entries_on_any_machine() {
        for shards_max in [1, 4, 64, 1024] {
            let count = shards(64 << 20, (1 << 20) + FIELDS_ALLOWANCE, shards_max) as u64;
            assert!((64 << 20) / count >= 8 * (1 << 20), "{shards_max}: {count}");
            assert!(count.is_power_of_two());
        }
        assert_eq!(shards(0, 0, 8), 1);
    }

    /// Nearest: the seed of a hash cannot be seen from the public layer. This is the hasher of every store.
    #[test]
    fn c50_two_stores_hash_the_same_key_differently() {
        let key = CacheKey::for_test(b"the same");
        let hashes = [0; 4].map(|_| hasher().hash_one(&key));
        assert!(hashes.iter().any(|hash| *hash != hashes[0]));
    }
}
