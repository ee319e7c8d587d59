//! What a program asks of a limit outside requests.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::clock::Clock;
use crate::head::RequestHead;
use crate::limit::gate::Gate;
use crate::limit::key::LimitKey;
use crate::limit::quota::Quotas;
use crate::limit::stats::LimitStats;
use crate::limit::store::{Adjustment, LimitStore};
use crate::limit::verdict::Verdict;
use crate::store::StoreError;

/// Looks at what keys have used, and charges work that is no request, such as that of a queue; made by
/// [`RateLimitLayer::handle`](crate::limit::RateLimitLayer::handle). Clones are the same limit, and that of the layer.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::num::NonZeroU64;
/// use tower_keep::head::RequestHead;
/// use tower_keep::limit::{LimitBy, Outcome, Quota, RateLimitLayer};
///
/// let limit = RateLimitLayer::new(Quota::per_minute(60), LimitBy::everyone())?;
/// let handle = limit.handle();
/// let request = http::Request::get("/").body(()).unwrap();
/// let key = handle.key(RequestHead::from(&request)).unwrap();
///
/// let ten = NonZeroU64::new(10).unwrap();
/// assert_eq!(handle.charge(key, ten).await.unwrap().outcome(), Outcome::Admitted);
/// let verdict = handle.peek(key, NonZeroU64::MIN).await.unwrap();
/// assert_eq!(verdict.standings(handle.quotas()).next().unwrap().remaining(), 50);
/// # Ok::<(), tower_keep::limit::QuotaError>(())
/// # }).unwrap();
/// ```
pub struct LimitHandle<St, C> {
    gate: Arc<Gate<St, C>>,
}

impl<St, C> LimitHandle<St, C> {
    pub(crate) fn new(gate: Arc<Gate<St, C>>) -> Self {
        Self { gate }
    }

    /// The key that a request has, if it has one.
    pub fn key(&self, request: RequestHead<'_>) -> Option<LimitKey> {
        self.gate.settings.by.key(request, &self.gate.settings.secret).ok()
    }

    /// The quotas of the layer.
    pub fn quotas(&self) -> &Quotas {
        &self.gate.settings.quotas
    }

    /// Figures since the layer was made.
    pub fn stats(&self) -> LimitStats {
        self.gate.shared.counts.snapshot()
    }
}

impl<St: LimitStore, C: Clock> LimitHandle<St, C> {
    /// What [`LimitHandle::charge`] would say, without charging.
    ///
    /// # Errors
    /// When the store cannot be asked. It is asked without a deadline.
    pub async fn peek(&self, key: LimitKey, cost: NonZeroU64) -> Result<Verdict, StoreError> {
        self.gate.store.peek(key, self.quotas(), cost, self.gate.now()).await
    }

    /// The same by other quotas, such as those that [`quotas_by`](crate::limit::RateLimitLayer::quotas_by) gives to this key.
    ///
    /// # Errors
    /// As [`LimitHandle::peek`].
    pub async fn peek_by(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
    ) -> Result<Verdict, StoreError> {
        self.gate.store.peek(key, quotas, cost, self.gate.now()).await
    }

    /// Charges a key by other quotas than those of the layer.
    ///
    /// # Errors
    /// As [`LimitHandle::charge`].
    pub async fn charge_by(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
    ) -> Result<Verdict, StoreError> {
        self.gate.store.charge(key, quotas, cost, self.gate.now()).await
    }

    /// Charges a key by the quotas of the layer.
    ///
    /// # Errors
    /// When the store cannot be asked. It is asked without a deadline.
    pub async fn charge(&self, key: LimitKey, cost: NonZeroU64) -> Result<Verdict, StoreError> {
        self.gate.store.charge(key, self.quotas(), cost, self.gate.now()).await
    }

    /// Puts right what a key was charged.
    ///
    /// # Errors
    /// When the store cannot be asked. It is asked without a deadline.
    pub async fn adjust(&self, key: LimitKey, by: Adjustment) -> Result<(), StoreError> {
        self.gate.store.adjust(key, self.quotas(), by, self.gate.now()).await
    }
}

impl<St, C> Clone for LimitHandle<St, C> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone() }
    }
}

impl<St, C> fmt::Debug for LimitHandle<St, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
