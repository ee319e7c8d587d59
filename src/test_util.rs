//! Help for the tests of services that use this crate.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
//! use std::time::Duration;
//! use tower_keep::{cache::CacheLayer, store::MemoryStore, test_util::ManualClock};
//!
//! let clock = ManualClock::new();
//! let cache = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
//! let minute = service_fn(async |_: Request<String>| {
//!     let response = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, Infallible>(response.body(String::new()).unwrap())
//! });
//! for secs in [0, 59, 1] {
//!     clock.advance(Duration::from_secs(secs));
//!     let request = Request::get("http://shop.example/").body(String::new()).unwrap();
//!     cache.layer(minute).oneshot(request).await.unwrap();
//! }
//! // A miss, a hit, and another miss: after a minute it is not fresh any more.
//! assert_eq!((cache.handle().stats().misses, cache.handle().stats().hits), (2, 1));
//! # });
//! ```

mod ledger;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::{Clock, Sleep};
use crate::time::{Moment, Ticks, Timestamp};

pub use ledger::MemoryLedger;

/// A clock that goes only when it is told to. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::clock::Clock;
/// use tower_keep::test_util::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().wall.since(before.wall), Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Hands>>);

struct Hands {
    now: Moment,
    /// Who sleeps, and when each wakes.
    sleeping: BTreeMap<(Ticks, u64), Waker>,
    slept: u64,
}

impl ManualClock {
    /// A clock that shows the afternoon of 13 September 2020 (1 600 000 000 seconds after the epoch), always.
    pub fn new() -> Self {
        let wall = Timestamp::from_secs(1_600_000_000);
        let now = Moment { wall, ticks: Ticks::from_nanos(1_000_000_000) };
        Self(Arc::new(Mutex::new(Hands { now, sleeping: BTreeMap::new(), slept: 0 })))
    }

    /// Lets time pass on both clocks; both saturate. Who slept for so long is woken.
    pub fn advance(&self, length: Duration) {
        let woken = {
            let mut hands = self.hands();
            hands.now.wall = hands.now.wall.plus(length);
            hands.now.ticks = hands.now.ticks.plus(length);
            let later = (hands.now.ticks.plus(Duration::from_nanos(1)), 0);
            let later = hands.sleeping.split_off(&later);
            std::mem::replace(&mut hands.sleeping, later)
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock alone, as an operator or a time server may do at any moment.
    ///
    /// ```
    /// use tower_keep::{clock::Clock, test_util::ManualClock, time::Timestamp};
    ///
    /// let clock = ManualClock::new();
    /// let before = clock.now();
    /// clock.set_wall(Timestamp::from_secs(0));
    /// assert_eq!(clock.now().wall.as_secs(), 0);
    /// assert_eq!(clock.now().ticks, before.ticks);
    /// ```
    pub fn set_wall(&self, wall: Timestamp) {
        self.hands().now.wall = wall;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.hands().now
    }

    /// Ends when the clock has been advanced so far, with or without a runtime.
    fn sleep(&self, length: Duration) -> Option<Sleep> {
        let mut hands = self.hands();
        hands.slept += 1;
        let key = (hands.now.ticks.plus(length), hands.slept);
        drop(hands);
        Some(Box::pin(Sleeper { clock: self.clone(), key }))
    }
}

struct Sleeper {
    clock: ManualClock,
    key: (Ticks, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut hands = self.clock.hands();
        if hands.now.ticks >= self.key.0 {
            return Poll::Ready(());
        }
        let before = hands.sleeping.insert(self.key, cx.waker().clone());
        drop(hands);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let left = self.clock.hands().sleeping.remove(&self.key);
        drop(left);
    }
}
