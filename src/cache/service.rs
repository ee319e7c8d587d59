//! The service: decides at once what it can, and hands the rest to a driver.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::cache::answer::served;
use crate::cache::body::CacheBody;
use crate::cache::core::Core;
use crate::cache::driver::Driver;
use crate::cache::finish::Finish;
use crate::cache::flow::{Command, Transaction};
use crate::cache::future::ResponseFuture;
use crate::cache::hint::PolicyHint;
use crate::cache::key::Place;
use crate::cache::layer::Config;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::written::Written;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::head::RequestHead;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, Eligibility};
use crate::store::{Answer, Store};

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

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let finish = Finish::new(&self.config, RequestHead::from(&request));
        let passed = request.extensions().get::<Passed>();
        if passed.is_some_and(|passed| passed.0.contains(&self.core.id)) {
            // One look-up for each core, by its outermost clone.
            let outcome =
                CacheOutcome::forwarded(Forward::Bypass).because(Some(Reason::NestedCache));
            let finish = finish.nested(outcome, self.hint());
            return ResponseFuture::direct(self.inner.clone(), request, finish);
        }
        let has_content =
            !request.body().is_end_stream() && request.body().size_hint().exact() != Some(0);
        let eligibility = self.config.policy.eligible(RequestHead::from(&request), has_content);
        let bypassed = |reason| {
            let forward = if reason == Reason::Method { Forward::Method } else { Forward::Bypass };
            finish.clone().with(CacheOutcome::forwarded(forward).because(Some(reason)))
        };
        let demand = match eligibility {
            Eligibility::Lookup(demand) => demand,
            Eligibility::Write(demand) => {
                self.core.stats.bypassed();
                Passed::mark(&mut request, self.core.id);
                let head = RequestHead::from(&request);
                let written = Written::new(&self.core, &self.config, demand, head, finish);
                return ResponseFuture::driven(written.drive(self.inner.clone(), request));
            }
            Eligibility::Bypass(reason) => {
                self.core.stats.bypassed();
                return ResponseFuture::direct(self.inner.clone(), request, bypassed(reason));
            }
        };
        let Config { telling, policy, .. } = &*self.config;
        let head = RequestHead::from(&request);
        let place = match telling.place(head, policy.class, &self.core.secret) {
            Ok(place) => place,
            Err(reason) => {
                self.core.stats.bypassed();
                return ResponseFuture::direct(self.inner.clone(), request, bypassed(reason));
            }
        };
        let transaction = Transaction::new(self.core.setting(&self.config), place.clone(), demand);
        self.look_up(transaction, place, demand, request, finish)
    }
}

impl<S, St: Store, C: Clock> Cache<S, St, C> {
    /// What this clone tells the one that looks up in its place.
    fn hint(&self) -> PolicyHint {
        let Config { telling, policy, .. } = &*self.config;
        PolicyHint { core: self.core.id, telling: telling.clone(), policy: policy.clone() }
    }

    /// Asks the store as long as it answers at once; the rest is the driver's.
    fn look_up<ReqBody, B>(
        &self,
        mut transaction: Transaction,
        place: Place,
        demand: Demand,
        mut request: Request<ReqBody>,
        finish: Finish,
    ) -> ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Default + Send + 'static,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let now = self.core.clock.now();
        let mut command = transaction.start();
        loop {
            command = match command {
                Command::Get(key) => match self.core.store.get_now(&key) {
                    Answer::Found(entry) => transaction.found(request.headers(), Some(entry), now),
                    Answer::Absent => transaction.found(request.headers(), None, now),
                    Answer::Later => {
                        command = Command::Get(key);
                        break;
                    }
                },
                Command::Serve(serving) => {
                    return ResponseFuture::ready(served(
                        &self.core,
                        serving,
                        request.headers(),
                        &demand,
                        &finish,
                    ));
                }
                other => {
                    command = other;
                    break;
                }
            }
        }
        Passed::mark(&mut request, self.core.id);
        let driver = Driver {
            core: self.core.clone(),
            config: self.config.clone(),
            place,
            demand,
            transaction,
            finish,
        };
        ResponseFuture::driven(driver.drive(self.inner.clone(), request, command))
    }
}

/// The cores that have seen a request, the outermost first.
#[derive(Clone)]
struct Passed(Arc<[u64]>);

impl Passed {
    /// Notes that a core has seen a request which may go further in.
    fn mark<ReqBody>(request: &mut Request<ReqBody>, core: u64) {
        let further_out = request.extensions().get::<Self>().map_or(&[][..], |passed| &passed.0);
        let cores = further_out.iter().copied().chain([core]).collect();
        request.extensions_mut().insert(Self(cores));
    }
}
