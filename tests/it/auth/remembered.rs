//! J28: tokens that were verified a moment ago. `tests/token_memory.rs` has how much memory they take.

use std::time::Duration;

use serde_json::json;
use tower::Layer as _;
use tower_keep::auth::Algorithm::{self, EdDsa, Es256, Ps256, Rs256};
use tower_keep::auth::{KeySet, Refreshed};
use tower_keep::time::Timestamp;

use super::guarded::{Guarded, PASSES, PUBLIC, answer};
use super::scripted_keys::Script;
use super::tokens::{NOW, bearer, claims, claims_with, others, signers, verifier};
use crate::support::request;

const SIGNATURE: &str = "no key of this algorithm and id has signed it";
const EXPIRED: &str = "it has expired";

fn token(algorithm: Algorithm) -> String {
    signers().token(algorithm, &claims("alice"))
}

/// Lets the token pass three times: verified once, and remembered then.
fn remembered(guarded: &Guarded, token: &str) {
    for _ in 0..3 {
        assert_eq!(guarded.verdict(token), PASSES);
    }
}

#[test]
fn j28_a_token_that_is_remembered_ends_at_its_exp() {
    for algorithm in PUBLIC {
        let guarded = Guarded::new();
        let token = token(algorithm);
        remembered(&guarded, &token);
        guarded.clock.advance(Duration::from_millis(299_999));
        remembered(&guarded, &token);
        guarded.clock.advance(Duration::from_millis(1));
        for _ in 0..3 {
            assert_eq!(guarded.verdict(&token), EXPIRED, "{algorithm}");
        }
        guarded.clock.set_wall(Timestamp::from_secs(NOW as i64));
        assert_eq!(guarded.verdict(&token), EXPIRED, "{algorithm}");
    }
}

#[test]
fn j28_a_token_that_is_remembered_has_its_leeway_and_no_more() {
    let guarded = Guarded::by(verifier().leeway(Duration::from_secs(10)));
    let token = token(Es256);
    remembered(&guarded, &token);
    guarded.clock.advance(Duration::from_secs(309));
    remembered(&guarded, &token);
    guarded.clock.advance(Duration::from_secs(1));
    assert_eq!(guarded.verdict(&token), EXPIRED);
}

/// Without `exp` it ends where its lifetime does.
#[test]
fn j28_the_lifetime_of_a_token_that_is_remembered_counts() {
    let guarded = Guarded::by(verifier().waive_expiry().lifetime_max(Duration::from_secs(60)));
    let token = signers().token(Es256, &claims_with(json!({"exp": null})));
    remembered(&guarded, &token);
    guarded.clock.advance(Duration::from_secs(60));
    remembered(&guarded, &token);
    guarded.clock.advance(Duration::from_secs(1));
    assert_eq!(guarded.verdict(&token), "it lives too long");
}

/// Before its time it is refused, and that is not remembered; and a clock that is set back takes no time that has come.
#[test]
fn j28_nbf_and_iat_count_at_every_look() {
    for name in ["nbf", "iat"] {
        let guarded = Guarded::new();
        let token = signers().token(Rs256, &claims_with(json!({ name: NOW + 5 })));
        for _ in 0..3 {
            assert_eq!(guarded.verdict(&token), "it is not valid yet", "{name}");
        }
        guarded.clock.advance(Duration::from_secs(5));
        remembered(&guarded, &token);
        guarded.clock.set_wall(Timestamp::from_secs(NOW as i64));
        remembered(&guarded, &token);
    }
}

#[test]
fn j28_a_key_that_is_withdrawn_verifies_nothing_any_more() {
    for algorithm in PUBLIC {
        let keys = Script::fixed(Some(signers().keys(&PUBLIC)));
        let guarded = Guarded::of(verifier(), keys.clone());
        let token = token(algorithm);
        let rest: Vec<_> = PUBLIC.into_iter().filter(|other| *other != algorithm).collect();
        // Gone; another in its place, of its id; or the same by another id.
        let instead = signers().keys(&rest).keys().to_vec();
        let with = |key| KeySet::new(instead.iter().cloned().chain([key])).unwrap();
        for without in [
            KeySet::default(),
            signers().keys(&rest),
            with(others().key(algorithm)),
            with(signers().key(algorithm).with_id("other")),
        ] {
            keys.know(Some(signers().keys(&PUBLIC)));
            remembered(&guarded, &token);
            keys.know(Some(without));
            for _ in 0..2 {
                assert_eq!(guarded.verdict(&token), SIGNATURE, "{algorithm}");
            }
        }
        keys.know(None);
        assert_eq!(guarded.bearer(&token).status, 503, "nobody knows");
        // As long as it is there, others may come and go.
        keys.know(Some(signers().keys(&[algorithm])));
        remembered(&guarded, &token);
    }
}

/// Where there are newer keys to be asked for, that is what happens.
#[test]
fn j28_a_key_that_is_withdrawn_is_asked_for_again() {
    let keys = Script::asking(Some(signers().keys(&[Es256])));
    let guarded = Guarded::of(verifier(), keys.clone());
    let token = token(Es256);
    remembered(&guarded, &token);
    keys.know(Some(signers().keys(&[Rs256])));
    keys.answer(Refreshed::Current(signers().keys(&[Rs256])));
    assert_eq!((guarded.verdict(&token), keys.asked().len()), (SIGNATURE, 1));
    keys.answer(Refreshed::Current(signers().keys(&[Es256])));
    assert_eq!((guarded.verdict(&token), keys.asked().len()), (PASSES, 2));
}

/// What is remembered is the whole token, every byte of it.
#[test]
fn j28_what_differs_in_one_byte_is_another_token() {
    let guarded = Guarded::new();
    for algorithm in [Es256, EdDsa] {
        let token = token(algorithm);
        remembered(&guarded, &token);
        for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(!guarded.passes(&other), "{at}");
        }
        remembered(&guarded, &token);
    }
}

#[test]
fn j28_a_refusal_is_not_remembered() {
    let keys = Script::fixed(Some(KeySet::default()));
    let guarded = Guarded::of(verifier(), keys.clone());
    let (unsigned, forged) = (token(Es256), others().token(Ps256, &claims("alice")));
    for _ in 0..3 {
        assert_eq!(guarded.verdict(&unsigned), SIGNATURE);
        assert_eq!(guarded.verdict(&forged), SIGNATURE);
    }
    keys.know(Some(signers().keys(&PUBLIC)));
    assert_eq!((guarded.verdict(&unsigned), guarded.verdict(&forged)), (PASSES, SIGNATURE));
    keys.know(Some(others().keys(&PUBLIC)));
    assert_eq!((guarded.verdict(&unsigned), guarded.verdict(&forged)), (SIGNATURE, PASSES));
}

/// In all services of a layer, and with the memory of one token, or of none.
#[test]
fn j28_how_much_is_remembered_changes_no_answer() {
    for bytes_max in [0, 1, 700, 2000, 1 << 20] {
        let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
            layer.memo_bytes_max(bytes_max)
        });
        let again = guarded.again();
        let tokens: Vec<_> = (0..20)
            .map(|n| {
                signers().token(
                    PUBLIC[n % 4],
                    &claims_with(json!({"jti": n.to_string(), "exp": NOW + 10 + n as u64 % 2})),
                )
            })
            .collect();
        for _ in 0..2 {
            for token in &tokens {
                assert_eq!((guarded.verdict(token), again.verdict(token)), (PASSES, PASSES));
            }
        }
        guarded.clock.advance(Duration::from_secs(10));
        for (n, token) in tokens.iter().enumerate() {
            let expected = if n % 2 == 0 { EXPIRED } else { PASSES };
            assert_eq!((guarded.verdict(token), again.verdict(token)), (expected, expected), "{n}");
        }
    }
}

/// What is remembered of a token says to those inside what it said at first.
#[test]
fn j28_a_token_that_is_remembered_says_the_same() {
    let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer.forward_claim("scope", http::HeaderName::from_static("x-scope"))
    });
    for who in ["alice", "bob", "alice", "bob"] {
        let line = bearer(who);
        for _ in 0..2 {
            let sent = request("GET", "/", &[("authorization", &line)]);
            assert_eq!(answer(guarded.layer.layer(guarded.inner.clone()), sent).body, who);
            let seen = guarded.inner.seen().pop().unwrap();
            assert_eq!(seen.headers["x-scope"], "read");
        }
    }
}
