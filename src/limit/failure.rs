//! What becomes of requests while the store cannot be asked.

use crate::limit::memory::MemoryLimitStore;

/// What a limit does while its store fails, or does not answer in time.
///
/// A store in this process never fails. For one that is shared, think which is worse: to let too many requests through, or none.
///
/// ```
/// use tower_keep::limit::{MemoryLimitStore, StoreFailure};
///
/// let local = StoreFailure::Local(MemoryLimitStore::with_bytes_max(8 << 20));
/// # let _ = local;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreFailure {
    /// Lets requests through, without a limit.
    Open,
    /// Refuses them, with 503.
    Closed,
    /// Counts them in this process, by the same quotas: each instance then admits as much as all of them together otherwise. The default.
    Local(MemoryLimitStore),
}
