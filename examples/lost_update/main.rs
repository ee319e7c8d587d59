//! Notes in a database, which no client overwrites without having seen them.
//!
//! ```text
//! cargo run --example lost_update --features axum              # serves; try it with the curl lines that it prints
//! cargo run --example lost_update --features axum -- --check   # clients in a race; exit status 0 if nothing was lost
//! cargo run --example lost_update --features axum -- --help
//! ```
//!
//! A `PUT` or `DELETE` must say which version of the note it means. Whether that is still the current one is looked
//! at in [`notes`], within the transaction that writes. [`check`] is the clients in a race.

mod args;
mod check;
mod client;
mod notes;
mod report;
mod routes;
mod server;

use std::error::Error;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use args::Command;
use notes::Notes;
use server::Server;
use tokio::net::TcpListener;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            say(args::HELP.trim_end());
            Ok(true)
        }
        Ok(Command::Serve { database }) => serve(database).await.map(|()| true),
        Ok(Command::Check) => check::run().await,
        Err(wrong) => {
            complain(&format!("{wrong}\nTry --help."));
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn serve(database: Option<PathBuf>) -> Result<(), BoxError> {
    let scratch = tempfile::tempdir()?;
    let path = database.unwrap_or_else(|| scratch.path().join("notes.redb"));
    let notes = Notes::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let server = Server::start(listen().await?, Arc::new(notes))?;
    say(&lines_to_try(&server.origin, &path.display().to_string()));
    server::until_told_to_stop().await?;
    server.stop().await
}

/// A port that is easy to type, if one is free.
async fn listen() -> Result<TcpListener, BoxError> {
    let addresses: Vec<SocketAddr> =
        (3000..=3009).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
    Ok(TcpListener::bind(&addresses[..])
        .await
        .map_err(|error| format!("ports 3000 to 3009: {error}"))?)
}

fn lines_to_try(origin: &str, path: &str) -> String {
    let note = format!("{origin}/notes/7");
    format!(
        "\
The notes are in {path}.

Two clients make the same note; the second gets 412:
    curl -i -X PUT -H 'If-None-Match: *' --data 'milk' {note}
    curl -i -X PUT -H 'If-None-Match: *' --data 'eggs' {note}
Read it. The ETag is what a change must name, and with it a second look is a 304:
    curl -i {note}
    curl -i -H 'If-None-Match: \"1\"' {note}
Change it; the same line again is 412, since the note is another by then:
    curl -i -X PUT -H 'If-Match: \"1\"' --data 'milk, bread' {note}
    curl -i -X PUT -H 'If-Match: \"1\"' --data 'milk, bread' {note}
Without a precondition it is 428:
    curl -i -X PUT --data 'nothing else counts' {note}
    curl -i -X DELETE {note}
What it is like without all that, where the last one wins:
    curl -i -X PUT --data 'nothing else counts' {origin}/unguarded/7

Ctrl-C ends it."
    )
}

// `println!` panics when nobody reads any more.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "lost_update: {text}");
}
