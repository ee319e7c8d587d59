//! The cache for code outside the path of requests.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

use crate::cache::core::Core;
use crate::cache::layer::Config;
use crate::cache::purge::{Purge, PurgeError};
use crate::cache::stats::CacheStats;
use crate::clock::Clock;
use crate::rules::reason::Reason;
use crate::store::{Reach, Store};

/// A cache, for code outside the path of requests: counts, purging and priming. Clones are the same handle.
///
/// ```
/// use tower_keep::cache::{CacheLayer, Purge};
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
/// let handle = cache.handle();
/// handle.purge(Purge::url("http://shop.example/products/7".parse().unwrap())).await.unwrap();
/// assert_eq!(handle.stats().hits, 0);
/// # });
/// ```
#[derive(Clone)]
pub struct CacheHandle(Arc<dyn Handled>);

impl CacheHandle {
    pub(crate) fn new<St: Store, C: Clock>(core: Arc<Core<St, C>>, config: Arc<Config>) -> Self {
        Self(Arc::new(Parts { core, config }))
    }

    /// What the cache has counted so far.
    pub fn stats(&self) -> CacheStats {
        self.0.stats()
    }

    /// Purges it, on any store, in the scope of the layer that the handle was made by.
    ///
    /// When this returns, nothing of it is served in this process any more, neither what is stored nor what
    /// was on its way from the inner service. Where the store has a [`Ledger`](crate::store::Ledger),
    /// other instances serve none of it a tenth of a second later: the [`Reach`] tells which.
    ///
    /// # Errors
    /// Where there is nothing that could be purged so, and where the store or the ledger failed or took too
    /// long: then it may still be served.
    pub async fn purge(&self, purge: Purge) -> Result<Reach, PurgeError> {
        self.0.purge(purge).await
    }

    /// Purges what the source yields, one after the other, until it ends: a database's notifications, a
    /// queue, a channel. Dropping the future stops it.
    ///
    /// A purge that fails is counted, traced with the `tracing` feature, and does not stop the next one.
    ///
    /// ```
    /// use tower_keep::cache::{CacheLayer, Purge};
    /// use tower_keep::store::MemoryStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
    /// let source = futures_util::stream::iter(["user:7", ""].map(Purge::tag));
    /// let tally = cache.purge_from(source).await;
    /// assert_eq!((tally.purged, tally.failed), (1, 1));
    /// # });
    /// ```
    pub async fn purge_from(&self, source: impl Stream<Item = Purge>) -> PurgeTally {
        let mut source = pin!(source);
        let mut tally = PurgeTally::default();
        while let Some(purge) = poll_fn(|cx| source.as_mut().poll_next(cx)).await {
            match self.purge(purge).await {
                Ok(_) => tally.purged += 1,
                Err(error) => {
                    tally.failed += 1;
                    #[cfg(feature = "tracing")]
                    tracing::warn!(target: "tower_keep::cache", kind = ?error.kind(), "purge failed");
                    #[cfg(not(feature = "tracing"))]
                    let _ = error;
                }
            }
        }
        tally
    }

    /// Waits until nothing runs in the background any more: refreshes, what is left of fetches whose clients left,
    /// writes to the store. To be called when the service takes no more requests; until it returns no refresh is
    /// begun.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
    /// // When the server has shut down:
    /// cache.drain(Duration::from_secs(5)).await.unwrap();
    /// # });
    /// ```
    ///
    /// # Errors
    /// When the deadline came first, with how many pieces of work are left: what they were to store is not stored
    /// if the runtime ends. Where the clock cannot [`sleep`](crate::clock::Clock::sleep) it only looks once.
    pub async fn drain(&self, deadline: Duration) -> Result<(), DrainError> {
        self.0.drain(deadline).await
    }

    /// Stores a response as if the inner service had just answered this request with it: the same rules say
    /// whether it may be stored, where it lies and who is served it.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
    /// let request = Request::get("http://shop.example/").body(()).unwrap();
    /// let response = Response::builder().header("cache-control", "max-age=60");
    /// cache.put(&request, response.body("hello".into()).unwrap()).await.unwrap();
    /// assert_eq!(cache.stats().stored, 1);
    /// # });
    /// ```
    ///
    /// The request needs an absolute URL or a `Host`, and what a partition reads.
    ///
    /// # Errors
    /// With the [`Reason`] why it is not stored.
    pub async fn put(
        &self,
        request: &Request<()>,
        response: Response<Bytes>,
    ) -> Result<(), PutError> {
        self.0.put(request, response).await
    }
}

impl fmt::Debug for CacheHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheHandle").field(&self.stats()).finish()
    }
}

/// The deadline of [`CacheHandle::drain`] came before the end of the work.
///
/// ```
/// use tower_keep::cache::{CacheHandle, DrainError};
///
/// async fn stop(cache: &CacheHandle) -> Result<(), DrainError> {
///     cache.drain(std::time::Duration::from_secs(5)).await
/// }
/// # let _ = stop;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainError(u64);

impl DrainError {
    /// How many pieces of work were left.
    pub fn left(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "background work left at the deadline: {}", self.0)
    }
}

impl Error for DrainError {}

/// How many purges of a source were done: see [`CacheHandle::purge_from`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PurgeTally {
    /// So many were done.
    pub purged: u64,
    /// So many failed: what they were of may still be served.
    pub failed: u64,
}

/// Why a response was not stored by [`CacheHandle::put`].
///
/// ```
/// use http::{Request, Response};
/// use tower_keep::cache::{CacheLayer, Reason};
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
/// let request = Request::get("http://shop.example/").body(()).unwrap();
/// let error = cache.put(&request, Response::new("hello".into())).await.unwrap_err();
/// assert_eq!(error.kind(), Reason::NoFreshness);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutError(Reason);

impl PutError {
    /// Why.
    pub fn kind(&self) -> Reason {
        self.0
    }
}

impl From<Reason> for PutError {
    fn from(reason: Reason) -> Self {
        Self(reason)
    }
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response was not stored: {}", self.0)
    }
}

impl Error for PutError {}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The handle without the types of the store and the clock.
trait Handled: Send + Sync {
    fn stats(&self) -> CacheStats;
    fn purge(&self, purge: Purge) -> Boxed<'_, Result<Reach, PurgeError>>;
    fn drain(&self, deadline: Duration) -> Boxed<'_, Result<(), DrainError>>;
    fn put<'a>(
        &'a self,
        request: &'a Request<()>,
        response: Response<Bytes>,
    ) -> Boxed<'a, Result<(), PutError>>;
}

struct Parts<St, C> {
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
}

impl<St: Store, C: Clock> Handled for Parts<St, C> {
    fn stats(&self) -> CacheStats {
        CacheStats {
            background: self.core.background.running() as u64,
            flights: self.core.flights.len() as u64,
            ..self.core.stats.read()
        }
    }

    fn purge(&self, purge: Purge) -> Boxed<'_, Result<Reach, PurgeError>> {
        Box::pin(async { self.core.carry_out(&self.config, purge).await })
    }

    fn drain(&self, deadline: Duration) -> Boxed<'_, Result<(), DrainError>> {
        let background = &self.core.background;
        Box::pin(async move {
            let mut late = self.core.clock.sleep(deadline);
            let mut drained = pin!(background.drained());
            poll_fn(|cx| {
                if drained.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                match late.as_mut().map(|late| late.as_mut().poll(cx)) {
                    Some(Poll::Pending) => Poll::Pending,
                    // It has taken too long; or nothing would end the waiting.
                    _ => Poll::Ready(Err(DrainError(background.running() as u64))),
                }
            })
            .await
        })
    }

    fn put<'a>(
        &'a self,
        request: &'a Request<()>,
        response: Response<Bytes>,
    ) -> Boxed<'a, Result<(), PutError>> {
        Box::pin(async move { Ok(self.core.prime(&self.config, request, response).await?) })
    }
}
