//! Many who charge at the same time. Each goes through the time by itself, so that some are far behind others.

use std::sync::{Arc, Barrier};
use std::thread;

use super::*;

const MANY: usize = 64;
const MILLIS: u64 = 10_000;

/// One who asks every so many milliseconds, each time until he is refused: how often he was admitted.
fn walk(step: u64, admits: impl Fn(Ticks) -> bool) -> u64 {
    (0..=MILLIS / step).map(|n| (0..).take_while(|_| admits(at(n * step))).count() as u64).sum()
}

fn admits<const WAYS: usize>(table: &Table<WAYS>, n: u64, quotas: &Quotas, now: Ticks) -> bool {
    table.charge(key(n), quotas, 1, now).outcome == Outcome::Admitted
}

/// By keys in turn; how often each of them was admitted.
fn threads<const WAYS: usize>(table: &Table<WAYS>, keys: u64, quotas: &Quotas) -> Vec<u64> {
    let start = Barrier::new(MANY);
    let mut sums = vec![0; keys as usize];
    thread::scope(|scope| {
        let running: Vec<_> = (0..MANY as u64)
            .map(|n| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    walk(1, |now| admits(table, n % keys, quotas, now))
                })
            })
            .collect();
        for (n, running) in running.into_iter().enumerate() {
            sums[n % keys as usize] += running.join().unwrap();
        }
    });
    sums
}

/// Nearest: R09 at the table: exactly the burst and what came back in ten seconds, never one more.
#[test]
fn r09_threads_on_one_key_are_admitted_exactly_what_there_is() {
    for (quota, expected) in [
        (Quota::per_second(100).burst(20), 20 + 1_000),
        (Quota::per_second(30), 30 + 300),
        (Quota::per_second(7).burst(2), 2 + 70),
        (Quota::per_second(7_919), 7_919 + 79_190),
    ] {
        let quotas = quotas([quota]);
        assert_eq!(threads(&Table::<7>::new(8), 1, &quotas), [expected], "{quota:?}");
    }
}

/// Nearest: R09 at the table, with several keys in one set, which all of them want to write to.
#[test]
fn r09_threads_on_several_keys_of_one_set_are_admitted_exactly_what_there_is() {
    let one = quotas([Quota::per_second(30).burst(9)]);
    assert_eq!(threads(&Table::<4>::new(1), 4, &one), [309; 4]);
    // The first is used up soon each time, the second in the end.
    let both = quotas([Quota::per_second(100), Quota::per_second(50).burst(200)]);
    assert_eq!(threads(&Table::<8>::new(1), 4, &both), [700; 4]);
}

/// Nearest: R09 at the table, with tasks that all ask at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r09_tasks_on_one_key_are_admitted_exactly_what_there_is() {
    for (quota, expected) in [
        (Quota::per_second(100).burst(20), 20 + 1_000),
        (Quota::per_second(30), 30 + 300),
        (Quota::per_second(7).burst(3), 3 + 70),
    ] {
        let (table, quotas) = (Arc::new(Table::<7>::new(1)), Arc::new(quotas([quota])));
        let together = Arc::new(tokio::sync::Barrier::new(MANY));
        let tasks: Vec<_> = (0..MANY)
            .map(|_| {
                let (table, quotas, together) = (table.clone(), quotas.clone(), together.clone());
                tokio::spawn(async move {
                    let mut admitted = 0;
                    for now in (0..=MILLIS).step_by(100) {
                        together.wait().await;
                        while admits(&table, 0, &quotas, at(now)) {
                            admitted += 1;
                            tokio::task::yield_now().await;
                        }
                    }
                    admitted
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, expected, "{quota:?}");
    }
}
