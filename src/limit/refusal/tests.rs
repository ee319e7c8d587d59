use proptest::prelude::*;

use super::*;
use crate::limit::policies::LimitUnit;
use crate::limit::quota::Quota;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ten in a second and a thousand a day, as they stand; of no jitter.
fn refused(outcome: Outcome, refills: [Duration; 2], cost: u64) -> Option<LimitRefusal> {
    let quotas = Quotas::new([Quota::per_second(10), Quota::per_day(1_000)]).unwrap();
    let policies = Policies::new(&quotas, &["burst", "daily"], LimitUnit::Requests);
    let verdict = Verdict::new(outcome, refills);
    LimitRefusal::by_quotas(&verdict, &quotas, cost, &policies.into(), Jitter::default(), u64::MAX)
}

fn violated(refusal: &LimitRefusal) -> Vec<&str> {
    refusal.violated_policies().collect()
}

#[test]
fn what_is_admitted_is_not_refused() {
    assert!(refused(Outcome::Admitted, [secs(1), secs(86_400)], 1).is_none());
}

#[test]
fn r17_a_refusal_names_the_quotas_that_refuse_and_the_longest_wait() {
    let refusal = refused(Outcome::Refused, [secs(1), Duration::ZERO], 1).unwrap();
    assert_eq!(refusal.kind(), LimitRefusalKind::QuotaExceeded);
    assert_eq!(refusal.retry_after(), Some(Duration::from_millis(100)));
    assert_eq!(violated(&refusal), ["burst"]);
    let refusal = refused(Outcome::Refused, [Duration::ZERO, secs(86_400)], 1).unwrap();
    assert_eq!(refusal.retry_after(), Some(Duration::from_millis(86_400)));
    assert_eq!(violated(&refusal), ["daily"]);
    let refusal = refused(Outcome::Refused, [secs(1), secs(86_400)], 1).unwrap();
    assert_eq!(refusal.retry_after(), Some(Duration::from_millis(86_400)));
    assert_eq!(violated(&refusal), ["burst", "daily"]);
    assert_eq!(refusal.violated_quoted().collect::<Vec<_>>(), ["\"burst\"", "\"daily\""]);
}

#[test]
fn r08_a_cost_over_the_burst_waits_for_nothing_and_names_the_quotas_that_never_admit_it() {
    let refusal = refused(Outcome::Never, [secs(1), secs(86_400)], 11).unwrap();
    assert_eq!(refusal.kind(), LimitRefusalKind::TooExpensive);
    assert_eq!(refusal.retry_after(), None);
    assert_eq!(violated(&refusal), ["burst"]);
    let refusal = refused(Outcome::Never, [secs(0), secs(0)], 1_001).unwrap();
    assert_eq!(violated(&refusal), ["burst", "daily"]);
    // A store that says that it does not admit it yet does not know the quota.
    let refusal = refused(Outcome::Refused, [secs(0), secs(0)], 11).unwrap();
    assert_eq!(refusal.kind(), LimitRefusalKind::TooExpensive);
}

#[test]
fn refusals_by_no_quota_name_none() {
    let too_many = LimitRefusal::too_many_at_once();
    assert_eq!((too_many.kind(), too_many.retry_after()), (LimitRefusalKind::TooManyAtOnce, None));
    let no_key = LimitRefusal::no_key(Keyless::Header);
    assert_eq!((no_key.kind(), no_key.retry_after()), (LimitRefusalKind::NoKey, None));
    let unavailable = LimitRefusal::unavailable(secs(5));
    assert_eq!(unavailable.kind(), LimitRefusalKind::Unavailable);
    assert_eq!(unavailable.retry_after(), Some(secs(5)));
    for refusal in [too_many, no_key, unavailable] {
        assert_eq!(refusal.violated_policies().count(), 0);
    }
}

#[test]
fn it_is_shown_without_what_it_holds() {
    let refusal = refused(Outcome::Refused, [secs(1), Duration::ZERO], 1).unwrap();
    let shown = "LimitRefusal { kind: QuotaExceeded, retry_after: Some(100ms), violated_policies: [\"burst\"] }";
    assert_eq!(format!("{refusal:?}"), shown);
    assert_eq!(refusal.to_string(), "the quota is used up");
}

#[test]
fn r17_jitter_lengthens_a_wait_by_up_to_its_fraction() {
    let lengthened = |fraction, random| Jitter::up_to(fraction).lengthen(secs(100), random);
    assert_eq!(lengthened(0.0, u64::MAX), secs(100));
    assert_eq!(lengthened(0.5, 0), secs(100));
    assert_eq!(lengthened(0.5, u64::MAX), secs(150));
    assert_eq!(lengthened(1.0, u64::MAX), secs(200));
    let half = lengthened(0.5, u64::MAX / 2);
    assert!(half.abs_diff(secs(125)) < Duration::from_millis(1), "{half:?}");
    assert_eq!(Jitter::up_to(f64::NAN), Jitter::default());
    assert_eq!(Jitter::up_to(-1.0), Jitter::default());
    assert_eq!(Jitter::up_to(7.0), Jitter::up_to(1.0));
    assert_eq!(Jitter::up_to(1.0).lengthen(Duration::MAX, u64::MAX), Duration::MAX);
}

#[test]
fn r17_jitter_is_even() {
    let jitter = Jitter::up_to(1.0);
    let mut tenths = [0; 10];
    for step in 0..1_000_u64 {
        // In the middle of each thousandth, so that no rounding moves it into another tenth.
        let random = step * (u64::MAX / 1_000) + u64::MAX / 2_000;
        let more = jitter.lengthen(secs(10), random) - secs(10);
        tenths[more.as_secs() as usize] += 1;
    }
    assert_eq!(tenths, [100; 10]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn r17_jitter_never_shortens(secs in any::<u64>(), nanos in 0_u32..1_000_000_000, fraction in any::<f64>(), random in any::<u64>()) {
        let wait = Duration::new(secs, nanos);
        let told = Jitter::up_to(fraction).lengthen(wait, random);
        prop_assert!(told >= wait);
        prop_assert!(told <= wait.saturating_mul(2));
    }
}
