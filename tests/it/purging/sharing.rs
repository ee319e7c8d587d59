//! Stores that instances share, and ledgers that answer late or too much.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::sync::{oneshot, watch};
use tower_keep::store::{
    Answer, CacheKey, Catch, DynStore, Entry, Ledger, Mark, MemoryStore, Position, PurgeKind,
    Purged, Store, StoreError, Target, Wait,
};
use tower_keep::test_util::{ManualClock, MemoryLedger};

use super::{AnyLayer, Shop};

/// A store that other instances have too, and where they tell of purges.
#[derive(Clone)]
pub(super) struct Shared {
    store: MemoryStore,
    ledger: Arc<dyn Ledger>,
}

impl Shared {
    pub(super) fn with(ledger: impl Ledger) -> Self {
        Self { store: MemoryStore::with_bytes_max(8 << 20), ledger: Arc::new(ledger) }
    }

    /// An instance of a service over it.
    pub(super) fn shop(
        &self,
        change: impl FnOnce(AnyLayer) -> AnyLayer,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Shop {
        Shop::over(DynStore::new(self.clone()), ManualClock::new(), change, answer)
    }
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
        Some(self.ledger.clone())
    }
}

/// A ledger that takes its time to append, or to say that it has.
#[derive(Clone, Default)]
pub(super) struct Slow {
    pub(super) ledger: MemoryLedger,
    closed: Arc<watch::Sender<bool>>,
    begun: Arc<Mutex<usize>>,
    late: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Slow {
    /// Whether no append is carried out until this is taken back.
    pub(super) fn close(&self, closed: bool) {
        self.closed.send_replace(closed);
    }

    /// How many appends have begun.
    pub(super) fn begun(&self) -> usize {
        *self.begun.lock().unwrap()
    }

    /// The next append is carried out, and its answer comes when this is sent.
    pub(super) fn hold_next_answer(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        *self.late.lock().unwrap() = Some(receiver);
        sender
    }
}

impl Ledger for Slow {
    fn key(&self) -> [u8; 16] {
        self.ledger.key()
    }

    fn append<'a>(
        &'a self,
        target: Target,
        kind: PurgeKind,
    ) -> Wait<'a, Result<Position, StoreError>> {
        Box::pin(async move {
            *self.begun.lock().unwrap() += 1;
            drop(self.closed.subscribe().wait_for(|closed| !closed).await.unwrap());
            let late = self.late.lock().unwrap().take();
            let at = self.ledger.append(target, kind).await;
            if let Some(late) = late {
                late.await.unwrap();
            }
            at
        })
    }

    fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>> {
        self.ledger.since(after)
    }

    fn follow<'a>(
        &'a self,
        after: Position,
        wait_max: Duration,
    ) -> Wait<'a, Result<Catch, StoreError>> {
        self.ledger.follow(after, wait_max)
    }
}

/// Answers with more than one answer may bring, and wakes nobody.
#[derive(Clone, Default)]
pub(super) struct Talkative(Arc<Mutex<Vec<Purged>>>);

impl Ledger for Talkative {
    fn key(&self) -> [u8; 16] {
        [7; 16]
    }

    fn append<'a>(
        &'a self,
        target: Target,
        kind: PurgeKind,
    ) -> Wait<'a, Result<Position, StoreError>> {
        let mut purges = self.0.lock().unwrap();
        let at = Mark::new(purges.len() as u64 + 1);
        purges.push(Purged { target, kind, at });
        Box::pin(async move { Ok(Position { ledger: 5, mark: at }) })
    }

    fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>> {
        let purges = self.0.lock().unwrap();
        let until = Position { ledger: 5, mark: Mark::new(purges.len() as u64) };
        let from = if after.ledger == 5 { after.mark } else { Mark::new(0) };
        let told = purges.iter().filter(|purged| purged.at > from).copied().collect();
        Box::pin(async move { Ok(Catch { from, until, purges: told }) })
    }

    fn follow<'a>(&'a self, _: Position, _: Duration) -> Wait<'a, Result<Catch, StoreError>> {
        Box::pin(std::future::pending())
    }
}
