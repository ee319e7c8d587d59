//! The numbers of keys in this process.

use std::fmt;
use std::future::{Future, ready};
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::limit::key::LimitKey;
use crate::limit::quota::Quotas;
use crate::limit::store::{Adjustment, LimitStore};
use crate::limit::table::Table;
use crate::limit::verdict::Verdict;
use crate::store::StoreError;
use crate::time::Ticks;

/// Keeps what keys have used in the memory of this process: a table of fixed size, made at once, without a background thread.
///
/// A key takes 21 bytes for each of its quotas. Give it 48 bytes for each key that is active at the same time, and about one in two
/// hundred finds its part of the table full; with 64, one in a thousand. Then the key leaves which is the next to have its whole burst again: first
/// those that have it already, from which nothing is taken; else **what that key had used, less than its burst, is
/// forgiven**. A key that has not left as much as it was charged at once never leaves before it has. Where all keys of a part are such, a new one is
/// charged to a number that all such share there, by the quota of one key: so **it may be refused too early, and none is ever admitted
/// too often**.
///
/// Decisions are exact, also among threads. One that refuses only reads.
///
/// Clones share what they keep. Layers that share one do not share keys: each has a secret of its own.
///
/// ```
/// use tower_keep::limit::MemoryLimitStore;
///
/// let store = MemoryLimitStore::with_bytes_max(8 << 20);
/// assert!(store.stats().slots > 400_000);
/// ```
#[derive(Clone)]
pub struct MemoryLimitStore(Arc<Table<WAYS>>);

impl MemoryLimitStore {
    /// In so many bytes, but in 144 at least.
    pub fn with_bytes_max(bytes_max: usize) -> Self {
        Self(Arc::new(Table::new(bytes_max / Table::<WAYS>::SET_BYTES)))
    }

    /// How much there is, and what had to be done for want of room.
    pub fn stats(&self) -> LimitStoreStats {
        LimitStoreStats {
            slots: self.0.slots() as u64,
            forgiven: self.0.forgiven(),
            overflowed: self.0.overflowed(),
        }
    }
}

/// Figures of a [`MemoryLimitStore`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStoreStats {
    /// The places for keys, one for each quota of a key.
    pub slots: u64,
    /// How often a key left that had used some of its burst.
    pub forgiven: u64,
    /// How often a key without a place was charged to the number that all such share.
    pub overflowed: u64,
}

impl LimitStore for MemoryLimitStore {
    fn charge(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> impl Future<Output = Result<Verdict, StoreError>> + Send {
        ready(Ok(self.0.charge(key, quotas, cost.get(), now)))
    }

    fn peek(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> impl Future<Output = Result<Verdict, StoreError>> + Send {
        ready(Ok(self.0.peek(key, quotas, cost.get(), now)))
    }

    fn adjust(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        adjustment: Adjustment,
        now: Ticks,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.0.adjust(key, quotas, adjustment, now);
        ready(Ok(()))
    }

    fn charge_now(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> Option<Verdict> {
        Some(self.0.charge(key, quotas, cost.get(), now))
    }

    fn peek_now(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> Option<Verdict> {
        Some(self.0.peek(key, quotas, cost.get(), now))
    }

    fn adjust_now(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        adjustment: Adjustment,
        now: Ticks,
    ) -> bool {
        self.0.adjust(key, quotas, adjustment, now);
        true
    }
}

impl fmt::Debug for MemoryLimitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryLimitStore({:?})", self.stats())
    }
}

/// The keys of a set: with its version, 120 of 128 bytes.
const WAYS: usize = 7;
