//! What a limit counts of its own work.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the layer was made, over all its clones.
///
/// ```
/// use tower_keep::limit::{LimitBy, LimitStats, Quota, RateLimitLayer};
///
/// let limit = RateLimitLayer::new(Quota::per_second(10), LimitBy::everyone())?;
/// let LimitStats { admitted, refused, .. } = limit.handle().stats();
/// assert_eq!((admitted, refused), (0, 0));
/// # Ok::<(), tower_keep::limit::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// Requests that were charged.
    pub admitted: u64,
    /// Requests that were refused by a quota, or cost more than one ever admits; in shadow mode those that would have been.
    pub refused: u64,
    /// Requests without a key.
    pub keyless: u64,
    /// Times that the store failed or was too slow.
    pub store_failures: u64,
    /// Requests that were decided without the store, by [`StoreFailure`](crate::limit::StoreFailure).
    pub without_store: u64,
    /// Debits and refunds that did not reach the store.
    pub unsettled: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    admitted: AtomicU64,
    refused: AtomicU64,
    keyless: AtomicU64,
    store_failures: AtomicU64,
    without_store: AtomicU64,
    unsettled: AtomicU64,
}

impl Counts {
    pub(crate) fn admitted(&self) {
        one_more(&self.admitted);
    }

    pub(crate) fn refused(&self) {
        one_more(&self.refused);
    }

    pub(crate) fn keyless(&self) {
        one_more(&self.keyless);
    }

    pub(crate) fn store_failed(&self) {
        one_more(&self.store_failures);
    }

    pub(crate) fn without_store(&self) {
        one_more(&self.without_store);
    }

    pub(crate) fn unsettled(&self) {
        one_more(&self.unsettled);
    }

    pub(crate) fn snapshot(&self) -> LimitStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LimitStats {
            admitted: read(&self.admitted),
            refused: read(&self.refused),
            keyless: read(&self.keyless),
            store_failures: read(&self.store_failures),
            without_store: read(&self.without_store),
            unsettled: read(&self.unsettled),
        }
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
