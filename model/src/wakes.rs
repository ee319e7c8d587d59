//! Each wake of a flight, left out: a model misses it.

use std::env;
use std::panic::Location;
use std::process::Command;
use std::sync::OnceLock;

/// Whether this is the wake that the environment names.
pub(crate) fn is_left_out(place: &Location<'_>) -> bool {
    left_out()
        .is_some_and(|left_out| format!("{}:{}", place.file(), place.line()).ends_with(left_out))
}

/// The place of the wake that is left out, if one is.
pub(crate) fn left_out() -> Option<&'static str> {
    static LEFT_OUT: OnceLock<Option<String>> = OnceLock::new();
    LEFT_OUT.get_or_init(|| env::var(NAME).ok()).as_deref()
}

/// In processes of their own: a deadlock cannot be unwound, since what is dropped then wants its locks.
#[test]
fn every_wake_that_is_left_out_is_a_deadlock_in_one_of_the_models() {
    let wakes = wakes();
    assert!(!wakes.is_empty());
    for wake in wakes {
        let found = MODELS.iter().find(|model| is_deadlock(model, &wake));
        assert!(found.is_some(), "nobody misses the wake at {wake}");
    }
}

/// The place of each, as the compiler names it.
fn wakes() -> Vec<String> {
    let mut wakes = Vec::new();
    for (file, text) in SOURCES {
        for (line, code) in (1..).zip(text.lines()) {
            if code.trim() == "woken.wake();" {
                wakes.push(format!("collapse/{file}:{line}"));
            }
        }
        let calls = text.matches(".wake()").count();
        let listed = wakes.iter().filter(|wake| wake.contains(file)).count();
        assert_eq!(calls, listed, "{file}: a wake in other words");
    }
    wakes
}

fn is_deadlock(model: &str, left_out: &str) -> bool {
    let model = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("flights::{model}")])
        .env(NAME, left_out)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    !model.status.success() && String::from_utf8_lossy(&model.stderr).contains("deadlock; threads")
}

const NAME: &str = "KEEP_WAKE_LEFT_OUT";

const SOURCES: [(&str, &str); 7] = [
    ("asking.rs", include_str!("../../src/cache/collapse/asking.rs")),
    ("follower.rs", include_str!("../../src/cache/collapse/follower.rs")),
    ("mod.rs", include_str!("../../src/cache/collapse/mod.rs")),
    ("reader.rs", include_str!("../../src/cache/collapse/reader.rs")),
    ("shared.rs", include_str!("../../src/cache/collapse/shared.rs")),
    ("state.rs", include_str!("../../src/cache/collapse/state.rs")),
    ("table.rs", include_str!("../../src/cache/collapse/table.rs")),
];

/// The quick ones first.
const MODELS: [&str; 7] = [
    "bodies::a_response_that_is_whole_at_once_reaches_who_waits",
    "taking_over::one_who_has_waited_long_enough_ends_the_wait_for_all",
    "bodies::a_body_that_wakes_while_one_polls_it_who_leaves_keeps_nobody_waiting",
    "outgrown::a_fast_reader_goes_on_when_a_slow_one_leaves",
    "bodies::a_follower_reads_on_where_the_leader_leaves",
    "outgrown::fast_readers_go_on_when_one_has_cut_off_a_slow_one",
    "bodies::a_leader_and_a_follower_read_a_body_whole_that_is_stored_once",
];
