//! What a flight holds under its lock.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use http::HeaderMap;

use crate::cache::collapse::gathered::Gathered;
use crate::cache::collapse::wakers::{Seat, Wakers};
use crate::cache::collapse::{Head, Keeper, ReadError, Sink, Source};
use crate::cache::flight::{Event, Flight};
use crate::error::BoxError;
use crate::rules::reason::Reason;
use crate::time::Ticks;

pub(super) struct State<H: Head> {
    pub(super) flight: Flight,
    /// Since when there is a leader.
    pub(super) led_at: Ticks,
    /// When the inner body made something last.
    pub(super) moved_at: Ticks,
    /// It is noted as one that may have to make room.
    pub(super) is_noted: bool,
    /// Who waits for the head.
    pub(super) waiting: usize,
    pub(super) wakers: Wakers,
    pub(super) head: Option<Arc<H>>,
    pub(super) gathered: Gathered,
    /// Taken out while it is polled.
    pub(super) source: Option<Pin<Box<dyn Source>>>,
    /// Somebody polls the source, without the lock.
    pub(super) is_polled: bool,
    /// The source said that it will wake us, and has not done so yet.
    pub(super) is_armed: bool,
    /// It did while it was polled.
    pub(super) is_woken: bool,
    pub(super) end: Option<End>,
    /// Until the body has ended, or is known not to be stored.
    pub(super) sink: Option<Box<dyn Sink<H>>>,
    /// How far each reader has come.
    readers: Vec<Option<At>>,
    /// Counts how often somebody began to wait for the slowest.
    turn: u64,
    pub(super) reading: usize,
    /// How much memory was asked for and not given back.
    charged: u64,
    pub(super) limits: Limits,
}

/// Where a reader is, and in which turn it came there.
#[derive(Clone, Copy)]
struct At {
    place: u64,
    turn: u64,
}

/// How a body ended.
pub(super) enum End {
    /// With trailers as they came, and as they are for those who did not ask for them.
    Whole { trailers: Option<HeaderMap>, shared: Option<HeaderMap> },
    /// With the error of the inner body, for the first who comes to it.
    Broken(Option<BoxError>),
}

#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    /// The Content-Length, if there is one.
    pub(super) length: Option<u64>,
    /// How much is gathered; when it is outgrown, how far readers may be apart.
    pub(super) bytes_max: u64,
    /// A length leaves open whether trailers follow, where the head announces some.
    pub(super) awaits_trailers: bool,
    /// What the inner body said its exact length was.
    pub(super) exact: Option<u64>,
    pub(super) is_outgrown: bool,
}

/// What a reader does next.
pub(super) enum Next {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    Error(ReadError),
    /// Ask the inner body for more.
    Poll(Pin<Box<dyn Source>>),
    /// The inner body is this reader's alone from now on.
    Own {
        source: Pin<Box<dyn Source>>,
        /// How much of the Content-Length, if there is one, is yet to come.
        left: u64,
    },
    /// Wait for others. `is_blocked` where the slowest reader is too far behind.
    Wait {
        is_blocked: bool,
        replaced: Option<Waker>,
    },
}

impl<H: Head> State<H> {
    pub(super) fn new(flight: Flight, led_at: Ticks) -> Self {
        Self {
            flight,
            led_at,
            moved_at: led_at,
            is_noted: false,
            turn: 0,
            waiting: 0,
            wakers: Wakers::default(),
            head: None,
            gathered: Gathered::default(),
            source: None,
            is_polled: false,
            is_armed: false,
            is_woken: false,
            end: None,
            sink: None,
            readers: Vec::new(),
            reading: 0,
            charged: 0,
            limits: Limits::default(),
        }
    }

    /// A place for one more reader, at the beginning.
    pub(super) fn seat_reader(&mut self) -> usize {
        self.reading += 1;
        // Places that were left are taken again where they are more than half of all.
        let free = match self.reading * 2 < self.readers.len() {
            true => self.readers.iter().position(Option::is_none),
            false => None,
        };
        match free.and_then(|slot| Some((slot, self.readers.get_mut(slot)?))) {
            Some((slot, place)) => {
                *place = Some(At { place: 0, turn: self.turn });
                slot
            }
            None => {
                self.readers.push(Some(At { place: 0, turn: self.turn }));
                self.readers.len() - 1
            }
        }
    }

    /// The reader leaves its place. Answers whether it had one.
    pub(super) fn unseat(&mut self, slot: usize) -> bool {
        let place = self.readers.get_mut(slot).and_then(Option::take);
        self.reading -= usize::from(place.is_some());
        place.is_some()
    }

    /// Somebody begins to wait for the slowest. Answers the turn.
    pub(super) fn begin_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Cuts off all who have something to read and have not moved since that turn began.
    pub(super) fn cut_off(&mut self, turn: u64) {
        let end = self.gathered.end();
        for slot in 0..self.readers.len() {
            let at = self.readers.get(slot).copied().flatten();
            if at.is_some_and(|at| at.turn < turn && at.place < end) {
                self.unseat(slot);
            }
        }
    }

    /// Whether nobody reads the body or waits for it any more, though it has not ended.
    pub(super) fn is_deserted(&self) -> bool {
        self.reading == 0 && self.waiting == 0 && self.head.is_some() && self.end.is_none()
    }

    /// How far the slowest reader has come.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.readers.iter().flatten().map(|at| at.place).min()
    }

    pub(super) fn place_of(&self, slot: usize) -> Option<u64> {
        self.readers.get(slot).copied().flatten().map(|at| at.place)
    }

    pub(super) fn move_to(&mut self, slot: usize, place: u64) {
        let turn = self.turn;
        if let Some(reader) = self.readers.get_mut(slot) {
            *reader = Some(At { place, turn });
        }
    }

    pub(super) fn next(
        &mut self,
        slot: usize,
        is_leader: bool,
        seat: &mut Seat,
        waker: &mut Option<Waker>,
    ) -> Next {
        let Some(place) = self.place_of(slot) else { return Next::Error(ReadError::Stalled) };
        if let Some(data) = self.gathered.read(place) {
            self.move_to(slot, place + data.len() as u64);
            return Next::Data(data);
        }
        match &mut self.end {
            // Not reached: what somebody has still to read is kept.
            Some(End::Whole { .. }) if place < self.gathered.end() => {
                return Next::Error(ReadError::Interrupted);
            }
            Some(End::Whole { trailers, shared }) => {
                let trailers = if is_leader { trailers } else { shared };
                let trailers = trailers.clone().filter(|_| place <= self.gathered.end());
                if trailers.is_some() {
                    // Behind the last byte: they were read.
                    self.move_to(slot, place + 1);
                }
                return trailers.map_or(Next::End, Next::Trailers);
            }
            Some(End::Broken(error)) => {
                return Next::Error(error.take().map_or(ReadError::Interrupted, ReadError::Inner));
            }
            None => {}
        }
        let is_alone = self.limits.is_outgrown && self.reading == 1;
        let is_blocked =
            self.limits.is_outgrown && self.gathered.bytes() >= self.limits.bytes_max.max(1);
        if self.is_polled || self.is_armed && !is_alone || is_blocked {
            let replaced = waker.take().and_then(|waker| self.wakers.wait(seat, waker));
            return Next::Wait { is_blocked, replaced };
        }
        match self.source.take() {
            Some(source) if is_alone => {
                let left = self.limits.length.unwrap_or(0).saturating_sub(place);
                Next::Own { source, left }
            }
            Some(source) => {
                (self.is_polled, self.is_woken) = (true, false);
                Next::Poll(source)
            }
            // Not reached: without an end there is a source, and nobody polls it.
            None => Next::Error(ReadError::Interrupted),
        }
    }

    /// The whole of the body. It stays here too if anybody has still to read it.
    pub(super) fn taken(&mut self) -> Bytes {
        let end = self.gathered.end();
        let body = self.gathered.take();
        if self.readers.iter().flatten().any(|at| at.place < end) {
            self.gathered.put_back(body.clone());
        }
        body
    }

    /// Lets go of what everybody has read, where not all of it is kept.
    pub(super) fn forget(&mut self, keeper: &dyn Keeper) -> bool {
        if !self.limits.is_outgrown {
            return false;
        }
        let before = self.gathered.bytes();
        self.gathered.forget_before(self.slowest().unwrap_or(u64::MAX));
        let freed = before.saturating_sub(self.gathered.bytes());
        self.give_back(freed, keeper);
        freed > 0
    }

    /// Takes in what the inner body made. Where it is more than can be stored, what was to become of it, and
    /// why.
    pub(super) fn take_in(
        &mut self,
        data: &[u8],
        keeper: &dyn Keeper,
    ) -> (Option<Box<dyn Sink<H>>>, Reason) {
        self.gathered.push(data);
        let end = self.gathered.end();
        self.charged += data.len() as u64;
        let has_memory = keeper.take(data.len() as u64);
        if !has_memory {
            // Too much is on its way: it keeps what it has, and no more.
            self.limits.bytes_max = self.limits.bytes_max.min(self.gathered.bytes());
        }
        if self.limits.length.is_some_and(|length| end > length) {
            (self.outgrow(), Reason::Length)
        } else if end > self.limits.bytes_max || !has_memory {
            (self.outgrow(), Reason::TooLarge)
        } else {
            (None, Reason::TooLarge)
        }
    }

    /// Gives back the memory for all of the body: it is the store's, or of the readers alone.
    pub(super) fn give_all_back(&mut self, keeper: &dyn Keeper) {
        self.give_back(self.charged, keeper);
    }

    fn give_back(&mut self, bytes: u64, keeper: &dyn Keeper) {
        let bytes = bytes.min(self.charged);
        self.charged -= bytes;
        keeper.give_back(bytes);
    }

    /// Whether all that the Content-Length announced is there.
    pub(super) fn is_at_length(&self) -> bool {
        self.limits.length == Some(self.gathered.end())
    }

    /// It goes on for those who read it, and is not stored.
    pub(super) fn outgrow(&mut self) -> Option<Box<dyn Sink<H>>> {
        self.limits.is_outgrown = true;
        self.flight.on(Event::Outgrew);
        self.sink.take()
    }
}
