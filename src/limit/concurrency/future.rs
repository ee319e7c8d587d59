//! The future of a response that is counted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::limit::concurrency::body::KeyedConcurrencyBody;
use crate::limit::concurrency::counts::Permit;

pin_project! {
    /// The future of [`KeyedConcurrency`](crate::limit::KeyedConcurrency).
    pub struct KeyedConcurrencyFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Passing { #[pin] inner: F, permit: Option<Permit> },
        Refusing { response: Option<Response<Bytes>> },
    }
}

impl<F> KeyedConcurrencyFuture<F> {
    pub(crate) fn passing(permit: Option<Permit>, inner: F) -> Self {
        Self { state: State::Passing { inner, permit } }
    }

    pub(crate) fn refusing(response: Response<Bytes>) -> Self {
        Self { state: State::Refusing { response: Some(response) } }
    }
}

impl<F, B, E> Future for KeyedConcurrencyFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<KeyedConcurrencyBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passing { inner, permit } => {
                // In hand while the inner future runs: gone with it if it panics, also where somebody keeps what is left of it.
                let held = permit.take();
                match inner.poll(cx) {
                    Poll::Pending => {
                        *permit = held;
                        Poll::Pending
                    }
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(response)) => Poll::Ready(Ok(
                        response.map(|body| KeyedConcurrencyBody::passing(body, held))
                    )),
                }
            }
            StateProj::Refusing { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(KeyedConcurrencyBody::refusing))),
                None => Poll::Pending,
            },
        }
    }
}

impl<F> fmt::Debug for KeyedConcurrencyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedConcurrencyFuture(..)")
    }
}
