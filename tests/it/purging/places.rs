//! Where things lie: scopes, variants, partitions, divisions, and the keys of each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Request, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{KeyParts, Partition, Purge, PurgeErrorKind};
use tower_keep::store::conformance::StoreSuite;
use tower_keep::store::{CacheKey, DynStore, Entry, MemoryStore, Store, StoreError};
use tower_keep::test_util::ManualClock;

use super::{AnyLayer, Fields, Hit, Miss, Shop, Validated, memory, page, stores, uri};
use crate::support::{Got, request};

/// What lies below `/a` is tagged.
fn site(request: &Request<Body>, call: usize) -> Response<Body> {
    match request.uri().path().starts_with("/a/") {
        true => page(request, call, &[("cache-groups", "\"below a\"")]),
        false => page(request, call, &[]),
    }
}

/// Scopes of which one begins with the other, and the empty one.
#[tokio::test]
async fn a_purge_stays_in_the_scope_of_its_handle() {
    let scopes = ["", "shop", "shops"];
    let purges = [
        Purge::url(uri("http://a.test/a/b")),
        Purge::prefix(uri("http://a.test/a")),
        Purge::tag("below a"),
        Purge::all(),
    ];
    for purge in purges.into_iter().flat_map(|purge| [purge.clone(), purge.soft()]) {
        for purged in scopes {
            let shop = Shop::new(site);
            let scoped = scopes.map(|scope| (scope, shop.layer.clone().scope(scope)));
            let is_hit = async |layer: &AnyLayer| {
                let service = layer.layer(shop.inner.clone());
                Got::read(service.oneshot(request("GET", "/a/b", &[])).await.unwrap())
                    .await
                    .is_hit()
            };
            for (_, layer) in &scoped {
                assert!(!is_hit(layer).await && is_hit(layer).await);
            }
            shop.layer.clone().scope(purged).handle().purge(purge.clone()).await.unwrap();
            for (scope, layer) in &scoped {
                assert_eq!(is_hit(layer).await, *scope != purged, "{purge:?} in {purged:?}");
            }
        }
    }
}

/// A request's fields for each place that a resource may be stored in: plain, and divided by a partition, by
/// a steering field, by another scheme; each with two variants.
const PLACES: [Fields<'static>; 8] = [
    &[],
    &[("x", "1")],
    &[("x-tenant", "a")],
    &[("x-tenant", "a"), ("x", "1")],
    &[("x-tenant", "b")],
    &[("x-forwarded-port", "1")],
    &[("x-forwarded-port", "2"), ("x", "1")],
    &[("x-forwarded-port", "2"), ("x-tenant", "b")],
];

fn divided(layer: AnyLayer) -> AnyLayer {
    layer.partition_by(Partition::header(HeaderName::from_static("x-tenant")))
}

#[tokio::test]
async fn every_kind_reaches_all_variants_partitions_and_divisions_on_every_store() {
    let purges = [
        Purge::url(uri("http://a.test/a/b")),
        Purge::prefix(uri("http://a.test/a")),
        Purge::tag("below a"),
        Purge::all(),
    ];
    for purge in purges.into_iter().flat_map(|purge| [purge.clone(), purge.soft()]) {
        let expected = if format!("{purge:?}").contains("Soft") { Validated } else { Miss };
        for (what, store) in stores() {
            let answer = |request: &Request<Body>, call| {
                let mut response = site(request, call);
                response.headers_mut().insert("vary", "x".parse().unwrap());
                response
            };
            let shop = Shop::over(store, ManualClock::new(), divided, answer);
            for wanted in [Miss, Hit] {
                for fields in PLACES {
                    assert_eq!(shop.next("/a/b", fields).await, wanted, "{fields:?}");
                    shop.get("/b", fields).await;
                }
            }
            shop.purge(purge.clone()).await;
            for fields in PLACES {
                assert_eq!(
                    shop.next("/a/b", fields).await,
                    expected,
                    "{what} {purge:?} {fields:?}"
                );
                let is_all = purge == Purge::all() || purge == Purge::all().soft();
                assert_eq!(shop.next("/b", fields).await == Hit, !is_all, "{what} {purge:?}");
            }
        }
    }
}

/// What of a URL counts is the key function's to say.
#[tokio::test]
async fn a_url_and_a_prefix_are_given_to_the_key_function() {
    let by_path = |layer: AnyLayer| {
        layer.key(|head| {
            let path = head.uri.path().to_ascii_lowercase();
            KeyParts::from(head).target(path).part(&b"release 7"[..])
        })
    };
    for purge in [
        Purge::url(uri("http://a.test/Users/7?any")),
        Purge::url(uri("http://a.test/users/7")),
        Purge::prefix(uri("http://a.test/USERS")),
    ] {
        let shop = Shop::with(by_path, site);
        shop.warm(&["/users/7?q", "/items"]).await;
        shop.purge(purge.clone()).await;
        assert_eq!(shop.each(&["/USERS/7?x", "/items"]).await, [Miss, Hit], "{purge:?}");
    }
}

/// A store that notes the keys of what is put.
#[derive(Clone)]
struct Noting {
    store: Arc<DynStore>,
    keys: Arc<Mutex<Vec<CacheKey>>>,
}

impl Noting {
    fn over(store: DynStore) -> Self {
        Self { store: Arc::new(store), keys: Arc::default() }
    }

    fn keys(&self) -> Vec<CacheKey> {
        self.keys.lock().unwrap().clone()
    }
}

impl Store for Noting {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: Entry, long: Duration) -> Result<(), StoreError> {
        self.keys.lock().unwrap().push(key.clone());
        self.store.put(key, entry, long).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }
}

/// Whether it is the key of the one response, of the index, of a variant, of the root, or of a division.
#[tokio::test]
async fn a_key_reaches_the_whole_resource_that_it_belongs_to_on_every_store() {
    for vary in ["", "x"] {
        for fields in PLACES {
            for soft in [false, true] {
                for (what, _) in stores() {
                    whichever_key(what, vary, fields, soft).await;
                }
            }
        }
    }
}

async fn whichever_key(what: &str, vary: &'static str, fields: Fields<'_>, soft: bool) {
    for at in 0.. {
        let (_, store) = stores().into_iter().find(|(name, _)| *name == what).unwrap();
        let store = Noting::over(store);
        let answer = move |request: &Request<Body>, call| page(request, call, &[("vary", vary)]);
        let shop = Shop::over(DynStore::new(store.clone()), ManualClock::new(), divided, answer);
        shop.get("/a", fields).await;
        let Some(key) = store.keys().get(at).cloned() else {
            // A response, with an index where it varies; and a root where it is divided.
            let divided = fields.iter().any(|(name, _)| name.starts_with("x-"));
            assert_eq!(at, 1 + usize::from(!vary.is_empty()) + usize::from(divided), "{fields:?}");
            return;
        };
        let wholly: [Fields<'_>; 3] = [fields, &[("x-tenant", "c")], &[("x-forwarded-port", "9")]];
        for fields in wholly {
            shop.get("/a", fields).await;
            assert_eq!(shop.next("/a", fields).await, Hit);
        }
        shop.warm(&["/ab"]).await;
        let purge = Purge::key(key);
        shop.purge(if soft { purge.soft() } else { purge }).await;
        for fields in wholly {
            let expected = if soft { Validated } else { Miss };
            assert_eq!(shop.next("/a", fields).await, expected, "{what} {vary} {fields:?} {at}");
        }
        assert_eq!(shop.next("/ab", &[]).await, Hit, "{what}");
    }
}

#[tokio::test]
async fn a_key_that_is_no_caches_is_an_error() {
    let foreign = Noting::over(DynStore::new(MemoryStore::with_bytes_max(4 << 20)));
    StoreSuite::new(foreign.clone()).run().await;
    assert!(!foreign.keys().is_empty());
    let shop = Shop::over(memory(), ManualClock::new(), |layer| layer, site);
    shop.warm(&["/a"]).await;
    for key in foreign.keys() {
        let error = shop.layer.handle().purge(Purge::key(key)).await.unwrap_err();
        assert_eq!(error.kind(), PurgeErrorKind::Key);
    }
    assert_eq!(shop.next("/a", &[]).await, Hit);
    assert_eq!(shop.layer.handle().stats().invalidations, 0, "nothing was purged");
}
