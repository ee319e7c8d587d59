//! A store that fails, hangs or takes its time, and writes that overtake what is on its way into it.

mod errors;
mod failing;
mod later;
mod overtaken;
mod slow;

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{Cache, CacheBody, CacheLayer, CacheStats};
use tower_keep::store::{Answer, CacheKey, Entry, Store, StoreError, StoreErrorKind};
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, request};

/// What a store is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Get,
    Put,
    Remove,
}

/// How it takes that.
#[derive(Clone, Debug)]
enum Mode {
    Works,
    Errs,
    Hangs,
    /// Works, but so long after.
    After(Duration),
    /// Works once the semaphore has a permit.
    When(Arc<Semaphore>),
}

/// A store that does as it is told, and for which everybody has to wait. Clones are one.
#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    entries: HashMap<CacheKey, Entry>,
    /// What the next ones of a kind do; the last mode stays.
    modes: HashMap<Op, Vec<Mode>>,
    log: Vec<Op>,
    /// How many more questions it answers without being waited for.
    now: usize,
}

impl Faulty {
    /// The next operations of this kind take these modes, one after another; the last mode stays.
    fn set(&self, op: Op, modes: &[Mode]) {
        self.0.lock().unwrap().modes.insert(op, modes.to_vec());
    }

    fn set_all(&self, mode: &Mode) {
        for op in [Op::Get, Op::Put, Op::Remove] {
            self.set(op, std::slice::from_ref(mode));
        }
    }

    /// From now on, whatever it is asked.
    fn log(&self) -> Vec<Op> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    fn entries(&self) -> HashMap<CacheKey, Entry> {
        self.0.lock().unwrap().entries.clone()
    }

    /// The next so many questions are answered at once.
    fn answer_now(&self, count: usize) {
        self.0.lock().unwrap().now = count;
    }

    async fn take(&self, op: Op) -> Result<(), StoreError> {
        let mode = {
            let mut state = self.0.lock().unwrap();
            state.log.push(op);
            let modes = state.modes.entry(op).or_default();
            match modes.len() {
                0 => Mode::Works,
                1 => modes[0].clone(),
                _ => modes.remove(0),
            }
        };
        match mode {
            // Even then it is not ready at once, nor when it is asked again at once.
            Mode::Works => {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            }
            Mode::Errs => return Err(StoreError::new(StoreErrorKind::Unavailable)),
            Mode::Hangs => pending().await,
            Mode::After(length) => tokio::time::sleep(length).await,
            Mode::When(gate) => gate.acquire().await.unwrap().forget(),
        }
        Ok(())
    }
}

impl Store for Faulty {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.take(Op::Get).await?;
        Ok(self.0.lock().unwrap().entries.get(key).cloned())
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        self.take(Op::Put).await?;
        self.0.lock().unwrap().entries.insert(key.clone(), entry);
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.take(Op::Remove).await?;
        self.0.lock().unwrap().entries.remove(key);
        Ok(())
    }

    fn get_now(&self, key: &CacheKey) -> Answer {
        let mut state = self.0.lock().unwrap();
        let Some(now) = state.now.checked_sub(1) else { return Answer::Later };
        state.now = now;
        match state.entries.get(key) {
            Some(entry) => Answer::Found(entry.clone()),
            None => Answer::Absent,
        }
    }
}

/// A cache over a [`Faulty`] store.
struct Rig {
    store: Faulty,
    clock: ManualClock,
    layer: CacheLayer<Faulty, ManualClock>,
    service: Cache<Inner, Faulty, ManualClock>,
}

impl Rig {
    fn new(
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::with(|layer| layer, answer)
    }

    fn with(
        change: impl FnOnce(CacheLayer<Faulty, ManualClock>) -> CacheLayer<Faulty, ManualClock>,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let (store, clock) = (Faulty::default(), ManualClock::new());
        let layer = change(CacheLayer::with_clock(store.clone(), clock.clone()));
        let service = layer.layer(Inner::new(answer));
        Self { store, clock, layer, service }
    }

    async fn start(&self, request: Request<Body>) -> Response<CacheBody<Body>> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request, reads the response, and lets all work end that nobody waits for.
    async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Got {
        let got = Got::read(self.start(request(method, path, fields)).await).await;
        settled().await;
        got
    }

    async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[]).await
    }

    fn stats(&self) -> CacheStats {
        self.layer.handle().stats()
    }
}

/// Until every task has come as far as it can without time passing.
async fn settled() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// How much time passed on the paused clock of the runtime: an hour, and nothing ends the work.
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = tokio::time::Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(3600), work).await.expect("it ends");
    (done, start.elapsed())
}

const DEADLINE: Duration = Duration::from_millis(50);
