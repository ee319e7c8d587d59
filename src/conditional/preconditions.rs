//! A request's preconditions, for handlers that write.

use http::header::{self, HeaderMap, HeaderName};

use crate::clock::{Clock as _, SystemClock};
use crate::conditional::current::Current;
use crate::conditional::error::{PreconditionError, PreconditionErrorKind};
use crate::fields::etag::{self, Precondition};
use crate::fields::list;
use crate::head::RequestHead;
use crate::rules::precondition::{Evaluated, evaluate, is_unmodified_since};
use crate::rules::request::is_read;
use crate::time::Timestamp;

/// What a request wants to be true before it is carried out (RFC 9110 §13).
///
/// For a method that writes, the check belongs to the handler: it must come before the write, and nothing may come in
/// between. So [`check`](Self::check) in the transaction, or under the lock, in which you write.
///
/// With the `axum` feature it is an extractor that never fails (before the body, as all of them), and its error is a response.
/// A handler that has other errors too returns axum's own `Result`, so that `?` takes each:
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::http::StatusCode;
/// use axum::response::Result;
/// use std::sync::Mutex;
/// use tower_keep::conditional::{Current, Preconditions};
///
/// static NOTE: Mutex<Option<(u64, String)>> = Mutex::new(None);
///
/// async fn read(preconditions: Preconditions) -> Result<(Current, String)> {
///     let note = NOTE.lock().expect("nobody panics with it").clone();
///     let (version, text) = note.ok_or(StatusCode::NOT_FOUND)?;
///     preconditions.check(&Current::tagged(version))?; // 304
///     Ok((Current::tagged(version), text))
/// }
///
/// async fn save(preconditions: Preconditions, text: String) -> Result<(StatusCode, Current)> {
///     let mut note = NOTE.lock().expect("nobody panics with it");
///     let version = note.as_ref().map(|(version, _)| *version);
///     // 428 without a precondition, 412 where somebody else has saved meanwhile, or has made it.
///     preconditions.required().check(&Current::from(version))?;
///     let version = version.unwrap_or(0) + 1;
///     *note = Some((version, text));
///     Ok((StatusCode::NO_CONTENT, Current::tagged(version)))
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::get(read).put(save)); }
/// ```
///
/// Elsewhere [`of`](Self::of) takes them from the request. A handler of `GET` may check too: the error is a 304 then, and
/// the body need not be built.
#[derive(Clone, Debug)]
pub struct Preconditions {
    fields: HeaderMap,
    is_read: bool,
    is_required: bool,
}

impl Preconditions {
    /// Those of a request.
    ///
    /// ```
    /// use http::Request;
    /// use tower_keep::conditional::{Current, Preconditions};
    ///
    /// let request = Request::delete("/notes/1").header("if-match", "\"7\"").body(()).unwrap();
    /// let preconditions = Preconditions::of(&request);
    /// assert!(preconditions.check(&Current::tagged(7)).is_ok());
    /// assert!(preconditions.check(&Current::tagged(8)).is_err());
    /// ```
    pub fn of<'a>(request: impl Into<RequestHead<'a>>) -> Self {
        let RequestHead { method, headers, .. } = request.into();
        let fields = list::copied(headers, &FIELDS);
        Self { fields, is_read: is_read(method), is_required: false }
    }

    /// From now on a request that writes needs a precondition which keeps it from overwriting what its client has not
    /// seen: `If-Match` or `If-Unmodified-Since` for what is there, `If-None-Match` for what is not yet. Else it is
    /// refused with 428 (RFC 6585 §3). `If-Match: *` is enough: it says that whatever is there may go.
    ///
    /// ```
    /// use http::Request;
    /// use tower_keep::conditional::{Current, PreconditionErrorKind, Preconditions};
    ///
    /// let request = Request::put("/notes/1").body(()).unwrap();
    /// let error = Preconditions::of(&request).required().check(&Current::tagged(7)).unwrap_err();
    /// assert_eq!(error.kind(), PreconditionErrorKind::Required);
    /// ```
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Whether the request may be carried out on a resource that is in this state (RFC 9110 §13.2.2).
    ///
    /// Before it, answer what the request would be answered without preconditions if that is no success (§13.2.1): 401, 403, or
    /// 404 where nothing is there to be changed.
    ///
    /// What cannot be read counts for the cautious side: a list of tags that holds none matches nothing, a date that is
    /// none is no precondition, and then none is there where one is [`required`](Self::required).
    ///
    /// # Errors
    ///
    /// If it may not be: see [`PreconditionErrorKind`].
    ///
    /// ```
    /// use http::Request;
    /// use tower_keep::conditional::{Current, PreconditionErrorKind, Preconditions};
    ///
    /// let request = Request::get("/notes/1").header("if-none-match", "\"7\"").body(()).unwrap();
    /// let preconditions = Preconditions::of(&request);
    /// let error = preconditions.check(&Current::tagged(7)).unwrap_err();
    /// assert_eq!(error.kind(), PreconditionErrorKind::NotModified);
    /// assert!(preconditions.check(&Current::tagged(8)).is_ok());
    /// ```
    pub fn check(&self, current: &Current) -> Result<(), PreconditionError> {
        let now = SystemClock::new().now().wall;
        let kind = match evaluate(self.is_read, &self.fields, current.validators(), now) {
            Evaluated::Failed => PreconditionErrorKind::Failed,
            Evaluated::NotModified { .. } => PreconditionErrorKind::NotModified,
            Evaluated::Perform
                if self.is_required && !self.is_read && !self.protects(current, now) =>
            {
                PreconditionErrorKind::Required
            }
            Evaluated::Perform => return Ok(()),
        };
        Err(PreconditionError::new(kind, current, now))
    }

    /// Whether there is a precondition that does not hold by chance only.
    fn protects(&self, current: &Current, now: Timestamp) -> bool {
        let Some(validators) = current.validators() else {
            // If-Match would have failed.
            return self.fields.contains_key(header::IF_NONE_MATCH);
        };
        etag::matches(&self.fields, validators.etag) == Precondition::True
            || is_unmodified_since(&self.fields, Some(validators), now) == Precondition::True
    }
}

static FIELDS: [HeaderName; 4] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];
