//! The arithmetic against a bucket that counts exactly, and at the ends of its numbers.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::limit::quota::QuotaErrorKind;

/// A leaky bucket that counts on 128 bits: a unit fills it by the period, and a nanosecond drains it by the amount. Where that takes more than
/// 16,384 parts of a nanosecond, it takes so many, and a unit fills it by a little more.
struct Bucket {
    quota: Quota,
    fills: u128,
    drains: u128,
    level: u128,
    at: u64,
}

impl Bucket {
    fn new(quota: Quota, at: u64) -> Self {
        let (period, amount) = (quota.period().as_nanos(), u128::from(quota.amount()));
        let is_exact = (1..=16_384).any(|parts| (period * parts) % amount == 0);
        let (fills, drains) = match is_exact {
            true => (period, amount),
            false => ((period * 16_384).div_ceil(amount), 16_384),
        };
        Self { quota, fills, drains, level: 0, at }
    }

    fn room(&self) -> u128 {
        u128::from(self.quota.burst_max()) * self.fills
    }

    fn drain_until(&mut self, now: u64) {
        let drained = u128::from(now - self.at) * self.drains;
        (self.level, self.at) = (self.level.saturating_sub(drained), now);
    }

    fn level_with(&self, units: u64) -> u128 {
        self.level.saturating_add(u128::from(units).saturating_mul(self.fills))
    }

    fn admits(&self, cost: u64) -> bool {
        self.level_with(cost) <= self.room()
    }

    fn wait(&self, cost: u64) -> Option<u128> {
        let over = self.level_with(cost).saturating_sub(self.room());
        (cost <= self.quota.burst_max()).then(|| over.div_ceil(self.drains))
    }

    fn remaining(&self) -> u128 {
        self.room().saturating_sub(self.level) / self.fills
    }

    /// The most that a key may owe.
    fn debt_max(&self) -> u128 {
        let full = self.room() / self.drains;
        DEBT_MAX.as_nanos().max(2 * full) * self.drains
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Charge(u64),
    Debit(u64),
    Refund(u64),
}

/// What the code under test has made of the same steps.
fn level(bucket: &Bucket, tat: Option<Tat>, now: u64) -> u128 {
    let Span { nanos, part } = backlog(tat, Ticks::from_nanos(now));
    let parts = bucket.quota.parts;
    assert!(part < parts && parts <= 16_384);
    u128::from(nanos) * bucket.drains + u128::from(part) * (bucket.drains / u128::from(parts))
}

fn quotas() -> impl Strategy<Value = Quota> {
    let second = 1_000_000_000;
    let amounts = prop_oneof![
        select(vec![1, 2, 3, 7, 60, 100, 7_919, 1_000_000_000_000, (1 << 48) - 1]),
        1..1_000u64,
        1..1u64 << 48,
    ];
    let periods = prop_oneof![
        select(vec![1, second, 60 * second, 86_400 * second, u64::MAX]),
        1..=u64::MAX,
        1..100 * second,
    ];
    let bursts = prop_oneof![select(vec![1, 2, 3, 10, 1_000]), 1..=u64::MAX, 1..50u64];
    (amounts, periods, bursts, any::<bool>())
        .prop_map(|(amount, period, burst, is_set)| {
            let quota = Quota::per(amount, Duration::from_nanos(period));
            if is_set { quota.burst(burst) } else { quota }
        })
        .prop_filter("can be kept", |quota| quota.check().is_ok())
}

/// Numbers of every size, and some that lie about what the quota is made of.
fn sizes() -> impl Strategy<Value = (u32, u64)> {
    (0..6u32, prop_oneof![0..4u64, any::<u64>()])
}

/// Of such a number, one that is near to what decides.
fn scaled(of: u64, (shift, number): (u32, u64)) -> u64 {
    match shift {
        0 => number % 3,
        1 => of.saturating_add(number % 3).saturating_sub(1),
        2 => number % of.saturating_add(1),
        3 => (of / 2).saturating_add(number % 3),
        4 => number % 1_000,
        _ => number,
    }
}

type Sizes = Vec<(u8, (u32, u64), (u32, u64))>;

fn steps() -> impl Strategy<Value = Sizes> {
    proptest::collection::vec((0..10u8, sizes(), sizes()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_decision_is_that_of_a_bucket_which_counts_exactly(quota in quotas(), start in 0..1u64 << 61, steps in steps()) {
        let mut bucket = Bucket::new(quota, start);
        let (mut tat, mut now) = (None, start);
        for (kind, cost, advance) in steps {
            // Rather by as long as some units take than by any length; and not to the end of the clock.
            let unit = scaled(quota.time_of(1 + advance.1 % 3).nanos, advance);
            now = now.saturating_add(unit % (1 << 62)).min(1 << 62);
            bucket.drain_until(now);
            let units = scaled(quota.burst_max(), cost);
            let step = match kind {
                0 => Step::Debit(units),
                1 => Step::Refund(units),
                _ => Step::Charge(units.max(1)),
            };
            apply(step, &mut bucket, &mut tat, now)?;
            prop_assert_eq!(level(&bucket, tat, now), bucket.level);
            let backlog = backlog(tat, Ticks::from_nanos(now));
            prop_assert_eq!(u128::from(remaining(&quota, backlog)), bucket.remaining());
            for cost in [1, units, quota.burst_max(), quota.burst_max().saturating_add(1)] {
                let wait = wait(&quota, backlog, cost).map(|wait| wait.as_nanos());
                prop_assert_eq!(wait, bucket.wait(cost), "{} of {:?}", cost, quota);
            }
        }
    }

    #[test]
    fn a_wait_is_exact_and_what_remains_is_the_most_that_is_admitted(quota in quotas(), used in sizes(), asked in sizes()) {
        let start = 1 << 40;
        let used = scaled(quota.burst_max(), used).min(quota.burst_max());
        let tat = match gcra(None, Ticks::from_nanos(start), &quota, used) {
            Decision::Admitted(tat) => Some(tat),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let is_admitted = |at: u64, cost: u64| {
            matches!(gcra(tat, Ticks::from_nanos(at), &quota, cost), Decision::Admitted(_))
        };
        let backlog = backlog(tat, Ticks::from_nanos(start));
        let left = remaining(&quota, backlog);
        prop_assert!(is_admitted(start, left) && (left == u64::MAX || !is_admitted(start, left + 1)));
        let cost = scaled(quota.burst_max(), asked).clamp(1, quota.burst_max());
        let wait = wait(&quota, backlog, cost).unwrap().as_nanos() as u64;
        prop_assert!(is_admitted(start + wait, cost));
        prop_assert!(wait == 0 || !is_admitted(start + wait - 1, cost));
    }

    /// Nearest: whatever the numbers are, also those of quotas that nobody has checked and of clocks that go back; the
    /// layer comes later.
    #[test]
    fn r07_r08_no_number_makes_the_arithmetic_panic_or_admit_by_a_quota_of_nothing(
        amount in edges(), period in edges(), burst in edges(), cost in edges(), now in edges(), nanos in edges(), part in edges(),
    ) {
        let quota = Quota::per(amount, Duration::from_nanos(period)).burst(burst);
        let now = Ticks::from_nanos(now);
        // What is kept has parts that are less than the amount.
        let kept = Tat(Span { nanos, part: part % amount.clamp(1, 1 << 48) });
        for tat in [None, Some(kept)] {
            let decision = gcra(tat, now, &quota, cost.max(1));
            let is_admitted = matches!(decision, Decision::Admitted(_));
            prop_assert!(!is_admitted || quota.check().is_ok());
            let after = debit(tat, now, &quota, cost);
            prop_assert!(backlog(Some(after), now) >= backlog(tat, now));
            let before = refund(kept, now, &quota, cost);
            prop_assert!(backlog(Some(before), now) <= backlog(Some(kept), now));
            let left = remaining(&quota, backlog(tat, now));
            prop_assert!(left <= burst);
            let _ = wait(&quota, backlog(tat, now), cost);
        }
        prop_assert!(quota.tolerance_nanos(1) <= quota.refill().as_nanos() as u64);
    }
}

fn edges() -> impl Strategy<Value = u64> {
    prop_oneof![
        select(vec![0, 1, 2, (1 << 48) - 1, 1 << 48, 1 << 62, u64::MAX - 1, u64::MAX]),
        any::<u64>()
    ]
}

fn apply(
    step: Step,
    bucket: &mut Bucket,
    tat: &mut Option<Tat>,
    at: u64,
) -> Result<(), TestCaseError> {
    let (quota, now) = (bucket.quota, Ticks::from_nanos(at));
    match step {
        Step::Charge(cost) => match gcra(*tat, now, &quota, cost) {
            Decision::Admitted(next) => {
                prop_assert!(bucket.admits(cost), "{cost} too much");
                bucket.level = bucket.level_with(cost);
                *tat = Some(next);
            }
            Decision::Refused => prop_assert!(!bucket.admits(cost), "{cost} was not admitted"),
            Decision::Never => prop_assert!(cost > quota.burst_max(), "{cost} was not admitted"),
        },
        Step::Debit(units) => {
            bucket.level = bucket.level_with(units).min(bucket.debt_max()).max(bucket.level);
            *tat = Some(debit(*tat, now, &quota, units));
            prop_assert!(bucket.level <= bucket.debt_max());
        }
        Step::Refund(units) => {
            let back = u128::from(units).saturating_mul(bucket.fills);
            bucket.level = bucket.level.saturating_sub(back);
            *tat = tat.map(|tat| refund(tat, now, &quota, units));
        }
    }
    Ok(())
}

/// What a key that always asks is admitted from now on, until so much later.
fn admitted(quota: &Quota, length: Duration, every: Duration) -> u64 {
    let (mut tat, mut admitted) = (None, 0);
    let (start, end) = (1 << 40, (1 << 40) + nanos(length));
    for at in (start..=end).step_by(every.as_nanos() as usize) {
        while let Decision::Admitted(next) = gcra(tat, Ticks::from_nanos(at), quota, 1) {
            (tat, admitted) = (Some(next), admitted + 1);
        }
    }
    admitted
}

#[test]
fn rates_that_no_whole_number_of_nanoseconds_makes_are_kept_exactly() {
    let secs = Duration::from_secs;
    let hour = secs(3_600);
    assert_eq!(admitted(&Quota::per_second(3), hour, secs(1)), 3 + 3 * 3_600);
    assert_eq!(admitted(&Quota::per_second(7), hour, secs(1)), 7 + 7 * 3_600);
    assert_eq!(admitted(&Quota::per_minute(7), 24 * hour, secs(60)), 7 + 7 * 24 * 60);
    assert_eq!(admitted(&Quota::per_second(7_919), secs(100), secs(1)), 7_919 * 101);
    // One at a time, each asked for every millisecond: a third of a second, but not a nanosecond earlier.
    let one = Quota::per_second(3).burst(1);
    assert_eq!(admitted(&one, secs(10), Duration::from_millis(1)), 1 + 29);
    assert_eq!(admitted(&one, hour, Duration::from_nanos(333_333_333)), 1 + 5_400);
}

/// Nearest: R11 at the arithmetic, which gives nothing to write.
#[test]
fn r11_who_is_refused_and_asks_on_is_admitted_as_soon_as_one_who_waits() {
    let quota = Quota::per_minute(7).burst(2);
    let start = 5_000;
    let mut tat = None;
    for _ in 0..2 {
        match gcra(tat, Ticks::from_nanos(start), &quota, 1) {
            Decision::Admitted(next) => tat = Some(next),
            other => panic!("{other:?}"),
        }
    }
    let wait = wait(&quota, backlog(tat, Ticks::from_nanos(start)), 1).unwrap().as_nanos() as u64;
    assert_eq!(wait, 60_000_000_000u64.div_ceil(7));
    for at in (start..start + wait).step_by(1_000_003) {
        assert_eq!(gcra(tat, Ticks::from_nanos(at), &quota, 1), Decision::Refused);
    }
    assert_eq!(gcra(tat, Ticks::from_nanos(start + wait - 1), &quota, 1), Decision::Refused);
    let admitted = gcra(tat, Ticks::from_nanos(start + wait), &quota, 1);
    assert!(matches!(admitted, Decision::Admitted(_)));
}

/// Nearest: R07 at the arithmetic: a clock that goes back, one that was asleep, and one at its end.
#[test]
fn r07_clocks_that_jump_neither_panic_nor_admit_more() {
    let quota = Quota::per_second(10);
    let at = Ticks::from_nanos;
    let Decision::Admitted(used) = gcra(None, at(1 << 50), &quota, 10) else { panic!() };
    // An hour back: refused until it is as late as it was.
    let earlier = at((1 << 50) - 3_600_000_000_000);
    assert_eq!(gcra(Some(used), earlier, &quota, 1), Decision::Refused);
    assert_eq!(remaining(&quota, backlog(Some(used), earlier)), 0);
    // Asleep for a century: a burst, and not what has come together in it.
    let later = at(1 << 62);
    assert!(matches!(gcra(Some(used), later, &quota, 10), Decision::Admitted(_)));
    assert_eq!(gcra(Some(used), later, &quota, 11), Decision::Never);
    // After 584 years nothing can be put off any more, and so nothing is admitted.
    assert_eq!(gcra(None, at(u64::MAX), &quota, 1), Decision::Refused);
    assert_eq!(
        gcra(Some(Tat(Span { nanos: u64::MAX, part: 0 })), at(u64::MAX), &quota, 10),
        Decision::Refused
    );
    assert_eq!(debit(None, at(u64::MAX), &quota, u64::MAX).0.nanos, u64::MAX);
}

/// Nearest: R08 at the values; the builder of a layer says the same.
#[test]
fn r08_a_quota_of_nothing_is_an_error_and_admits_nothing_where_nobody_has_checked_it() {
    let cases = [
        (Quota::per_second(0), QuotaErrorKind::NoAmount),
        (Quota::per(1, Duration::ZERO), QuotaErrorKind::NoPeriod),
        (Quota::per_day(1).burst(0), QuotaErrorKind::NoBurst),
        (Quota::per_second(1 << 48), QuotaErrorKind::AmountTooLarge),
        (Quota::per(1, Duration::MAX), QuotaErrorKind::TooSlow),
        (Quota::per_second(1).burst(u64::MAX), QuotaErrorKind::TooSlow),
    ];
    for (quota, kind) in cases {
        assert_eq!(quota.check().unwrap_err().kind(), kind);
        assert_eq!(crate::limit::quota::Quotas::new([quota]).unwrap_err().kind(), kind);
        for cost in [1, 2, u64::MAX] {
            assert_eq!(
                gcra(None, Ticks::from_nanos(7), &quota, cost),
                Decision::Never,
                "{quota:?}"
            );
            assert_eq!(wait(&quota, Span::default(), cost), None);
        }
        assert_eq!(remaining(&quota, Span::default()), 0, "{quota:?}");
    }
    let most = Quota::per(1, Duration::MAX).check();
    assert!(most.is_err(), "Duration::MAX is cut to 584 years, which is too slow");
    let quota = Quota::per_second(5);
    for cost in [6, u64::MAX] {
        assert_eq!(gcra(None, Ticks::from_nanos(7), &quota, cost), Decision::Never);
        assert_eq!(wait(&quota, Span::default(), cost), None);
    }
}

#[test]
fn r07_at_the_end_of_the_clock_a_debit_forgives_nothing() {
    let quota = Quota::per((1 << 48) - 1, Duration::from_nanos(1)).burst(1);
    let now = Ticks::from_nanos(u64::MAX - 1);
    let tat = Tat(Span { nanos: u64::MAX, part: (1 << 48) - 2 });
    assert_eq!(debit(Some(tat), now, &quota, 2), tat);
}
