//! Entries in this process, bounded in bytes: the least recently used leaves first.

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use lru::LruCache;

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::contract::{Answer, Store};
use crate::store::error::StoreError;

/// Keeps the entries that were used last, as many as its bytes have room for. Clones share them.
///
/// Bodies, fields, keys and the store's own overhead all count. One list under one lock holds all entries,
/// so that the order in which they leave is exactly that of their last use; a scan of many URLs pushes
/// everything else out. [`MemoryStore`](crate::store::MemoryStore) resists scans, and hits more often.
///
/// ```
/// use tower_keep::store::LruStore;
///
/// let store = LruStore::with_bytes_max(64 << 20).entry_bytes_max(4 << 20);
/// assert_eq!(store.bytes(), 0);
/// ```
#[derive(Clone)]
pub struct LruStore {
    kept: Arc<Mutex<Kept>>,
    bytes_max: u64,
    entry_bytes_max: u64,
}

struct Kept {
    /// Keys are copied: the store counts their bytes, so it owns them.
    entries: LruCache<Box<[u8]>, Weighed, RandomState>,
    bytes: u64,
}

struct Weighed {
    entry: Entry,
    /// With key and overhead; counted once.
    bytes: u64,
}

impl LruStore {
    /// A store of so many bytes. An entry may take a megabyte (2^20) and 64 KiB for its fields, but at most
    /// an eighth of the store.
    ///
    /// ```
    /// use tower_keep::store::{LruStore, Store};
    ///
    /// let store = LruStore::with_bytes_max(64 << 20);
    /// assert!(store.is_empty() && store.entries() == 0 && store.bytes() == 0);
    /// assert_eq!(Store::entry_bytes_max(&store), (1 << 20) + (64 << 10));
    /// ```
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        Self::build(bytes_max, ENTRY_BYTES_MAX)
    }

    /// How many bytes one entry may take, at most an eighth of the store. Call it first: what was in the
    /// store before is not in the one that this returns.
    ///
    /// ```
    /// use tower_keep::store::{LruStore, Store};
    ///
    /// let store = LruStore::with_bytes_max(64 << 20).entry_bytes_max(u64::MAX);
    /// assert_eq!(Store::entry_bytes_max(&store), 8 << 20);
    /// ```
    #[must_use]
    pub fn entry_bytes_max(self, entry_bytes_max: u64) -> Self {
        Self::build(self.bytes_max, entry_bytes_max)
    }

    /// How many bytes the entries take now, with their keys and the store's own overhead.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// How many entries there are now; the index of a resource that varies counts as one.
    pub fn entries(&self) -> u64 {
        self.lock().entries.len() as u64
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    fn build(bytes_max: u64, entry_bytes_max: u64) -> Self {
        // Clients choose the keys, so their hashes are seeded at random.
        let entries = LruCache::unbounded_with_hasher(RandomState::new());
        let entry_bytes_max = entry_bytes_max.min(bytes_max / ENTRIES_MIN);
        let kept = Arc::new(Mutex::new(Kept { entries, bytes: 0 }));
        Self { kept, bytes_max, entry_bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LruStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LruStore")
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.bytes_max)
            .finish()
    }
}

impl Store for LruStore {
    fn get(
        &self,
        key: &CacheKey,
    ) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send {
        ready(Ok(self.lock().find(key)))
    }

    fn put(
        &self,
        key: &CacheKey,
        entry: Entry,
        _retain_for: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        let mut left = Vec::new();
        {
            let mut kept = self.lock();
            // Even where there is no room for the new one, the old one must not be found again.
            left.extend(kept.take(key));
            if entry.bytes() <= self.entry_bytes_max {
                kept.add(key, entry);
            }
            while kept.bytes > self.bytes_max {
                left.extend(kept.evict());
            }
        }
        // Entries are dropped when the lock is no longer held.
        drop(left);
        ready(Ok(()))
    }

    fn remove(&self, key: &CacheKey) -> impl Future<Output = Result<(), StoreError>> + Send {
        let removed = self.lock().take(key);
        drop(removed);
        ready(Ok(()))
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        self.lock().find(key).map_or(Answer::Absent, Answer::Found)
    }

    fn entry_bytes_max(&self) -> u64 {
        self.entry_bytes_max
    }
}

impl Kept {
    /// The entry, which is now the one that was used last.
    fn find(&mut self, key: &CacheKey) -> Option<Entry> {
        self.entries.get(key.as_bytes()).map(|weighed| weighed.entry.clone())
    }

    fn add(&mut self, key: &CacheKey, entry: Entry) {
        let key = key.as_bytes();
        let bytes = entry.bytes() + key.len() as u64 + NODE_BYTES;
        self.bytes += bytes;
        self.entries.put(key.into(), Weighed { entry, bytes });
    }

    fn take(&mut self, key: &CacheKey) -> Option<Weighed> {
        let taken = self.entries.pop(key.as_bytes())?;
        self.bytes -= taken.bytes;
        Some(taken)
    }

    /// Takes out what has not been used for longest. There is something while there are bytes.
    fn evict(&mut self) -> Option<Weighed> {
        let Some((_, evicted)) = self.entries.pop_lru() else {
            self.bytes = 0;
            return None;
        };
        self.bytes -= evicted.bytes;
        Some(evicted)
    }
}

/// A megabyte of body, and its fields.
const ENTRY_BYTES_MAX: u64 = (1 << 20) + (64 << 10);
const ENTRIES_MIN: u64 = 8;
/// A node of the list (key, entry, two links), and its share of the table: 17 bytes a bucket, of which between
/// 7 in 16 and 7 in 8 are used.
const NODE_BYTES: u64 = (size_of::<Box<[u8]>>() + size_of::<Weighed>() + 16 + 28) as u64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::conformance::entries::{key, response};

    /// Room for eight entries with a body of 1000 bytes.
    fn of_eight() -> LruStore {
        let one = LruStore::with_bytes_max(1 << 20);
        put(&one, 0);
        LruStore::with_bytes_max(one.bytes() * 8)
    }

    fn put(store: &LruStore, number: u64) {
        drop(store.put(&key([number as u8]), response(number % 10, 1000), Duration::ZERO));
    }

    fn there(store: &LruStore) -> Vec<u64> {
        let kept = store.lock();
        let mut keys: Vec<_> =
            kept.entries.iter().map(|(key, _)| u64::from(key[key.len() - 1])).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_least_recently_used_leaves_first() {
        let store = of_eight();
        (0..8).for_each(|number| put(&store, number));
        assert_eq!(there(&store), [0, 1, 2, 3, 4, 5, 6, 7]);
        // A look is a use, and so is a put.
        assert!(matches!(store.get_now(&key([0])), Answer::Found(_)));
        put(&store, 1);
        (8..14).for_each(|number| put(&store, number));
        assert_eq!(there(&store), [0, 1, 8, 9, 10, 11, 12, 13]);
    }

    #[test]
    fn as_many_leave_as_make_room() {
        let store = of_eight();
        (0..8).for_each(|number| put(&store, number));
        let bytes = store.bytes();
        // No more than an eighth of the store, with all that is not the body.
        let large = store.entry_bytes_max - response(8, 8).bytes() + 8;
        drop(store.put(&key([8]), response(8, large as usize), Duration::ZERO));
        assert_eq!(there(&store), [2, 3, 4, 5, 6, 7, 8]);
        assert!(store.bytes() <= bytes);
        drop(store.remove(&key([8])));
        (2..8).for_each(|number| drop(store.remove(&key([number]))));
        assert_eq!((store.bytes(), store.entries(), store.is_empty()), (0, 0, true));
    }
}
