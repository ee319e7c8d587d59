//! What becomes of a charge once more is known.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Extensions;

use crate::cache::spawn::{CurrentRuntime, Spawn as _};
use crate::clock::Clock;
use crate::limit::gate::{Against, Charging, Gate, Shared};
use crate::limit::store::{Adjustment, LimitStore};

/// The charge for a request, in its extensions: for a handler that learns only at the end what the request has really cost, such as the
/// tokens of a model's answer. There with [`RateLimitLayer::settled_by_handler`](crate::limit::RateLimitLayer::settled_by_handler), also where
/// a request is let through without being charged: then there is nothing to settle. Where several such limits are around one another, it is
/// the charges of all of them.
///
/// It is settled once: what comes first counts, and the rest does nothing. A charge that is never settled stays as it is, so that a
/// request that breaks off is not given back. It may be settled long after the response has gone.
///
/// ```
/// use axum::Extension;
/// use tower_keep::limit::Charge;
///
/// async fn complete(Extension(charge): Extension<Charge>, prompt: String) -> String {
///     let (answer, tokens) = (prompt.to_uppercase(), 812); // your model
///     charge.settle(tokens);
///     answer
/// }
/// # let _ = complete;
/// ```
#[derive(Clone)]
pub struct Charge(Arc<[Arc<dyn Settles>]>);

impl Charge {
    /// Whoever asks for one finds it, whether anything will have been charged or not.
    pub(crate) fn expect(request: &mut Extensions) {
        if request.get::<Self>().is_none() {
            request.insert(Self(Arc::new([])));
        }
    }

    /// One more, behind those of limits further out.
    pub(crate) fn add(request: &mut Extensions, settles: Arc<dyn Settles>) {
        let further_out = request.get::<Self>().map_or(&[][..], |charge| &charge.0);
        let charges = further_out.iter().cloned().chain([settles]).collect();
        request.insert(Self(charges));
    }

    /// What was charged before the request went inwards, in units; of several limits, by the innermost. 0 where nothing was.
    pub fn cost(&self) -> u64 {
        self.0.last().map_or(0, |charge| charge.cost())
    }

    /// The request has really cost so much. What is above [`Charge::cost`] is charged too, whether the key has so much left or not; what is
    /// below it is given back, if the layer says [`refund_unused`](crate::limit::RateLimitLayer::refund_unused).
    ///
    /// `false` if it was settled before, or nothing was charged.
    pub fn settle(&self, cost: u64) -> bool {
        self.0.iter().filter(|charge| charge.settle(cost)).count() > 0
    }

    /// The request has cost nothing. `false` if it was settled before, or nothing was charged.
    pub fn refund(&self) -> bool {
        self.0.iter().filter(|charge| charge.refund()).count() > 0
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge").field("cost", &self.cost()).finish_non_exhaustive()
    }
}

/// A charge that may be put right once.
pub(crate) trait Settles: Send + Sync {
    fn cost(&self) -> u64;
    fn settle(&self, cost: u64) -> bool;
    fn refund(&self) -> bool;
}

pub(crate) struct Settlement<St, C> {
    gate: Arc<Gate<St, C>>,
    charging: Charging,
    /// Charged to a number that others share, from which nothing is given back.
    is_overflow: bool,
    against: Against,
    is_done: AtomicBool,
}

impl<St: LimitStore, C: Clock> Settlement<St, C> {
    pub(crate) fn new(
        gate: Arc<Gate<St, C>>,
        charging: Charging,
        is_overflow: bool,
        against: Against,
    ) -> Self {
        Self { gate, charging, is_overflow, against, is_done: AtomicBool::new(false) }
    }

    fn is_first(&self) -> bool {
        !self.is_done.swap(true, Ordering::AcqRel)
    }

    /// At once where the store can, and else behind the request.
    pub(crate) fn adjust(&self, by: Adjustment) {
        if self.gate.adjust_now(&self.charging, by, self.against) {
            return;
        }
        let (gate, charging) = (self.gate.clone(), self.charging.clone());
        if gate.shared.adjusting.fetch_add(1, Ordering::AcqRel) >= ADJUSTING_MAX {
            gate.shared.adjusting.fetch_sub(1, Ordering::AcqRel);
            gate.shared.counts.unsettled();
            return;
        }
        let adjusting = Adjusting(gate.shared.clone());
        let work = Box::pin(async move {
            let _adjusting = adjusting;
            gate.adjust(&charging, by).await;
        });
        if CurrentRuntime.spawn(work).is_err() {
            self.gate.shared.counts.unsettled();
        }
    }
}

impl<St: LimitStore, C: Clock> Settles for Settlement<St, C> {
    fn cost(&self) -> u64 {
        self.charging.cost.get()
    }

    fn settle(&self, cost: u64) -> bool {
        let is_first = self.is_first();
        if is_first {
            let charged = self.cost();
            match cost.checked_sub(charged) {
                Some(0) => {}
                Some(more) => self.adjust(Adjustment::Debit(more)),
                None if self.gate.settings.settling.refunds_unused && !self.is_overflow => {
                    self.adjust(Adjustment::Refund(charged - cost));
                }
                None => {}
            }
        }
        is_first
    }

    fn refund(&self) -> bool {
        let is_first = self.is_first();
        if is_first && !self.is_overflow {
            self.adjust(Adjustment::Refund(self.cost()));
        }
        is_first
    }
}

/// One of the adjustments that are on their way.
struct Adjusting(Arc<Shared>);

impl Drop for Adjusting {
    fn drop(&mut self) {
        self.0.adjusting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The adjustments that are on their way at one time, for a store that does not answer at once; what is more is lost and counted.
pub(crate) const ADJUSTING_MAX: usize = 1024;
