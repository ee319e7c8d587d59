//! The service of which a key has so many calls at once.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::head::RequestHead;
use crate::limit::by::LimitBy;
use crate::limit::concurrency::body::KeyedConcurrencyBody;
use crate::limit::concurrency::counts::{Bounds, Counts, Permit, Taken};
use crate::limit::concurrency::future::KeyedConcurrencyFuture;
use crate::limit::no_key::NoKey;
use crate::limit::refusal::LimitRefusal;

/// A service that is called so often at once for each key; made by [`KeyedConcurrencyLayer`](crate::limit::KeyedConcurrencyLayer).
#[derive(Clone)]
pub struct KeyedConcurrency<S> {
    inner: S,
    gate: Arc<Gate>,
}

/// Who may enter.
pub(crate) struct Gate {
    pub(crate) counts: Arc<Counts>,
    pub(crate) by: LimitBy,
    pub(crate) secret: [u8; 16],
    pub(crate) no_key: NoKey,
    pub(crate) bounds: Bounds,
}

impl<S> KeyedConcurrency<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }
}

impl Gate {
    /// What the request holds while it is in flight, if it is counted, or why it may not enter.
    fn enter(&self, request: RequestHead<'_>) -> Result<Option<Permit>, LimitRefusal> {
        let key = match (self.by.key(request, &self.secret), self.no_key) {
            (Ok(key), _) => key,
            (Err(_), NoKey::Allow) => return Ok(None),
            (Err(_), NoKey::Share) => LimitBy::key_of_keyless(&self.secret),
            (Err(keyless), NoKey::Refuse) => {
                self.counts.refuse_keyless();
                return match self.bounds.is_shadow {
                    true => Ok(None),
                    false => Err(LimitRefusal::no_key(keyless)),
                };
            }
        };
        let Taken { permit, is_too_many } = self.counts.take(key, self.bounds);
        match is_too_many && !self.bounds.is_shadow {
            true => Err(LimitRefusal::too_many_at_once()),
            false => Ok(permit),
        }
    }
}

impl<S, ReqBody, B> Service<Request<ReqBody>> for KeyedConcurrency<S>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
    B: Body,
{
    type Response = Response<KeyedConcurrencyBody<B>>;
    type Error = S::Error;
    type Future = KeyedConcurrencyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let head = RequestHead::from(&request);
        match self.gate.enter(head) {
            Ok(permit) => KeyedConcurrencyFuture::passing(permit, self.inner.call(request)),
            Err(refusal) => {
                // The one that was made ready gives its place back, since it is not called.
                self.inner = self.inner.clone();
                KeyedConcurrencyFuture::refusing(refusal.response(head))
            }
        }
    }
}

impl<S> fmt::Debug for KeyedConcurrency<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedConcurrency(..)")
    }
}
