//! Clients that leave.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tower_keep::cache::{Spawn, Work};

use super::{Crowd, FRESH, settled};
use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{fresh, paused};
use crate::support::{request, response};

/// Runs nothing.
struct Nowhere;

impl Spawn for Nowhere {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        Err(work)
    }
}

#[tokio::test]
async fn c36_a_leader_whose_client_left_before_the_head_goes_on_for_those_who_wait() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    let leader = crowd.send(request("GET", "/", &[]));
    settled().await;
    let waiters = crowd.crowd(100, &[]).await;
    leader.abort();
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.layer.handle().stats().background), (1, 1));
    crowd.origin.let_go(1);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().body, "page");
    }
    assert_eq!(crowd.origin.calls(), 1);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c36_where_nothing_can_go_on_a_waiter_takes_over() {
    let crowd = Crowd::with(|layer| layer.spawn(Nowhere), |_, _| Ok(response(&[FRESH], "page")));
    let mut leaders = Vec::new();
    let waiters = crowd.crowd(100, &[]).await;
    for (at, waiter) in waiters.into_iter().enumerate() {
        if at < 3 {
            // Whoever leads leaves.
            waiter.abort();
            settled().await;
            assert_eq!((crowd.origin.calls(), crowd.origin.running()), (at + 2, 1));
        } else {
            leaders.push(waiter);
        }
    }
    crowd.origin.let_go(1);
    for client in leaders {
        assert_eq!(client.await.unwrap().unwrap().body, "page");
    }
    crowd.assert_nothing_left().await;
}

/// Nobody wants it any more, and nobody knows whether it could be stored.
#[tokio::test]
async fn c36_a_fetch_that_nobody_waits_for_ends_with_its_client() {
    let crowd = Crowd::new(|_, _| Ok(response(&[FRESH], "page")));
    let clients = crowd.crowd(9, &[]).await;
    for client in clients.into_iter().rev() {
        assert_eq!(crowd.origin.running(), 1);
        client.abort();
        settled().await;
    }
    assert_eq!(crowd.origin.calls(), 1);
    crowd.assert_nothing_left().await;
}

/// A leader that left goes on for the deadline at the most; and then the others have waited for it too long.
#[tokio::test]
async fn c36_what_goes_on_in_the_background_does_not_go_on_for_ever() {
    let crowd = Crowd::with(
        |layer| layer.flight_deadline(Duration::from_secs(10)),
        |_, _| Ok(response(&[FRESH], "page")),
    );
    let leader = crowd.send(request("GET", "/", &[]));
    settled().await;
    let waiters = crowd.crowd(2, &[]).await;
    leader.abort();
    settled().await;
    crowd.clock.advance(Duration::from_secs(10));
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "a waiter leads now");
    crowd.origin.let_go(1);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().body, "page");
    }
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c36_a_body_goes_on_whichever_of_its_readers_leave() {
    for leaving in [vec![0], vec![1], vec![0, 1], vec![0, 1, 2]] {
        let (script, body, _) = paused();
        let body = std::sync::Mutex::new(Some(body));
        let crowd = Crowd::new(move |_, _| Ok(fresh(&[], body.lock().unwrap().take().unwrap())));
        let clients: Vec<_> = (0..3).map(|_| crowd.start(request("GET", "/", &[]))).collect();
        settled().await;
        crowd.origin.let_go(1);
        script.send(Data("one ")).unwrap();
        let mut bodies = Vec::new();
        for client in clients {
            let mut body = client.await.unwrap().unwrap().into_body();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one ");
            bodies.push(Some(body));
        }
        for at in &leaving {
            bodies[*at] = None;
        }
        settled().await;
        script.send(Data("two")).unwrap();
        script.send(Trailer("x-sum", "2")).unwrap();
        drop(script);
        for body in bodies.into_iter().flatten() {
            let rest = body.collect().await.unwrap();
            assert_eq!(rest.trailers().unwrap()["x-sum"], "2");
            assert_eq!(rest.to_bytes(), "two", "{leaving:?}");
        }
        crowd.layer.handle().drain(Duration::MAX).await.unwrap();
        let hit = crowd.get(&[]).await.unwrap();
        assert_eq!((hit.is_hit(), &*hit.body), (true, "one two"), "{leaving:?}");
        crowd.assert_nothing_left().await;
    }
}

/// The head is there, but they have not been polled since: they are not forgotten.
#[tokio::test]
async fn c36_who_still_waits_reads_though_the_only_reader_left() {
    let crowd = Crowd::with(
        |layer| layer.spawn(Nowhere),
        |_, _| Ok(fresh(&[], crate::scripted::scripted(&[Data("a"), Data("b")]))),
    );
    let leader = crowd.start(request("GET", "/", &[]));
    settled().await;
    let waiter = crowd.start(request("GET", "/", &[]));
    settled().await;
    crowd.origin.let_go(1);
    drop(leader.await.unwrap().unwrap());
    let got = crate::support::Got::read(waiter.await.unwrap().unwrap()).await;
    assert_eq!(got.body, "ab");
    assert_eq!(crowd.origin.calls(), 1);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c59_drain_waits_for_bodies_that_nobody_reads_and_says_what_is_left() {
    let (script, body, _) = paused();
    let body = std::sync::Mutex::new(Some(body));
    let crowd = Crowd::new(move |_, _| Ok(fresh(&[], body.lock().unwrap().take().unwrap())));
    crowd.origin.let_go(1);
    drop(crowd.start(request("GET", "/", &[])).await.unwrap().unwrap());
    let handle = crowd.layer.handle();
    let drained = tokio::spawn(async move { handle.drain(Duration::from_secs(5)).await });
    settled().await;
    assert!(!drained.is_finished());
    crowd.clock.advance(Duration::from_secs(5));
    assert_eq!(drained.await.unwrap().unwrap_err().left(), 1);
    let handle = crowd.layer.handle();
    let drained = tokio::spawn(async move { handle.drain(Duration::from_secs(5)).await });
    settled().await;
    script.send(Data("whole")).unwrap();
    drop(script);
    assert_eq!(drained.await.unwrap(), Ok(()));
    assert!(crowd.get(&[]).await.unwrap().is_hit());
}

#[test]
fn c59_a_runtime_that_ends_with_fills_in_flight_neither_panics_nor_hangs() {
    let (script, body, _) = paused();
    let body = std::sync::Mutex::new(Some(body));
    let crowd = Crowd::new(move |_, _| Ok(fresh(&[], body.lock().unwrap().take().unwrap())));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let response = first.block_on(async {
        crowd.origin.let_go(1);
        let response = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
        let waiter = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
        drop(waiter);
        crowd.send(request("GET", "/", &[]));
        settled().await;
        response
    });
    // With a reader on it, one outside of it, and then with nothing to go on with.
    drop(first);
    script.send(Data("x")).unwrap();
    drop(response);
    let stats = crowd.layer.handle().stats();
    assert_eq!((stats.flights, stats.background), (0, 0));
    let second = runtime();
    assert_eq!(second.block_on(crowd.layer.handle().drain(Duration::ZERO)), Ok(()));
}
