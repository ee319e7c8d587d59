//! Asking the inner body for more, on behalf of all who read.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Frame;

use crate::cache::collapse::shared::{Settled, Shared};
use crate::cache::collapse::wakers::Seat;
use crate::cache::collapse::{Head, Source};
use crate::error::BoxError;
use crate::rules::reason::Reason;

/// A reader that polls the inner body, without the lock. If the body panics, it has ended with that.
pub(super) struct Asking<'a, H: Head> {
    pub(super) flight: &'a Arc<Shared<H>>,
    pub(super) slot: usize,
    pub(super) source: Option<Pin<Box<dyn Source>>>,
}

/// What came of it.
pub(super) enum Asked {
    /// What this reader reads next.
    Answer(Bytes),
    /// Something, which lies where everybody finds it.
    Something,
    /// Nothing yet; this reader is told when there is more.
    Nothing,
    /// Nothing yet, but the body wants to be asked again.
    Again,
}

enum Taken {
    Ended(Settled),
    /// The inner body is given back.
    More(Option<Bytes>),
    /// All that the Content-Length announced is there: is it the end?
    AtLength(Option<Bytes>),
}

impl<H: Head> Asking<'_, H> {
    pub(super) fn ask(mut self, seat: &mut Seat, cx: &mut Context<'_>) -> Asked {
        let shared = Waker::from(self.flight.clone());
        let mut answer = None;
        loop {
            let Some(source) = self.source.as_mut() else { return Asked::Something };
            let made = source.as_mut().poll_frame(&mut Context::from_waker(&shared));
            let is_over = source.is_end_stream();
            let Poll::Ready(made) = made else {
                let asked = self.rest(seat, cx.waker());
                return answer.map_or(asked, Asked::Answer);
            };
            match self.take_in(made, is_over, answer.is_none()) {
                Taken::Ended(settled) => {
                    drop(self.source.take());
                    self.flight.settle(settled);
                    return answer.map_or(Asked::Something, Asked::Answer);
                }
                Taken::More(data) => {
                    return answer.or(data).map_or(Asked::Something, Asked::Answer);
                }
                // HTTP/1.1 servers drop a body at its Content-Length, so whether it ends there has to be found
                // out now.
                Taken::AtLength(data) => answer = answer.or(data),
            }
        }
    }

    /// Keeps what the inner body made; for this reader it is the answer, if it `wants` one.
    fn take_in(
        &mut self,
        made: Option<Result<Frame<Bytes>, BoxError>>,
        is_over: bool,
        wants: bool,
    ) -> Taken {
        let frame = match made {
            None => return Taken::Ended(Settled::Ended(None)),
            Some(Err(error)) => {
                return Taken::Ended(Settled::Broke(Some(error), Reason::BodyError));
            }
            Some(Ok(frame)) => frame,
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            // Trailers are the last frame there is.
            Err(frame) => return Taken::Ended(Settled::Ended(frame.into_trailers().ok())),
        };
        // Before the lock: others are locked for it.
        self.flight.keeper.make_room(data.len() as u64);
        // What is over makes no room: most bodies are one frame, and need no clock for it.
        let moved_at = (!is_over).then(|| self.flight.keeper.now());
        let (sink, woken, taken, is_first) = {
            let mut state = self.flight.lock();
            let is_first = !is_over && !std::mem::replace(&mut state.is_noted, true);
            state.moved_at = moved_at.unwrap_or(state.moved_at);
            let answers = wants && state.place_of(self.slot) == Some(state.gathered.end());
            let (sink, reason) = state.take_in(&data, &*self.flight.keeper);
            let answer = answers.then(|| {
                let end = state.gathered.end();
                state.move_to(self.slot, end);
                state.forget(&*self.flight.keeper);
                data
            });
            let taken = if !is_over && state.is_at_length() {
                Taken::AtLength(answer)
            } else {
                Taken::More(answer)
            };
            if !is_over && matches!(taken, Taken::More(_)) {
                (state.source, state.is_polled) = (self.source.take(), false);
            }
            (sink.map(|sink| (sink, reason)), state.wakers.take(), taken, is_first)
        };
        if is_first {
            let this: Weak<Shared<H>> = Arc::downgrade(self.flight);
            self.flight.keeper.note(this);
        }
        woken.wake();
        if let Some((sink, reason)) = sink {
            sink.abandon(self.flight, reason);
        }
        if is_over {
            drop(self.source.take());
            self.flight.settle(Settled::Ended(None));
        }
        taken
    }

    /// Gives back the inner body, which has nothing for now.
    fn rest(&mut self, seat: &mut Seat, waker: &Waker) -> Asked {
        let source = self.source.take();
        let waker = waker.clone();
        let (woken, replaced, asked) = {
            let mut state = self.flight.lock();
            (state.source, state.is_polled) = (source, false);
            state.is_armed = !state.is_woken;
            let replaced = state.wakers.wait(seat, waker);
            if state.is_woken {
                // Meanwhile: who came to wait since may wait for nobody.
                (Some(state.wakers.take()), replaced, Asked::Again)
            } else {
                (None, replaced, Asked::Nothing)
            }
        };
        drop(replaced);
        if let Some(woken) = woken {
            woken.wake();
        }
        asked
    }
}

impl<H: Head> Drop for Asking<'_, H> {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            // Only a panic leaves it here.
            drop(source);
            self.flight.settle(Settled::Broke(None, Reason::BodyError));
        }
    }
}
