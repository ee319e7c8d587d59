//! What requests cost, and what becomes of a charge once there is a response.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::cache::outcome::CacheOutcome;
use crate::head::{RequestHead, ResponseHead};

type CostFn = dyn Fn(RequestHead<'_>) -> u64 + Send + Sync;
type RealCostFn = dyn Fn(ResponseHead<'_>) -> Option<u64> + Send + Sync;
type RefundFn = dyn Fn(ResponseHead<'_>) -> bool + Send + Sync;

/// What is charged before a request goes inwards.
#[derive(Clone)]
pub(crate) enum Cost {
    Fixed(NonZeroU64),
    By(Arc<CostFn>),
}

impl Cost {
    /// `None` for a request that costs nothing.
    pub(crate) fn of(&self, request: RequestHead<'_>) -> Option<NonZeroU64> {
        match self {
            Self::Fixed(cost) => Some(*cost),
            Self::By(cost) => NonZeroU64::new(cost(request)),
        }
    }
}

/// What is put right behind the response.
#[derive(Clone, Default)]
pub(crate) struct Settling {
    pub(crate) real_cost: Option<Arc<RealCostFn>>,
    pub(crate) refunds: Vec<Arc<RefundFn>>,
    pub(crate) by_body_bytes: bool,
    pub(crate) by_handler: bool,
    pub(crate) refunds_unused: bool,
}

/// What a response says of its charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing: it stays.
    Kept,
    /// All of it is given back.
    Refunded,
    /// The real cost.
    Cost(u64),
    /// The bytes of its body will tell.
    AtTheEnd,
}

impl Settling {
    /// Whether a charge may change at all.
    pub(crate) fn is_on(&self) -> bool {
        self.real_cost.is_some()
            || !self.refunds.is_empty()
            || self.by_body_bytes
            || self.by_handler
    }

    pub(crate) fn judge(&self, response: ResponseHead<'_>) -> Settled {
        if self.refunds.iter().any(|refund| refund(response)) {
            return Settled::Refunded;
        }
        match self.real_cost.as_ref().and_then(|cost| cost(response)) {
            Some(cost) => Settled::Cost(cost),
            None if self.by_body_bytes => Settled::AtTheEnd,
            None => Settled::Kept,
        }
    }
}

/// Whether a cache has answered, and the inner service was not asked.
pub(crate) fn is_cache_hit(response: ResponseHead<'_>) -> bool {
    response.extensions.get::<CacheOutcome>().is_some_and(CacheOutcome::is_hit)
}
