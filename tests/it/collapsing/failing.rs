//! When the inner service fails: who waited, who comes later, and how often it is asked.

use std::time::Duration;

use super::{Crowd, Down, settled};
use crate::scripted::Step::Data;
use crate::scripted::scripted;
use crate::support::{Got, answered, request, response};

const CROWD: usize = 1000;

fn assert_backed_off(got: &Got, retry_after: &str, detail: &str) {
    assert_eq!(got.status, 503, "{got:?}");
    assert_eq!(got.field("retry-after"), Some(retry_after));
    assert_eq!(got.field("cache-control"), Some("no-store"));
    assert_eq!(got.field("cache-status"), Some(&*format!("tower-keep; detail={detail}")));
    assert_eq!(got.body, "");
}

/// All that come, told apart: errors of their own, 503 of the cache, and others.
async fn ends(clients: Vec<tokio::task::JoinHandle<Result<Got, Down>>>) -> (usize, Vec<Got>) {
    let (mut errors, mut answers) = (0, Vec::new());
    for client in clients {
        match client.await {
            Ok(Ok(got)) => answers.push(got),
            Ok(Err(Down)) | Err(_) => errors += 1,
        }
    }
    (errors, answers)
}

#[tokio::test]
async fn c39_an_error_is_two_calls_in_a_while_and_the_rest_are_told_when_to_come_back() {
    let crowd = Crowd::new(|_, _| Err(Down));
    let clients = crowd.crowd(CROWD, &[]).await;
    assert_eq!(crowd.origin.calls(), 1);
    crowd.origin.let_go(1);
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "one leads again, once");
    crowd.origin.let_go(1);
    let (errors, refused) = ends(clients).await;
    assert_eq!((errors, refused.len()), (2, CROWD - 2), "who asked gets the inner error");
    refused.iter().for_each(|got| assert_backed_off(got, "1", "back-off-error"));
    // Who comes in the same while is not let through either.
    crowd.clock.advance(Duration::from_millis(999));
    assert_backed_off(&crowd.get(&[]).await.unwrap(), "1", "back-off-error");
    assert_eq!(crowd.origin.calls(), 2);
    // The next while has two calls more, and is twice as long.
    crowd.clock.advance(Duration::from_millis(1));
    crowd.origin.let_go(2);
    for _ in 0..2 {
        assert_eq!(crowd.get(&[]).await.unwrap_err(), Down);
    }
    crowd.clock.advance(Duration::from_millis(500));
    assert_backed_off(&crowd.get(&[]).await.unwrap(), "2", "back-off-error");
    assert_eq!(crowd.origin.calls(), 4);
    let stats = crowd.layer.handle().stats();
    assert_eq!(stats.backed_off, CROWD as u64);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c37_a_panic_before_the_head_releases_all_who_wait() {
    let crowd = Crowd::new(|_, _| panic!("the handler panics"));
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(1);
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "one leads again, once");
    crowd.origin.let_go(1);
    let (panics, refused) = ends(clients).await;
    assert_eq!((panics, refused.len()), (2, 98));
    refused.iter().for_each(|got| assert_backed_off(got, "1", "back-off-panic"));
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn c37_who_leads_again_after_a_panic_answers_all_the_others() {
    let crowd = Crowd::new(|_, call| match call {
        0 => panic!("the handler panics"),
        _ => Ok(response(&[super::FRESH], "page")),
    });
    let clients = crowd.crowd(100, &[]).await;
    crowd.origin.let_go(2);
    let (panics, answers) = ends(clients).await;
    assert_eq!((panics, answers.len()), (1, 99));
    assert!(answers.iter().all(|got| got.body == "page"));
    assert_eq!(crowd.origin.calls(), 2);
    // It is spared no longer: it has answered.
    crowd.clock.advance(Duration::from_secs(61));
    let clients = crowd.crowd(2, &[]).await;
    assert_eq!(crowd.origin.calls(), 3);
    crowd.origin.let_go(1);
    ends(clients).await;
}

#[tokio::test]
async fn c39_statuses_that_tell_of_a_service_that_is_down_spare_it() {
    for status in [502, 503, 504] {
        let crowd = Crowd::new(move |_, _| Ok(answered(status, &[], "down")));
        let clients = crowd.crowd(9, &[]).await;
        crowd.origin.let_go(2);
        let (_, answers) = ends(clients).await;
        let (own, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|got| got.body == "down");
        assert_eq!((own.len(), refused.len()), (2, 7), "{status}");
        refused.iter().for_each(|got| assert_backed_off(got, "1", "back-off-status"));
        assert_backed_off(&crowd.get(&[]).await.unwrap(), "1", "back-off-status");
        assert_eq!(crowd.origin.calls(), 2);
    }
}

/// One client's fields may have caused it (C20): who comes later is not held to it.
#[tokio::test]
async fn c39_another_5xx_is_for_those_who_waited_only() {
    for status in [500, 501, 505, 599] {
        let crowd = Crowd::new(move |_, _| Ok(answered(status, &[], "down")));
        let clients = crowd.crowd(9, &[]).await;
        crowd.origin.let_go(2);
        let (_, answers) = ends(clients).await;
        let refused = answers.iter().filter(|got| got.body.is_empty()).count();
        assert_eq!((refused, crowd.origin.calls()), (7, 2), "{status}");
        crowd.origin.let_go(1);
        assert_eq!(crowd.get(&[]).await.unwrap().body, "down");
        assert_eq!(crowd.origin.calls(), 3);
    }
}

/// An error that says itself that it may be stored is an answer like any other.
#[tokio::test]
async fn c39_a_5xx_that_may_be_stored_is_read_by_all() {
    let crowd = Crowd::new(|_, _| Ok(answered(503, &[super::FRESH], "in a minute")));
    let clients = crowd.crowd(CROWD, &[]).await;
    crowd.origin.let_go(1);
    let (_, answers) = ends(clients).await;
    assert!(answers.iter().all(|got| got.status == 503 && got.body == "in a minute"));
    assert_eq!(crowd.origin.calls(), 1);
}

#[tokio::test]
async fn c39_a_stale_response_stands_in_for_all_who_wait_and_come_later() {
    type Fails = fn() -> Result<http::Response<axum::body::Body>, Down>;
    let down: [(&str, Fails); 2] =
        [("an error", || Err(Down)), ("a status", || Ok(answered(503, &[], "down")))];
    for (what, down) in down {
        let crowd = Crowd::new(move |_, call| match call {
            0 => Ok(response(&[("cache-control", "max-age=60, stale-if-error=600")], "page")),
            _ => down(),
        });
        crowd.origin.let_go(1);
        crowd.get(&[]).await.unwrap();
        crowd.clock.advance(Duration::from_secs(61));
        let clients = crowd.crowd(CROWD, &[]).await;
        assert_eq!(crowd.origin.calls(), 2, "{what}");
        crowd.origin.let_go(1);
        let (errors, answers) = ends(clients).await;
        assert_eq!((errors, answers.len()), (0, CROWD), "{what}");
        assert!(answers.iter().all(|got| got.body == "page"), "{what}");
        assert_eq!(crowd.origin.calls(), 2, "nobody has to lead again, {what}");
        // In the while that follows it is spared, and nobody is turned away.
        for _ in 0..5 {
            assert_eq!(crowd.get(&[]).await.unwrap().body, "page", "{what}");
        }
        assert_eq!(crowd.origin.calls(), 2, "{what}");
        crowd.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn without_back_off_nobody_is_turned_away() {
    let crowd = Crowd::with(|layer| layer.without_back_off(), |_, _| Err(Down));
    let clients = crowd.crowd(9, &[]).await;
    crowd.origin.let_go(2);
    settled().await;
    assert_eq!(crowd.origin.running(), 7, "after two all the rest at once");
    crowd.origin.let_go(9);
    let (errors, answers) = ends(clients).await;
    assert_eq!((errors, answers.len()), (9, 0));
    assert_eq!(crowd.get(&[]).await.unwrap_err(), Down);
}

#[tokio::test]
async fn who_waits_too_long_asks_again_once_and_the_first_goes_on_for_itself() {
    let crowd = Crowd::with(
        |layer| layer.flight_deadline(Duration::from_secs(10)),
        |_, call| Ok(response(&[super::FRESH], format!("call {call}"))),
    );
    let first = crowd.send(request("GET", "/", &[]));
    settled().await;
    let others = crowd.crowd(9, &[]).await;
    crowd.clock.advance(Duration::from_secs(9));
    settled().await;
    assert_eq!(crowd.origin.calls(), 1);
    crowd.clock.advance(Duration::from_secs(1));
    settled().await;
    assert_eq!(crowd.origin.calls(), 2, "one of them leads");
    crowd.clock.advance(Duration::from_secs(10));
    let (_, refused) = ends(others.into_iter().skip(1).collect()).await;
    refused.iter().for_each(|got| assert_backed_off(got, "1", "back-off-deadline"));
    assert_eq!(refused.len(), 8);
    // Who asked waits as long as the inner service takes.
    crowd.origin.let_go(2);
    assert_eq!(first.await.unwrap().unwrap().body, "call 0");
    settled().await;
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn a_body_that_fails_ends_with_an_error_for_all_who_read_it() {
    let steps = [Data("half"), crate::scripted::Step::Pending, crate::scripted::Step::Error];
    let crowd = Crowd::new(move |_, _| Ok(crate::scripted::fresh(&[], scripted(&steps))));
    let clients: Vec<_> = (0..9).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(1);
    let mut own = 0;
    for client in clients {
        let read = crate::scripted::read(client.await.unwrap().unwrap().into_body()).await;
        assert_eq!(read.text(), "half");
        own += usize::from(read.error.unwrap() == "the body of the response failed");
    }
    assert_eq!((own, crowd.origin.calls()), (1, 1), "one has the inner error itself");
    assert_eq!(crowd.layer.handle().stats().stored, 0);
    crowd.assert_nothing_left().await;
}
