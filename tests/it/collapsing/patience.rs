//! Who waits how long, and who is turned away.

use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{Crowd, Down, settled};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, read, scripted};
use crate::support::{request, response};

/// Not from the one before, whose time is over.
#[tokio::test]
async fn the_deadline_counts_from_the_leader_that_is_waited_for() {
    let crowd = Crowd::with(
        |layer| layer.flight_deadline(Duration::from_secs(10)),
        |_, call| if call == 0 { Err(Down) } else { Ok(response(&[super::FRESH], "page")) },
    );
    let clients = crowd.crowd(9, &[]).await;
    crowd.clock.advance(Duration::from_millis(9_900));
    crowd.origin.let_go(1);
    settled().await;
    assert_eq!(crowd.origin.calls(), 2);
    crowd.clock.advance(Duration::from_millis(200));
    settled().await;
    crowd.origin.let_go(9);
    let mut refused = 0;
    for client in clients.into_iter().skip(1) {
        refused += usize::from(client.await.unwrap().unwrap().status == 503);
    }
    assert_eq!(refused, 0);
}

/// Wherever they are.
#[tokio::test]
async fn laggards_hold_others_up_no_longer_than_one() {
    let steps = [Data("0123456789"); 20];
    let crowd =
        Crowd::with(|layer| layer.body_bytes_max(50), move |_, _| Ok(fresh(&[], scripted(&steps))));
    let clients: Vec<_> = (0..6).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(6);
    let mut bodies = Vec::new();
    for client in clients {
        bodies.push(client.await.unwrap().unwrap().into_body());
    }
    let good = bodies.pop().unwrap();
    // So that each frame is a piece: all of them go one frame ahead before the next.
    for round in 0..4 {
        for body in bodies.iter_mut().skip(round) {
            body.frame().now_or_never().unwrap().unwrap().unwrap();
        }
    }
    let good = tokio::spawn(read(good));
    let mut waited = 0;
    while !good.is_finished() && waited < 100 {
        settled().await;
        crowd.clock.advance(Duration::from_secs(1));
        waited += 1;
        settled().await;
    }
    assert_eq!(good.await.unwrap().text().len(), 200);
    assert!(waited <= 6, "it was held up for {waited} s");
}

/// It was not made.
#[tokio::test]
async fn who_leaves_at_once_does_not_take_the_second_call_of_a_back_off() {
    let crowd =
        Crowd::new(
            |_, call| {
                if call == 0 { Err(Down) } else { Ok(response(&[super::FRESH], "page")) }
            },
        );
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap_err();
    let leaves = crowd.start(request("GET", "/", &[]));
    settled().await;
    leaves.abort();
    settled().await;
    crowd.origin.let_go(9);
    assert_eq!(crowd.get(&[]).await.unwrap().body, "page");
}

/// A task that panics for a reason of its own drops the future in it.
#[tokio::test]
async fn a_panic_further_out_is_no_failure_of_the_inner_service() {
    let crowd = Crowd::new(|_, _| Ok(response(&[super::FRESH], "page")));
    for _ in 0..2 {
        let mut sent = Box::pin(crowd.service.clone().oneshot(request("GET", "/", &[])));
        tokio::spawn(async move {
            assert!((&mut sent).now_or_never().is_none());
            let _held = sent;
            panic!("the client's own");
        })
        .await
        .unwrap_err();
    }
    crowd.origin.let_go(9);
    assert_eq!(crowd.get(&[]).await.unwrap().body, "page");
}

/// What is remembered of one kind puts out nothing of another.
#[tokio::test]
async fn a_back_off_is_not_forgotten_because_others_get_404s() {
    let crowd = Crowd::new(|request, _| match request.uri().path() {
        "/" => Err(Down),
        _ => Ok(http::Response::builder().status(404).body(axum::body::Body::empty()).unwrap()),
    });
    crowd.origin.let_go(100_000);
    crowd.get(&[]).await.unwrap_err();
    crowd.get(&[]).await.unwrap_err();
    assert_eq!(crowd.get(&[]).await.unwrap().status, 503);
    for n in 0..8_000 {
        let path = format!("/{n}");
        crowd.send(request("GET", &path, &[])).await.unwrap().unwrap();
    }
    let got = crowd.get(&[]).await.map(|got| got.status.as_u16());
    assert_eq!(got, Ok(503), "a third call in one while");
}
