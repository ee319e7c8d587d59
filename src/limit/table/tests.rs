//! Who has a place, who gives it up, and what becomes of those who have none.

mod shared;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limit::key::KeyParts;
use crate::limit::quota::Quotas;

fn key(n: u64) -> LimitKey {
    let mut parts = KeyParts::new(b"a secret of ours");
    parts.part(&n.to_le_bytes());
    parts.key()
}

fn quotas<const N: usize>(quotas: [Quota; N]) -> Quotas {
    Quotas::new(quotas).unwrap()
}

/// So many milliseconds on.
fn at(millis: u64) -> Ticks {
    Ticks::from_nanos(1_000_000_000 + millis * 1_000_000)
}

/// Charges one unit so often, at most until it is not admitted; says how often it was.
fn charged<const WAYS: usize>(
    table: &Table<WAYS>,
    n: u64,
    quotas: &Quotas,
    times: u64,
    now: Ticks,
) -> u64 {
    let admits = || table.charge(key(n), quotas, 1, now).outcome == Outcome::Admitted;
    (0..times).take_while(|_| admits()).count() as u64
}

/// What is left to the key by each quota.
fn left<const WAYS: usize>(table: &Table<WAYS>, n: u64, quotas: &Quotas, now: Ticks) -> Vec<u64> {
    let verdict = table.peek(key(n), quotas, 1, now);
    verdict.standings(quotas).map(|standing| standing.remaining()).collect()
}

/// Nearest: from outside one sees only that it is quick. That it asks for no memory stands in `tests/allocations.rs`.
#[test]
fn r10_who_is_refused_writes_nothing_that_others_share() {
    let (table, quotas) = (Table::<7>::new(1), quotas([Quota::per_second(3), Quota::per_day(9)]));
    assert_eq!(charged(&table, 0, &quotas, 9, at(0)), 3);
    let versions = || -> Vec<_> { table.sets.iter().map(|set| set.version()).collect() };
    let before = versions();
    for cost in [1, 2, 3, 4, u64::MAX] {
        assert_ne!(table.charge(key(0), &quotas, cost, at(0)).outcome, Outcome::Admitted);
    }
    assert_eq!(versions(), before);
    assert_eq!(charged(&table, 1, &quotas, 1, at(0)), 1);
    assert_ne!(versions(), before, "who is admitted does");
}

#[test]
fn those_leave_first_that_have_their_whole_burst_then_the_next_to_have_it() {
    let (table, quotas) = (Table::<4>::new(1), quotas([Quota::per_second(10)]));
    for (n, used) in [(0, 3), (1, 4), (2, 6), (3, 10)] {
        let now = if n == 0 { at(0) } else { at(1_000) };
        assert_eq!(charged(&table, n, &quotas, used, now), used);
    }
    let now = at(1_000);
    // The first has had its whole burst again for long: nothing is taken from it.
    assert_eq!(charged(&table, 4, &quotas, 5, now), 5);
    assert_eq!((table.forgiven(), table.overflowed()), (0, 0));
    let kept = |n| left(&table, n, &quotas, now) != [10];
    assert_eq!([0, 1, 2, 3, 4].map(kept), [false, true, true, true, true]);
    // The second is the next.
    assert_eq!(charged(&table, 5, &quotas, 8, now), 8);
    assert_eq!(table.forgiven(), 1);
    assert_eq!([1, 2, 3, 4, 5].map(kept), [false, true, true, true, true]);
    // Then the fifth, the third and the sixth; and the one that is throttled stays.
    for (newcomer, gone) in [(6, 4), (7, 2), (8, 5)] {
        assert_eq!(charged(&table, newcomer, &quotas, 10, now), 10);
        assert!(!kept(gone) && kept(3), "{gone} for {newcomer}");
    }
    assert_eq!((table.forgiven(), table.overflowed()), (4, 0));
}

/// Nearest: R05 at the table: one set and many.
#[test]
fn r05_a_throttled_key_is_not_forgotten_in_a_flood_of_others() {
    fn flooded<const WAYS: usize>(sets: usize) {
        let (table, quotas) = (Table::<WAYS>::new(sets), quotas([Quota::per_second(4)]));
        assert_eq!(charged(&table, 0, &quotas, 9, at(0)), 4);
        for n in 1..20_000 {
            charged(&table, n, &quotas, 1 + n % 5, at(n / 100));
            assert_eq!(charged(&table, 0, &quotas, 1, at(n / 100)), 0, "after {n} others");
        }
        let last = Ticks::from_nanos(at(250).as_nanos() - 1);
        assert_eq!(charged(&table, 0, &quotas, 1, last), 0);
        assert_eq!(charged(&table, 0, &quotas, 9, at(250)), 1);
    }
    flooded::<1>(1);
    flooded::<2>(1);
    flooded::<15>(1);
    flooded::<15>(8);
}

/// Where a unit comes back in a part of a nanosecond, too.
#[test]
fn a_key_that_lacks_less_than_a_nanosecond_keeps_its_place() {
    let quotas = quotas([Quota::per(3, Duration::from_nanos(10)).burst(2)]);
    let table = Table::<1>::new(1);
    let now = |nanos: u64| Ticks::from_nanos(1_000 + nanos);
    assert_eq!(charged(&table, 0, &quotas, 2, now(0)), 2);
    // A unit comes back in 3 1/3 ns.
    assert!(table.charge(key(1), &quotas, 1, now(3)).is_shared(0));
    assert_eq!(charged(&table, 0, &quotas, 1, now(3)), 0);
    assert!(!table.charge(key(2), &quotas, 1, now(4)).is_shared(0));
}

#[test]
fn newcomers_that_find_no_place_have_the_quota_of_one_key_together() {
    let (table, quotas) = (Table::<2>::new(1), quotas([Quota::per_second(4)]));
    for n in 0..2 {
        assert_eq!(charged(&table, n, &quotas, 9, at(0)), 4);
    }
    let many = |now| (2..50).map(|n| charged(&table, n, &quotas, 1, now)).sum::<u64>();
    assert_eq!(many(at(0)), 4);
    assert_eq!(table.overflowed(), 4);
    assert!(table.peek(key(60), &quotas, 1, at(0)).is_shared(0));
    assert_eq!(many(at(249)), 0);
    let wait = table.peek(key(60), &quotas, 1, at(100)).retry_after(&quotas, 1);
    assert_eq!(wait, Some(Duration::from_millis(150)));
    // Those that have a place go on using what comes back to them, so that there is none for others.
    for now in (250..10_000).step_by(250) {
        assert_eq!(
            (charged(&table, 0, &quotas, 9, at(now)), charged(&table, 1, &quotas, 9, at(now))),
            (1, 1)
        );
        assert_eq!(many(at(now)), 1, "{now}");
    }
    assert_eq!(table.forgiven(), 0);
}

#[test]
fn without_a_place_the_quota_that_keeps_out_for_longest_counts_whatever_its_order() {
    let (slow, quick) = (Quota::per_second(1), Quota::per_second(10));
    for both in [[slow, quick], [quick, slow]] {
        let (table, one) = (Table::<1>::new(1), quotas([slow]));
        assert_eq!(charged(&table, 0, &one, 9, at(0)), 1);
        assert_eq!(charged(&table, 1, &quotas(both), 9, at(0)), 1);
        assert_eq!(charged(&table, 2, &one, 1, at(999)), 0);
        assert_eq!(charged(&table, 0, &one, 1, at(1_000)), 1);
        assert_eq!(charged(&table, 2, &one, 1, at(1_000)), 1);
    }
}

#[test]
fn a_key_that_was_charged_without_a_place_does_not_begin_anew_when_it_finds_one() {
    let (table, quotas) = (Table::<2>::new(1), quotas([Quota::per_second(4)]));
    for n in 0..3 {
        assert_eq!(charged(&table, n, &quotas, 9, at(0)), 4);
    }
    // Now the others have one unit each, and a little more, and may leave.
    assert_eq!(charged(&table, 2, &quotas, 9, at(270)), 1);
    assert_eq!((table.forgiven(), table.overflowed()), (1, 4));
    assert_eq!(charged(&table, 2, &quotas, 9, at(499)), 0);
    assert_eq!(charged(&table, 2, &quotas, 9, at(500)), 1);
}

#[test]
fn what_is_owed_without_a_place_keeps_others_out_for_a_whole_burst_at_most() {
    let (table, quotas) = (Table::<1>::new(1), quotas([Quota::per_second(4)]));
    assert_eq!(charged(&table, 0, &quotas, 4, at(0)), 4);
    table.adjust(key(0), &quotas, Adjustment::Debit(8), at(0));
    table.adjust(key(1), &quotas, Adjustment::Debit(1_000_000), at(0));
    assert_eq!(charged(&table, 2, &quotas, 1, at(249)), 0);
    assert_eq!(charged(&table, 2, &quotas, 9, at(250)), 1);
    // Who has a place owes all of it: 12 are more than a burst by 8.
    assert_eq!(charged(&table, 0, &quotas, 1, at(2_249)), 0);
    assert_eq!(charged(&table, 0, &quotas, 1, at(2_250)), 1);
}

/// The number that is shared is that of the stricter of two quotas, in whichever order they are charged.
#[test]
fn without_a_place_the_strictest_quota_decides() {
    for both in [[2, 8], [8, 2]] {
        let (table, one) = (Table::<1>::new(1), quotas([Quota::per_day(1)]));
        assert_eq!(charged(&table, 0, &one, 1, at(0)), 1);
        assert_eq!(charged(&table, 1, &quotas(both.map(Quota::per_second)), 9, at(0)), 2);
        assert_eq!(table.overflowed(), 4);
    }
}

#[test]
fn a_slow_quota_without_a_place_does_not_hold_up_a_quick_one() {
    let table = Table::<1>::new(1);
    let (quick, slow) = (quotas([Quota::per_second(4)]), quotas([Quota::per_day(4)]));
    assert_eq!(charged(&table, 0, &slow, 4, at(0)), 4);
    assert_eq!((charged(&table, 1, &slow, 9, at(0)), charged(&table, 2, &quick, 9, at(0))), (4, 4));
    assert_eq!(
        (charged(&table, 1, &slow, 9, at(250)), charged(&table, 2, &quick, 9, at(250))),
        (0, 1)
    );
}

#[test]
fn all_quotas_of_a_key_are_charged_or_none() {
    let table = Table::<7>::new(1);
    let both = quotas([Quota::per_second(10).burst(5), Quota::per_day(3)]);
    assert_eq!(charged(&table, 0, &both, 9, at(0)), 3);
    assert_eq!(left(&table, 0, &both, at(0)), [2, 0]);
    let refused = table.charge(key(0), &both, 1, at(0));
    assert_eq!((refused.outcome, left(&table, 0, &both, at(0))), (Outcome::Refused, vec![2, 0]));
    // More than one of them has at once.
    let never = table.charge(key(1), &both, 4, at(0));
    assert_eq!((never.outcome, left(&table, 1, &both, at(0))), (Outcome::Never, vec![5, 3]));
    // By another order and among others each is still the key's own.
    let swapped = quotas([Quota::per_day(3), Quota::per_second(10).burst(5)]);
    assert_eq!(left(&table, 0, &swapped, at(0)), [0, 2]);
    assert_eq!(left(&table, 0, &quotas([Quota::per_day(4)]), at(0)), [4]);
    assert_eq!(left(&table, 0, &both, at(300)), [5, 0]);
}

#[test]
fn a_key_with_more_quotas_than_there_are_places_is_held_to_all_of_them() {
    let table = Table::<2>::new(1);
    let four = [100, 90, 6, 80].map(Quota::per_minute);
    let four = quotas(four);
    assert_eq!(charged(&table, 0, &four, 99, at(0)), 6);
    assert_eq!(charged(&table, 0, &four, 1, at(9_999)), 0);
    assert_eq!(charged(&table, 0, &four, 9, at(10_000)), 1);
    // Its own numbers do not push each other out.
    assert_eq!(table.forgiven(), 0);
    assert!(table.overflowed() > 0);
}

#[test]
fn units_are_given_back_to_who_still_has_the_number_they_were_taken_from() {
    let (table, quotas) = (Table::<1>::new(1), quotas([Quota::per_second(4)]));
    let refund = |n, units| table.adjust(key(n), &quotas, Adjustment::Refund(units), at(0));
    // Not to one of whom nothing is known.
    refund(0, 4);
    assert_eq!(left(&table, 0, &quotas, at(0)), [4]);
    assert_eq!(charged(&table, 0, &quotas, 9, at(0)), 4);
    refund(0, 3);
    assert_eq!(left(&table, 0, &quotas, at(0)), [3]);
    // Nobody gives up a place for it.
    refund(1, 4);
    assert_eq!((left(&table, 0, &quotas, at(0)), table.forgiven()), (vec![3], 0));
    // And never more than a burst.
    refund(0, u64::MAX);
    assert_eq!(charged(&table, 0, &quotas, 9, at(0)), 4);
    // One without a place shared what it used; it is not given back for others to use.
    assert_eq!(charged(&table, 1, &quotas, 9, at(0)), 4);
    refund(1, 4);
    assert_eq!(charged(&table, 1, &quotas, 9, at(0)), 0);
    assert_eq!(left(&table, 0, &quotas, at(0)), [0]);
}

#[test]
fn a_penalty_is_never_more_than_two_bursts_however_many_there_are() {
    let (table, quotas) = (Table::<7>::new(1), quotas([Quota::per_second(1).burst(10)]));
    assert_eq!(charged(&table, 0, &quotas, 99, at(0)), 10);
    for _ in 0..50 {
        table.adjust(key(0), &quotas, Adjustment::Penalty(10), at(0));
    }
    let wait = table.peek(key(0), &quotas, 1, at(0)).retry_after(&quotas, 1);
    assert_eq!(wait, Some(Duration::from_secs(11)), "twenty seconds, of which nine may be left");
    // What is owed beyond that is not forgiven by it.
    table.adjust(key(0), &quotas, Adjustment::Debit(90), at(0));
    table.adjust(key(0), &quotas, Adjustment::Penalty(10), at(0));
    let wait = table.peek(key(0), &quotas, 1, at(0)).retry_after(&quotas, 1);
    assert_eq!(wait, Some(Duration::from_secs(101)));
}

/// One quota of two has found a place, the other has not: what is given back goes to the first.
#[test]
fn a_quota_that_has_a_place_is_known_from_one_that_shares() {
    let (quick, slow) = (Quota::per_second(10), Quota::per_day(1_000));
    let table = Table::<2>::new(1);
    assert_eq!(charged(&table, 0, &quotas([Quota::per_day(3)]), 9, at(0)), 3);
    let verdict = table.charge(key(1), &quotas([slow, quick]), 1, at(0));
    assert_eq!((verdict.is_shared(0), verdict.is_shared(1)), (false, true));
}

#[test]
fn what_is_put_right_does_not_let_a_key_count_as_free() {
    let (table, one) = (Table::<1>::new(1), quotas([Quota::per_second(1).burst(10)]));
    assert_eq!(table.charge(key(0), &one, 10, at(0)).outcome, Outcome::Admitted);
    // It has its whole burst again, and owes eight then: every one of its requests is refused.
    table.adjust(key(0), &one, Adjustment::Debit(8), at(10_000));
    assert_eq!(table.charge(key(0), &one, 10, at(10_000)).outcome, Outcome::Refused);
    for n in 1..50 {
        table.charge(key(n), &one, 1, at(10_000));
    }
    assert_eq!(left(&table, 0, &one, at(10_000)), [2]);
}

#[test]
fn a_peek_says_what_a_charge_would_and_changes_nothing() {
    let (table, quotas) = (Table::<7>::new(1), quotas([Quota::per_second(4)]));
    for n in 0..40 {
        let (peeked, again) = (
            table.peek(key(n % 7), &quotas, 1 + n % 3, at(n)),
            table.peek(key(n % 7), &quotas, 1 + n % 3, at(n)),
        );
        assert_eq!(peeked, again);
        assert_eq!(table.charge(key(n % 7), &quotas, 1 + n % 3, at(n)).outcome, peeked.outcome);
    }
    assert_eq!(table.peek(key(0), &quotas, 5, at(0)).outcome, Outcome::Never);
}

proptest! {
    #[test]
    fn a_tolerance_is_rounded_down_by_less_than_a_sixteenth(nanos in (0..62u32, any::<u64>()), more in 0..5u64) {
        let nanos = (nanos.1 >> 2) >> nanos.0;
        let read = Tolerance::from_nanos(nanos).nanos();
        prop_assert!(read <= nanos && nanos - read <= nanos / 16, "{} of {}", read, nanos);
        // So who counts as free is, and a longer one is not read as shorter.
        prop_assert!(Tolerance::from_nanos(nanos + more).nanos() >= read);
    }

    /// Keys with all kinds of quotas in small sets: whoever is admitted is so by his own number, exactly kept.
    #[test]
    fn no_key_is_admitted_too_often_wherever_it_is_charged(
        ways in 1..4usize,
        steps in proptest::collection::vec((0..6u64, 0..3usize, 0..8u8, 0..400u64), 1..200),
    ) {
        match ways {
            1 => run(&Table::<1>::new(1), &steps)?,
            2 => run(&Table::<2>::new(1), &steps)?,
            _ => run(&Table::<3>::new(1), &steps)?,
        }
    }
}

fn run<const WAYS: usize>(
    table: &Table<WAYS>,
    steps: &[(u64, usize, u8, u64)],
) -> Result<(), TestCaseError> {
    let (one, other) =
        (Quota::per_second(3).burst(1), Quota::per(1, Duration::from_secs(2)).burst(2));
    let plans = [quotas([one]), quotas([other]), quotas([one, other])];
    let mut kept: std::collections::HashMap<(u64, Quota), Tat> = Default::default();
    let mut now = at(0);
    for (n, plan, kind, millis) in steps.iter().copied() {
        now = now.plus(Duration::from_millis(millis));
        let plan = &plans[plan];
        if kind == 0 {
            table.adjust(key(n), plan, Adjustment::Refund(1), now);
            for quota in plan.as_slice() {
                let kept = kept.entry((n, *quota)).or_default();
                *kept = refund(*kept, now, quota, 1);
            }
            continue;
        }
        let verdict = table.charge(key(n), plan, 1, now);
        // What a key had used that had to go is forgiven: of that nothing is said here.
        if table.forgiven() > 0 {
            break;
        }
        if verdict.outcome != Outcome::Admitted {
            continue;
        }
        for quota in plan.as_slice() {
            let kept = kept.entry((n, *quota)).or_default();
            match gcra(Some(*kept), now, quota, 1) {
                Decision::Admitted(next) => *kept = next,
                other => return Err(TestCaseError::fail(format!("{n} by {quota:?}: {other:?}"))),
            }
        }
    }
    Ok(())
}
