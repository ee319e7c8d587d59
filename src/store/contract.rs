//! What a store has to do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::error::StoreError;
use crate::store::ledger::Ledger;

/// A map from key to entry: all that a cache needs to keep what it stores.
///
/// A store may forget anything at any time, and forgets what its bounds have no room for. A failing or
/// slow store costs a request its deadline at most: then the inner service is asked, and the future is dropped,
/// wherever it is. Run the suite of `tower_keep::store::conformance` (feature `test-util`) on yours.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use std::time::Duration;
/// use tower_keep::store::{CacheKey, Entry, Store, StoreError};
///
/// /// Keeps a thousand entries, and forgets all of them for the next.
/// #[derive(Default)]
/// struct Thousand(Mutex<HashMap<CacheKey, Entry>>);
///
/// impl Store for Thousand {
///     async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
///         Ok(self.0.lock().unwrap().get(key).cloned())
///     }
///     async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
///         let mut map = self.0.lock().unwrap();
///         if map.len() == 1000 {
///             map.clear();
///         }
///         map.insert(key.clone(), entry);
///         Ok(())
///     }
///     async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
///         self.0.lock().unwrap().remove(key);
///         Ok(())
///     }
/// }
/// ```
pub trait Store: Send + Sync + 'static {
    /// The entry that was last put under the key, if it is still there.
    ///
    /// # Errors
    /// When the store cannot be asked. The request then goes to the inner service.
    fn get(&self, key: &CacheKey)
    -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Keeps an entry, in place of any other under the key: one that is not kept, for want of room, takes the
    /// old one away as well. After `retain_for` it is of no more use and
    /// may be dropped.
    ///
    /// # Errors
    /// When the entry was not kept although there is room for it.
    fn put(
        &self,
        key: &CacheKey,
        entry: Entry,
        retain_for: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets the entry under the key; no error where there is none.
    ///
    /// # Errors
    /// When the entry may still be there.
    fn remove(&self, key: &CacheKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The answer of [`Store::get`], where it can be had without waiting: for stores in this process.
    fn get_now(&self, _key: &CacheKey) -> Answer {
        Answer::Later
    }

    /// The order of purges that all who share this store keep, where it is shared with other processes or
    /// outlives this one. Asked for once, by each layer that is made over it.
    ///
    /// Without one a purge reaches this process only, and what another layer or an earlier process put into
    /// the store is validated before it is served: nobody knows what they had purged.
    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        None
    }

    /// The most bytes that one entry may have, as [`Entry::bytes`] counts them, to be kept at all. By
    /// default there is no limit; a longer response passes through and is not put.
    fn entry_bytes_max(&self) -> u64 {
        u64::MAX
    }
}

/// What a store can say at once.
///
/// ```
/// use tower_keep::store::{Answer, Entry};
///
/// /// For a store whose map is in this process.
/// fn at_once(found: Option<Entry>) -> Answer {
///     found.map_or(Answer::Absent, Answer::Found)
/// }
/// assert!(matches!(at_once(None), Answer::Absent));
/// ```
#[derive(Clone, Debug)]
pub enum Answer {
    /// The entry.
    Found(Entry),
    /// There is none under the key.
    Absent,
    /// Ask [`Store::get`].
    Later,
}
