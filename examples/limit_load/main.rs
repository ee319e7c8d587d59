//! What a limit admits under load: exactly its quota, not one more, and next to nothing less.
//!
//! ```text
//! cargo run --release --example limit_load                # five seconds; exit status 0 if what was admitted is the quota within 1 %
//! cargo run --release --example limit_load -- --quotas    # two quotas on each key, of which the strictest decides
//! cargo run --release --example limit_load -- --help
//! ```
//!
//! A server and 64 clients in one process, over real sockets of this machine: each client sends the next request on its connection as soon as
//! it has the answer to the last. They share four keys, and send at least three times as many as those may, or nothing is shown. [`clock`] is the
//! limit's own, and tells from its first to its last reading how much may have come back.

mod args;
mod clients;
mod clock;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use args::{Command, Config};
use axum::Router;
use axum::http::HeaderName;
use axum::routing::get;
use clients::{Answers, KEYS};
use clock::Watched;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_keep::BoxError;
use tower_keep::limit::{LimitBy, Quota, QuotaError, Quotas, RateLimitLayer};

#[tokio::main]
async fn main() -> ExitCode {
    let config = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(config)) => config,
        Err(wrong) => {
            eprintln!("limit_load: {wrong}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match run(config).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("limit_load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was as it should be.
async fn run(Config { rate, seconds, has_two_quotas }: Config) -> Result<bool, BoxError> {
    let short = Quota::per_second(rate).burst(BURST);
    if !has_two_quotas {
        return measure([short], Duration::from_secs(seconds)).await;
    }
    // Half as fast, but a second's worth at once: until two seconds have passed, nearly, the first is the stricter one.
    let long = Quota::per_minute(rate * 30).burst(rate);
    let first = measure([short, long], Duration::from_secs(1)).await?;
    let second = measure([short, long], Duration::from_secs(seconds)).await?;
    Ok(first && second)
}

/// One run with a limit of its own.
async fn measure<const N: usize>(quotas: [Quota; N], length: Duration) -> Result<bool, BoxError>
where
    Quotas: TryFrom<[Quota; N], Error = QuotaError>,
{
    let clock = Watched::default();
    let by_key = LimitBy::header(HeaderName::from_static("x-key"));
    let limit = RateLimitLayer::with_clock(quotas, by_key, clock.clone())?;
    let handled = Arc::new(AtomicU64::new(0));
    let counted = handled.clone();
    let handler = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        "hello"
    };
    let app = Router::new().route("/", get(handler)).layer(limit.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    let answers = timeout(length + PATIENCE, clients::run(address, length)).await??;
    server.abort();

    let time = clock.time();
    let stats = limit.handle().stats();
    let (admitted, refused): (u64, u64) =
        answers.iter().fold((0, 0), |sum, key| (sum.0 + key.admitted, sum.1 + key.refused));
    println!("{quotas:?} for each of {KEYS} keys, over {:.3} s:", time.as_secs_f64());
    let mut is_right = (stats.admitted, stats.refused) == (admitted, refused)
        && handled.load(Ordering::Relaxed) == admitted;
    if !is_right {
        println!("    wrong: the limit says {stats:?}, the clients {admitted} and {refused}");
    }
    for (key, answers) in answers.iter().enumerate() {
        is_right &= report(key, answers, &quotas, time);
    }
    println!("    {:.0} requests in a second\n", (admitted + refused) as f64 / time.as_secs_f64());
    Ok(is_right)
}

/// Whether one key was admitted what its quotas allow in this time.
fn report(key: usize, answers: &Answers, quotas: &[Quota], time: Duration) -> bool {
    let quota = quotas.iter().map(|quota| most(quota, time)).min().unwrap_or_default();
    let Answers { admitted, refused } = *answers;
    let ratio = admitted as f64 / quota as f64;
    let verdict = match () {
        () if admitted > quota => "wrong: too many",
        () if admitted + refused < quota * 3 => {
            "nothing is shown: this machine cannot send three times the quota, try a smaller --rate"
        }
        () if ratio < LEAST => "wrong: too few",
        () => "ok",
    };
    let sent = admitted + refused;
    println!(
        "    key {key}: sent {sent}, admitted {admitted}, quota {quota}, ratio {ratio:.5}, {verdict}"
    );
    verdict == "ok"
}

/// The burst, and what comes back in so much time: whole units alone.
fn most(quota: &Quota, time: Duration) -> u64 {
    let back = u128::from(quota.amount()) * time.as_nanos() / quota.period().as_nanos();
    quota.burst_max() + u64::try_from(back).unwrap_or(u64::MAX)
}

const BURST: u64 = 50;

/// Of the quota; more than the quota is never right.
const LEAST: f64 = 0.99;

/// For connections, and for the last answers.
const PATIENCE: Duration = Duration::from_secs(20);
