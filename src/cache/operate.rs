//! What a handle asks of a core: a purge carried out, a response stored.

use http::{Extensions, HeaderMap, Method, Request, Response, Uri};

use bytes::Bytes;

use crate::cache::core::Core;
use crate::cache::flow::{Relay, Transaction};
use crate::cache::key::CacheKey;
use crate::cache::landing::{assembled, body_bytes_max};
use crate::cache::layer::Config;
use crate::cache::mark::Target;
use crate::cache::place::Place;
use crate::cache::purge::{Purge, PurgeError, PurgeErrorKind, What};
use crate::cache::subject::prefixed;
use crate::clock::Clock;
use crate::fields::survey::Survey;
use crate::head::{RequestHead, ResponseHead};
use crate::rules::freshness::Exchange;
use crate::rules::reason::Reason;
use crate::rules::request::{Eligibility, RequestFacts};
use crate::rules::tags::is_tag;
use crate::store::{PurgeKind, Reach, Store};

impl<St: Store, C: Clock> Core<St, C> {
    pub(crate) async fn carry_out(
        &self,
        config: &Config,
        Purge { what, kind }: Purge,
    ) -> Result<Reach, PurgeError> {
        let scope = config.telling.start().scope();
        let mut keys = Vec::new();
        let targets = match what {
            What::All => vec![Target::all(&self.secret, scope)],
            What::Tag(tag) if !is_tag(&tag) => return Err(PurgeErrorKind::Tag.into()),
            What::Tag(tag) => vec![Target::tag(&self.secret, scope, tag.as_bytes())],
            What::Prefix(url) => {
                let prefix = |place| prefixed(&self.secret, place).ok_or(PurgeErrorKind::Prefix);
                let places = places(config, &url)?;
                places.iter().map(prefix).collect::<Result<_, _>>()?
            }
            What::Url(url) => {
                for place in places(config, &url)? {
                    keys.extend([place.resource().clone(), place.root()]);
                }
                self.resources(&keys)
            }
            What::Key(key) => {
                keys.extend(key.resource_and_root().ok_or(PurgeErrorKind::Key)?);
                self.resources(&keys)
            }
        };
        if kind == PurgeKind::Soft {
            // What is stale stays where it is.
            keys.clear();
        }
        let purged = self.purge(&targets, kind, &keys, config.store_deadline).await;
        purged.map_err(PurgeError::store)?;
        Ok(self.reach())
    }

    fn resources(&self, keys: &[CacheKey]) -> Vec<Target> {
        let target = |key: &CacheKey| Target::resource(&self.secret, key.as_bytes());
        keys.iter().filter(|key| key.is_resource()).map(target).collect()
    }

    pub(crate) async fn prime(
        &self,
        config: &Config,
        request: &Request<()>,
        response: Response<Bytes>,
    ) -> Result<(), Reason> {
        let head = RequestHead::from(request);
        let survey = Survey::of(head.headers);
        let demand = match config.policy.eligible(head, &survey, false) {
            Eligibility::Lookup(demand) if !demand.is_head => demand,
            Eligibility::Bypass(reason) => return Err(reason),
            Eligibility::Lookup(_) | Eligibility::Write(_) => return Err(Reason::Method),
        };
        let place = config.telling.place(head, &survey, config.policy.class, &self.secret)?;
        let now = self.clock.now();
        if !self.catch_up(now, config.store_deadline).await {
            return Err(Reason::StoreFailed);
        }
        let fetch = self.begin(config.store_deadline);
        let at = Exchange { began: self.stamps.position(), request_time: now, response_time: now };
        let headers = request.headers().clone();
        let facts = RequestFacts { demand, headers, spread: self.spread() };
        let transaction = Transaction::new(self.setting(config), place, demand);
        let Relay { outcome, filing } =
            transaction.primed(&facts, ResponseHead::from(&response), at);
        let (meta, filing) = filing.ok_or(outcome.reason().unwrap_or(Reason::NoFreshness))?;
        let body = response.into_body();
        if body.len() as u64 > body_bytes_max(self, config) {
            return Err(Reason::TooLarge);
        }
        let response = assembled(self, *meta, &filing, Bytes::copy_from_slice(&body), None);
        self.file(&filing, response, fetch).await
    }

    fn reach(&self) -> Reach {
        if self.feed.is_some() { Reach::EveryInstance } else { Reach::ThisProcess }
    }
}

/// Every place that an absolute URL may be about.
fn places(config: &Config, url: &Uri) -> Result<Vec<Place>, PurgeError> {
    let (headers, extensions) = (HeaderMap::new(), Extensions::new());
    let head =
        RequestHead { method: &Method::GET, uri: url, headers: &headers, extensions: &extensions };
    let (places, _) = config.telling.written(head, &Survey::of(&headers));
    if url.scheme().is_none() || url.authority().is_none() || places.is_empty() {
        return Err(PurgeErrorKind::Url.into());
    }
    Ok(places)
}
