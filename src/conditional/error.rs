//! Why a request is not carried out, as an answer.

use std::error::Error;
use std::fmt;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::conditional::current::Current;
use crate::time::Timestamp;

/// Why a handler must not go on: what [`Preconditions::check`](crate::conditional::Preconditions::check) says.
///
/// With the `axum` feature it is a response, so that a handler may end with `?`.
///
/// ```
/// use http::Request;
/// use tower_keep::conditional::{Current, PreconditionErrorKind, Preconditions};
///
/// let request = Request::put("/notes/1").header("if-match", "\"6\"").body(()).unwrap();
/// let error = Preconditions::of(&request).check(&Current::tagged(7)).unwrap_err();
/// assert_eq!(error.kind(), PreconditionErrorKind::Failed);
///
/// let response: http::Response<String> = error.into_response();
/// assert_eq!(response.status(), 412);
/// assert_eq!(response.headers()["etag"], "\"7\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreconditionError {
    kind: PreconditionErrorKind,
    current: Box<Current>,
    now: Timestamp,
}

/// The reasons for which a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PreconditionErrorKind {
    /// The resource is in another state than the client means: 412 (RFC 9110 §15.5.13).
    Failed,
    /// The request has no precondition that would keep it from overwriting what the client has not seen: 428
    /// (RFC 6585 §3).
    Required,
    /// The client of a GET or HEAD holds the current representation: 304 (RFC 9110 §15.4.5).
    NotModified,
}

impl PreconditionError {
    pub(crate) fn new(kind: PreconditionErrorKind, current: &Current, now: Timestamp) -> Self {
        Self { kind, current: Box::new(current.clone()), now }
    }

    /// Why.
    pub fn kind(&self) -> PreconditionErrorKind {
        self.kind
    }

    /// 412, 428 or 304.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            PreconditionErrorKind::Failed => StatusCode::PRECONDITION_FAILED,
            PreconditionErrorKind::Required => StatusCode::PRECONDITION_REQUIRED,
            PreconditionErrorKind::NotModified => StatusCode::NOT_MODIFIED,
        }
    }

    /// The response: a 304 with the fields of RFC 9110 §15.4.5, or problem details (RFC 9457) that no cache keeps, with
    /// the current `ETag`.
    pub fn into_response<B: From<&'static str>>(self) -> Response<B> {
        let problem = match self.kind {
            PreconditionErrorKind::Failed if self.current.validators().is_none() => {
                FAILED_ON_NOTHING
            }
            PreconditionErrorKind::Failed => FAILED,
            PreconditionErrorKind::Required => REQUIRED,
            PreconditionErrorKind::NotModified => "",
        };
        let mut response = Response::new(B::from(problem));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        if self.kind == PreconditionErrorKind::NotModified {
            *headers = self.current.not_modified(self.current.tag(), None, self.now);
            return response;
        }
        if let Some(tag) = self.current.tag() {
            headers.insert(header::ETAG, tag.to_value());
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl fmt::Display for PreconditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PreconditionErrorKind::Failed => {
                "the resource is in another state than the request means"
            }
            PreconditionErrorKind::Required => {
                "the request must say which state of the resource it means"
            }
            PreconditionErrorKind::NotModified => "the client holds the current representation",
        })
    }
}

impl Error for PreconditionError {}

const FAILED: &str = r#"{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"The resource is in another state than this request means. Fetch it again, and send the request with its new ETag in If-Match."}"#;
const FAILED_ON_NOTHING: &str = r#"{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"The resource does not exist. To create it, send If-None-Match: *."}"#;
/// RFC 6585 §3: it says how to send the request successfully.
const REQUIRED: &str = r#"{"type":"about:blank","title":"Precondition Required","status":428,"detail":"Send the ETag of the representation that was changed in If-Match; or, to create the resource, If-None-Match: *."}"#;
