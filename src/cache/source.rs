//! An inner body without its type.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use crate::cache::collapse::Source;
use crate::error::BoxError;

pin_project! {
    struct Inner<B> {
        #[pin]
        body: B,
    }
}

pub(crate) fn source<B>(body: B) -> Pin<Box<dyn Source>>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    Box::pin(Inner { body })
}

impl<B> Source for Inner<B>
where
    B: Body + Send,
    B::Error: Into<BoxError>,
{
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        poll_owned(self.project().body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The next frame, its data in one piece.
pub(crate) fn poll_owned<B>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    body.poll_frame(cx).map(|frame| {
        frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
            Err(error) => Err(error.into()),
        })
    })
}
