//! What becomes of a charge once the response is there.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Service as _, ServiceExt as _};
use tower_keep::limit::{Charge, Quota};

use super::limited::{Limited, TestLimit};
use crate::scripted::Step::{Data, Error};
use crate::scripted::scripted;
use crate::support::{Inner, answered, request, response};

fn ten() -> NonZeroU64 {
    NonZeroU64::new(10).unwrap()
}

fn get() -> Request<Body> {
    request("GET", "/", &[("x-key", "a")])
}

/// A hundred units, of which a request reserves ten, and a service that answers by the function.
fn reserving(
    change: impl FnOnce(TestLimit) -> TestLimit,
    answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
) -> Limited {
    let quota = Quota::per_second(100);
    Limited::over(quota, |layer| change(layer.cost(ten())), Inner::new(answer))
}

fn left(limited: &Limited) -> u64 {
    let handle = limited.layer.handle();
    let key = handle.key((&get()).into()).unwrap();
    let verdict = handle.peek(key, NonZeroU64::MIN).now_or_never().unwrap().unwrap();
    verdict.standings(handle.quotas()).next().unwrap().remaining()
}

fn used(head: tower_keep::head::ResponseHead<'_>) -> Option<u64> {
    head.headers.get("x-used")?.to_str().ok()?.parse().ok()
}

#[test]
fn a_real_cost_above_the_reservation_is_charged_and_one_below_is_kept_unless_it_is_to_be_given_back()
 {
    let costs = |_: &Request<Body>, call: usize| match call {
        0 => response(&[("x-used", "35")], ""),
        1 => response(&[("x-used", "4")], ""),
        _ => response(&[], ""),
    };
    let limited = reserving(|layer| layer.settle_by(used), costs);
    let after = [0; 3].map(|_| {
        limited.send(get());
        left(&limited)
    });
    assert_eq!(after, [65, 55, 45]);
    let limited = reserving(|layer| layer.settle_by(used).refund_unused(), costs);
    let after = [0; 3].map(|_| {
        limited.send(get());
        left(&limited)
    });
    assert_eq!(after, [65, 61, 51]);
}

#[test]
fn what_is_used_beyond_all_that_was_left_is_owed() {
    let limited = reserving(
        |layer| layer.settle_by(used),
        |_, call| response(if call == 0 { &[("x-used", "300")] } else { &[] }, ""),
    );
    limited.send(get());
    assert_eq!(left(&limited), 0);
    // 300 units of 100: those of two seconds are owed, and ten more must be back.
    limited.advance(2_099);
    assert_eq!(limited.status("a"), 429);
    limited.advance(1);
    assert_eq!(limited.status("a"), 200);
    assert_eq!(limited.status("b"), 200);
}

#[test]
fn r08_no_real_cost_locks_a_key_out_for_ever() {
    let limited = reserving(
        |layer| layer.settle_by(used),
        |_, call| {
            let most = u64::MAX.to_string();
            response(&[("x-used", if call == 0 { &most } else { "0" })], "")
        },
    );
    limited.send(get());
    limited.advance(6 * 86_400_000);
    assert_eq!(limited.status("a"), 429);
    limited.advance(86_400_000);
    assert_eq!(limited.status("a"), 200, "after a week");
}

#[test]
fn r16_such_responses_are_given_back_once_and_never_more_than_was_charged() {
    let refunding = |layer: TestLimit| {
        layer
            .refund_when(|response| response.status.is_server_error())
            .refund_when(|response| response.status == 304)
            .settle_by(used)
    };
    // Each says a real cost too: what is given back is not settled a second time.
    let statuses = [503, 304, 404, 500];
    let limited =
        reserving(refunding, move |_, call| answered(statuses[call % 4], &[("x-used", "10")], ""));
    let after = [0; 4].map(|_| {
        limited.send(get());
        left(&limited)
    });
    assert_eq!(after, [100, 100, 90, 90]);
    for _ in 0..40 {
        limited.send(get());
        limited.advance(100);
    }
    assert_eq!(left(&limited), 100, "never more than a burst");
}

#[test]
fn r16_a_charge_is_settled_once_whoever_does_it() {
    let charges: Arc<Mutex<Vec<Charge>>> = Arc::default();
    let seen = charges.clone();
    let limited = reserving(
        |layer| layer.settled_by_handler().refund_unused().refund_when(|_| true),
        move |request, _| {
            let charge = request.extensions().get::<Charge>().unwrap().clone();
            assert_eq!(charge.cost(), 10);
            assert!(charge.settle(30), "it is the first");
            assert!(!charge.settle(0) && !charge.refund());
            seen.lock().unwrap().push(charge);
            response(&[], "")
        },
    );
    limited.send(get());
    assert_eq!(left(&limited), 70);
    for charge in &*charges.lock().unwrap() {
        assert!(!charge.refund() && !charge.clone().settle(90));
    }
    assert_eq!(left(&limited), 70);
}

#[test]
fn a_handler_may_settle_long_after_the_response_has_gone() {
    let charges: Arc<Mutex<Vec<Charge>>> = Arc::default();
    let seen = charges.clone();
    let limited = reserving(
        |layer| layer.settled_by_handler(),
        move |request, _| {
            seen.lock().unwrap().push(request.extensions().get::<Charge>().unwrap().clone());
            response(&[], "")
        },
    );
    limited.send(get());
    assert_eq!(left(&limited), 90);
    assert!(charges.lock().unwrap()[0].settle(60));
    assert_eq!(left(&limited), 40);
    // One that nobody settles stays.
    limited.send(get());
    charges.lock().unwrap().clear();
    assert_eq!(left(&limited), 30);
}

#[tokio::test]
async fn the_bytes_of_a_body_are_charged_when_it_ends_or_is_dropped_or_fails() {
    let limited = reserving(
        |layer| layer.settle_body_bytes().refund_unused(),
        |request, _| {
            Response::new(match request.uri().path() {
                "/whole" => scripted(&[Data("0123456789abcdef"), Data("0123")]),
                "/short" => Body::from("abc"),
                "/failing" => scripted(&[Data("0123456789abcdef"), Error]),
                _ => Body::empty(),
            })
        },
    );
    let send = |path: &str| {
        let mut service = limited.service.clone();
        let request = request("GET", path, &[("x-key", "a")]);
        async move { service.ready().await.unwrap().call(request).await.unwrap() }
    };
    let response = send("/whole").await;
    assert_eq!(left(&limited), 90, "the reservation");
    response.into_body().collect().await.unwrap();
    assert_eq!(left(&limited), 80);
    send("/short").await.into_body().collect().await.unwrap();
    assert_eq!(left(&limited), 77);
    let mut body = send("/whole").await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(left(&limited), 61, "what was sent until then");
    send("/failing").await.into_body().collect().await.unwrap_err();
    assert_eq!(left(&limited), 45);
    let _empty = send("/nothing").await;
    assert_eq!(left(&limited), 45, "at once, since there is nothing to wait for");
}

#[test]
fn a_request_that_breaks_off_is_not_given_back() {
    let limited = reserving(|layer| layer.refund_when(|_| true), |_, _| response(&[], ""));
    let mut service = limited.service.clone();
    drop(service.call(get())); // never polled
    assert_eq!(left(&limited), 90);
}

#[test]
fn limits_around_one_another_are_settled_by_one_word_of_the_handler() {
    let settle = |request: &Request<Body>, _: usize| {
        let charge = request.extensions().get::<Charge>().unwrap();
        assert_eq!(charge.cost(), 10);
        assert!(charge.settle(30));
        assert!(!charge.settle(40) && !charge.refund());
        response(&[], "")
    };
    let inside = reserving(|layer| layer.settled_by_handler(), settle);
    let outside = reserving(|layer| layer.settled_by_handler(), |_, _| response(&[], ""));
    let service = tower::Layer::layer(&outside.layer, inside.service.clone());
    service.oneshot(get()).now_or_never().unwrap().unwrap();
    assert_eq!((left(&inside), left(&outside)), (70, 70));
}

#[test]
fn a_handler_that_asks_for_its_charge_finds_one_also_where_nothing_was_charged() {
    let settle = |request: &Request<Body>, _: usize| {
        let charge = request.extensions().get::<Charge>().unwrap();
        let was_charged = charge.settle(100);
        assert_eq!(was_charged, charge.cost() > 0);
        response(&[], "")
    };
    let shadow = reserving(|layer| layer.settled_by_handler().shadow(), settle);
    assert_eq!([shadow.status("a"), shadow.status("a")], [200, 200]);
    assert_eq!(shadow.layer.handle().stats().refused, 1);
    let free = reserving(|layer| layer.settled_by_handler().cost_by(|_| 0), settle);
    assert_eq!(free.status("a"), 200);
}

#[tokio::test]
async fn r19_of_a_body_that_is_dropped_before_its_end_nothing_is_given_back() {
    let limited = reserving(
        |layer| layer.settle_body_bytes().refund_unused(),
        |_, _| Response::new(scripted(&[Data("012"), Data("345")])),
    );
    let send = || limited.service.clone().oneshot(get());
    drop(send().await.unwrap());
    assert_eq!(left(&limited), 90);
    let mut body = send().await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(left(&limited), 80);
    send().await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(left(&limited), 74, "one that has ended");
}

#[tokio::test]
async fn a_body_whose_end_is_seen_need_not_be_asked_for_it() {
    let limited = reserving(
        |layer| layer.settle_body_bytes().refund_unused(),
        |_, _| Response::new(Body::from("abc")),
    );
    let mut body = limited.service.clone().oneshot(get()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(left(&limited), 97, "as soon as it is seen");
}

/// What was charged to the number that all without a place share is nobody's to give back, also once there is a place.
#[test]
fn r16_a_charge_that_others_shared_is_not_given_back() {
    let ways: [fn(&Charge) -> bool; 2] = [Charge::refund, |charge| charge.settle(0)];
    for give_back in ways {
        let charges: Arc<Mutex<Vec<Charge>>> = Arc::default();
        let seen = charges.clone();
        let inner = Inner::new(move |request, _| {
            let charge = request.extensions().get::<Charge>().unwrap().clone();
            if request.headers()["x-key"] == "a" {
                seen.lock().unwrap().push(charge);
            }
            response(&[], "")
        });
        let limited = Limited::over(
            Quota::per_second(4),
            |layer| {
                let store = tower_keep::limit::MemoryLimitStore::with_bytes_max(1);
                layer.settled_by_handler().refund_unused().store(store)
            },
            inner,
        );
        for key in 0..7 {
            assert_eq!(limited.admitted(&key.to_string()), 4);
        }
        assert_eq!(limited.admitted("a"), 4, "without a place");
        limited.advance(2_000);
        assert_eq!(limited.admitted("a"), 4, "with one");
        for charge in &charges.lock().unwrap()[..4] {
            assert!(give_back(charge));
        }
        assert_eq!(limited.admitted("a"), 0);
    }
}

/// What has come back by itself is not given back a second time.
#[test]
fn r16_who_is_given_back_late_has_no_more_than_a_burst_at_once() {
    let charges: Arc<Mutex<Vec<Charge>>> = Arc::default();
    let seen = charges.clone();
    let limited = reserving(
        |layer| layer.settled_by_handler(),
        move |request, _| {
            seen.lock().unwrap().push(request.extensions().get::<Charge>().unwrap().clone());
            response(&[], "")
        },
    );
    for _ in 0..50 {
        limited.send(get());
        limited.advance(100);
    }
    assert_eq!(left(&limited), 100);
    let mut at_once = limited.admitted("a");
    for charge in charges.lock().unwrap().drain(..50) {
        assert!(charge.refund());
    }
    at_once += limited.admitted("a");
    assert_eq!(at_once, 10, "a hundred units, ten to a request");
    // Half of the last one has come back when it is given back: the other half is.
    limited.advance(1_000);
    charges.lock().unwrap().clear();
    limited.send(get());
    limited.advance(50);
    assert!(charges.lock().unwrap()[0].refund());
    assert_eq!(left(&limited), 100);
}

#[test]
fn a_meter_settles_by_what_was_counted_when_it_is_dropped() {
    let limited = reserving(
        |layer| layer.settled_by_handler(),
        |request, _| {
            let mut meter = request.extensions().get::<Charge>().unwrap().clone().meter();
            (0..25).for_each(|_| meter.add(1));
            assert_eq!(meter.used(), 25);
            response(&[], "")
        },
    );
    limited.send(get());
    assert_eq!(left(&limited), 75);
}

/// R19: else whoever resets his stream before its first word is charged nothing.
#[test]
fn r19_a_meter_that_breaks_off_gives_nothing_back_and_one_that_is_finished_does() {
    for (is_finished, expected) in [(false, 90), (true, 97)] {
        let limited = reserving(
            |layer| layer.settled_by_handler().refund_unused(),
            move |request, _| {
                let mut meter = request.extensions().get::<Charge>().unwrap().clone().meter();
                meter.add(3);
                if is_finished {
                    meter.finish();
                }
                response(&[], "")
            },
        );
        limited.send(get());
        assert_eq!(left(&limited), expected);
    }
}

#[test]
fn the_fields_tell_what_the_handler_has_settled() {
    use tower_keep::limit::RateLimitFields;
    let limited = reserving(
        |layer| layer.settled_by_handler().fields(RateLimitFields::Legacy),
        |request, _| {
            assert!(request.extensions().get::<Charge>().unwrap().settle(40));
            response(&[], "")
        },
    );
    assert_eq!(limited.send(get()).field("x-ratelimit-remaining"), Some("60"));
}

#[test]
fn the_fields_tell_how_it_stands_after_what_was_given_back() {
    use tower_keep::limit::RateLimitFields;
    let limited = reserving(
        |layer| layer.refund_when(|_| true).fields(RateLimitFields::Legacy),
        |_, _| response(&[], ""),
    );
    let answer = limited.send(get());
    assert_eq!(answer.field("x-ratelimit-remaining"), Some("100"));
}
