//! The layer that limits how much each key may do.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::clock::{Clock, SystemClock};
use crate::entropy::random;
use crate::head::{RequestHead, ResponseHead};
use crate::limit::by::LimitBy;
use crate::limit::costs::{Cost, Settling, is_cache_hit};
use crate::limit::disclosure::Disclosure;
use crate::limit::failure::StoreFailure;
use crate::limit::gate::{Gate, Settings, Shared};
use crate::limit::handle::LimitHandle;
use crate::limit::headers::RateLimitFields;
use crate::limit::memory::MemoryLimitStore;
use crate::limit::no_key::NoKey;
use crate::limit::policies::LimitUnit;
use crate::limit::quota::{QuotaError, Quotas};
use crate::limit::refusal::Jitter;
use crate::limit::service::RateLimit;
use crate::limit::store::LimitStore;

/// Lets each key do as much as its quotas allow, and answers the rest with 429 (RFC 6585 §4).
///
/// What a key has used is in the store; the layer itself keeps nothing, and its clones are one limit. Two layers that were made apart are
/// two limits, also over one store.
///
/// ```
/// use axum::extract::ConnectInfo;
/// use axum::{Router, routing::get};
/// use std::net::SocketAddr;
/// use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};
///
/// # fn app() -> Result<Router, tower_keep::limit::QuotaError> {
/// let peer = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
/// let limit = RateLimitLayer::new(Quota::per_minute(600).burst(50), peer)?;
/// let app = Router::new().route("/", get(async || "hello")).layer(limit);
/// # Ok(app)
/// # }
/// // axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
/// # app().unwrap();
/// ```
///
/// A request is charged when it comes, and a client that leaves gets nothing back. Where a cost is known later, it is
/// reserved first and put right behind the response: see [`settled_by_handler`](Self::settled_by_handler),
/// [`settle_by`](Self::settle_by), [`settle_body_bytes`](Self::settle_body_bytes) and [`refund_when`](Self::refund_when).
pub struct RateLimitLayer<St = MemoryLimitStore, C = SystemClock> {
    settings: Settings,
    store: Arc<St>,
    clock: C,
    shared: Arc<Shared>,
}

impl RateLimitLayer {
    /// The memory for what keys have used, if nothing else is said: 8 MiB, for some 170,000 keys that are active at the same time.
    pub const STORE_BYTES_MAX: usize = 8 << 20;

    /// How long a store that is not in this process may take, if nothing else is said: 50 ms.
    pub const STORE_DEADLINE: Duration = Duration::from_millis(50);

    /// These quotas for each key: one [`Quota`](crate::limit::Quota), or up to four in an array or as [`Quotas`], of which the strictest decides.
    ///
    /// # Errors
    /// When a quota cannot be kept, such as one of nothing.
    pub fn new(
        quotas: impl TryInto<Quotas, Error: Into<QuotaError>>,
        by: LimitBy,
    ) -> Result<Self, QuotaError> {
        Self::with_clock(quotas, by, SystemClock::new())
    }
}

impl<C: Clock> RateLimitLayer<MemoryLimitStore, C> {
    /// With a clock of your own.
    ///
    /// # Errors
    /// As [`RateLimitLayer::new`].
    pub fn with_clock(
        quotas: impl TryInto<Quotas, Error: Into<QuotaError>>,
        by: LimitBy,
        clock: C,
    ) -> Result<Self, QuotaError> {
        let quotas = quotas.try_into().map_err(Into::into)?;
        let settings = Settings {
            disclosure: Disclosure::new(&quotas),
            quotas,
            by,
            secret: random(),
            quotas_by: None,
            cost: Cost::Fixed(NonZeroU64::MIN),
            settling: Settling::default(),
            penalty: None,
            no_key: NoKey::default(),
            is_shadow: false,
            store_deadline: RateLimitLayer::STORE_DEADLINE,
            store_failure: None,
        };
        let store = Arc::new(MemoryLimitStore::with_bytes_max(RateLimitLayer::STORE_BYTES_MAX));
        Ok(Self { settings, store, clock, shared: Arc::default() })
    }
}

impl<St, C> RateLimitLayer<St, C> {
    /// Keeps what keys have used in another store. Where that fails, requests are counted in this process; another
    /// choice is [`on_store_failure`](Self::on_store_failure), before or behind this.
    ///
    /// ```
    /// use tower_keep::limit::{LimitBy, MemoryLimitStore, Quota, RateLimitLayer};
    ///
    /// let small = MemoryLimitStore::with_bytes_max(1 << 20);
    /// let limit = RateLimitLayer::new(Quota::per_second(10), LimitBy::everyone())?.store(small);
    /// # let _ = limit;
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    #[must_use]
    pub fn store<Other: LimitStore>(self, store: Other) -> RateLimitLayer<Other, C> {
        let Self { settings, clock, .. } = self;
        // What is known of how the other store works says nothing of this one.
        RateLimitLayer { settings, store: Arc::new(store), clock, shared: Arc::default() }
    }

    /// What to do while the store fails or does not answer in time; for a store that is not in this process.
    #[must_use]
    pub fn on_store_failure(self, store_failure: StoreFailure) -> Self {
        self.with(|settings| settings.store_failure = Some(store_failure))
    }

    /// How long the store may take, where the clock keeps the time. One that has failed or was late is not asked for a tenth of a second
    /// then, and for longer each time, up to 6.4 s.
    #[must_use]
    pub fn store_deadline(self, store_deadline: Duration) -> Self {
        self.with(|settings| settings.store_deadline = store_deadline)
    }

    /// Makes keys with this secret, in all instances that share a store: the same request then has the same key in each of them. Two
    /// limits over one store need two secrets, or they are one.
    ///
    /// If nothing is said the secret is random, and nobody else has it.
    #[must_use]
    pub fn secret(self, secret: [u8; 16]) -> Self {
        self.with(|settings| settings.secret = secret)
    }

    /// Other quotas for some keys, such as the plan that a customer has. `None` leaves it at those of the layer.
    ///
    /// What a key has used is kept for each quota apart, so that a customer who changes plans begins anew with
    /// those that the other had not.
    ///
    /// ```
    /// use tower_keep::limit::{LimitBy, Quota, Quotas, RateLimitLayer};
    ///
    /// #[derive(Clone)]
    /// struct Paying; // put into the extensions by your authentication
    ///
    /// let paying = Quotas::new([Quota::per_second(100), Quota::per_day(1_000_000)])?;
    /// let limit = RateLimitLayer::new(Quota::per_second(5), LimitBy::everyone())?
    ///     .quotas_by(move |head| head.extensions.get::<Paying>().map(|_| paying.clone()));
    /// # let _ = limit;
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    #[must_use]
    pub fn quotas_by(
        self,
        quotas: impl Fn(RequestHead<'_>) -> Option<Quotas> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.quotas_by = Some(Arc::new(quotas)))
    }

    /// What every request costs, in units; one if nothing is said. **One that costs more than the burst of a quota is never let through.**
    #[must_use]
    pub fn cost(self, cost: NonZeroU64) -> Self {
        self.with(|settings| settings.cost = Cost::Fixed(cost))
    }

    /// What a request costs, in units. One that costs nothing is not limited.
    ///
    /// ```
    /// use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};
    ///
    /// let limit = RateLimitLayer::new(Quota::per_minute(100), LimitBy::everyone())?
    ///     .cost_by(|head| if head.uri.path() == "/export" { 20 } else { 1 });
    /// # let _ = limit;
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    #[must_use]
    pub fn cost_by(self, cost: impl Fn(RequestHead<'_>) -> u64 + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.cost = Cost::By(Arc::new(cost)))
    }

    /// What a request has really cost, as the head of its response tells, if it does. The cost before is a reservation then: what is above it
    /// is charged too, whether there is so much left or not.
    #[must_use]
    pub fn settle_by(
        self,
        cost: impl Fn(ResponseHead<'_>) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.settling.real_cost = Some(Arc::new(cost)))
    }

    /// A request costs the bytes of its response's body that were sent, once there are no more: quotas are in bytes then, and
    /// [`cost`](Self::cost) is what is reserved before. Of that nothing is given back where the body is dropped before its end, as it is
    /// when a client goes away.
    #[must_use]
    pub fn settle_body_bytes(self) -> Self {
        self.with(|settings| settings.settling.by_body_bytes = true)
    }

    /// The handler tells what a request has really cost: a [`Charge`](crate::limit::Charge) is in the extensions of every request.
    #[must_use]
    pub fn settled_by_handler(self) -> Self {
        self.with(|settings| settings.settling.by_handler = true)
    }

    /// Gives back what was reserved and not used, where a request has cost less than was charged.
    #[must_use]
    pub fn refund_unused(self) -> Self {
        self.with(|settings| settings.settling.refunds_unused = true)
    }

    /// Gives back the whole charge where the response is such: a failure of yours, or what you do not want to count.
    ///
    /// Said of all that is no failure, it counts failures alone; a stricter limit on attempts to log in:
    ///
    /// ```
    /// use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};
    ///
    /// let attempts = RateLimitLayer::new(Quota::per_minute(5), LimitBy::everyone())?
    ///     .refund_when(|response| response.status != http::StatusCode::UNAUTHORIZED);
    /// # let _ = attempts;
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    #[must_use]
    pub fn refund_when(
        self,
        refunds: impl Fn(ResponseHead<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.settling.refunds.push(Arc::new(refunds)))
    }

    /// Gives back the charge where a cache further in has answered without asking your service. That cache must say
    /// [`outcome_in_extensions`](crate::cache::CacheLayer::outcome_in_extensions), or nothing is given back. A hit must be let in first: a key that has
    /// nothing left is refused hits too, unless the limit stands inside the cache.
    #[must_use]
    pub fn without_cache_hits(self) -> Self {
        self.refund_when(is_cache_hit)
    }

    /// Charges so much for being refused, so that who does not wait waits longer; for two bursts at most, and `Retry-After` says for how long. If nothing is said, a request that
    /// is refused changes nothing.
    #[must_use]
    pub fn penalty(self, penalty: NonZeroU64) -> Self {
        self.with(|settings| settings.penalty = Some(penalty))
    }

    /// What becomes of requests without a key.
    #[must_use]
    pub fn no_key(self, no_key: NoKey) -> Self {
        self.with(|settings| settings.no_key = no_key)
    }

    /// Which fields tell clients how they stand, on what is let through and what is refused; none if nothing is said. Inside a cache of this
    /// crate they are on refusals alone: what it stores goes to others.
    #[must_use]
    pub fn fields(self, fields: RateLimitFields) -> Self {
        self.with(|settings| settings.disclosure.fields = fields)
    }

    /// What the quotas of the layer are called in those fields and in the answers, in their order. If nothing is said, and for quotas that
    /// [`quotas_by`](Self::quotas_by) gives, it is made of the quota, such as `100-in-60s`.
    ///
    /// ```
    /// use tower_keep::limit::{LimitBy, Quota, RateLimitFields, RateLimitLayer};
    ///
    /// let quotas = [Quota::per_second(10), Quota::per_day(5_000)];
    /// let limit = RateLimitLayer::new(quotas, LimitBy::everyone())?
    ///     .fields(RateLimitFields::Draft11)
    ///     .policy_names(["burst", "daily"]);
    /// # let _ = limit;
    /// # Ok::<(), tower_keep::limit::QuotaError>(())
    /// ```
    #[must_use]
    pub fn policy_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).take(Quotas::MAX).collect();
        self.with(|settings| settings.disclosure.name(&settings.quotas, names))
    }

    /// What a unit is, in those fields; a request if nothing is said.
    #[must_use]
    pub fn unit(self, unit: LimitUnit) -> Self {
        self.with(|settings| settings.disclosure.count_in(&settings.quotas, unit))
    }

    /// Lengthens `Retry-After` by a random part of itself, up to this fraction from 0 to 1, so that those who were refused at one moment do not come
    /// back at one moment. It is never shortened.
    #[must_use]
    pub fn retry_jitter(self, fraction: f64) -> Self {
        self.with(|settings| settings.disclosure.jitter = Jitter::up_to(fraction))
    }

    /// Charges and counts, and lets all requests through: to see what a limit would do. The response to one that would have been refused
    /// has the [`LimitRefusal`](crate::limit::LimitRefusal) in its extensions.
    #[must_use]
    pub fn shadow(self) -> Self {
        self.with(|settings| settings.is_shadow = true)
    }

    /// To look at what keys have used, and at figures. Made when all is set.
    pub fn handle(&self) -> LimitHandle<St, C>
    where
        C: Clone,
    {
        LimitHandle::new(Arc::new(self.gate()))
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    fn gate(&self) -> Gate<St, C>
    where
        C: Clone,
    {
        let (settings, store) = (self.settings.clone(), self.store.clone());
        Gate::new(settings, store, self.clock.clone(), self.shared.clone())
    }
}

impl<S, St: LimitStore, C: Clock + Clone> Layer<S> for RateLimitLayer<St, C> {
    type Service = RateLimit<S, St, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit::new(inner, Arc::new(self.gate()))
    }
}

impl<St, C: Clone> Clone for RateLimitLayer<St, C> {
    fn clone(&self) -> Self {
        let Gate { settings, store, clock, shared, .. } = self.gate();
        Self { settings, store, clock, shared }
    }
}

impl<St, C> fmt::Debug for RateLimitLayer<St, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("quotas", &self.settings.quotas)
            .field("by", &self.settings.by)
            .finish_non_exhaustive()
    }
}
