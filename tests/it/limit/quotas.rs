//! How much is let through, and how much is not.

use std::time::Duration;

use tower_keep::limit::{Quota, QuotaErrorKind, Quotas, RateLimitLayer};

use super::limited::{Limited, TestLimit, by_field};
use crate::support::request;

#[test]
fn a_burst_is_let_through_then_what_comes_back() {
    let limited = Limited::new(Quota::per_second(10).burst(4));
    assert_eq!(limited.admitted("a"), 4);
    limited.advance(99);
    assert!(!limited.admits("a"));
    limited.advance(1);
    assert_eq!(limited.admitted("a"), 1);
    limited.advance(60_000);
    assert_eq!(limited.admitted("a"), 4, "what is not used is kept up to the burst");
    assert_eq!(limited.inner.calls(), 9, "what is refused does not get through");
}

#[test]
fn keys_are_counted_apart() {
    let limited = Limited::new(Quota::per_minute(2));
    assert_eq!((limited.admitted("a"), limited.admitted("b")), (2, 2));
    assert!(!limited.admits("a") && !limited.admits("b"));
}

#[test]
fn of_several_quotas_the_strictest_decides_and_none_is_charged_for_what_another_refuses() {
    let limited = Limited::new([Quota::per_second(3), Quota::per_minute(5)]);
    assert_eq!(limited.admitted("a"), 3);
    // Refused by the first for as long as it likes: the second has two left all the same.
    for _ in 0..50 {
        assert!(!limited.admits("a"));
    }
    limited.advance(1_000);
    assert_eq!(limited.admitted("a"), 2, "the second has 5, and not one more in a second");
    limited.advance(1_000);
    assert_eq!(limited.admitted("a"), 0);
    limited.advance(10_000);
    assert_eq!(limited.admitted("a"), 1);
}

#[test]
fn r07_no_time_and_no_quota_makes_it_panic_or_let_more_through() {
    // Once in 73 years, over all the time that there is.
    let slow = Quota::per(1, Duration::from_secs(73 * 365 * 86_400));
    let limited = Limited::new(slow);
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += limited.admitted("a");
        limited.clock.advance(Duration::from_secs(36 * 365 * 86_400));
    }
    assert!((2..=9).contains(&admitted), "{admitted} in 584 years at most");
    limited.clock.advance(Duration::MAX);
    limited.admitted("a");
    let fastest = Limited::new(Quota::per(1 << 14, Duration::from_nanos(1)).burst(3));
    assert_eq!(fastest.admitted("a"), 3);
    fastest.clock.advance(Duration::from_nanos(1));
    assert_eq!(fastest.admitted("a"), 3);
    let longest = Quota::per(1, Duration::MAX);
    assert_eq!(longest.check().unwrap_err().kind(), QuotaErrorKind::TooSlow);
}

#[test]
fn r08_what_cannot_be_kept_is_an_error_when_the_layer_is_made() {
    for (quota, kind) in [
        (Quota::per_second(0), QuotaErrorKind::NoAmount),
        (Quota::per_second(10).burst(0), QuotaErrorKind::NoBurst),
        (Quota::per(10, Duration::ZERO), QuotaErrorKind::NoPeriod),
        (Quota::per_second(u64::MAX), QuotaErrorKind::AmountTooLarge),
        (Quota::per_day(1).burst(u64::MAX), QuotaErrorKind::TooSlow),
    ] {
        let error = RateLimitLayer::new(quota, by_field()).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("quota"), "{error}");
        let error = RateLimitLayer::new([Quota::per_second(10), quota], by_field()).unwrap_err();
        assert_eq!(error.kind(), kind, "one of two");
    }
    let five = [1, 2, 3, 4, 5].map(Quota::per_second);
    let error = RateLimitLayer::new(five, by_field()).unwrap_err();
    assert_eq!(error.kind(), QuotaErrorKind::TooMany);
    assert!(Quotas::new([]).is_err());
}

#[test]
fn r11_who_goes_on_asking_does_not_wait_longer() {
    let limited = Limited::new(Quota::per_second(1));
    assert!(limited.admits("a"));
    for _ in 0..999 {
        assert!(!limited.admits("a"));
        limited.advance(1);
    }
    limited.advance(1);
    assert!(limited.admits("a"), "a second after the first");
}

#[test]
fn r11_a_penalty_lets_who_does_not_wait_wait_longer_and_for_two_bursts_at_most() {
    let penalty = std::num::NonZeroU64::MIN;
    let limited = Limited::with(Quota::per_second(1).burst(2), |layer| layer.penalty(penalty));
    assert_eq!(limited.admitted("a"), 2); // and one that was refused: one second more
    limited.advance(1_000);
    assert!(!limited.admits("a"));
    limited.advance(3_000);
    assert!(limited.admits("a"));
    for _ in 0..100 {
        limited.admits("a");
    }
    // Two bursts are four seconds, of which one must be back.
    limited.advance(3_000);
    assert!(limited.admits("a"), "not a hundred seconds");
    assert!(limited.admits("b"), "others have nothing to do with it");
}

#[test]
fn r17_with_a_penalty_who_comes_when_he_was_told_to_is_admitted() {
    let quick = Quota::per_second(1).burst(2);
    for penalty in [1, 2, 3_600, u64::MAX] {
        let set = |layer: TestLimit| layer.penalty(std::num::NonZeroU64::new(penalty).unwrap());
        is_let_in_when_told(&Limited::with(quick, set), 4);
        let both = [quick, Quota::per_minute(7).burst(3)];
        is_let_in_when_told(&Limited::with(both, set), 52);
    }
}

fn is_let_in_when_told(limited: &Limited, secs_most: u64) {
    for _ in 0..4 {
        limited.admitted("a");
        let answer = limited.send(request("GET", "/", &[("x-key", "a")]));
        let secs: u64 = answer.field("retry-after").unwrap().parse().unwrap();
        assert!(secs <= secs_most, "two bursts at most: {secs}");
        limited.advance(secs * 1_000);
        assert!(limited.admits("a"), "after {secs} s");
    }
}
