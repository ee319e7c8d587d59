//! A request that may change something: what its answer makes unusable is gone from the store before the
//! client has the answer (RFC 9111 §4.4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
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
use crate::cache::spawn::finish_soon;
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
        let headers = if fills_get { request.headers().clone() } else { HeaderMap::new() };
        let mut unanswered = Unanswered::new(&self.core, &self.place, deadline);
        let mut began = self.core.begin(&self.place, deadline);
        let request_time = self.core.clock.now();
        let answer = inner.oneshot(request).await;
        let at = Exchange { request_time, response_time: self.core.clock.now() };
        let Ok(response) = answer else {
            unanswered.settle();
            return answer.map(|response| response.map(CacheBody::passing));
        };
        let mut outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        let (scheme, authority, target) = &self.base;
        let base = (scheme.as_str(), authority.as_str(), target.as_str());
        if let Some(others) = invalidated(response.status(), response.headers(), base) {
            let mut places = vec![self.place.clone()];
            places.extend(others.iter().map(|target| self.place.sibling(target)));
            if self.core.invalidate(&places, deadline).await.is_err() {
                outcome = outcome.because(Some(Reason::InvalidationFailed));
            }
            // Its own write does not overtake what it brings.
            began.writes = began.writes.wrapping_add(1);
        }
        unanswered.settle();
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

/// A write whose answer nobody has seen yet. Its client may leave before that, and the service may have
/// carried it out all the same: then what it may have made unusable goes from the store too.
struct Unanswered<St: Store, C: Clock> {
    what: Option<(Arc<Core<St, C>>, Place)>,
    deadline: Duration,
}

impl<St: Store, C: Clock> Unanswered<St, C> {
    fn new(core: &Arc<Core<St, C>>, place: &Place, deadline: Duration) -> Self {
        Self { what: Some((core.clone(), place.clone())), deadline }
    }

    fn settle(&mut self) {
        self.what = None;
    }
}

impl<St: Store, C: Clock> Drop for Unanswered<St, C> {
    fn drop(&mut self) {
        if let Some((core, place)) = self.what.take() {
            let deadline = self.deadline;
            finish_soon(async move {
                let _ = core.invalidate(&[place], deadline).await;
            });
        }
    }
}

/// Scheme, authority and target of a request, where they are certain.
pub(crate) fn base_of(config: &Config, request: RequestHead<'_>) -> (String, String, String) {
    (config.key)(request).base(&config.scheme).unwrap_or_default()
}
