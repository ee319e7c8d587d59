//! What is done with a response.

use std::sync::Arc;

use http::Response;
use http_body::Body;

use crate::clock::Clock;
use crate::head::ResponseHead;
use crate::limit::body::{Counting, RateLimitBody};
use crate::limit::costs::Settled;
use crate::limit::gate::{Charging, Gate};
use crate::limit::headers::{IsWithin, Told};
use crate::limit::refusal::LimitRefusal;
use crate::limit::settling::{Settlement, Settles as _};
use crate::limit::store::LimitStore;
use crate::limit::verdict::Verdict;

pub(crate) struct After<St, C> {
    gate: Arc<Gate<St, C>>,
    /// What is shown to the client.
    shown: Option<Shown>,
    settlement: Option<Arc<Settlement<St, C>>>,
    /// What it would have been refused for.
    shadow: Option<LimitRefusal>,
}

/// What is told of an admission.
pub(crate) struct Shown {
    pub(crate) charging: Charging,
    pub(crate) verdict: Verdict,
    pub(crate) is_within: IsWithin,
}

impl<St: LimitStore, C: Clock> After<St, C> {
    pub(crate) fn admitted(
        gate: Arc<Gate<St, C>>,
        shown: Option<Shown>,
        settlement: Option<Arc<Settlement<St, C>>>,
    ) -> Self {
        Self { gate, shown, settlement, shadow: None }
    }

    pub(crate) fn shadow(gate: Arc<Gate<St, C>>, refusal: LimitRefusal) -> Self {
        Self { gate, shown: None, settlement: None, shadow: Some(refusal) }
    }

    pub(crate) fn finish<B: Body>(mut self, response: Response<B>) -> Response<RateLimitBody<B>> {
        let counting = self.settlement.take().and_then(|settlement| {
            let judged = self.gate.settings.settling.judge(ResponseHead::from(&response));
            match judged {
                Settled::Kept | Settled::AtTheEnd => {}
                Settled::Refunded => drop(settlement.refund()),
                Settled::Cost(cost) => drop(settlement.settle(cost)),
            }
            if let Some(shown) = &mut self.shown {
                settlement.look_again(&mut shown.verdict);
            }
            (judged == Settled::AtTheEnd).then(|| Counting::new(settlement))
        });
        let (mut response, body) = response.into_parts();
        if let Some(Shown { charging, verdict, is_within }) = self.shown {
            let (quotas, cost) = (self.gate.quotas(&charging), charging.cost.get());
            let told = Told { verdict: &verdict, quotas, cost };
            let own = charging.quotas.as_deref();
            self.gate.settings.disclosure.show(told, own, is_within, &mut response);
        }
        if let Some(refusal) = self.shadow {
            response.extensions.insert(refusal);
        }
        Response::from_parts(response, RateLimitBody::passing(body, counting))
    }
}
