//! Serves one case so many times and does nothing else, for `instructions.sh` to count the instructions.
//!
//! It makes the same requests whatever it serves of them, so that between two runs nothing differs but the
//! serving.

mod cases;

use std::env;

use crate::cases::{BATCH, BODIES, Bench, BoxError, Case};

fn main() -> Result<(), BoxError> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    match arguments.as_slice() {
        [] => {
            println!("usage: instructions CASE BODY_BYTES BATCHES, or benches/instructions.sh");
            println!("cases: {}", Case::ALL.map(Case::name).join(" "));
            println!("bodies: {}", BODIES.map(|bytes| bytes.to_string()).join(" "));
            println!("a batch: {BATCH} requests, at most {BATCHES_MADE} batches");
            Ok(())
        }
        [name, body_bytes, batches] => {
            let case = Case::ALL.into_iter().find(|case| case.name() == name);
            let case = case.ok_or("no such case")?;
            run(case, body_bytes.parse()?, batches.parse()?)
        }
        _ => Err("CASE BODY_BYTES BATCHES, or nothing".into()),
    }
}

fn run(case: Case, body_bytes: usize, batches: usize) -> Result<(), BoxError> {
    if batches > BATCHES_MADE {
        return Err(format!("at most {BATCHES_MADE} batches").into());
    }
    let mut bench = Bench::new(case, body_bytes)?;
    for batch in 0..BATCHES_MADE {
        let requests = bench.requests(BATCH)?;
        if batch < batches {
            bench.serve(requests)?;
        }
    }
    Ok(())
}

const BATCHES_MADE: usize = 60;
