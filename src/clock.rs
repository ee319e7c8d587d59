//! Where the time comes from.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Moment, Ticks, Timestamp};

/// Tells the time. Every layer asks one clock, and no rule reads another.
///
/// For tests there is `ManualClock`, with the `test-util` feature. One of your own:
///
/// ```
/// use tower_keep::cache::CacheLayer;
/// use tower_keep::clock::Clock;
/// use tower_keep::store::MemoryStore;
/// use tower_keep::time::{Moment, Ticks, Timestamp};
///
/// /// Nothing ever gets old.
/// struct Stopped;
///
/// impl Clock for Stopped {
///     fn now(&self) -> Moment {
///         Moment { wall: Timestamp::from_secs(1_600_000_000), ticks: Ticks::from_nanos(0) }
///     }
/// }
///
/// let cache = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), Stopped);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Both clocks, read together. The ticks never go back; the wall clock may.
    fn now(&self) -> Moment;
}

/// The clocks of the operating system; the default.
///
/// ```
/// use tower_keep::clock::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let (first, second) = (clock.now(), clock.now());
/// assert!(second.ticks >= first.ticks);
/// ```
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose ticks count from now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        };
        Moment { wall: Timestamp::from_millis(millis), ticks: Ticks::from_nanos(nanos) }
    }
}
