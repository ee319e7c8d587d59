//! An inner body without its type.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use crate::cache::collapse::Source;
use crate::error::BoxError;
use crate::frames::poll_owned;

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
        poll_owned(self.project().body, cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
