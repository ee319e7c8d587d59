//! J21 to J23: from whom a token is, for whom, and about whom.

use serde_json::{Value, json};
use tower_keep::auth::Algorithm::{Es256, Hs256, Rs256};
use tower_keep::auth::{KeySet, Verified, Verifier};

use super::guarded::{Guarded, PASSES, PUBLIC};
use super::tokens::{
    AUDIENCE, ISSUER, claims, claims_text, claims_with, header, others, signers, verifier,
};

const TYPE: &str = "a registered claim is of another type, or out of range";
const MISSING: &str =
    "one of exp, iat, sub, jti and client_id is missing (RFC 9068); a plain JWT needs exp alone";
const OTHER_ISSUER: &str = "it is of another issuer";
const AUDIENCES: &str = "it is for another audience";
const SIGNATURE: &str = "no key of this algorithm and id has signed it";
const OTHER: &str = "https://other.example";

pub fn token(changes: Value) -> String {
    signers().token(Es256, &claims_with(changes))
}

pub fn with(name: &str, value: Option<&str>) -> String {
    signers().token_of(Es256, header(Es256).to_string(), claims_text(name, value))
}

#[test]
fn j21_the_issuer_is_compared_byte_for_byte() {
    let guarded = Guarded::new();
    for issuer in [
        "https://login.example/",
        "https://login.exampl",
        "https://login.example.evil",
        "",
        "http://login.example",
        "HTTPS://login.example",
        "https://LOGIN.example",
        " https://login.example",
        "https://login.example ",
        "https://login.example:443",
        "https://login.example\u{0}",
        "login.example",
        "https://login.ex\u{430}mple",
    ] {
        assert_eq!(guarded.verdict(&token(json!({"iss": issuer}))), OTHER_ISSUER, "{issuer:?}");
    }
    assert_eq!(guarded.verdict(&with("iss", None)), OTHER_ISSUER);
    for value in
        ["null", "1", "true", "[\"https://login.example\"]", "{\"https://login.example\":1}"]
    {
        assert_eq!(guarded.verdict(&with("iss", Some(value))), TYPE, "{value}");
    }
    // What the string is, and not how it is spelled.
    assert_eq!(guarded.verdict(&with("iss", Some("\"https:\\/\\/login.ex\\u0061mple\""))), PASSES);
    let plain = Guarded::by(verifier().or_plain_jwt().waive_expiry().waive_audience());
    assert_eq!(plain.verdict(&token(json!({"iss": OTHER}))), OTHER_ISSUER);
    let waived = Guarded::by(verifier().waive_issuer());
    assert_eq!(waived.verdict(&token(json!({"iss": OTHER}))), PASSES);
    assert_eq!(waived.verdict(&with("iss", None)), PASSES);
    assert_eq!(waived.verdict(&with("iss", Some("1"))), TYPE);
}

/// Two issuers whose keys have the same ids.
fn two(keys: KeySet, of_other: KeySet) -> Guarded {
    let other = Verifier::new(OTHER, AUDIENCE);
    Guarded::with(verifier(), keys, |layer| layer.or(other, of_other))
}

#[test]
fn j21_no_key_of_one_issuer_signs_for_another() {
    let guarded = two(signers().keys(&PUBLIC), others().keys(&PUBLIC));
    for algorithm in PUBLIC {
        for (by, of, is_his) in [
            (signers(), ISSUER, true),
            (others(), OTHER, true),
            (signers(), OTHER, false),
            (others(), ISSUER, false),
        ] {
            let token = by.token(algorithm, &claims_with(json!({"iss": of})));
            let expected = if is_his { PASSES } else { SIGNATURE };
            assert_eq!(guarded.verdict(&token), expected, "{algorithm} {of}");
            // Remembered or not.
            assert_eq!(guarded.verdict(&token), expected, "{algorithm} {of}");
        }
        let third =
            others().token(algorithm, &claims_with(json!({"iss": "https://third.example"})));
        assert_eq!(guarded.verdict(&third), OTHER_ISSUER);
    }
}

/// One has secrets and the other public keys: no mixing by way of the issuer either.
#[test]
fn j21_the_secret_of_one_issuer_is_none_of_anothers() {
    let guarded = two(signers().keys(&PUBLIC), others().keys(&[Hs256]));
    let by_secret = |issuer: &str| others().token(Hs256, &claims_with(json!({"iss": issuer})));
    assert_eq!(guarded.verdict(&by_secret(OTHER)), PASSES);
    assert_eq!(guarded.verdict(&by_secret(ISSUER)), SIGNATURE);
    assert_eq!(guarded.verdict(&token(json!({"iss": OTHER}))), SIGNATURE);
}

/// RFC 8725 §3.8: not only the keys, the rules are the issuer's too.
#[test]
fn j21_every_issuer_has_its_own_rules() {
    let other = Verifier::new(OTHER, "admin").or_plain_jwt().algorithms([Rs256]);
    let guarded = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer.or(other, others().keys(&PUBLIC))
    });
    let header = json!({"alg": "RS256", "kid": "RS256", "typ": "JWT"}).to_string();
    let of = |by: &super::tokens::Signers, issuer: &str, audience: &str| {
        let claims = claims_with(json!({"iss": issuer, "aud": audience}));
        guarded.verdict(&by.token_of(Rs256, &header, claims.to_string()))
    };
    assert_eq!(of(others(), OTHER, "admin"), PASSES);
    assert_eq!(of(others(), OTHER, AUDIENCE), AUDIENCES);
    assert_eq!(
        of(signers(), ISSUER, AUDIENCE),
        "typ is of another type than the verifier takes: at+jwt, or a plain JWT where it says so"
    );
    let es256 = others().token(Es256, &claims_with(json!({"iss": OTHER, "aud": "admin"})));
    assert_eq!(guarded.verdict(&es256), "the algorithm is not known");
    // Of two with one issuer the first counts.
    let shadowed = Guarded::with(verifier(), signers().keys(&PUBLIC), |layer| {
        layer.or(verifier(), others().keys(&PUBLIC))
    });
    assert_eq!(shadowed.verdict(&others().token(Es256, &claims("alice"))), SIGNATURE);
}

#[test]
fn j22_the_audience_is_us() {
    let guarded = Guarded::new();
    for value in
        ["\"api\"", "[\"api\"]", "[\"other\",\"api\"]", "[\"api\",\"api\"]", "\"\\u0061pi\""]
    {
        assert_eq!(guarded.verdict(&with("aud", Some(value))), PASSES, "{value}");
    }
    for value in [
        "\"\"",
        "\"Api\"",
        "\"api \"",
        "\"ap\"",
        "\"apis\"",
        "\"api other\"",
        "\"api,other\"",
        "\"*\"",
        "\"https://api\"",
        "[]",
        "[\"other\"]",
        "[\"ap\",\"i\"]",
        "[\"\"]",
    ] {
        assert_eq!(guarded.verdict(&with("aud", Some(value))), AUDIENCES, "{value}");
    }
    for value in [
        "null",
        "1",
        "true",
        "{\"api\":1}",
        "[[\"api\"]]",
        "[\"api\",1]",
        "[null,\"api\"]",
        "[\"api\",{}]",
        "[\"api\",[]]",
    ] {
        assert_eq!(guarded.verdict(&with("aud", Some(value))), TYPE, "{value}");
    }
    assert_eq!(guarded.verdict(&with("aud", None)), AUDIENCES, "it must be there");
    let plain = Guarded::by(verifier().or_plain_jwt());
    assert_eq!(plain.verdict(&with("aud", None)), AUDIENCES);
    let two = Guarded::by(verifier().or_audience("jobs"));
    for (audience, expected) in [("api", PASSES), ("jobs", PASSES), ("apijobs", AUDIENCES)] {
        assert_eq!(two.verdict(&token(json!({"aud": audience}))), expected);
    }
    let waived = Guarded::by(verifier().waive_audience());
    assert_eq!(waived.verdict(&with("aud", None)), PASSES);
    assert_eq!(waived.verdict(&token(json!({"aud": "other"}))), PASSES);
    assert_eq!(waived.verdict(&with("aud", Some("1"))), TYPE);
}

#[test]
fn j23_an_access_token_says_what_rfc_9068_asks_for() {
    let (guarded, plain) = (Guarded::new(), Guarded::by(verifier().or_plain_jwt()));
    for name in ["sub", "client_id", "jti", "iat"] {
        assert_eq!(guarded.verdict(&with(name, None)), MISSING, "{name}");
        assert_eq!(plain.verdict(&with(name, None)), PASSES, "{name}");
    }
    for name in ["sub", "client_id", "jti"] {
        for value in ["null", "1", "true", "[\"a\"]", "{}"] {
            for guarded in [&guarded, &plain] {
                assert_eq!(guarded.verdict(&with(name, Some(value))), TYPE, "{name} {value}");
            }
        }
    }
    assert_eq!(guarded.verdict(&with("sub", Some("\"\""))), TYPE);
    assert_eq!(plain.verdict(&with("sub", Some("\"\""))), TYPE, "nobody has no name");
    for name in ["client_id", "jti"] {
        assert_eq!(guarded.verdict(&with(name, Some("\"\""))), MISSING, "{name}");
    }
}

#[test]
fn j23_the_subject_is_whom_handlers_get_to_know() {
    let guarded = Guarded::new();
    for subject in ["alice", " ", "user:7", "\u{1f511}", "a\u{0}b"] {
        let answer = guarded.bearer(&token(json!({"sub": subject})));
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, subject));
        let seen = guarded.inner.seen().pop().unwrap();
        let verified = seen.extensions.get::<Verified>().unwrap();
        let principal = seen.extensions.get::<tower_keep::head::Principal>().unwrap();
        assert_eq!((verified.issuer(), verified.subject()), (ISSUER, Some(subject)));
        assert_eq!((principal.issuer(), principal.subject()), (ISSUER, subject));
    }
    let plain = Guarded::by(verifier().or_plain_jwt());
    plain.bearer(&with("sub", None));
    let seen = plain.inner.seen().pop().unwrap();
    assert!(seen.extensions.get::<tower_keep::head::Principal>().is_none());
    assert_eq!(seen.extensions.get::<Verified>().unwrap().subject(), None);
}
