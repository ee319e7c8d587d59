use std::time::Duration;

use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};

use super::*;

fn policies(quotas: &[Quota], names: &[&str]) -> Policies {
    Policies::new(&Quotas::new(quotas.iter().copied()).unwrap(), names, LimitUnit::Requests)
}

fn line(quotas: &[Quota], names: &[&str]) -> String {
    policies(quotas, names).line().unwrap().to_str().unwrap().to_owned()
}

fn names(policies: &Policies) -> Vec<&str> {
    policies.names().collect()
}

#[test]
fn a_policy_tells_amount_and_period_whatever_the_burst_is() {
    assert_eq!(line(&[Quota::per_minute(100)], &["default"]), "\"default\";q=100;w=60");
    assert_eq!(line(&[Quota::per_minute(100).burst(5)], &["default"]), "\"default\";q=100;w=60");
    assert_eq!(line(&[Quota::per_minute(100).burst(500)], &["default"]), "\"default\";q=100;w=60");
    let two = [Quota::per_second(10), Quota::per_day(1_000)];
    assert_eq!(line(&two, &["burst", "daily"]), "\"burst\";q=10;w=1, \"daily\";q=1000;w=86400");
}

#[test]
fn a_policy_of_bytes_says_so() {
    let quotas = Quotas::new([Quota::per_minute(65_535)]).unwrap();
    let policies = Policies::new(&quotas, &["sent"], LimitUnit::ContentBytes);
    assert_eq!(policies.line().unwrap(), "\"sent\";q=65535;qu=\"content-bytes\";w=60");
}

#[test]
fn a_period_that_is_no_whole_second_is_told_as_less_and_never_as_more() {
    let of = |amount, millis| in_whole_secs(&Quota::per(amount, Duration::from_millis(millis)));
    assert_eq!(of(10, 100), (100, 1));
    assert_eq!(of(5, 1_500), (6, 2));
    assert_eq!(of(1, 333), (3, 1));
    assert_eq!(of(1, 1_001), (1, 2));
    let most = Quota::per_day(1 << 60);
    assert_eq!(in_whole_secs(&most), (INTEGER_MAX, 86_400));
}

#[test]
fn a_policy_without_a_name_is_named_after_its_quota() {
    let named = |quota| names(&policies(&[quota], &[]))[0].to_owned();
    assert_eq!(named(Quota::per_minute(100)), "100-in-60s");
    assert_eq!(named(Quota::per(5, Duration::from_millis(1_500))), "5-in-1500ms");
    assert_eq!(named(Quota::per(5, Duration::from_micros(1_500))), "5-in-1500us");
    assert_eq!(named(Quota::per(5, Duration::from_nanos(1_500))), "5-in-1500ns");
    assert_eq!(named(Quota::per_minute(100).burst(20)), "100-in-60s-burst-20");
    let two = [Quota::per_second(10), Quota::per_day(1_000)];
    assert_eq!(names(&policies(&two, &["burst"])), ["burst", "1000-in-86400s"]);
    assert_eq!(names(&policies(&two, &["\u{e9}\n", ""])), ["10-in-1s", "1000-in-86400s"]);
}

#[test]
fn what_a_string_cannot_hold_is_left_out_of_a_name() {
    let policies = policies(&[Quota::per_second(1)], &["a\u{e9}\r\n\0\u{7f} \"b\"\\"]);
    assert_eq!(names(&policies), ["a \"b\"\\"]);
    assert_eq!(policies.line().unwrap(), r#""a \"b\"\\";q=1;w=1"#);
}

#[test]
fn two_names_of_one_layer_differ() {
    let three = [Quota::per_second(1), Quota::per_second(2), Quota::per_second(3)];
    assert_eq!(names(&policies(&three, &["a", "a", "a"])), ["a", "a-2", "a-3"]);
    assert_eq!(names(&policies(&three, &["a-2", "a", "a"])), ["a-2", "a", "a-3"]);
}

#[test]
fn names_that_are_taken_are_given_a_number() {
    let two = policies(&[Quota::per_second(1), Quota::per_second(2)], &["a", "b"]);
    assert!(two.beside(|name| name == "c").is_none());
    assert_eq!(names(&two.beside(|name| name == "a").unwrap()), ["a-2", "b"]);
    let beside = two.beside(|name| ["a", "a-2", "b"].contains(&name)).unwrap();
    assert_eq!(names(&beside), ["a-3", "b-2"]);
    assert_eq!(beside.line().unwrap(), "\"a-3\";q=1;w=1, \"b-2\";q=2;w=1");
    let numbered = policies(&[Quota::per_second(1), Quota::per_second(2)], &["a", "a-2"]);
    assert_eq!(names(&numbered.beside(|name| name == "a").unwrap()), ["a-2", "a-2-2"]);
}

#[test]
fn r20_a_line_of_more_than_512_bytes_is_left_out() {
    let four = [1, 2, 3, 4].map(Quota::per_second);
    // A member has ten bytes besides the letters of its name, and there are three commas with a space; quotation marks and backslashes
    // take two bytes each.
    let [marks, slashes] = ["\"", "\\"].map(|letter| letter.repeat(64));
    let both = "\"\\".repeat(32);
    let length = |last: &str| {
        let policies = policies(&four, &[&marks, &slashes, &both, last]);
        policies.line().map(HeaderValue::len)
    };
    assert_eq!(length(&format!("{}{}", "\"".repeat(18), "x".repeat(46))), Some(512));
    assert_eq!(length(&format!("{}{}", "\"".repeat(19), "x".repeat(45))), None);
}

#[test]
fn r20_a_name_of_a_megabyte_is_cut() {
    let policies = policies(&[Quota::per_second(1)], &[&"x".repeat(1 << 20)]);
    assert_eq!(names(&policies), ["x".repeat(64)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn r20_the_line_of_any_names_and_quotas_is_a_list_of_different_strings(
        quotas in prop::collection::vec((1_u64..1 << 48, 1_u64..1 << 40), 1..=4),
        given in prop::collection::vec(any::<String>(), 0..5),
    ) {
        let quotas = quotas.iter().map(|(amount, nanos)| {
            Quota::per(*amount, Duration::from_nanos(*nanos))
        });
        let kept: Vec<_> = quotas.filter(|quota| quota.check().is_ok()).collect();
        let Ok(quotas) = Quotas::new(kept) else { return Ok(()) };
        let policies = Policies::new(&quotas, &given, LimitUnit::ContentBytes);
        let Some(line) = policies.line() else { return Ok(()) };
        prop_assert!(line.len() <= LINE_BYTES_MAX);
        let list: List = Parser::new(line.as_bytes()).parse().unwrap();
        let mut seen = Vec::new();
        for (member, quota) in list.iter().zip(quotas.as_slice()) {
            let ListEntry::Item(item) = member else { panic!("{member:?}") };
            let BareItem::String(name) = &item.bare_item else { panic!("{item:?}") };
            seen.push(name.as_str().to_owned());
            let number = |key| match item.params.get(key) {
                Some(BareItem::Integer(number)) => u128::try_from(i64::from(*number)).unwrap(),
                other => panic!("{other:?}"),
            };
            // In `w` there is not more than comes back in it.
            let (q, w) = (number("q"), number("w"));
            prop_assert!(w >= 1);
            let period = quota.period().as_nanos();
            prop_assert!(q * period <= u128::from(quota.amount()) * w * 1_000_000_000);
        }
        prop_assert_eq!(&seen, &policies.names().collect::<Vec<_>>());
        let mut different = seen.clone();
        different.sort();
        different.dedup();
        prop_assert_eq!(different.len(), quotas.as_slice().len());
    }
}
