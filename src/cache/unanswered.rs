//! Purges that somebody has to wait for, and that are done though nobody does.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::core::Core;
use crate::cache::key::CacheKey;
use crate::cache::mark::{PurgeKind, Target};
use crate::cache::place::Place;
use crate::cache::stamps::Noted;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// A purge that is due. Dropped before it is settled, because its client left, it is carried out all the same.
///
/// RFC 9111 §4.4 speaks of answers only. But a write that failed on its way, or whose client left, may have
/// been carried out: until its answer is known, its target is due to become stale. To leave early is no way
/// to empty the store.
pub(crate) struct Unanswered<St: Store, C: Clock> {
    core: Arc<Core<St, C>>,
    targets: Vec<Target>,
    kind: PurgeKind,
    keys: Vec<CacheKey>,
    deadline: Duration,
}

impl<St: Store, C: Clock> Unanswered<St, C> {
    /// For a write to one of these places.
    pub(crate) fn new(core: &Arc<Core<St, C>>, places: &[Place], deadline: Duration) -> Self {
        let target = |place: &Place| Target::resource(&core.secret, place.resource().as_bytes());
        let targets = places.iter().map(target).collect();
        Self { core: core.clone(), targets, kind: PurgeKind::Soft, keys: Vec::new(), deadline }
    }

    /// For what a response declares to have changed.
    pub(crate) fn declared(
        core: &Arc<Core<St, C>>,
        targets: Vec<Target>,
        deadline: Duration,
    ) -> Self {
        Self { core: core.clone(), targets, kind: PurgeKind::Hard, keys: Vec::new(), deadline }
    }

    /// The answer is known: this is to go.
    pub(crate) fn becomes(&mut self, targets: Vec<Target>, keys: Vec<CacheKey>) {
        (self.targets, self.kind, self.keys) = (targets, PurgeKind::Hard, keys);
    }

    pub(crate) async fn purge(&self) -> Result<Vec<Noted>, StoreError> {
        self.core.purge(&self.targets, self.kind, &self.keys, self.deadline).await
    }

    pub(crate) fn settled(mut self) {
        self.targets.clear();
        self.keys.clear();
    }
}

impl<St: Store, C: Clock> Drop for Unanswered<St, C> {
    fn drop(&mut self) {
        if self.targets.is_empty() && self.keys.is_empty() {
            return;
        }
        let (core, kind, deadline) = (self.core.clone(), self.kind, self.deadline);
        let (targets, keys) = (std::mem::take(&mut self.targets), std::mem::take(&mut self.keys));
        let background = core.background.clone();
        background.finish_soon(async move {
            let _ = core.purge(&targets, kind, &keys, deadline).await;
        });
    }
}
