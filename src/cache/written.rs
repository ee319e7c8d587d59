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
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
    /// What the request may be about; one place, unless its authority is not certain.
    places: Vec<Place>,
    demand: Demand,
    /// Scheme, authority and target of the request.
    base: (String, String, String),
    finish: Finish,
}

impl<St: Store, C: Clock> Written<St, C> {
    pub(crate) fn new(
        core: &Arc<Core<St, C>>,
        config: &Arc<Config>,
        demand: Demand,
        request: RequestHead<'_>,
        finish: Finish,
    ) -> Self {
        let (places, base) = (config.telling.written(request), config.telling.base(request));
        Self { core: core.clone(), config: config.clone(), places, demand, base, finish }
    }

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
        // Until its answer is known. RFC 9111 §4.4 speaks of answers only; a write that failed on the way,
        // or whose client left, may have been carried out all the same.
        let unanswered = Unanswered { core: &self.core, places: &self.places, deadline };
        let began = self.places.first().map(|place| self.core.begin(place, deadline));
        let request_time = self.core.clock.now();
        let response = inner.oneshot(request).await?;
        let at = Exchange { request_time, response_time: self.core.clock.now() };
        let others = invalidated(response.status(), response.headers(), self.base());
        let outcome = self.invalidated(others, deadline).await;
        unanswered.settled();
        let mut relay = Relay { outcome, filing: None };
        let Some(mut began) = began else {
            return Ok(self.passed(response, outcome));
        };
        if fills_get && describes_target(response.headers(), self.base()) {
            // Its own write does not overtake what it brings.
            began.writes = began.writes.wrapping_add(1);
            relay = self.filled(headers, ResponseHead::from(&response), at);
        }
        Ok(relayed(&self.core, &self.config, &self.finish, relay, response, began))
    }

    /// Removes what the response makes unusable, the `others` that it names too, and tells how that went.
    async fn invalidated(&self, others: Option<Vec<String>>, deadline: Duration) -> CacheOutcome {
        let outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        let Some(others) = others else { return outcome };
        let mut places = self.places.clone();
        for place in &self.places {
            places.extend(others.iter().map(|target| place.sibling(target)));
        }
        places.sort_by(|a, b| a.resource().cmp(b.resource()));
        places.dedup_by(|a, b| a.resource() == b.resource());
        match self.core.invalidate(&places, deadline).await {
            Ok(()) => outcome,
            Err(_) => outcome.because(Some(Reason::InvalidationFailed)),
        }
    }

    /// RFC 9110 §9.3.3: the response as a later GET may have it.
    fn filled(&self, headers: HeaderMap, response: ResponseHead<'_>, at: Exchange) -> Relay {
        let facts = RequestFacts { demand: self.demand, headers, spread: self.core.spread() };
        let setting = self.core.setting(&self.config);
        let outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        match (self.places.as_slice(), self.config.telling.partition.is_some()) {
            ([place], false) => {
                Transaction::new(setting, place.clone(), self.demand).written(&facts, response, at)
            }
            // Whose GET it would answer is not certain.
            _ => Relay { outcome, filing: None },
        }
    }

    fn passed<B: Body>(
        &self,
        response: Response<B>,
        outcome: CacheOutcome,
    ) -> Response<CacheBody<B>> {
        self.finish.apply(response.map(|body| CacheBody::passing(body, outcome)))
    }

    fn base(&self) -> (&str, &str, &str) {
        let (scheme, authority, target) = &self.base;
        (scheme, authority, target)
    }
}

/// A write whose answer is not known. When it is dropped before it is settled, what the write may have made
/// unusable goes from the store.
struct Unanswered<'a, St: Store, C: Clock> {
    core: &'a Arc<Core<St, C>>,
    places: &'a [Place],
    deadline: Duration,
}

impl<St: Store, C: Clock> Unanswered<'_, St, C> {
    fn settled(mut self) {
        self.places = &[];
    }
}

impl<St: Store, C: Clock> Drop for Unanswered<'_, St, C> {
    fn drop(&mut self) {
        if self.places.is_empty() {
            return;
        }
        let (core, places, deadline) = (self.core.clone(), self.places.to_vec(), self.deadline);
        finish_soon(async move {
            let _ = core.invalidate(&places, deadline).await;
        });
    }
}
