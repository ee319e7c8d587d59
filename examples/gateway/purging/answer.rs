//! What the client of a purge is told.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::Outcome;
use super::ask::{Ask, Problem};

pub(super) fn of(ask: &Result<Ask, Problem>, outcome: &Outcome) -> Response {
    match (outcome, ask) {
        (Outcome::Done(reach), Ok(ask)) => {
            let reach = super::name_of(*reach);
            let done = json!({ "purged": ask.to_json(), "soft": ask.soft, "reach": reach });
            Json(done).into_response()
        }
        (Outcome::Unauthorised(_), _) => unauthorised(),
        (Outcome::Refused(problem), _) => self::problem(StatusCode::BAD_REQUEST, problem),
        (Outcome::TooMany, _) => {
            let detail = "no more than 10 purges by prefix, by tag and of all in a second";
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, detail);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        (Outcome::Failed | Outcome::Done(_), _) => failed(),
    }
}

pub(super) fn failed() -> Response {
    let detail = "the store did not carry out the purge; what was to be purged may still be served";
    problem(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// It is about this moment, and some of it about the secret.
pub(super) async fn unstored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same for no secret, a wrong one and two of them.
fn unauthorised() -> Response {
    let mut response = problem(StatusCode::UNAUTHORIZED, "this needs the secret of this gateway");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// RFC 9457
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason();
    let body = Json(json!({ "title": title, "status": status.as_u16(), "detail": detail }));
    let mut response = (status, body).into_response();
    let problem_json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, problem_json);
    response
}
