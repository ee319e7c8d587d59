//! Keeps the stamps of one process level with a ledger.

#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;

use std::sync::Arc;
#[cfg(feature = "rt")]
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::cache::mark::{Catch, Position, PurgeKind, Target};
use crate::cache::stamps::{Noted, Stamps};
use crate::cache::turns::{Turn, Turns};
use crate::clock::Clock;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::ledger::Ledger;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Ticks;

/// Hears what others purge. Inside a tokio runtime a task follows the ledger, so that a hit need not ask;
/// outside of one the first hit of every `lag_max` asks.
///
/// The caller puts its deadline around every call, and may drop it at any point.
pub(crate) struct Feed {
    ledger: Arc<dyn Ledger>,
    stamps: Arc<Stamps>,
    clock: Arc<dyn Clock>,
    lag_max: Duration,
    /// One more than the ticks at which was asked what has been heard last; 0 before.
    heard: AtomicU64,
    turns: Turns,
    #[cfg(feature = "rt")]
    task: Mutex<Option<tokio::task::AbortHandle>>,
}

impl Feed {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        stamps: Arc<Stamps>,
        clock: Arc<dyn Clock>,
        lag_max: Duration,
    ) -> Self {
        Self {
            ledger,
            stamps,
            clock,
            lag_max,
            heard: AtomicU64::new(0),
            turns: Turns::default(),
            #[cfg(feature = "rt")]
            task: Mutex::new(None),
        }
    }

    /// Whether every purge is known that is older than the lag allows.
    pub(crate) fn is_current(&self, now: Ticks) -> bool {
        match self.heard.load(Ordering::Acquire) {
            0 => false,
            heard => now.since(Ticks::from_nanos(heard - 1)) <= self.lag_max,
        }
    }

    /// Makes it current for a request that came at `now`: of many at once, one asks the ledger. False where
    /// that failed: to this request every entry is unknown.
    pub(crate) async fn catch_up(self: &Arc<Self>, now: Ticks) -> bool {
        loop {
            if self.is_current(now) {
                return true;
            }
            match self.turns.next().await {
                Turn::Lead(lead) => {
                    self.start();
                    let done = self.is_current(now) || self.ask().await;
                    lead.end(done);
                    return done;
                }
                Turn::Ended(false) => return false,
                // It may have asked too long before `now`; one that began later will not have.
                Turn::Ended(true) => {}
            }
        }
    }

    /// Purges for all who share the ledger. When it returns, no check in this process finds good what it was
    /// of, and in others none does after the lag.
    ///
    /// # Errors
    /// When it may not have been appended.
    pub(crate) async fn purge(&self, target: Target, kind: PurgeKind) -> Result<Noted, StoreError> {
        let sent_to = self.stamps.heard().ledger;
        let at = self.ledger.append(target, kind).await?;
        let noted = self.stamps.appended(target, kind, sent_to, at, self.clock.now().ticks);
        noted.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable))
    }

    async fn ask(&self) -> bool {
        let (asked, asked_at) = (self.stamps.heard(), self.clock.now().ticks);
        match self.ledger.since(asked).await {
            Ok(catch) => self.hear(asked, asked_at, &catch),
            Err(_) => false,
        }
    }

    fn hear(&self, asked: Position, asked_at: Ticks, catch: &Catch) -> bool {
        let learnt = self.stamps.learn(asked, catch, self.clock.now().ticks);
        if learnt {
            // The answer may have been long on its way: all that is sure is that it is not older than
            // its question.
            self.heard.fetch_max(asked_at.as_nanos().saturating_add(1), Ordering::AcqRel);
        }
        learnt
    }

    /// Follows the ledger in a task, where there is a runtime and no such task yet.
    #[cfg(feature = "rt")]
    fn start(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(tokio::task::AbortHandle::is_finished) {
            let follow = follow(Arc::downgrade(self));
            *task = Some(runtime.spawn(follow).abort_handle());
        }
    }

    #[cfg(not(feature = "rt"))]
    fn start(self: &Arc<Self>) {}
}

#[cfg(feature = "rt")]
impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Ends when the feed does. Holds it only for moments, never while it waits.
#[cfg(feature = "rt")]
async fn follow(feed: Weak<Feed>) {
    let mut back_off = BACK_OFF_MIN;
    loop {
        let Some(alive) = feed.upgrade() else { return };
        let (ledger, asked) = (Arc::clone(&alive.ledger), alive.stamps.heard());
        let (asked_at, wait_max) = (alive.clock.now().ticks, alive.lag_max / HEARTBEATS);
        drop(alive);
        let began = tokio::time::Instant::now();
        let answer = ledger.follow(asked, wait_max);
        let answer = tokio::time::timeout(wait_max + ANSWER_MAX, answer).await;
        let Some(alive) = feed.upgrade() else { return };
        let heard = match &answer {
            Ok(Ok(catch)) => alive.hear(asked, asked_at, catch),
            Ok(Err(_)) | Err(_) => false,
        };
        drop(alive);
        if heard {
            back_off = BACK_OFF_MIN;
            // A ledger that does not wait must not be asked without a pause.
            tokio::time::sleep_until(began + wait_max).await;
        } else {
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }
}

/// How far behind others' purges a hit may be, by default.
pub(crate) const LAG_MAX: Duration = Duration::from_millis(100);
/// How many heartbeats come within the lag: what one proves is as old as its question, so that two of
/// them pass before the next has proved anything, and the rest is for the way.
#[cfg(feature = "rt")]
const HEARTBEATS: u32 = 4;
#[cfg(feature = "rt")]
const ANSWER_MAX: Duration = Duration::from_secs(1);
#[cfg(feature = "rt")]
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
#[cfg(feature = "rt")]
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
