//! Clients against the service, over real sockets, on a database file of its own.

mod answers;
mod races;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::notes::Notes;
use crate::report::{self, Row};
use crate::server::Server;
use crate::{BoxError, complain, say};

/// Whether all was as it must be.
pub(crate) async fn run() -> Result<bool, BoxError> {
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("notes.redb");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let notes = Arc::new(Notes::open(&path)?);
    let server = Server::start(listener, notes.clone())?;
    let origin = &server.origin;
    let rows = vec![
        races::increments(origin, GUARDED, true).await?,
        races::increments(origin, UNGUARDED, false).await?,
        races::two_of_one_version(origin, true).await?,
        races::two_of_one_version(origin, false).await?,
        races::creations(origin).await?,
        races::update_or_removal(origin).await?,
        answers::as_they_must_be(origin).await?,
    ];
    server.stop().await?;
    let kept = kept(notes, &path).await?;
    let rows = [rows, vec![kept]].concat();

    say(&report::table(&rows));
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.is_right).collect();
    for row in &wrong {
        complain(&format!("wrong: {}: {}", row.what, row.seen));
    }
    if wrong.is_empty() {
        say("\nok: with the precondition nothing was lost");
    }
    Ok(wrong.is_empty())
}

/// Opens the file again, as after a restart.
async fn kept(notes: Arc<Notes>, path: &Path) -> Result<Row, BoxError> {
    let notes = Arc::into_inner(notes).ok_or("a handler is still at work")?;
    let path = path.to_owned();
    let note = spawn_blocking(move || {
        drop(notes);
        Notes::open(&path)?.read(GUARDED)
    });
    let text = note.await??.map(|note| note.text).unwrap_or_default();
    Ok(Row {
        what: "the file, opened again after the end",
        counts: None,
        seen: format!("the first note is {text}"),
        is_right: text == races::WRITES.to_string(),
    })
}

/// The notes that are counted in.
const GUARDED: u64 = 1;
const UNGUARDED: u64 = 2;
