//! The service: decides at once what it can, and hands the rest to a driver.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::cache::answer::{hit, served};
use crate::cache::body::CacheBody;
use crate::cache::collapse::Keeper;
use crate::cache::core::Core;
use crate::cache::driver::Driver;
use crate::cache::entry::{Entry, Stored};
use crate::cache::finish::Finish;
use crate::cache::flow::{Command, Transaction, at_a_glance};
use crate::cache::future::ResponseFuture;
use crate::cache::layer::Config;
use crate::cache::leading::{Drive, Lifeline};
use crate::cache::mark::Standing;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::passed::Passed;
use crate::cache::place::Place;
use crate::cache::refresh::refresh;
use crate::cache::written::Written;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::fields::survey::Survey;
use crate::head::RequestHead;
use crate::rules::policy::Class;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, Eligibility};
use crate::store::{Answer, Store};
use crate::time::Moment;

/// A service behind a cache; made by [`CacheLayer`](crate::cache::CacheLayer).
///
/// It is always ready: hits are served while the inner service is busy, and a request that needs the
/// inner service waits for a clone of it to become ready, which is then the one that is called.
///
/// ```
/// use tower::Layer;
/// use tower_keep::cache::{Cache, CacheLayer};
/// use tower_keep::clock::SystemClock;
/// use tower_keep::store::MemoryStore;
///
/// fn cached<S>(inner: S) -> Cache<S, MemoryStore, SystemClock> {
///     CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).layer(inner)
/// }
/// # let _ = cached(());
/// ```
pub struct Cache<S, St, C> {
    inner: S,
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
}

impl<S, St, C> Cache<S, St, C> {
    pub(crate) fn new(inner: S, core: Arc<Core<St, C>>, config: Arc<Config>) -> Self {
        Self { inner, core, config }
    }
}

impl<S: Clone, St, C> Clone for Cache<S, St, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), core: self.core.clone(), config: self.config.clone() }
    }
}

impl<S, St, C> fmt::Debug for Cache<S, St, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache(..)")
    }
}

impl<S, St, C, ReqBody, B> Service<Request<ReqBody>> for Cache<S, St, C>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Default + Send + 'static,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
    St: Store,
    C: Clock,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (core, config) = (&*self.core, &*self.config);
        if Passed::has(&request, core.id) {
            return self.nested(request);
        }
        let head = RequestHead::from(&request);
        let survey = Survey::of(head.headers);
        let has_content =
            !request.body().is_end_stream() && request.body().size_hint().exact() != Some(0);
        let demand = match config.policy.eligible(head, &survey, has_content) {
            Eligibility::Lookup(mut demand) => {
                // RFC 9111 §3.5 is about other users, and here there are none.
                demand.has_authorization &= !config.telling.is_of_one(head);
                demand
            }
            Eligibility::Write(demand) => {
                let finish = Finish::new(&self.config, core.id, head);
                let (core, config) = (&self.core, &self.config);
                let written = Written::new(core, config, demand, head, &survey, finish);
                return self.write(request, written);
            }
            Eligibility::Bypass(reason) => return self.bypass(request, reason),
        };
        let place = match config.telling.place(head, &survey, config.policy.class, &core.secret) {
            Ok(place) => place,
            Err(reason) => return self.bypass(request, reason),
        };
        // What a private cache gives is one client's, and what has told that of it once does not tell it again.
        if config.policy.class == Class::Private {
            Passed::find(&request);
        }
        let now = core.clock.now();
        let landings = core.flights.landings();
        let first = match place.is_divided() {
            // What others purged has to be known first, for which the driver asks.
            _ if !core.is_current(now) => Answer::Later,
            false => core.store.get_now(place.resource()),
            true => core.store.get_now(&place.root()),
        };
        if let Answer::Found(Entry(Stored::Response(stored))) = &first
            && config.is_plain
            && core.standing(&stored.meta, &place, now) == Standing::Good
            && let Some(glanced) = at_a_glance(&config.policy, &demand, head.headers, stored, now)
        {
            return ResponseFuture::ready(hit(core, config, glanced));
        }
        self.look_up(place, demand, request, first, landings, now)
    }
}

impl<S, St: Store, C: Clock> Cache<S, St, C> {
    /// One look-up for each core, by its outermost clone.
    fn nested<ReqBody, B>(&self, request: Request<ReqBody>) -> ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
        B: Body,
    {
        let finish = Finish::nested(&self.config, self.core.id);
        let outcome = CacheOutcome::forwarded(Forward::Bypass).because(Some(Reason::NestedCache));
        ResponseFuture::direct(self.inner.clone(), request, finish, outcome)
    }

    fn bypass<ReqBody, B>(
        &self,
        request: Request<ReqBody>,
        reason: Reason,
    ) -> ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
        B: Body,
        C: Clock,
    {
        self.core.stats.bypassed();
        let finish = Finish::new(&self.config, self.core.id, RequestHead::from(&request));
        let forward = if reason == Reason::Method { Forward::Method } else { Forward::Bypass };
        let outcome = CacheOutcome::forwarded(forward).because(Some(reason));
        ResponseFuture::direct(self.inner.clone(), request, finish, outcome)
            .purging(self.core.clone())
    }

    fn write<ReqBody, B>(
        &self,
        mut request: Request<ReqBody>,
        written: Written<St, C>,
    ) -> ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Send + 'static,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.core.stats.bypassed();
        Passed::mark(&mut request, self.core.id);
        let driven = written.drive(self.inner.clone(), request);
        ResponseFuture::driven(Drive::new(driven, None, Duration::ZERO))
    }

    /// Asks the store as long as it answers at once, beginning with what it said `first`; the rest is a
    /// driver's.
    fn look_up<ReqBody, B>(
        &self,
        place: Place,
        demand: Demand,
        mut request: Request<ReqBody>,
        first: Answer,
        landings: u64,
        now: Moment,
    ) -> ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Default + Send + 'static,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let finish = Finish::new(&self.config, self.core.id, RequestHead::from(&request));
        let setting = self.core.setting(&self.config);
        let mut transaction = Transaction::new(setting, place.clone(), demand);
        let mut command = transaction.start();
        let mut first = Some(first);
        while let Command::Get(key) = command {
            let answer = first.take().unwrap_or_else(|| self.core.store.get_now(&key));
            command = match answer {
                Answer::Found(entry) => {
                    let standing = self.core.standing_of(&entry, &place, now);
                    transaction.found(request.headers(), Some(entry), standing, now)
                }
                Answer::Absent => transaction.found(request.headers(), None, Standing::Good, now),
                Answer::Later => {
                    command = Command::Get(key);
                    break;
                }
            };
        }
        if let Command::Meanwhile(serving) = command {
            let setting = self.core.setting(&self.config);
            let again = Transaction::without_meanwhile(setting, place.clone(), demand);
            let found = std::mem::replace(&mut transaction, again);
            let (core, config, meta) = (&self.core, &self.config, &serving.stored.meta);
            let (inner, head) = (self.inner.clone(), RequestHead::from(&request));
            let is_stale = serving.outcome.reason() == Some(Reason::StaleWhileRevalidate);
            let is_begun = refresh(core, config, &place, found, meta, inner, head);
            command = match is_begun || !is_stale {
                true => Command::Serve(serving),
                false => transaction.start(),
            };
        }
        if let Command::Serve(serving) = command {
            let response = served(&self.core, serving, request.headers(), &demand, &finish);
            return ResponseFuture::ready(response);
        }
        Passed::mark(&mut request, self.core.id);
        let (core, config) = (self.core.clone(), self.config.clone());
        let (lifeline, deadline) = (Lifeline::default(), config.flight_deadline);
        let keeper: Arc<dyn Keeper> = core.clone();
        let line = Some((lifeline.clone(), keeper));
        let lifeline = Some(lifeline);
        let driver = Driver {
            core,
            config,
            place,
            demand,
            transaction,
            finish,
            landings,
            lead: None,
            lifeline,
        };
        let driven = driver.drive(self.inner.clone(), request, command);
        ResponseFuture::driven(Drive::new(driven, line, deadline))
    }
}
