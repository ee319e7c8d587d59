//! The body of every response that a cache returns.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::cache::fill::Fill;
use crate::cache::outcome::CacheOutcome;
use crate::error::BoxError;
use crate::rules::reason::Reason;

pin_project! {
    /// A body from the store, or the inner service's own, which may be stored while it passes.
    ///
    /// No frame is held back for the store's sake. It is `Send` where `B` is, and never needs `B: Sync`.
    ///
    /// An error of the inner body comes out as [`BodyError::Inner`].
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::{CacheBody, CacheLayer}, store::MemoryStore};
    /// use http_body_util::BodyExt;
    ///
    /// # let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
    /// let hello = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new("hello".to_owned())));
    /// let response = cache.layer(hello).oneshot(Request::new(String::new())).await.unwrap();
    /// let body: CacheBody<String> = response.into_body();
    /// assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    /// # });
    /// ```
    pub struct CacheBody<B: Body> {
        #[pin]
        inner: Inner<B>,
        outcome: CacheOutcome,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B: Body> {
        /// Bytes that are all there.
        Ready { data: Bytes, trailers: Option<Box<HeaderMap>> },
        /// The inner service's body.
        Passing {
            #[pin]
            body: B,
            fill: Option<Box<Fill>>,
            // Read ahead, to learn whether the frame before it was the last.
            ahead: Option<Ahead<B>>,
        },
    }
}

type Ahead<B> = Option<Result<Frame<Bytes>, <B as Body>::Error>>;

impl<B: Body> CacheBody<B> {
    /// What the cache did with the request that this answers.
    ///
    /// Where a service further out has put the body into another type, as axum's `Router` does, see
    /// [`CacheLayer::outcome_in_extensions`](crate::cache::CacheLayer::outcome_in_extensions).
    pub fn outcome(&self) -> CacheOutcome {
        self.outcome
    }

    /// What else there is to tell.
    pub(crate) fn because(&mut self, reason: Reason) {
        self.outcome = self.outcome.because(Some(reason));
    }

    pub(crate) fn ready(
        data: Bytes,
        trailers: Option<Box<HeaderMap>>,
        outcome: CacheOutcome,
    ) -> Self {
        Self { inner: Inner::Ready { data, trailers }, outcome }
    }

    pub(crate) fn passing(body: B, outcome: CacheOutcome) -> Self {
        Self { inner: Inner::Passing { body, fill: None, ahead: None }, outcome }
    }

    pub(crate) fn filling(body: B, fill: Fill, outcome: CacheOutcome) -> Self {
        let mut fill = Some(Box::new(fill));
        if body.is_end_stream() {
            // Servers need not poll a body that says it is at its end.
            settle(&mut fill, None);
        }
        Self { inner: Inner::Passing { body, fill, ahead: None }, outcome }
    }
}

impl<B> Body for CacheBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.project().inner.project() {
            InnerProj::Ready { data, trailers } => Poll::Ready(if data.has_remaining() {
                Some(Ok(Frame::data(std::mem::take(data))))
            } else {
                trailers.take().map(|trailers| Ok(Frame::trailers(*trailers)))
            }),
            InnerProj::Passing { mut body, fill, ahead } => {
                // Out of the body while it is polled: if it panics, the fill goes down with the panic.
                let mut filling = fill.take();
                let frame = match ahead.take() {
                    Some(frame) => frame,
                    None => match poll_owned(body.as_mut(), cx) {
                        Poll::Ready(frame) => frame,
                        Poll::Pending => {
                            *fill = filling;
                            return Poll::Pending;
                        }
                    },
                };
                note(&mut filling, &frame);
                if filling.as_ref().is_some_and(|filling| filling.is_at_length()) {
                    // HTTP/1.1 servers drop a body at its Content-Length, so whether it ends there has to
                    // be found out now. The frame in hand is not held back for it.
                    if body.is_end_stream() {
                        settle(&mut filling, None);
                    } else if let Poll::Ready(next) = poll_owned(body.as_mut(), cx) {
                        note(&mut filling, &next);
                        *ahead = Some(next);
                    }
                } else if body.is_end_stream() {
                    settle(&mut filling, None);
                }
                *fill = filling;
                Poll::Ready(
                    frame.map(|frame| frame.map_err(|error| BodyError::Inner(error.into()))),
                )
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Ready { data, trailers } => data.is_empty() && trailers.is_none(),
            Inner::Passing { body, ahead, .. } => match ahead {
                Some(frame) => frame.is_none(),
                None => body.is_end_stream(),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            // An exact size would make HTTP/1.1 servers send a length, which leaves no room for trailers.
            Inner::Ready { data, trailers: Some(_) } => {
                let mut hint = SizeHint::new();
                hint.set_lower(data.len() as u64);
                hint
            }
            Inner::Ready { data, trailers: None } => SizeHint::with_exact(data.len() as u64),
            Inner::Passing { body, ahead, .. } => match ahead {
                Some(Some(Ok(_))) => SizeHint::new(),
                _ => body.size_hint(),
            },
        }
    }
}

impl<B: Body> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.inner {
            Inner::Ready { .. } => "ready",
            Inner::Passing { fill: None, .. } => "passing",
            Inner::Passing { fill: Some(_), .. } => "passing and being stored",
        };
        write!(f, "CacheBody({state})")
    }
}

/// Why a body did not come to its end.
///
/// ```
/// use tower_keep::cache::BodyError;
///
/// let error = BodyError::Inner("connection reset".into());
/// let source = std::error::Error::source(&error).unwrap();
/// assert_eq!(source.to_string(), "connection reset");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The inner service's body failed; its own error.
    Inner(BoxError),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(_) => f.write_str("the body of the response failed"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => Some(&**error),
        }
    }
}

fn poll_owned<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Ahead<B>> {
    body.poll_frame(cx).map(|frame| {
        frame.map(|frame| {
            frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        })
    })
}

/// Lets the fill see a frame, the end or an error, before the client does.
fn note<E>(fill: &mut Option<Box<Fill>>, frame: &Option<Result<Frame<Bytes>, E>>) {
    let Some(filling) = fill.as_mut() else { return };
    match frame {
        None => settle(fill, None),
        Some(Err(_)) => abandon(fill, Reason::BodyError),
        Some(Ok(frame)) => match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => {
                if let Err(reason) = filling.push(data) {
                    abandon(fill, reason);
                }
            }
            // Trailers are the last frame there is.
            (None, Some(trailers)) => settle(fill, Some(trailers.clone())),
            (None, None) => {}
        },
    }
}

fn settle(fill: &mut Option<Box<Fill>>, trailers: Option<HeaderMap>) {
    if let Some(fill) = fill.take() {
        fill.finish(trailers);
    }
}

fn abandon(fill: &mut Option<Box<Fill>>, reason: Reason) {
    if let Some(fill) = fill.take() {
        fill.abandon(reason);
    }
}
