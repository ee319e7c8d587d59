//! The body of responses behind a layer that may refuse.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::frames::{Polled, poll_owned};

pin_project! {
    /// The inner body as it is, or the words of a refusal.
    ///
    /// Errors are the inner body's own.
    pub struct AuthBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Passing { #[pin] body: B },
        Refusing { words: &'static str },
    }
}

impl<B> AuthBody<B> {
    pub(crate) fn passing(body: B) -> Self {
        Self { state: State::Passing { body } }
    }

    pub(crate) fn refusing(words: &'static str) -> Self {
        Self { state: State::Refusing { words } }
    }
}

impl<B: Body> Body for AuthBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        match self.project().state.project() {
            StateProj::Passing { body } => poll_owned(body, cx),
            StateProj::Refusing { words } => Poll::Ready(match std::mem::take(words) {
                "" => None,
                words => Some(Ok(Frame::data(Bytes::from_static(words.as_bytes())))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passing { body } => body.is_end_stream(),
            State::Refusing { words } => words.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passing { body } => body.size_hint(),
            State::Refusing { words } => SizeHint::with_exact(words.len() as u64),
        }
    }
}

impl<B> std::fmt::Debug for AuthBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthBody(..)")
    }
}
