//! Preconditions of requests that write: the check comes before the write.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use http::Request;
use tower::ServiceExt as _;
use tower_keep::conditional::{
    Current, EntityTag, PreconditionError, PreconditionErrorKind, Preconditions,
};

use crate::support::{Got, request};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn checked(
    method: &str,
    fields: &[(&str, &str)],
    current: &Current,
) -> Result<(), PreconditionErrorKind> {
    let request = request(method, "/", fields);
    Preconditions::of(&request).check(current).map_err(|error| error.kind())
}

fn required(fields: &[(&str, &str)], current: &Current) -> Result<(), PreconditionErrorKind> {
    let request = request("PUT", "/", fields);
    Preconditions::of(&request).required().check(current).map_err(|error| error.kind())
}

fn seven() -> Current {
    Current::tagged(7).last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
}

use PreconditionErrorKind::{Failed, NotModified, Required};

#[test]
fn a_write_is_checked_by_every_step() {
    for method in ["PUT", "POST", "PATCH", "DELETE", "PROPPATCH"] {
        for (fields, expected) in [
            (&[][..], Ok(())),
            (&[("if-match", "\"7\"")], Ok(())),
            (&[("if-match", "\"6\", \"7\"")], Ok(())),
            (&[("if-match", "*")], Ok(())),
            (&[("if-match", "\"6\"")], Err(Failed)),
            (&[("if-match", "W/\"7\"")], Err(Failed)),
            (&[("if-match", "7")], Err(Failed)),
            (&[("if-match", "")], Err(Failed)),
            (&[("if-unmodified-since", MODIFIED)], Ok(())),
            (&[("if-unmodified-since", BEFORE)], Err(Failed)),
            (&[("if-unmodified-since", "soon")], Ok(())),
            (&[("if-match", "\"7\""), ("if-unmodified-since", BEFORE)], Ok(())),
            (&[("if-none-match", "*")], Err(Failed)),
            (&[("if-none-match", "W/\"7\"")], Err(Failed)),
            (&[("if-none-match", "\"6\"")], Ok(())),
            (&[("if-match", "\"7\""), ("if-none-match", "\"7\"")], Err(Failed)),
            (&[("if-modified-since", MODIFIED)], Ok(())),
        ] {
            assert_eq!(checked(method, fields, &seven()), expected, "{method} {fields:?}");
        }
    }
}

#[test]
fn what_is_not_there_can_be_created_once() {
    let absent = Current::absent();
    assert_eq!(checked("PUT", &[("if-none-match", "*")], &absent), Ok(()));
    assert_eq!(checked("PUT", &[("if-match", "*")], &absent), Err(Failed));
    assert_eq!(checked("PUT", &[("if-match", "\"7\"")], &absent), Err(Failed));
    assert_eq!(checked("PUT", &[], &absent), Ok(()));
}

#[test]
fn weak_validators_never_let_a_write_through() {
    let weak = Current::tagged(EntityTag::weak("7").unwrap());
    assert_eq!(checked("PUT", &[("if-match", "W/\"7\"")], &weak), Err(Failed));
    assert_eq!(checked("PUT", &[("if-match", "\"7\"")], &weak), Err(Failed));
    let exists = Current::exists();
    assert_eq!(checked("PUT", &[("if-match", "\"7\"")], &exists), Err(Failed));
    assert_eq!(checked("PUT", &[("if-match", "*")], &exists), Ok(()));
}

/// RFC 6585 §3. What holds by chance only, or is ignored, keeps nobody from overwriting what he has not seen.
#[test]
fn a_precondition_that_is_required_must_protect() {
    for (fields, expected) in [
        (&[][..], Err(Required)),
        (&[("if-match", "\"7\"")], Ok(())),
        (&[("if-match", "*")], Ok(())),
        (&[("if-match", "\"6\"")], Err(Failed)),
        (&[("if-unmodified-since", MODIFIED)], Ok(())),
        (&[("if-unmodified-since", "soon")], Err(Required)),
        (&[("if-none-match", "\"6\"")], Err(Required)),
        (&[("if-none-match", "*")], Err(Failed)),
        (&[("if-modified-since", MODIFIED)], Err(Required)),
    ] {
        assert_eq!(required(fields, &seven()), expected, "{fields:?}");
    }
    assert_eq!(required(&[("if-unmodified-since", MODIFIED)], &Current::tagged(7)), Err(Required));
    let absent = Current::absent();
    for (fields, expected) in [
        (&[][..], Err(Required)),
        (&[("if-none-match", "*")], Ok(())),
        (&[("if-none-match", "\"6\"")], Ok(())),
        (&[("if-unmodified-since", MODIFIED)], Err(Required)),
        (&[("if-match", "*")], Err(Failed)),
    ] {
        assert_eq!(required(fields, &absent), expected, "{fields:?}");
    }
}

#[test]
fn a_read_is_a_304_and_needs_no_precondition() {
    for method in ["GET", "HEAD"] {
        assert_eq!(checked(method, &[("if-none-match", "\"7\"")], &seven()), Err(NotModified));
        assert_eq!(checked(method, &[("if-modified-since", MODIFIED)], &seven()), Err(NotModified));
        assert_eq!(checked(method, &[("if-match", "\"6\"")], &seven()), Err(Failed));
        let request = request(method, "/", &[]);
        assert!(Preconditions::of(&request).required().check(&seven()).is_ok());
    }
}

#[test]
fn c47_a_list_of_ten_thousand_tags_is_checked() {
    let others = (0..10_000).map(|at| format!("\"t{at}\"")).collect::<Vec<_>>().join(", ");
    for (member, expected) in [("\"7\"", Ok(())), ("\"8\"", Err(Failed)), ("W/\"7\"", Err(Failed))]
    {
        let list = format!("{others}, {member}, {others}");
        assert_eq!(checked("PUT", &[("if-match", &list)], &seven()), expected, "{member}");
    }
}

#[test]
fn the_error_is_an_answer() {
    let of = |fields: &[(&str, &str)], method| {
        let request = request(method, "/", fields);
        let error = Preconditions::of(&request).required().check(&seven()).unwrap_err();
        let response: http::Response<String> = error.clone().into_response();
        assert_eq!(response.status(), error.status());
        assert!(!error.to_string().is_empty());
        response
    };
    for (response, status) in
        [(of(&[("if-match", "\"6\"")], "PUT"), 412_u16), (of(&[], "PUT"), 428)]
    {
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["etag"], "\"7\"");
        let problem: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], response.status().canonical_reason().unwrap());
    }
    let request = request("PUT", "/", &[("if-match", "*")]);
    let error = Preconditions::of(&request).check(&Current::absent()).unwrap_err();
    let nothing: http::Response<String> = error.into_response();
    let problem: serde_json::Value = serde_json::from_str(nothing.body()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("does not exist"));
    let unchanged = of(&[("if-none-match", "\"7\"")], "GET");
    assert_eq!((unchanged.status().as_u16(), unchanged.body().as_str()), (304, ""));
    assert_eq!(unchanged.headers()["etag"], "\"7\"");
    assert!(!unchanged.headers().contains_key("cache-control"));
}

/// A note with its version, which handlers change under its lock.
type Note = Arc<Mutex<(u64, String)>>;

async fn read(
    State(note): State<Note>,
    preconditions: Preconditions,
) -> Result<(Current, String), PreconditionError> {
    let note = note.lock().unwrap();
    let current = Current::tagged(note.0);
    preconditions.check(&current)?;
    Ok((current, note.1.clone()))
}

async fn save(
    State(note): State<Note>,
    preconditions: Preconditions,
    text: String,
) -> Result<(StatusCode, Current), PreconditionError> {
    let mut note = note.lock().unwrap();
    preconditions.required().check(&Current::tagged(note.0))?;
    *note = (note.0 + 1, text);
    Ok((StatusCode::NO_CONTENT, Current::tagged(note.0)))
}

/// Of two who have read the same, one saves; the other is told, and nothing of the first one's is lost. Alone and under the cache.
#[tokio::test]
async fn handlers_check_before_they_write() {
    for is_cached in [false, true] {
        let note = Note::default();
        let app = Router::new().route("/", get(read).put(save)).with_state(note.clone());
        let cache = tower_keep::cache::CacheLayer::new(
            tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
        );
        let app = if is_cached { app.layer(cache) } else { app };
        let send = |method: &'static str, fields: &[(&str, &str)], text: &'static str| {
            let (mut head, _) = request(method, "/", fields).into_parts();
            head.headers.insert("content-length", text.len().into());
            let app = app.clone();
            async move {
                let request = Request::from_parts(head, axum::body::Body::from(text));
                Got::read(app.oneshot(request).await.unwrap()).await
            }
        };
        let tag = send("GET", &[], "").await.field("etag").unwrap().to_owned();
        let one = send("PUT", &[("if-match", &tag)], "one").await;
        assert_eq!((one.status.as_u16(), one.field("etag")), (204, Some("\"1\"")));
        let other = send("PUT", &[("if-match", &tag)], "other").await;
        assert_eq!((other.status.as_u16(), other.field("etag")), (412, Some("\"1\"")));
        assert_eq!(send("PUT", &[], "nobody").await.status, 428);
        assert_eq!(note.lock().unwrap().1, "one");
        let held = send("GET", &[("if-none-match", "\"1\"")], "").await;
        assert_eq!((held.status.as_u16(), held.body.as_str()), (304, ""));
        assert_eq!(send("GET", &[("if-none-match", &tag)], "").await.body, "one");
    }
}
