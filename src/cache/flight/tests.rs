//! Every transition of a flight, as a table; and the arithmetic of sparing the inner service.

use super::*;

const FAILURES: [Failure; 5] =
    [Failure::Error, Failure::Panic, Failure::Deadline, Failure::Unavailable, Failure::Status];
const ERROR: Failure = Failure::Error;
const LATE: Failure = Failure::Deadline;

/// All that can happen.
const EVENTS: [Event; 11] = [
    Event::Led,
    Event::Streams,
    Event::Landed,
    Event::Uncacheable,
    Event::Unusable,
    Event::Failed(ERROR),
    Event::Failed(LATE),
    Event::Left,
    Event::Ended,
    Event::Broke,
    Event::Outgrew,
];

/// What leads where, of a flight that has not failed before. All else changes nothing.
const TABLE: &[(Phase, Event, Phase)] = &[
    (Phase::Fetching, Event::Streams, Phase::Streaming),
    (Phase::Fetching, Event::Landed, Phase::Whole),
    (Phase::Fetching, Event::Uncacheable, Phase::Uncacheable),
    (Phase::Fetching, Event::Unusable, Phase::Vacant(None)),
    (Phase::Fetching, Event::Failed(ERROR), Phase::Vacant(Some(ERROR))),
    (Phase::Fetching, Event::Failed(LATE), Phase::Failed(LATE)),
    (Phase::Fetching, Event::Left, Phase::Vacant(None)),
    (Phase::Vacant(None), Event::Led, Phase::Fetching),
    (Phase::Vacant(Some(ERROR)), Event::Led, Phase::Fetching),
    (Phase::Streaming, Event::Ended, Phase::Whole),
    (Phase::Streaming, Event::Broke, Phase::Broken),
    (Phase::Streaming, Event::Outgrew, Phase::Outgrown),
    (Phase::Outgrown, Event::Broke, Phase::Broken),
];

const PHASES: [Phase; 10] = [
    Phase::Fetching,
    Phase::Vacant(None),
    Phase::Vacant(Some(ERROR)),
    Phase::Streaming,
    Phase::Whole,
    Phase::Uncacheable,
    Phase::Failed(ERROR),
    Phase::Failed(LATE),
    Phase::Outgrown,
    Phase::Broken,
];

#[test]
fn every_transition_is_as_the_table_says() {
    for phase in PHASES {
        for event in EVENTS {
            let mut flight = Flight { phase, ..Flight::new(false) };
            let there = TABLE.iter().find(|(from, by, _)| (*from, *by) == (phase, event));
            let expected = there.map_or(phase, |(_, _, to)| *to);
            assert_eq!(flight.on(event), there.is_some(), "{phase:?} {event:?}");
            assert_eq!(flight.phase, expected, "{phase:?} {event:?}");
        }
    }
}

#[test]
fn the_second_failure_is_for_good() {
    for failure in FAILURES {
        let mut flight = Flight::new(true);
        assert!(flight.on(Event::Failed(failure)));
        assert_eq!(flight.prospect(), Prospect::Failed(failure));
    }
    let mut flight = Flight::new(false);
    for expected in [Prospect::Vacant(Some(ERROR)), Prospect::Failed(ERROR)] {
        assert!(flight.on(Event::Failed(ERROR)));
        assert_eq!(flight.prospect(), expected);
        flight.on(Event::Led);
    }
}

#[test]
fn a_few_lead_where_answers_were_for_one_request_each_and_then_all_go_alone() {
    let mut flight = Flight::new(false);
    for _ in 0..PASSED_MAX {
        assert!(flight.on(Event::Unusable));
        assert_eq!(flight.prospect(), Prospect::Vacant(None));
        assert!(flight.on(Event::Led));
    }
    assert!(flight.on(Event::Unusable));
    assert_eq!(flight.prospect(), Prospect::Alone);
}

#[test]
fn a_call_that_was_not_made_is_there_for_the_next() {
    let mut spared = BackOff::after(None, ERROR, at(0), false);
    assert!(spared.admits(at(1)) && !spared.admits(at(2)));
    spared.give_back();
    assert!(spared.admits(at(3)));
}

#[test]
fn a_leader_that_leaves_uses_up_no_chance() {
    let mut flight = Flight::new(false);
    for _ in 0..9 {
        assert!(flight.on(Event::Left) && flight.on(Event::Led));
    }
    assert!(flight.on(Event::Failed(ERROR)));
    assert_eq!(flight.prospect(), Prospect::Vacant(Some(ERROR)));
}

#[test]
fn what_a_flight_is_to_who_comes() {
    for (phase, expected) in [
        (Phase::Fetching, Prospect::Wait),
        (Phase::Vacant(None), Prospect::Vacant(None)),
        (Phase::Streaming, Prospect::Read),
        (Phase::Whole, Prospect::Read),
        (Phase::Uncacheable, Prospect::Alone),
        (Phase::Failed(ERROR), Prospect::Failed(ERROR)),
        (Phase::Outgrown, Prospect::Alone),
        (Phase::Broken, Prospect::Alone),
    ] {
        assert_eq!(Flight { phase, ..Flight::new(false) }.prospect(), expected, "{phase:?}");
    }
}

fn at(millis: u64) -> Ticks {
    Ticks::from_nanos(millis * 1_000_000)
}

#[test]
fn a_failure_and_one_more_call_are_all_there_is_in_a_while() {
    let mut spared = BackOff::after(None, ERROR, at(0), false);
    assert_eq!(spared.until, at(1000));
    assert!(spared.admits(at(10)), "the second call");
    assert!(!spared.admits(at(10)) && !spared.admits(at(999)));
    // The second fails too, and the while goes on.
    let mut spared = BackOff::after(Some(spared), ERROR, at(500), true);
    assert_eq!(spared.until, at(1000));
    assert!(!spared.admits(at(999)));
    assert!(spared.admits(at(1000)), "it is over");
}

#[test]
fn where_somebody_waits_the_second_call_is_taken() {
    let mut spared = BackOff::after(None, ERROR, at(0), true);
    assert!(!spared.admits(at(1)));
}

#[test]
fn each_while_is_twice_as_long_up_to_thirty_seconds_and_short_again_after_a_pause() {
    let mut spared = BackOff::after(None, ERROR, at(0), true);
    for secs in [2, 4, 8, 16, 30, 30] {
        let now = spared.until;
        spared = BackOff::after(Some(spared), ERROR, now, true);
        assert_eq!(spared.until.since(now), Duration::from_secs(secs));
    }
    let much_later = spared.until.plus(Duration::from_secs(31));
    let spared = BackOff::after(Some(spared), ERROR, much_later, true);
    assert_eq!(spared.until.since(much_later), BACK_OFF_MIN);
}

#[test]
fn what_one_clients_fields_may_have_caused_spares_nobody() {
    for failure in FAILURES {
        assert_eq!(failure.backs_off(), failure != Failure::Status);
    }
}

#[test]
fn a_clock_at_its_end_overflows_nothing() {
    let end = Ticks::from_nanos(u64::MAX);
    let spared = BackOff::after(None, ERROR, end, true);
    assert_eq!(BackOff::after(Some(spared), ERROR, end, true).until, end);
}
