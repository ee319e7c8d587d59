//! What every response gets on its way out: the outcome, and a member of Cache-Status.

use std::sync::Arc;

use http::{HeaderName, Response};

use crate::cache::hint::{PolicyHint, PolicyHints};
use crate::cache::layer::Config;
use crate::cache::outcome::CacheOutcome;
use crate::fields::cache_status::CacheName;
use crate::head::RequestHead;

#[derive(Clone)]
pub(crate) struct Finish {
    name: Option<CacheName>,
    /// The target, where Cache-Status is to show it.
    key: Option<Arc<str>>,
    outcome: Option<CacheOutcome>,
    hint: Option<PolicyHint>,
}

impl Finish {
    pub(crate) fn new(config: &Config, request: RequestHead<'_>) -> Self {
        let key = config.status_key.then(|| {
            let (scheme, authority, target) = config.telling.base(request);
            format!("{scheme}://{authority}{target}").into()
        });
        Self { name: config.status_name.clone(), key, outcome: None, hint: None }
    }

    pub(crate) fn with(mut self, outcome: CacheOutcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// A clone of the same layer further out decides; it is told this route's policy, and only it speaks
    /// in Cache-Status.
    pub(crate) fn nested(self, outcome: CacheOutcome, hint: PolicyHint) -> Self {
        Self { name: None, hint: Some(hint), ..self.with(outcome) }
    }

    pub(crate) fn apply<B>(&self, mut response: Response<B>) -> Response<B> {
        if let Some(hint) = &self.hint {
            let hints = response.extensions_mut().get_or_insert_default::<PolicyHints>();
            if hints.of(hint.core).is_none() {
                hints.0.push(hint.clone());
            }
        }
        let Some(outcome) = self.outcome else { return response };
        if let Some(name) = &self.name {
            // RFC 9211 §2: each cache appends, the one closest to the client last.
            let member = outcome.cache_status(name, self.key.as_deref());
            // A map that is full goes without.
            let _ = response.headers_mut().try_append(CACHE_STATUS, member);
        }
        response.extensions_mut().insert(outcome);
        response
    }
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
