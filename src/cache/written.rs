//! A request that may change something: what its answer makes unusable is gone from the store before the
//! client has the answer (RFC 9111 §4.4).

use std::sync::Arc;

use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::cache::answer::relayed;
use crate::cache::body::CacheBody;
use crate::cache::core::Core;
use crate::cache::entry::Checked;
use crate::cache::filing::keys_of;
use crate::cache::finish::Finish;
use crate::cache::flow::{Relay, Transaction};
use crate::cache::layer::Config;
use crate::cache::mark::{Standing, Target};
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::passed::{Found, Passed};
use crate::cache::place::Place;
use crate::cache::stamps::Noted;
use crate::cache::subject::{Others, Subject};
use crate::cache::unanswered::Unanswered;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::fields::survey::{Seen, Survey};
use crate::head::{RequestHead, ResponseHead};
use crate::rules::freshness::Exchange;
use crate::rules::invalidate::{describes_target, invalidated, invalidated_groups};
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, EARLY_DATA, RequestFacts};
use crate::store::Store;

pub(crate) struct Written<St, C> {
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
    /// What the request may be about; one place, unless its authority is not certain.
    places: Vec<Place>,
    demand: Demand,
    /// The scheme that the request names, or else the layer's.
    scheme: Scheme,
    /// Whether a GET without anything else lies at the one place that it is about.
    is_plain: bool,
    finish: Finish,
}

impl<St: Store, C: Clock> Written<St, C> {
    pub(crate) fn new(
        core: &Arc<Core<St, C>>,
        config: &Arc<Config>,
        demand: Demand,
        request: RequestHead<'_>,
        survey: &Survey<'_>,
        finish: Finish,
    ) -> Self {
        let (places, scheme) = config.telling.written(request, survey);
        let is_plain = config.policy.post_fills_get
            && !survey.has(Seen::MethodOverride)
            && config
                .telling
                .place(request, survey, config.policy.class, &core.secret)
                .is_ok_and(|place| !place.is_divided() && places.len() == 1);
        let (core, config) = (core.clone(), config.clone());
        Self { core, config, places, demand, scheme, is_plain, finish }
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
        B::Error: Into<BoxError>,
    {
        let deadline = self.config.store_deadline;
        // RFC 8470 §3: a request in early data may be an old one that somebody sends again.
        let fills_get = self.is_plain
            && *request.method() == Method::POST
            && !request.headers().contains_key(EARLY_DATA);
        let headers = if fills_get { request.headers().clone() } else { HeaderMap::new() };
        // Until its answer is known. RFC 9111 §4.4 speaks of answers only; a write that failed on the way,
        // or whose client left, may have been carried out all the same.
        let mut unanswered = Unanswered::new(&self.core, &self.places, deadline);
        let fetch = self.core.begin(deadline);
        let began = self.core.stamps.position();
        let request_time = self.core.clock.now();
        let found = Passed::found(&request, self.core.id);
        let response = inner.oneshot(request).await?;
        let response_time = self.core.clock.now();
        let head = ResponseHead::from(&response);
        let (outcome, noted) = self.invalidated(head, &mut unanswered).await;
        unanswered.settled();
        let mut relay = Relay { outcome, filing: None };
        if fills_get && describes_target(response.headers(), self.base()) {
            let at = Exchange { began, request_time, response_time };
            relay = self.filled(headers, head, at, &found);
            relay = match noted {
                None => relay,
                Some(noted) => self.after_its_own(relay, noted),
            };
        }
        Ok(relayed(&self.core, &self.config, &self.finish, relay, response, None, fetch))
    }

    /// Purges what the response makes unusable, and tells how that went; and where it stands in the order of
    /// purges, if the request's own target was among that.
    async fn invalidated(
        &self,
        response: ResponseHead<'_>,
        unanswered: &mut Unanswered<St, C>,
    ) -> (CacheOutcome, Option<Noted>) {
        let outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        let mut places = Vec::new();
        if let Some(others) = invalidated(response.status, response.headers, self.base()) {
            places.extend(self.places.iter().cloned());
            for place in self.places.iter().filter(|_| !others.is_empty()) {
                // Once each: a second purge of the target would overtake what it brings.
                let more = others.iter().map(|target| place.sibling(target));
                let more = more.filter(|more| more.resource() != place.resource());
                places.extend(more.collect::<Vec<_>>());
            }
        }
        let secret = &self.core.secret;
        // The request's own target first.
        let resource = |place: &Place| Target::resource(secret, place.resource().as_bytes());
        let mut targets: Vec<Target> = places.iter().map(resource).collect();
        // RFC 9875 §3: of the same origin.
        let groups = invalidated_groups(response.headers);
        for place in &self.places {
            let group = |group: &str| Target::group(secret, place.origin(), group.as_bytes());
            targets.extend(groups.iter().map(|name| group(name)));
        }
        targets.extend(self.core.declared(&self.config, response.extensions));
        if targets.is_empty() {
            return (outcome, None);
        }
        unanswered.becomes(targets, keys_of(&places));
        match unanswered.purge().await {
            Ok(noted) => (outcome, noted.into_iter().next().filter(|_| !places.is_empty())),
            Err(_) => (outcome.because(Some(Reason::InvalidationFailed)), None),
        }
    }

    /// Its own purge does not overtake what the write brings: it began there. But whatever was purged in
    /// between does.
    fn after_its_own(&self, mut relay: Relay, own: Noted) -> Relay {
        let Some((meta, filing)) = &mut relay.filing else { return relay };
        let subject = Subject { secret: &self.core.secret, place: &filing.place, stored: meta };
        let nothing_between = own.position == meta.began.next();
        // All that lies between is known only where nobody else purges.
        let is_good = self.core.feed.is_none()
            && own.previous.is_none_or(|at| at <= meta.began.mark)
            && self.core.stamps.standing(meta.began, &Checked::default().0, &Others(subject))
                == Standing::Good;
        if nothing_between || is_good {
            meta.began = own.position;
        }
        relay
    }

    /// RFC 9110 §9.3.3: the response as a later GET may have it.
    fn filled(
        &self,
        headers: HeaderMap,
        response: ResponseHead<'_>,
        at: Exchange,
        found: &Found,
    ) -> Relay {
        let mut demand = self.demand;
        demand.has_authorization |= found.is_so();
        let facts = RequestFacts { demand, headers, spread: self.core.spread() };
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

    /// Scheme, authority (empty where it is not certain) and target of the request.
    fn base(&self) -> (&str, &str, &str) {
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        match self.places.as_slice() {
            [place] => (self.scheme.as_str(), text(place.authority()), text(place.target())),
            [place, ..] => (self.scheme.as_str(), "", text(place.target())),
            [] => (self.scheme.as_str(), "", ""),
        }
    }
}
