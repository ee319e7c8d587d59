//! Answers that must not reach others, or not so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::CacheLayer;
use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError};
use tower_keep::test_util::ManualClock;

use super::{Crowd, settled};
use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{fresh, paused, read, scripted};
use crate::support::{Got, Inner, request, response};

/// What an outer layer (a JWT layer, a session) publishes of the client.
#[derive(Clone)]
struct Principal(&'static str);

/// The credentials of the request that a refresh comes by still count (RFC 9111 §3.5), since what an outer layer has made
/// of them goes inwards in the extensions.
#[tokio::test]
async fn c58_a_refresh_does_not_carry_who_the_client_is_in_its_extensions() {
    for without_meanwhile in [true, false] {
        let crowd = Crowd::new(|request, _| {
            let name = request.extensions().get::<Principal>().map_or("nobody", |it| it.0);
            let fields = [("cache-control", "max-age=60, stale-while-revalidate=30")];
            Ok(response(&fields, format!("the page of {name}")))
        });
        crowd.origin.let_go(9);
        assert_eq!(crowd.get(&[]).await.unwrap().body, "the page of nobody");
        crowd.clock.advance(Duration::from_secs(if without_meanwhile { 91 } else { 61 }));
        let mut of_alice = request("GET", "/", &[("authorization", "Bearer alice")]);
        of_alice.extensions_mut().insert(Principal("alice"));
        crowd.send(of_alice).await.unwrap().unwrap();
        settled().await;
        let bob = crowd.get(&[]).await.unwrap();
        assert_eq!(bob.body, "the page of nobody", "in the foreground: {without_meanwhile}");
    }
}

/// RFC 9111 §3.1, §5.2.2.7: what keeps a field out of the store keeps it from those who did not ask for it.
#[tokio::test]
async fn a_follower_gets_no_trailers_that_may_not_be_shared() {
    for (trailer, control) in
        [("x-user", "max-age=60, private=\"x-user\""), ("set-cookie", "max-age=60")]
    {
        let (script, body, _) = paused();
        let body = Mutex::new(Some(body));
        let crowd = Crowd::new(move |_, _| {
            let body = body.lock().unwrap().take().unwrap();
            Ok(http::Response::builder()
                .header("cache-control", control)
                .header("trailer", trailer)
                .body(body)
                .unwrap())
        });
        let clients: Vec<_> = (0..3).map(|_| crowd.start(request("GET", "/", &[]))).collect();
        settled().await;
        crowd.origin.let_go(1);
        let mut bodies = Vec::new();
        for client in clients {
            bodies.push(client.await.unwrap().unwrap().into_body());
        }
        script.send(Data("page")).unwrap();
        script.send(Trailer(trailer, "alice")).unwrap();
        drop(script);
        let mut leaked = 0;
        for body in bodies {
            let followed = body.outcome().is_collapsed();
            let read = read(body).await;
            assert_eq!(read.text(), "page");
            leaked +=
                usize::from(followed && read.trailers.is_some_and(|it| it.contains_key(trailer)));
        }
        assert_eq!(crowd.origin.calls(), 1);
        let hit = crowd.get(&[]).await.unwrap();
        assert!(hit.is_hit() && hit.trailers.is_none(), "it is not stored");
        assert_eq!(leaked, 0, "followers who got {trailer}, which was for the leader");
    }
}

/// A store whose look-ups, while it is shut, have their answer but do not give it yet.
#[derive(Clone)]
struct Gated {
    store: MemoryStore,
    is_shut: Arc<AtomicBool>,
    gate: Arc<Semaphore>,
}

impl Store for Gated {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let found = self.store.get(key).await;
        if self.is_shut.load(Ordering::Relaxed) {
            self.gate.acquire().await.unwrap().forget();
        }
        found
    }

    async fn put(&self, key: &CacheKey, entry: Entry, long: Duration) -> Result<(), StoreError> {
        self.store.put(key, entry, long).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }
}

/// RFC 9111 §5.2.1.4: what is coming need not come from the inner service.
#[tokio::test]
async fn no_cache_is_not_served_what_a_leader_found_in_the_store_after_all() {
    let gated = Gated {
        store: MemoryStore::with_bytes_max(1 << 20),
        is_shut: Arc::default(),
        gate: Arc::new(Semaphore::new(0)),
    };
    let layer = CacheLayer::with_clock(gated.clone(), ManualClock::new())
        .store_deadline(Duration::from_secs(15));
    let inner = Inner::new(|_, call| response(&[super::FRESH], format!("call {call}")));
    let service = layer.layer(inner.clone());
    let send = |fields: &[(&str, &str)]| {
        let sent = service.clone().oneshot(request("GET", "/", fields));
        tokio::spawn(async { Got::read(sent.await.unwrap()).await })
    };
    gated.is_shut.store(true, Ordering::Relaxed);
    let first = send(&[]);
    settled().await;
    gated.is_shut.store(false, Ordering::Relaxed);
    assert_eq!(send(&[]).await.unwrap().body, "call 0");
    // It finds nothing, leads, and looks again.
    gated.is_shut.store(true, Ordering::Relaxed);
    gated.gate.add_permits(1);
    settled().await;
    gated.is_shut.store(false, Ordering::Relaxed);
    assert_eq!((inner.calls(), first.is_finished()), (1, false));
    let validates = send(&[("cache-control", "no-cache")]);
    settled().await;
    gated.gate.add_permits(9);
    assert_eq!(first.await.unwrap().body, "call 0");
    assert_eq!(validates.await.unwrap().body, "call 1");
}

/// RFC 9112 §6.3, also for who has the inner body to itself, because there was no memory for it.
#[tokio::test]
async fn a_body_that_ends_before_its_length_never_ends_cleanly() {
    for memory in [1 << 20, 4] {
        let crowd = Crowd::with(
            |layer| layer.in_flight_bytes_max(memory),
            |_, _| {
                Ok(fresh(&[("content-length", "20")], scripted(&[Data("01234"), Data("56789")])))
            },
        );
        crowd.origin.let_go(1);
        let body = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap().into_body();
        let read = read(body).await;
        assert!(read.error.is_some(), "with {memory} bytes of memory: {:?}", read.text());
    }
}

/// RFC 9110 §15.3.5: it has no content, whatever it announces.
#[tokio::test]
async fn a_204_that_announces_a_length_ends_cleanly_for_all() {
    let crowd = Crowd::new(|_, _| {
        let mut answer = fresh(&[("content-length", "5")], scripted(&[]));
        *answer.status_mut() = http::StatusCode::NO_CONTENT;
        Ok(answer)
    });
    let clients: Vec<_> = (0..3).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(9);
    for client in clients {
        let read = read(client.await.unwrap().unwrap().into_body()).await;
        assert_eq!(read.error, None);
    }
}

/// C57: who came before the write reads on, who comes after it does not join.
#[tokio::test]
async fn a_write_while_a_body_comes_is_seen_by_who_comes_after_it() {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let crowd = Crowd::new(move |request, call| {
        if request.method() == "PUT" {
            return Ok(response(&[], ""));
        }
        Ok(match body.lock().unwrap().take() {
            Some(body) => fresh(&[], body),
            None => response(&[super::FRESH], format!("call {call}")),
        })
    });
    crowd.origin.let_go(9);
    let before = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    let joined = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    crowd.send(request("PUT", "/", &[])).await.unwrap().unwrap();
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 2");
    script.send(Data("old")).unwrap();
    drop(script);
    assert_eq!(read(before.into_body()).await.text(), "old");
    assert_eq!(read(joined.into_body()).await.text(), "old");
    assert_eq!(crowd.get(&[]).await.unwrap().body, "call 2");
    crowd.assert_nothing_left().await;
}
