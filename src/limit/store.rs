//! What keeps the numbers of keys.

use std::future::Future;
use std::num::NonZeroU64;

use crate::limit::key::LimitKey;
use crate::limit::quota::Quotas;
use crate::limit::verdict::Verdict;
use crate::store::StoreError;
use crate::time::Ticks;

/// Keeps what keys have used. Each method is one atomic step, whoever else asks at the same time: a compare-and-swap in this process, one
/// script in a server.
///
/// A key has a number of its own for each quota, so that a key which is charged by another quota begins anew. A store that is shared by
/// several processes takes its own time, not the one that it is given: clocks of machines differ. What it keeps of a key may be
/// forgotten when the key has its whole burst again, and not before.
///
/// [`MemoryLimitStore`](crate::limit::MemoryLimitStore) is the one in this process. One of your own, here with that one in place of a server:
///
/// ```
/// use std::num::NonZeroU64;
/// use tower_keep::limit::{Adjustment, LimitKey, LimitStore, MemoryLimitStore, Quotas, Verdict};
/// use tower_keep::store::StoreError;
/// use tower_keep::time::Ticks;
///
/// struct Remote(MemoryLimitStore);
///
/// impl LimitStore for Remote {
///     async fn charge(&self, key: LimitKey, quotas: &Quotas, cost: NonZeroU64, now: Ticks) -> Result<Verdict, StoreError> {
///         self.0.charge(key, quotas, cost, now).await
///     }
///     async fn peek(&self, key: LimitKey, quotas: &Quotas, cost: NonZeroU64, now: Ticks) -> Result<Verdict, StoreError> {
///         self.0.peek(key, quotas, cost, now).await
///     }
///     async fn adjust(&self, key: LimitKey, quotas: &Quotas, by: Adjustment, now: Ticks) -> Result<(), StoreError> {
///         self.0.adjust(key, quotas, by, now).await
///     }
/// }
/// ```
pub trait LimitStore: Send + Sync + 'static {
    /// Charges the key by all of its quotas if each of them admits so much, and by none if not.
    ///
    /// # Errors
    /// When it is not known whether it is admitted.
    fn charge(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> impl Future<Output = Result<Verdict, StoreError>> + Send;

    /// What [`LimitStore::charge`] would say, without charging: so the quotas stand as they do, also where it would be admitted.
    ///
    /// # Errors
    /// When it is not known.
    fn peek(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> impl Future<Output = Result<Verdict, StoreError>> + Send;

    /// Charges what was used beyond an earlier charge, whether there is so much left or not, or gives back what was not used.
    ///
    /// A key never has more than its whole burst, whatever it is given back.
    ///
    /// # Errors
    /// When it may not have been done.
    fn adjust(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        adjustment: Adjustment,
        now: Ticks,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The answer of [`LimitStore::charge`], where it can be had without waiting: for stores in this process. `None`, and nothing done, where
    /// it cannot.
    fn charge_now(
        &self,
        _key: LimitKey,
        _quotas: &Quotas,
        _cost: NonZeroU64,
        _now: Ticks,
    ) -> Option<Verdict> {
        None
    }

    /// The answer of [`LimitStore::peek`], where it can be had without waiting.
    fn peek_now(
        &self,
        _key: LimitKey,
        _quotas: &Quotas,
        _cost: NonZeroU64,
        _now: Ticks,
    ) -> Option<Verdict> {
        None
    }

    /// Does what [`LimitStore::adjust`] does, where that can be done without waiting; says whether it was.
    fn adjust_now(
        &self,
        _key: LimitKey,
        _quotas: &Quotas,
        _adjustment: Adjustment,
        _now: Ticks,
    ) -> bool {
        false
    }
}

/// What is put right after a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// So many units more were used.
    Debit(u64),
    /// So many units more, for having been refused; but never so many that the key waits for longer than two whole bursts.
    Penalty(u64),
    /// So many units were not used.
    Refund(u64),
}
