//! The flights of a core: who may wait for whom, and what flights need of it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::cache::collapse::{Joined, Keeper, Lead, Shared, Task, Yielding};
use crate::cache::core::Core;
use crate::cache::entry::Checked;
use crate::cache::flow::Landing;
use crate::cache::key::{CacheKey, HashedKey};
use crate::cache::landing::{Begun, FlightKey};
use crate::cache::mark::Standing;
use crate::cache::place::Place;
use crate::cache::subject::Untagged;
use crate::clock::Clock;
use crate::rules::policy::CachePolicy;
use crate::rules::request::Demand;
use crate::store::Store;
use crate::time::Ticks;

impl<St: Store, C: Clock> Core<St, C> {
    /// What a flight that begins now has to note.
    pub(crate) fn begun(&self) -> Begun {
        let (position, doubts) = (self.stamps.position(), self.doubts());
        Begun { position, doubts, turned_down: 0 }
    }

    /// The same key for the table of flights.
    pub(crate) fn flight_key(&self, key: CacheKey) -> FlightKey {
        HashedKey::new(key, &self.filing.hasher)
    }

    /// Leads the flight of this key to refresh what is stored, where nobody else leads it, and no refresh has
    /// failed a short while ago.
    pub(crate) fn lead_refresh(
        self: &Arc<Self>,
        key: &FlightKey,
    ) -> Option<Lead<FlightKey, Landing>> {
        if self.flights.rests(key, self.clock.now().ticks) {
            return None;
        }
        let keeper: Arc<dyn Keeper> = self.clone();
        match self.flights.join(key, &keeper, false, || self.begun(), |_| true) {
            Joined::Lead(lead) => Some(lead),
            Joined::Follow(_) | Joined::Alone | Joined::BackedOff { .. } => None,
        }
    }

    /// Joins the flight of this key, unless what it brings cannot be for this request; `doubts` is how many
    /// purges had not reached the ledger when it came.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &FlightKey,
        place: &Place,
        demand: &Demand,
        policy: &CachePolicy,
        doubts: u64,
    ) -> Joined<FlightKey, Landing> {
        let keeper: Arc<dyn Keeper> = self.clone();
        let turned_down = Cell::new(0);
        let is_of_use = |flight: &Shared<Landing>| {
            let begun = flight.begun;
            if begun.doubts != doubts {
                return false;
            }
            match flight.head() {
                // RFC 9111 §5.2.1.4: it was not asked for on behalf of this request.
                _ if demand.forces_validation() && !flight.is_fetching() => false,
                Some(head) => {
                    let now = self.clock.now();
                    self.standing(head.meta(), place, now) == Standing::Good
                        && policy.reuse(*demand, head.meta(), Standing::Good, now).serves()
                }
                None if begun.position == self.stamps.position() => true,
                None => {
                    let subject = Untagged { secret: &self.secret, place };
                    let checked = Checked::default();
                    if self.stamps.standing(begun.position, &checked.0, &subject) != Standing::Good
                    {
                        return false;
                    }
                    // Whether it has one of the tags that were purged since is not known before its head is there.
                    // But where tags are purged all the time, some wait all the same, and look then.
                    let is_doubtful = begun.turned_down < TURNED_DOWN_MAX
                        && self.stamps.any_tag_since(begun.position);
                    turned_down.set(begun.turned_down + u8::from(is_doubtful));
                    !is_doubtful
                }
            }
        };
        let begun = || Begun { turned_down: turned_down.get(), ..self.begun() };
        self.flights.join(key, &keeper, true, begun, is_of_use)
    }
}

/// A body of which nothing came for so long makes room for others.
const STILL_MAX: Duration = Duration::from_secs(5);
/// So many are asked to, at a time.
const YIELDING_MAX: usize = 16;
/// So many flights of one key may be in the air because tags were purged that may be theirs.
const TURNED_DOWN_MAX: u8 = 8;

/// What flights need of a core.
impl<St: Store, C: Clock> Keeper for Core<St, C> {
    fn keep_on(&self, work: Task) {
        let _ = self.background.keep_on(work);
    }

    fn now(&self) -> Ticks {
        self.clock.now().ticks
    }

    fn sleep(&self, length: Duration) -> Option<Task> {
        self.clock.sleep(length)
    }

    fn take(&self, bytes: u64) -> bool {
        let before = self.in_flight.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.in_flight_max.load(Ordering::Relaxed)
    }

    fn give_back(&self, bytes: u64) {
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn make_room(&self, bytes: u64) {
        let max = self.in_flight_max.load(Ordering::Relaxed);
        let has_room = || self.in_flight.load(Ordering::Relaxed).saturating_add(bytes) <= max;
        if has_room() {
            return;
        }
        let now = self.clock.now().ticks.as_nanos();
        let still = u64::try_from(STILL_MAX.as_nanos()).unwrap_or(u64::MAX);
        let still_since = Ticks::from_nanos(now.saturating_sub(still));
        for _ in 0..YIELDING_MAX {
            let oldest = self.yielding().pop_front();
            let Some(oldest) = oldest else { return };
            if let Some(body) = oldest.upgrade() {
                body.yield_room(still_since);
                self.yielding().push_back(oldest);
            }
            if has_room() {
                return;
            }
        }
    }

    fn note(&self, body: Weak<dyn Yielding>) {
        let mut yielding = self.yielding();
        if yielding.len() == yielding.capacity() {
            // Before it grows: what is over need not be asked.
            yielding.retain(|body| body.strong_count() > 0);
            // Not one by one from now on, if few were.
            let more = yielding.len().max(64);
            yielding.reserve(more);
        }
        yielding.push_back(body);
    }
}

impl<St, C> Core<St, C> {
    fn yielding(&self) -> MutexGuard<'_, VecDeque<Weak<dyn Yielding>>> {
        self.yielding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_in_flight_bytes_max(&self, bytes: u64) {
        self.in_flight_max.store(bytes, Ordering::Relaxed);
    }
}
