//! What all handles share: the keys as they are known, and the one fetch that may be on its way.
//!
//! *Invariant:* the lock is held for a few steps, never across an await, and no code of others runs under it: neither a client
//! and its errors, nor a clock, nor a waker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::auth::jwk::KeySet;
use crate::auth::jwks::error::JwksError;
use crate::auth::jwks::events;
use crate::auth::jwks::fetch::{Boxed, Client, Fetched, Known, Place, fetch};
use crate::auth::jwks::pace::{Held, Pace, Rules, Standing, Turn};
use crate::auth::jwks::stats::{Counts, JwksStats};
use crate::cache::spawn::Spawn;
use crate::clock::Clock;
use crate::entropy::random;
use crate::time::Moment;

pub(super) type Fetch = Boxed<Result<Fetched, JwksError>>;

pub(super) struct Shared {
    pub(super) rules: Rules,
    pub(super) waiters_max: usize,
    pub(super) place: Arc<Place>,
    pub(super) client: Arc<dyn Client>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) spawn: Arc<dyn Spawn>,
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    /// Whether there is a task that fetches without a request.
    pub(super) is_driven: AtomicBool,
    pub(super) state: Mutex<State>,
    pub(super) counts: Counts,
}

/// The last good set, and how it stands.
pub(super) struct Snapshot {
    pub(super) keys: KeySet,
    left_out: usize,
    held: Held,
    standing: Standing,
}

#[derive(Default)]
pub(super) struct State {
    pace: Pace,
    /// Drawn anew for each fetch.
    jitter: u8,
    known: Known,
    /// When the fetch on its way began.
    began: Moment,
    /// The fetch on its way, while nobody polls it.
    pub(super) fetch: Option<Fetch>,
    /// How many fetches were begun, and how many have ended.
    begun: u64,
    pub(super) ended: u64,
    /// Who waits for the end of it, by number.
    pub(super) waiting: BTreeMap<u64, Option<Waker>>,
    came: u64,
    error: Option<JwksError>,
    bell: Option<Waker>,
    is_rung: bool,
    is_closed: bool,
}

/// What the task that fetches without a request does next.
pub(super) enum Step {
    Poll(Fetch),
    Sleep(Duration),
    End,
}

/// What who asks for newer keys does next.
pub(super) enum Asked {
    /// Waits by this number until so many fetches have ended.
    Wait {
        number: u64,
        until: u64,
    },
    /// So many wait already that it is turned away.
    Full,
    Rest {
        left: Duration,
        has_failed: bool,
    },
}

impl Shared {
    /// The keys, if there are any that count at this time.
    pub(super) fn usable(&self, now: Moment) -> Option<KeySet> {
        let snapshot = self.snapshot.load();
        let Snapshot { keys, held, standing, .. } = snapshot.as_deref()?;
        let is_driven = self.is_driven.load(Ordering::Relaxed);
        held.is_usable(*standing, is_driven, now, &self.rules).then(|| keys.clone())
    }

    pub(super) fn ask(&self, now: Moment) -> Asked {
        let mut state = self.lock();
        match state.pace.ask(now.ticks, &self.rules) {
            Turn::Rest { left, has_failed } => return Asked::Rest { left, has_failed },
            Turn::Begin => {
                let fetch = self.begin(&mut state, now);
                state.fetch = Some(fetch);
            }
            Turn::Join if state.waiting.len() >= self.waiters_max => return Asked::Full,
            Turn::Join => {}
        }
        state.came += 1;
        let number = state.came;
        state.waiting.insert(number, None);
        Asked::Wait { number, until: state.begun }
    }

    pub(super) fn step(&self, now: Moment) -> Step {
        let mut state = self.lock();
        if state.is_closed {
            return Step::End;
        }
        if let Some(fetch) = state.fetch.take() {
            return Step::Poll(fetch);
        }
        if state.pace.is_in_flight() {
            // By a request that began before there was a task. It has ended by then.
            return Step::Sleep(self.rules.deadline);
        }
        let held = self.snapshot.load().as_deref().map(|snapshot| snapshot.held);
        let due_in = state.pace.due_in(held.as_ref(), state.jitter, now, &self.rules);
        if due_in.is_zero() && state.pace.ask(now.ticks, &self.rules) == Turn::Begin {
            return Step::Poll(self.begin(&mut state, now));
        }
        Step::Sleep(due_in.max(SLEEP_MIN))
    }

    fn begin(&self, state: &mut State, now: Moment) -> Fetch {
        self.counts.fetches.add();
        state.begun += 1;
        state.began = now;
        self.publish(state, None);
        let (client, place) = (self.client.clone(), self.place.clone());
        let (known, clock) = (state.known.clone(), self.clock.clone());
        let Rules { admission, deadline, .. } = self.rules;
        Box::pin(
            async move { fetch(client, place, admission, known, now, clock.sleep(deadline)).await },
        )
    }

    /// The fetch on its way has come to this.
    pub(super) fn land(&self, result: Result<Fetched, JwksError>) {
        events::fetched(&result);
        let [jitter, ..] = random();
        let (_before, waiting) = {
            let mut state = self.lock();
            let before = state.error.take();
            state.jitter = jitter;
            state.ended = state.begun;
            state.pace.landed(result.is_ok());
            let good = self.take_in(&mut state, result);
            self.publish(&state, good);
            (before, std::mem::take(&mut state.waiting))
        };
        waiting.into_values().flatten().for_each(Waker::wake);
    }

    /// The set that there is now, where the fetch was good.
    fn take_in(&self, state: &mut State, result: Result<Fetched, JwksError>) -> Option<Snapshot> {
        let Fetched { keys, interval, known } = match result {
            Ok(fetched) => fetched,
            Err(error) => {
                self.counts.failures.add();
                if error.kind().is_refusal() {
                    self.counts.refused.add();
                }
                // Where the metadata sent us may be what is wrong.
                state.known.url = None;
                state.error = Some(error);
                return None;
            }
        };
        state.known = known;
        let last = self.snapshot.load_full();
        let (keys, left_out, interval) = match (keys, last) {
            (Some((keys, left_out)), _) => (keys, left_out, self.rules.interval(interval)),
            (None, Some(last)) => {
                self.counts.not_modified.add();
                // RFC 9111 §4.3.4: what the 304 does not say anew stays.
                let interval =
                    interval.map_or(last.held.interval, |said| self.rules.interval(Some(said)));
                (last.keys.clone(), last.left_out, interval)
            }
            (None, None) => return None,
        };
        let held = Held { at: state.began, interval };
        let standing = state.pace.standing(false)?;
        Some(Snapshot { keys, left_out, held, standing })
    }

    /// Lets readers know how it stands, of the set that came or else of the last one.
    fn publish(&self, state: &State, good: Option<Snapshot>) {
        let next = good.or_else(|| {
            let last = self.snapshot.load();
            let last = last.as_deref()?;
            let standing = state.pace.standing(last.standing.is_failing)?;
            let (keys, held) = (last.keys.clone(), last.held);
            Some(Snapshot { keys, left_out: last.left_out, held, standing })
        });
        if let Some(next) = next {
            self.snapshot.store(Some(Arc::new(next)));
        }
    }

    /// Gives a fetch that nobody polls to one who will: the task, where there is one, or else one of those who wait.
    pub(super) fn hand_over(&self) {
        let next = {
            let mut state = self.lock();
            match state.fetch {
                None => None,
                Some(_) if self.is_driven.load(Ordering::Relaxed) => {
                    state.is_rung = true;
                    state.bell.take()
                }
                Some(_) => state.waiting.values_mut().find_map(Option::take),
            }
        };
        next.into_iter().for_each(Waker::wake);
    }

    /// Whether something has happened since this was asked last; if not, the task is woken when it does.
    pub(super) fn is_rung(&self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        let before = state.bell.replace(waker);
        let is_rung = std::mem::take(&mut state.is_rung);
        drop(state);
        drop(before);
        is_rung
    }

    /// Whether the last handle is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub(super) fn close(&self) {
        let (bell, fetch) = {
            let mut state = self.lock();
            state.is_closed = true;
            state.is_rung = true;
            (state.bell.take(), state.fetch.take())
        };
        drop(fetch);
        bell.into_iter().for_each(Waker::wake);
    }

    pub(super) fn retry_after(&self, now: Moment) -> Duration {
        self.lock().pace.retry_after(now.ticks, &self.rules)
    }

    pub(super) fn last_error(&self) -> Option<JwksError> {
        self.lock().error.clone()
    }

    pub(super) fn stats(&self) -> JwksStats {
        let now = self.clock.now();
        let (waiting, last_error) = {
            let state = self.lock();
            (state.waiting.len() as u64, state.error.as_ref().map(JwksError::kind))
        };
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_deref();
        let Counts { fetches, failures, refused, not_modified, unavailable } = &self.counts;
        JwksStats {
            fetches: fetches.read(),
            failures: failures.read(),
            refused: refused.read(),
            not_modified: not_modified.read(),
            unavailable: unavailable.read(),
            waiting,
            keys: snapshot.map_or(0, |snapshot| snapshot.keys.keys().len() as u64),
            left_out: snapshot.map_or(0, |snapshot| snapshot.left_out as u64),
            age: snapshot.map(|snapshot| snapshot.held.age(now)),
            last_error,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the clocks differ, so that the task does not spin.
const SLEEP_MIN: Duration = Duration::from_millis(1);
