//! Where the time comes from.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// The monotonic clock alone, which may be had for less.
    ///
    /// ```
    /// use tower_keep::clock::{Clock, SystemClock};
    ///
    /// let clock = SystemClock::new();
    /// let (first, second) = (clock.ticks(), clock.now().ticks);
    /// assert!(second >= first);
    /// ```
    fn ticks(&self) -> Ticks {
        self.now().ticks
    }

    /// Ends so much later. `None` where nothing keeps the time: then there are no deadlines, and what would be given
    /// up after a while is waited for.
    ///
    /// By default the timer of the current tokio runtime (feature `rt`), if there is one; **it must have been
    /// enabled**, as `#[tokio::main]` and `enable_all` do.
    fn sleep(&self, length: Duration) -> Option<Sleep> {
        #[cfg(feature = "rt")]
        if tokio::runtime::Handle::try_current().is_ok() {
            return Some(Box::pin(tokio::time::sleep(length)));
        }
        let _ = length;
        None
    }
}

/// What [`Clock::sleep`] answers.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clocks of the machine; the default.
///
/// Its ticks are the same for all that are made in one process. The wall clock is asked again after every
/// [`WALL_KEPT_FOR`](Self::WALL_KEPT_FOR); in between, the ticks carry it on.
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
    shared: &'static Shared,
}

/// What all of them read.
#[derive(Debug)]
struct Shared {
    /// Reads the processor's own counter where that is steady, and asks the system where it is not.
    clock: quanta::Clock,
    /// What it showed when the first one was made.
    start: u64,
    /// The wall clock less the ticks, in nanoseconds, and the ticks at which that was found.
    wall_ahead: AtomicI64,
    found_at: AtomicU64,
}

impl SystemClock {
    /// A step of the wall clock is noticed this much later at most.
    pub const WALL_KEPT_FOR: Duration = Duration::from_millis(10);

    /// The clock; its ticks count from when the first one of the process was made.
    pub fn new() -> Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        Self { shared: SHARED.get_or_init(Shared::new) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let Shared { wall_ahead, found_at, .. } = self.shared;
        let ticks = self.shared.ticks();
        let ahead = match ticks.saturating_sub(found_at.load(Ordering::Relaxed)) {
            kept_for if kept_for < WALL_KEPT_FOR_NANOS => wall_ahead.load(Ordering::Relaxed),
            _ => self.shared.look(ticks),
        };
        let wall = ahead.saturating_add_unsigned(ticks).div_euclid(NANOS_IN_MILLI);
        Moment { wall: Timestamp::from_millis(wall), ticks: Ticks::from_nanos(ticks) }
    }

    fn ticks(&self) -> Ticks {
        Ticks::from_nanos(self.shared.ticks())
    }
}

impl Shared {
    fn new() -> Self {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        let shared =
            Self { clock, start, wall_ahead: AtomicI64::new(0), found_at: AtomicU64::new(0) };
        shared.look(0);
        shared
    }

    /// Nanoseconds since the start.
    fn ticks(&self) -> u64 {
        self.clock.delta_as_nanos(self.start, self.clock.raw())
    }

    /// Asks the wall clock, and keeps what it says for the next who ask.
    fn look(&self, ticks: u64) -> i64 {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        };
        // Read behind the wall clock: whatever holds us up in between lets it seem slow for a moment, and never ahead.
        let ticks = self.ticks().max(ticks);
        let ahead = wall.saturating_sub_unsigned(ticks);
        self.wall_ahead.store(ahead, Ordering::Relaxed);
        self.found_at.store(ticks, Ordering::Relaxed);
        ahead
    }
}

const WALL_KEPT_FOR_NANOS: u64 = SystemClock::WALL_KEPT_FOR.as_nanos() as u64;
const NANOS_IN_MILLI: i64 = 1_000_000;
