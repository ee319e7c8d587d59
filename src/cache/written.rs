//! A request that may change something: what its answer makes unusable is gone from the store before the
//! client has the answer (RFC 9111 §4.4).

use std::sync::Arc;

use http::{Method, Request, Response};
use http_body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::cache::answer::relayed;
use crate::cache::body::CacheBody;
use crate::cache::core::Core;
use crate::cache::finish::Finish;
use crate::cache::flow::{Relay, Transaction};
use crate::cache::key::Place;
use crate::cache::layer::Config;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::clock::Clock;
use crate::head::{RequestHead, ResponseHead};
use crate::rules::freshness::Exchange;
use crate::rules::invalidate::{describes_target, invalidated};
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, RequestFacts};
use crate::store::Store;

pub(crate) struct Written<St, C> {
    pub(crate) core: Arc<Core<St, C>>,
    pub(crate) config: Arc<Config>,
    pub(crate) place: Place,
    pub(crate) demand: Demand,
    /// Scheme, authority and target of the request.
    pub(crate) base: (String, String, String),
    pub(crate) finish: Finish,
}

impl<St: Store, C: Clock> Written<St, C> {
    pub(crate) async fn drive<S, ReqBody, B>(
        self,
        inner: S,
        request: Request<ReqBody>,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Send + 'static,
        B: Body + Send + 'static,
    {
        let deadline = self.config.store_deadline;
        let fills_get = self.config.policy.post_fills_get && *request.method() == Method::POST;
        let headers = fills_get.then(|| request.headers().clone()).unwrap_or_default();
        let request_time = self.core.clock.now();
        let response = inner.oneshot(request).await?;
        let at = Exchange { request_time, response_time: self.core.clock.now() };
        let mut outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        let (scheme, authority, target) = &self.base;
        let base = (scheme.as_str(), authority.as_str(), target.as_str());
        if let Some(others) = invalidated(response.status(), response.headers(), base) {
            let others = others.iter().map(|target| self.place.sibling(target));
            for place in others.chain([self.place.clone()]) {
                if self.core.invalidate(&place, deadline).await.is_err() {
                    outcome = outcome.because(Some(Reason::InvalidationFailed));
                }
            }
        }
        let began = self.core.begin(&self.place, deadline);
        let mut relay = Relay { outcome, filing: None };
        if fills_get && describes_target(response.headers(), base) {
            let facts = RequestFacts { demand: self.demand, headers, spread: self.core.spread() };
            let transaction = Transaction::new(
                self.config.policy.clone(),
                self.core.secret,
                self.place.clone(),
                self.demand,
            );
            relay = transaction.written(&facts, ResponseHead::from(&response), at);
        }
        Ok(relayed(&self.core, &self.config, &self.finish, relay, response, began))
    }
}

/// Scheme, authority and target of a request, where they are certain.
pub(crate) fn base_of(config: &Config, request: RequestHead<'_>) -> (String, String, String) {
    (config.key)(request).base(&config.scheme).unwrap_or_default()
}
