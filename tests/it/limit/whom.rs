//! A limit before and behind a login, and clients that leave.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::auth::{Algorithm, JwtLayer};
use tower_keep::head::Principal;
use tower_keep::limit::{LimitBy, Quota, RateLimitLayer};
use tower_keep::test_util::ManualClock;

use super::limited::by_field;
use crate::auth::tokens::{bearer, signers, verifier};
use crate::support::{Inner, request, response};
use crate::upgrades::serve;

fn by_principal() -> LimitBy {
    LimitBy::with(|head, parts| {
        parts.part(head.extensions.get::<Principal>()?.subject().as_bytes());
        Some(())
    })
}

fn status<S, B>(service: &S, key: &str, token: &str) -> u16
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    let request = request("GET", "/", &[("x-key", key), ("authorization", token)]);
    service.clone().oneshot(request).now_or_never().unwrap().unwrap().status().as_u16()
}

#[test]
fn r18_one_limit_by_where_a_request_comes_from_and_behind_the_login_one_by_who_asks() {
    let clock = ManualClock::new();
    let by_address = Quota::per_minute(7);
    let outside = RateLimitLayer::with_clock(by_address, by_field(), clock.clone()).unwrap();
    let by_subject = Quota::per_minute(3);
    let inside = RateLimitLayer::with_clock(by_subject, by_principal(), clock.clone()).unwrap();
    let jwt = JwtLayer::with_clock(verifier(), signers().keys(&[Algorithm::Es256]), clock);
    let inner = Inner::new(|_, _| response(&[], ""));
    let service = outside.layer(jwt.layer(inside.layer(inner.clone())));
    let token = |subject: &str| bearer(subject);

    let ada = token("ada");
    assert_eq!([0; 4].map(|_| status(&service, "home", &ada)), [200, 200, 200, 429]);
    assert_eq!(status(&service, "work", &ada), 429, "wherever she is");
    assert_eq!(status(&service, "home", &token("bob")), 200);
    // Before the signature is looked at: whatever is sent from there costs no more work.
    assert_eq!([0; 4].map(|_| status(&service, "home", "Bearer x")), [401, 401, 429, 429]);
    assert_eq!(status(&service, "home", &token("bob")), 429);
    assert_eq!(inner.calls(), 4);
}

#[test]
fn r18_attempts_that_fail_have_a_stricter_limit_of_their_own() {
    let clock = ManualClock::new();
    let attempts = RateLimitLayer::with_clock(Quota::per_hour(2), by_field(), clock.clone())
        .unwrap()
        .refund_when(|response| response.status != 401);
    let jwt = JwtLayer::with_clock(verifier(), signers().keys(&[Algorithm::Es256]), clock);
    let service = attempts.layer(jwt.layer(Inner::new(|_, _| response(&[], ""))));
    let good = bearer("ada");
    assert!((0..20).all(|_| status(&service, "home", &good) == 200));
    assert_eq!([0; 3].map(|_| status(&service, "home", "Bearer x")), [401, 401, 429]);
    assert_eq!(status(&service, "home", &good), 429);
    assert_eq!(status(&service, "work", &good), 200);
}

/// As in CVE-2023-44487: streams that are opened and reset at once.
#[tokio::test]
async fn r19_requests_are_counted_when_they_come_and_those_that_are_reset_are_not_given_back() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let inner = service_fn(move |_: Request<Body>| {
        count.fetch_add(1, Ordering::SeqCst);
        // Whoever is let through waits for good.
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    let limit = RateLimitLayer::new(Quota::per_hour(20), LimitBy::everyone())
        .unwrap()
        .refund_when(|_| true);
    let handle = limit.handle();
    let address = serve(limit.layer(inner)).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let get = || Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
    for sent in 1..=200_u64 {
        client.ready().await.unwrap();
        let sending = tokio::spawn(client.send_request(get()));
        // Reset when the server has it, one way or the other.
        while handle.stats().admitted + handle.stats().refused < sent {
            tokio::task::yield_now().await;
        }
        sending.abort();
    }
    assert_eq!(begun.load(Ordering::SeqCst), 20);
    client.ready().await.unwrap();
    assert_eq!(client.send_request(get()).await.unwrap().status(), 429);
}
