//! Ways to send a whole crowd inwards, which are none.

use std::sync::Mutex;
use std::time::Duration;

use http_body_util::BodyExt as _;

use super::{Crowd, settled};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, paused, scripted};
use crate::support::{request, response};

/// A flight whose response is no longer fresh gives place to another, however long its body comes.
#[tokio::test]
async fn a_crowd_that_finds_a_body_on_its_way_that_is_stale_makes_one_call() {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let crowd = Crowd::new(move |_, _| match body.lock().unwrap().take() {
        Some(body) => Ok(fresh(&[], body)),
        None => Ok(fresh(&[], scripted(&[Data("new")]))),
    });
    crowd.origin.let_go(1);
    let slow = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    script.send(Data("old")).unwrap();
    crowd.clock.advance(Duration::from_secs(61));
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(1000);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "new");
    }
    drop(script);
    drop(slow);
    assert_eq!(crowd.origin.calls(), 2);
}

/// As comes from a cache further in.
#[tokio::test]
async fn a_crowd_is_served_what_comes_stale_but_may_be_served_meanwhile() {
    let crowd = Crowd::new(|_, call| {
        let fields = [("cache-control", "max-age=60, stale-while-revalidate=300"), ("age", "61")];
        Ok(response(&fields, format!("call {call}")))
    });
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(1);
    settled().await;
    let calls = crowd.origin.calls();
    crowd.origin.let_go(1000);
    for client in clients {
        client.await.unwrap().unwrap();
    }
    assert!(calls <= 2, "{calls} calls: one for all, and one refresh");
}

/// Though who goes alone has no flight to tell of it.
#[tokio::test]
async fn the_first_usable_answer_ends_the_marker() {
    let crowd = Crowd::new(|_, call| {
        let kept = if call == 0 { "no-store" } else { "max-age=1" };
        Ok(response(&[("cache-control", kept)], "page"))
    });
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap();
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap();
    assert!(crowd.get(&[]).await.unwrap().is_hit());
    crowd.clock.advance(Duration::from_secs(2));
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(1000);
    for client in clients {
        client.await.unwrap().unwrap();
    }
    assert_eq!(crowd.origin.calls(), 3);
}

/// C20: who sends bad requests does not keep others from waiting for each other.
#[tokio::test]
async fn two_bad_requests_do_not_make_a_stampede() {
    let crowd = Crowd::new(|request, _| match request.headers().contains_key("x-bad") {
        true => Ok(http::Response::builder().status(400).body(axum::body::Body::empty()).unwrap()),
        false => Ok(response(&[super::FRESH], "page")),
    });
    let bad = crowd.crowd(2, &[("x-bad", "1")]).await;
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(1000);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "page");
    }
    drop(bad);
    assert!(crowd.origin.calls() <= 4, "{} calls", crowd.origin.calls());
}

/// A body that nobody asks for comes for ever.
#[tokio::test]
async fn a_leader_that_does_not_read_does_not_end_collapsing() {
    let crowd = Crowd::new(|_, call| {
        let body = scripted(if call == 0 { &[Data("old"), Data("old")] } else { &[Data("new")] });
        let mut response = fresh(&[], body);
        response.headers_mut().insert("cache-control", "max-age=1".parse().unwrap());
        Ok(response)
    });
    crowd.origin.let_go(1);
    let attacker = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    crowd.clock.advance(Duration::from_secs(2));
    for _ in 0..3 {
        let clients = crowd.crowd(50, &[]).await;
        crowd.origin.let_go(50);
        for client in clients {
            assert_eq!(client.await.unwrap().unwrap().body, "new");
        }
        crowd.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(crowd.origin.calls(), 4);
    drop(attacker);
}

/// There is one at a time in any case.
#[tokio::test]
async fn a_marker_does_not_stop_refreshes() {
    let crowd = Crowd::new(|_, call| match call {
        1 => Ok(http::Response::builder().status(405).body(axum::body::Body::empty()).unwrap()),
        _ => {
            let fields = [("cache-control", "max-age=1, stale-while-revalidate=300")];
            Ok(response(&fields, format!("call {call}")))
        }
    });
    crowd.origin.let_go(9);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(Duration::from_secs(2));
    crowd.get(&[]).await.unwrap();
    settled().await;
    for _ in 0..5 {
        crowd.clock.advance(Duration::from_secs(10));
        crowd.get(&[]).await.unwrap();
        settled().await;
    }
    assert!(crowd.origin.calls() > 2, "nobody refreshes it");
}

/// It sent nothing of one client, so it is not one client's fault.
#[tokio::test]
async fn a_refresh_that_fails_by_status_is_not_begun_anew_by_each_client() {
    for status in [500, 403] {
        let crowd = Crowd::new(move |_, call| {
            let fields = [("cache-control", "max-age=60, stale-while-revalidate=30")];
            let mut answer = response(&fields, format!("call {call}"));
            if call > 0 {
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                answer.headers_mut().clear();
            }
            Ok(answer)
        });
        crowd.origin.let_go(1000);
        crowd.get(&[]).await.unwrap();
        crowd.clock.advance(Duration::from_secs(61));
        for _ in 0..50 {
            assert_eq!(crowd.get(&[]).await.unwrap().body, "call 0");
            settled().await;
        }
        let calls = crowd.origin.calls();
        assert!(calls <= 3, "{status}: {calls} calls, and no time has passed");
    }
}

/// Where memory is short, a body that does not move is no longer kept for the store.
#[tokio::test]
async fn c40_slow_readers_do_not_hold_the_memory_of_all_for_ever() {
    let crowd = Crowd::with(
        |layer| layer.body_bytes_max(100).in_flight_bytes_max(100),
        |request, _| {
            let steps = [Data("0123456789"); 10];
            let count = if request.uri().path() == "/slow" { 10 } else { 5 };
            Ok(fresh(&[], scripted(&steps[..count])))
        },
    );
    crowd.origin.let_go(1);
    let slow = crowd.start(request("GET", "/slow", &[])).await.unwrap().unwrap();
    let mut slow = slow.into_body();
    for _ in 0..9 {
        slow.frame().await.unwrap().unwrap();
    }
    crowd.clock.advance(Duration::from_secs(3600));
    settled().await;
    let clients = crowd.crowd(50, &[]).await;
    crowd.origin.let_go(1000);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body.len(), 50);
    }
    let (calls, stored) = (crowd.origin.calls(), crowd.layer.handle().stats().stored);
    assert_eq!((calls, stored), (2, 1), "calls, and responses stored");
}
