//! The clock of the limit, which remembers from when to when it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tower_keep::clock::{Clock, SystemClock};
use tower_keep::time::{Moment, Ticks};

#[derive(Clone)]
pub(crate) struct Watched {
    clock: SystemClock,
    read: Arc<Read>,
}

struct Read {
    first: AtomicU64,
    last: AtomicU64,
}

impl Watched {
    /// From the first reading to the last.
    pub(crate) fn time(&self) -> Duration {
        let at = |ticks: &AtomicU64| Ticks::from_nanos(ticks.load(Ordering::Relaxed));
        at(&self.read.last).since(at(&self.read.first))
    }
}

impl Default for Watched {
    fn default() -> Self {
        let read = Read { first: AtomicU64::new(u64::MAX), last: AtomicU64::new(0) };
        Self { clock: SystemClock::new(), read: Arc::new(read) }
    }
}

impl Clock for Watched {
    fn now(&self) -> Moment {
        let now = self.clock.now();
        self.read.first.fetch_min(now.ticks.as_nanos(), Ordering::Relaxed);
        self.read.last.fetch_max(now.ticks.as_nanos(), Ordering::Relaxed);
        now
    }
}
