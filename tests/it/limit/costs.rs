//! What a request costs before it goes inwards.

use std::num::NonZeroU64;
use std::time::Duration;

use tower_keep::limit::{LimitRefusalKind, NoKey, Quota, Quotas};

use super::limited::Limited;
use crate::support::request;

fn by_path(head: tower_keep::head::RequestHead<'_>) -> u64 {
    head.uri.path().trim_start_matches('/').parse().unwrap_or(1)
}

#[test]
fn a_request_costs_what_the_function_says() {
    let limited = Limited::with(Quota::per_second(10), |layer| layer.cost_by(by_path));
    let status = |cost: &str| limited.send(request("GET", cost, &[("x-key", "a")])).status.as_u16();
    assert_eq!([status("/4"), status("/6"), status("/1")], [200, 200, 429]);
    assert_eq!(status("/0"), 200, "what costs nothing is not limited");
    limited.advance(300);
    assert_eq!([status("/4"), status("/3"), status("/1")], [429, 200, 429]);
}

#[test]
fn r08_a_cost_over_the_burst_is_refused_for_ever_and_charged_to_nothing() {
    let quotas = [Quota::per_second(100), Quota::per_minute(10)];
    let limited = Limited::with(quotas, |layer| layer.cost_by(by_path));
    for cost in ["/11", "/101", "/18446744073709551615"] {
        let answer = limited.send(request("GET", cost, &[("x-key", "a")]));
        assert_eq!(answer.status, 429);
        assert_eq!(answer.refusal.unwrap().kind(), LimitRefusalKind::TooExpensive);
        assert_eq!(answer.headers.get("retry-after"), None, "it will not be let through later");
    }
    assert_eq!(limited.admitted("a"), 10);
    // Nor once there is nothing left at all.
    let answer = limited.send(request("GET", "/11", &[("x-key", "a")]));
    assert_eq!(answer.refusal.unwrap().kind(), LimitRefusalKind::TooExpensive);
}

#[test]
fn a_fixed_cost_is_charged_for_each_request() {
    let five = NonZeroU64::new(5).unwrap();
    let limited = Limited::with(Quota::per_second(12), |layer| layer.cost(five));
    assert_eq!(limited.admitted("a"), 2);
    let answer = limited.send(request("GET", "/", &[("x-key", "a")]));
    assert_eq!(answer.refusal.unwrap().retry_after(), Some(Duration::from_millis(250)));
}

#[test]
fn a_plan_replaces_the_quotas_of_the_layer_for_who_has_it() {
    let paying = Quotas::new([Quota::per_second(50), Quota::per_minute(70)]).unwrap();
    let limited = Limited::with(Quota::per_second(5), |layer| {
        layer.quotas_by(move |head| {
            head.headers.get("x-key").is_some_and(|key| key == "paying").then(|| paying.clone())
        })
    });
    assert_eq!((limited.admitted("a"), limited.admitted("paying")), (5, 50));
    limited.advance(1_000);
    assert_eq!((limited.admitted("a"), limited.admitted("paying")), (5, 21));
}

#[test]
fn a_request_without_a_key_is_refused_or_let_through_or_counted_with_all_such() {
    let anonymous = || request("GET", "/", &[]);
    let refusing = Limited::new(Quota::per_second(2));
    let answer = refusing.send(anonymous());
    assert!(!answer.status.is_success() && refusing.inner.calls() == 0);
    assert_eq!(answer.refusal.unwrap().kind(), LimitRefusalKind::NoKey);

    let allowing = Limited::with(Quota::per_second(2), |layer| layer.no_key(NoKey::Allow));
    assert!((0..9).all(|_| allowing.send(anonymous()).status == 200));
    assert_eq!(allowing.layer.handle().stats().keyless, 9);

    let sharing = Limited::with(Quota::per_second(2), |layer| layer.no_key(NoKey::Share));
    let statuses = [0; 4].map(|_| sharing.send(anonymous()).status.as_u16());
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(sharing.admitted("a"), 2, "who has a key is not one of them");
    assert_eq!(sharing.admitted("without a key"), 2);
}

#[test]
fn clones_are_one_limit_and_layers_made_apart_are_two() {
    use tower::Layer as _;
    let limited = Limited::new(Quota::per_second(3));
    let clone = Limited { service: limited.layer.clone().layer(limited.inner.clone()), ..limited };
    assert_eq!(clone.admitted("a"), 3);
    let again = Limited {
        service: clone.layer.layer(clone.inner.clone()),
        clock: clone.clock.clone(),
        inner: clone.inner.clone(),
        layer: clone.layer.clone(),
    };
    assert!(!again.admits("a"));
    // Over one store, by the same keys and the same quota.
    let store = tower_keep::limit::MemoryLimitStore::with_bytes_max(1 << 16);
    let (one, other) = (store.clone(), store);
    let one = Limited::with(Quota::per_second(3), |layer| layer.store(one));
    let other = Limited::with(Quota::per_second(3), |layer| layer.store(other));
    assert_eq!((one.admitted("a"), other.admitted("a")), (3, 3));
}

#[test]
fn layers_with_one_secret_over_one_store_are_one_limit() {
    let store = tower_keep::limit::MemoryLimitStore::with_bytes_max(1 << 16);
    let (here, there) = (store.clone(), store);
    let here = Limited::with(Quota::per_second(3), |layer| layer.store(here).secret([7; 16]));
    let there = Limited::with(Quota::per_second(3), |layer| layer.store(there).secret([7; 16]));
    assert_eq!((here.admitted("a"), there.admitted("a")), (3, 0));
}

#[tokio::test]
async fn a_handle_looks_without_spending_and_charges_what_is_no_request() {
    let limited = Limited::new(Quota::per_second(10));
    let handle = limited.layer.handle();
    let head = request("GET", "/", &[("x-key", "a")]);
    let key = handle.key((&head).into()).unwrap();
    let left = async || {
        let verdict = handle.peek(key, NonZeroU64::MIN).await.unwrap();
        verdict.standings(handle.quotas()).next().unwrap().remaining()
    };
    for _ in 0..5 {
        assert_eq!(left().await, 10);
    }
    handle.charge(key, NonZeroU64::new(4).unwrap()).await.unwrap();
    assert_eq!(left().await, 6);
    handle.adjust(key, tower_keep::limit::Adjustment::Refund(3)).await.unwrap();
    assert_eq!(left().await, 9);
    assert_eq!(limited.admitted("a"), 9);
    assert!(handle.key((&request("GET", "/", &[])).into()).is_none());
}

/// By its own quota it would have been let through again after a flood of others.
#[test]
fn r05_a_key_that_was_refused_for_its_cost_is_not_freed_by_a_flood() {
    let ten = NonZeroU64::new(10).unwrap();
    let store = tower_keep::limit::MemoryLimitStore::with_bytes_max(1);
    let limited = Limited::with(Quota::per_minute(15), |layer| layer.store(store).cost(ten));
    assert_eq!(limited.admitted("a"), 1);
    for flood in 0..500 {
        limited.admits(&flood.to_string());
        assert!(!limited.admits("a"), "after {flood}");
    }
}

#[test]
fn the_names_of_policies_are_those_of_the_layers_own_quotas() {
    use tower_keep::limit::RateLimitFields;
    let day = Quotas::new([Quota::per_day(9)]).unwrap();
    let limited = Limited::with(Quota::per_minute(5), |layer| {
        layer
            .fields(RateLimitFields::Draft11)
            .policy_names(["minute"])
            .quotas_by(move |head| head.headers.contains_key("x-plan").then(|| day.clone()))
    });
    let policy = |fields: &[(&str, &str)]| {
        limited.send(request("GET", "/", fields)).field("ratelimit-policy").unwrap().to_owned()
    };
    assert_eq!(policy(&[("x-key", "a")]), "\"minute\";q=5;w=60");
    assert_eq!(policy(&[("x-key", "a"), ("x-plan", "")]), "\"9-in-86400s\";q=9;w=86400");
}

#[tokio::test]
async fn a_handle_asks_by_the_quotas_of_a_plan() {
    let plan = Quotas::new([Quota::per_day(9)]).unwrap();
    let own = plan.clone();
    let limited =
        Limited::with(Quota::per_minute(5), |layer| layer.quotas_by(move |_| Some(own.clone())));
    let handle = limited.layer.handle();
    let key = handle.key((&request("GET", "/", &[("x-key", "a")])).into()).unwrap();
    handle.charge_by(key, &plan, NonZeroU64::new(4).unwrap()).await.unwrap();
    let verdict = handle.peek_by(key, &plan, NonZeroU64::MIN).await.unwrap();
    assert_eq!(verdict.standings(&plan).next().unwrap().remaining(), 5);
    assert_eq!(limited.admitted("a"), 5);
}
