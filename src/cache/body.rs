//! The body of every response that a cache returns.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::cache::collapse::{ReadError, Reader};
use crate::cache::flow::Landing;
use crate::cache::outcome::CacheOutcome;
use crate::error::BoxError;
use crate::frames::poll_owned;
use crate::rules::parts::Parts;
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
        /// Some of them. The box keeps all other bodies small.
        Parts { parts: Box<Parts>, data: Bytes },
        /// The inner service's body.
        Passing {
            #[pin]
            body: B,
        },
        /// One that others may read too.
        Reading { reader: Reader<Landing> },
    }
}

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

    /// Those parts of `data`, which is the whole body.
    pub(crate) fn parts(parts: Parts, data: Bytes, outcome: CacheOutcome) -> Self {
        Self { inner: Inner::Parts { parts: Box::new(parts), data }, outcome }
    }

    pub(crate) fn passing(body: B, outcome: CacheOutcome) -> Self {
        Self { inner: Inner::Passing { body }, outcome }
    }

    pub(crate) fn reading(reader: Reader<Landing>, outcome: CacheOutcome) -> Self {
        Self { inner: Inner::Reading { reader }, outcome }
    }

    /// For work in the background: the body is read to its end for the store, or else not at all.
    pub(crate) async fn stored(self) {
        if let Inner::Reading { reader } = self.inner {
            reader.go_on().await;
        }
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
            InnerProj::Parts { parts, data } => {
                Poll::Ready(parts.next(data).map(|piece| Ok(Frame::data(piece))))
            }
            InnerProj::Passing { body } => {
                poll_owned(body, cx).map_err(|error| BodyError::Inner(error.into()))
            }
            InnerProj::Reading { reader } => {
                reader.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Ready { data, trailers } => data.is_empty() && trailers.is_none(),
            Inner::Parts { parts, .. } => parts.is_done(),
            Inner::Passing { body } => body.is_end_stream(),
            Inner::Reading { reader } => reader.is_end_stream(),
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
            Inner::Parts { parts, .. } => SizeHint::with_exact(parts.length()),
            Inner::Passing { body } => body.size_hint(),
            Inner::Reading { reader } => reader.size_hint(),
        }
    }
}

impl<B: Body> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.inner {
            Inner::Ready { .. } => "ready",
            Inner::Parts { .. } => "parts",
            Inner::Passing { .. } => "passing",
            Inner::Reading { reader } if reader.is_stored() => "passing and being stored",
            Inner::Reading { .. } => "passing",
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
    /// The inner service's body failed, and its error was given to another client that read the same response,
    /// since an error can be given to one only. Or the body ended before its Content-Length.
    Interrupted,
    /// The client did not read for five seconds, while others waited for it who read the same body, which was too
    /// long to be kept.
    Stalled,
}

impl From<ReadError> for BodyError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Inner(error) => Self::Inner(error),
            ReadError::Interrupted => Self::Interrupted,
            ReadError::Stalled => Self::Stalled,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(_) => f.write_str("the body of the response failed"),
            Self::Interrupted => f.write_str("the body of the response broke off"),
            Self::Stalled => f.write_str("the body was read too slowly"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => Some(&**error),
            Self::Interrupted | Self::Stalled => None,
        }
    }
}
