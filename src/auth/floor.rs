//! A wall clock that is never set back.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::{Moment, Ticks, Timestamp};

/// What the time is at least: whatever the wall clock has shown before, and as much later as has passed since.
///
/// So a step back of the wall clock makes no token good again that has expired.
#[derive(Debug)]
pub(crate) struct Floor(AtomicI64);

impl Floor {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// The wall clock, or what it would show had it not been set back.
    pub(crate) fn at(&self, now: Moment) -> Timestamp {
        let ticks = now.ticks.since(Ticks::from_nanos(0));
        let ahead = now.wall.minus(ticks).as_millis();
        let most = match self.0.load(Ordering::Relaxed) {
            most if most >= ahead => most,
            _ => self.0.fetch_max(ahead, Ordering::Relaxed).max(ahead),
        };
        // The two clocks are read one after the other, and rounded.
        match most.saturating_sub(ahead) {
            ..=ROUNDING_MILLIS => now.wall,
            _ => Timestamp::from_millis(most).plus(ticks),
        }
    }
}

const ROUNDING_MILLIS: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall_secs: i64, ticks_secs: u64) -> Moment {
        let ticks = Ticks::from_nanos(ticks_secs * 1_000_000_000);
        Moment { wall: Timestamp::from_secs(wall_secs), ticks }
    }

    #[test]
    fn j20_the_wall_clock_goes_on_from_where_it_was_when_it_is_set_back() {
        let floor = Floor::new();
        assert_eq!(floor.at(moment(1_000, 5)).as_secs(), 1_000);
        assert_eq!(floor.at(moment(1_010, 15)).as_secs(), 1_010);
        assert_eq!(floor.at(moment(500, 20)).as_secs(), 1_015);
        assert_eq!(floor.at(moment(510, 30)).as_secs(), 1_025, "and goes on");
        assert_eq!(floor.at(moment(2_000, 40)).as_secs(), 2_000, "a step ahead counts at once");
        assert_eq!(floor.at(moment(1_040, 40)).as_secs(), 2_000);
    }

    #[test]
    fn j20_all_clocks_saturate() {
        let floor = Floor::new();
        for wall in [i64::MIN, i64::MAX, 0] {
            for ticks in [0, u64::MAX] {
                let wall = Timestamp::from_millis(wall);
                floor.at(Moment { wall, ticks: Ticks::from_nanos(ticks) });
            }
        }
    }
}
