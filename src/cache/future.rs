//! The future of a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use crate::cache::body::CacheBody;
use crate::cache::finish::Finish;
use crate::cache::outcome::CacheOutcome;

pin_project! {
    /// The future of [`Cache`](crate::cache::Cache). A hit from a store in this process is ready at once,
    /// and what the cache has no part in is the inner future; neither is boxed.
    pub struct ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>>,
        B: Body,
    {
        #[pin]
        state: State<S, ReqBody, B>,
        // Who polls it again is kept waiting, not panicked at.
        is_done: bool,
    }
}

type Driven<B, E> = Pin<Box<dyn Future<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>>,
        B: Body,
    {
        Ready { response: Option<Response<CacheBody<B>>> },
        Direct { #[pin] inner: Oneshot<S, Request<ReqBody>>, finish: Finish, outcome: CacheOutcome },
        Driven { driven: Driven<B, S::Error> },
    }
}

impl<S, ReqBody, B> ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<ReqBody>>,
    B: Body,
{
    pub(crate) fn ready(response: Response<CacheBody<B>>) -> Self {
        Self::of(State::Ready { response: Some(response) })
    }

    pub(crate) fn direct(
        inner: S,
        request: Request<ReqBody>,
        finish: Finish,
        outcome: CacheOutcome,
    ) -> Self {
        Self::of(State::Direct { inner: Oneshot::new(inner, request), finish, outcome })
    }

    fn of(state: State<S, ReqBody, B>) -> Self {
        Self { state, is_done: false }
    }

    pub(crate) fn driven(
        driven: impl Future<Output = Result<Response<CacheBody<B>>, S::Error>> + Send + 'static,
    ) -> Self {
        Self::of(State::Driven { driven: Box::pin(driven) })
    }
}

impl<S, ReqBody, B> Future for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    type Output = Result<Response<CacheBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.is_done {
            return Poll::Pending;
        }
        let response = match this.state.project() {
            StateProj::Ready { response } => match response.take() {
                Some(response) => Ok(response),
                None => return Poll::Pending,
            },
            StateProj::Direct { inner, finish, outcome } => {
                let passing = |body| CacheBody::passing(body, *outcome);
                ready!(inner.poll(cx)).map(|response| finish.apply(response.map(passing)))
            }
            StateProj::Driven { driven } => ready!(driven.as_mut().poll(cx)),
        };
        *this.is_done = true;
        Poll::Ready(response)
    }
}

impl<S, ReqBody, B> fmt::Debug for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<ReqBody>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}
