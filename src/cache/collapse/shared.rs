//! A flight as those see it who share it: its state under a lock, and the polling of the inner body without.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use bytes::Bytes;
use http::HeaderMap;

use crate::cache::collapse::gathered::Gathered;
use crate::cache::collapse::reader::Reader;
use crate::cache::collapse::state::{End, Limits, State};
use crate::cache::collapse::wakers::Woken;
use crate::cache::collapse::{Head, Keeper, Sink, Source, Yielding};
use crate::cache::flight::{Event, Flight, Prospect};
use crate::error::BoxError;
use crate::rules::reason::Reason;
use crate::sync::lock::{Mutex, MutexGuard};
use crate::time::Ticks;

/// One flight. *Invariant*: nothing that others wrote (a body, a waker, a sink) is called or dropped while its
/// lock is held.
pub(crate) struct Shared<H: Head> {
    pub(crate) begun: H::Begun,
    pub(super) keeper: Arc<dyn Keeper>,
    state: Mutex<State<H>>,
}

/// A body that many are to read.
pub(crate) struct Body<H: Head> {
    pub(crate) source: Pin<Box<dyn Source>>,
    pub(crate) sink: Box<dyn Sink<H>>,
    /// The Content-Length, if there is one.
    pub(crate) length: Option<u64>,
    pub(crate) bytes_max: u64,
    pub(crate) awaits_trailers: bool,
    pub(crate) exact: Option<u64>,
}

impl<H: Head> Shared<H> {
    /// One that has just begun, with a leader since `now`.
    pub(crate) fn new(
        keeper: Arc<dyn Keeper>,
        begun: H::Begun,
        after_failure: bool,
        now: Ticks,
    ) -> Arc<Self> {
        let state = Mutex::new(State::new(Flight::new(after_failure), now));
        Arc::new(Self { begun, keeper, state })
    }

    pub(crate) fn prospect(&self) -> Prospect {
        self.lock().flight.prospect()
    }

    /// Since when there is a leader.
    pub(super) fn led_at(&self) -> Ticks {
        self.lock().led_at
    }

    /// Whether its head is yet to come: the inner service is being asked.
    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.prospect(), Prospect::Wait | Prospect::Vacant(_))
    }

    pub(crate) fn head(&self) -> Option<Arc<H>> {
        self.lock().head.clone()
    }

    /// The head is there and the body begins. Answers the leader's reader.
    pub(crate) fn streams(self: &Arc<Self>, head: Arc<H>, body: Body<H>) -> Reader<H> {
        let is_over = body.source.is_end_stream();
        let slot;
        let woken = {
            let mut state = self.lock();
            slot = state.seat_reader();
            state.head = Some(head);
            state.gathered = Gathered::new(body.length.or(body.exact).unwrap_or(0));
            state.limits = Limits {
                length: body.length,
                bytes_max: body.bytes_max,
                awaits_trailers: body.awaits_trailers,
                exact: body.exact,
                is_outgrown: false,
            };
            (state.source, state.sink) = (Some(body.source), Some(body.sink));
            state.flight.on(Event::Streams);
            state.wakers.take()
        };
        if is_over {
            // Servers need not poll a body that says it is at its end.
            self.settle(Settled::Ended(None));
        }
        woken.wake();
        Reader::new(self.clone(), slot, true)
    }

    /// Something happened to the flight before its body began. Answers whether anything came of it.
    pub(super) fn note(&self, event: Event) -> bool {
        let (is_news, woken) = {
            let mut state = self.lock();
            (state.flight.on(event), state.wakers.take())
        };
        woken.wake();
        is_news
    }

    /// What the response was made into, for those who come before the store has it; with its body, where that is
    /// not in the head.
    pub(crate) fn is_now(&self, head: Arc<H>, body: Option<Bytes>) {
        let woken = {
            let mut state = self.lock();
            if let Some(body) = body.filter(|_| state.gathered.bytes() == 0) {
                state.gathered.put_back(body);
            }
            state.head = Some(head);
            state.wakers.take()
        };
        woken.wake();
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        match state.flight.prospect() {
            Prospect::Failed(_) | Prospect::Alone => true,
            Prospect::Vacant(_) => state.waiting == 0,
            Prospect::Wait | Prospect::Read => false,
        }
    }

    /// All of a response is there.
    pub(super) fn landed(&self, head: Arc<H>) {
        let woken = {
            let mut state = self.lock();
            state.head = Some(head);
            state.flight.on(Event::Landed);
            state.wakers.take()
        };
        woken.wake();
    }

    /// The body came to its end, one way or the other.
    pub(super) fn settle(self: &Arc<Self>, settled: Settled) {
        let (sink, source, end, woken, head) = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            let is_short = state.limits.length.is_some_and(|length| state.gathered.end() < length);
            let (end, reason) = match settled {
                // RFC 9112 §6.3: not whole, whatever the inner body says.
                Settled::Ended(_) if is_short => (End::Broken(None), Some(Reason::Length)),
                Settled::Ended(trailers) => {
                    let own = trailers.as_ref();
                    let shared = state.head.as_ref().zip(own).map(|(head, all)| head.shared(all));
                    (End::Whole { trailers, shared }, None)
                }
                Settled::Broke(error, reason) => (End::Broken(error), Some(reason)),
            };
            let done = match (&end, state.sink.is_some()) {
                (End::Whole { trailers, .. }, true) => Ok((state.taken(), trailers.clone())),
                _ => Err(reason.unwrap_or(Reason::TooLarge)),
            };
            let event = if matches!(end, End::Whole { .. }) { Event::Ended } else { Event::Broke };
            state.flight.on(event);
            state.end = Some(end);
            (state.is_polled, state.is_armed) = (false, false);
            state.give_all_back(&*self.keeper);
            let head = if state.sink.is_some() { state.head.take() } else { None };
            (state.sink.take(), state.source.take(), done, state.wakers.take(), head)
        };
        drop(source);
        woken.wake();
        match (sink, end, head) {
            (Some(sink), Ok((body, trailers)), Some(head)) => {
                sink.complete(self, head, body, trailers);
            }
            (Some(sink), Err(reason), _) => sink.abandon(self, reason),
            (Some(sink), _, None) => sink.abandon(self, Reason::BodyError),
            (None, ..) => {}
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a body ended.
pub(super) enum Settled {
    Ended(Option<HeaderMap>),
    Broke(Option<BoxError>, Reason),
}

impl<H: Head> Drop for Shared<H> {
    fn drop(&mut self) {
        let keeper = self.keeper.clone();
        self.lock().give_all_back(&*keeper);
    }
}

impl<H: Head> Yielding for Shared<H> {
    fn yield_room(self: Arc<Self>, still_since: Ticks) {
        let sink = {
            let mut state = self.lock();
            if state.end.is_some() || state.sink.is_none() || state.moved_at > still_since {
                return;
            }
            // Nobody waits for that: who waits, waits for the inner body.
            let sink = state.outgrow();
            state.forget(&*self.keeper);
            sink
        };
        if let Some(sink) = sink {
            sink.abandon(&self, Reason::TooLarge);
        }
    }
}

impl<H: Head> Wake for Shared<H> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken: Woken = {
            let mut state = self.lock();
            state.is_armed = false;
            state.is_woken = true;
            state.wakers.take()
        };
        woken.wake();
    }
}
