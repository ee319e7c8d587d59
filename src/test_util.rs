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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
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
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Moment>>);

impl ManualClock {
    /// A clock that shows the afternoon of 13 September 2020 (1 600 000 000 seconds after the epoch), always.
    pub fn new() -> Self {
        let wall = Timestamp::from_secs(1_600_000_000);
        Self(Arc::new(Mutex::new(Moment { wall, ticks: Ticks::from_nanos(1_000_000_000) })))
    }

    /// Lets time pass on both clocks; both saturate.
    pub fn advance(&self, length: Duration) {
        self.change(|moment| {
            moment.wall = moment.wall.plus(length);
            let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
            moment.ticks = Ticks::from_nanos(moment.ticks.as_nanos().saturating_add(nanos));
        });
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
        self.change(|moment| moment.wall = wall);
    }

    fn change(&self, change: impl FnOnce(&mut Moment)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
