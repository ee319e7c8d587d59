//! The service behind which all requests have a good token.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::auth::body::AuthBody;
use crate::auth::future::{Asking, JwtFuture, RETRY_AFTER};
use crate::auth::gate::{Asked, Gate, Passage};
use crate::auth::keys::Refreshed;
use crate::auth::refusal::{Detail, Refusal};
use crate::clock::Clock;

/// A service that is called with good tokens alone; made by [`JwtLayer`](crate::auth::JwtLayer).
#[derive(Debug)]
pub struct Jwt<S, C> {
    inner: S,
    gate: Arc<Gate<C>>,
}

impl<S, C> Jwt<S, C> {
    pub(crate) fn new(inner: S, gate: Arc<Gate<C>>) -> Self {
        Self { inner, gate }
    }
}

impl<S: Clone, C> Clone for Jwt<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone() }
    }
}

impl<S, C, ReqBody, B> Service<Request<ReqBody>> for Jwt<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
    B: Body,
    C: Clock,
{
    type Response = Response<AuthBody<B>>;
    type Error = S::Error;
    type Future = JwtFuture<S, ReqBody, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        match self.gate.look_at(&mut request) {
            Passage::Open => JwtFuture::passing(&mut self.inner, request),
            Passage::Closed(refusal) => {
                JwtFuture::refusing(self.gate.refused(refusal, None, &request))
            }
            Passage::Ask(asked) => self.ask(asked, request),
        }
    }
}

impl<S, C: Clock> Jwt<S, C> {
    /// Asks the issuer for newer keys before the request goes on, or not.
    fn ask<ReqBody>(&mut self, asked: Asked, request: Request<ReqBody>) -> JwtFuture<S, ReqBody, C>
    where
        S: Service<Request<ReqBody>> + Clone,
    {
        let Asked { issuer, header, tried } = asked;
        let Some(keys) = self.gate.trusts.keys(issuer).cloned() else {
            let refusal = Refusal(Detail::Issuer);
            return JwtFuture::refusing(self.gate.refused(refusal, None, &request));
        };
        let refreshed = Box::pin(async move {
            match keys.refreshed(&header) {
                Some(refreshed) => refreshed.await,
                // What is known is all there is.
                None => match keys.keys() {
                    Some(keys) => Refreshed::Current(keys),
                    None => Refreshed::Unavailable { retry_after: RETRY_AFTER },
                },
            }
        });
        // The one that is ready gives its place back: this request may wait for long, and nobody knows of a next one.
        let inner = self.inner.clone();
        self.inner = inner.clone();
        JwtFuture::asking(Asking {
            refreshed,
            late: self.gate.clock.sleep(WAIT_MAX),
            issuer,
            tried,
            inner,
            request,
            gate: self.gate.clone(),
        })
    }
}

/// More than a source of keys should take. `JwksKeys` takes two seconds, or thirty at most.
const WAIT_MAX: Duration = Duration::from_secs(60);
