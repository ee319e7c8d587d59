//! Stamps in a fixed number of bytes, the least recently purged at the end.

use std::time::Duration;

use ahash::RandomState;
use lru::LruCache;

use crate::cache::mark::{Mark, PurgeKind, Purged, Standing, Target};
use crate::time::Ticks;

pub(super) struct Table {
    stamps: LruCache<Target, Stamp, RandomState>,
    stamps_max: usize,
    /// What began before it may have been purged by a stamp that had to go.
    floor: Mark,
    /// How long a stamp is of use; `None`: always.
    of_use_for: Option<Duration>,
}

/// Mark 0, which no purge has, where there was none.
#[derive(Clone, Copy, Default)]
struct Stamp {
    hard: Mark,
    soft: Mark,
    noted: Ticks,
}

impl Table {
    pub(super) fn new(bytes_max: usize, of_use_for: Option<Duration>) -> Self {
        Self {
            stamps: LruCache::unbounded_with_hasher(RandomState::new()),
            stamps_max: stamps_max(bytes_max),
            floor: Mark::default(),
            of_use_for,
        }
    }

    pub(super) fn floor(&self) -> Mark {
        self.floor
    }

    pub(super) fn standing(&self, began: Mark, target: Target) -> Standing {
        match self.stamps.peek(&target) {
            Some(stamp) if stamp.hard > began => Standing::Gone,
            Some(stamp) if stamp.soft > began => Standing::Soft,
            _ => Standing::Good,
        }
    }

    /// The last purge of the target before this one, and whether this one was not known.
    pub(super) fn note(&mut self, purged: Purged, now: Ticks) -> (Option<Mark>, bool) {
        let known = self.stamps.peek(&purged.target).copied();
        let mut stamp = known.unwrap_or_default();
        let last = stamp.hard.max(stamp.soft);
        let previous = (last > Mark::default()).then_some(last);
        let mark = match purged.kind {
            PurgeKind::Hard => &mut stamp.hard,
            PurgeKind::Soft => &mut stamp.soft,
        };
        // Also when its stamp has gone already, the floor covers what it was of.
        if *mark >= purged.at || (known.is_none() && self.floor >= purged.at) {
            return (previous.filter(|earlier| *earlier < purged.at), false);
        }
        *mark = purged.at;
        stamp.noted = now;
        if known.is_none() && !self.make_room(now) {
            self.raise(purged.at);
        } else {
            self.stamps.put(purged.target, stamp);
        }
        (previous, true)
    }

    pub(super) fn raise(&mut self, floor: Mark) {
        self.floor = self.floor.max(floor);
    }

    pub(super) fn keep_all(&mut self) {
        self.of_use_for = None;
    }

    pub(super) fn clear(&mut self) {
        self.stamps.clear();
        self.floor = Mark::default();
    }

    /// False where there can be none.
    fn make_room(&mut self, now: Ticks) -> bool {
        while self.stamps.len() >= self.stamps_max {
            let Some((_, gone)) = self.stamps.pop_lru() else { return false };
            let is_of_use = self.of_use_for.is_none_or(|length| now.since(gone.noted) <= length);
            // What was purged softly is still where it was.
            if is_of_use || gone.soft > gone.hard {
                self.raise(gone.hard.max(gone.soft));
            }
        }
        true
    }
}

/// How many stamps have room: each takes a node, and a place in a hash table. That has a power of two of
/// buckets; where stamps come and go it grows until they fill less than half of what it takes, 7 of 8,
/// and while it grows the old one, half as large, is still there.
fn stamps_max(bytes_max: usize) -> usize {
    let most = |buckets: usize| {
        let rest = bytes_max.saturating_sub(buckets * BUCKET_BYTES * 3 / 2);
        (rest / NODE_BYTES).min(buckets * 7 / 16)
    };
    (4..40).map(|bits| most(1 << bits)).max().unwrap_or(0)
}

/// A target, a stamp and two links make 56 bytes; allocators add a word and round up to 64.
const NODE_BYTES: usize = 64;
/// Two pointers and a control byte.
const BUCKET_BYTES: usize = 17;

#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests {
    use super::*;

    fn purged(name: u8, at: u64) -> Purged {
        Purged { target: target(name), kind: PurgeKind::Hard, at: Mark::new(at) }
    }

    fn target(name: u8) -> Target {
        Target::from_bytes([name; 16])
    }

    fn holding(stamps: usize, of_use_for: Option<Duration>) -> Table {
        let table = Table::new(0, of_use_for);
        Table { stamps_max: stamps, ..table }
    }

    #[test]
    fn a_table_of_eight_megabytes_holds_fifty_thousand_stamps() {
        assert_eq!(size_of::<Target>() + size_of::<Stamp>() + 2 * size_of::<usize>(), 56);
        assert!(stamps_max(8 << 20) > 50_000, "{}", stamps_max(8 << 20));
        assert_eq!((stamps_max(0), stamps_max(1)), (0, 0));
        assert!(stamps_max(4096) > 16);
    }

    #[test]
    fn a_stamp_forced_out_while_it_is_of_use_raises_the_floor() {
        for (of_use_for, age, floor) in [
            (None, 1_000_000, 1),
            (Some(Duration::from_nanos(10)), 10, 1),
            (Some(Duration::from_nanos(10)), 11, 0),
        ] {
            let mut table = holding(1, of_use_for);
            table.note(purged(1, 1), Ticks::from_nanos(0));
            table.note(purged(2, 2), Ticks::from_nanos(age));
            assert_eq!(table.floor(), Mark::new(floor), "{of_use_for:?} {age}");
            assert_eq!(table.standing(Mark::new(0), target(2)), Standing::Gone);
        }
    }

    #[test]
    fn what_is_purged_again_stays_and_keeps_its_greater_marks() {
        let mut table = holding(2, None);
        let now = Ticks::default();
        for (name, at) in [(1, 1), (2, 2), (1, 3), (1, 2), (3, 4)] {
            table.note(purged(name, at), now);
        }
        assert_eq!(table.floor(), Mark::new(2), "the second was purged least recently");
        assert_eq!(table.standing(Mark::new(2), target(1)), Standing::Gone);
        assert_eq!(table.standing(Mark::new(3), target(1)), Standing::Good);
    }

    #[test]
    fn a_purge_that_is_known_already_is_not_new() {
        let mut table = holding(2, None);
        let now = Ticks::default();
        assert_eq!(table.note(purged(1, 5), now), (None, true));
        assert_eq!(table.note(purged(1, 5), now), (None, false));
        assert_eq!(table.note(purged(1, 4), now), (None, false));
        assert_eq!(table.note(purged(1, 6), now), (Some(Mark::new(5)), true));
        table.raise(Mark::new(9));
        assert_eq!(table.note(purged(2, 9), now), (None, false));
        assert_eq!(table.note(purged(2, 10), now), (None, true));
    }

    #[test]
    fn a_table_without_room_makes_what_began_before_any_purge_unknown() {
        let mut table = Table::new(0, Some(Duration::ZERO));
        assert_eq!(table.note(purged(1, 7), Ticks::default()), (None, true));
        assert_eq!(table.floor(), Mark::new(7));
    }
}
