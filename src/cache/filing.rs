//! Writing to the store: a response under its key, the index that leads to it, and the removal of both.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::core::Core;
use crate::cache::entry::{Entry, Stored, StoredResponse};
use crate::cache::flow::Filing;
use crate::cache::index::Index;
use crate::cache::key::{CacheKey, Place};
use crate::clock::Clock;
use crate::rules::reason::Reason;
use crate::store::{Store, StoreError};

/// What a fetch has to know when its response comes to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    /// The writes that the resource had seen when the fetch began.
    pub(crate) writes: u64,
    /// For each step of the store.
    pub(crate) deadline: Duration,
}

impl<St: Store, C: Clock> Core<St, C> {
    pub(crate) fn begin(&self, place: &Place, deadline: Duration) -> Began {
        Began { writes: self.writes.seen(place.resource()), deadline }
    }

    /// Stores a response where it belongs, unless its resource was written while it was on its way.
    pub(crate) async fn file(
        &self,
        filing: &Filing,
        response: StoredResponse,
        began: Began,
    ) -> Result<(), Reason> {
        let overtaken = || self.writes.seen(filing.place.resource()) != began.writes;
        let bytes = Entry(Stored::Response(response.clone())).bytes();
        let result = match bytes > self.store.entry_bytes_max() {
            true => Err(Reason::TooLarge),
            false if overtaken() => Err(Reason::Overtaken),
            false => match self.put(filing, response, began.deadline).await {
                Ok(key) if overtaken() => {
                    // The write removed what was there before; this came after it.
                    let _ = self.asked(began.deadline, self.store.remove(&key)).await;
                    Err(Reason::Overtaken)
                }
                Ok(_) => Ok(()),
                Err(_) => Err(Reason::StoreFailed),
            },
        };
        match result {
            Ok(()) => self.stats.stored(),
            Err(reason) => self.not_stored(Some(reason)),
        }
        result
    }

    /// Counts and tells of a response that is not stored.
    pub(crate) fn not_stored(&self, reason: Option<Reason>) {
        self.stats.not_stored();
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "tower_keep::cache", reason = reason.map(Reason::as_str), "response not stored");
        #[cfg(not(feature = "tracing"))]
        let _ = reason;
    }

    /// Removes all that is stored for these resources: responses, indexes, and the roots of divisions.
    /// Complete when it returns, or an error says that it may not be.
    pub(crate) async fn invalidate(
        &self,
        places: &[Place],
        deadline: Duration,
    ) -> Result<(), StoreError> {
        self.stats.invalidated();
        // Before any removal: what is on its way from now on finds that it was overtaken.
        for place in places {
            self.writes.note(place.resource());
        }
        let removed = async {
            let mut result = Ok(());
            for place in places {
                for key in [place.resource().clone(), place.root()] {
                    // One failure is no reason to leave the others where they are.
                    result = result.and(self.store.remove(&key).await);
                }
            }
            result
        };
        self.asked(deadline, removed).await
    }

    /// The key under which the response now lies.
    async fn put(
        &self,
        filing: &Filing,
        response: StoredResponse,
        deadline: Duration,
    ) -> Result<CacheKey, StoreError> {
        let retain_for = filing.retention.0;
        let entry = Entry(Stored::Response(response));
        let base = self.base(&filing.place, deadline).await?;
        if filing.vary.is_empty() {
            self.asked(deadline, self.store.put(&base, entry, retain_for)).await?;
            return Ok(base);
        }
        let index = self.index(&base, filing, deadline).await?;
        let key = base.variant(index.generation(), &filing.values);
        let now = self.clock.now();
        let (index, left) =
            index.with(key.clone(), filing.alias.clone(), now.wall.plus(retain_for), now.ticks);
        let index_retained_for = index.until().since(now.wall);
        // The variant first: an index never leads to what was not yet there.
        self.asked(deadline, self.store.put(&key, entry, retain_for)).await?;
        let index = Entry(Stored::Index(Arc::new(index)));
        self.asked(deadline, self.store.put(&base, index, index_retained_for)).await?;
        if let Some(left) = left {
            self.asked(deadline, self.store.remove(&left)).await?;
        }
        // What an invalidation has to find: without the index nothing leads to the variant.
        Ok(base)
    }

    /// The key under which the response or the index of this request's division lies.
    async fn base(&self, place: &Place, deadline: Duration) -> Result<CacheKey, StoreError> {
        if !place.is_divided() {
            return Ok(place.resource().clone());
        }
        let root = place.root();
        let found = self.asked(deadline, self.store.get(&root)).await?;
        let generation = match found.map(|entry| entry.0) {
            Some(Stored::Root(generation)) => generation,
            _ => {
                let generation = self.generation();
                self.asked(
                    deadline,
                    self.store.put(&root, Entry(Stored::Root(generation)), ROOT_RETAINED_FOR),
                )
                .await?;
                generation
            }
        };
        Ok(place.divided(generation).unwrap_or(root))
    }

    /// The index as it is, where it has the same Vary list; else a new one, which cuts off the old variants.
    async fn index(
        &self,
        base: &CacheKey,
        filing: &Filing,
        deadline: Duration,
    ) -> Result<Arc<Index>, StoreError> {
        let found = self.asked(deadline, self.store.get(base)).await?;
        Ok(match found.map(|entry| entry.0) {
            Some(Stored::Index(index)) if *index.vary() == filing.vary => index,
            _ => Arc::new(Index::new(self.generation(), filing.vary.clone())),
        })
    }
}

/// A root that a store drops sooner costs misses, nothing else.
const ROOT_RETAINED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
