//! What all clones of one layer share: the store, the clock, and what is counted.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use ahash::RandomState;

use crate::cache::flow::Setting;
use crate::cache::key::{CacheKey, Generation};
use crate::cache::layer::Config;
use crate::cache::shared_names::SharedNames;
use crate::cache::stats::Stats;
use crate::clock::Clock;
use crate::digest::Secret;
use crate::store::{StoreError, StoreErrorKind};

pub(crate) struct Core<St, C> {
    /// Tells this core from every other in the process.
    pub(crate) id: u64,
    pub(crate) store: St,
    pub(crate) clock: C,
    pub(crate) secret: Secret,
    pub(crate) stats: Stats,
    pub(crate) writes: Writes,
    pub(crate) names: SharedNames,
    /// Bytes of responses that wait for the store.
    pub(crate) waiting: AtomicU64,
    drawn: AtomicU64,
    /// How many services were made around an inner one.
    services: AtomicU64,
}

impl<St, C: Clock> Core<St, C> {
    pub(crate) fn new(store: St, clock: C) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            store,
            clock,
            secret: Secret::new(random()),
            stats: Stats::default(),
            writes: Writes::new(),
            names: SharedNames::default(),
            waiting: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
            services: AtomicU64::new(0),
        }
    }

    /// What a transaction of a layer with this configuration has to know.
    pub(crate) fn setting(&self, config: &Config) -> Setting {
        let Config { policy, telling, .. } = config;
        Setting {
            policy: policy.clone(),
            secret: self.secret,
            core: self.id,
            telling: telling.clone(),
        }
    }

    /// Notes that one more service was made around an inner one.
    pub(crate) fn layered(&self) {
        self.services.fetch_add(1, Ordering::Relaxed);
    }

    /// A generation that was never there before, and that nobody can foretell.
    pub(crate) fn generation(&self) -> Generation {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        Generation(self.secret.digest([&b"generation"[..], &count].into_iter()))
    }

    /// A number that differs from request to request.
    pub(crate) fn spread(&self) -> u64 {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let [a, b, c, d, e, f, g, h, ..] = self.secret.digest([&b"spread"[..], &count].into_iter());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// What the store says within the deadline.
    pub(crate) async fn asked<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = within(deadline, answer)
            .await
            .unwrap_or_else(|| Err(StoreError::new(StoreErrorKind::TimedOut)));
        if answer.is_err() {
            self.stats.store_failed();
        }
        answer
    }
}

impl<St, C> Core<St, C> {
    /// Whether a service of this core may lie further in than another: not so where there is one only.
    pub(crate) fn may_nest(&self) -> bool {
        self.services.load(Ordering::Relaxed) > 1
    }
}

/// Counts the writes to resources, in slots that some share: a response that was on its way while its
/// resource was written is not stored, and at worst a few others are not either.
pub(crate) struct Writes {
    slots: Box<[AtomicU64]>,
    /// Seeded at random: nobody finds the slot of somebody else's resource.
    hasher: RandomState,
}

impl Writes {
    fn new() -> Self {
        let slots = (0..WRITE_SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { slots, hasher: RandomState::new() }
    }

    pub(crate) fn seen(&self, resource: &CacheKey) -> u64 {
        self.slot(resource).map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    pub(crate) fn note(&self, resource: &CacheKey) {
        if let Some(slot) = self.slot(resource) {
            slot.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn slot(&self, resource: &CacheKey) -> Option<&AtomicU64> {
        self.slots.get((self.hasher.hash_one(resource) % WRITE_SLOTS) as usize)
    }
}

/// `None` when the deadline comes first. Without the `rt` feature, or outside a runtime, nothing keeps
/// the time and the store's own limits are what counts.
async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    // A store in this process answers at once, and needs no timer (nor a runtime that has one).
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Some(done);
    }
    #[cfg(feature = "rt")]
    if tokio::runtime::Handle::try_current().is_ok() {
        return tokio::time::timeout(deadline, work).await.ok();
    }
    let _ = deadline;
    Some(work.await)
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // No entropy from the system: the address space and the hasher's own seed have to do.
        let state = RandomState::new();
        let (one, two) = (state.hash_one(1u8), state.hash_one(2u8));
        bytes = (u128::from(one) << 64 | u128::from(two)).to_le_bytes();
    }
    bytes
}

const WRITE_SLOTS: u64 = 4096;
