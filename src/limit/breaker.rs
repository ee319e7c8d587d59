//! Spares a store that fails.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Ticks;

/// After a failure the store is not asked for a while, then by one request; each failure more doubles the while.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Not asked before, in ticks; 0 where it may be asked.
    closed_until: AtomicU64,
    /// The failures in a row.
    failures: AtomicU64,
}

/// How a request came to ask the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The store works.
    Open,
    /// It has failed, and this one tries it again; nobody else does until then, in ticks.
    Trying { until: u64 },
}

impl Breaker {
    /// Whether to ask the store. Of those who try one that has failed there is one at a time, for `patience` at least.
    pub(crate) fn way(&self, now: Ticks, patience: Duration) -> Option<Way> {
        let closed_until = self.closed_until.load(Ordering::Acquire);
        if closed_until == 0 {
            return Some(Way::Open);
        }
        if closed_until > now.as_nanos() {
            return None;
        }
        let next = now.plus(patience).as_nanos().max(1);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let is_first = self.closed_until.compare_exchange(closed_until, next, success, failure);
        is_first.is_ok().then_some(Way::Trying { until: next })
    }

    pub(crate) fn worked(&self, way: Way) {
        if matches!(way, Way::Trying { .. }) {
            self.failures.store(0, Ordering::Release);
            self.closed_until.store(0, Ordering::Release);
        }
    }

    /// Whoever tried it has gone before there was an answer, so that the next may try: a client that leaves does not keep the store from
    /// being asked.
    pub(crate) fn left(&self, way: Way) {
        if let Way::Trying { until } = way {
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            let _ = self.closed_until.compare_exchange(until, 1, success, failure);
        }
    }

    pub(crate) fn failed(&self, way: Way, now: Ticks) {
        // Of all that were on their way when it failed, one counts.
        if way == Way::Open && self.closed_until.load(Ordering::Acquire) != 0 {
            return;
        }
        let before = self.failures.fetch_add(1, Ordering::AcqRel);
        let doublings = u32::try_from(before).unwrap_or(u32::MAX).min(DOUBLINGS_MAX);
        let spared = SPARED_FOR.saturating_mul(1 << doublings);
        self.closed_until.store(now.plus(spared).as_nanos().max(1), Ordering::Release);
    }
}

/// After the first failure; after the seventh and later ones it is 64 times as long, 6.4 s.
const SPARED_FOR: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Ticks {
        Ticks::from_nanos(millis * 1_000_000)
    }

    fn trying(until: u64) -> Way {
        Way::Trying { until: until * 1_000_000 }
    }

    #[test]
    fn when_the_one_that_tries_goes_away_the_next_one_tries_at_once() {
        let breaker = Breaker::default();
        breaker.failed(Way::Open, at(0));
        let first = breaker.way(at(100), PATIENCE).unwrap();
        breaker.left(first);
        let second = breaker.way(at(101), PATIENCE);
        assert_eq!(second, Some(trying(151)));
        breaker.left(first);
        assert_eq!(breaker.way(at(102), PATIENCE), None, "it was another that left");
        breaker.failed(trying(151), at(103));
        breaker.left(trying(151));
        assert_eq!(breaker.way(at(104), PATIENCE), None, "it had an answer");
    }

    #[test]
    fn a_store_that_failed_is_spared_then_tried_by_one_and_longer_after_each_failure() {
        let breaker = Breaker::default();
        assert_eq!(breaker.way(at(1), PATIENCE), Some(Way::Open));
        for _ in 0..9 {
            breaker.failed(Way::Open, at(1)); // all that were on their way
        }
        assert_eq!(breaker.way(at(100), PATIENCE), None);
        assert_eq!(breaker.way(at(101), PATIENCE), Some(trying(151)));
        assert_eq!(breaker.way(at(101), PATIENCE), None, "one at a time");
        breaker.failed(trying(151), at(110));
        assert_eq!(breaker.way(at(309), PATIENCE), None);
        assert_eq!(breaker.way(at(310), PATIENCE), Some(trying(360)));
        // The one that tried is never heard of again.
        assert_eq!(breaker.way(at(360), PATIENCE), Some(trying(410)));
        breaker.worked(trying(410));
        assert_eq!(breaker.way(at(361), PATIENCE), Some(Way::Open));
        // Failures of before count no more; and who asked before it failed says nothing of now.
        breaker.failed(Way::Open, at(400));
        breaker.worked(Way::Open);
        assert_eq!(breaker.way(at(499), PATIENCE), None);
        assert_eq!(breaker.way(at(500), PATIENCE), Some(trying(550)));
    }

    #[test]
    fn it_is_never_spared_for_longer_than_six_seconds_and_a_half() {
        let breaker = Breaker::default();
        let mut now = at(0);
        for _ in 0..100 {
            now = now.plus(Duration::from_millis(6_400));
            let way = breaker.way(now, PATIENCE);
            assert!(way.is_some());
            breaker.failed(way.unwrap_or(Way::Open), now);
        }
    }
}
