//! Reading a body to its end, to see what it is.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};

use crate::clock::{Clock, Sleep};
use crate::conditional::body::{After, FRAMES_MAX, Gathered};
use crate::conditional::etag::budget::Taken;
use crate::conditional::etag::layer::Config;
use crate::frames::poll_owned;

/// A body that is being read. It says how long it is, and that is not too long.
pub(crate) struct Gathering<B: Body> {
    /// `None` when it was given back.
    body: Option<Pin<Box<B>>>,
    length: u64,
    /// What came: one piece as it is, or copies of several.
    first: Bytes,
    copied: BytesMut,
    trailers: Option<HeaderMap>,
    taken: Option<Taken>,
    /// Set when it was waited for.
    deadline: Option<Option<Sleep>>,
}

/// How it ended.
pub(crate) enum End {
    /// It is as long as it said, and this is all of it.
    Whole,
    /// It takes too long or too much, has failed, or is another length.
    GivenUp,
}

impl<B: Body> Gathering<B> {
    pub(crate) fn new(body: B, length: u64) -> Self {
        Self {
            body: Some(Box::pin(body)),
            length,
            first: Bytes::new(),
            copied: BytesMut::new(),
            trailers: None,
            taken: None,
            deadline: None,
        }
    }

    /// Reads on; the body is no more to be polled when it has said how it ended.
    pub(crate) fn poll<C: Clock>(
        &mut self,
        config: &Config,
        clock: &C,
        cx: &mut Context<'_>,
    ) -> Poll<(End, Gathered<B>)> {
        for _ in 0..FRAMES_MAX {
            let is_all = self.came() == self.length;
            let Some(body) = &mut self.body else { return Poll::Pending };
            if is_all && body.is_end_stream() {
                return Poll::Ready((End::Whole, self.ended(None)));
            }
            match poll_owned(body.as_mut(), cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(over) = self.push(frame, config) {
                        return Poll::Ready((End::GivenUp, self.given_up(over)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready((End::GivenUp, self.ended(Some(error))));
                }
                Poll::Ready(None) => {
                    let end = if is_all { End::Whole } else { End::GivenUp };
                    return Poll::Ready((end, self.ended(None)));
                }
                Poll::Pending => return self.wait(config, clock, cx),
            }
        }
        // Ever more frames, perhaps without anything in them: others have a turn.
        cx.waker().wake_by_ref();
        self.wait(config, clock, cx)
    }

    /// Adds a frame. What it answers is too much, and goes on by itself.
    fn push(&mut self, frame: Frame<Bytes>, config: &Config) -> Option<Bytes> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    self.trailers.get_or_insert_default().extend(trailers);
                }
                return None;
            }
        };
        if data.is_empty() {
            return None;
        }
        let came = self.came();
        if came.saturating_add(data.len() as u64) > self.length || self.trailers.is_some() {
            return Some(data);
        }
        if came == 0 {
            self.first = data;
            return None;
        }
        if self.copied.is_empty() {
            if !self.is_counted(config) {
                return Some(data);
            }
            let room = self.length.min(RESERVED_MAX);
            self.copied.reserve(usize::try_from(room).unwrap_or(0));
            self.copied.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.copied.extend_from_slice(&data);
        None
    }

    /// Counts what is held; `false` where there is too much already.
    fn is_counted(&mut self, config: &Config) -> bool {
        if self.taken.is_none() {
            self.taken = config.budget.take(self.length);
        }
        self.taken.is_some()
    }

    fn came(&self) -> u64 {
        (self.first.len() + self.copied.len()) as u64
    }

    fn wait<C: Clock>(
        &mut self,
        config: &Config,
        clock: &C,
        cx: &mut Context<'_>,
    ) -> Poll<(End, Gathered<B>)> {
        let deadline = self.deadline.get_or_insert_with(|| clock.sleep(config.body_deadline));
        let is_late = deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        let is_over = is_late || self.came() > 0 && !self.is_counted(config);
        match is_over {
            true => Poll::Ready((End::GivenUp, self.given_up(Bytes::new()))),
            false => Poll::Pending,
        }
    }

    /// What came, and the body to read on from.
    fn given_up(&mut self, over: Bytes) -> Gathered<B> {
        let trailers = self.trailers.take();
        let after = After { over, trailers, error: None, rest: self.body.take() };
        self.came_of(Some(after))
    }

    /// What came of a body of which nothing comes any more.
    fn ended(&mut self, error: Option<B::Error>) -> Gathered<B> {
        self.body = None;
        let trailers = self.trailers.take();
        let is_all = trailers.is_none() && error.is_none();
        let after = After { over: Bytes::new(), trailers, error, rest: None };
        self.came_of((!is_all).then_some(after))
    }

    fn came_of(&mut self, after: Option<After<B>>) -> Gathered<B> {
        let data = match self.copied.is_empty() {
            true => std::mem::take(&mut self.first),
            false => std::mem::take(&mut self.copied).freeze(),
        };
        let (length, taken) = (self.length, self.taken.take());
        Gathered { length, data, taken, after: after.map(Box::new) }
    }
}

/// The room that is made for a body at once, whatever it says of its length.
const RESERVED_MAX: u64 = 1 << 20;
