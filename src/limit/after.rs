//! What is done with a response.

use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::clock::Clock;
use crate::head::ResponseHead;
use crate::limit::body::{Counting, RateLimitBody};
use crate::limit::costs::Settled;
use crate::limit::gate::{Charging, Gate};
use crate::limit::refusal::LimitRefusal;
use crate::limit::settling::{Settlement, Settles as _};
use crate::limit::store::LimitStore;
use crate::limit::verdict::Verdict;

pub(crate) struct After<St, C> {
    gate: Arc<Gate<St, C>>,
    /// What is shown to the client.
    shown: Option<(Charging, Verdict)>,
    settlement: Option<Arc<Settlement<St, C>>>,
    /// What it would have been refused for.
    shadow: Option<LimitRefusal>,
}

impl<St: LimitStore, C: Clock> After<St, C> {
    pub(crate) fn admitted(
        gate: Arc<Gate<St, C>>,
        shown: Option<(Charging, Verdict)>,
        settlement: Option<Arc<Settlement<St, C>>>,
    ) -> Self {
        Self { gate, shown, settlement, shadow: None }
    }

    pub(crate) fn shadow(gate: Arc<Gate<St, C>>, refusal: LimitRefusal) -> Self {
        Self { gate, shown: None, settlement: None, shadow: Some(refusal) }
    }

    pub(crate) fn finish<B: Body>(self, mut response: Response<B>) -> Response<RateLimitBody<B>> {
        let counting = self.settlement.and_then(|settlement| {
            match self.gate.settings.settling.judge(ResponseHead::from(&response)) {
                Settled::Kept => {}
                Settled::Refunded => drop(settlement.refund()),
                Settled::Cost(cost) => drop(settlement.settle(cost)),
                Settled::AtTheEnd => return Some(Counting::new(settlement)),
            }
            None
        });
        if let Some((charging, verdict)) = self.shown {
            let quotas = self.gate.quotas(&charging);
            self.gate.settings.answers.show(&mut response, quotas, &verdict);
        }
        if let Some(refusal) = self.shadow {
            response.extensions_mut().insert(refusal);
        }
        response.map(|body| RateLimitBody::passing(body, counting))
    }
}
