//! The body of responses behind a rate limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;

use crate::frames::{Polled, poll_owned, poll_words};
use crate::limit::settling::Settles;

pin_project! {
    /// The inner body as it is, or the words of a refusal.
    ///
    /// Errors are the inner body's own.
    pub struct RateLimitBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Passing { #[pin] body: B, counting: Option<Counting> },
        Refusing { words: Bytes },
    }
}

/// Counts bytes, and settles a charge by them when no more come.
pub(crate) struct Counting {
    bytes: u64,
    /// Whether that is all: nobody has left before.
    is_whole: bool,
    settles: Arc<dyn Settles>,
}

impl Counting {
    pub(crate) fn new(settles: Arc<dyn Settles>) -> Self {
        Self { bytes: 0, is_whole: false, settles }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // R19: who resets his stream gets nothing back.
        let least = if self.is_whole { 0 } else { self.settles.cost() };
        self.settles.settle(self.bytes.max(least));
    }
}

fn end(counting: &mut Option<Counting>) {
    if let Some(mut counting) = counting.take() {
        counting.is_whole = true;
    }
}

impl<B: Body> RateLimitBody<B> {
    pub(crate) fn passing(body: B, mut counting: Option<Counting>) -> Self {
        // Nobody need poll a body that has ended.
        if body.is_end_stream() {
            end(&mut counting);
        }
        Self { state: State::Passing { body, counting } }
    }
}

impl<B> RateLimitBody<B> {
    pub(crate) fn refusing(words: Bytes) -> Self {
        Self { state: State::Refusing { words } }
    }
}

impl<B: Body> Body for RateLimitBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        match self.project().state.project() {
            StateProj::Passing { mut body, counting } => {
                let polled = poll_owned(body.as_mut(), cx);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let (Some(counting), Some(data)) = (counting.as_mut(), frame.data_ref())
                        {
                            counting.bytes = counting.bytes.saturating_add(data.len() as u64);
                        }
                        // A server that sees the end need not ask for it.
                        if frame.is_trailers() || body.is_end_stream() {
                            end(counting);
                        }
                    }
                    Poll::Ready(_) => end(counting),
                    Poll::Pending => {}
                }
                polled
            }
            StateProj::Refusing { words } => poll_words(words),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passing { body, .. } => body.is_end_stream(),
            State::Refusing { words } => words.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passing { body, .. } => body.size_hint(),
            State::Refusing { words } => SizeHint::with_exact(words.len() as u64),
        }
    }
}

impl<B> std::fmt::Debug for RateLimitBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RateLimitBody(..)")
    }
}
