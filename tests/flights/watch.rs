//! Tells of a run that does not come back, as from a lock that is never free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Ends the program where one run takes much longer than any should.
pub struct Watch(Arc<AtomicU64>);

impl Watch {
    pub fn new() -> Self {
        let running = Arc::new(AtomicU64::new(0));
        let seen = Arc::downgrade(&running);
        thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                thread::sleep(RUN_MAX);
                let Some(seed) = seen.upgrade().map(|seed| seed.load(Ordering::Relaxed)) else {
                    return;
                };
                if seed == before {
                    eprintln!("TOWER_KEEP_SEED={seed}: it does not come back");
                    std::process::abort();
                }
                before = seed;
            }
        });
        Self(running)
    }

    pub fn begins(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }
}

/// A run takes milliseconds.
const RUN_MAX: Duration = Duration::from_secs(30);
