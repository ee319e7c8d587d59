//! Who is to be told when something changes.

use std::task::Waker;

/// The wakers of those who wait. All are woken at once, and then have to come again: of one alone it would
/// not be sure that it still is there.
#[derive(Default)]
pub(crate) struct Wakers {
    waiting: Vec<Waker>,
    /// Places of those who left.
    free: Vec<usize>,
    /// How often all were woken.
    round: u64,
}

/// Where somebody's waker lies, so that it is replaced and not added when its owner is polled again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seat {
    round: u64,
    place: Option<usize>,
}

impl Wakers {
    /// Has this one told of the next change. Answers the waker that was in its place, to be dropped when no
    /// lock is held any more: with the last waker of a task its futures may go, which may wait here too.
    #[must_use]
    pub(crate) fn wait(&mut self, seat: &mut Seat, waker: Waker) -> Option<Waker> {
        if let Some(seated) = self.seated(*seat) {
            return Some(std::mem::replace(seated, waker));
        }
        let place = self.free.pop().unwrap_or(self.waiting.len());
        *seat = Seat { round: self.round, place: Some(place) };
        match self.waiting.get_mut(place) {
            Some(free) => Some(std::mem::replace(free, waker)),
            None => {
                self.waiting.push(waker);
                None
            }
        }
    }

    /// No longer. Answers its waker, as [`Wakers::wait`] does.
    #[must_use]
    pub(crate) fn leave(&mut self, seat: &mut Seat) -> Option<Waker> {
        let left = self.seated(*seat).map(|waker| std::mem::replace(waker, Waker::noop().clone()));
        if left.is_some() {
            self.free.extend(seat.place);
        }
        seat.place = None;
        left
    }

    /// All who wait, to be woken when no lock is held any more.
    pub(crate) fn take(&mut self) -> Woken {
        if !self.waiting.is_empty() {
            self.round = self.round.wrapping_add(1);
            self.free.clear();
        }
        Woken(std::mem::take(&mut self.waiting))
    }

    fn seated(&mut self, seat: Seat) -> Option<&mut Waker> {
        let place = seat.place.filter(|_| seat.round == self.round)?;
        self.waiting.get_mut(place)
    }
}

/// Those who are to be woken.
#[must_use]
pub(crate) struct Woken(Vec<Waker>);

impl Woken {
    #[cfg_attr(keep_loom, track_caller)]
    pub(crate) fn wake(self) {
        // Each wake in its turn is left out, to show that the models find it missing: see `model/`.
        #[cfg(keep_loom)]
        if crate::wakes::is_left_out(std::panic::Location::caller()) {
            return;
        }
        self.0.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_and_leave_take_no_more_places_than_wait_at_a_time() {
        let mut wakers = Wakers::default();
        let waker = || Waker::noop().clone();
        let mut stays = Seat::default();
        let _ = wakers.wait(&mut stays, waker());
        for _ in 0..1000 {
            let mut seat = Seat::default();
            let _ = wakers.wait(&mut seat, waker());
            let _ = wakers.wait(&mut seat, waker());
            let _ = wakers.leave(&mut seat);
            let _ = wakers.leave(&mut seat);
        }
        assert_eq!(wakers.waiting.len(), 2);
    }

    #[test]
    fn a_seat_of_an_earlier_round_is_nobodys() {
        let mut wakers = Wakers::default();
        let waker = || Waker::noop().clone();
        let (mut one, mut other) = (Seat::default(), Seat::default());
        let _ = wakers.wait(&mut one, waker());
        assert_eq!(wakers.take().0.len(), 1);
        let _ = wakers.wait(&mut other, waker());
        let _ = wakers.leave(&mut one);
        assert!(wakers.free.is_empty(), "the place is another's now");
        let _ = wakers.wait(&mut one, waker());
        assert_eq!(wakers.take().0.len(), 2);
    }
}
