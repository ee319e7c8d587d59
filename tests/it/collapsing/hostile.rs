//! What a hostile reviewer tried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::CacheLayer;
use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError};
use tower_keep::test_util::ManualClock;

use super::{Crowd, Down, settled};
use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{fresh, paused, read, scripted};
use crate::support::{Got, Inner, request, response};

/// What an outer layer (a JWT layer, a session) publishes of the client.
#[derive(Clone)]
struct Principal(&'static str);

/// the refresh drops Authorization but carries the client's request extensions, so the
/// handler renders this client's page, and as the request "has no Authorization" it is stored for everybody.
/// The same answer to the same client is not stored in the foreground (RFC 9111 §3.5).
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

/// a field that must not be shared (`private="x-user"`, Set-Cookie, named by Connection) is left
/// out of the headers that followers get and out of the stored trailers, but not of the trailers followers read.
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

/// a flight whose body is still coming when its response is no longer fresh is joined by all, of
/// use to none, and each of them then goes alone: 1 call each, for as long as the body comes (a slow reader who
/// is alone makes that as long as it likes).
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

/// a response that comes stale from another cache, with a stale-while-revalidate window in which
/// whoever comes later is served it, sends each follower to the origin by itself.
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

/// a key that was once of no use to others is never of use again before its minute is over,
/// though the answers are stored: `UNCACHEABLE_FOR` says "the first that is ends it", but who goes alone has no
/// lead, and only a lead forgets the marker.
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

/// two requests of an attacker that are answered with 400 send all who wait to the origin, each
/// by itself (C20: who sends such requests must not keep others from waiting for each other).
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

/// the deadline of a flight counts from its first leader, so who waits for the second one, which
/// has just begun, is told after a moment that it has taken too long, and gets a 503.
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

/// a sole reader of a body for which there was no memory reads the inner body itself, and there a
/// body that ends before its Content-Length ends cleanly.
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

/// each laggard at a place of its own holds the others up for another five seconds.
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

/// who takes the second call of a back-off and leaves at once takes it from everybody.
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

/// a leader that is alone and does not read keeps its flight in the air (no deadline), and when that is
/// no longer fresh all who come join it in vain and go alone: one idle connection ends collapsing for the key.
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

/// who asks with `no-cache` and waits for a leader that looks into the store again is served
/// what is stored, which nobody validated (RFC 9111 §5.2.1.4): "what is coming" need not come from the inner service.
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

/// a client task that panics for a reason of its own, with our future in it, counts as a panic of
/// the inner service; two of them make 503s for a second.
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

/// what is remembered of keys is one table for all: whoever asks for some thousand targets that
/// are answered with 404 has the back-off of every other key forgotten.
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

/// the marker of a key that is of no use to others lasts a minute, and stops refreshes too: what is
/// stale is served all that time and nobody refreshes it.
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

/// a body that one client reads slowly holds its share of the memory for bodies on their way for
/// as long as the client likes: some sixty such clients, and nothing is stored any more, and crowds scatter.
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

/// Clients that leave at any moment, bodies that break, panic, outgrow what is kept and announce lengths, on two threads:
/// every one is answered, no short body ends cleanly, and nothing is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hangs_or_is_left_behind_on_two_threads() {
    use crate::scripted::Step::{Error, Panic, Pending};
    const WHOLE: &str = "0123456789012345678901234567890123456789";
    let random = |seed: &mut u64| {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize
    };
    for round in 0..400u64 {
        let crowd = Crowd::with(
            move |layer| match round % 3 {
                0 => layer,
                1 => layer.body_bytes_max(15),
                _ => layer.in_flight_bytes_max(20),
            },
            move |_, call| {
                let mut seed = round * 1000 + call as u64;
                let kind = random(&mut seed) % 12;
                if kind == 0 {
                    return Err(Down);
                }
                assert!(kind != 1, "the handler panics");
                let mut steps = Vec::new();
                for at in 0..4 {
                    if random(&mut seed) % 2 == 0 {
                        steps.push(Pending);
                    }
                    match random(&mut seed) % 40 {
                        0 => steps.push(Error),
                        1 => steps.push(Panic),
                        _ => steps.push(Data(&WHOLE[at * 10..at * 10 + 10])),
                    }
                }
                let fields: &[_] = if kind % 2 == 0 { &[("content-length", "40")] } else { &[] };
                let mut response = fresh(fields, scripted(&steps));
                if kind == 2 {
                    response.headers_mut().insert("cache-control", "no-store".parse().unwrap());
                }
                if kind == 3 {
                    *response.status_mut() = http::StatusCode::BAD_GATEWAY;
                    response.headers_mut().remove("cache-control");
                }
                Ok(response)
            },
        );
        let mut seed = round;
        let mut clients = Vec::new();
        for _ in 0..24 {
            let sent = crowd.service.clone().oneshot(request("GET", "/", &[]));
            let (waits, frames) = (random(&mut seed) % 8, random(&mut seed) % 12);
            clients.push(tokio::spawn(async move {
                let mut sent = Box::pin(sent);
                if waits < 3 {
                    for _ in 0..waits {
                        if (&mut sent).now_or_never().is_some() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                    return;
                }
                let Ok(response) = sent.await else { return };
                if response.status() != 200 {
                    return;
                }
                let mut body = response.into_body();
                let mut text = Vec::new();
                for _ in 0..if frames < 4 { frames } else { 1000 } {
                    match body.frame().await {
                        Some(Ok(frame)) => text.extend(frame.into_data().unwrap()),
                        Some(Err(_)) => return,
                        None => {
                            assert_eq!(text, WHOLE.as_bytes(), "a body that ended cleanly");
                            return;
                        }
                    }
                    tokio::task::yield_now().await;
                }
            }));
        }
        crowd.origin.let_go(1000);
        for client in clients {
            let ended = tokio::time::timeout(Duration::from_secs(5), client).await;
            let ended = ended.unwrap_or_else(|_| panic!("round {round}: it hangs"));
            if let Err(error) = ended {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<String>().map_or("", |it| it);
                assert!(!text.contains("cleanly"), "round {round}: {text}");
            }
        }
        for _ in 0..200 {
            let stats = crowd.layer.handle().stats();
            if (stats.flights, stats.background, crowd.origin.running()) == (0, 0, 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let stats = crowd.layer.handle().stats();
        assert_eq!((stats.flights, stats.background), (0, 0), "round {round}");
    }
}

/// a refresh sends nothing of one client, and yet a 500 or a 403 that it gets is taken for one
/// client's fault: no back-off, so each stale answer begins the next refresh as soon as the last one has failed.
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

/// C59: a runtime that ends with flights in the air leaves nothing behind.
#[test]
fn c59_a_runtime_that_is_dropped_leaves_no_flight_behind() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let crowd = Crowd::new(|_, _| Ok(response(&[super::FRESH], "page")));
    let first = runtime();
    let clients = first.block_on(async { crowd.crowd(9, &[]).await });
    let body = first.block_on(async {
        crowd.origin.let_go(0);
        clients
    });
    drop(first);
    drop(body);
    crowd.origin.let_go(100);
    runtime().block_on(async {
        crowd.assert_nothing_left().await;
        assert_eq!(crowd.get(&[]).await.unwrap().body, "page");
    });
}

/// a 204 has no content (RFC 9110 §15.3.5), whatever length it announces; but its readers are told that
/// it broke off, and it is not stored.
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
