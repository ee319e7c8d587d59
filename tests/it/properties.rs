//! What holds for every request, every clock and every number.

mod ages;
mod freshness;
mod injective;

use std::future::Future;

use proptest::test_runner::Config;
use tokio::runtime::Runtime;

/// So many cases; a case that failed is shown, not written to a file.
pub fn cases(count: u32) -> Config {
    Config { failure_persistence: None, ..Config::with_cases(count) }
}

/// A runtime for one case. Nothing in it waits.
fn run<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
