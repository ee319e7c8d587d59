//! A clone of the layer that is put on a route when its first request comes: the outer one could not know of
//! it before.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use http::{HeaderName, Request};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{KeyParts, Partition};

use super::cache;
use crate::support::{Got, Inner, TestLayer, request, response};

type Change = fn(TestLayer) -> TestLayer;

/// Whose each answer is, and whether it was a hit, one after the other.
async fn answers(inner: Change, is_late: bool, users: &[&str]) -> Vec<Got> {
    let layer = cache();
    let service = Inner::new(|request, call| {
        let user = &request.headers()["x-user"];
        response(&[("cache-control", "max-age=60")], format!("{} {call}", user.to_str().unwrap()))
    });
    let clone = inner(layer.clone());
    let made = Arc::new(OnceLock::new());
    let make = move || clone.clone().layer(service.clone());
    if !is_late {
        made.set(make()).ok().unwrap();
    }
    let route = tower::service_fn(move |request: Request<Body>| {
        let service = made.get_or_init(&make).clone();
        async move { service.oneshot(request).await.map(|response| response.map(Body::new)) }
    });
    let outer = layer.layer(route);
    let mut answers = Vec::new();
    for user in users {
        let request = request("GET", "/me", &[("x-user", user)]);
        answers.push(Got::read(outer.clone().oneshot(request).await.unwrap()).await);
    }
    answers
}

fn user() -> Partition {
    Partition::header(HeaderName::from_static("x-user"))
}

/// Each divides by user.
const DIVIDING: [(&str, Change); 3] = [
    ("partitioned", |layer| layer.partition_by(user())),
    ("private", |layer| layer.private_by(user())),
    ("by a part of the key", |layer| {
        layer.key(|head| {
            let user = head.headers["x-user"].as_bytes().to_vec();
            KeyParts::from(head).part(user)
        })
    }),
];

#[tokio::test]
async fn what_a_clone_divides_that_is_made_at_the_first_request_is_not_shared() {
    for (what, inner) in DIVIDING {
        for is_late in [true, false] {
            let users = ["alice", "bob", "alice", "bob", "carol"];
            for (user, got) in users.iter().zip(answers(inner, is_late, &users).await) {
                assert!(got.body.starts_with(user), "{what} {is_late}: {user} got {}", got.body);
            }
        }
    }
}

/// The control: one that divides nothing is found again, however late it is made.
#[tokio::test]
async fn what_a_clone_does_not_divide_is_stored_also_when_it_is_made_late() {
    for is_late in [true, false] {
        let got = answers(|layer| layer, is_late, &["alice", "alice", "alice"]).await;
        assert!(got.last().unwrap().is_hit(), "{is_late}: {got:?}");
    }
}
