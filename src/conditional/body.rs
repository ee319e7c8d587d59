//! The body of the responses of both layers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::conditional::etag::budget::Taken;
use crate::frames::{Polled, poll_owned};
use crate::rules::parts::Parts;

pin_project! {
    /// The inner body as it is, parts of it, what was gathered of it for its tag, or nothing.
    ///
    /// Errors are the inner body's own.
    pub struct ConditionalBody<B>
    where
        B: Body,
    {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B>
    where
        B: Body,
    {
        Empty,
        Passing { #[pin] body: B },
        Gathered { gathered: Gathered<B> },
        Parts { parts: Box<Parts>, source: Bytes, #[pin] body: B },
    }
}

/// What has come of a body, and what may still come.
pub(crate) struct Gathered<B: Body> {
    /// How much of what the body said in advance is still to be given: a server that was told less would end the message
    /// where the body broke off, and the next answer would be read as the rest of this one (RFC 9112 §6.3).
    pub(crate) length: u64,
    pub(crate) data: Bytes,
    /// The memory that the data takes, until it is gone.
    pub(crate) taken: Option<Taken>,
    pub(crate) after: Option<Box<After<B>>>,
}

/// What comes after that, of a body that has trailers or was given up.
pub(crate) struct After<B: Body> {
    /// A frame that did not fit.
    pub(crate) over: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) error: Option<B::Error>,
    /// `None` when it has ended.
    pub(crate) rest: Option<Pin<Box<B>>>,
}

impl<B: Body> ConditionalBody<B> {
    pub(crate) fn empty() -> Self {
        Self { state: State::Empty }
    }

    pub(crate) fn passing(body: B) -> Self {
        Self { state: State::Passing { body } }
    }

    pub(crate) fn gathered(gathered: Gathered<B>) -> Self {
        Self { state: State::Gathered { gathered } }
    }

    pub(crate) fn parts(parts: Parts, body: B) -> Self {
        Self { state: State::Parts { parts: Box::new(parts), source: Bytes::new(), body } }
    }
}

impl<B: Body> Body for ConditionalBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        let mut state = self.project().state;
        match state.as_mut().project() {
            StateProj::Empty => Poll::Ready(None),
            StateProj::Passing { body } => poll_owned(body, cx),
            StateProj::Gathered { gathered } => gathered.poll_frame(cx),
            StateProj::Parts { parts, source, body } => {
                let polled = poll_parts(parts, source, body, cx);
                if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    // What is left of it is of no use.
                    state.set(State::Empty);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Empty => true,
            State::Passing { body } => body.is_end_stream(),
            State::Gathered { gathered } => gathered.is_end_stream(),
            State::Parts { parts, .. } => parts.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Empty => SizeHint::with_exact(0),
            State::Passing { body } => body.size_hint(),
            State::Gathered { gathered } => SizeHint::with_exact(gathered.length),
            State::Parts { parts, .. } => SizeHint::with_exact(parts.length()),
        }
    }
}

/// The next piece of what was asked for. An inner body that ends too early leaves the answer shorter than its
/// Content-Length says, as without this layer.
fn poll_parts<B: Body>(
    parts: &mut Parts,
    source: &mut Bytes,
    mut body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Polled<B::Error> {
    for _ in 0..FRAMES_MAX {
        if let Some(piece) = parts.next(source) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if parts.is_done() {
            return Poll::Ready(None);
        }
        match ready!(poll_owned(body.as_mut(), cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => *source = data,
                Err(_trailers) => return Poll::Ready(None),
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
    // Much lies before the part, and all of it is there: others have a turn.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// How many frames are read before others have a turn.
pub(crate) const FRAMES_MAX: usize = 128;

impl<B: Body> Gathered<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled<B::Error> {
        let polled = if self.data.is_empty() {
            self.taken = None;
            match &mut self.after {
                Some(after) => ready!(after.poll_frame(cx)),
                None => None,
            }
        } else {
            Some(Ok(Frame::data(std::mem::take(&mut self.data))))
        };
        if let Some(Ok(frame)) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.length = self.length.saturating_sub(bytes as u64);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        let has_come = self.data.is_empty() && self.length == 0;
        has_come && self.after.as_ref().is_none_or(|after| after.is_end_stream())
    }
}

impl<B: Body> After<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled<B::Error> {
        if !self.over.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.over)))));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut self.rest {
            Some(rest) => poll_owned(rest.as_mut(), cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let has_ended = self.rest.as_ref().is_none_or(|rest| rest.is_end_stream());
        self.over.is_empty() && self.error.is_none() && self.trailers.is_none() && has_ended
    }
}

impl<B: Body> fmt::Debug for ConditionalBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Empty => "empty",
            State::Passing { .. } => "passing",
            State::Gathered { .. } => "gathered",
            State::Parts { .. } => "parts",
        };
        write!(f, "ConditionalBody({state})")
    }
}
