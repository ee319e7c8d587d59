//! What every store has to do, as tests to run on yours.
//!
//! A store may forget anything at any time, so an entry that is missing is never an error. What is one: a
//! wrong entry, or an older one than was last put, or any at all after a removal. And a store that keeps
//! nothing is none.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use tower_keep::store::{MemoryStore, conformance::StoreSuite};
//!
//! let store = MemoryStore::with_bytes_max(1 << 20);
//! StoreSuite::new(store).bounded(1 << 20, MemoryStore::bytes).run().await;
//! # });
//! ```

pub(crate) mod entries;
#[cfg(feature = "test-util")]
mod ledger;
mod rules;
mod threads;

use std::fmt;
use std::sync::Arc;

use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::store::conformance::entries::same;
use crate::store::contract::{Answer, Store};

#[cfg(feature = "test-util")]
pub use ledger::ledger;

/// Tries a store by all the rules, and panics with the name of the first that it breaks.
///
/// The store is to be in working order: an error that it returns is one that the suite reports. Its keys
/// are the suite's own, all alike in their first bytes: another suite must not use the store meanwhile.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use tower_keep::store::{LruStore, conformance::StoreSuite};
///
/// StoreSuite::new(LruStore::with_bytes_max(1 << 20)).run().await;
/// # });
/// ```
pub struct StoreSuite<St> {
    store: Arc<St>,
    bound: Option<Bound<St>>,
}

struct Bound<St> {
    bytes_max: u64,
    bytes: Arc<dyn Fn(&St) -> u64 + Send + Sync>,
}

impl<St: Store> StoreSuite<St> {
    /// A suite for this store.
    pub fn new(store: St) -> Self {
        Self { store: Arc::new(store), bound: None }
    }

    /// Tells the suite how many bytes the store may take at most, and how to ask it what it takes. Without
    /// this it puts some ten megabytes into the store.
    #[must_use]
    pub fn bounded(
        mut self,
        bytes_max: u64,
        bytes: impl Fn(&St) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.bound = Some(Bound { bytes_max, bytes: Arc::new(bytes) });
        self
    }

    /// Runs all of it, on threads of its own too; a tokio runtime that it is called on is entered there.
    ///
    /// # Panics
    /// When the store breaks a rule.
    pub async fn run(self) {
        let tried = Tried { store: self.store.clone() };
        rules::nothing_is_found_where_nothing_was_put(&tried).await;
        rules::what_was_put_is_found_whole(&tried).await;
        rules::some_of_what_was_put_is_found(&tried).await;
        rules::a_put_takes_the_place_of_what_was_there(&tried).await;
        rules::what_was_removed_is_gone(&tried).await;
        rules::keys_are_told_apart(&tried).await;
        rules::what_is_too_long_leaves_nothing(&tried).await;
        rules::the_bound_holds(&tried, self.bound).await;
        threads::each_thread_finds_what_it_put(&tried).await;
        threads::no_thread_finds_what_was_replaced(&tried).await;
    }
}

impl<St> fmt::Debug for StoreSuite<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes_max = self.bound.as_ref().map(|bound| bound.bytes_max);
        f.debug_struct("StoreSuite").field("bytes_max", &bytes_max).finish_non_exhaustive()
    }
}

/// The store, whose every answer is looked at.
struct Tried<St> {
    store: Arc<St>,
}

impl<St> Clone for Tried<St> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone() }
    }
}

impl<St: Store> Tried<St> {
    /// What lies under the key, by [`Store::get_now`] and [`Store::get`], which must agree. A store may
    /// forget between the two, so the second may have less to say.
    async fn get(&self, rule: &str, key: &CacheKey) -> Option<Entry> {
        let now = self.store.get_now(key);
        let got = self.store.get(key).await;
        assert!(got.is_ok(), "{rule}: get failed: {got:?}");
        let got = got.unwrap_or_default();
        match (&now, &got) {
            (Answer::Absent, Some(_)) => {
                assert!(got.is_none(), "{rule}: get finds what get_now says is absent");
            }
            (Answer::Found(now), Some(got)) => {
                assert!(same(now, got), "{rule}: get_now finds {now:?}, get another, {got:?}");
            }
            _ => {}
        }
        got
    }

    async fn put(&self, rule: &str, key: &CacheKey, entry: Entry) {
        let put = self.store.put(key, entry, rules::RETAIN_FOR).await;
        assert!(put.is_ok(), "{rule}: put failed: {put:?}");
    }

    async fn remove(&self, rule: &str, key: &CacheKey) {
        let removed = self.store.remove(key).await;
        assert!(removed.is_ok(), "{rule}: remove failed: {removed:?}");
    }

    /// Whether the entry is there; if anything is, it must be this.
    async fn expect(&self, rule: &str, key: &CacheKey, expected: &Entry) -> bool {
        let got = self.get(rule, key).await;
        if let Some(got) = &got {
            assert!(same(got, expected), "{rule}: {key:?} leads to {got:?}, not to {expected:?}");
        }
        got.is_some()
    }

    async fn expect_none(&self, rule: &str, key: &CacheKey) {
        let got = self.get(rule, key).await;
        assert!(got.is_none(), "{rule}: {key:?} leads to {got:?}, not to nothing");
    }
}
