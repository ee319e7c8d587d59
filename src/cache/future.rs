//! The future of a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use crate::cache::body::CacheBody;
use crate::cache::finish::Finish;
use crate::cache::hint::PurgesTag;
use crate::cache::leading::Driven;
use crate::cache::outcome::CacheOutcome;
use crate::rules::reason::Reason;

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

    impl<S, ReqBody, B> PinnedDrop for ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>>,
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let StateProj::Driven { driven } = this.state.project()
                && let Some(driven) = driven.take()
                && !*this.is_done
            {
                driven.left();
            }
        }
    }
}

type Drive<B, E> = Pin<Box<dyn Driven<Output = Result<Response<CacheBody<B>>, E>> + Send>>;

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>>,
        B: Body,
    {
        Ready { response: Option<Response<CacheBody<B>>> },
        Direct {
            #[pin]
            inner: Oneshot<S, Request<ReqBody>>,
            finish: Finish,
            outcome: CacheOutcome,
            core: Option<Arc<dyn Purging>>,
        },
        // Until what the response declares to have changed is purged.
        Purging {
            purged: Pin<Box<dyn Future<Output = bool> + Send>>,
            response: Option<Response<CacheBody<B>>>,
            finish: Finish,
        },
        Driven { driven: Option<Drive<B, S::Error>> },
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
        let inner = Oneshot::new(inner, request);
        Self::of(State::Direct { inner, finish, outcome, core: None })
    }

    /// With what the response declares to have changed purged by this core.
    pub(crate) fn purging(mut self, by: Arc<dyn Purging>) -> Self {
        if let State::Direct { core, .. } = &mut self.state {
            *core = Some(by);
        }
        self
    }

    fn of(state: State<S, ReqBody, B>) -> Self {
        Self { state, is_done: false }
    }

    pub(crate) fn driven(
        driven: impl Driven<Output = Result<Response<CacheBody<B>>, S::Error>> + Send + 'static,
    ) -> Self {
        Self::of(State::Driven { driven: Some(Box::pin(driven)) })
    }
}

impl<S, ReqBody, B> Future for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    type Output = Result<Response<CacheBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.is_done {
            return Poll::Pending;
        }
        let response = loop {
            let (purged, response, finish) = match this.state.as_mut().project() {
                StateProj::Ready { response } => match response.take() {
                    Some(response) => break Ok(response),
                    None => return Poll::Pending,
                },
                StateProj::Direct { inner, finish, outcome, core } => {
                    let passing = |body| CacheBody::passing(body, *outcome);
                    let response = match ready!(inner.poll(cx)) {
                        Ok(response) => response.map(passing),
                        Err(error) => break Err(error),
                    };
                    match core.take().filter(|_| declares(&response)) {
                        Some(core) => {
                            let purged = core.purge_declared(finish, response.extensions());
                            (purged, Some(response), finish.clone())
                        }
                        None => break Ok(finish.apply(response)),
                    }
                }
                StateProj::Purging { purged, response, finish } => {
                    let is_purged = ready!(purged.as_mut().poll(cx));
                    let Some(mut response) = response.take() else { return Poll::Pending };
                    if !is_purged {
                        response.body_mut().because(Reason::InvalidationFailed);
                    }
                    break Ok(finish.apply(response));
                }
                StateProj::Driven { driven } => match driven {
                    Some(driven) => break ready!(driven.as_mut().poll(cx)),
                    None => return Poll::Pending,
                },
            };
            this.state.set(State::Purging { purged, response, finish });
        };
        *this.is_done = true;
        Poll::Ready(response)
    }
}

/// A core, for what a response declares to have changed.
pub(crate) trait Purging: Send + Sync {
    /// Purges it, before the response is sent; false where that may not have been done.
    fn purge_declared(
        self: Arc<Self>,
        finish: &Finish,
        response: &Extensions,
    ) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

fn declares<B>(response: &Response<B>) -> bool {
    response.extensions().get::<PurgesTag>().is_some()
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
