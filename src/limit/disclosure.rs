//! What clients are told of a limit, and in what manner.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, Response, response};

use crate::entropy::random;
use crate::head::RequestHead;
use crate::limit::headers::{IsWithin, RateLimitFields, Told};
use crate::limit::policies::{LimitUnit, Policies};
use crate::limit::quota::Quotas;
use crate::limit::refusal::{Jitter, Keyless, LimitRefusal};
use crate::limit::verdict::Verdict;

#[derive(Clone, Debug)]
pub(crate) struct Disclosure {
    pub(crate) fields: RateLimitFields,
    pub(crate) jitter: Jitter,
    names: Arc<[String]>,
    unit: LimitUnit,
    /// Of the quotas of the layer.
    policies: Arc<Policies>,
}

impl Disclosure {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        let (names, unit): (Arc<[String]>, _) = (Arc::new([]), LimitUnit::default());
        let policies = Arc::new(Policies::new(quotas, &names, unit));
        let (fields, jitter) = (RateLimitFields::default(), Jitter::default());
        Self { fields, jitter, names, unit, policies }
    }

    pub(crate) fn name(&mut self, quotas: &Quotas, names: Arc<[String]>) {
        self.policies = Arc::new(Policies::new(quotas, &names, self.unit));
        self.names = names;
    }

    pub(crate) fn count_in(&mut self, quotas: &Quotas, unit: LimitUnit) {
        self.policies = Arc::new(Policies::new(quotas, &self.names, unit));
        self.unit = unit;
    }

    /// Looks for limits further out that tell too.
    pub(crate) fn enter(&self, request: &mut Extensions) -> IsWithin {
        self.fields.enter(request)
    }

    /// Of a verdict that refuses. The quotas are those of the request, if it has others than the layer.
    pub(crate) fn refusal(
        &self,
        quotas: &Quotas,
        own: Option<&Quotas>,
        verdict: &Verdict,
        cost: u64,
    ) -> Option<LimitRefusal> {
        let drawn = match self.jitter == Jitter::default() {
            true => 0,
            false => u128::from_le_bytes(random()) as u64,
        };
        let policies = self.policies(own);
        LimitRefusal::by_quotas(verdict, quotas, cost, &policies, self.jitter, drawn)
    }

    pub(crate) fn keyless(&self, keyless: Keyless, request: RequestHead<'_>) -> Response<Bytes> {
        LimitRefusal::no_key(keyless).response(request)
    }

    pub(crate) fn unavailable(&self, request: RequestHead<'_>) -> Response<Bytes> {
        LimitRefusal::unavailable(RETRY_AFTER).response(request)
    }

    /// Tells how the quotas stand.
    pub(crate) fn show(
        &self,
        told: Told<'_>,
        own: Option<&Quotas>,
        is_within: IsWithin,
        response: &mut response::Parts,
    ) {
        let (fields, extensions) = (&mut response.headers, &mut response.extensions);
        match own {
            None => self.fields.show(&self.policies, told, is_within, fields, extensions),
            Some(own) => {
                let policies = Policies::new::<&str>(own, &[], self.unit);
                self.fields.show(&policies, told, is_within, fields, extensions);
            }
        }
    }

    fn policies(&self, own: Option<&Quotas>) -> Arc<Policies> {
        match own {
            None => self.policies.clone(),
            Some(own) => Arc::new(Policies::new::<&str>(own, &[], self.unit)),
        }
    }
}

/// When to come again where the store cannot say it.
const RETRY_AFTER: Duration = Duration::from_secs(1);
