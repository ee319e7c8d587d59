//! Flights in a simulated world: an executor of one thread that draws from a seed who goes on next, who leaves and
//! what fails. `TOWER_KEEP_SEED=n` runs one seed alone, and tells of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a test may"
)]

mod body;
mod client;
mod clock;
mod dice;
mod executor;
mod fault;
mod judge;
mod mutants;
mod origin;
mod plan;
mod quiet;
mod run;
mod store;
mod subject;
mod watch;
mod world;

use plan::Plan;
use run::{Tally, run};
use subject::Real;

const RUNS: u64 = 10_000;

#[test]
fn nothing_hangs_leaks_or_is_cut_short_whoever_leaves_and_whatever_fails() {
    if let Some(seed) = std::env::var("TOWER_KEEP_SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:#?}", Plan::new(seed));
        let tally = run(seed, &Real::build);
        println!("{tally:#?}");
        assert!(tally.is_ok());
        return;
    }
    let watch = watch::Watch::new();
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for seed in 0..RUNS {
        watch.begins(seed);
        match run(seed, &Real::build) {
            Ok(tally) => all.push(tally),
            Err(fault) => faults.push(format!("TOWER_KEEP_SEED={seed}: {fault}")),
        }
    }
    let first: Vec<_> = faults.iter().take(8).collect();
    assert!(faults.is_empty(), "{} of {RUNS} runs went wrong: {first:#?}", faults.len());
    happened(&all);
}

/// That all of this was tried.
fn happened(all: &[Tally]) {
    let sum = |of: &dyn Fn(&Tally) -> u64| all.iter().map(of).sum::<u64>();
    let counts = [
        ("calls", sum(&|tally| tally.calls)),
        ("hits", sum(&|tally| tally.stats.hits)),
        ("collapsed", sum(&|tally| tally.stats.collapsed)),
        ("revalidated", sum(&|tally| tally.stats.revalidated)),
        ("served_meanwhile", sum(&|tally| tally.stats.served_meanwhile)),
        ("refreshes", sum(&|tally| tally.stats.refreshes)),
        ("served_stale", sum(&|tally| tally.stats.served_stale)),
        ("backed_off", sum(&|tally| tally.stats.backed_off)),
        ("stored", sum(&|tally| tally.stats.stored)),
        ("not_stored", sum(&|tally| tally.stats.not_stored)),
        ("killed", sum(&|tally| tally.killed)),
        ("panicked", sum(&|tally| tally.panicked)),
        ("broken", sum(&|tally| tally.broken)),
        ("stalled", sum(&|tally| tally.stalled)),
        ("purges", sum(&|tally| tally.purges)),
        ("left in the store", sum(&|tally| tally.left_in_store)),
        ("waited", sum(&|tally| tally.waited)),
    ];
    println!("{counts:?}");
    for (what, count) in counts {
        assert!(count >= RUNS / 500, "{what} only {count} times");
    }
}
