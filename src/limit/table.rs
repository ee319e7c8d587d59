//! A table of fixed size from keys to their numbers. It does not grow, and asks for memory when it is made.
//!
//! A key may lie in one set only, which its digest chooses. A set has a version that is odd while somebody writes to it. Who is refused
//! has only read, and compares the version before with the one behind; who is admitted takes the set by that same version, so that what
//! he has read is still so when he writes.

mod set;
#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests;
mod tolerance;

use crate::limit::gcra::{Decision, Tat, backlog, debit, gcra, penalty, refund};
use crate::limit::key::LimitKey;
use crate::limit::quota::{Quota, Quotas, Span};
use crate::limit::store::Adjustment;
use crate::limit::table::set::{Found, Name, Overflow, Set, Spot};
use crate::limit::table::tolerance::Tolerance;
use crate::limit::verdict::{Outcome, Verdict};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::relax::Relax;
use crate::time::Ticks;

pub(crate) struct Table<const WAYS: usize> {
    sets: Box<[Set<WAYS>]>,
    /// One for each set; apart, since few are ever looked at.
    overflows: Box<[Overflow]>,
    /// Keys that gave up their place before they had their whole burst again.
    forgiven: AtomicU64,
    /// Charges to the number that keys without a place share.
    overflowed: AtomicU64,
}

impl<const WAYS: usize> Table<WAYS> {
    /// The bytes of a set, with what those without a place share.
    pub(crate) const SET_BYTES: usize = size_of::<Set<WAYS>>() + size_of::<Overflow>();

    pub(crate) fn new(sets: usize) -> Self {
        let all = || 0..sets.max(1);
        let sets = all().map(|_| Set::new()).collect();
        let overflows = all().map(|_| Overflow::default()).collect();
        Self { sets, overflows, forgiven: AtomicU64::new(0), overflowed: AtomicU64::new(0) }
    }

    pub(crate) fn slots(&self) -> usize {
        self.sets.len() * WAYS
    }

    pub(crate) fn forgiven(&self) -> u64 {
        self.forgiven.load(Ordering::Relaxed)
    }

    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Charges the key by all of its quotas, or by none.
    pub(crate) fn charge(&self, key: LimitKey, quotas: &Quotas, cost: u64, now: Ticks) -> Verdict {
        let Some(home) = self.home_of(key) else { return nothing() };
        let Home { set, overflow } = home;
        if let [quota] = quotas.as_slice() {
            return self.charge_one(home, key, quota, cost, now);
        }
        let mut relax = Relax::default();
        loop {
            let Some(version) = set.version() else {
                relax.relax();
                continue;
            };
            let found = set.find(key, quotas, now, overflow);
            let (verdict, next) = decide(quotas, &found, cost, now);
            if verdict.outcome != Outcome::Admitted {
                if set.is_at(version) {
                    return verdict;
                }
            } else if set.take(version) {
                for ((quota, found), tat) in quotas.as_slice().iter().zip(&found).zip(next) {
                    self.put(home, Name::of(key, quota), quota, (found.spot, tat), Some(cost), now);
                }
                set.release(version);
                return verdict;
            }
            relax.relax();
        }
    }

    /// The same for one quota alone, which most keys have: without lists.
    fn charge_one(
        &self,
        home @ Home { set, overflow }: Home<'_, WAYS>,
        key: LimitKey,
        quota: &Quota,
        cost: u64,
        now: Ticks,
    ) -> Verdict {
        let name = Name::of(key, quota);
        let mut relax = Relax::default();
        loop {
            if let Some(version) = set.version() {
                let found = match set.held(name) {
                    Some((index, slot)) => Found { spot: Spot::Held(index), tat: Some(slot.tat()) },
                    None => set.find_one(quota, now, overflow),
                };
                let is_shared = found.spot == Spot::Overflow;
                match gcra(found.tat, now, quota, cost) {
                    Decision::Admitted(tat) => {
                        if set.take(version) {
                            self.put(home, name, quota, (found.spot, tat), Some(cost), now);
                            set.release(version);
                            let backlog = backlog(Some(tat), now);
                            return Verdict::of_one(Outcome::Admitted, backlog, is_shared);
                        }
                    }
                    refused => {
                        if set.is_at(version) {
                            let outcome = match refused {
                                Decision::Never => Outcome::Never,
                                _ => Outcome::Refused,
                            };
                            return Verdict::of_one(outcome, backlog(found.tat, now), is_shared);
                        }
                    }
                }
            }
            relax.relax();
        }
    }

    /// What a charge would say.
    pub(crate) fn peek(&self, key: LimitKey, quotas: &Quotas, cost: u64, now: Ticks) -> Verdict {
        let Some(home) = self.home_of(key) else { return nothing() };
        let Home { set, overflow } = home;
        let mut relax = Relax::default();
        loop {
            if let Some(version) = set.version() {
                let found = set.find(key, quotas, now, overflow);
                if set.is_at(version) {
                    let (verdict, _) = decide(quotas, &found, cost, now);
                    let backlogs = found.map(|found| backlog(found.tat, now));
                    return Verdict { backlogs, ..verdict };
                }
            }
            relax.relax();
        }
    }

    /// Charges beyond what is left, or gives back.
    pub(crate) fn adjust(&self, key: LimitKey, quotas: &Quotas, by: Adjustment, now: Ticks) {
        let Some(home) = self.home_of(key) else { return };
        let Home { set, overflow } = home;
        let mut relax = Relax::default();
        let version = loop {
            match set.version().filter(|version| set.take(*version)) {
                Some(version) => break version,
                None => relax.relax(),
            }
        };
        let found = set.find(key, quotas, now, overflow);
        for (quota, found) in quotas.as_slice().iter().zip(found) {
            let tat = match (by, found) {
                // What one owes beyond a whole burst is not put on all others.
                (Adjustment::Debit(units), Found { spot: Spot::Overflow, tat }) => {
                    let most =
                        Span { nanos: now.as_nanos().saturating_add(quota.full.nanos), part: 0 };
                    Tat(debit(tat, now, quota, units).0.min(most))
                }
                (Adjustment::Debit(units), Found { tat, .. }) => debit(tat, now, quota, units),
                // Others would pay for it.
                (Adjustment::Penalty(_), Found { spot: Spot::Overflow, .. }) => continue,
                (Adjustment::Penalty(units), Found { tat, .. }) => penalty(tat, now, quota, units),
                (Adjustment::Refund(units), Found { spot: Spot::Held(_), tat: Some(tat) }) => {
                    refund(tat, now, quota, units)
                }
                // Nobody knows any more what there was, or others have used it too.
                (Adjustment::Refund(_), _) => continue,
            };
            self.put(home, Name::of(key, quota), quota, (found.spot, tat), None, now);
        }
        set.release(version);
    }

    fn put(
        &self,
        Home { set, overflow }: Home<'_, WAYS>,
        name: Name,
        quota: &Quota,
        (spot, tat): (Spot, Tat),
        cost: Option<u64>,
        now: Ticks,
    ) {
        let index = match spot {
            Spot::Held(index) | Spot::Free(index) => index,
            Spot::Overflow => {
                self.overflowed.fetch_add(1, Ordering::Relaxed);
                let overflow = overflow.of(quota);
                // Whoever is charged here may have other parts: a nanosecond too late is never too early.
                let later = tat.rounded_up().max(overflow.load(Ordering::Acquire));
                overflow.store(later, Ordering::Release);
                return;
            }
        };
        let Some(slot) = set.slots.get(index) else { return };
        let is_in_use = slot.is_in_use(now);
        let tolerance = Tolerance::of(quota, cost.unwrap_or(1));
        let tolerance = match spot {
            // The largest cost counts, until the key is charged when it has its whole burst again.
            Spot::Held(_) if is_in_use || cost.is_none() => tolerance.min(slot.tolerance()),
            Spot::Held(_) => tolerance,
            _ => {
                self.forgiven.fetch_add(u64::from(is_in_use), Ordering::Relaxed);
                tolerance
            }
        };
        slot.put(name, tat, tolerance);
    }

    fn home_of(&self, key: LimitKey) -> Option<Home<'_, WAYS>> {
        let (_, high) = key.halves();
        let index = (((high >> 32) * self.sets.len() as u64) >> 32) as usize;
        let (set, overflow) = self.sets.get(index).zip(self.overflows.get(index))?;
        Some(Home { set, overflow })
    }
}

/// Where the numbers of a key may lie, and what it shares if there is no room.
struct Home<'a, const WAYS: usize> {
    set: &'a Set<WAYS>,
    overflow: &'a Overflow,
}

impl<const WAYS: usize> Clone for Home<'_, WAYS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const WAYS: usize> Copy for Home<'_, WAYS> {}

/// What each quota says, and when the key has its whole burst again by each.
fn decide(
    quotas: &Quotas,
    found: &[Found; Quotas::MAX],
    cost: u64,
    now: Ticks,
) -> (Verdict, [Tat; Quotas::MAX]) {
    let mut next = [Tat::default(); Quotas::MAX];
    let mut outcome = Outcome::Admitted;
    let mut shared = 0;
    let each = quotas.as_slice().iter().zip(found).zip(&mut next);
    for (index, ((quota, found), next)) in each.enumerate() {
        shared |= u8::from(found.spot == Spot::Overflow) << index;
        match gcra(found.tat, now, quota, cost) {
            Decision::Admitted(tat) => *next = tat,
            Decision::Refused if outcome == Outcome::Admitted => outcome = Outcome::Refused,
            Decision::Refused => {}
            Decision::Never => outcome = Outcome::Never,
        }
    }
    let backlogs = match outcome {
        Outcome::Admitted => next.map(|tat| backlog(Some(tat), now)),
        _ => found.map(|found| backlog(found.tat, now)),
    };
    (Verdict { outcome, backlogs, shared }, next)
}

/// There is no set: it never comes to this.
fn nothing() -> Verdict {
    Verdict::new(Outcome::Refused, [])
}
