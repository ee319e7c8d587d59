//! The future of a response behind a gate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::auth::body::AuthBody;
use crate::auth::gate::Gate;
use crate::auth::keys::Refreshed;
use crate::clock::Clock;
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
    }
}

/// A request that waits for its issuer's keys.
struct Asking<S, ReqBody, C> {
    refreshed: Wait<'static, Refreshed>,
    issuer: usize,
    inner: S,
    request: Request<ReqBody>,
    gate: Arc<Gate<C>>,
}

impl<S, ReqBody, C> JwtFuture<S, ReqBody, C>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) fn passing(inner: S::Future) -> Self {
        Self { state: State::Passing { inner } }
    }

    pub(crate) fn refusing(response: Response<&'static str>) -> Self {
        Self { state: State::Refusing { response: Some(response) } }
    }

    pub(crate) fn asking(
        refreshed: Wait<'static, Refreshed>,
        issuer: usize,
        inner: S,
        request: Request<ReqBody>,
        gate: Arc<Gate<C>>,
    ) -> Self {
        let asking = Asking { refreshed, issuer, inner, request, gate };
        Self { state: State::Asking { asking: Some(Box::new(asking)) } }
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
                    return inner.poll(cx).map_ok(|response| response.map(AuthBody::passing));
                }
                StateProj::Refusing { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response.map(AuthBody::refusing))),
                    None => return Poll::Pending,
                },
                StateProj::Asking { asking } => {
                    let Some(waiting) = asking else { return Poll::Pending };
                    let refreshed = ready!(waiting.refreshed.as_mut().poll(cx));
                    let Some(waiting) = asking.take() else { return Poll::Pending };
                    let Asking { issuer, gate, mut inner, mut request, .. } = *waiting;
                    match gate.look_again(&mut request, issuer, &refreshed) {
                        None => State::Passing { inner: inner.call(request) },
                        response => State::Refusing { response },
                    }
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
