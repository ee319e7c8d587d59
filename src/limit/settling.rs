//! What becomes of a charge once more is known.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Extensions;

use crate::cache::spawn::{CurrentRuntime, Spawn as _};
use crate::clock::Clock;
use crate::limit::gate::{Against, Charging, Gate, Shared};
use crate::limit::quota::Quotas;
use crate::limit::store::{Adjustment, LimitStore};
use crate::limit::verdict::Verdict;

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

    /// Counts what is used while it is, and settles by that: for a body that streams, whose last line is never reached when its client goes
    /// away. One that is dropped before [`ChargeMeter::finish`] settles too, but gives nothing back of what was reserved.
    ///
    /// ```
    /// use axum::{Extension, body::Body};
    /// use futures_util::StreamExt as _;
    /// use tower_keep::limit::Charge;
    ///
    /// async fn stream(Extension(charge): Extension<Charge>) -> Body {
    ///     let words = futures_util::stream::iter(["one ", "after ", "the other"]); // your model
    ///     let counted = (words, charge.meter());
    ///     Body::from_stream(futures_util::stream::unfold(counted, async |(mut words, mut meter)| {
    ///         let Some(word) = words.next().await else {
    ///             meter.finish();
    ///             return None;
    ///         };
    ///         meter.add(1);
    ///         Some((Ok::<_, std::convert::Infallible>(word), (words, meter)))
    ///     }))
    /// }
    /// # let _ = stream;
    /// ```
    pub fn meter(self) -> ChargeMeter {
        ChargeMeter { charge: self, used: 0 }
    }
}

/// Counts what a request uses, and settles its [`Charge`] by it; made by [`Charge::meter`].
#[derive(Debug)]
pub struct ChargeMeter {
    charge: Charge,
    used: u64,
}

impl ChargeMeter {
    /// So many units more were used; saturates.
    pub fn add(&mut self, units: u64) {
        self.used = self.used.saturating_add(units);
    }

    /// All has come: the request has cost what was counted.
    pub fn finish(self) {
        self.charge.settle(self.used);
    }

    /// The units that were counted.
    pub fn used(&self) -> u64 {
        self.used
    }
}

impl Drop for ChargeMeter {
    fn drop(&mut self) {
        // It broke off, which is not given back.
        self.charge.settle(self.used.max(self.charge.cost()));
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
    /// How the quotas stood behind the charge.
    verdict: Verdict,
    against: Against,
    is_done: AtomicBool,
}

impl<St: LimitStore, C: Clock> Settlement<St, C> {
    pub(crate) fn new(
        gate: Arc<Gate<St, C>>,
        charging: Charging,
        verdict: Verdict,
        against: Against,
    ) -> Self {
        Self { gate, charging, verdict, against, is_done: AtomicBool::new(false) }
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        self.verdict
    }

    /// How the quotas stand now, if it was settled and where it can be said at once.
    pub(crate) fn look_again(&self, verdict: &mut Verdict) {
        if !self.is_done.load(Ordering::Acquire) {
            return;
        }
        if let Some(Verdict { backlogs, .. }) = self.gate.peek_now(&self.charging, self.against) {
            verdict.backlogs = backlogs;
        }
    }

    /// Gives so many units back to each quota, but not what has come back by itself since: or who is given back late would have a second
    /// burst at once. (Where charges before it were given back meanwhile, it has come back earlier than that, and up to as much as they were is
    /// given too much.) To a number that others share nothing is given back.
    fn give_back(&self, units: u64) {
        let quotas = self.gate.quotas(&self.charging);
        let since = self.gate.now().since(self.charging.at);
        for (index, standing) in self.verdict.standings(quotas).enumerate() {
            let units = units.min(standing.units_ahead(since));
            if units > 0 && !self.verdict.is_shared(index) {
                let quotas = Some(Arc::new(Quotas::one(*standing.quota())));
                let charging = Charging { quotas, ..self.charging.clone() };
                self.adjust(&charging, Adjustment::Refund(units));
            }
        }
    }

    fn is_first(&self) -> bool {
        !self.is_done.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn penalize(&self, units: u64) {
        self.adjust(&self.charging, Adjustment::Penalty(units));
    }

    /// At once where the store can, and else behind the request.
    fn adjust(&self, charging: &Charging, by: Adjustment) {
        if self.gate.adjust_now(charging, by, self.against) {
            return;
        }
        let (gate, charging) = (self.gate.clone(), charging.clone());
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
                Some(more) => self.adjust(&self.charging, Adjustment::Debit(more)),
                None if self.gate.settings.settling.refunds_unused => {
                    self.give_back(charged - cost);
                }
                None => {}
            }
        }
        is_first
    }

    fn refund(&self) -> bool {
        let is_first = self.is_first();
        if is_first {
            self.give_back(self.cost());
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
