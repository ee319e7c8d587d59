//! What is written or purged while a response is on its way: it is for those who came before.

use std::sync::Mutex;

use http_body_util::BodyExt as _;
use tower_keep::cache::Purge;

use super::{Crowd, FRESH, settled};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, paused};
use crate::support::{request, response};

const TAGGED: (&str, &str) = ("cache-groups", "\"t\"");

fn purges() -> [Purge; 8] {
    let url = || "http://a.test/".parse().unwrap();
    let hard = || [Purge::url(url()), Purge::prefix(url()), Purge::tag("t"), Purge::all()];
    let [a, b, c, d] = hard();
    let [e, f, g, h] = hard().map(Purge::soft);
    [a, b, c, d, e, f, g, h]
}

#[tokio::test]
async fn c57_who_comes_after_a_purge_does_not_wait_for_what_was_asked_for_before() {
    for purge in purges() {
        let crowd = Crowd::new(|_, call| Ok(response(&[FRESH, TAGGED], format!("call {call}"))));
        let before = crowd.crowd(9, &[]).await;
        crowd.layer.handle().purge(purge.clone()).await.unwrap();
        let after = crowd.crowd(9, &[]).await;
        assert_eq!((crowd.origin.calls(), crowd.origin.running()), (2, 2), "{purge:?}");
        crowd.origin.let_go(2);
        for (clients, body) in [(before, "call 0"), (after, "call 1")] {
            for client in clients {
                assert_eq!(client.await.unwrap().unwrap().body, body, "{purge:?}");
            }
        }
        let hit = crowd.get(&[]).await.unwrap();
        assert_eq!((hit.is_hit(), &*hit.body), (true, "call 1"), "{purge:?}");
        crowd.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn c57_who_comes_after_a_purge_does_not_read_a_body_that_began_before() {
    for purge in purges() {
        let (script, body, _) = paused();
        let body = Mutex::new(Some(body));
        let crowd = Crowd::new(move |_, call| {
            Ok(match body.lock().unwrap().take() {
                Some(body) => fresh(&[TAGGED], body),
                None => response(&[FRESH, TAGGED], format!("call {call}")),
            })
        });
        crowd.origin.let_go(2);
        let old = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
        crowd.layer.handle().purge(purge.clone()).await.unwrap();
        // Of two responses the one that was asked for later stays.
        crowd.clock.advance(std::time::Duration::from_millis(1));
        assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1", "{purge:?}");
        script.send(Data("old")).unwrap();
        drop(script);
        assert_eq!(old.into_body().collect().await.unwrap().to_bytes(), "old");
        assert_eq!(crowd.get(&[]).await.unwrap().body, "call 1", "{purge:?}");
        crowd.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn c57_who_comes_after_a_write_does_not_get_what_was_asked_for_before_it() {
    let crowd =
        Crowd::new(|request, call| Ok(response(&[FRESH], format!("{} {call}", request.method()))));
    let before = crowd.crowd(9, &[]).await;
    let write = crowd.send(request("PUT", "/", &[]));
    settled().await;
    // The write overtakes what waits.
    crowd.origin.let_go(1);
    settled().await;
    crowd.origin.let_go(1);
    write.await.unwrap().unwrap();
    let after = crowd.crowd(9, &[]).await;
    crowd.origin.let_go(9);
    let mut seen = std::collections::BTreeSet::new();
    for client in before.into_iter().chain(after) {
        seen.insert(client.await.unwrap().unwrap().body);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    let hit = crowd.get(&[]).await.unwrap();
    assert!(hit.is_hit() && hit.body == *seen.last().unwrap(), "{seen:?}, then {}", hit.body);
}

/// A tag of the response is not known before its head is there; but those who wait for it are few enough.
#[tokio::test]
async fn c57_tags_that_are_purged_all_the_time_do_not_keep_all_from_waiting() {
    let crowd = Crowd::new(|_, call| Ok(response(&[FRESH, TAGGED], format!("call {call}"))));
    let mut clients = Vec::new();
    for n in 0..100 {
        clients.push(crowd.send(request("GET", "/", &[])));
        settled().await;
        crowd.layer.handle().purge(Purge::tag(format!("other{n}"))).await.unwrap();
    }
    assert_eq!(crowd.origin.running(), 9);
    crowd.origin.let_go(9);
    for client in clients {
        client.await.unwrap().unwrap();
    }
    assert_eq!(crowd.origin.calls(), 9);
    crowd.assert_nothing_left().await;
}

/// ... and those who wait all the same look when it is.
#[tokio::test]
async fn c57_who_waited_though_a_tag_was_purged_is_not_served_what_had_it() {
    let crowd = Crowd::new(|_, call| Ok(response(&[FRESH, TAGGED], format!("call {call}"))));
    let mut clients = Vec::new();
    for n in 0..9 {
        clients.push(crowd.send(request("GET", "/", &[])));
        settled().await;
        crowd.layer.handle().purge(Purge::tag(format!("other{n}"))).await.unwrap();
    }
    crowd.layer.handle().purge(Purge::tag("t")).await.unwrap();
    let later = crowd.crowd(5, &[]).await;
    assert_eq!(crowd.origin.running(), 9);
    crowd.origin.let_go(9);
    settled().await;
    assert_eq!(crowd.origin.running(), 1, "they lead one of their own");
    crowd.origin.let_go(1);
    for client in later {
        assert_eq!(client.await.unwrap().unwrap().body, "call 9");
    }
    for client in clients {
        client.await.unwrap().unwrap();
    }
}
