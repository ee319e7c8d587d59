//! The routes: HTTP on one side, [`Notes`] on the other.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use tokio::task::spawn_blocking;
use tower_keep::cache::CacheControl;
use tower_keep::conditional::{Current, PreconditionError, Preconditions};

use crate::complain;
use crate::notes::{self, NotRemoved, Note, Notes, Written};

pub(crate) fn app(notes: Arc<Notes>) -> Router {
    Router::new()
        .route("/notes/{id}", get(read).put(write).delete(remove))
        // To show what is lost without the check. No service should have it.
        .route("/unguarded/{id}", put(write_unguarded))
        .layer(DefaultBodyLimit::max(TEXT_BYTES_MAX))
        .with_state(notes)
}

async fn read(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<u64>,
    preconditions: Preconditions,
) -> Result<(Current, String), Refused> {
    let note = in_database(notes, move |notes| notes.read(id)).await?;
    let Note { version, text } = note.ok_or(Refused::Absent)?;
    // Nobody may edit what some cache has kept without asking whether it is still so.
    let current = Current::tagged(version).cache_control(CacheControl::no_cache());
    preconditions.check(&current)?;
    Ok((current, text))
}

async fn write(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<u64>,
    preconditions: Preconditions,
    text: String,
) -> Result<Response, Refused> {
    let preconditions = preconditions.required();
    let check = move |current: &Current| preconditions.check(current);
    let written = in_database(notes, move |notes| notes.write(id, &text, check)).await??;
    Ok(answer(&written))
}

async fn remove(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<u64>,
    preconditions: Preconditions,
) -> Result<StatusCode, Refused> {
    let preconditions = preconditions.required();
    let check = move |current: &Current| preconditions.check(current);
    in_database(notes, move |notes| notes.remove(id, check)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The last one wins, whatever he has seen.
async fn write_unguarded(
    State(notes): State<Arc<Notes>>,
    Path(id): Path<u64>,
    text: String,
) -> Result<Response, Refused> {
    let written = in_database(notes, move |notes| notes.write(id, &text, |_| Ok(()))).await??;
    Ok(answer(&written))
}

/// With the new tag, so that who wrote it can change it again without reading it first. RFC 9110 §9.3.4: only since the
/// text is kept as it came.
fn answer(written: &Written) -> Response {
    let status = if written.is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    (status, Current::tagged(written.version), ()).into_response()
}

/// On a thread that may wait. What has begun goes on to its end even if the client leaves meanwhile.
async fn in_database<T: Send + 'static>(
    notes: Arc<Notes>,
    call: impl FnOnce(&Notes) -> Result<T, notes::Broken> + Send + 'static,
) -> Result<T, Refused> {
    match spawn_blocking(move || call(&notes)).await {
        Ok(answered) => Ok(answered?),
        Err(panicked) => Err(Refused::Broken(panicked.to_string())),
    }
}

/// Why there is no success.
pub(crate) enum Refused {
    Absent,
    Precondition(PreconditionError),
    /// For whoever runs the service, not for its clients. After an error of the disk `redb` wants to be opened again: it
    /// is so until a restart.
    Broken(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Absent => (StatusCode::NOT_FOUND, "There is no such note.\n").into_response(),
            Self::Precondition(error) => error.into_response(),
            Self::Broken(why) => {
                complain(&why);
                (StatusCode::INTERNAL_SERVER_ERROR, "Try again later.\n").into_response()
            }
        }
    }
}

impl From<PreconditionError> for Refused {
    fn from(error: PreconditionError) -> Self {
        Self::Precondition(error)
    }
}

impl From<NotRemoved> for Refused {
    fn from(error: NotRemoved) -> Self {
        match error {
            NotRemoved::Absent => Self::Absent,
            NotRemoved::Refused(error) => Self::Precondition(error),
        }
    }
}

impl From<notes::Broken> for Refused {
    fn from(error: notes::Broken) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Of one note. Who sends more gets 413.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
