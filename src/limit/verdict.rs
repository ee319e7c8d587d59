//! What a store says to a charge.

use std::time::Duration;

use crate::limit::gcra::{Tat, debit, remaining, room_for_penalty, units_of, wait};
use crate::limit::quota::{Quota, Quotas, Span};
use crate::time::Ticks;

/// Whether a charge was admitted, and how each of its quotas stands.
///
/// A store of your own makes one with [`Verdict::new`].
///
/// ```
/// use std::time::Duration;
/// use tower_keep::limit::{Outcome, Quota, Quotas, Verdict};
///
/// let quotas = Quotas::new([Quota::per_second(10)])?;
/// // Three of ten are used, and come back in 300 ms.
/// let verdict = Verdict::new(Outcome::Admitted, [Duration::from_millis(300)]);
/// let standing = verdict.standings(&quotas).next().unwrap();
/// assert_eq!((standing.remaining(), standing.refill()), (7, Duration::from_millis(300)));
/// # Ok::<(), tower_keep::limit::QuotaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(crate) outcome: Outcome,
    /// One for each quota; after the charge, if it was admitted.
    pub(crate) backlogs: [Span; Quotas::MAX],
    /// By which quotas not the key's own number was asked, but one that all keys without room share: a bit for each, the first in the lowest.
    pub(crate) shared: u8,
}

/// The answer to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// All quotas admit it, and all were charged.
    Admitted,
    /// A quota does not admit it yet, and none was charged.
    Refused,
    /// It costs more than a quota has at once: it is never admitted, and none was charged.
    Never,
}

impl Verdict {
    /// An outcome, and for each quota how long it takes until the key has its whole burst again: after the charge if it was admitted,
    /// and as it stands if not, or if it was only asked. Of more than [`Quotas::MAX`] the rest is left out.
    pub fn new(outcome: Outcome, refills: impl IntoIterator<Item = Duration>) -> Self {
        let mut backlogs = [Span::default(); Quotas::MAX];
        for (backlog, refill) in backlogs.iter_mut().zip(refills) {
            let nanos = u64::try_from(refill.as_nanos()).unwrap_or(u64::MAX);
            *backlog = Span { nanos, part: 0 };
        }
        Self { outcome, backlogs, shared: 0 }
    }

    /// Of a key with one quota.
    #[inline]
    pub(crate) fn of_one(outcome: Outcome, backlog: Span, is_shared: bool) -> Self {
        let none = Span::default();
        Self { outcome, backlogs: [backlog, none, none, none], shared: u8::from(is_shared) }
    }

    /// Whether a quota was asked by a number that others share.
    pub(crate) fn is_shared(&self, quota: usize) -> bool {
        self.shared >> quota & 1 == 1
    }

    /// Whether it was admitted, and if not, whether it ever is.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How the key stands to each of the quotas that it was charged by, in their order.
    pub fn standings<'a>(&'a self, quotas: &'a Quotas) -> impl Iterator<Item = Standing<'a>> {
        let quotas = quotas.as_slice().iter();
        quotas.zip(&self.backlogs).map(|(quota, backlog)| Standing { quota, backlog: *backlog })
    }

    /// How many units more the key can be charged until it waits for two whole bursts by one of the quotas.
    pub(crate) fn room_for_penalty(&self, quotas: &Quotas) -> u64 {
        let rooms = quotas.as_slice().iter().zip(&self.backlogs);
        rooms.map(|(quota, backlog)| room_for_penalty(quota, *backlog)).min().unwrap_or(0)
    }

    /// How the key stands once it owes so many units more.
    pub(crate) fn with_debit(mut self, quotas: &Quotas, units: u64) -> Self {
        for (quota, backlog) in quotas.as_slice().iter().zip(&mut self.backlogs) {
            let Tat(owed) = debit(Some(Tat(*backlog)), Ticks::from_nanos(0), quota, units);
            *backlog = owed;
        }
        self
    }

    /// How long until all of the quotas admit so much, if nobody else asks. `None` if they never do.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::limit::{Outcome, Quota, Quotas, Verdict};
    ///
    /// let quotas = Quotas::new([Quota::per_second(10)])?;
    /// let verdict = Verdict::new(Outcome::Refused, [Duration::from_secs(1)]);
    /// assert_eq!(verdict.retry_after(&quotas, 1), Some(Duration::from_millis(100)));
    /// assert_eq!(verdict.retry_after(&quotas, 11), None);
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    pub fn retry_after(&self, quotas: &Quotas, cost: u64) -> Option<Duration> {
        self.standings(quotas)
            .map(|standing| standing.retry_after(cost))
            .try_fold(Duration::ZERO, |longest, next| Some(longest.max(next?)))
    }
}

/// How a key stands to one quota.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    quota: &'a Quota,
    backlog: Span,
}

impl<'a> Standing<'a> {
    /// The quota.
    pub fn quota(&self) -> &'a Quota {
        self.quota
    }

    /// The units that it would admit at once.
    pub fn remaining(&self) -> u64 {
        remaining(self.quota, self.backlog)
    }

    /// How long until it admits a whole burst again, rounded up to a nanosecond.
    pub fn refill(&self) -> Duration {
        self.backlog.rounded_up()
    }

    /// The units that have still to come back after so long, if nobody had asked for more.
    pub(crate) fn units_ahead(&self, since: Duration) -> u64 {
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        match self.backlog.nanos.checked_sub(nanos) {
            Some(nanos) => units_of(self.quota, Span { nanos, ..self.backlog }),
            None => 0,
        }
    }

    /// How long until it admits so much, rounded up to a nanosecond. `None` if it never does.
    pub fn retry_after(&self, cost: u64) -> Option<Duration> {
        wait(self.quota, self.backlog, cost)
    }
}
