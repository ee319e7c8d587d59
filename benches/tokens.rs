//! What it costs to verify a token: as a ratio to the bare primitive with its key ready, which no verifier can do
//! without, and to what `jsonwebtoken` takes; each against what is allowed for it.
//!
//! All is measured by turns, so that noise meets each alike, and a ratio is the median of the rounds' ratios.

#[path = "cases/hostile.rs"]
mod hostile;
#[path = "cases/token.rs"]
#[allow(dead_code, reason = "other benches use the rest")]
mod token;

use std::env;
use std::hint::black_box;
use std::time::Instant;

use tower_keep::auth::Algorithm;

use crate::token::{BoxError, Subject};

fn main() -> Result<(), BoxError> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    match arguments.as_slice() {
        [] => table(),
        [names] if names == "names" => {
            hostile::names().for_each(|name| println!("{name}"));
            Ok(())
        }
        [subject, way, count] => run(subject, way, count.parse()?),
        _ => Err("SUBJECT WAY COUNT, or names, for tokens.sh; or nothing".into()),
    }
}

/// Verifies one token so many times and does nothing else, for `tokens.sh` to count the instructions.
fn run(name: &str, way: &str, count: usize) -> Result<(), BoxError> {
    let row = ROWS.iter().find(|row| row.algorithm.name() == name);
    let now = token::now()?;
    let subject = match row {
        Some(row) => Subject::new(row.algorithm, now),
        None => hostile::subject(name, now),
    }?;
    let (_, way) = WAYS.into_iter().find(|(known, _)| *known == way).ok_or("no such way")?;
    for _ in 0..count {
        black_box(way(black_box(&subject)));
    }
    Ok(())
}

fn table() -> Result<(), BoxError> {
    println!("medians of {ROUNDS} rounds by turns, in ns; allowed and aimed at in brackets\n");
    println!(
        "{:6} {:>6} {:>10} {:>10} {:>13}  {:28} {:28}",
        "",
        "bytes",
        "primitive",
        "this",
        "jsonwebtoken",
        "this to primitive",
        "this to jsonwebtoken"
    );
    for row in ROWS {
        let subject = Subject::new(row.algorithm, token::now()?)?;
        let ways = WAYS.map(|(_, way)| way);
        if !ways.iter().all(|way| way(&subject)) {
            return Err(format!("{}: not accepted by all", row.algorithm).into());
        }
        let [primitive, this, other] = by_turns(&subject, ways, row.batch);
        println!(
            "{:6} {:>6} {:>10.0} {:>10.0} {:>13.0}  {:28} {:28}",
            row.algorithm.name(),
            subject.token.len(),
            median(primitive.clone()),
            median(this.clone()),
            median(other.clone()),
            verdict(median_ratio(&this, &primitive), Some(row.to_primitive)),
            verdict(median_ratio(&this, &other), row.to_other),
        );
    }
    Ok(())
}

type Way = fn(&Subject) -> bool;

/// What is allowed, and what is aimed at.
type Gate = (f64, f64);

struct Row {
    algorithm: Algorithm,
    /// How many are measured together: less than a tenth of a millisecond's worth, since a longer stretch is seldom
    /// left alone on a machine that has other work.
    batch: usize,
    to_primitive: Gate,
    to_other: Option<Gate>,
}

/// The times of each, one of every round.
fn by_turns<const N: usize>(subject: &Subject, ways: [Way; N], batch: usize) -> [Vec<f64>; N] {
    let mut times = ways.map(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (way, times) in ways.iter().zip(&mut times) {
            let began = Instant::now();
            for _ in 0..batch {
                black_box(way(black_box(subject)));
            }
            times.push(began.elapsed().as_nanos() as f64 / batch as f64);
        }
    }
    times
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What the first is of the second, within each round.
fn median_ratio(first: &[f64], second: &[f64]) -> f64 {
    median(first.iter().zip(second).map(|(first, second)| first / second).collect())
}

fn verdict(ratio: f64, gate: Option<Gate>) -> String {
    let Some((allowed, aim)) = gate else { return format!("{ratio:.3}") };
    let met = if ratio <= allowed { "met" } else { "NOT met" };
    format!("{ratio:.3} ({allowed:.2}, {aim:.2}): {met}")
}

const WAYS: [(&str, Way); 3] = [
    ("primitive", Subject::is_signed),
    ("this", Subject::is_accepted),
    ("jsonwebtoken", Subject::is_accepted_by_the_other),
];
const ROUNDS: usize = 2001;
const ROWS: [Row; 4] = [
    Row {
        algorithm: Algorithm::Hs256,
        batch: 32,
        to_primitive: (3.2, 2.4),
        to_other: Some((0.55, 0.35)),
    },
    Row {
        algorithm: Algorithm::Rs256,
        batch: 4,
        to_primitive: (1.10, 1.05),
        to_other: Some((0.95, 0.8)),
    },
    Row { algorithm: Algorithm::Es256, batch: 1, to_primitive: (1.10, 1.05), to_other: None },
    Row { algorithm: Algorithm::EdDsa, batch: 1, to_primitive: (1.10, 1.05), to_other: None },
];
