//! What a cache counts of its own work.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the layer was made, over all its clones.
///
/// ```
/// use tower_keep::cache::{CacheHandle, CacheStats};
///
/// /// Of the requests that were looked up, how many were answered from the store.
/// fn hit_ratio(cache: &CacheHandle) -> f64 {
///     let CacheStats { hits, misses, revalidated, served_stale, .. } = cache.stats();
///     hits as f64 / (hits + misses + revalidated + served_stale).max(1) as f64
/// }
/// # let layer = tower_keep::cache::CacheLayer::new(tower_keep::store::MemoryStore::with_bytes_max(1 << 20));
/// # assert_eq!(hit_ratio(&layer.handle()), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Requests answered from the store without the inner service.
    pub hits: u64,
    /// Requests that went inwards because nothing that fits was stored.
    pub misses: u64,
    /// Requests for which a stored response was validated, by the inner service, as still current.
    pub revalidated: u64,
    /// Requests answered with a stale response because the inner service failed.
    pub served_stale: u64,
    /// Requests for a stored response only (`only-if-cached`), of which there was none.
    pub refused: u64,
    /// Requests that the cache had no part in, writes among them.
    pub bypassed: u64,
    /// Responses written to the store.
    pub stored: u64,
    /// Responses to requests that were looked up, which were then not stored.
    pub not_stored: u64,
    /// Writes that made stored responses unusable, and purges.
    pub invalidations: u64,
    /// Times that the store failed or was too slow.
    pub store_failures: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    hits: AtomicU64,
    misses: AtomicU64,
    revalidated: AtomicU64,
    served_stale: AtomicU64,
    refused: AtomicU64,
    bypassed: AtomicU64,
    stored: AtomicU64,
    not_stored: AtomicU64,
    invalidations: AtomicU64,
    store_failures: AtomicU64,
}

impl Stats {
    pub(crate) fn hit(&self) {
        add(&self.hits);
    }

    pub(crate) fn miss(&self) {
        add(&self.misses);
    }

    pub(crate) fn revalidated(&self) {
        add(&self.revalidated);
    }

    pub(crate) fn served_stale(&self) {
        add(&self.served_stale);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused);
    }

    pub(crate) fn bypassed(&self) {
        add(&self.bypassed);
    }

    pub(crate) fn stored(&self) {
        add(&self.stored);
    }

    pub(crate) fn not_stored(&self) {
        add(&self.not_stored);
    }

    pub(crate) fn invalidated(&self) {
        add(&self.invalidations);
    }

    pub(crate) fn store_failed(&self) {
        add(&self.store_failures);
    }

    pub(crate) fn read(&self) -> CacheStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.hits),
            misses: read(&self.misses),
            revalidated: read(&self.revalidated),
            served_stale: read(&self.served_stale),
            refused: read(&self.refused),
            bypassed: read(&self.bypassed),
            stored: read(&self.stored),
            not_stored: read(&self.not_stored),
            invalidations: read(&self.invalidations),
            store_failures: read(&self.store_failures),
        }
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
