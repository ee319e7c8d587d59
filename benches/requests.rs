//! The time that a request takes, bare and behind the cache, and at the end the ratios.

mod cases;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use criterion::{Criterion, Throughput};

use crate::cases::{BATCH, BODIES, Bench, BoxError, Case};

fn main() -> Result<(), BoxError> {
    let began = SystemTime::now();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion");
    let mut criterion = Criterion::default()
        .without_plots()
        .output_directory(&directory)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .nresamples(10_000)
        .configure_from_args();
    for body_bytes in BODIES {
        measure(&mut criterion, body_bytes)?;
    }
    criterion.final_summary();
    print_ratios(&directory, began)
}

fn measure(criterion: &mut Criterion, body_bytes: usize) -> Result<(), BoxError> {
    let mut group = criterion.benchmark_group(group_name(body_bytes));
    group.throughput(Throughput::Elements(1));
    for case in Case::ALL {
        let mut bench = Bench::new(case, body_bytes)?;
        let mut failed = None;
        group.bench_function(case.name(), |bencher| {
            bencher.iter_custom(|requests| {
                time(&mut bench, requests).unwrap_or_else(|error| {
                    failed = Some(error);
                    Duration::from_nanos(requests)
                })
            });
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    group.finish();
    Ok(())
}

/// How long so many requests take, without the making of them.
fn time(bench: &mut Bench, requests: u64) -> Result<Duration, BoxError> {
    let mut taken = Duration::ZERO;
    let mut left = usize::try_from(requests)?;
    while left > 0 {
        let batch = bench.requests(left.min(BATCH))?;
        left -= batch.len();
        let began = Instant::now();
        bench.serve(batch)?;
        taken += began.elapsed();
    }
    Ok(taken)
}

/// From the medians of this run: what an earlier one left behind does not count, nor does a case that was
/// filtered out.
fn print_ratios(directory: &Path, began: SystemTime) -> Result<(), BoxError> {
    let mut rows = Vec::new();
    for body_bytes in BODIES {
        let bare = median(directory, began, body_bytes, Case::Bare)?;
        for case in Case::ALL {
            let median = median(directory, began, body_bytes, case)?;
            if let (Some(bare), Some(median)) = (bare, median) {
                rows.push(format!(
                    "{:8} {:26} {:>9.0} {:>8.2}",
                    group_name(body_bytes),
                    case.name(),
                    median,
                    median / bare,
                ));
            }
        }
    }
    if !rows.is_empty() {
        println!("\n{:8} {:26} {:>9} {:>8}", "body", "case", "median ns", "to bare");
        println!("{}", rows.join("\n"));
    }
    Ok(())
}

/// The median time of a request in nanoseconds.
fn median(
    directory: &Path,
    began: SystemTime,
    body_bytes: usize,
    case: Case,
) -> Result<Option<f64>, BoxError> {
    let file: PathBuf =
        [&group_name(body_bytes), case.name(), "new", "estimates.json"].iter().collect();
    let file = directory.join(file);
    let is_ours = fs::metadata(&file).and_then(|of| of.modified()).is_ok_and(|at| at >= began);
    if !is_ours {
        return Ok(None);
    }
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    Ok(estimates.pointer("/median/point_estimate").and_then(serde_json::Value::as_f64))
}

fn group_name(body_bytes: usize) -> String {
    format!("{}KiB", body_bytes >> 10)
}
