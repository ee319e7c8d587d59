//! A set of keys: its version, and where a key's numbers lie in it.

use crate::limit::gcra::Tat;
use crate::limit::key::LimitKey;
use crate::limit::quota::{PARTS_MAX, Quota, Quotas, Span};
use crate::limit::table::tolerance::Tolerance;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Ticks;

/// Keys whose digests are alike in some bits. Aligned so that few lines of a processor's memory are touched: of most sets the first alone.
#[repr(align(128))]
pub(super) struct Set<const WAYS: usize> {
    pub(super) version: AtomicU64,
    pub(super) slots: [Slot; WAYS],
}

/// When those without a place have their whole burst again, in nanoseconds: by quotas of which a unit comes back within a second or so, and
/// by slower ones, so that what a slow one has to wait for does not hold up the others. Written with the set taken.
#[derive(Default)]
pub(super) struct Overflow([AtomicU64; 2]);

/// One number of a key. A slot that was taken once is never empty again, so that nobody need look behind an empty one.
#[derive(Default)]
pub(super) struct Slot {
    /// The [`Name`] of the key and its quota, 40 bits; the parts of a nanosecond of its theoretical arrival time, 14 bits; and the
    /// [`Tolerance`] of the quota, 10 bits. 0 if nobody has it.
    word: AtomicU64,
    /// The theoretical arrival time: nanoseconds.
    nanos: AtomicU64,
}

/// Of a key and its quota: 40 bits that are not all 0, at the upper end of a word. With those of the set, two keys are taken for one once in
/// some 10^11 times that they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u64);

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
        Self { version: AtomicU64::new(0), slots }
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
        overflow: &Overflow,
    ) -> [Found; Quotas::MAX] {
        let mut found = [Found { spot: Spot::Overflow, tat: None }; Quotas::MAX];
        let mut all = true;
        for (quota, found) in quotas.as_slice().iter().zip(&mut found) {
            match self.held(Name::of(key, quota)) {
                Some((index, slot)) => {
                    *found = Found { spot: Spot::Held(index), tat: Some(slot.tat()) };
                }
                None => all = false,
            }
        }
        if !all {
            self.find_room(&mut found, quotas.as_slice(), now, overflow);
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
        overflow: &Overflow,
    ) {
        for (place, quota) in quotas.iter().enumerate() {
            let is_mine = |index: usize| {
                let spots = found.iter().take(quotas.len()).map(|found| found.spot);
                spots.into_iter().any(|spot| spot == Spot::Held(index) || spot == Spot::Free(index))
            };
            let Some(Found { spot: Spot::Overflow, .. }) = found.get(place) else { continue };
            let spot = self.room(now, is_mine);
            // Whoever finds a place may have been charged to the shared number before, and does not begin anew.
            let nanos = overflow.of(quota).load(Ordering::Acquire);
            let tat = Tat(Span { nanos, part: 0 });
            if let Some(found) = found.get_mut(place) {
                *found = Found { spot, tat: Some(tat) };
            }
        }
    }

    /// Chooses a place for the one number of a key.
    #[cold]
    pub(super) fn find_one(&self, quota: &Quota, now: Ticks, overflow: &Overflow) -> Found {
        let mut found = [Found { spot: Spot::Overflow, tat: None }; Quotas::MAX];
        self.find_room(&mut found, std::slice::from_ref(quota), now, overflow);
        let [found, ..] = found;
        found
    }

    /// The first empty place; else that of the key which is the next to have its whole burst again, of those that are not throttled.
    fn room(&self, now: Ticks, is_mine: impl Fn(usize) -> bool) -> Spot {
        let mut best = None;
        for (index, slot) in self.slots.iter().enumerate() {
            if is_mine(index) {
                continue;
            }
            if slot.word.load(Ordering::Acquire) == 0 {
                return Spot::Free(index);
            }
            let tat = slot.tat();
            if !slot.is_throttled(now) && best.is_none_or(|(least, _)| tat < least) {
                best = Some((tat, index));
            }
        }
        best.map_or(Spot::Overflow, |(_, index)| Spot::Free(index))
    }

    pub(super) fn held(&self, name: Name) -> Option<(usize, &Slot)> {
        for (index, slot) in self.slots.iter().enumerate() {
            match slot.word.load(Ordering::Acquire) {
                0 => return None,
                word if name.is_of(word) => return Some((index, slot)),
                _ => {}
            }
        }
        None
    }
}

impl Overflow {
    pub(super) fn of(&self, quota: &Quota) -> &AtomicU64 {
        let Self([quick, slow]) = self;
        if quota.interval.nanos >> 30 == 0 { quick } else { slow }
    }
}

impl Slot {
    pub(super) fn tat(&self) -> Tat {
        let nanos = self.nanos.load(Ordering::Acquire);
        let part = (self.word.load(Ordering::Acquire) >> TOLERANCE_BITS) & (PARTS_MAX - 1);
        Tat(Span { nanos, part })
    }

    /// With the set taken.
    pub(super) fn put(&self, name: Name, tat: Tat, tolerance: Tolerance) {
        let word = name.0 | tat.0.part << TOLERANCE_BITS | u64::from(tolerance.0);
        self.word.store(word, Ordering::Release);
        self.nanos.store(tat.0.nanos, Ordering::Release);
    }

    /// Whether its key has not its whole burst.
    pub(super) fn is_in_use(&self, now: Ticks) -> bool {
        self.tat().rounded_up() > now.as_nanos()
    }

    /// Whether its key has not left what it was charged at once. Such a one must not be forgotten, or who is refused frees himself by a flood
    /// of others.
    fn is_throttled(&self, now: Ticks) -> bool {
        let tolerance = self.tolerance().nanos();
        self.tat().rounded_up().saturating_sub(tolerance) > now.as_nanos()
    }

    pub(super) fn tolerance(&self) -> Tolerance {
        let word = self.word.load(Ordering::Acquire);
        Tolerance((word & ((1 << TOLERANCE_BITS) - 1)) as u16)
    }
}

impl Name {
    /// Another for each quota of a key.
    pub(super) fn of(key: LimitKey, quota: &Quota) -> Self {
        let (low, _) = key.halves();
        Self(((low ^ quota.tag) >> BELOW_NAME).max(1) << BELOW_NAME)
    }

    fn is_of(self, word: u64) -> bool {
        (self.0 ^ word) >> BELOW_NAME == 0
    }
}

const TOLERANCE_BITS: u32 = 10;
const BELOW_NAME: u32 = TOLERANCE_BITS + PARTS_MAX.ilog2();
