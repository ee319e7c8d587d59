//! Frames of bodies whose data may be of any kind.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame};

pub(crate) type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// The words of a refusal as one frame, if there are any.
pub(crate) fn poll_words<E>(words: &mut Bytes) -> Polled<E> {
    let words = std::mem::take(words);
    Poll::Ready((!words.is_empty()).then(|| Ok(Frame::data(words))))
}

/// The next frame, its data in one piece.
pub(crate) fn poll_owned<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled<B::Error> {
    body.poll_frame(cx)
        .map_ok(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
}
