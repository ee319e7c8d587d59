//! Tells of a run that does not come back, as from a lock that is never free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Ends the program where one run takes much longer than any should.
pub struct Watch(Arc<Running>);

#[derive(Default)]
struct Running {
    seed: AtomicU64,
    /// How many runs have begun.
    begun: AtomicU64,
}

impl Watch {
    pub fn new() -> Self {
        let running = Arc::<Running>::default();
        let watched = Arc::downgrade(&running);
        thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                thread::sleep(RUN_MAX);
                let Some(running) = watched.upgrade() else { return };
                let begun = running.begun.load(Ordering::Relaxed);
                if begun == before {
                    let seed = running.seed.load(Ordering::Relaxed);
                    eprintln!("TOWER_KEEP_SEED={seed}: it does not come back");
                    std::process::abort();
                }
                before = begun;
            }
        });
        Self(running)
    }

    pub fn begins(&self, seed: u64) {
        self.0.seed.store(seed, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
    }
}

/// A run takes milliseconds.
const RUN_MAX: Duration = Duration::from_secs(30);
