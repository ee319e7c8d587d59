//! Freshness arithmetic, whatever numbers and dates a response holds.

use std::time::Duration;

use http::HeaderValue;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::string::string_regex;
use tower_keep::cache::{CacheHint, CachePolicy, DefaultFreshness};
use tower_keep::time::Timestamp;

use super::{cases, run};
use crate::support::{Harness, request, response};

/// Seconds as somebody might write them, right or wrong.
fn seconds() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<u64>().prop_map(|secs| secs.to_string()),
        4 => (0..200u64).prop_map(|secs| secs.to_string()),
        2 => (0..8u64).prop_map(|more| ((1u64 << 31) - 4 + more).to_string()),
        2 => "[0-9]{1,40}",
        1 => "-?[0-9]{1,12}(\\.[0-9])?",
        1 => any::<i128>().prop_map(|secs| secs.to_string()),
        1 => Just(String::new()),
        1 => "[ -~]{0,12}",
    ]
}

/// Dates in all forms, real ones and others.
fn date() -> impl Strategy<Value = String> {
    let day = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
    let month = "(Jan|Feb|Mar|Apr|Jun|Sep|Dec|Foo)";
    let time = "[0-2][0-9]:[0-5][0-9]:[0-6][0-9]";
    let form = |form: String| string_regex(&form).unwrap();
    prop_oneof![
        6 => form(format!("{day}, [0-3][0-9] {month} [0-9]{{4}} {time} GMT")),
        2 => Just("Sun, 13 Sep 2020 12:26:40 GMT".to_owned()),
        2 => form(format!("Sunday, [0-3][0-9]-{month}-[0-9]{{2}} {time} GMT")),
        2 => form(format!("{day} {month} [ 1-3][0-9] {time} [0-9]{{4}}")),
        1 => Just("Fri, 31 Dec 9999 23:59:60 GMT".to_owned()),
        1 => Just("Sat, 01 Jan 0000 00:00:00 GMT".to_owned()),
        2 => seconds(),
    ]
}

/// The fields of a response that tell of its age and freshness.
fn said() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let directive = (
        prop_oneof![
            4 => Just("max-age"),
            2 => Just("s-maxage"),
            1 => Just("stale-while-revalidate"),
            1 => Just("stale-if-error"),
        ],
        seconds(),
    );
    let directives = vec(directive.prop_map(|(name, secs)| format!("{name}={secs}")), 0..4);
    let field = prop_oneof![
        3 => directives.prop_map(|list| ("cache-control", list.join(", "))),
        1 => seconds().prop_map(|secs| ("cdn-cache-control", format!("max-age={secs}"))),
        3 => seconds().prop_map(|secs| ("age", secs)),
        1 => vec(seconds(), 2..4).prop_map(|list| ("age", list.join(","))),
        2 => date().prop_map(|date| ("date", date)),
        2 => date().prop_map(|date| ("expires", date)),
        2 => date().prop_map(|date| ("last-modified", date)),
        1 => Just(("etag", "\"1\"".to_owned())),
    ];
    vec(field, 0..6)
}

fn length() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::MAX),
        Just(Duration::ZERO),
        (0..200u64).prop_map(Duration::from_secs),
        any::<u64>().prop_map(Duration::from_secs),
        any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn policy() -> impl Strategy<Value = CachePolicy> {
    let fraction = prop_oneof![any::<f64>(), 0.0..1.0f64, Just(f64::NAN)];
    let own = (length(), length(), length(), fraction.clone(), fraction, length());
    prop_oneof![
        Just(CachePolicy::shared()),
        Just(CachePolicy::rfc9111()),
        own.prop_map(|(fixed, min, max, fraction, jitter, disconnect)| {
            let fixed = DefaultFreshness::fixed(fixed).min(min).max(max).jitter(jitter);
            let heuristic = DefaultFreshness::heuristic(fraction).min(min).max(max).jitter(jitter);
            let freshness = if disconnect.is_zero() { fixed } else { heuristic };
            CachePolicy::shared()
                .default_freshness(freshness)
                .freshness_max(max)
                .stale_on_disconnect(disconnect)
        }),
    ]
}

fn hint() -> impl Strategy<Value = CacheHint> {
    (length(), length(), length()).prop_map(|(fresh, revalidate, error)| {
        CacheHint::fresh_for(fresh).stale_while_revalidate(revalidate).stale_if_error(error)
    })
}

/// What a request demands of a stored response's age.
fn demand() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("max-age"),
        Just("min-fresh"),
        Just("max-stale"),
        Just("stale-if-error"),
        Just("x")
    ];
    let one = (name, seconds()).prop_map(|(name, secs)| format!("{name}={secs}"));
    prop_oneof![2 => Just("max-stale".to_owned()), 1 => vec(one, 0..3).prop_map(|list| list.join(","))]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn c27_freshness_arithmetic_never_overflows(
        said in said(),
        hint in option::weighted(0.2, hint()),
        policy in policy(),
        walls in vec(option::of(any::<i64>()), 4),
        advances in vec(length(), 4),
        demands in vec(demand(), 4),
    ) {
        let fields: Vec<_> = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
            .collect();
        let cache = Harness::with(|layer| layer.policy(policy), move |_, call| {
            let mut response = response(&[], format!("{call}"));
            for (name, value) in &fields {
                response.headers_mut().append(*name, value.clone());
            }
            if let Some(hint) = hint.clone() {
                response.extensions_mut().insert(hint);
            }
            response
        });
        run(async {
            for ((wall, advance), demand) in walls.into_iter().zip(advances).zip(demands) {
                let got = cache.send(request("GET", "/", &[("cache-control", demand.as_str())])).await;
                if got.is_hit() && got.status == 200 {
                    prop_assert_eq!(got.headers.get_all("age").iter().count(), 1);
                    let age: u64 = got.field("age").unwrap().parse().unwrap();
                    prop_assert!(age <= 1 << 31, "{age}");
                    let left = got.outcome.unwrap().freshness_left_secs().unwrap();
                    prop_assert!(left <= 1 << 31, "{left}");
                }
                if let Some(wall) = wall {
                    cache.clock.set_wall(Timestamp::from_millis(wall));
                }
                cache.clock.advance(advance);
            }
            Ok(())
        })?;
    }
}
