//! The future of a response behind a gate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::auth::body::AuthBody;
use crate::auth::gate::Gate;
use crate::auth::jwk::KeySet;
use crate::auth::keys::Refreshed;
use crate::auth::verified::Verified;
use crate::cache::passed::Passed;
use crate::clock::{Clock, Sleep};
use crate::store::ledger::Wait;

pin_project! {
    /// The future of [`Jwt`](crate::auth::Jwt).
    pub struct JwtFuture<S, ReqBody, C>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, ReqBody, C> {
        Passing { #[pin] inner: F },
        Refusing { response: Option<Response<&'static str>> },
        Asking { asking: Option<Box<Asking<S, ReqBody, C>>> },
        Entering { entering: Option<Box<Entering<S, ReqBody>>> },
    }
}

/// A request that waits for its issuer's keys.
pub(crate) struct Asking<S, ReqBody, C> {
    pub(crate) refreshed: Wait<'static, Refreshed>,
    /// When it has waited long enough, whatever the source of the keys does.
    pub(crate) late: Option<Sleep>,
    pub(crate) issuer: usize,
    /// The keys that were tried.
    pub(crate) tried: Option<KeySet>,
    pub(crate) inner: S,
    pub(crate) request: Request<ReqBody>,
    pub(crate) gate: Arc<Gate<C>>,
}

impl<S, ReqBody, C> Asking<S, ReqBody, C> {
    fn poll_refreshed(&mut self, cx: &mut Context<'_>) -> Poll<Refreshed> {
        if let Poll::Ready(refreshed) = self.refreshed.as_mut().poll(cx) {
            return Poll::Ready(refreshed);
        }
        match self.late.as_mut().map(|late| late.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                Poll::Ready(Refreshed::Unavailable { retry_after: RETRY_AFTER })
            }
            _ => Poll::Pending,
        }
    }
}

/// A request that waits for the inner service.
struct Entering<S, ReqBody> {
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody, C> JwtFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    /// Calls the inner service, which is ready.
    pub(crate) fn passing(inner: &mut S, request: Request<ReqBody>) -> Self {
        Self { state: State::passing(inner, request) }
    }

    pub(crate) fn refusing(response: Response<&'static str>) -> Self {
        Self { state: State::Refusing { response: Some(response) } }
    }

    /// The inner service need not be ready: nobody's place in it is held while somebody waits for keys.
    pub(crate) fn asking(asking: Asking<S, ReqBody, C>) -> Self {
        Self { state: State::Asking { asking: Some(Box::new(asking)) } }
    }
}

impl<S, ReqBody, C> State<S, S::Future, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    fn passing(inner: &mut S, request: Request<ReqBody>) -> Self {
        // A cache further out sees no principal, and a cookie is no credential to it.
        if request.extensions().get::<Verified>().is_some() {
            Passed::find(&request);
        }
        Self::Passing { inner: inner.call(request) }
    }
}

impl<S, ReqBody, C, B> Future for JwtFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
    C: Clock,
{
    type Output = Result<Response<AuthBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Passing { inner } => {
                    let response = ready!(inner.poll(cx))?;
                    return Poll::Ready(Ok(response.map(AuthBody::passing)));
                }
                StateProj::Refusing { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response.map(AuthBody::refusing))),
                    None => return Poll::Pending,
                },
                StateProj::Asking { asking } => {
                    let Some(waiting) = asking else { return Poll::Pending };
                    let refreshed = ready!(waiting.poll_refreshed(cx));
                    let Some(waiting) = asking.take() else { return Poll::Pending };
                    let Asking { issuer, tried, gate, inner, mut request, .. } = *waiting;
                    match gate.look_again(&mut request, issuer, tried.as_ref(), &refreshed) {
                        None => State::Entering {
                            entering: Some(Box::new(Entering { inner, request })),
                        },
                        response => State::Refusing { response },
                    }
                }
                StateProj::Entering { entering } => {
                    let Some(waiting) = entering else { return Poll::Pending };
                    ready!(waiting.inner.poll_ready(cx))?;
                    let Some(waiting) = entering.take() else { return Poll::Pending };
                    let Entering { mut inner, request } = *waiting;
                    State::passing(&mut inner, request)
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody, C> std::fmt::Debug for JwtFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtFuture(..)")
    }
}

/// When to come again where nobody says it.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
