//! A set of keys: its version, and where a key's numbers lie in it.

use crate::limit::gcra::Tat;
use crate::limit::key::LimitKey;
use crate::limit::quota::{Quota, Quotas, Span};
use crate::limit::table::tolerance::Tolerance;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Ticks;

/// Keys whose digests are alike in some bits. Aligned as processors share memory.
#[repr(align(64))]
pub(super) struct Set<const WAYS: usize> {
    pub(super) version: AtomicU64,
    /// When those without a place have their whole burst again, in nanoseconds: by quotas of which a unit comes back within a
    /// second or so, and by slower ones, so that what a slow one has to wait for does not hold up the others.
    pub(super) overflow: [AtomicU64; 2],
    pub(super) slots: [Slot; WAYS],
}

/// One number of a key. A slot that was taken once is never empty again, so that nobody need look behind an empty one.
#[derive(Default)]
pub(super) struct Slot {
    /// Of the key and its quota; 0 if nobody has it.
    pub(super) name: AtomicU64,
    /// The theoretical arrival time: nanoseconds.
    pub(super) nanos: AtomicU64,
    /// Its parts of a nanosecond, 48 bits; and the [`Tolerance`] of the quota, 16 bits.
    pub(super) rest: AtomicU64,
}

/// Where a number lies, or could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Held(usize),
    /// Empty, or of a key that may be forgotten.
    Free(usize),
    Overflow,
}

/// What was read, and what is to be written.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) spot: Spot,
    pub(super) tat: Option<Tat>,
}

impl<const WAYS: usize> Set<WAYS> {
    pub(super) fn new() -> Self {
        let slots = std::array::from_fn(|_| Slot::default());
        Self { version: AtomicU64::new(0), overflow: Default::default(), slots }
    }

    /// `None` while somebody writes.
    pub(super) fn version(&self) -> Option<u64> {
        let version = self.version.load(Ordering::Acquire);
        version.is_multiple_of(2).then_some(version)
    }

    /// Whether nobody has written since. What was read before was read with `Acquire`, so that this is not read before it.
    pub(super) fn is_at(&self, version: u64) -> bool {
        #[cfg(keep_loom)]
        if crate::limits::is_blind() {
            return true;
        }
        self.version.load(Ordering::Acquire) == version
    }

    /// Keeps all others out, if nobody has written since.
    pub(super) fn take(&self, version: u64) -> bool {
        let taken = version.wrapping_add(1);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        self.version.compare_exchange(version, taken, success, failure).is_ok()
    }

    pub(super) fn release(&self, version: u64) {
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Where each of the key's numbers lies, or could, and what it is.
    pub(super) fn find(
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
    pub(super) fn find_one(&self, quota: &Quota, now: Ticks, start: usize) -> Found {
        let mut found = [Found { spot: Spot::Overflow, tat: None }; Quotas::MAX];
        self.find_room(&mut found, std::slice::from_ref(quota), now, start);
        let [found, ..] = found;
        found
    }

    pub(super) fn overflow(&self, quota: &Quota) -> &AtomicU64 {
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

    pub(super) fn held(&self, name: u64, start: usize) -> Option<(usize, &Slot)> {
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
    pub(super) fn tat(&self) -> Tat {
        let nanos = self.nanos.load(Ordering::Acquire);
        let part = self.rest.load(Ordering::Acquire) >> 16;
        Tat(Span { nanos, part })
    }

    /// Whether its key has not its whole burst.
    pub(super) fn is_in_use(&self, now: Ticks) -> bool {
        self.tat().rounded_up() > now.as_nanos()
    }

    /// Whether its key has not one unit left. Such a one must not be forgotten.
    fn is_throttled(&self, now: Ticks) -> bool {
        let tolerance = self.tolerance().nanos();
        self.tat().rounded_up().saturating_sub(tolerance) > now.as_nanos()
    }

    pub(super) fn tolerance(&self) -> Tolerance {
        Tolerance(self.rest.load(Ordering::Acquire) as u16)
    }
}

/// Another for each quota of a key.
pub(super) fn name(key: LimitKey, quota: &Quota) -> u64 {
    let (low, _) = key.halves();
    (low ^ quota.tag).max(1)
}
