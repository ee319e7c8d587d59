use super::*;
use crate::time::Timestamp;

const RULES: Rules = Rules {
    cooldown: Duration::from_secs(30),
    interval: Duration::from_secs(600),
    stale_max: Duration::from_secs(86_400),
    wait_max: Duration::from_secs(2),
    deadline: Duration::from_secs(10),
    admission: Admission::new(),
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn at(secs: u64) -> Moment {
    let wall = Timestamp::from_secs(1_000_000 + i64::try_from(secs).unwrap());
    Moment { wall, ticks: Ticks::from_nanos(secs * 1_000_000_000) }
}

/// A set fetched at second 0 that is good for 600.
fn held() -> Held {
    Held { at: at(0), interval: secs(600) }
}

#[test]
fn fetches_begin_a_cooldown_apart_whatever_came_of_them() {
    for is_good in [true, false] {
        let mut pace = Pace::default();
        assert_eq!(pace.ask(at(5).ticks, &RULES), Turn::Begin);
        assert_eq!(pace.ask(at(6).ticks, &RULES), Turn::Join);
        // Longer than a cooldown on its way: still the one.
        assert_eq!(pace.ask(at(50).ticks, &RULES), Turn::Join);
        pace.landed(is_good);
        let rest = Turn::Rest { left: secs(1), has_failed: !is_good };
        assert_eq!(pace.ask(at(34).ticks, &RULES), rest);
        assert_eq!(pace.ask(at(35).ticks, &RULES), Turn::Begin);
    }
}

#[test]
fn who_is_not_served_comes_again_when_there_may_be_more_to_know() {
    let mut pace = Pace::default();
    assert_eq!(pace.retry_after(at(0).ticks, &RULES), secs(1));
    pace.ask(at(0).ticks, &RULES);
    assert_eq!(pace.retry_after(at(4).ticks, &RULES), secs(6), "when the fetch has ended");
    assert_eq!(pace.retry_after(at(12).ticks, &RULES), secs(1));
    pace.landed(false);
    assert_eq!(pace.retry_after(at(20).ticks, &RULES), secs(10), "when the cooldown is over");
    assert_eq!(pace.retry_after(at(40).ticks, &RULES), secs(1));
}

#[test]
fn a_failure_stands_until_a_fetch_is_good() {
    let mut pace = Pace::default();
    assert!(pace.standing(false).is_none());
    for (is_good, was_failing, now) in [(false, false, 0), (false, true, 30), (true, true, 60)] {
        pace.ask(at(now).ticks, &RULES);
        let standing = pace.standing(was_failing).unwrap();
        assert!(standing.is_in_flight && standing.slot == at(now).ticks);
        assert_eq!(standing.is_failing, was_failing);
        pace.landed(is_good);
        let standing = pace.standing(was_failing).unwrap();
        assert_eq!((standing.is_in_flight, standing.is_failing), (false, !is_good));
    }
}

#[test]
fn an_interval_outlasts_the_cooldown_and_a_fetch() {
    assert_eq!(RULES.interval(None), secs(600));
    assert_eq!(RULES.interval(Some(secs(60))), secs(60));
    let slow = Rules { cooldown: secs(300), ..RULES };
    assert_eq!(slow.interval(Some(secs(60))), secs(310));
    assert_eq!(Rules { interval: secs(1), ..RULES }.interval(None), secs(60));
    assert_eq!(Rules { interval: secs(1 << 30), ..RULES }.interval(None), secs(86_400));
}

#[test]
fn a_refresh_is_due_so_early_that_its_end_is_known_within_the_interval() {
    let mut pace = Pace::default();
    assert_eq!(pace.due_in(None, 255, at(0), &RULES), secs(0));
    pace.ask(at(0).ticks, &RULES);
    pace.landed(true);
    assert_eq!(pace.due_in(Some(&held()), 0, at(0), &RULES), secs(590));
    assert_eq!(pace.due_in(Some(&held()), 255, at(0), &RULES), secs(530));
    assert_eq!(pace.due_in(Some(&held()), 0, at(589), &RULES), secs(1));
    assert_eq!(pace.due_in(Some(&held()), 0, at(700), &RULES), secs(0));
    // Never within the cooldown.
    let short = Held { interval: secs(40), ..held() };
    assert_eq!(pace.due_in(Some(&short), 255, at(0), &RULES), secs(30));
}

#[test]
fn after_a_failure_a_fetch_is_due_when_the_cooldown_is_over() {
    let mut pace = Pace::default();
    pace.ask(at(0).ticks, &RULES);
    pace.landed(false);
    for held in [None, Some(held())] {
        assert_eq!(pace.due_in(held.as_ref(), 0, at(10), &RULES), secs(20));
        assert_eq!(pace.due_in(held.as_ref(), 255, at(10), &RULES), secs(23));
        assert_eq!(pace.due_in(held.as_ref(), 255, at(30), &RULES), secs(0));
    }
}

#[test]
fn a_set_counts_for_its_interval_and_longer_only_while_the_issuer_fails() {
    let good = Standing { is_failing: false, is_in_flight: false, slot: at(0).ticks };
    let usable = |standing, driven, now| held().is_usable(standing, driven, at(now), &RULES);
    for driven in [true, false] {
        assert!(usable(good, driven, 599) && !usable(good, driven, 600));
        // A fetch that is on its way may bring others, until it takes too long.
        let asking = Standing { is_in_flight: true, slot: at(600).ticks, ..good };
        assert!(!usable(asking, driven, 601) && usable(asking, driven, 602));
    }
    let failing = Standing { is_failing: true, slot: at(590).ticks, ..good };
    assert!(usable(failing, true, 600) && usable(failing, true, 86_399));
    assert!(!usable(failing, true, 86_400), "not for ever");
    // Where nobody goes on asking, a request has to.
    assert!(usable(failing, false, 619) && !usable(failing, false, 620));
    let again = Standing { is_in_flight: true, slot: at(620).ticks, ..failing };
    assert!(usable(again, true, 620) && !usable(again, false, 620));
}

#[test]
fn the_ceiling_does_not_shorten_the_interval() {
    let rules = Rules { stale_max: secs(0), ..RULES };
    let failing = Standing { is_failing: true, is_in_flight: false, slot: at(590).ticks };
    assert!(held().is_usable(failing, true, at(599), &rules));
    assert!(!held().is_usable(failing, true, at(600), &rules));
}

#[test]
fn age_is_what_the_clock_says_that_went_further() {
    let mut slept = at(10);
    slept.wall = slept.wall.plus(secs(3600));
    assert_eq!(held().age(slept), secs(3610));
    let mut set_back = at(10);
    set_back.wall = Timestamp::from_secs(0);
    assert_eq!(held().age(set_back), secs(10));
}
