//! The future of a response behind a rate limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::clock::{Clock, Sleep};
use crate::limit::after::After;
use crate::limit::body::RateLimitBody;
use crate::limit::breaker::Way;
use crate::limit::gate::{Against, Charging, Gate, Passage, Shared};
use crate::limit::store::LimitStore;
use crate::limit::verdict::Verdict;
use crate::store::StoreError;
use crate::store::ledger::Wait;
use crate::time::Ticks;

pin_project! {
    /// The future of [`RateLimit`](crate::limit::RateLimit).
    pub struct RateLimitFuture<S, ReqBody, St, C>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody, St, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, ReqBody, St, C> {
        Passing { #[pin] inner: F, after: Option<Box<After<St, C>>> },
        Refusing { response: Option<Response<Bytes>> },
        Asking { asking: Option<Box<Asking<S, ReqBody, St, C>>> },
        Entering { entering: Option<Box<Entering<S, ReqBody, St, C>>> },
    }
}

/// A request that waits for the store.
pub(crate) struct Asking<S, ReqBody, St, C> {
    pub(crate) verdict: Wait<'static, Result<Verdict, StoreError>>,
    /// When it has waited long enough.
    pub(crate) late: Option<Sleep>,
    pub(crate) attempt: Attempt,
    pub(crate) charging: Charging,
    pub(crate) inner: S,
    pub(crate) request: Request<ReqBody>,
    pub(crate) gate: Arc<Gate<St, C>>,
}

/// A question to the store. Whoever leaves before the answer makes room for others.
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    /// `None` once there is an answer.
    way: Option<Way>,
}

impl Attempt {
    pub(crate) fn new(shared: Arc<Shared>, way: Way) -> Self {
        Self { shared, way: Some(way) }
    }

    fn worked(mut self) {
        if let Some(way) = self.way.take() {
            self.shared.breaker.worked(way);
        }
    }

    fn failed(mut self, now: Ticks) {
        if let Some(way) = self.way.take() {
            self.shared.breaker.failed(way, now);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(way) = self.way {
            self.shared.breaker.left(way);
        }
    }
}

/// A request that waits for the inner service.
struct Entering<S, ReqBody, St, C> {
    inner: S,
    request: Request<ReqBody>,
    after: Option<Box<After<St, C>>>,
}

impl<S, ReqBody, St, C> Asking<S, ReqBody, St, C> {
    /// `None` where the store has failed, or is late.
    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Option<Verdict>> {
        if let Poll::Ready(verdict) = self.verdict.as_mut().poll(cx) {
            return Poll::Ready(verdict.ok());
        }
        match self.late.as_mut().map(|late| late.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }
}

impl<S, ReqBody, St: LimitStore, C: Clock> Asking<S, ReqBody, St, C>
where
    S: Service<Request<ReqBody>>,
{
    fn answered(self, verdict: Option<Verdict>) -> State<S, S::Future, ReqBody, St, C> {
        let Self { attempt, charging, inner, mut request, gate, .. } = self;
        let passage = match verdict {
            Some(verdict) => {
                attempt.worked();
                gate.judge(charging, verdict, Against::Store, &mut request)
            }
            None => {
                gate.shared.counts.store_failed();
                attempt.failed(gate.now());
                gate.without_store(charging, &mut request)
            }
        };
        match passage {
            Passage::Open(after) => {
                State::Entering { entering: Some(Box::new(Entering { inner, request, after })) }
            }
            Passage::Closed(response) => State::Refusing { response: Some(*response) },
        }
    }
}

impl<S, ReqBody, St, C> RateLimitFuture<S, ReqBody, St, C>
where
    S: Service<Request<ReqBody>>,
{
    /// Calls the inner service, which is ready.
    pub(crate) fn passing(
        inner: &mut S,
        request: Request<ReqBody>,
        after: Option<Box<After<St, C>>>,
    ) -> Self {
        Self { state: State::Passing { inner: inner.call(request), after } }
    }

    pub(crate) fn refusing(response: Response<Bytes>) -> Self {
        Self { state: State::Refusing { response: Some(response) } }
    }

    /// The inner service need not be ready.
    pub(crate) fn asking(asking: Asking<S, ReqBody, St, C>) -> Self {
        Self { state: State::Asking { asking: Some(Box::new(asking)) } }
    }
}

impl<S, ReqBody, St, C, B> Future for RateLimitFuture<S, ReqBody, St, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
    St: LimitStore,
    C: Clock,
{
    type Output = Result<Response<RateLimitBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Passing { inner, after } => {
                    let response = ready!(inner.poll(cx))?;
                    return Poll::Ready(Ok(match after.take() {
                        None => response.map(|body| RateLimitBody::passing(body, None)),
                        Some(after) => after.finish(response),
                    }));
                }
                StateProj::Refusing { response } => match response.take() {
                    Some(response) => {
                        return Poll::Ready(Ok(response.map(RateLimitBody::refusing)));
                    }
                    None => return Poll::Pending,
                },
                StateProj::Asking { asking } => {
                    let Some(waiting) = asking else { return Poll::Pending };
                    let verdict = ready!(waiting.poll_verdict(cx));
                    let Some(waiting) = asking.take() else { return Poll::Pending };
                    waiting.answered(verdict)
                }
                StateProj::Entering { entering } => {
                    let Some(waiting) = entering else { return Poll::Pending };
                    ready!(waiting.inner.poll_ready(cx))?;
                    let Some(waiting) = entering.take() else { return Poll::Pending };
                    let Entering { mut inner, request, after } = *waiting;
                    State::Passing { inner: inner.call(request), after }
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody, St, C> std::fmt::Debug for RateLimitFuture<S, ReqBody, St, C>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RateLimitFuture(..)")
    }
}
