//! What a cache counts of its own work.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the layer was made, over all its clones.
///
/// ```
/// use tower_keep::cache::{CacheHandle, CacheStats};
///
/// /// Of the requests that were looked up, how many were answered from the store.
/// fn hit_ratio(cache: &CacheHandle) -> f64 {
///     let CacheStats { hits, served_meanwhile, served_stale, .. } = cache.stats();
///     let CacheStats { misses, revalidated, collapsed, backed_off, .. } = cache.stats();
///     let stored = hits + served_meanwhile + served_stale;
///     stored as f64 / (stored + misses + revalidated + collapsed + backed_off).max(1) as f64
/// }
/// # let layer = tower_keep::cache::CacheLayer::new(tower_keep::store::MemoryStore::with_bytes_max(1 << 20));
/// # assert_eq!(hit_ratio(&layer.handle()), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Requests answered from the store without the inner service.
    pub hits: u64,
    /// Requests, and refreshes in the background, that brought another response than the one that was stored, if
    /// any was.
    pub misses: u64,
    /// Requests for which a stored response was validated, by the inner service, as still current.
    pub revalidated: u64,
    /// Requests answered with a stale response because the inner service failed.
    pub served_stale: u64,
    /// Requests answered by the response to another request, which was on its way when they came.
    pub collapsed: u64,
    /// Requests answered with a stale response while it was refreshed.
    pub served_meanwhile: u64,
    /// Refreshes that were begun in the background, of stale responses and of such as expire soon.
    pub refreshes: u64,
    /// Requests turned away because the inner service had failed a short while ago.
    pub backed_off: u64,
    /// Pieces of work that run in the background now.
    pub background: u64,
    /// Responses that are on their way now: others may wait for them, or their bodies are still coming.
    pub flights: u64,
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
    collapsed: AtomicU64,
    served_meanwhile: AtomicU64,
    refreshes: AtomicU64,
    backed_off: AtomicU64,
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

    pub(crate) fn collapsed(&self) {
        add(&self.collapsed);
    }

    pub(crate) fn served_meanwhile(&self) {
        add(&self.served_meanwhile);
    }

    pub(crate) fn refreshing(&self) {
        add(&self.refreshes);
    }

    pub(crate) fn backed_off(&self) {
        add(&self.backed_off);
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
            collapsed: read(&self.collapsed),
            served_meanwhile: read(&self.served_meanwhile),
            refreshes: read(&self.refreshes),
            backed_off: read(&self.backed_off),
            background: 0,
            flights: 0,
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
