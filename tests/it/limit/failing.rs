//! A store that is not in this process, and what happens when it does not answer.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tower::ServiceExt as _;
use tower_keep::limit::{
    Adjustment, LimitKey, LimitRefusalKind, LimitStore, MemoryLimitStore, Quota, Quotas,
    StoreFailure, Verdict,
};
use tower_keep::store::{StoreError, StoreErrorKind};
use tower_keep::time::Ticks;

use super::limited::{Answer, Limited, TestLimit, read};
use crate::support::request;

/// As one behind a network: it never answers at once, and may fail or say nothing at all.
#[derive(Clone)]
struct Remote(Arc<State>);

struct State {
    store: MemoryLimitStore,
    mood: AtomicU8,
    asked: AtomicUsize,
}

const WELL: u8 = 0;
const FAILING: u8 = 1;
const SILENT: u8 = 2;
const SILENT_TO_ADJUSTMENTS: u8 = 3;

impl Remote {
    fn new() -> Self {
        let store = MemoryLimitStore::with_bytes_max(1 << 16);
        let (mood, asked) = (AtomicU8::new(WELL), AtomicUsize::new(0));
        Self(Arc::new(State { store, mood, asked }))
    }

    fn set(&self, mood: u8) {
        self.0.mood.store(mood, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    async fn think(&self) -> Result<(), StoreError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        match self.0.mood.load(Ordering::Relaxed) {
            WELL | SILENT_TO_ADJUSTMENTS => Ok(()),
            FAILING => Err(StoreError::new(StoreErrorKind::Unavailable)),
            _ => std::future::pending().await,
        }
    }
}

impl LimitStore for Remote {
    async fn charge(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> Result<Verdict, StoreError> {
        self.think().await?;
        self.0.store.charge(key, quotas, cost, now).await
    }

    async fn peek(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        cost: NonZeroU64,
        now: Ticks,
    ) -> Result<Verdict, StoreError> {
        self.think().await?;
        self.0.store.peek(key, quotas, cost, now).await
    }

    async fn adjust(
        &self,
        key: LimitKey,
        quotas: &Quotas,
        adjustment: Adjustment,
        now: Ticks,
    ) -> Result<(), StoreError> {
        self.think().await?;
        if self.0.mood.load(Ordering::Relaxed) == SILENT_TO_ADJUSTMENTS {
            std::future::pending::<()>().await;
        }
        self.0.store.adjust(key, quotas, adjustment, now).await
    }
}

fn over(
    remote: &Remote,
    change: impl FnOnce(TestLimit<Remote>) -> TestLimit<Remote>,
) -> Limited<Remote> {
    let remote = remote.clone();
    Limited::with(Quota::per_second(3), |layer| change(layer.store(remote)))
}

impl Limited<Remote> {
    /// Until there is an answer; the clock goes on when nothing else does.
    async fn ask(&self) -> Answer {
        let request = request("GET", "/", &[("x-key", "a")]);
        let sending = tokio::spawn(self.service.clone().oneshot(request));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if !sending.is_finished() {
            self.advance(50);
        }
        read(sending.await.unwrap().unwrap()).await
    }

    async fn statuses<const N: usize>(&self) -> [u16; N] {
        let mut statuses = [0; N];
        for status in &mut statuses {
            *status = self.ask().await.status.as_u16();
        }
        statuses
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_at_once_is_waited_for() {
    let remote = Remote::new();
    let limited = over(&remote, |layer| layer);
    assert_eq!(limited.statuses().await, [200, 200, 200, 429, 429]);
    assert_eq!((remote.asked(), limited.inner.calls()), (5, 3));
    limited.advance(1_000);
    assert_eq!(limited.statuses().await, [200, 200, 200, 429]);
    assert_eq!(limited.layer.handle().stats().store_failures, 0);
}

#[tokio::test]
async fn r14_while_the_store_fails_requests_are_counted_here_or_let_through_or_refused() {
    for mood in [FAILING, SILENT] {
        let remote = Remote::new();
        remote.set(mood);
        let local = over(&remote, |layer| layer);
        assert_eq!(local.statuses().await, [200, 200, 200, 429], "the default");
        let stats = local.layer.handle().stats();
        assert_eq!((stats.store_failures, stats.without_store), (1, 4));

        let open = over(&remote, |layer| layer.on_store_failure(StoreFailure::Open));
        assert_eq!(open.statuses().await, [200; 9]);

        let closed = over(&remote, |layer| layer.on_store_failure(StoreFailure::Closed));
        let answer = closed.ask().await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(answer.field("retry-after").is_some());
        assert_eq!(answer.refusal.unwrap().kind(), LimitRefusalKind::Unavailable);
        assert_eq!(closed.inner.calls(), 0);
    }
}

#[tokio::test]
async fn r14_a_store_that_failed_is_spared_and_tried_again_by_one_request() {
    let remote = Remote::new();
    let limited = over(&remote, |layer| layer.on_store_failure(StoreFailure::Open));
    remote.set(FAILING);
    assert_eq!(limited.statuses().await, [200; 30]);
    assert_eq!(remote.asked(), 1, "not by every request");
    limited.advance(100);
    assert_eq!(limited.statuses().await, [200; 30]);
    assert_eq!(remote.asked(), 2);
    limited.advance(200);
    remote.set(WELL);
    assert_eq!(limited.statuses().await, [200, 200, 200, 429]);
    assert_eq!(remote.asked(), 6);
}

#[tokio::test]
async fn r14_a_slow_store_costs_its_deadline_and_not_more() {
    let remote = Remote::new();
    remote.set(SILENT);
    let limited = over(&remote, |layer| layer.on_store_failure(StoreFailure::Open));
    let request = request("GET", "/", &[("x-key", "a")]);
    let sending = tokio::spawn(limited.service.clone().oneshot(request));
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    limited.advance(49);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!sending.is_finished());
    limited.advance(1);
    assert_eq!(sending.await.unwrap().unwrap().status(), 200);
    assert_eq!(limited.layer.handle().stats().store_failures, 1);
}

#[tokio::test]
async fn a_charge_is_settled_where_it_was_made() {
    let remote = Remote::new();
    let limited = over(&remote, |layer| layer.refund_when(|_| true));
    // Each is given back behind its response, to the store and in this process.
    assert_eq!(limited.statuses().await, [200; 9]);
    assert_eq!(remote.asked(), 18);
    remote.set(FAILING);
    assert_eq!(limited.statuses().await, [200; 9]);
    assert_eq!(limited.layer.handle().stats().unsettled, 0);
}

#[tokio::test]
async fn a_charge_that_cannot_be_settled_is_counted() {
    let remote = Remote::new();
    let limited = over(&remote, |layer| layer.refund_when(|_| true));
    let request = request("GET", "/", &[("x-key", "a")]);
    let response = limited.service.clone().oneshot(request).await.unwrap();
    remote.set(SILENT);
    drop(response);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    limited.advance(Duration::from_millis(50).as_millis() as u64);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(limited.layer.handle().stats().unsettled, 1);
}

#[tokio::test]
async fn r14_what_happens_while_the_store_fails_may_be_said_before_the_store() {
    let remote = Remote::new();
    remote.set(FAILING);
    let store = remote.clone();
    let closed = Limited::with(Quota::per_second(3), |layer| {
        layer.on_store_failure(StoreFailure::Closed).store(store)
    });
    assert_eq!(closed.statuses().await, [503, 503]);
}

#[tokio::test]
async fn r14_a_client_that_leaves_does_not_keep_the_store_from_being_asked() {
    let remote = Remote::new();
    let hour = Duration::from_secs(3_600);
    let limited =
        over(&remote, |layer| layer.on_store_failure(StoreFailure::Open).store_deadline(hour));
    remote.set(FAILING);
    assert_eq!(limited.statuses().await, [200]);
    remote.set(WELL);
    limited.advance(100);
    let mut leaving = limited.service.clone();
    drop(tower::Service::call(&mut leaving, request("GET", "/", &[("x-key", "a")])));
    assert_eq!(limited.statuses().await, [200, 200, 200, 429]);
}

#[tokio::test]
async fn r14_in_shadow_mode_nobody_is_refused_for_the_store() {
    let remote = Remote::new();
    remote.set(FAILING);
    let closed = over(&remote, |layer| layer.on_store_failure(StoreFailure::Closed).shadow());
    assert_eq!(closed.statuses().await, [200, 200]);
}

/// So many are on their way at one time, and each makes room when it has arrived.
#[tokio::test]
async fn adjustments_on_their_way_are_bounded_and_those_that_have_arrived_are_not_counted() {
    let remote = Remote::new();
    let store = remote.clone();
    let limited =
        Limited::with(Quota::per_second(1 << 20), |layer| layer.refund_when(|_| true).store(store));
    let unsettled = || limited.layer.handle().stats().unsettled;
    for _ in 0..1_100 {
        limited.ask().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(unsettled(), 0);
    remote.set(SILENT_TO_ADJUSTMENTS);
    for _ in 0..1_100 {
        let request = request("GET", "/", &[("x-key", "a")]);
        let response = limited.service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(unsettled(), 1_100 - 1_024);
}

/// Nobody's place is held while somebody waits for the store, and then the service that is called is one that was found ready.
#[tokio::test]
async fn c06_no_place_is_held_while_the_store_is_asked() {
    let remote = Remote::new();
    let limited = over(&remote, |layer| layer);
    let inner = tower::limit::ConcurrencyLimit::new(limited.inner.clone(), 1);
    let mut one = tower::Layer::layer(&limited.layer, inner);
    let mut other = one.clone();
    let request = request("GET", "/", &[("x-key", "a")]);
    let answer = tower::Service::call(one.ready().await.unwrap(), request);
    let is_ready = futures_util::FutureExt::now_or_never(other.ready()).is_some();
    assert!(is_ready, "the only place is free");
    drop(other);
    assert_eq!(answer.await.unwrap().status(), 200);
}
