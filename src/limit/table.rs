//! A table of fixed size from keys to their numbers. It does not grow, and asks for memory once.
//!
//! A key may lie in one set only, which its digest chooses. A set has a version that is odd while somebody writes to it. Who is refused
//! has only read, and compares the version before with the one behind; who is admitted takes the set by that same version, so that what
//! he has read is still so when he writes.

use crate::limit::gcra::{Decision, Tat, backlog, debit, gcra, refund};
use crate::limit::key::LimitKey;
use crate::limit::quota::{Quota, Quotas, Span};
use crate::limit::store::Adjustment;
use crate::limit::verdict::{Outcome, Verdict};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::relax::Relax;
use crate::time::Ticks;

pub(crate) struct Table<const WAYS: usize> {
    sets: Box<[Set<WAYS>]>,
    /// Keys that gave up their place before they had their whole burst again.
    forgiven: AtomicU64,
    /// Charges to the number that keys without a place share.
    overflowed: AtomicU64,
}

/// Keys whose digests are alike in some bits. Aligned as processors share memory.
#[repr(align(64))]
struct Set<const WAYS: usize> {
    version: AtomicU64,
    /// When those without a place have their whole burst again, in nanoseconds: by quotas of which a unit comes back within a
    /// second or so, and by slower ones, so that what a slow one has to wait for does not hold up the others.
    overflow: [AtomicU64; 2],
    slots: [Slot; WAYS],
}

/// One number of a key. A slot that was taken once is never empty again, so that nobody need look behind an empty one.
#[derive(Default)]
struct Slot {
    /// Of the key and its quota; 0 if nobody has it.
    name: AtomicU64,
    /// The theoretical arrival time: nanoseconds.
    nanos: AtomicU64,
    /// Its parts of a nanosecond, 48 bits; and the [`Tolerance`] of the quota, 16 bits.
    rest: AtomicU64,
}

/// Where a number lies, or could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot {
    Held(usize),
    /// Empty, or of a key that may be forgotten.
    Free(usize),
    Overflow,
}

/// What was read, and what is to be written.
#[derive(Clone, Copy)]
struct Found {
    spot: Spot,
    tat: Option<Tat>,
}

impl<const WAYS: usize> Table<WAYS> {
    /// The bytes of a set.
    pub(crate) const SET_BYTES: usize = size_of::<Set<WAYS>>();

    pub(crate) fn new(sets: usize) -> Self {
        let sets = (0..sets.max(1)).map(|_| Set::new()).collect();
        Self { sets, forgiven: AtomicU64::new(0), overflowed: AtomicU64::new(0) }
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
        let Some((set, start)) = self.set_of(key) else { return nothing() };
        if let [quota] = quotas.as_slice() {
            return self.charge_one(set, start, key, quota, cost, now);
        }
        let mut relax = Relax::default();
        loop {
            let Some(version) = set.version() else {
                relax.relax();
                continue;
            };
            let found = set.find(key, quotas, now, start);
            let (verdict, next) = decide(quotas, &found, cost, now);
            if verdict.outcome != Outcome::Admitted {
                if set.is_at(version) {
                    return verdict;
                }
            } else if set.take(version) {
                for ((quota, found), tat) in quotas.as_slice().iter().zip(&found).zip(next) {
                    self.put(set, name(key, quota), quota, found.spot, tat, now);
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
        set: &Set<WAYS>,
        start: usize,
        key: LimitKey,
        quota: &Quota,
        cost: u64,
        now: Ticks,
    ) -> Verdict {
        let name = name(key, quota);
        let mut relax = Relax::default();
        loop {
            if let Some(version) = set.version() {
                let found = match set.held(name, start) {
                    Some((index, slot)) => Found { spot: Spot::Held(index), tat: Some(slot.tat()) },
                    None => set.find_one(quota, now, start),
                };
                let is_overflow = found.spot == Spot::Overflow;
                match gcra(found.tat, now, quota, cost) {
                    Decision::Admitted(tat) => {
                        if set.take(version) {
                            self.put(set, name, quota, found.spot, tat, now);
                            set.release(version);
                            let backlog = backlog(Some(tat), now);
                            return Verdict::of_one(Outcome::Admitted, backlog, is_overflow);
                        }
                    }
                    refused => {
                        if set.is_at(version) {
                            let outcome = match refused {
                                Decision::Never => Outcome::Never,
                                _ => Outcome::Refused,
                            };
                            return Verdict::of_one(outcome, backlog(found.tat, now), is_overflow);
                        }
                    }
                }
            }
            relax.relax();
        }
    }

    /// What a charge would say.
    pub(crate) fn peek(&self, key: LimitKey, quotas: &Quotas, cost: u64, now: Ticks) -> Verdict {
        let Some((set, start)) = self.set_of(key) else { return nothing() };
        let mut relax = Relax::default();
        loop {
            if let Some(version) = set.version() {
                let found = set.find(key, quotas, now, start);
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
        let Some((set, start)) = self.set_of(key) else { return };
        let mut relax = Relax::default();
        let version = loop {
            match set.version().filter(|version| set.take(*version)) {
                Some(version) => break version,
                None => relax.relax(),
            }
        };
        let found = set.find(key, quotas, now, start);
        for (quota, found) in quotas.as_slice().iter().zip(found) {
            let tat = match (by, found) {
                // What one owes beyond a whole burst is not put on all others.
                (Adjustment::Debit(units), Found { spot: Spot::Overflow, tat }) => {
                    let most =
                        Span { nanos: now.as_nanos().saturating_add(quota.full.nanos), part: 0 };
                    Tat(debit(tat, now, quota, units).0.min(most))
                }
                (Adjustment::Debit(units), Found { tat, .. }) => debit(tat, now, quota, units),
                (Adjustment::Refund(units), Found { spot: Spot::Held(_), tat: Some(tat) }) => {
                    refund(tat, now, quota, units)
                }
                // Nobody knows any more what there was, or others have used it too.
                (Adjustment::Refund(_), _) => continue,
            };
            self.put(set, name(key, quota), quota, found.spot, tat, now);
        }
        set.release(version);
    }

    fn put(&self, set: &Set<WAYS>, name: u64, quota: &Quota, spot: Spot, tat: Tat, now: Ticks) {
        let index = match spot {
            Spot::Held(index) | Spot::Free(index) => index,
            Spot::Overflow => {
                self.overflowed.fetch_add(1, Ordering::Relaxed);
                let overflow = set.overflow(quota);
                // Whoever is charged here may have other parts: a nanosecond too late is never too early.
                let later = tat.rounded_up().max(overflow.load(Ordering::Acquire));
                overflow.store(later, Ordering::Release);
                return;
            }
        };
        let Some(slot) = set.slots.get(index) else { return };
        let tolerance = match spot {
            Spot::Held(_) => slot.tolerance(),
            _ => {
                if slot.is_in_use(now) {
                    self.forgiven.fetch_add(1, Ordering::Relaxed);
                }
                slot.name.store(name, Ordering::Release);
                Tolerance::of(quota)
            }
        };
        slot.nanos.store(tat.0.nanos, Ordering::Release);
        slot.rest.store(tat.0.part << 16 | u64::from(tolerance.0), Ordering::Release);
    }

    /// The key's set, and where it begins to look there.
    fn set_of(&self, key: LimitKey) -> Option<(&Set<WAYS>, usize)> {
        let (_, high) = key.halves();
        let set = scaled(high as u32, self.sets.len());
        let start = scaled((high >> 32) as u32, WAYS);
        self.sets.get(set).map(|set| (set, start))
    }
}

impl<const WAYS: usize> Set<WAYS> {
    fn new() -> Self {
        let slots = std::array::from_fn(|_| Slot::default());
        Self { version: AtomicU64::new(0), overflow: Default::default(), slots }
    }

    /// `None` while somebody writes.
    fn version(&self) -> Option<u64> {
        let version = self.version.load(Ordering::Acquire);
        (version % 2 == 0).then_some(version)
    }

    /// Whether nobody has written since. What was read before was read with `Acquire`, so that this is not read before it.
    fn is_at(&self, version: u64) -> bool {
        #[cfg(keep_loom)]
        if crate::limits::is_blind() {
            return true;
        }
        self.version.load(Ordering::Acquire) == version
    }

    /// Keeps all others out, if nobody has written since.
    fn take(&self, version: u64) -> bool {
        let taken = version.wrapping_add(1);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.version.compare_exchange(version, taken, success, failure).is_ok()
    }

    fn release(&self, version: u64) {
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Where each of the key's numbers lies, or could, and what it is.
    fn find(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        now: Ticks,
        start: usize,
    ) -> [Found; Quotas::MAX] {
        let mut found = [Found { spot: Spot::Overflow, tat: None }; Quotas::MAX];
        let mut all = true;
        for (quota, found) in quotas.as_slice().iter().zip(&mut found) {
            match self.held(name(key, quota), start) {
                Some((index, slot)) => {
                    *found = Found { spot: Spot::Held(index), tat: Some(slot.tat()) };
                }
                None => all = false,
            }
        }
        if !all {
            self.find_room(&mut found, quotas.as_slice(), now, start);
        }
        found
    }

    /// Chooses places for those that have none.
    #[cold]
    fn find_room(
        &self,
        found: &mut [Found; Quotas::MAX],
        quotas: &[Quota],
        now: Ticks,
        start: usize,
    ) {
        for (place, quota) in quotas.iter().enumerate() {
            let is_mine = |index: usize| {
                let spots = found.iter().take(quotas.len()).map(|found| found.spot);
                spots.into_iter().any(|spot| spot == Spot::Held(index) || spot == Spot::Free(index))
            };
            let Some(Found { spot: Spot::Overflow, .. }) = found.get(place) else { continue };
            let spot = self.room(now, start, is_mine);
            // Whoever finds a place may have been charged to the shared number before, and does not begin anew.
            let nanos = self.overflow(quota).load(Ordering::Acquire);
            let tat = Tat(Span { nanos, part: 0 });
            if let Some(found) = found.get_mut(place) {
                *found = Found { spot, tat: Some(tat) };
            }
        }
    }

    /// Chooses a place for the one number of a key.
    #[cold]
    fn find_one(&self, quota: &Quota, now: Ticks, start: usize) -> Found {
        let mut found = [Found { spot: Spot::Overflow, tat: None }; Quotas::MAX];
        self.find_room(&mut found, std::slice::from_ref(quota), now, start);
        let [found, ..] = found;
        found
    }

    fn overflow(&self, quota: &Quota) -> &AtomicU64 {
        let [quick, slow] = &self.overflow;
        if quota.interval.nanos >> 30 == 0 { quick } else { slow }
    }

    /// The first empty place; else that of the key which is the next to have its whole burst again, of those that still have a unit.
    fn room(&self, now: Ticks, start: usize, is_mine: impl Fn(usize) -> bool) -> Spot {
        let mut best = None;
        for (index, slot) in self.from(start) {
            if is_mine(index) {
                continue;
            }
            if slot.name.load(Ordering::Acquire) == 0 {
                return Spot::Free(index);
            }
            let tat = slot.tat();
            if !slot.is_throttled(now) && best.is_none_or(|(least, _)| tat < least) {
                best = Some((tat, index));
            }
        }
        best.map_or(Spot::Overflow, |(_, index)| Spot::Free(index))
    }

    #[inline]
    fn held(&self, name: u64, start: usize) -> Option<(usize, &Slot)> {
        let mut index = start;
        for _ in 0..WAYS {
            let slot = self.slots.get(index)?;
            match slot.name.load(Ordering::Acquire) {
                0 => return None,
                found if found == name => return Some((index, slot)),
                _ => {}
            }
            index = if index + 1 == WAYS { 0 } else { index + 1 };
        }
        None
    }

    /// All places, from this one on and around.
    fn from(&self, start: usize) -> impl Iterator<Item = (usize, &Slot)> {
        let slots = || self.slots.iter().enumerate();
        slots().skip(start).chain(slots().take(start))
    }
}

impl Slot {
    fn tat(&self) -> Tat {
        let nanos = self.nanos.load(Ordering::Acquire);
        let part = self.rest.load(Ordering::Acquire) >> 16;
        Tat(Span { nanos, part })
    }

    /// Whether its key has not its whole burst.
    fn is_in_use(&self, now: Ticks) -> bool {
        self.tat().rounded_up() > now.as_nanos()
    }

    /// Whether its key has not one unit left. Such a one must not be forgotten.
    fn is_throttled(&self, now: Ticks) -> bool {
        let tolerance = self.tolerance().nanos();
        self.tat().rounded_up().saturating_sub(tolerance) > now.as_nanos()
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance(self.rest.load(Ordering::Acquire) as u16)
    }
}

/// How far off a key may have its whole burst and still have one unit, in 16 bits: six for the exponent and ten for the rest. It is
/// rounded down by less than a thousandth, so that a key may count as throttled a little longer than it is, and never shorter.
#[derive(Clone, Copy)]
struct Tolerance(u16);

impl Tolerance {
    fn of(quota: &Quota) -> Self {
        Self::from_nanos(quota.tolerance_nanos())
    }

    fn from_nanos(nanos: u64) -> Self {
        let Some(exponent) = nanos.checked_ilog2() else { return Self(0) };
        // The leading one is not written: what it leads has `exponent` bits, of which the first ten are.
        let rest = nanos - (1 << exponent);
        let rest = if exponent > 10 { rest >> (exponent - 10) } else { rest << (10 - exponent) };
        // The exponent is at most 61, since a burst comes back within 2^62 ns; so 0 is free to mean none.
        Self(((exponent + 1) as u16) << 10 | rest as u16)
    }

    fn nanos(self) -> u64 {
        let Some(exponent) = u32::from(self.0 >> 10).checked_sub(1) else { return 0 };
        let rest = u64::from(self.0 & 0x3ff);
        let rest = if exponent > 10 { rest << (exponent - 10) } else { rest >> (10 - exponent) };
        (1 << exponent) + rest
    }
}

/// What each quota says, and when the key has its whole burst again by each.
fn decide(
    quotas: &Quotas,
    found: &[Found; Quotas::MAX],
    cost: u64,
    now: Ticks,
) -> (Verdict, [Tat; Quotas::MAX]) {
    let mut next = [Tat::default(); Quotas::MAX];
    let mut outcome = Outcome::Admitted;
    let mut is_overflow = false;
    for ((quota, found), next) in quotas.as_slice().iter().zip(found).zip(&mut next) {
        is_overflow |= found.spot == Spot::Overflow;
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
    (Verdict { outcome, backlogs, is_overflow }, next)
}

/// Another for each quota of a key.
fn name(key: LimitKey, quota: &Quota) -> u64 {
    let (low, _) = key.halves();
    (low ^ quota.tag).max(1)
}

/// `number` of 2^32, as one of `count`.
fn scaled(number: u32, count: usize) -> usize {
    (u64::from(number) * count as u64 >> 32) as usize
}

/// There is no set: it never comes to this.
fn nothing() -> Verdict {
    Verdict::new(Outcome::Refused, [])
}

#[cfg(all(test, not(keep_loom)))]
mod tests;
