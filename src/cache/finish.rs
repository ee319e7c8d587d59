//! What every response gets on its way out: the outcome, and a member of Cache-Status.

use std::sync::Arc;

use http::{HeaderName, Response};
use http_body::Body;

use crate::cache::body::CacheBody;
use crate::cache::hint::{PolicyHint, PolicyHints};
use crate::cache::layer::Config;
use crate::head::RequestHead;

#[derive(Clone)]
pub(crate) struct Finish {
    config: Arc<Config>,
    /// The target, where Cache-Status is to show it.
    key: Option<Arc<str>>,
    core: u64,
    is_nested: bool,
}

impl Finish {
    pub(crate) fn new(config: &Arc<Config>, core: u64, request: RequestHead<'_>) -> Self {
        let key = config.status_key.then(|| {
            let (scheme, authority, target) = config.telling.base(request);
            format!("{scheme}://{authority}{target}").into()
        });
        Self { config: config.clone(), key, core, is_nested: false }
    }

    /// A clone of the same core further out decides; it is told this route's policy, and only it speaks
    /// in Cache-Status.
    pub(crate) fn nested(config: &Arc<Config>, core: u64) -> Self {
        Self { config: config.clone(), key: None, core, is_nested: true }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn apply<B: Body>(
        &self,
        mut response: Response<CacheBody<B>>,
    ) -> Response<CacheBody<B>> {
        let Config { policy, telling, status_name, .. } = &*self.config;
        let outcome = response.body().outcome();
        let core = self.core;
        if self.is_nested {
            let hints = response.extensions_mut().get_or_insert_default::<PolicyHints>();
            if hints.of(core).is_none() {
                let (telling, policy) = (telling.clone(), policy.clone());
                hints.0.push(PolicyHint { core, telling, policy });
            }
        } else {
            // Tags are for caches alone; of a clone further in, too.
            let hinted =
                response.extensions().get::<PolicyHints>().and_then(|hints| hints.of(core));
            let hinted = hinted.and_then(|hint| hint.policy.tags_from.clone());
            for field in policy.tags_from.iter().chain(&hinted) {
                response.headers_mut().remove(field);
            }
            if let Some(name) = status_name {
                // RFC 9211 §2: each cache appends, the one closest to the client last.
                let member = outcome.cache_status(name, self.key.as_deref());
                // A map that is full goes without.
                let _ = response.headers_mut().try_append(CACHE_STATUS, member);
            }
        }
        if self.config.outcome_in_extensions {
            response.extensions_mut().insert(outcome);
        }
        response
    }
}

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
