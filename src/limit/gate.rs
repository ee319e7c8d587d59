//! Who may go on: all that is set on a layer, and the decisions that need it.

use std::future::{Future as _, poll_fn};
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::cache::passed::Passed;
use crate::clock::Clock;
use crate::head::RequestHead;
use crate::limit::after::{After, Shown};
use crate::limit::breaker::Breaker;
use crate::limit::by::LimitBy;
use crate::limit::costs::{Cost, Settling};
use crate::limit::disclosure::Disclosure;
use crate::limit::failure::StoreFailure;
use crate::limit::headers::{RateLimitFields, Told};
use crate::limit::key::LimitKey;
use crate::limit::layer::RateLimitLayer;
use crate::limit::memory::MemoryLimitStore;
use crate::limit::no_key::NoKey;
use crate::limit::quota::Quotas;
use crate::limit::refusal::Keyless;
use crate::limit::settling::{Charge, Settlement};
use crate::limit::stats::Counts;
use crate::limit::store::{Adjustment, LimitStore};
use crate::limit::verdict::{Outcome, Verdict};
use crate::time::Ticks;

pub(crate) type QuotasFn = dyn Fn(RequestHead<'_>) -> Option<Quotas> + Send + Sync;

/// All that is set on a layer.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) quotas: Quotas,
    pub(crate) by: LimitBy,
    /// Of its keys: no other layer's are alike.
    pub(crate) secret: [u8; 16],
    pub(crate) quotas_by: Option<Arc<QuotasFn>>,
    pub(crate) cost: Cost,
    pub(crate) settling: Settling,
    pub(crate) penalty: Option<NonZeroU64>,
    pub(crate) no_key: NoKey,
    pub(crate) is_shadow: bool,
    pub(crate) disclosure: Disclosure,
    pub(crate) store_deadline: Duration,
    /// `None` where nothing was said.
    pub(crate) store_failure: Option<StoreFailure>,
}

/// What decides: the settings of a layer, and what its clones share.
pub(crate) struct Gate<St, C> {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<St>,
    pub(crate) clock: C,
    pub(crate) shared: Arc<Shared>,
    /// Whether nothing is done with the response of a request that is let through.
    is_plain: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) breaker: Breaker,
    pub(crate) counts: Counts,
    /// How many adjustments are on their way to the store.
    pub(crate) adjusting: AtomicUsize,
    /// What counts while the store fails, if nothing else is said; made when it first does.
    local: OnceLock<StoreFailure>,
}

/// What a request is to be charged.
#[derive(Clone)]
pub(crate) struct Charging {
    pub(crate) key: LimitKey,
    /// Its own, if it has others than the layer's.
    pub(crate) quotas: Option<Arc<Quotas>>,
    pub(crate) cost: NonZeroU64,
    /// When it is.
    pub(crate) at: Ticks,
}

/// What a request asks, as far as it says itself.
pub(crate) enum Asked {
    /// Nothing: it is not limited.
    Nothing,
    Charge(Charging),
    Refuse(Keyless),
}

/// Where a charge was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    Store,
    /// In this process, since the store failed.
    Local,
}

/// How a request goes on.
pub(crate) enum Passage<St, C> {
    /// To the inner service; and what is done with its response.
    Open(Option<Box<After<St, C>>>),
    Closed(Box<Response<Bytes>>),
}

impl<St, C> Gate<St, C> {
    pub(crate) fn new(settings: Settings, store: Arc<St>, clock: C, shared: Arc<Shared>) -> Self {
        let shows = settings.disclosure.fields != RateLimitFields::None;
        let is_plain = !shows && !settings.settling.is_on();
        Self { settings, store, clock, shared, is_plain }
    }

    /// Whether a request may go inwards, and nothing else is to be done. It is counted then.
    #[inline]
    pub(crate) fn lets_through(&self, verdict: &Verdict) -> bool {
        let is_so = self.is_plain && verdict.outcome == Outcome::Admitted;
        if is_so {
            self.shared.counts.admitted();
        }
        is_so
    }

    pub(crate) fn quotas<'a>(&'a self, charging: &'a Charging) -> &'a Quotas {
        charging.quotas.as_deref().unwrap_or(&self.settings.quotas)
    }

    pub(crate) fn keyless<B>(&self, keyless: Keyless, request: &Request<B>) -> Response<Bytes> {
        self.settings.disclosure.keyless(keyless, RequestHead::from(request))
    }
}

impl<St: LimitStore, C: Clock> Gate<St, C> {
    /// The key of a request, its quotas and its cost.
    pub(crate) fn asked(&self, request: RequestHead<'_>) -> Asked {
        let Some(cost) = self.settings.cost.of(request) else { return Asked::Nothing };
        let key = match self.settings.by.key(request, &self.settings.secret) {
            Ok(key) => key,
            Err(keyless) => {
                self.shared.counts.keyless();
                #[cfg(feature = "tracing")]
                tracing::debug!(
                    target: "tower_keep::limit",
                    by = ?self.settings.by,
                    lacks = ?keyless,
                    "request without a key"
                );
                match self.settings.no_key {
                    NoKey::Refuse if !self.settings.is_shadow => return Asked::Refuse(keyless),
                    NoKey::Refuse | NoKey::Allow => return Asked::Nothing,
                    NoKey::Share => LimitBy::key_of_keyless(&self.settings.secret),
                }
            }
        };
        let quotas =
            self.settings.quotas_by.as_ref().and_then(|quotas| quotas(request)).map(Arc::new);
        Asked::Charge(Charging { key, quotas, cost, at: self.now() })
    }

    pub(crate) fn now(&self) -> Ticks {
        self.clock.ticks()
    }

    /// What follows from a verdict.
    pub(crate) fn judge<B>(
        self: &Arc<Self>,
        charging: Charging,
        verdict: Verdict,
        against: Against,
        request: &mut Request<B>,
    ) -> Passage<St, C> {
        if verdict.outcome == Outcome::Admitted {
            self.shared.counts.admitted();
            return Passage::Open(self.admitted(charging, verdict, against, request));
        }
        self.shared.counts.refused();
        let verdict = match verdict.outcome {
            Outcome::Refused => self.penalize(&charging, verdict, against),
            _ => verdict,
        };
        let (quotas, own) = (self.quotas(&charging), charging.quotas.as_deref());
        let disclosure = &self.settings.disclosure;
        let cost = charging.cost.get();
        let Some(refusal) = disclosure.refusal(quotas, own, &verdict, cost) else {
            return Passage::Open(None);
        };
        #[cfg(feature = "tracing")]
        tracing::debug!(
            target: "tower_keep::limit",
            kind = ?refusal.kind(),
            shadow = self.settings.is_shadow,
            "request over its limit"
        );
        if self.settings.is_shadow {
            return Passage::Open(Some(Box::new(After::shadow(self.clone(), refusal))));
        }
        let is_within = disclosure.enter(request.extensions_mut());
        let response = refusal.response(RequestHead::from(&*request));
        let (mut response, words) = response.into_parts();
        disclosure.show(Told { verdict: &verdict, quotas, cost }, own, is_within, &mut response);
        Passage::Closed(Box::new(Response::from_parts(response, words)))
    }

    fn store_failure(&self) -> &StoreFailure {
        self.settings.store_failure.as_ref().unwrap_or_else(|| {
            let local = || MemoryLimitStore::with_bytes_max(RateLimitLayer::STORE_BYTES_MAX);
            self.shared.local.get_or_init(|| StoreFailure::Local(local()))
        })
    }

    /// What follows where the store cannot say anything, and nothing else may.
    pub(crate) fn without_store<B>(
        self: &Arc<Self>,
        charging: Charging,
        request: &mut Request<B>,
    ) -> Passage<St, C> {
        self.shared.counts.without_store();
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "tower_keep::limit", "request decided without the store");
        match self.store_failure() {
            StoreFailure::Open => Passage::Open(None),
            StoreFailure::Closed if self.settings.is_shadow => Passage::Open(None),
            StoreFailure::Closed => {
                let head = RequestHead::from(&*request);
                Passage::Closed(Box::new(self.settings.disclosure.unavailable(head)))
            }
            StoreFailure::Local(local) => {
                let charging = Charging { at: self.now(), ..charging };
                let quotas = self.quotas(&charging);
                match local.charge_now(charging.key, quotas, charging.cost, charging.at) {
                    Some(verdict) => self.judge(charging, verdict, Against::Local, request),
                    None => Passage::Open(None),
                }
            }
        }
    }

    /// How a key stands, where that can be said at once.
    pub(crate) fn peek_now(&self, charging: &Charging, against: Against) -> Option<Verdict> {
        let Charging { key, cost, .. } = *charging;
        let (quotas, now) = (self.quotas(charging), self.now());
        match (against, self.store_failure()) {
            (Against::Store, _) => self.store.peek_now(key, quotas, cost, now),
            (Against::Local, StoreFailure::Local(local)) => local.peek_now(key, quotas, cost, now),
            (Against::Local, _) => None,
        }
    }

    /// Puts right what was charged. `false` where it has to be waited for.
    pub(crate) fn adjust_now(&self, charging: &Charging, by: Adjustment, against: Against) -> bool {
        let (quotas, now) = (self.quotas(charging), self.now());
        if against == Against::Store {
            return self.store.adjust_now(charging.key, quotas, by, now);
        }
        match self.store_failure() {
            StoreFailure::Local(local) => local.adjust_now(charging.key, quotas, by, now),
            _ => true,
        }
    }

    /// Puts right what was charged, within the store's deadline.
    pub(crate) async fn adjust(&self, charging: &Charging, by: Adjustment) {
        let (quotas, now) = (self.quotas(charging), self.now());
        let mut adjusted = pin!(self.store.adjust(charging.key, quotas, by, now));
        let mut late = self.clock.sleep(self.settings.store_deadline);
        let adjusted = poll_fn(|cx| match adjusted.as_mut().poll(cx) {
            Poll::Ready(adjusted) => Poll::Ready(adjusted.is_ok()),
            Poll::Pending => match late.as_mut().map(|late| late.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(false),
                _ => Poll::Pending,
            },
        });
        if !adjusted.await {
            self.shared.counts.unsettled();
        }
    }

    fn admitted<B>(
        self: &Arc<Self>,
        charging: Charging,
        verdict: Verdict,
        against: Against,
        request: &mut Request<B>,
    ) -> Option<Box<After<St, C>>> {
        let shows = self.settings.disclosure.fields != RateLimitFields::None
            // What goes into a cache further out is sent to others later.
            && !Passed::is_on(request);
        let settlement = self.settings.settling.is_on().then(|| {
            Arc::new(Settlement::new(self.clone(), charging.clone(), verdict.clone(), against))
        });
        if let Some(settlement) = settlement.as_ref().filter(|_| self.settings.settling.by_handler)
        {
            Charge::add(request.extensions_mut(), settlement.clone());
        }
        if !shows && settlement.is_none() {
            return None;
        }
        let shown = shows.then(|| {
            let is_within = self.settings.disclosure.enter(request.extensions_mut());
            Shown { charging, verdict, is_within }
        });
        Some(Box::new(After::admitted(self.clone(), shown, settlement)))
    }

    /// Charges for having been refused, but never so that the key waits longer than for two bursts. What the client is told follows from
    /// how the key stands then: whoever comes when he was told to is admitted, if nobody of the same key was refused at the same moment.
    fn penalize(
        self: &Arc<Self>,
        charging: &Charging,
        verdict: Verdict,
        against: Against,
    ) -> Verdict {
        // Others would pay for it where a number is shared.
        let Some(penalty) = self.settings.penalty.filter(|_| verdict.shared == 0) else {
            return verdict;
        };
        let quotas = self.quotas(charging);
        let units = verdict.room_for_penalty(quotas).min(penalty.get());
        if units == 0 {
            return verdict;
        }
        let verdict = verdict.with_debit(quotas, units);
        let settlement = Settlement::new(self.clone(), charging.clone(), verdict, against);
        settlement.penalize(units);
        settlement.into_verdict()
    }
}
