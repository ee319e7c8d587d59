//! What a refresh is sent with: as little of the client whose request came by as its key allows.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderName, Request};
use tower_keep::cache::{KeyParts, Partition, Reason};

use super::MEANWHILE;
use crate::collapsing::{Crowd, settled};
use crate::support::{Got, TestLayer, request, response};

/// Remembers the requests that the origin got.
fn recording(
    change: impl FnOnce(TestLayer) -> TestLayer,
    fields: &'static [(&'static str, &'static str)],
) -> (Crowd, Arc<Mutex<Vec<Parts>>>) {
    let seen: Arc<Mutex<Vec<Parts>>> = Arc::default();
    let seeing = seen.clone();
    let crowd = Crowd::with(change, move |request: &Request<Body>, call| {
        let mut copy = Request::new(()).into_parts().0;
        (copy.method, copy.uri) = (request.method().clone(), request.uri().clone());
        copy.headers = request.headers().clone();
        seeing.lock().unwrap().push(copy);
        Ok(response(&[&[MEANWHILE], fields].concat(), format!("call {call}")))
    });
    crowd.origin.let_go(9);
    (crowd, seen)
}

const ALICE: &[(&str, &str)] = &[
    ("authorization", "Bearer alice"),
    ("cookie", "id=alice"),
    ("proxy-authorization", "Basic alice"),
    ("x-user", "alice"),
    ("user-agent", "alice's browser"),
    ("accept-encoding", "br"),
    ("accept-language", "de"),
    ("if-none-match", "\"alice\""),
    ("range", "bytes=0-1"),
    ("x-forwarded-for", "192.0.2.7"),
];

/// Stores as nobody in particular, and asks again as Alice when it is stale. What the refresh was sent with.
async fn refreshed(
    (crowd, seen): (Crowd, Arc<Mutex<Vec<Parts>>>),
    method: &str,
    first: &[(&str, &str)],
    alice: &[(&str, &str)],
) -> (Got, Parts) {
    crowd.send(request("GET", "/page?q", first)).await.unwrap().unwrap();
    crowd.clock.advance(Duration::from_secs(61));
    let got = crowd.send(request(method, "/page?q", alice)).await.unwrap().unwrap();
    settled().await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    (got, seen.into_iter().next_back().unwrap())
}

fn names(parts: &Parts) -> Vec<&str> {
    let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn c58_a_refresh_has_only_the_fields_of_the_key_and_none_of_the_clients_credentials() {
    for method in ["GET", "HEAD"] {
        let recording = recording(|layer| layer, &[("vary", "accept-encoding")]);
        let (_, sent) = refreshed(recording, method, &[("accept-encoding", "br")], ALICE).await;
        assert_eq!(
            (sent.method.as_str(), sent.uri.path_and_query().unwrap().as_str()),
            ("GET", "/page?q")
        );
        assert_eq!(names(&sent), ["accept-encoding", "host"]);
    }
}

#[tokio::test]
async fn c58_a_refresh_of_a_division_has_the_fields_that_it_is_told_by() {
    let steered = [ALICE, &[("x-forwarded-host", "b.test")]].concat();
    let (_, sent) = refreshed(
        recording(|layer| layer, &[]),
        "GET",
        &[("x-forwarded-host", "b.test")],
        &steered,
    )
    .await;
    assert_eq!(names(&sent), ["host", "x-forwarded-host"]);
}

/// A key function may read any field: what it reads has to be sent, but for credentials.
#[tokio::test]
async fn c58_a_refresh_has_the_same_key_as_the_request_that_it_is_for() {
    let by_user = |layer: TestLayer| {
        layer.key(|head| {
            let user = head.headers.get("x-user").map_or(&b""[..], |user| user.as_bytes());
            KeyParts::from(head).part(user.to_vec())
        })
    };
    let (_, sent) = refreshed(recording(by_user, &[]), "GET", &[("x-user", "alice")], ALICE).await;
    assert_eq!(sent.headers["x-user"], "alice");
    for name in ["authorization", "cookie", "proxy-authorization", "if-none-match", "range"] {
        assert!(!sent.headers.contains_key(name), "{name}");
    }
}

/// Where the key or Vary is a credential, the refresh would be of somebody: it is done while its client waits.
#[tokio::test]
async fn c58_what_depends_on_credentials_is_validated_in_the_foreground() {
    let by_cookie = |layer: TestLayer| {
        layer.key(|head| {
            let cookie = head.headers.get("cookie").map_or(&b""[..], |cookie| cookie.as_bytes());
            KeyParts::from(head).part(cookie.to_vec())
        })
    };
    let alice = &[("cookie", "id=alice")];
    for recording in [recording(|layer| layer, &[("vary", "cookie")]), recording(by_cookie, &[])] {
        let (got, sent) = refreshed(recording, "GET", alice, alice).await;
        assert_eq!((&*got.body, got.is_hit()), ("call 1", false));
        assert_eq!(sent.headers["cookie"], "id=alice");
    }
}

/// What is kept for one user is refreshed as that user.
#[tokio::test]
async fn c58_a_refresh_within_a_partition_is_the_partitions_own() {
    let by_cookie = || Partition::header(http::header::COOKIE);
    for recording in [
        recording(|layer| layer.private_by(by_cookie()), &[]),
        recording(|layer| layer.partition_by(by_cookie()), &[]),
    ] {
        let (got, sent) = refreshed(recording, "GET", &[("cookie", "id=alice")], ALICE).await;
        assert_eq!(got.reason(), Some(Reason::StaleWhileRevalidate));
        assert_eq!(sent.headers["cookie"], "id=alice");
        assert_eq!(sent.headers["authorization"], "Bearer alice");
        for name in ["if-none-match", "range"] {
            assert!(!sent.headers.contains_key(name), "{name}");
        }
    }
}
