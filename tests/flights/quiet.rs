//! Panics that are part of a run are not printed.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local!(static IS_QUIET: Cell<bool> = const { Cell::new(false) });

/// While it lives, panics of this thread are not printed; those of the checks are.
pub struct Quiet;

impl Quiet {
    pub fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !IS_QUIET.get() {
                    usual(info);
                }
            }));
        });
        IS_QUIET.set(true);
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        IS_QUIET.set(false);
    }
}
