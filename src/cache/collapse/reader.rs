//! One who reads a body that others may read too.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::cache::collapse::asking::{Asked, Asking};
use crate::cache::collapse::shared::{Settled, Shared};
use crate::cache::collapse::state::{End, Next};
use crate::cache::collapse::wakers::{Seat, Woken};
use crate::cache::collapse::{Head, Source, Task};
use crate::error::BoxError;
use crate::rules::reason::Reason;

/// A reader at its place. Dropped as the last one before the end, the body goes on in the background, where
/// that can be.
pub(crate) struct Reader<H: Head> {
    flight: Arc<Shared<H>>,
    slot: usize,
    /// It is the answer to its own request.
    is_leader: bool,
    seat: Seat,
    /// While others are too far behind: where the slowest is, since which turn, and until when.
    stall: Option<(u64, u64, Option<Task>)>,
    /// The inner body, when nobody else reads it and it is not stored.
    own: Option<Own>,
    /// It reads for nobody, so that the body comes to be stored.
    is_background: bool,
}

/// Why a reader did not come to the end.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The inner body's own error.
    Inner(BoxError),
    /// The inner body failed, which another reader was told by its error; or it ended too early.
    Interrupted,
    /// This reader was too slow for the others.
    Stalled,
}

/// The inner body, when it is one reader's alone.
struct Own {
    source: Pin<Box<dyn Source>>,
    /// How much of the Content-Length, if there is one, is yet to come.
    left: u64,
}

type Read = Poll<Option<Result<Frame<Bytes>, ReadError>>>;

impl<H: Head> Reader<H> {
    pub(super) fn new(flight: Arc<Shared<H>>, slot: usize, is_leader: bool) -> Self {
        Self {
            flight,
            slot,
            is_leader,
            seat: Seat::default(),
            stall: None,
            own: None,
            is_background: false,
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Read {
        loop {
            if let Some(own) = &mut self.own {
                let frame = ready!(own.poll_frame(cx));
                return Poll::Ready(frame.map(|frame| frame.map(|frame| self.of_mine(frame))));
            }
            let mut waker = Some(cx.waker().clone());
            let (next, woken) = {
                let mut state = self.flight.lock();
                let next = state.next(self.slot, self.is_leader, &mut self.seat, &mut waker);
                let has_freed = matches!(next, Next::Data(_)) && state.forget(&*self.flight.keeper);
                (next, has_freed.then(|| state.wakers.take()))
            };
            if let Some(woken) = woken {
                woken.wake();
            }
            match next {
                Next::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Next::Trailers(all) => return Poll::Ready(Some(Ok(Frame::trailers(all)))),
                Next::End => return Poll::Ready(None),
                Next::Error(error) => return Poll::Ready(Some(Err(error))),
                Next::Own { source, left } => self.own = Some(Own { source, left }),
                Next::Wait { is_blocked, replaced } => {
                    drop(replaced);
                    if !is_blocked {
                        self.stall = None;
                        return Poll::Pending;
                    }
                    if self.is_waited_out(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Next::Poll(source) => {
                    let asking =
                        Asking { flight: &self.flight, slot: self.slot, source: Some(source) };
                    match asking.ask(&mut self.seat, cx) {
                        Asked::Answer(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        Asked::Something => {}
                        Asked::Nothing => return Poll::Pending,
                        Asked::Again => {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                }
            }
        }
    }

    /// The frame as it is for this reader: of the trailers those that are for others too.
    fn of_mine(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match (frame.trailers_ref(), self.flight.head()) {
            (Some(trailers), Some(head)) if !self.is_leader => {
                Frame::trailers(head.shared(trailers))
            }
            _ => frame,
        }
    }

    /// Waits for the slowest reader, and cuts it off when it has not moved for as long as it may.
    fn is_waited_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(slowest) = self.flight.lock().slowest() else { return Poll::Ready(()) };
        let keeper = &self.flight.keeper;
        let (_, turn, sleep) = match &mut self.stall {
            Some(stall) if stall.0 == slowest => stall,
            stall => {
                let turn = self.flight.lock().begin_turn();
                stall.insert((slowest, turn, keeper.sleep(READER_STALL_MAX)))
            }
        };
        let (turn, Some(sleep)) = (*turn, sleep) else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.stall = None;
        let woken = {
            let mut state = self.flight.lock();
            state.cut_off(turn);
            state.forget(&**keeper);
            state.wakers.take()
        };
        woken.wake();
        Poll::Ready(())
    }

    /// Whether it may come to be stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.flight.lock().sink.is_some()
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        if let Some(own) = &self.own {
            return own.is_end_stream();
        }
        let state = self.flight.lock();
        let place = state.place_of(self.slot);
        let is_at_end = place.is_some_and(|place| place >= state.gathered.end());
        match &state.end {
            Some(End::Whole { trailers, shared }) => {
                match if self.is_leader { trailers } else { shared } {
                    None => is_at_end,
                    Some(_) => place.is_some_and(|place| place > state.gathered.end()),
                }
            }
            _ => false,
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let state = self.flight.lock();
        let Some(place) = state.place_of(self.slot).filter(|_| self.own.is_none()) else {
            return SizeHint::new();
        };
        let left = match (&state.end, state.limits.exact) {
            // An exact size would make HTTP/1.1 servers send a length, which leaves no room for trailers.
            (Some(End::Whole { trailers: None, .. }), _) => Some(state.gathered.end()),
            (None, Some(exact)) if !state.limits.awaits_trailers => Some(exact),
            _ => None,
        };
        let left = left.and_then(|end| end.checked_sub(place));
        left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }

    /// Reads to the end, for nobody; but not for ever.
    pub(crate) async fn go_on(mut self) {
        let mut late = self.flight.keeper.sleep(GOES_ON_MAX);
        poll_fn(|cx| {
            if late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(());
            }
            match self.poll_frame(cx) {
                // For nobody, and not for the store: it is too long.
                Poll::Ready(Some(Ok(_))) if !self.is_stored() => Poll::Ready(()),
                Poll::Ready(Some(Ok(_))) => {
                    // One frame at a time: there is no hurry.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }

    /// What becomes of the body when this reader leaves.
    fn leaving(&mut self) -> Leaving {
        let mut state = self.flight.lock();
        let is_last = state.reading == 1 && state.waiting == 0;
        let is_to_be_stored = state.sink.is_some() && state.end.is_none();
        if is_last && is_to_be_stored && state.place_of(self.slot).is_some() {
            // RFC 9112 §6.3: a message is whole when its Content-Length is, and HTTP/1.1 servers ask for no
            // more then.
            if state.is_at_length() && !state.limits.awaits_trailers {
                return Leaving::Whole;
            }
            if !self.is_background && !std::thread::panicking() {
                return Leaving::GoesOn;
            }
        }
        let replaced = state.wakers.leave(&mut self.seat);
        state.unseat(self.slot);
        state.forget(&*self.flight.keeper);
        // Whoever waits for this one to ask the inner body, or to read, need not wait any longer.
        Leaving::Left { replaced, woken: state.wakers.take(), is_deserted: state.is_deserted() }
    }
}

impl Own {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Read {
        let frame = match ready!(self.source.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            // RFC 9112 §6.3: not whole, whatever the inner body says.
            None if self.left > 0 => return Poll::Ready(Some(Err(ReadError::Interrupted))),
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(ReadError::Inner(error)))),
        };
        match frame.data_ref() {
            Some(data) => self.left = self.left.saturating_sub(data.len() as u64),
            None if self.left > 0 => return Poll::Ready(Some(Err(ReadError::Interrupted))),
            None => {}
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.source.is_end_stream()
    }
}

enum Leaving {
    Whole,
    GoesOn,
    Left { replaced: Option<Waker>, woken: Woken, is_deserted: bool },
}

impl<H: Head> Drop for Reader<H> {
    fn drop(&mut self) {
        loop {
            match self.leaving() {
                Leaving::Whole => self.flight.settle(Settled::Ended(None)),
                Leaving::GoesOn => {
                    let (flight, slot) = (self.flight.clone(), self.slot);
                    let mut rest = Self::new(flight, slot, self.is_leader);
                    rest.is_background = true;
                    // Dropped without having begun, it leaves for this one.
                    self.flight.keeper.keep_on(Box::pin(rest.go_on()));
                    return;
                }
                Leaving::Left { replaced, woken, is_deserted } => {
                    drop(replaced);
                    woken.wake();
                    if is_deserted {
                        self.flight.settle(Settled::Broke(None, Reason::ClientLeft));
                    }
                    return;
                }
            }
        }
    }
}

/// So long the others wait for a reader that is too far behind.
const READER_STALL_MAX: Duration = Duration::from_secs(5);
/// So long a body goes on that nobody reads any more.
const GOES_ON_MAX: Duration = Duration::from_secs(60);
