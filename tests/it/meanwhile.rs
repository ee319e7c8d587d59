//! Stale responses that are served while they are refreshed (RFC 5861 §3).

mod credentials;
mod early;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_keep::cache::{Purge, Reason, Spawn, Work};

use crate::collapsing::{Crowd, Down, settled};
use crate::support::{TestLayer, answered, request, response};

const MEANWHILE: (&str, &str) = ("cache-control", "max-age=60, stale-while-revalidate=30");

/// A cache that holds a page which is stale since a second; the origin counts its answers.
async fn stale(change: impl FnOnce(TestLayer) -> TestLayer) -> Crowd {
    let crowd = Crowd::with(change, |_, call| Ok(response(&[MEANWHILE], format!("call {call}"))));
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(Duration::from_secs(61));
    crowd
}

#[tokio::test]
async fn the_stale_answer_leaves_before_the_inner_call_returns() {
    let crowd = stale(|layer| layer).await;
    let got = crowd.get(&[]).await.unwrap();
    assert_eq!((&*got.body, got.reason()), ("call 0", Some(Reason::StaleWhileRevalidate)));
    assert_eq!(
        got.field("cache-status"),
        Some("tower-keep; hit; ttl=-1; detail=stale-while-revalidate")
    );
    assert_eq!(got.field("age"), Some("61"));
    settled().await;
    assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 1), "it waits for the origin");
    crowd.origin.let_go(1);
    crowd.assert_nothing_left().await;
    let fresh = crowd.get(&[]).await.unwrap();
    assert_eq!((fresh.is_hit(), &*fresh.body, fresh.reason()), (true, "call 1", None));
    let stats = crowd.layer.handle().stats();
    assert_eq!((stats.served_meanwhile, stats.refreshes, stats.hits), (1, 1, 1));
}

#[tokio::test]
async fn one_refresh_runs_for_each_key_however_many_ask() {
    let crowd = stale(|layer| layer).await;
    for client in crowd.crowd(1000, &[]).await {
        assert_eq!(client.await.unwrap().unwrap().body, "call 0");
    }
    assert_eq!(crowd.origin.calls(), 2);
    crowd.origin.let_go(1);
    crowd.assert_nothing_left().await;
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1");
    assert_eq!(crowd.origin.calls(), 2);
}

/// Stale at once, but good enough for a while: as good as fresh for those who wait for it.
#[tokio::test]
async fn who_waits_for_what_may_be_served_stale_gets_it() {
    let crowd = Crowd::new(|_, call| {
        let always = [("cache-control", "max-age=0, stale-while-revalidate=30")];
        Ok(response(&always, format!("call {call}")))
    });
    let clients = crowd.crowd(1000, &[]).await;
    crowd.origin.let_go(1);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "call 0");
    }
    assert_eq!(crowd.origin.calls(), 1);
    for client in crowd.crowd(1000, &[]).await {
        assert_eq!(client.await.unwrap().unwrap().body, "call 0");
    }
    assert_eq!(crowd.origin.calls(), 2, "one refresh");
    crowd.origin.let_go(1);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn a_refresh_survives_the_client_whose_request_began_it() {
    let crowd = stale(|layer| layer).await;
    let client = crowd.start(request("GET", "/", &[]));
    drop(client.await.unwrap().unwrap());
    settled().await;
    assert_eq!(crowd.origin.running(), 1);
    crowd.origin.let_go(1);
    crowd.assert_nothing_left().await;
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1");
}

/// Past the window nobody is served what is stale; but who waits, waits for the refresh that runs already.
#[tokio::test]
async fn after_the_window_requests_wait_for_the_refresh_that_is_under_way() {
    let crowd = stale(|layer| layer).await;
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(Duration::from_secs(30));
    let clients = crowd.crowd(9, &[]).await;
    assert_eq!(
        (crowd.origin.calls(), clients.iter().filter(|it| it.is_finished()).count()),
        (2, 0)
    );
    crowd.origin.let_go(1);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().body, "call 1");
    }
    assert_eq!(crowd.origin.calls(), 2);
}

#[tokio::test]
async fn refreshes_are_bounded_in_number_and_in_time() {
    let crowd = Crowd::with(
        |layer| layer.background_max(3).flight_deadline(Duration::from_secs(10)),
        |_, call| Ok(response(&[MEANWHILE], format!("call {call}"))),
    );
    let paths: Vec<String> = (0..9).map(|n| format!("/{n}")).collect();
    crowd.origin.let_go(9);
    for path in &paths {
        crowd.send(request("GET", path, &[])).await.unwrap().unwrap();
    }
    crowd.clock.advance(Duration::from_secs(61));
    for path in &paths {
        let got = crowd.send(request("GET", path, &[])).await.unwrap().unwrap();
        assert_eq!(got.reason(), Some(Reason::StaleWhileRevalidate));
    }
    settled().await;
    assert_eq!((crowd.origin.running(), crowd.layer.handle().stats().background), (3, 3));
    crowd.clock.advance(Duration::from_secs(10));
    crowd.assert_nothing_left().await;
}

/// Runs nothing.
struct Nowhere;

impl Spawn for Nowhere {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        Err(work)
    }
}

#[tokio::test]
async fn where_nothing_runs_in_the_background_one_client_waits() {
    let crowd = stale(|layer| layer.spawn(Nowhere)).await;
    let waits = crowd.send(request("GET", "/", &[]));
    settled().await;
    assert_eq!((waits.is_finished(), crowd.origin.running()), (false, 1));
    for client in crowd.crowd(9, &[]).await {
        assert_eq!(client.await.unwrap().unwrap().body, "call 0", "it is being refreshed");
    }
    crowd.origin.let_go(1);
    assert_eq!(waits.await.unwrap().unwrap().body, "call 1");
    assert_eq!(crowd.origin.calls(), 2);
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn requests_that_want_it_fresh_are_not_served_what_is_stale() {
    for asked in ["no-cache", "max-age=0", "max-age=60", "min-fresh=1", "max-stale=0"] {
        let crowd = stale(|layer| layer).await;
        crowd.origin.let_go(1);
        let got = crowd.get(&[("cache-control", asked)]).await.unwrap();
        assert_eq!((&*got.body, got.is_hit()), ("call 1", false), "{asked}");
    }
}

#[tokio::test]
async fn responses_that_forbid_it_are_validated_first() {
    for more in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let fields = format!("max-age=60, stale-while-revalidate=30, {more}");
        let crowd = Crowd::new(move |_, call| {
            Ok(response(&[("cache-control", &fields), ("etag", "\"1\"")], format!("call {call}")))
        });
        crowd.origin.let_go(2);
        crowd.get(&[]).await.unwrap();
        crowd.clock.advance(Duration::from_secs(61));
        assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1", "{more}");
    }
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_what_is_stale_for_its_window_and_spares_the_service() {
    let crowd = Crowd::new(|_, call| match call {
        0 => Ok(response(&[MEANWHILE], "call 0")),
        _ => Err(Down),
    });
    crowd.origin.let_go(99);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(Duration::from_secs(61));
    for _ in 0..20 {
        assert_eq!(crowd.get(&[]).await.unwrap().body, "call 0");
        settled().await;
    }
    assert_eq!(crowd.origin.calls(), 2, "one in the first second");
    crowd.clock.advance(Duration::from_secs(1));
    for _ in 0..20 {
        assert_eq!(crowd.get(&[]).await.unwrap().body, "call 0");
        settled().await;
    }
    assert_eq!(crowd.origin.calls(), 3, "and one in the next two");
    crowd.assert_nothing_left().await;
}

#[tokio::test]
async fn a_refresh_that_brings_what_may_not_be_stored_removes_what_is_stale() {
    let crowd = Crowd::new(|_, call| {
        let cache_control = if call == 0 { MEANWHILE.1 } else { "private" };
        Ok(response(&[("cache-control", cache_control)], format!("call {call}")))
    });
    crowd.origin.let_go(9);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(Duration::from_secs(61));
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 0");
    settled().await;
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 2", "nobody is served it any more");
}

#[tokio::test]
async fn what_was_purged_softly_is_served_while_it_is_refreshed_and_what_was_purged_is_not() {
    for (purge, body) in [(Purge::all().soft(), "call 0"), (Purge::all(), "call 1")] {
        let crowd = Crowd::new(|_, call| Ok(response(&[MEANWHILE], format!("call {call}"))));
        crowd.origin.let_go(2);
        crowd.get(&[]).await.unwrap();
        crowd.layer.handle().purge(purge).await.unwrap();
        assert_eq!(crowd.get(&[]).await.unwrap().body, body);
        crowd.assert_nothing_left().await;
        let hit = crowd.get(&[]).await.unwrap();
        assert_eq!((&*hit.body, hit.reason()), ("call 1", None));
    }
}

#[tokio::test]
async fn c59_drain_waits_for_refreshes_and_begins_none() {
    let crowd = stale(|layer| layer).await;
    crowd.get(&[]).await.unwrap();
    let handle = crowd.layer.handle();
    let drained = tokio::spawn(async move { handle.drain(Duration::from_secs(5)).await });
    settled().await;
    assert!(!drained.is_finished());
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 0");
    crowd.origin.let_go(1);
    assert_eq!(drained.await.unwrap(), Ok(()));
    assert_eq!((crowd.origin.calls(), crowd.layer.handle().stats().background), (2, 0));
}

#[tokio::test]
async fn a_refresh_asks_about_what_is_stored() {
    let seen: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let seeing = seen.clone();
    let crowd = Crowd::new(move |request, _| {
        let asked =
            request.headers().get("if-none-match").map(|tag| tag.to_str().unwrap().to_owned());
        seeing.lock().unwrap().push(asked.clone());
        Ok(match asked {
            Some(_) => answered(304, &[MEANWHILE, ("etag", "\"1\"")], ""),
            None => response(&[MEANWHILE, ("etag", "\"1\"")], "page"),
        })
    });
    crowd.origin.let_go(9);
    crowd.get(&[]).await.unwrap();
    for _ in 0..2 {
        crowd.clock.advance(Duration::from_secs(61));
        let got = crowd.get(&[("if-none-match", "\"alice\"")]).await.unwrap();
        assert_eq!(got.body, "page");
        crowd.assert_nothing_left().await;
        assert_eq!(crowd.get(&[]).await.unwrap().left(), Some(60));
    }
    let asked = Some("\"1\"".to_owned());
    assert_eq!(*seen.lock().unwrap(), [None, asked.clone(), asked]);
}
