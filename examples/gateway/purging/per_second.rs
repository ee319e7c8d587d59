//! How often something happened in this second.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// A plain counter, which begins anew with the first event a second or more after the last beginning.
#[derive(Default)]
pub(super) struct PerSecond(Mutex<Option<(Instant, u32)>>);

impl PerSecond {
    /// Counts one more, and says which of its second it is.
    pub(super) fn count(&self) -> u32 {
        let now = Instant::now();
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, count) = match &mut *second {
            Some(running) if now.duration_since(running.0) < SECOND => running,
            other => other.insert((now, 0)),
        };
        *count = count.saturating_add(1);
        *count
    }
}

const SECOND: Duration = Duration::from_secs(1);
