//! Purges that other instances are told of, over a ledger which they share.

mod faults;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower_keep::cache::Purge;
use tower_keep::store::{
    Answer, CacheKey, DynStore, Entry, Ledger, MemoryStore, Reach, Store, StoreError,
};
use tower_keep::test_util::{ManualClock, MemoryLedger};

use super::{AnyLayer, Hit, Miss, Next, Shop, Validated, page, uri};
use crate::scripted::{fresh, paused};
use crate::support::request;

/// A store in this process that says it is shared, and where purges of it are told.
struct Shared {
    store: MemoryStore,
    ledger: MemoryLedger,
}

impl Store for Shared {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: Entry, long: Duration) -> Result<(), StoreError> {
        self.store.put(key, entry, long).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        self.store.get_now(key)
    }

    fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        Some(Arc::new(self.ledger.clone()))
    }
}

/// Two instances of one service: caches of their own over one store, with one ledger.
struct Pair {
    clock: ManualClock,
    ledger: MemoryLedger,
    one: Shop,
    two: Shop,
}

impl Pair {
    fn new() -> Self {
        Self::with(MemoryLedger::new(), tagged)
    }

    fn with(
        ledger: MemoryLedger,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let (clock, store) = (ManualClock::new(), MemoryStore::with_bytes_max(8 << 20));
        let shop = || {
            let shared = Shared { store: store.clone(), ledger: ledger.clone() };
            let same = |layer: AnyLayer| layer;
            Shop::over(DynStore::new(shared), clock.clone(), same, answer.clone())
        };
        let (one, two) = (shop(), shop());
        Self { clock, ledger, one, two }
    }

    /// So long that what was heard last is not current any more.
    fn lag(&self) {
        self.clock.advance(LAG_MAX + Duration::from_millis(1));
    }

    /// Purges by the first instance.
    async fn purge(&self, purge: Purge) {
        let reach = self.one.layer.handle().purge(purge).await.unwrap();
        assert_eq!(reach, Reach::EveryInstance);
    }

    /// Stores these pages, and has both instances know that they are good.
    async fn warm(&self, paths: &[&str]) {
        self.one.warm(paths).await;
        assert_eq!(self.two.each(paths).await, vec![Hit; paths.len()]);
    }
}

/// A path is its own tag.
fn tagged(request: &Request<Body>, call: usize) -> Response<Body> {
    page(request, call, &[("cache-groups", &format!("\"{}\"", request.uri().path()))])
}

fn purges() -> Vec<Purge> {
    let hard = [
        Purge::url(uri("http://a.test/a")),
        Purge::prefix(uri("http://a.test/a")),
        Purge::tag("/a"),
    ];
    hard.into_iter().flat_map(|purge| [purge.clone(), purge.soft()]).collect()
}

fn after(purge: &Purge) -> Next {
    if format!("{purge:?}").contains("Soft") { Validated } else { Miss }
}

#[tokio::test]
async fn what_one_instance_stores_the_other_serves() {
    let pair = Pair::new();
    assert_eq!(pair.one.next("/a", &[]).await, Miss);
    assert_eq!(pair.two.next("/a", &[]).await, Hit);
    assert_eq!(pair.two.next("/b", &[]).await, Miss);
    assert_eq!(pair.one.next("/b", &[]).await, Hit);
}

/// Though nobody tells it: after the lag it asks.
#[tokio::test]
async fn what_one_instance_purges_the_other_does_not_serve_after_the_lag() {
    for purge in purges() {
        let pair = Pair::new();
        pair.ledger.silence(true);
        pair.warm(&["/a", "/b"]).await;
        pair.purge(purge.clone()).await;
        pair.lag();
        assert_eq!(pair.two.each(&["/a", "/b"]).await, [after(&purge), Hit], "{purge:?}");
        assert_eq!(pair.one.each(&["/a", "/b"]).await, [Hit, Hit], "{purge:?}: stored anew");
    }
    let pair = Pair::new();
    pair.warm(&["/a", "/b"]).await;
    pair.purge(Purge::all()).await;
    pair.lag();
    assert_eq!(pair.two.each(&["/a", "/b"]).await, [Miss, Miss]);
}

/// The instance that purges asks nobody first.
#[tokio::test]
async fn what_an_instance_purges_it_does_not_serve_itself() {
    for purge in purges() {
        let pair = Pair::new();
        pair.ledger.silence(true);
        pair.warm(&["/a", "/b"]).await;
        pair.purge(purge.clone()).await;
        assert_eq!(pair.one.each(&["/a", "/b"]).await, [after(&purge), Hit], "{purge:?}");
    }
}

/// The manual clock stands still, so that nothing but the feed can have told it.
#[tokio::test(start_paused = true)]
async fn what_one_instance_purges_the_other_hears_by_its_feed() {
    for purge in purges() {
        let pair = Pair::new();
        pair.warm(&["/a", "/b"]).await;
        pair.purge(purge.clone()).await;
        tokio::time::sleep(LAG_MAX).await;
        let asked = pair.ledger.asked();
        assert_eq!(pair.two.each(&["/a", "/b"]).await, [after(&purge), Hit], "{purge:?}");
        assert_eq!(pair.ledger.asked(), asked, "no hit had to ask");
    }
}

/// As a feed does that both follow: a hit need not ask while it hears something.
#[tokio::test(start_paused = true)]
async fn while_the_feed_is_heard_no_hit_asks() {
    let pair = Pair::new();
    pair.warm(&["/a"]).await;
    let asked = pair.ledger.asked();
    for _ in 0..100 {
        pair.clock.advance(Duration::from_millis(25));
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_eq!(pair.one.next("/a", &[]).await, Hit);
        assert_eq!(pair.two.next("/a", &[]).await, Hit);
    }
    assert_eq!(pair.ledger.asked(), asked);
}

#[tokio::test]
async fn when_the_feed_is_silent_a_hit_asks_first_and_once_for_many() {
    let pair = Pair::new();
    pair.ledger.silence(true);
    pair.warm(&["/a", "/b"]).await;
    for round in 0..3 {
        let asked = pair.ledger.asked();
        assert_eq!(pair.two.each(&["/a", "/b", "/a"]).await, [Hit; 3]);
        pair.clock.advance(LAG_MAX);
        let past = u64::from(round > 0);
        assert_eq!(pair.two.next("/a", &[]).await, Hit);
        assert_eq!(pair.ledger.asked() - asked, past, "{round}");
        pair.clock.advance(Duration::from_millis(1));
    }
}

/// One asks for all who came meanwhile.
#[tokio::test(start_paused = true)]
async fn of_many_hits_at_once_one_asks() {
    let pair = Pair::new();
    pair.ledger.silence(true);
    pair.warm(&["/a"]).await;
    pair.lag();
    let (asked, calls) = (pair.ledger.asked(), pair.two.inner.calls());
    pair.ledger.hang(true);
    let service = pair.two.service.clone();
    let hits: Vec<_> = (0..20)
        .map(|_| {
            let hit = tower::ServiceExt::oneshot(service.clone(), request("GET", "/a", &[]));
            tokio::spawn(async { hit.await.unwrap().into_body().outcome().is_hit() })
        })
        .collect();
    super::settled().await;
    pair.ledger.hang(false);
    for hit in hits {
        assert!(hit.await.unwrap());
    }
    assert_eq!(pair.ledger.asked() - asked, 1);
    assert_eq!(pair.two.inner.calls(), calls);
}

/// Whichever of them reads it: the entry keeps where its fetch began.
#[tokio::test]
async fn a_fill_of_one_instance_is_overtaken_by_a_purge_of_the_other() {
    for purge in purges() {
        let (script, body, _) = paused();
        let body = Arc::new(std::sync::Mutex::new(Some(body)));
        let pair = Pair::with(MemoryLedger::new(), move |request, call| {
            match body.lock().unwrap().take() {
                Some(body) => fresh(&[super::ETAG, ("cache-groups", "\"/a\"")], body),
                None => tagged(request, call),
            }
        });
        pair.ledger.silence(true);
        let old = pair.two.start(request("GET", "/a", &[])).await.into_body();
        pair.purge(purge.clone()).await;
        drop(script);
        old.collect().await.unwrap();
        assert_ne!(pair.one.next("/a", &[]).await, Hit, "{purge:?}");
        let pair_two = &pair.two;
        pair.lag();
        assert_eq!(pair_two.next("/a", &[]).await, Hit, "{purge:?}: what the other stored since");
    }
}

/// The answer to a write, and what a handler declares, reach every instance too.
#[tokio::test]
async fn a_write_through_one_instance_reaches_the_other() {
    let pair = Pair::with(MemoryLedger::new(), |request, call| {
        let mut response = tagged(request, call);
        if request.method() == "POST" {
            response.headers_mut().insert("cache-group-invalidation", "\"/b\"".parse().unwrap());
            response.extensions_mut().insert(tower_keep::cache::PurgesTag::new("/c"));
        }
        response
    });
    pair.ledger.silence(true);
    pair.warm(&["/a", "/b", "/c", "/d"]).await;
    pair.one.send("POST", "/a", &[]).await;
    pair.lag();
    assert_eq!(pair.two.each(&["/a", "/b", "/c", "/d"]).await, [Miss, Miss, Miss, Hit]);
}

/// How long another instance may serve what was purged.
const LAG_MAX: Duration = Duration::from_millis(100);
