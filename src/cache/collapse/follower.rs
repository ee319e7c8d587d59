//! One who waits for what a leader fetches.

use std::future::poll_fn;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cache::collapse::reader::Reader;
use crate::cache::collapse::shared::{Settled, Shared};
use crate::cache::collapse::table::{Lead, Table};
use crate::cache::collapse::wakers::Seat;
use crate::cache::collapse::{Head, Task};
use crate::cache::flight::{Event, Failure, Prospect};
use crate::rules::reason::Reason;
use crate::time::Ticks;

/// Waits for the head. Whoever is the last to leave a flight that nobody leads ends it.
pub(crate) struct Follower<K: Hash + Eq + Clone, H: Head> {
    table: Arc<Table<K, H>>,
    key: K,
    flight: Arc<Shared<H>>,
    seat: Seat,
}

/// What came of waiting.
pub(crate) enum Arrival<H: Head> {
    /// A head; and a place to read the body from its beginning, where it is still coming.
    Landed(Arc<H>, Reader<H>),
    /// Nobody leads, after this failure: see [`Follower::lead`].
    Vacant(Option<Failure>),
    /// Each has to ask for itself.
    Alone,
    /// There is nothing to be had for now.
    Failed(Failure),
}

impl<K: Hash + Eq + Clone, H: Head> Follower<K, H> {
    /// To be called under the lock of the table, so that the flight does not end unseen.
    pub(super) fn new(table: Arc<Table<K, H>>, key: K, flight: Arc<Shared<H>>) -> Self {
        flight.lock().waiting += 1;
        Self { table, key, flight, seat: Seat::default() }
    }

    pub(crate) fn flight(&self) -> &Shared<H> {
        &self.flight
    }

    /// Waits until there is a head, or somebody has to take over. `late` is for how long since there is a leader:
    /// after that the flight counts as failed, for all who wait.
    pub(crate) async fn arrival(
        &mut self,
        late: &mut Option<(Ticks, Option<Task>)>,
        sleep: impl Fn(Ticks) -> Option<Task>,
    ) -> Arrival<H> {
        poll_fn(|cx| {
            if let Poll::Ready(arrival) = self.poll_arrival(cx) {
                return Poll::Ready(arrival);
            }
            let led_at = self.flight.led_at();
            if late.as_ref().is_none_or(|(since, _)| *since != led_at) {
                *late = Some((led_at, sleep(led_at)));
            }
            let sleep = late.as_mut().and_then(|(_, sleep)| sleep.as_mut());
            if sleep.is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                self.table.expire(&self.key, &self.flight);
                return self.poll_arrival(cx);
            }
            Poll::Pending
        })
        .await
    }

    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Arrival<H>> {
        let waker = cx.waker().clone();
        let (arrival, replaced) = {
            let mut state = self.flight.lock();
            match state.flight.prospect() {
                Prospect::Wait => (None, state.wakers.wait(&mut self.seat, waker)),
                Prospect::Vacant(after) => (Some(Arrival::Vacant(after)), None),
                Prospect::Alone => (Some(Arrival::Alone), None),
                Prospect::Failed(failure) => (Some(Arrival::Failed(failure)), None),
                Prospect::Read => match state.head.clone() {
                    Some(head) => {
                        let slot = state.seat_reader();
                        let reader = Reader::new(self.flight.clone(), slot, false);
                        (Some(Arrival::Landed(head, reader)), None)
                    }
                    // It is being made into what is stored.
                    None => (None, state.wakers.wait(&mut self.seat, waker)),
                },
            }
        };
        drop(replaced);
        arrival.map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes over, where nobody has meanwhile.
    pub(crate) fn lead(self) -> Result<Lead<K, H>, Self> {
        let now = self.flight.keeper.now();
        let is_led = {
            let mut state = self.flight.lock();
            let is_led = state.flight.on(Event::Led);
            if is_led {
                state.led_at = now;
            }
            is_led
        };
        match is_led {
            true => Ok(Lead::new(self.table.clone(), self.key.clone(), self.flight.clone())),
            false => Err(self),
        }
    }
}

impl<K: Hash + Eq + Clone, H: Head> Drop for Follower<K, H> {
    fn drop(&mut self) {
        let (replaced, is_deserted, is_vacant) = {
            let mut state = self.flight.lock();
            state.waiting -= 1;
            let is_last = state.waiting == 0;
            let is_vacant = matches!(state.flight.prospect(), Prospect::Vacant(_));
            (state.wakers.leave(&mut self.seat), state.is_deserted(), is_last && is_vacant)
        };
        drop(replaced);
        if is_deserted {
            self.flight.settle(Settled::Broke(None, Reason::ClientLeft));
        }
        if is_vacant {
            self.table.remove_idle(&self.key, &self.flight);
        }
    }
}
