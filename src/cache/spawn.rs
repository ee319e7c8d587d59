//! Where work goes that no client waits for.

use std::future::Future;
use std::pin::Pin;

/// Runs what no client waits for: refreshing a stale response, the rest of a body whose client left, writes to a
/// store that is not in this process.
///
/// By default that is the current tokio runtime (feature `rt`): see
/// [`CacheLayer::spawn`](crate::cache::CacheLayer::spawn) for another one.
///
/// ```
/// use tower_keep::cache::{CacheLayer, Spawn, Work};
/// use tower_keep::store::MemoryStore;
///
/// /// Everything is done while somebody waits for it.
/// struct Never;
///
/// impl Spawn for Never {
///     fn spawn(&self, work: Work) -> Result<(), Work> {
///         Err(work)
///     }
/// }
///
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).spawn(Never);
/// ```
pub trait Spawn: Send + Sync + 'static {
    /// Has the work done, without waiting for it. It may be dropped at any time: what is stored stays right.
    ///
    /// # Errors
    /// Gives the work back where nothing could do it; it was not begun.
    fn spawn(&self, work: Work) -> Result<(), Work>;
}

/// Work that no client waits for. It is bounded in time where the [`Clock`](crate::clock::Clock) can sleep.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tokio runtime that the caller runs on, if there is one.
#[derive(Debug)]
pub(crate) struct CurrentRuntime;

impl Spawn for CurrentRuntime {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        #[cfg(feature = "rt")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(work);
            return Ok(());
        }
        Err(work)
    }
}
