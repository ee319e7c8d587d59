//! Writing to the store: a response under its key, the index that leads to it, and the removal of both.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use crate::cache::core::Core;
use crate::cache::entry::{Entry, Stored, StoredResponse};
use crate::cache::flow::Filing;
use crate::cache::index::Index;
use crate::cache::key::CacheKey;
use crate::cache::landing::Flown;
use crate::cache::mark::{PurgeKind, Standing, Target};
use crate::cache::place::Place;
use crate::cache::stamps::{FILL_TIME_MAX, Noted};
use crate::cache::turns::all;
use crate::clock::Clock;
use crate::rules::reason::Reason;
use crate::rules::storable::Retention;
use crate::store::{Store, StoreError};

/// What a fetch has to know when its response comes to be stored, beside its place in the order of purges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    /// For each step of the store.
    pub(crate) deadline: Duration,
    /// How many purges had not reached the ledger when it began.
    pub(crate) doubts: u64,
}

impl<St: Store, C: Clock> Core<St, C> {
    /// What a fetch that begins now has to know later.
    pub(crate) fn begin(&self, deadline: Duration) -> Began {
        Began { deadline, doubts: self.doubts() }
    }

    /// Stores a response while nobody waits for it; then its flight is over. What a store keeps waiting is bounded
    /// in bytes: a response that would be too many is not stored.
    pub(crate) fn file_soon(
        self: &Arc<Self>,
        filing: Filing,
        response: Arc<StoredResponse>,
        began: Began,
        flown: Option<Flown<St, C>>,
    ) {
        let bytes = Entry(Stored::Response(response.clone())).bytes();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) > WAITING_BYTES_MAX {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            return self.not_stored(Some(Reason::StoreFailed));
        }
        let waiting = Waiting { core: self.clone(), bytes };
        self.background.finish_soon(async move {
            let _ = waiting.core.file(&filing, response, began).await;
            drop(flown);
        });
    }

    /// Stores a response where it belongs, unless its resource was written while it was on its way, or a
    /// newer one is there already.
    pub(crate) async fn file(
        &self,
        filing: &Filing,
        response: Arc<StoredResponse>,
        began: Began,
    ) -> Result<(), Reason> {
        let result = self.filed(filing, response, began).await;
        match result {
            Ok(()) => self.stats.stored(),
            Err(reason) => self.not_stored(Some(reason)),
        }
        result
    }

    async fn filed(
        &self,
        filing: &Filing,
        response: Arc<StoredResponse>,
        began: Began,
    ) -> Result<(), Reason> {
        let stored = response.clone();
        let Began { deadline, doubts } = began;
        let overtaken = || {
            let standing = self.standing(&stored.meta, &filing.place, self.clock.now());
            matches!(standing, Standing::Gone | Standing::Unknown) || self.doubts() != doubts
        };
        let took = self.clock.now().ticks.since(stored.meta.requested.ticks);
        if took > FILL_TIME_MAX {
            return Err(Reason::FillTime);
        }
        if Entry(Stored::Response(response.clone())).bytes() > self.store.entry_bytes_max() {
            return Err(Reason::TooLarge);
        }
        if overtaken() {
            return Err(Reason::Overtaken);
        }
        let put = self.put(filing, response, deadline).await;
        if put.is_err() {
            // It may land yet, and then only a stamp keeps it from being served.
            self.stamps.forget_none();
        }
        if overtaken() {
            // It is never served. But the purge removed what was there before, and this may have brought
            // back the way to it, even where the store did not say so in time.
            let keys = keys_of(slice::from_ref(&filing.place));
            if self.removed(&keys, deadline).await.is_err() {
                self.stamps.forget_none();
            }
            return Err(Reason::Overtaken);
        }
        match put {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::Overtaken),
            Err(_) => Err(Reason::StoreFailed),
        }
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
        let target = |place: &Place| Target::resource(&self.secret, place.resource().as_bytes());
        let targets: Vec<Target> = places.iter().map(target).collect();
        self.purge(&targets, PurgeKind::Hard, &keys_of(places), deadline).await.map(|_| ())
    }

    /// Notes the purges, then removes what lies under these keys.
    pub(crate) async fn purge(
        &self,
        targets: &[Target],
        kind: PurgeKind,
        keys: &[CacheKey],
        deadline: Duration,
    ) -> Result<Vec<Noted>, StoreError> {
        self.stats.invalidated();
        // Before any removal: what is on its way from now on finds that it was overtaken.
        let noted = self.note(targets, kind, deadline).await;
        let removed = match keys {
            [] => Ok(()),
            keys => self.removed(keys, deadline).await,
        };
        if removed.is_err() {
            self.stamps.forget_none();
        }
        removed.and(noted)
    }

    async fn removed(&self, keys: &[CacheKey], deadline: Duration) -> Result<(), StoreError> {
        // One that fails or hangs is no reason to leave the others where they are.
        if let [one, other] = keys {
            let removals = both(self.store.remove(one), self.store.remove(other));
            return self.asked(deadline, removals).await;
        }
        let removals = keys.iter().map(|key| self.store.remove(key));
        self.asked(deadline, all(removals)).await.map(|_| ())
    }

    /// Whether the response is now in the store: not so where a newer one is.
    async fn put(
        &self,
        filing: &Filing,
        response: Arc<StoredResponse>,
        deadline: Duration,
    ) -> Result<bool, StoreError> {
        let Some(Retention(retain_for)) = filing.retention else { return Ok(false) };
        // Of two at a time one would not see that the other is newer; and where they change an index, one would
        // lose its variant, and the index its bound.
        let _alone = self.alone(filing.place.resource(), deadline).await?;
        let base = self.base(&filing.place, deadline).await?;
        let there = self.asked(deadline, self.store.get(&base)).await?.map(|entry| entry.0);
        if filing.vary.is_empty() {
            if is_newer(there.as_ref(), filing, &response) {
                return Ok(false);
            }
            let entry = Entry(Stored::Response(response));
            self.asked(deadline, self.store.put(&base, entry, retain_for)).await?;
            return Ok(true);
        }
        // The index as it is, where it has the same Vary list; else a new one, which cuts off the old
        // variants.
        let index = match there {
            Some(Stored::Index(index)) if *index.vary() == filing.vary => index,
            _ => Arc::new(Index::new(self.generation(), filing.vary.clone())),
        };
        let key = base.variant(index.generation(), &filing.values);
        let there = self.asked(deadline, self.store.get(&key)).await?.map(|entry| entry.0);
        if is_newer(there.as_ref(), filing, &response) {
            return Ok(false);
        }
        let now = self.clock.now();
        let until = now.wall.plus(retain_for);
        let (index, left) = index.with(key.clone(), filing.alias.clone(), until, now.ticks);
        let index_retained_for = index.until().since(now.wall);
        // The variant first: an index never leads to what was not yet there.
        let entry = Entry(Stored::Response(response));
        self.asked(deadline, self.store.put(&key, entry, retain_for)).await?;
        let index = Entry(Stored::Index(Arc::new(index)));
        self.asked(deadline, self.store.put(&base, index, index_retained_for)).await?;
        if let Some(left) = left {
            self.asked(deadline, self.store.remove(&left)).await?;
        }
        Ok(true)
    }

    /// The key under which the response or the index of this request's division lies.
    async fn base(&self, place: &Place, deadline: Duration) -> Result<CacheKey, StoreError> {
        if !place.is_divided() {
            return Ok(place.resource().clone());
        }
        let root = place.root();
        let found = self.asked(deadline, self.store.get(&root)).await?;
        let generation = match found.map(|entry| entry.0) {
            Some(Stored::Root(generation)) => *generation,
            _ => {
                let generation = self.generation();
                self.asked(
                    deadline,
                    self.store.put(
                        &root,
                        Entry(Stored::Root(Arc::new(generation))),
                        ROOT_RETAINED_FOR,
                    ),
                )
                .await?;
                generation
            }
        };
        Ok(place.divided(generation).unwrap_or(root))
    }
}

/// Bytes that wait for the store, until this is dropped.
struct Waiting<St, C> {
    core: Arc<Core<St, C>>,
    bytes: u64,
}

impl<St, C> Drop for Waiting<St, C> {
    fn drop(&mut self) {
        self.core.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What leads to everything that is stored for these resources.
pub(crate) fn keys_of(places: &[Place]) -> Vec<CacheKey> {
    places.iter().flat_map(|place| [place.resource().clone(), place.root()]).collect()
}

/// [`all`] for two, which are what most writes drop: it asks for no memory.
async fn both(
    one: impl Future<Output = Result<(), StoreError>>,
    other: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(cx)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(cx)
        {
            second = Some(done);
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    first.unwrap_or(Ok(())).and(second.unwrap_or(Ok(())))
}

/// Whether what lies there came of a later fetch (RFC 9111 §4: of several responses the most recent one
/// is used), or is no longer the response that a 304 freshened.
fn is_newer(there: Option<&Stored>, filing: &Filing, response: &StoredResponse) -> bool {
    let Some(Stored::Response(there)) = there else { return false };
    match filing.freshens {
        // A store that keeps bytes keeps the wall clock alone.
        Some(freshens) if !there.meta.is_local => there.meta.requested.wall != freshens.wall,
        Some(freshens) => there.meta.requested != freshens,
        None => there.meta.is_newer_than(&response.meta),
    }
}

/// A root that a store drops sooner costs misses, nothing else.
const ROOT_RETAINED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many bytes may wait for a store that does not answer at once, before the next is let go.
const WAITING_BYTES_MAX: u64 = 64 << 20;
