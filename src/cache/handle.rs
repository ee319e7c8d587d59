//! The cache for code outside the path of requests.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Uri};

use crate::cache::core::Core;
use crate::cache::layer::Config;
use crate::cache::stats::CacheStats;
use crate::clock::Clock;
use crate::head::RequestHead;
use crate::store::{Store, StoreError};

/// A cache, for code outside the path of requests: counts, and purging by URL. Clones are the same handle.
///
/// ```
/// use tower_keep::cache::CacheLayer;
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
/// let handle = cache.handle();
/// handle.purge_url(&"http://shop.example/products/7".parse().unwrap()).await.unwrap();
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

    /// Removes everything that is stored for a URL: all variants and all partitions, in this layer's scope.
    ///
    /// The URL is absolute, and is given to the layer's key function as a GET without fields would be. When
    /// this returns, the store has removed it, and what was on its way from the inner service meanwhile
    /// will not be stored by this process.
    ///
    /// # Errors
    /// [`PurgeErrorKind::Url`] where the URL has no scheme or authority; [`PurgeErrorKind::Store`] where the
    /// store failed or was too slow, so that the responses may still be served.
    pub async fn purge_url(&self, url: &Uri) -> Result<(), PurgeError> {
        self.0.purge_url(url).await
    }
}

impl fmt::Debug for CacheHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheHandle").field(&self.stats()).finish()
    }
}

/// Why a purge was not done.
///
/// ```
/// use tower_keep::cache::{CacheLayer, PurgeErrorKind};
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).handle();
/// let error = cache.purge_url(&"/products/7".parse().unwrap()).await.unwrap_err();
/// assert_eq!(error.kind(), PurgeErrorKind::Url);
/// # });
/// ```
#[derive(Debug)]
pub struct PurgeError {
    kind: PurgeErrorKind,
    source: Option<StoreError>,
}

/// The kinds of [`PurgeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PurgeErrorKind {
    /// The URL is not absolute, so it names no stored response.
    Url,
    /// The store failed; what was to be removed may still be there.
    Store,
}

impl PurgeError {
    /// What kind of failure it is.
    pub fn kind(&self) -> PurgeErrorKind {
        self.kind
    }
}

impl fmt::Display for PurgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PurgeErrorKind::Url => "the URL to purge needs a scheme and an authority",
            PurgeErrorKind::Store => "the store did not carry out the purge",
        })
    }
}

impl Error for PurgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// The handle without the types of the store and the clock.
trait Handled: Send + Sync {
    fn stats(&self) -> CacheStats;
    fn purge_url<'a>(
        &'a self,
        url: &'a Uri,
    ) -> Pin<Box<dyn Future<Output = Result<(), PurgeError>> + Send + 'a>>;
}

struct Parts<St, C> {
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
}

impl<St: Store, C: Clock> Handled for Parts<St, C> {
    fn stats(&self) -> CacheStats {
        self.core.stats.read()
    }

    fn purge_url<'a>(
        &'a self,
        url: &'a Uri,
    ) -> Pin<Box<dyn Future<Output = Result<(), PurgeError>> + Send + 'a>> {
        Box::pin(async move {
            let (headers, extensions) = (HeaderMap::new(), Extensions::new());
            let head = RequestHead {
                method: &Method::GET,
                uri: url,
                headers: &headers,
                extensions: &extensions,
            };
            let places = self.config.telling.written(head);
            if url.scheme().is_none() || url.authority().is_none() || places.is_empty() {
                return Err(PurgeError { kind: PurgeErrorKind::Url, source: None });
            }
            let done = self.core.invalidate(&places, self.config.store_deadline).await;
            done.map_err(|source| PurgeError { kind: PurgeErrorKind::Store, source: Some(source) })
        })
    }
}
