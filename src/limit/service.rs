//! The service behind which no key does more than its quotas allow.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::clock::Clock;
use crate::head::RequestHead;
use crate::limit::body::RateLimitBody;
use crate::limit::future::{Asking, Attempt, RateLimitFuture};
use crate::limit::gate::{Against, Asked, Charging, Gate, Passage};
use crate::limit::settling::Charge;
use crate::limit::store::LimitStore;

/// A service with a limit in front of it; made by [`RateLimitLayer`](crate::limit::RateLimitLayer).
pub struct RateLimit<S, St, C> {
    inner: S,
    gate: Arc<Gate<St, C>>,
}

impl<S, St, C> RateLimit<S, St, C> {
    pub(crate) fn new(inner: S, gate: Arc<Gate<St, C>>) -> Self {
        Self { inner, gate }
    }
}

impl<S: Clone, St, C> Clone for RateLimit<S, St, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone() }
    }
}

impl<S, St, C> std::fmt::Debug for RateLimit<S, St, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RateLimit(..)")
    }
}

impl<S, St, C, ReqBody, B> Service<Request<ReqBody>> for RateLimit<S, St, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
    B: Body,
    St: LimitStore,
    C: Clock,
{
    type Response = Response<RateLimitBody<B>>;
    type Error = S::Error;
    type Future = RateLimitFuture<S, ReqBody, St, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let gate = &self.gate;
        if gate.settings.settling.by_handler {
            Charge::expect(request.extensions_mut());
        }
        let charging = match gate.asked(RequestHead::from(&request)) {
            Asked::Charge(charging) => charging,
            Asked::Nothing => return self.go(Passage::Open(None), request),
            Asked::Refuse(keyless) => {
                let response = gate.keyless(keyless, &request);
                self.give_up_place();
                return RateLimitFuture::refusing(response);
            }
        };
        let quotas = gate.quotas(&charging);
        match gate.store.charge_now(charging.key, quotas, charging.cost, charging.at) {
            Some(verdict) if gate.lets_through(&verdict) => {
                RateLimitFuture::passing(&mut self.inner, request, None)
            }
            Some(verdict) => {
                let passage = gate.judge(charging, verdict, Against::Store, &mut request);
                self.go(passage, request)
            }
            None => self.ask(charging, request),
        }
    }
}

impl<S: Clone, St, C> RateLimit<S, St, C> {
    /// The one that was made ready gives its place back, since it is not called: nobody's place is held while somebody waits for the store, or has
    /// been refused.
    fn give_up_place(&mut self) -> S {
        let inner = self.inner.clone();
        self.inner = inner.clone();
        inner
    }
}

impl<S, St: LimitStore, C: Clock> RateLimit<S, St, C> {
    fn go<ReqBody>(
        &mut self,
        passage: Passage<St, C>,
        request: Request<ReqBody>,
    ) -> RateLimitFuture<S, ReqBody, St, C>
    where
        S: Service<Request<ReqBody>> + Clone,
    {
        match passage {
            Passage::Open(after) => RateLimitFuture::passing(&mut self.inner, request, after),
            Passage::Closed(response) => {
                self.give_up_place();
                RateLimitFuture::refusing(*response)
            }
        }
    }

    /// Asks a store that does not answer at once.
    fn ask<ReqBody>(
        &mut self,
        charging: Charging,
        mut request: Request<ReqBody>,
    ) -> RateLimitFuture<S, ReqBody, St, C>
    where
        S: Service<Request<ReqBody>> + Clone,
    {
        let gate = self.gate.clone();
        let Some(way) = gate.shared.breaker.way(charging.at, gate.settings.store_deadline) else {
            let passage = gate.without_store(charging, &mut request);
            return self.go(passage, request);
        };
        let (store, charged) = (gate.store.clone(), charging.clone());
        let quotas = gate.quotas(&charging).clone();
        let verdict =
            Box::pin(
                async move { store.charge(charged.key, &quotas, charged.cost, charged.at).await },
            );
        let inner = self.give_up_place();
        let late = gate.clock.sleep(gate.settings.store_deadline);
        let attempt = Attempt::new(gate.shared.clone(), way);
        RateLimitFuture::asking(Asking { verdict, late, attempt, charging, inner, request, gate })
    }
}
