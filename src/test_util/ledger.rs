//! A ledger in this process, with the faults of one that is elsewhere.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::cache::mark::{Catch, Mark, Position, PurgeKind, Purged, Target};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::ledger::{Ledger, Wait};

/// A [`Ledger`] in this process, for tests. Clones share it, as instances share one that is elsewhere.
///
/// ```
/// use tower_keep::store::{Ledger, PurgeKind, Target};
/// use tower_keep::test_util::MemoryLedger;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (here, there) = (MemoryLedger::new(), MemoryLedger::new());
/// let shared = here.clone();
/// let start = here.position();
/// let at = here.append(Target::from_bytes([2; 16]), PurgeKind::Hard).await.unwrap();
/// assert_eq!(shared.since(start).await.unwrap().until, at);
/// assert!(!there.since(start).await.unwrap().follows(start));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLedger(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    number: u64,
    mark: Mark,
    purges: VecDeque<Purged>,
    purges_max: usize,
    fails: bool,
    hangs: bool,
    silent: bool,
    asked: u64,
    waiting: Vec<Waker>,
}

impl MemoryLedger {
    /// An empty ledger that remembers as many purges as one answer may bring.
    pub fn new() -> Self {
        Self::with_purges_max(Catch::PURGES_MAX)
    }

    /// An empty ledger that remembers so many purges, at most [`Catch::PURGES_MAX`].
    ///
    /// ```
    /// use tower_keep::store::{Ledger, PurgeKind, Target};
    /// use tower_keep::test_util::MemoryLedger;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let ledger = MemoryLedger::with_purges_max(1);
    /// let start = ledger.position();
    /// for name in [1, 2] {
    ///     ledger.append(Target::from_bytes([name; 16]), PurgeKind::Hard).await.unwrap();
    /// }
    /// let catch = ledger.since(start).await.unwrap();
    /// assert!(catch.purges.len() == 1 && !catch.follows(start));
    /// # });
    /// ```
    pub fn with_purges_max(purges_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Log {
            number: drawn(),
            mark: Mark::default(),
            purges: VecDeque::new(),
            purges_max: purges_max.min(Catch::PURGES_MAX),
            fails: false,
            hangs: false,
            silent: false,
            asked: 0,
            waiting: Vec::new(),
        })))
    }

    /// Whether every call fails from now on.
    ///
    /// ```
    /// use tower_keep::store::Ledger;
    /// use tower_keep::test_util::MemoryLedger;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let ledger = MemoryLedger::new();
    /// ledger.fail(true);
    /// assert!(ledger.since(ledger.position()).await.is_err());
    /// # });
    /// ```
    pub fn fail(&self, fails: bool) {
        self.change(|log| log.fails = fails);
    }

    /// Whether no call answers, until this is taken back.
    pub fn hang(&self, hangs: bool) {
        self.change(|log| log.hangs = hangs);
    }

    /// Whether `follow` hears nothing, not even that there is nothing, while all else works.
    pub fn silence(&self, silent: bool) {
        self.change(|log| log.silent = silent);
    }

    /// Forgets all purges and begins anew, as after a flush.
    ///
    /// ```
    /// use tower_keep::test_util::MemoryLedger;
    ///
    /// let ledger = MemoryLedger::new();
    /// let before = ledger.position();
    /// ledger.forget();
    /// assert_ne!(ledger.position().ledger, before.ledger);
    /// ```
    pub fn forget(&self) {
        self.change(|log| {
            log.purges.clear();
            (log.number, log.mark) = (drawn(), Mark::default());
        });
    }

    /// Where the last purge stands.
    pub fn position(&self) -> Position {
        self.lock().position()
    }

    /// How often `since` was called.
    pub fn asked(&self) -> u64 {
        self.lock().asked
    }

    fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.lock();
        let answer = change(&mut log);
        let waiting = std::mem::take(&mut log.waiting);
        drop(log);
        waiting.into_iter().for_each(Waker::wake);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `answer` says as soon as it says anything and the ledger answers at all.
    async fn when<T>(&self, answer: impl Fn(&Log) -> Option<T>) -> Result<T, StoreError> {
        poll_fn(|cx| {
            let mut log = self.lock();
            if log.fails {
                return Poll::Ready(Err(StoreError::new(StoreErrorKind::Unavailable)));
            }
            match answer(&log).filter(|_| !log.hangs) {
                Some(answer) => Poll::Ready(Ok(answer)),
                None => log.wait(cx),
            }
        })
        .await
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger for MemoryLedger {
    fn key(&self) -> [u8; 16] {
        *b"a key for tests."
    }

    fn append<'a>(
        &'a self,
        target: Target,
        kind: PurgeKind,
    ) -> Wait<'a, Result<Position, StoreError>> {
        Box::pin(async move {
            self.when(|_| Some(())).await?;
            Ok(self.change(|log| log.append(target, kind)))
        })
    }

    fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>> {
        self.lock().asked += 1;
        Box::pin(self.when(move |log| Some(log.since(after))))
    }

    fn follow<'a>(
        &'a self,
        after: Position,
        wait_max: Duration,
    ) -> Wait<'a, Result<Catch, StoreError>> {
        Box::pin(async move {
            let has_news = |log: &Log| (!log.silent && log.position() != after).then_some(());
            or_after(wait_max, self.when(has_news)).await?;
            self.when(|log| (!log.silent).then(|| log.since(after))).await
        })
    }
}

impl Log {
    fn position(&self) -> Position {
        Position { ledger: self.number, mark: self.mark }
    }

    fn append(&mut self, target: Target, kind: PurgeKind) -> Position {
        self.mark = self.mark.next();
        self.purges.push_back(Purged { target, kind, at: self.mark });
        while self.purges.len() > self.purges_max {
            self.purges.pop_front();
        }
        self.position()
    }

    fn since(&self, after: Position) -> Catch {
        let oldest =
            self.purges.front().map_or(self.mark.as_u64(), |oldest| oldest.at.as_u64() - 1);
        let from = match after.ledger == self.number {
            true => Mark::new(oldest).max(after.mark),
            false => Mark::new(oldest),
        };
        let purges = self.purges.iter().filter(|purged| purged.at > from).copied().collect();
        Catch { from, until: self.position(), purges }
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// What the work says, or that all is well after so long. Without a runtime nothing keeps the time, and
/// nobody waits.
async fn or_after(
    wait_max: Duration,
    work: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    #[cfg(feature = "rt")]
    if tokio::runtime::Handle::try_current().is_ok() {
        return tokio::time::timeout(wait_max, work).await.unwrap_or(Ok(()));
    }
    let _ = wait_max;
    let mut work = std::pin::pin!(work);
    match poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        Poll::Ready(said) => said,
        Poll::Pending => Ok(()),
    }
}

/// A number that is not 0.
fn drawn() -> u64 {
    RandomState::new().hash_one(0) | 1
}
