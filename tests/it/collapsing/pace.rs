//! Bodies that are longer than is kept: their readers go at one pace, and nobody stops the others for long.

use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tower_keep::cache::CacheBody;

use super::{Crowd, settled};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, read, scripted};
use crate::support::request;

/// Two hundred bytes in frames of ten, where fifty are kept.
async fn readers(
    count: usize,
    fields: &'static [(&str, &str)],
) -> (Crowd, Vec<CacheBody<axum::body::Body>>) {
    let steps = [Data("0123456789"); 20];
    let crowd = Crowd::with(
        |layer| layer.body_bytes_max(50),
        move |_, _| Ok(fresh(fields, scripted(&steps))),
    );
    let clients: Vec<_> = (0..count).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(count);
    let mut bodies = Vec::new();
    for client in clients {
        bodies.push(client.await.unwrap().unwrap().into_body());
    }
    (crowd, bodies)
}

/// How many bytes there are without waiting.
fn now(body: &mut CacheBody<axum::body::Body>) -> usize {
    let mut bytes = 0;
    while let Some(Some(Ok(frame))) = tokio::task::unconstrained(body.frame()).now_or_never() {
        bytes += frame.into_data().unwrap().len();
    }
    bytes
}

#[tokio::test]
async fn c40_readers_of_a_body_that_outgrows_the_cap_go_at_the_pace_of_the_slowest() {
    let (crowd, mut bodies) = readers(3, &[]).await;
    assert_eq!(crowd.origin.calls(), 1, "nobody knew its length");
    let mut slow = bodies.pop().unwrap();
    // The others come as far as the slow one and what is kept, and one frame that crossed it.
    for body in &mut bodies {
        assert_eq!(now(body), 60);
    }
    slow.frame().await.unwrap().unwrap();
    for body in &mut bodies {
        let bytes = now(body);
        assert!((10..=60).contains(&bytes), "{bytes}");
    }
    // All of them read all of it, at one pace.
    bodies.push(slow);
    let texts = futures_util::future::join_all(bodies.into_iter().map(read)).await;
    assert!(texts.iter().all(|read| read.error.is_none()));
    crowd.assert_nothing_left().await;
    assert_eq!(crowd.layer.handle().stats().stored, 0);
}

#[tokio::test]
async fn c40_a_laggard_is_cut_off_with_an_error_and_never_cleanly() {
    let (crowd, mut bodies) = readers(3, &[]).await;
    let laggard = bodies.pop().unwrap();
    let others: Vec<_> = bodies.into_iter().map(|body| tokio::spawn(read(body))).collect();
    settled().await;
    crowd.clock.advance(Duration::from_millis(4999));
    settled().await;
    assert!(others.iter().all(|other| !other.is_finished()));
    crowd.clock.advance(Duration::from_millis(1));
    for other in others {
        let read = other.await.unwrap();
        assert_eq!((read.text().len(), read.error), (200, None));
    }
    let read = read(laggard).await;
    assert_eq!(read.error.as_deref(), Some("the body was read too slowly"));
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c40_a_reader_that_moves_in_time_is_not_cut_off() {
    let (crowd, mut bodies) = readers(2, &[]).await;
    let mut slow = bodies.pop().unwrap();
    let fast = tokio::spawn(read(bodies.pop().unwrap()));
    let mut bytes = 0;
    while let Some(frame) = slow.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
        settled().await;
        crowd.clock.advance(Duration::from_millis(4999));
        settled().await;
    }
    assert_eq!((bytes, fast.await.unwrap().text().len()), (200, 200));
}

#[tokio::test]
async fn c42_a_length_over_the_cap_releases_all_at_the_head() {
    let (crowd, bodies) = readers(9, &[("content-length", "200")]).await;
    assert_eq!(crowd.origin.calls(), 9);
    for body in bodies {
        assert_eq!(read(body).await.text().len(), 200);
    }
    crowd.assert_nothing_left().await;
}

/// Those who come later do not join what is not kept from its beginning.
#[tokio::test]
async fn c42_a_body_that_has_outgrown_the_cap_is_joined_by_nobody() {
    let (crowd, mut bodies) = readers(1, &[]).await;
    assert_eq!(now(&mut bodies[0]), 200, "a sole reader waits for nobody");
    let (crowd2, mut bodies) = readers(2, &[]).await;
    now(&mut bodies[0]);
    crowd2.origin.let_go(1);
    let later = crowd2.start(request("GET", "/", &[])).await.unwrap().unwrap();
    assert_eq!(crowd2.origin.calls(), 2);
    assert_eq!(read(later.into_body()).await.text().len(), 200);
    drop(bodies);
    crowd.assert_nothing_left().await;
    crowd2.assert_nothing_left().await;
}

/// The memory of all bodies that are on their way is bounded too.
#[tokio::test]
async fn c42_bodies_on_their_way_share_a_bound() {
    let steps = [Data("0123456789"); 20];
    let crowd = Crowd::with(
        |layer| layer.in_flight_bytes_max(500),
        move |_, _| Ok(fresh(&[], scripted(&steps))),
    );
    crowd.origin.let_go(9);
    let mut bodies = Vec::new();
    for path in ["/1", "/2", "/3", "/4"] {
        let response = crowd.start(request("GET", path, &[])).await.unwrap().unwrap();
        bodies.push(response.into_body());
    }
    // Each by turns, so that all of them grow.
    for _ in 0..20 {
        for body in &mut bodies {
            body.frame().await.unwrap().unwrap();
        }
    }
    for mut body in bodies {
        assert!(body.frame().await.is_none());
    }
    let stats = crowd.layer.handle().stats();
    assert!(stats.stored < 4 && stats.stored + stats.not_stored == 4, "{stats:?}");
    // What was kept is given back.
    for path in ["/5", "/6"] {
        crowd.send(request("GET", path, &[])).await.unwrap().unwrap();
        assert!(crowd.send(request("GET", path, &[])).await.unwrap().unwrap().is_hit());
    }
}
