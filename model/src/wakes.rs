//! Each wake of a flight, left out: it would be missed.

use std::env;
use std::panic::Location;
use std::process::Command;
use std::sync::OnceLock;

/// Whether this is the wake that the environment names.
pub(crate) fn is_left_out(place: &Location<'_>) -> bool {
    static LEFT_OUT: OnceLock<Option<String>> = OnceLock::new();
    let left_out = LEFT_OUT.get_or_init(|| env::var(LEFT_OUT_NAME).ok());
    left_out.as_ref().is_some_and(|left_out| {
        format!("{}:{}", place.file(), place.line()).ends_with(left_out.as_str())
    })
}

const LEFT_OUT_NAME: &str = "KEEP_WAKE_LEFT_OUT";
