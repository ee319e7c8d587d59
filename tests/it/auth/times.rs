//! J18 to J20: when a token is good.

use std::time::Duration;

use serde_json::{Value, json};
use tower_keep::auth::Algorithm::{Es256, Hs256};
use tower_keep::time::Timestamp;

use super::guarded::{Guarded, PASSES};
use super::tokens::{NOW, claims_text, claims_with, header, signers, verifier};

const TYPE: &str = "a registered claim is of another type, or out of range";
const SYNTAX: &str = "the claims are no JSON object with each name once";
const MISSING: &str =
    "one of exp, iat, sub, jti and client_id is missing (RFC 9068); a plain JWT needs exp alone";
const EXPIRED: &str = "it has expired";
const NOT_YET: &str = "it is not valid yet";
const LIFETIME: &str = "it lives too long";

fn token(changes: Value) -> String {
    signers().token(Es256, &claims_with(changes))
}

/// A good token but for this claim, which may be no JSON.
fn with(name: &str, value: &str) -> String {
    signers().token_of(Es256, header(Es256).to_string(), claims_text(name, Some(value)))
}

/// What is no time, and what is no number at all.
const NO_TIMES: [&str; 14] = [
    "\"1600000300\"",
    "\"\"",
    "null",
    "true",
    "false",
    "[1600000300]",
    "{\"$numberLong\":1}",
    "[]",
    "-1",
    "-0.5",
    "-1e300",
    "9007199254740992",
    "1e19",
    "1e300",
];
const NO_NUMBERS: [&str; 13] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "0x5f5e1000",
    "01600000300",
    "+1600000300",
    "1600000300.",
    ".5",
    "1_600_000_300",
    "1e",
    "1600000300n",
    "--1",
    "1 600",
];

#[test]
fn j18_exp_is_a_number_of_seconds() {
    let guarded = Guarded::new();
    for value in NO_TIMES {
        assert_eq!(guarded.verdict(&with("exp", value)), TYPE, "{value}");
    }
    for value in NO_NUMBERS {
        assert_eq!(guarded.verdict(&with("exp", value)), SYNTAX, "{value}");
    }
    for value in ["1600000300", "1600000300.0", "1.6000003e9", "16000003E+2", "1600000000.001"] {
        assert_eq!(guarded.verdict(&with("exp", value)), PASSES, "{value}");
    }
    // The last whole number that is only one.
    assert_eq!(guarded.verdict(&with("exp", "9007199254740991")), LIFETIME);
    for value in ["0", "-0", "0e999", "1e-400"] {
        assert_eq!(guarded.verdict(&with("exp", value)), EXPIRED, "{value}");
    }
}

#[test]
fn j18_exp_must_be_there_unless_that_is_waived() {
    let without = token(json!({"exp": null}));
    assert_eq!(Guarded::new().verdict(&without), MISSING);
    let plain = Guarded::by(verifier().or_plain_jwt());
    assert_eq!(plain.verdict(&without), MISSING);
    let waived = Guarded::by(verifier().waive_expiry());
    assert_eq!(waived.verdict(&without), PASSES);
    // One that is there counts.
    assert_eq!(waived.verdict(&token(json!({"exp": NOW}))), EXPIRED);
    assert_eq!(waived.verdict(&with("exp", "\"never\"")), TYPE);
    // And so does a lifetime, where it is known when that began.
    waived.clock.advance(Duration::from_secs(86_400));
    assert_eq!(waived.verdict(&without), PASSES);
    waived.clock.advance(Duration::from_secs(1));
    assert_eq!(waived.verdict(&without), LIFETIME);
}

/// RFC 7519 §4.1.4: on or after.
#[test]
fn j18_a_token_ends_at_its_exp_to_the_millisecond() {
    let guarded = Guarded::new();
    let (whole, half) = (token(json!({"exp": NOW + 2})), token(json!({"exp": NOW as f64 + 1.5})));
    for (millis, of_whole, of_half) in [
        (0, PASSES, PASSES),
        (1499, PASSES, PASSES),
        (1, PASSES, EXPIRED),
        (499, PASSES, EXPIRED),
        (1, EXPIRED, EXPIRED),
        (1, EXPIRED, EXPIRED),
    ] {
        guarded.clock.advance(Duration::from_millis(millis));
        assert_eq!((guarded.verdict(&whole), guarded.verdict(&half)), (of_whole, of_half));
    }
    assert_eq!(Guarded::new().verdict(&token(json!({"exp": NOW}))), EXPIRED);
    assert_eq!(Guarded::new().verdict(&token(json!({"exp": NOW - 1}))), EXPIRED);
}

#[test]
fn j18_a_lifetime_has_a_ceiling() {
    let day = 86_400;
    let guarded = Guarded::new();
    assert_eq!(guarded.verdict(&token(json!({"exp": NOW + day}))), PASSES);
    assert_eq!(guarded.verdict(&token(json!({"exp": NOW + day + 1}))), LIFETIME);
    // Seconds that were meant to be milliseconds.
    assert_eq!(guarded.verdict(&token(json!({"exp": (NOW + 300) * 1000}))), LIFETIME);
    let short = Guarded::by(verifier().lifetime_max(Duration::from_secs(60)));
    assert_eq!(short.verdict(&token(json!({"exp": NOW + 60}))), PASSES);
    assert_eq!(short.verdict(&token(json!({"exp": NOW + 61}))), LIFETIME);
    // It is the token's, and not what is left of it.
    assert_eq!(short.verdict(&token(json!({"iat": NOW - 1, "exp": NOW + 60}))), LIFETIME);
    let plain = Guarded::by(verifier().or_plain_jwt());
    assert_eq!(plain.verdict(&token(json!({"iat": null, "exp": NOW + day}))), PASSES);
    assert_eq!(plain.verdict(&token(json!({"iat": null, "exp": NOW + day + 1}))), LIFETIME);
    let long = Guarded::by(verifier().lifetime_max(Duration::MAX));
    assert_eq!(long.verdict(&with("exp", "9007199254740991")), PASSES);
}

#[test]
fn j19_nbf_and_iat_are_numbers_of_seconds_too() {
    let guarded = Guarded::new();
    for name in ["nbf", "iat"] {
        for value in NO_TIMES {
            assert_eq!(guarded.verdict(&with(name, value)), TYPE, "{name} {value}");
        }
        for value in NO_NUMBERS {
            assert_eq!(guarded.verdict(&with(name, value)), SYNTAX, "{name} {value}");
        }
        for value in ["1600000000", "1.6e9", "1599999999.999"] {
            assert_eq!(guarded.verdict(&with(name, value)), PASSES, "{name} {value}");
        }
    }
    assert_eq!(guarded.verdict(&token(json!({"nbf": null}))), PASSES);
    let plain = Guarded::by(verifier().or_plain_jwt());
    assert_eq!(plain.verdict(&token(json!({"nbf": null, "iat": null}))), PASSES);
}

#[test]
fn j19_a_token_of_the_future_is_not_good_yet() {
    for name in ["nbf", "iat"] {
        let guarded = Guarded::new();
        let from = |at: f64| token(json!({ name: at }));
        let now = NOW as f64;
        for (at, expected) in [
            (now, PASSES),
            (now - 1.0, PASSES),
            (now + 0.001, NOT_YET),
            (now + 1.0, NOT_YET),
            (now + 200.0, NOT_YET),
        ] {
            assert_eq!(guarded.verdict(&from(at)), expected, "{name} {at}");
        }
        let soon = from(now + 1.0);
        guarded.clock.advance(Duration::from_millis(999));
        assert_eq!(guarded.verdict(&soon), NOT_YET, "{name}");
        guarded.clock.advance(Duration::from_millis(1));
        assert_eq!(guarded.verdict(&soon), PASSES, "{name}");
    }
    // Whatever is waived.
    let lax = Guarded::by(verifier().or_plain_jwt().waive_expiry().waive_audience());
    for name in ["nbf", "iat"] {
        assert_eq!(lax.verdict(&token(json!({ name: NOW + 1, "exp": null }))), NOT_YET);
    }
}

#[test]
fn j20_clocks_may_differ_by_the_leeway_and_by_nothing_otherwise() {
    let (now, end) = (NOW as i64, NOW + 300);
    for (asked, leeway) in
        [(0, 0), (1, 1), (30, 30), (60, 60), (61, 60), (3600, 60), (u64::MAX, 60)]
    {
        let guarded = Guarded::by(verifier().leeway(Duration::from_secs(asked)));
        let at = |name: &str, secs: i64| {
            let mut changes = json!({"iat": now - 400, "exp": end});
            changes[name] = json!(now + secs);
            guarded.verdict(&token(changes))
        };
        assert_eq!(at("exp", 1 - leeway), PASSES, "{asked}");
        assert_eq!(at("exp", -leeway), EXPIRED, "{asked}");
        for name in ["nbf", "iat"] {
            assert_eq!(at(name, leeway), PASSES, "{name} {asked}");
            assert_eq!(at(name, leeway + 1), NOT_YET, "{name} {asked}");
        }
    }
    let strict = Guarded::new();
    assert_eq!(
        strict.verdict(&token(json!({"iat": now - 400, "exp": NOW}))),
        EXPIRED,
        "the default"
    );
}

/// The ends of both clocks, and of what claims can say.
#[test]
fn j20_times_saturate() {
    let ever = token(json!({"iat": 0, "nbf": 0, "exp": 9_007_199_254_740_991_u64}));
    for (wall, leeway, expected) in [
        (i64::MIN, 0, NOT_YET),
        (i64::MIN, 60, NOT_YET),
        (-1, 0, NOT_YET),
        (-1, 60, PASSES),
        (0, 0, PASSES),
        (i64::MAX, 0, EXPIRED),
        (i64::MAX, 60, EXPIRED),
    ] {
        let verifier = verifier().leeway(Duration::from_secs(leeway)).lifetime_max(Duration::MAX);
        let guarded = Guarded::by(verifier);
        guarded.clock.set_wall(Timestamp::from_millis(wall));
        assert_eq!(guarded.verdict(&ever), expected, "{wall} {leeway}");
        // To the end of all time, and back.
        guarded.clock.set_wall(Timestamp::from_millis(0));
        guarded.clock.advance(Duration::MAX);
        assert_eq!(guarded.verdict(&ever), EXPIRED, "{wall} {leeway}");
        guarded.clock.set_wall(Timestamp::from_millis(i64::MIN));
        assert_eq!(guarded.verdict(&ever), EXPIRED, "{wall} {leeway}");
    }
}

/// A step of the wall clock makes no token good again: neither one that was seen, nor one that was not.
#[test]
fn j20_a_clock_that_is_set_back_revives_nothing() {
    for algorithm in [Es256, Hs256] {
        let guarded = Guarded::of(verifier(), signers().keys(&[algorithm]));
        let of = |claims: Value| signers().token(algorithm, &claims_with(claims));
        let (seen, unseen) = (of(json!({})), of(json!({"sub": "bob"})));
        let later = of(json!({"exp": NOW + 900}));
        assert_eq!(guarded.verdict(&seen), PASSES);
        guarded.clock.advance(Duration::from_secs(300));
        assert_eq!(guarded.verdict(&seen), EXPIRED);
        for secs in [NOW as i64, NOW as i64 + 299, 0, -1] {
            guarded.clock.set_wall(Timestamp::from_secs(secs));
            for token in [&seen, &unseen] {
                assert_eq!(guarded.verdict(token), EXPIRED, "{algorithm} {secs}");
            }
            assert_eq!(guarded.verdict(&later), PASSES, "{algorithm}: and the others live on");
        }
        // Nor one that nobody has asked about since.
        let guarded_anew = Guarded::of(verifier(), signers().keys(&[algorithm]));
        assert_eq!(guarded_anew.verdict(&seen), PASSES);
        guarded_anew.clock.advance(Duration::from_secs(300));
        guarded_anew.clock.set_wall(Timestamp::from_secs(NOW as i64));
        assert_eq!(guarded_anew.verdict(&seen), EXPIRED, "{algorithm}");
        // Time goes on from where it was.
        guarded.clock.advance(Duration::from_secs(599));
        assert_eq!(guarded.verdict(&later), PASSES);
        guarded.clock.advance(Duration::from_secs(1));
        assert_eq!(guarded.verdict(&later), EXPIRED);
        // Clones of the layer have seen the same.
        let clone = guarded.again();
        assert_eq!(clone.verdict(&later), EXPIRED);
    }
}

#[test]
fn j20_a_clock_that_is_set_ahead_counts_at_once() {
    let guarded = Guarded::new();
    let token = token(json!({}));
    assert_eq!(guarded.verdict(&token), PASSES);
    guarded.clock.set_wall(Timestamp::from_secs(NOW as i64 + 300));
    assert_eq!(guarded.verdict(&token), EXPIRED);
}
