//! A fetch that began before a purge is never served to a request that comes after it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::cache::Purge;
use tower_keep::store::{CacheKey, DynStore, Entry, Store, StoreError};
use tower_keep::test_util::ManualClock;

use super::{AnyLayer, ETAG, Hit, Shop, page, settled, stores, uri};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, paused};
use crate::support::{Got, request};

/// Those that reach `http://a.test/a/b?q`, which is tagged; and some that do not.
pub(super) fn purges() -> (Vec<Purge>, Vec<Purge>) {
    let reaching = [
        Purge::url(uri("http://a.test/a/b?q")),
        Purge::prefix(uri("http://a.test/a")),
        Purge::tag("t"),
        Purge::all(),
    ];
    let others = [
        Purge::url(uri("http://a.test/a/b")),
        Purge::prefix(uri("http://a.test/a/b/c")),
        Purge::tag("T"),
        Purge::all(),
    ];
    let soft = |purge: &Purge| purge.clone().soft();
    let both = |purges: &[Purge]| purges.iter().cloned().chain(purges.iter().map(soft)).collect();
    (both(&reaching), both(&others[..3]))
}

pub(super) const PATH: &str = "/a/b?q";
pub(super) const TAGGED: (&str, &str) = ("cache-groups", "\"t\"");
/// Without selecting fields, and with some: of an index and a variant.
const VARYING: [&str; 2] = ["", "x"];

/// Waits at the gate with its first answer, if it is to.
fn origin(
    gate: Arc<Semaphore>,
    vary: &'static str,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    let calls = Arc::new(Mutex::new(0));
    tower::service_fn(move |request: Request<Body>| {
        let (gate, calls) = (gate.clone(), calls.clone());
        async move {
            let call = std::mem::replace(&mut *calls.lock().unwrap(), 1);
            let answer = page(&request, call, &[TAGGED, ("vary", vary)]);
            if call == 0 {
                gate.acquire().await.unwrap().forget();
            }
            Ok(answer)
        }
    })
}

#[tokio::test]
async fn an_answer_that_was_on_its_way_is_not_served_after_a_purge_on_any_store() {
    let (reaching, others) = purges();
    let all = reaching.into_iter().map(|purge| (purge, true));
    for (purge, reaches) in all.chain(others.into_iter().map(|purge| (purge, false))) {
        for vary in VARYING {
            for (what, store) in stores() {
                let gate = Arc::new(Semaphore::new(0));
                let layer = AnyLayer::with_clock(store, ManualClock::new());
                let service = layer.layer(origin(gate.clone(), vary));
                let slow = tokio::spawn(service.clone().oneshot(request("GET", PATH, &[])));
                settled().await;
                layer.handle().purge(purge.clone()).await.unwrap();
                gate.add_permits(1);
                let old = Got::read(slow.await.unwrap().unwrap()).await;
                assert_eq!(old.body, "call 0", "its own client came before the purge");
                let next = service.clone().oneshot(request("GET", PATH, &[])).await.unwrap();
                assert_eq!(Got::read(next).await.is_hit(), !reaches, "{what} {vary:?} {purge:?}");
                let next = service.clone().oneshot(request("GET", PATH, &[])).await.unwrap();
                assert!(Got::read(next).await.is_hit(), "{what}: what came later is stored");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_was_on_its_way_is_not_served_after_a_purge_on_any_store() {
    let (reaching, others) = purges();
    let all = reaching.into_iter().map(|purge| (purge, true));
    for (purge, reaches) in all.chain(others.into_iter().map(|purge| (purge, false))) {
        for vary in VARYING {
            for (what, store) in stores() {
                let (script, body, _) = paused();
                let body = Mutex::new(Some(body));
                let answer =
                    move |request: &Request<Body>, call: usize| match body.lock().unwrap().take() {
                        Some(body) => fresh(&[TAGGED, ETAG, ("vary", vary)], body),
                        None => page(request, call, &[TAGGED, ("vary", vary)]),
                    };
                let shop = Shop::over(store, ManualClock::new(), |layer| layer, answer);
                let mut body = shop.start(request("GET", PATH, &[])).await.into_body();
                script.send(Data("ol")).unwrap();
                body.frame().await.unwrap().unwrap();
                shop.purge(purge.clone()).await;
                script.send(Data("d")).unwrap();
                drop(script);
                assert_eq!(body.collect().await.unwrap().to_bytes(), "d");
                let next = shop.next(PATH, &[]).await;
                assert_eq!(next == Hit, !reaches, "{what} {vary:?} {purge:?}");
            }
        }
    }
}

/// A store on another machine: what it was told to put it puts when it comes to it, whether or not anybody
/// still waits.
#[derive(Clone)]
pub(super) struct Late {
    store: Arc<DynStore>,
    waiting: Arc<Mutex<Vec<(CacheKey, Entry)>>>,
    /// A permit for each put that is carried out.
    done: Arc<Semaphore>,
}

impl Late {
    pub(super) fn over(store: DynStore) -> Self {
        let (waiting, done) = (Arc::default(), Arc::new(Semaphore::new(0)));
        Self { store: Arc::new(store), waiting, done }
    }

    /// Carries out what waits, and all that this brings about.
    pub(super) async fn arrive(&self) {
        loop {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
            if waiting.is_empty() {
                return;
            }
            for (key, entry) in waiting {
                self.store.put(&key, entry, Duration::MAX).await.unwrap();
                self.done.add_permits(1);
            }
            settled().await;
        }
    }
}

impl Store for Late {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        self.waiting.lock().unwrap().push((key.clone(), entry));
        self.done.acquire().await.unwrap().forget();
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }
}

/// Before the store's deadline and long after it. The time goes on only where all wait for it.
#[tokio::test(start_paused = true)]
async fn a_put_that_is_carried_out_after_a_purge_is_not_served_on_any_store() {
    let (reaching, others) = purges();
    let all = reaching.into_iter().map(|purge| (purge, true));
    for (purge, reaches) in all.chain(others.into_iter().map(|purge| (purge, false))) {
        for waited in [Duration::ZERO, Duration::from_secs(9)] {
            for vary in VARYING {
                for (what, store) in stores() {
                    let late = Late::over(store);
                    let answer = move |request: &Request<Body>, call| {
                        page(request, call, &[TAGGED, ("vary", vary)])
                    };
                    let store = DynStore::new(late.clone());
                    let shop = Shop::over(store, ManualClock::new(), |layer| layer, answer);
                    shop.get(PATH, &[]).await;
                    tokio::time::sleep(waited).await;
                    shop.purge(purge.clone()).await;
                    late.arrive().await;
                    let next = shop.next(PATH, &[]).await;
                    // An index that was given up brings no variant to light.
                    let is_known = waited.is_zero() || vary.is_empty();
                    let expected = !reaches && is_known;
                    assert_eq!(next == Hit, expected, "{what} {vary:?} {waited:?} {purge:?}");
                }
            }
        }
    }
}

/// What began after the purge is not held back by it, though the older fetch ends later.
#[tokio::test]
async fn what_began_after_a_purge_is_served() {
    for purge in purges().0 {
        let (gate, clock) = (Arc::new(Semaphore::new(0)), ManualClock::new());
        let layer = AnyLayer::with_clock(super::memory(), clock.clone());
        let service = layer.layer(origin(gate.clone(), ""));
        let send = || service.clone().oneshot(request("GET", PATH, &[]));
        let slow = tokio::spawn(send());
        settled().await;
        layer.handle().purge(purge.clone()).await.unwrap();
        clock.advance(Duration::from_millis(1));
        assert_eq!(Got::read(send().await.unwrap()).await.body, "call 1");
        gate.add_permits(1);
        Got::read(slow.await.unwrap().unwrap()).await;
        let got = Got::read(send().await.unwrap()).await;
        assert_eq!((got.is_hit(), got.body.as_str()), (true, "call 1"), "{purge:?}");
    }
}
