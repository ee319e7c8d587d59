//! On two threads, with everything going wrong.

use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{Crowd, Down};
use crate::scripted::Step::Data;
use crate::scripted::{fresh, scripted};
use crate::support::{request, response};

/// Clients that leave at any moment, bodies that break, panic, outgrow what is kept and announce lengths.
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
