//! One part of the memory store, behind its own lock.

use std::hash::{BuildHasher, Hash, Hasher};
use std::mem;

use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use crate::cache::entry::Entry;

/// As many entries as its bytes have room for, beside its own tables.
pub(super) struct Shard {
    cache: Cache<Key, Entry, ByBytes, Spread, KeepEvicted>,
    bytes_max: u64,
    /// For how many entries the cache was built: it remembers half as many that it evicted. None while the
    /// shard was never full, since nobody knows how large entries are.
    expected: Option<usize>,
    /// How many slots there are before there have to be more.
    slots_first: usize,
}

/// What leaves the shard, to be dropped when its lock is no longer held.
pub(super) type Evicted = Vec<Entry>;

/// A key that is looked up.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) hash: u32,
    pub(super) bytes: &'a [u8],
}

impl Shard {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { cache: cache(bytes_max, EXPECTED_MIN), bytes_max, expected: None, slots_first: 4 }
    }

    pub(super) fn find(&self, key: Sought<'_>) -> Option<&Entry> {
        self.cache.get(&key)
    }

    pub(super) fn put(&mut self, key: Sought<'_>, entry: Entry) -> Evicted {
        let mut evicted = Evicted::new();
        let key = Key::new(key, entry.bytes());
        self.cache.insert_with_lifecycle(key, entry, &mut evicted);
        if self.is_full() && self.is_mistaken() {
            self.rebuild();
        }
        // What the tables take is taken from the room for entries.
        let room = self.bytes_max - self.tables_bytes().min(self.bytes_max / 2);
        if room < self.cache.capacity() {
            self.cache.set_capacity(room);
        }
        evicted
    }

    pub(super) fn remove(&mut self, key: Sought<'_>) -> Option<Entry> {
        self.cache.remove(&key).map(|(_, entry)| entry)
    }

    pub(super) fn entries(&self) -> usize {
        self.cache.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.cache.weight() + self.tables_bytes()
    }

    /// The slots of entries, of those that are remembered and of those that are free, and the index into
    /// them. The slots double when there are too few.
    fn tables_bytes(&self) -> u64 {
        let used = self.cache.memory_used();
        if used.entries == 0 {
            return 0;
        }
        let slots = (used.entries / SLOT_BYTES).div_ceil(self.slots_first).next_power_of_two();
        (slots * self.slots_first * SLOT_BYTES + used.map) as u64
    }

    fn is_full(&self) -> bool {
        self.cache.weight() > self.cache.capacity() / 8 * 7
    }

    /// Whether far more or far fewer entries fill the shard than were expected. To remember too few of the
    /// evicted makes what is popular hard to tell, to remember too many makes all seem popular: either costs
    /// several hits in a hundred.
    fn is_mistaken(&self) -> bool {
        let entries = self.cache.len().max(EXPECTED_MIN);
        self.expected.is_none_or(|expected| expected < entries / 2 || expected / 4 > entries)
    }

    /// Starts again with the same entries and tables of the right size. It takes time in proportion to the
    /// entries, of which at least half have been put since the last time.
    fn rebuild(&mut self) {
        // It is seven eighths full.
        let expected = (self.cache.len() * 8 / 7).max(EXPECTED_MIN);
        self.expected = Some(expected);
        let mut old = mem::replace(&mut self.cache, cache(self.bytes_max, expected));
        // For those that are remembered as well.
        self.cache.reserve(expected);
        self.slots_first = expected + expected / 2;
        for (key, entry) in old.drain() {
            self.cache.insert(key, entry);
        }
    }
}

fn cache(bytes_max: u64, expected: usize) -> Cache<Key, Entry, ByBytes, Spread, KeepEvicted> {
    let mut options = OptionsBuilder::new();
    options.weight_capacity(bytes_max).estimated_items_capacity(expected);
    match options.build() {
        Ok(options) => Cache::with_options(options, ByBytes, Spread, KeepEvicted),
        // Only missing options are an error, and none is.
        Err(_) => Cache::with(expected, bytes_max, ByBytes, Spread, KeepEvicted),
    }
}

/// A key in the shard's own memory: 24 bytes in a slot, with the weight of its entry.
struct Key {
    bytes: Box<[u8]>,
    hash: u32,
    /// Counted once, since eviction asks often; in units of 16 bytes.
    weight: u32,
}

impl Key {
    fn new(key: Sought<'_>, entry_bytes: u64) -> Self {
        let weight = (entry_bytes + key.bytes.len() as u64).div_ceil(WEIGHT_BYTES);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Self { bytes: key.bytes.into(), hash: key.hash, weight }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.hash);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.hash);
    }
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.bytes == *key.bytes
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Entry> for ByBytes {
    fn weight(&self, key: &Key, _: &Entry) -> u64 {
        u64::from(key.weight) * WEIGHT_BYTES
    }
}

#[derive(Clone)]
struct KeepEvicted;

impl Lifecycle<Key, Entry> for KeepEvicted {
    type RequestState = Evicted;

    fn on_evict(&self, evicted: &mut Evicted, _: Key, entry: Entry) {
        evicted.push(entry);
    }
}

/// Keys come with their hash; this spreads it over 64 bits.
#[derive(Clone)]
struct Spread;

impl BuildHasher for Spread {
    type Hasher = Spreading;

    fn build_hasher(&self) -> Spreading {
        Spreading(0)
    }
}

struct Spreading(u64);

impl Hasher for Spreading {
    fn write_u32(&mut self, hash: u32) {
        self.0 = u64::from(hash).wrapping_mul(GOLDEN);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(GOLDEN);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const EXPECTED_MIN: usize = 16;
const WEIGHT_BYTES: u64 = 16;
/// Key, entry, two links, the state of the slot and what aligns it.
pub(super) const SLOT_BYTES: usize = size_of::<Key>() + size_of::<Entry>() + 24;
/// 2^64 over the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::entries::response;

    #[test]
    fn the_tables_are_counted_as_they_are() {
        let mut shard = Shard::new(1 << 20);
        assert_eq!(shard.bytes(), 0);
        shard.put(Sought { hash: 1, bytes: b"key" }, response(0, 10));
        assert_eq!(shard.cache.memory_used().entries, SLOT_BYTES);
    }
}
