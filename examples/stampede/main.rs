//! A stampede: many clients want one page at the moment at which it has expired.
//!
//! ```text
//! cargo run --release --example stampede              # a quarter of a minute; ends with a table
//! cargo run --release --example stampede -- --check   # a short run; exit status 0 if the layer spared the origin
//! cargo run --release --example stampede -- --help
//! ```
//!
//! The same requests are sent three times, over real sockets: to the origin alone, with the layer around it, and with
//! a page that may be served stale while it is renewed. [`origin`] has few workers and a line before them,
//! [`crowd`] is the clients.

mod args;
mod crowd;
mod origin;
mod page;
mod progress;
mod report;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use args::{Command, Config};
use crowd::Answers;
use origin::{Origin, Server};
use progress::{Progress, State};
use report::Figures;
use tokio::time::{Instant, interval};

struct Scenario {
    name: &'static str,
    has_layer: bool,
    cache_control: &'static str,
}

#[tokio::main]
async fn main() -> ExitCode {
    let config = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(config)) => config,
        Ok(Command::Help) => {
            say(args::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(&format!("{wrong}\nTry --help."));
            return ExitCode::from(2);
        }
    };
    match run(config).await {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Result<ExitCode, String> {
    let turns = turns(config.seconds);
    say(&introduction(config.clients, turns));
    let name_width = SCENARIOS.iter().map(|scenario| scenario.name.len()).max();
    let progress = Progress::new(name_width.unwrap_or_default());
    let mut all = Vec::new();
    for scenario in &SCENARIOS {
        all.push(stampede(scenario, config.clients, turns, &progress).await?);
    }
    say(&format!("\n{}", report::table(&all)));
    let [without, with, stale] = all.as_slice() else {
        return Err("a scenario is missing".into());
    };
    say(&report::sentence(without, with, stale));
    Ok(verdict(config, [without, with, stale]))
}

fn verdict(config: Config, [without, with, stale]: [&Figures; 3]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for figures in [without, with, stale] {
        if let Some(first) = figures.failures.first() {
            let count = figures.failures.len();
            complain(&format!("{}: {count} wrong answers, the first: {first}", figures.name));
            code = ExitCode::FAILURE;
        }
        if config.is_check && figures.calls > without.calls {
            complain(&format!("{}: more calls than without the layer", figures.name));
            code = ExitCode::FAILURE;
        }
    }
    if config.is_check && code == ExitCode::SUCCESS {
        say("\nok: only whole pages, and no more calls of the origin with the layer than without");
    }
    code
}

/// One scenario, from the start of its server to its end.
async fn stampede(
    scenario: &Scenario,
    clients: u32,
    turns: u32,
    progress: &Progress,
) -> Result<Figures, String> {
    let name = scenario.name;
    let requests = clients as usize * turns as usize;
    let origin = Arc::new(Origin::new(scenario.cache_control));
    let server = Server::start(origin.clone(), scenario.has_layer).await?;
    let answered = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let state = || State {
        answered: answered.load(Ordering::Relaxed),
        requests,
        calls: origin.calls(),
        queue: origin.queue(),
        elapsed: began.elapsed(),
    };

    let mut crowd = crowd::send(clients, turns, &server.page, &origin, &answered);
    let mut all = Answers::default();
    let mut ticks = interval(REDRAW);
    loop {
        tokio::select! {
            client = crowd.join_next() => match client {
                Some(Ok(mut answers)) => {
                    all.took.append(&mut answers.took);
                    all.failures.append(&mut answers.failures);
                }
                Some(Err(error)) => all.failures.push(format!("a client ended early: {error}")),
                None => break,
            },
            _ = ticks.tick() => progress.show(name, &state()),
        }
    }
    progress.end(name, &state());
    server.stop().await?;
    Ok(Figures::new(name, requests, &origin, all))
}

/// How many turns begin within these seconds.
fn turns(seconds: u32) -> u32 {
    let millis = u128::from(seconds) * 1000;
    u32::try_from(millis.div_ceil(crowd::TURN.as_millis())).unwrap_or(1)
}

fn introduction(clients: u32, turns: u32) -> String {
    let (workers, work) = (origin::WORKERS, origin::WORK.as_millis());
    let per_second = workers as u128 * 1000 / work;
    let crowd = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
    let turns = match turns {
        1 => String::new(),
        _ => format!("That happens {turns} times, each just after it has expired.\n"),
    };
    format!(
        "One page, wanted by {crowd} at the same moment.\n{turns}\
         The origin has {workers} workers. An answer takes one of them {work} ms: {per_second} a second.\n"
    )
}

// `println!` and `eprintln!` panic when nobody reads any more.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "stampede: {message}");
}

const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "without the layer", has_layer: false, cache_control: "max-age=1" },
    Scenario { name: "with the layer", has_layer: true, cache_control: "max-age=1" },
    Scenario {
        name: "stale-while-revalidate",
        has_layer: true,
        cache_control: "max-age=1, stale-while-revalidate=10",
    },
];

const REDRAW: Duration = Duration::from_millis(100);
