//! A store whose type is not known until the program runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::contract::{Answer, Store};
use crate::store::error::StoreError;
use crate::store::ledger::Ledger;

/// Any store, its type erased: for programs that choose one by configuration. Clones share it.
///
/// ```
/// use tower_keep::cache::CacheLayer;
/// use tower_keep::store::{DynStore, MemoryStore};
///
/// let store = DynStore::new(MemoryStore::with_bytes_max(64 << 20));
/// let cache: CacheLayer<DynStore> = CacheLayer::new(store);
/// # let _ = cache;
/// ```
#[derive(Clone)]
pub struct DynStore(Arc<dyn Erased>);

impl DynStore {
    /// Hides the type of `store`.
    ///
    /// ```
    /// use tower_keep::store::{DynStore, MemoryStore, Store};
    ///
    /// let bounded = MemoryStore::with_bytes_max(8 << 20).entry_bytes_max(1 << 20);
    /// assert_eq!(Store::entry_bytes_max(&DynStore::new(bounded)), 1 << 20);
    /// ```
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for DynStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynStore(..)")
    }
}

impl Store for DynStore {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn put(
        &self,
        key: &CacheKey,
        entry: Entry,
        retain_for: Duration,
    ) -> Result<(), StoreError> {
        self.0.put(key, entry, retain_for).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.remove(key).await
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        self.0.get_now(key)
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        self.0.ledger()
    }

    fn entry_bytes_max(&self) -> u64 {
        self.0.entry_bytes_max()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The object-safe twin of [`Store`].
trait Erased: Send + Sync {
    fn get<'a>(&'a self, key: &'a CacheKey) -> Boxed<'a, Option<Entry>>;
    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry, retain_for: Duration) -> Boxed<'a, ()>;
    fn remove<'a>(&'a self, key: &'a CacheKey) -> Boxed<'a, ()>;
    fn get_now(&self, key: &CacheKey) -> Answer;
    fn ledger(&self) -> Option<Arc<dyn Ledger>>;
    fn entry_bytes_max(&self) -> u64;
}

impl<St: Store> Erased for St {
    fn get<'a>(&'a self, key: &'a CacheKey) -> Boxed<'a, Option<Entry>> {
        Box::pin(Store::get(self, key))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry, retain_for: Duration) -> Boxed<'a, ()> {
        Box::pin(Store::put(self, key, entry, retain_for))
    }

    fn remove<'a>(&'a self, key: &'a CacheKey) -> Boxed<'a, ()> {
        Box::pin(Store::remove(self, key))
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        Store::get_now(self, key)
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        Store::ledger(self)
    }

    fn entry_bytes_max(&self) -> u64 {
        Store::entry_bytes_max(self)
    }
}
