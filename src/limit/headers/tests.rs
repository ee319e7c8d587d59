use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};

use super::*;
use crate::limit::policies::LimitUnit;
use crate::limit::quota::Quota;
use crate::limit::verdict::Outcome::{Admitted, Never, Refused};

/// A limit, and a response that goes through it.
struct Limit {
    quotas: Quotas,
    policies: Policies,
}

impl Limit {
    fn new(quotas: &[Quota], names: &[&str]) -> Self {
        let quotas = Quotas::new(quotas.iter().copied()).unwrap();
        let policies = Policies::new(&quotas, names, LimitUnit::Requests);
        Self { quotas, policies }
    }

    /// For each quota, in how many milliseconds its burst is whole again.
    fn show(&self, fields: RateLimitFields, outcome: Outcome, refills: &[u64], at: &mut Passing) {
        let refills = refills.iter().copied().map(Duration::from_millis);
        let verdict = Verdict::new(outcome, refills);
        let told = Told { verdict: &verdict, quotas: &self.quotas, cost: 1 };
        fields.show(&self.policies, told, WITHIN, &mut at.fields, &mut at.extensions);
    }
}

const WITHIN: IsWithin = IsWithin(true);

#[derive(Default)]
struct Passing {
    fields: HeaderMap,
    extensions: Extensions,
}

impl Passing {
    fn with(fields: &[(&'static str, &str)]) -> Self {
        let mut passing = Self::default();
        for (name, value) in fields {
            passing.fields.append(*name, value.parse().unwrap());
        }
        passing
    }

    /// As it comes back from a cache.
    fn stored(self) -> Self {
        Self { fields: self.fields, extensions: Extensions::new() }
    }

    /// All lines of a field.
    fn of(&self, name: &str) -> Vec<&str> {
        self.fields.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    fn legacy(&self) -> [Vec<&str>; 3] {
        ["limit", "remaining", "reset"].map(|name| self.of(&format!("x-ratelimit-{name}")))
    }
}

fn shown(limit: &Limit, fields: RateLimitFields, outcome: Outcome, refills: &[u64]) -> Passing {
    let mut passing = Passing::default();
    limit.show(fields, outcome, refills, &mut passing);
    passing
}

fn api() -> Limit {
    Limit::new(&[Quota::per_minute(60)], &["api"])
}

fn two() -> Limit {
    Limit::new(&[Quota::per_second(10), Quota::per_day(1_000)], &["burst", "daily"])
}

use RateLimitFields::{Both, Draft11, Legacy};

#[test]
fn none_are_written_and_none_removed_unless_asked_for() {
    let mut passing = Passing::with(&[("ratelimit", "theirs"), ("x-ratelimit-limit", "7")]);
    api().show(RateLimitFields::None, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.of("ratelimit"), ["theirs"]);
    assert_eq!(passing.of("x-ratelimit-limit"), ["7"]);
    assert_eq!(passing.fields.len(), 2);
}

#[test]
fn what_is_left_is_told_with_the_time_in_which_so_much_comes_back() {
    let passing = shown(&api(), Draft11, Admitted, &[18_001]);
    assert_eq!(passing.of("ratelimit-policy"), ["\"api\";q=60;w=60"]);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=41;t=41"]);
    assert_eq!(passing.fields.len(), 2);
    assert_eq!(shown(&api(), Draft11, Admitted, &[0]).of("ratelimit"), ["\"api\";r=60;t=60"]);
    assert_eq!(shown(&api(), Draft11, Admitted, &[60_000]).of("ratelimit"), ["\"api\";r=0;t=1"]);
}

#[test]
fn r17_what_is_refused_is_told_the_wait_and_not_more() {
    let passing = shown(&api(), Draft11, Refused, &[59_001]);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=0;t=1"]);
    // The daily quota refuses nothing, and has longer until it is whole: the client is to come back after the wait.
    let passing = shown(&two(), Draft11, Refused, &[1_000, 86_400]);
    assert_eq!(passing.of("ratelimit"), ["\"burst\";r=0;t=1, \"daily\";r=999;t=1"]);
    let passing = shown(&two(), Draft11, Refused, &[1_000, 86_400_000]);
    assert_eq!(passing.of("ratelimit"), ["\"burst\";r=0;t=1, \"daily\";r=0;t=87"]);
}

#[test]
fn what_is_never_admitted_is_told_how_the_quotas_stand() {
    let limit = api();
    let verdict = Verdict::new(Never, [Duration::from_secs(9)]);
    let told = Told { verdict: &verdict, quotas: &limit.quotas, cost: 61 };
    let mut passing = Passing::default();
    Both.show(&limit.policies, told, WITHIN, &mut passing.fields, &mut passing.extensions);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=51;t=51"]);
    assert_eq!(passing.legacy(), [["60"], ["51"], ["9"]]);
}

#[test]
fn a_burst_of_more_than_an_integer_holds_is_told_as_the_most() {
    let most = Quota::per(1 << 14, Duration::from_nanos(1)).burst(u64::MAX);
    let limit = Limit::new(&[most], &["most"]);
    let passing = shown(&limit, Draft11, Admitted, &[0]);
    assert_eq!(passing.of("ratelimit"), ["\"most\";r=999999999999999;t=1125900"]);
    let limit = Limit::new(&[Quota::per_second(5_000)], &["more"]);
    assert_eq!(shown(&limit, Draft11, Admitted, &[1]).of("ratelimit"), ["\"more\";r=4995;t=1"]);
}

#[test]
fn older_fields_tell_of_the_quota_that_refuses_next() {
    let passing = shown(&two(), Legacy, Admitted, &[300, 86_400]);
    assert_eq!(passing.legacy(), [["10"], ["7"], ["1"]]);
    assert_eq!(passing.fields.len(), 3);
    let passing = shown(&two(), Legacy, Admitted, &[300, 998 * 86_400]);
    assert_eq!(passing.legacy(), [["1000"], ["2"], ["86228"]]);
    // As few of both: the one that takes longer.
    let passing = shown(&two(), Legacy, Admitted, &[300, 993 * 86_400]);
    assert_eq!(passing.legacy(), [["1000"], ["7"], ["85796"]]);
    let passing =
        shown(&Limit::new(&[Quota::per_minute(60).burst(5)], &[]), Legacy, Admitted, &[1_000]);
    assert_eq!(passing.legacy(), [["5"], ["4"], ["1"]]);
}

#[test]
fn r17_older_fields_of_a_refusal_tell_of_the_quota_that_refuses_for_the_longest_time() {
    let passing = shown(&two(), Legacy, Refused, &[1_000, 86_400_000]);
    assert_eq!(passing.legacy(), [["1000"], ["0"], ["87"]]);
    let passing = shown(&two(), Legacy, Refused, &[1_000, 86_400]);
    assert_eq!(passing.legacy(), [["10"], ["0"], ["1"]]);
}

#[test]
fn both_families_are_told() {
    let passing = shown(&api(), Both, Admitted, &[1_000]);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=59;t=59"]);
    assert_eq!(passing.of("ratelimit-policy").len(), 1);
    assert_eq!(passing.legacy(), [["60"], ["59"], ["1"]]);
}

#[test]
fn fields_of_others_are_removed() {
    let theirs = [
        ("ratelimit", "\"a\";r=1"),
        ("ratelimit", "\"b\";r=1"),
        ("ratelimit-policy", "\"a\";q=1"),
        ("ratelimit-limit", "1"),
        ("x-ratelimit-limit", "1"),
        ("x-ratelimit-remaining", "1"),
        ("x-ratelimit-used", "1"),
        ("x-other", "1"),
    ];
    let mut passing = Passing::with(&theirs);
    api().show(Draft11, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=59;t=59"]);
    assert_eq!(passing.of("ratelimit-policy"), ["\"api\";q=60;w=60"]);
    assert_eq!(passing.of("x-other"), ["1"]);
    assert_eq!(passing.fields.len(), 3);
    let mut passing = Passing::with(&theirs);
    api().show(Legacy, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.legacy(), [["60"], ["59"], ["1"]]);
    assert_eq!(passing.fields.len(), 4);
}

#[test]
fn fields_of_a_copy_from_a_cache_are_removed() {
    let mut passing = shown(&two(), Both, Admitted, &[900, 86_400]).stored();
    api().show(Both, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=59;t=59"]);
    assert_eq!(passing.of("ratelimit-policy"), ["\"api\";q=60;w=60"]);
    assert_eq!(passing.legacy(), [["60"], ["59"], ["1"]]);
}

#[test]
fn a_limit_leaves_word_for_those_further_out_alone() {
    let mut request = Extensions::new();
    let within = [RateLimitFields::None, Draft11, RateLimitFields::None, Legacy, Both]
        .map(|fields| fields.enter(&mut request));
    assert_eq!(within.map(|within| within.0), [false, false, false, true, true]);
    let limit = api();
    let verdict = Verdict::new(Admitted, []);
    let told = Told { verdict: &verdict, quotas: &limit.quotas, cost: 1 };
    let mut passing = Passing::default();
    for (is_within, has_word) in [(false, false), (true, true), (true, true), (false, false)] {
        let Passing { fields, extensions } = &mut passing;
        Draft11.show(&limit.policies, told, IsWithin(is_within), fields, extensions);
        assert_eq!(extensions.get::<Shown>().is_some(), has_word);
    }
    assert_eq!(
        passing.of("ratelimit"),
        ["\"api\";r=60;t=60, \"api-2\";r=60;t=60, \"api-3\";r=60;t=60"]
    );
}

#[test]
fn two_limits_around_one_another_tell_of_both() {
    let mut passing = shown(&api(), Draft11, Admitted, &[1_000]);
    two().show(Draft11, Admitted, &[100, 86_400], &mut passing);
    let policies = "\"api\";q=60;w=60, \"burst\";q=10;w=1, \"daily\";q=1000;w=86400";
    assert_eq!(passing.of("ratelimit-policy"), [policies]);
    let limits = "\"api\";r=59;t=59, \"burst\";r=9;t=1, \"daily\";r=999;t=86314";
    assert_eq!(passing.of("ratelimit"), [limits]);
}

#[test]
fn a_name_does_not_stand_there_twice() {
    let mut passing = shown(&api(), Draft11, Admitted, &[1_000]);
    let other = Limit::new(&[Quota::per_hour(7), Quota::per_day(9)], &["api", "pi"]);
    other.show(Draft11, Admitted, &[0, 0], &mut passing);
    let policies = "\"api\";q=60;w=60, \"api-2\";q=7;w=3600, \"pi\";q=9;w=86400";
    assert_eq!(passing.of("ratelimit-policy"), [policies]);
    assert_eq!(
        passing.of("ratelimit"),
        ["\"api\";r=59;t=59, \"api-2\";r=7;t=3600, \"pi\";r=9;t=86400"]
    );
    api().show(Draft11, Admitted, &[2_000], &mut passing);
    let limits = "\"api\";r=59;t=59, \"api-2\";r=7;t=3600, \"pi\";r=9;t=86400, \"api-3\";r=58;t=58";
    assert_eq!(passing.of("ratelimit"), [limits]);
}

#[test]
fn limits_that_tell_in_different_fields_do_not_remove_one_anothers() {
    let mut passing = shown(&api(), Legacy, Admitted, &[1_000]);
    two().show(Draft11, Admitted, &[0, 0], &mut passing);
    assert_eq!(passing.legacy(), [["60"], ["59"], ["1"]]);
    assert_eq!(passing.of("ratelimit"), ["\"burst\";r=10;t=1, \"daily\";r=1000;t=86400"]);
    let mut passing = shown(&api(), Draft11, Admitted, &[1_000]);
    two().show(Legacy, Admitted, &[0, 0], &mut passing);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=59;t=59"]);
    assert_eq!(passing.legacy(), [vec!["10"], vec!["10"], vec!["0"]]);
    // The one that wrote lists is not the nearest any more.
    api().show(Draft11, Admitted, &[0], &mut passing);
    assert_eq!(passing.of("ratelimit"), ["\"api\";r=59;t=59, \"api-2\";r=60;t=60"]);
}

#[test]
fn of_two_limits_the_older_fields_tell_of_the_stricter() {
    let slow = Limit::new(&[Quota::per_hour(5)], &[]);
    let mut passing = shown(&api(), Legacy, Admitted, &[1_000]);
    slow.show(Legacy, Admitted, &[0], &mut passing);
    assert_eq!(passing.legacy(), [["5"], ["5"], ["0"]]);
    let mut passing = shown(&slow, Legacy, Admitted, &[0]);
    api().show(Legacy, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.legacy(), [["5"], ["5"], ["0"]]);
    // A refusal of three units that it has not: what the one outside has left does not matter.
    let mut passing = Passing::default();
    let verdict = Verdict::new(Refused, [Duration::from_secs(1_440)]);
    let told = Told { verdict: &verdict, quotas: &slow.quotas, cost: 4 };
    Legacy.show(&slow.policies, told, WITHIN, &mut passing.fields, &mut passing.extensions);
    assert_eq!(passing.legacy(), [["5"], ["3"], ["720"]]);
    let nearly = Limit::new(&[Quota::per_minute(60).burst(1)], &[]);
    nearly.show(Legacy, Admitted, &[1_000], &mut passing);
    assert_eq!(passing.legacy(), [["5"], ["3"], ["720"]]);
}

#[test]
fn r20_a_line_of_more_than_512_bytes_is_left_out_and_stays_out() {
    let names = ["a", "b", "c", "d"].map(|letter| "\"".repeat(60) + letter);
    let quotas = [1, 2, 3, 4].map(Quota::per_second);
    let long = Limit::new(&quotas, &names.each_ref().map(|name| &**name));
    let mut passing = Passing::with(&[("ratelimit", "theirs"), ("ratelimit-policy", "theirs")]);
    long.show(Draft11, Admitted, &[0; 4], &mut passing);
    assert_eq!(passing.of("ratelimit-policy").len() + passing.of("ratelimit").len(), 0);
    api().show(Draft11, Admitted, &[0], &mut passing);
    assert_eq!(passing.of("ratelimit-policy").len() + passing.of("ratelimit").len(), 0);
}

#[test]
fn r20_limits_around_one_another_have_512_bytes_together() {
    // `"x..x";r=1;t=1` is ten bytes and the name, and so is `"x..x";q=1;w=1`.
    let one =
        |letter: &str, letters| Limit::new(&[Quota::per_second(1)], &[&letter.repeat(letters)]);
    let mut passing = Passing::default();
    for letter in ["a", "b", "c", "d", "e", "f"] {
        one(letter, 64).show(Draft11, Admitted, &[0], &mut passing);
    }
    one("g", 46).show(Draft11, Admitted, &[0], &mut passing);
    assert_eq!(passing.of("ratelimit")[0].len(), 512);
    assert_eq!(passing.of("ratelimit-policy")[0].len(), 512);
    // One more byte would be too much, and what is further out alone would pass for all.
    for _ in 0..2 {
        one("h", 1).show(Draft11, Admitted, &[0], &mut passing);
        assert!(passing.of("ratelimit").is_empty() && passing.of("ratelimit-policy").is_empty());
    }
}

fn quotas() -> impl Strategy<Value = Vec<Quota>> {
    let quota = (1_u64..1 << 48, 1_u64..1 << 45, 1_u64..1 << 20)
        .prop_map(|(amount, nanos, burst)| {
            Quota::per(amount, Duration::from_nanos(nanos)).burst(burst)
        })
        .prop_filter("can be kept", |quota| quota.check().is_ok());
    prop::collection::vec(quota, 1..=4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn r17_the_fields_are_lists_that_promise_no_more_than_there_is(
        quotas in quotas(),
        names in prop::collection::vec("[ -~]{0,20}", 0..5),
        parts in prop::collection::vec(0_u32..=1_000, 4),
        cost in 1_u64..1 << 20,
    ) {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let limit = Limit::new(&quotas, &names);
        let refills = limit.quotas.as_slice().iter().zip(&parts);
        let refills: Vec<_> = refills.map(|(quota, part)| quota.refill() * *part / 1_000).collect();
        // What a store says of these.
        let wait = Verdict::new(Admitted, refills.clone()).retry_after(&limit.quotas, cost);
        let outcome = match wait {
            None => Never,
            Some(Duration::ZERO) => Admitted,
            Some(_) => Refused,
        };
        let verdict = Verdict::new(outcome, refills);
        let told = Told { verdict: &verdict, quotas: &limit.quotas, cost };
        let mut passing = Passing::default();
        Both.show(&limit.policies, told, WITHIN, &mut passing.fields, &mut passing.extensions);
        prop_assert_eq!(passing.legacy().map(|lines| lines.len()), [1, 1, 1]);
        for line in passing.of("ratelimit") {
            prop_assert!(line.len() <= 512);
            let list: List = Parser::new(line).parse().unwrap();
            prop_assert_eq!(list.len(), limit.quotas.as_slice().len());
            for (member, quota) in list.iter().zip(limit.quotas.as_slice()) {
                let ListEntry::Item(item) = member else { panic!("{member:?}") };
                let number = |key| match item.params.get(key) {
                    Some(BareItem::Integer(number)) => u64::try_from(i64::from(*number)).ok(),
                    None => None,
                    other => panic!("{other:?}"),
                };
                prop_assert!(number("r").unwrap() <= quota.burst_max());
                if let (Refused, Some(wait)) = (outcome, wait) {
                    prop_assert!(number("t").unwrap_or(0) <= secs_up(wait));
                }
            }
        }
    }
}
