//! Purging: by the handle, by tags and groups, by what a response declares, and by others over a ledger.

mod declared;
mod forgotten;
mod groups;
mod instances;
mod kinds;
mod leaving;
mod ledgers;
mod overtaken;
mod places;
mod posted;
mod primed;
mod sharing;
mod soft;
mod stripping;
mod tags;

#[allow(clippy::duplicate_mod, dead_code, reason = "the store alone is used here, as in `stores`")]
#[path = "../../examples/own_store.rs"]
mod own_store;

use axum::body::Body;
use http::{Request, Response, Uri};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{Cache, CacheBody, CacheLayer, Purge};
use tower_keep::store::{DynStore, LruStore, MemoryStore, Reach};
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, answered, request, response};
use own_store::TwoGenerations;

type Fields<'a> = &'a [(&'a str, &'a str)];
type AnyLayer = CacheLayer<DynStore, ManualClock>;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const ETAG: (&str, &str) = ("etag", "\"1\"");

/// A cache over a store of any type.
struct Shop {
    clock: ManualClock,
    inner: Inner,
    layer: AnyLayer,
    service: Cache<Inner, DynStore, ManualClock>,
}

/// Where the answer to a request came from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    /// From the store alone.
    Hit,
    /// From the inner service, which was asked whether the stored one is current.
    Validated,
    /// From the inner service, which was asked for all of it.
    Miss,
}
use Next::{Hit, Miss, Validated};

impl Shop {
    /// With the safe defaults, over a `MemoryStore`.
    fn new(
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::with(|layer| layer, answer)
    }

    fn with(
        change: impl FnOnce(AnyLayer) -> AnyLayer,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::over(memory(), ManualClock::new(), change, answer)
    }

    fn over(
        store: DynStore,
        clock: ManualClock,
        change: impl FnOnce(AnyLayer) -> AnyLayer,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let layer = change(CacheLayer::with_clock(store, clock.clone()));
        let inner = Inner::new(answer);
        let service = layer.layer(inner.clone());
        Self { clock, inner, layer, service }
    }

    /// Sends a request; the body is not read yet.
    async fn start(&self, request: Request<Body>) -> Response<CacheBody<Body>> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, fields: Fields<'_>) -> Got {
        Got::read(self.start(request(method, path, fields)).await).await
    }

    async fn get(&self, path: &str, fields: Fields<'_>) -> Got {
        self.send("GET", path, fields).await
    }

    /// Gets it, and says where the answer came from.
    async fn next(&self, path: &str, fields: Fields<'_>) -> Next {
        let before = self.inner.calls();
        let got = self.get(path, fields).await;
        let asked = self.inner.seen().into_iter().nth(before);
        let next = match asked {
            None => Hit,
            Some(asked) if asked.headers.contains_key("if-none-match") => Validated,
            Some(_) => Miss,
        };
        assert_eq!(got.is_hit(), next == Hit, "{path}: {got:?}");
        next
    }

    /// Gets all of these, so that they are stored.
    async fn warm(&self, paths: &[&str]) {
        for path in paths {
            self.get(path, &[]).await;
            assert_eq!(self.next(path, &[]).await, Hit, "{path} is stored");
        }
    }

    /// Where each of these comes from now.
    async fn each(&self, paths: &[&str]) -> Vec<Next> {
        let mut all = Vec::new();
        for path in paths {
            all.push(self.next(path, &[]).await);
        }
        all
    }

    async fn purge(&self, purge: Purge) {
        let reach = self.layer.handle().purge(purge).await.unwrap();
        assert_eq!(reach, Reach::ThisProcess, "there is no ledger");
    }
}

/// A page that is fresh for a minute and has a validator, and that is not modified since.
fn page(request: &Request<Body>, call: usize, fields: Fields<'_>) -> Response<Body> {
    let fields = [&[FRESH, ETAG], fields].concat();
    match request.headers().contains_key("if-none-match") {
        true => answered(304, &fields, ""),
        false => response(&fields, format!("call {call}")),
    }
}

fn memory() -> DynStore {
    DynStore::new(MemoryStore::with_bytes_max(8 << 20))
}

/// Each store of the crate, and one of a user's own.
fn stores() -> [(&'static str, DynStore); 3] {
    [
        ("MemoryStore", memory()),
        ("LruStore", DynStore::new(LruStore::with_bytes_max(8 << 20))),
        ("own_store", DynStore::new(TwoGenerations::with_bytes_max(8 << 20))),
    ]
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// Lets all other tasks come as far as they can without time passing.
async fn settled() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
