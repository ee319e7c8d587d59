//! The body of a response that is counted until it ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;

use crate::frames::{Polled, poll_owned, poll_words};
use crate::limit::concurrency::counts::Permit;

pin_project! {
    /// The inner body as it is, or the words of a refusal.
    ///
    /// Its request is in flight until this body has ended, has failed or is dropped. Errors are the inner body's own.
    pub struct KeyedConcurrencyBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Passing { #[pin] body: B, permit: Option<Permit> },
        Refusing { words: Bytes },
    }
}

impl<B: Body> KeyedConcurrencyBody<B> {
    pub(crate) fn passing(body: B, permit: Option<Permit>) -> Self {
        let permit = permit.filter(|_| !body.is_end_stream());
        Self { state: State::Passing { body, permit } }
    }

    pub(crate) fn refusing(words: Bytes) -> Self {
        Self { state: State::Refusing { words } }
    }
}

impl<B: Body> Body for KeyedConcurrencyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        match self.project().state.project() {
            StateProj::Passing { mut body, permit } => {
                // In hand while the inner body runs: gone if it panics, and if it is not put back.
                let held = permit.take();
                let polled = poll_owned(body.as_mut(), cx);
                // A server that knows the length, or has seen the trailers, need not ask again to see the end.
                let is_over = match &polled {
                    Poll::Pending => false,
                    Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || body.is_end_stream(),
                    Poll::Ready(None | Some(Err(_))) => true,
                };
                if !is_over {
                    *permit = held;
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

impl<B> fmt::Debug for KeyedConcurrencyBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedConcurrencyBody(..)")
    }
}
