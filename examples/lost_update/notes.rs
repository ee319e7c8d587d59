//! The notes, in a database file. These calls wait for a disk and for each other: they are not for async threads.

use std::error::Error;
use std::fmt;
use std::path::Path;

use redb::{Database, ReadableTable as _, TableDefinition, WriteTransaction};
use tower_keep::conditional::{Current, PreconditionError};

pub(crate) struct Notes(Database);

pub(crate) struct Note {
    pub(crate) version: u64,
    pub(crate) text: String,
}

/// A note as it was put down.
pub(crate) struct Written {
    pub(crate) version: u64,
    pub(crate) is_new: bool,
}

/// What stands against a removal.
pub(crate) enum NotRemoved {
    Absent,
    Refused(PreconditionError),
}

/// The database's own error, in words: it is 160 bytes long, too much to be handed from one call to the next.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl<E: Into<redb::Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database: {}", self.0)
    }
}

impl Error for Broken {}

impl Notes {
    pub(crate) fn open(path: &Path) -> Result<Self, Broken> {
        let database = Database::builder().create_with_file_format_v3(true).create(path)?;
        let transaction = database.begin_write()?;
        // Who reads a table that was never made gets an error.
        transaction.open_table(NOTES)?;
        transaction.commit()?;
        Ok(Self(database))
    }

    pub(crate) fn read(&self, id: u64) -> Result<Option<Note>, Broken> {
        let notes = self.0.begin_read()?.open_table(NOTES)?;
        let row = notes.get(id)?;
        Ok(row.map(|row| {
            let (version, text) = row.value();
            Note { version, text: text.to_owned() }
        }))
    }

    /// Puts a note down if `check` has nothing against it. `redb` has one write transaction at a time, so what `check`
    /// sees is what is overwritten: nobody comes in between.
    ///
    /// The errors outside are the database's, those inside are answers. Either way nothing is written: a transaction
    /// that is dropped never was.
    pub(crate) fn write(
        &self,
        id: u64,
        text: &str,
        check: impl FnOnce(&Current) -> Result<(), PreconditionError>,
    ) -> Result<Result<Written, PreconditionError>, Broken> {
        let transaction = self.0.begin_write()?;
        let before = version_of(&transaction, id)?;
        if let Err(error) = check(&state(before)) {
            return Ok(Err(error));
        }
        let version = next_version(&transaction)?;
        transaction.open_table(NOTES)?.insert(id, (version, text))?;
        transaction.commit()?;
        Ok(Ok(Written { version, is_new: before.is_none() }))
    }

    /// Removes a note, in the same way.
    pub(crate) fn remove(
        &self,
        id: u64,
        check: impl FnOnce(&Current) -> Result<(), PreconditionError>,
    ) -> Result<Result<(), NotRemoved>, Broken> {
        let transaction = self.0.begin_write()?;
        let before = version_of(&transaction, id)?;
        if before.is_none() {
            // RFC 9110 §13.2.1: where the answer would be 404 anyway, preconditions do not count.
            return Ok(Err(NotRemoved::Absent));
        }
        if let Err(error) = check(&state(before)) {
            return Ok(Err(NotRemoved::Refused(error)));
        }
        transaction.open_table(NOTES)?.remove(id)?;
        transaction.commit()?;
        Ok(Ok(()))
    }
}

/// The state of a note for [`Preconditions`](tower_keep::conditional::Preconditions).
fn state(version: Option<u64>) -> Current {
    Current::from(version)
}

fn version_of(transaction: &WriteTransaction, id: u64) -> Result<Option<u64>, Broken> {
    let notes = transaction.open_table(NOTES)?;
    let row = notes.get(id)?;
    Ok(row.map(|row| row.value().0))
}

/// One count for all notes, which never goes back: were a note that is made again to begin at 1 again, the tag of the
/// note that was removed would be good for the new one.
fn next_version(transaction: &WriteTransaction) -> Result<u64, Broken> {
    let mut versions = transaction.open_table(VERSIONS)?;
    let last = versions.get(())?.map_or(0, |row| row.value());
    // At a million writes in a second it takes half a million years to get there.
    let next = last.saturating_add(1);
    versions.insert((), next)?;
    Ok(next)
}

/// The version and the text of each note.
const NOTES: TableDefinition<'_, u64, (u64, &str)> = TableDefinition::new("notes");

/// The last version that was given away, in its only row.
const VERSIONS: TableDefinition<'_, (), u64> = TableDefinition::new("versions");
