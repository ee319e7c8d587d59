//! J21 to J25: from whom a token is, for whom, about whom, and what it grants.

use serde_json::{Value, json};
use tower::Layer as _;
use tower_keep::auth::Algorithm::{Es256, Hs256, Rs256};
use tower_keep::auth::{KeySet, RefusalKind, RequireScope, Verified, Verifier};

use super::guarded::{Guarded, PASSES, PUBLIC, answer};
use super::tokens::{
    AUDIENCE, ISSUER, claims, claims_text, claims_with, header, others, signers, verifier,
};
use crate::support::request;

const TYPE: &str = "a registered claim is of another type, or out of range";
const MISSING: &str = "a claim is missing that must be there";
const OTHER_ISSUER: &str = "it is of another issuer";
const AUDIENCES: &str = "it is for another audience";
const BOUND: &str = "it is bound to a key that nobody asks for";
const SIGNATURE: &str = "no key of this algorithm and id has signed it";
const OTHER: &str = "https://other.example";

fn token(changes: Value) -> String {
    signers().token(Es256, &claims_with(changes))
}

fn with(name: &str, value: Option<&str>) -> String {
    signers().token_of(Es256, header(Es256).to_string(), claims_text(name, value))
}

#[test]
fn j21_the_issuer_is_compared_byte_for_byte() {
    let guarded = Guarded::new();
    for issuer in [
        "https://login.example/", "https://login.exampl", "https://login.example.evil", "",
        "http://login.example", "HTTPS://login.example", "https://LOGIN.example", " https://login.example",
        "https://login.example ", "https://login.example:443", "https://login.example\u{0}", "login.example",
        "https://login.ex\u{430}mple",
    ] {
        assert_eq!(guarded.verdict(&token(json!({"iss": issuer}))), OTHER_ISSUER, "{issuer:?}");
    }
    assert_eq!(guarded.verdict(&with("iss", None)), OTHER_ISSUER);
    for value in ["null", "1", "true", "[\"https://login.example\"]", "{\"https://login.example\":1}"] {
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
        let third = others().token(algorithm, &claims_with(json!({"iss": "https://third.example"})));
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
    assert_eq!(of(signers(), ISSUER, AUDIENCE), "the token is of another type");
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
    for value in ["\"api\"", "[\"api\"]", "[\"other\",\"api\"]", "[\"api\",\"api\"]", "\"\\u0061pi\""] {
        assert_eq!(guarded.verdict(&with("aud", Some(value))), PASSES, "{value}");
    }
    for value in [
        "\"\"", "\"Api\"", "\"api \"", "\"ap\"", "\"apis\"", "\"api other\"", "\"api,other\"", "\"*\"",
        "\"https://api\"", "[]", "[\"other\"]", "[\"ap\",\"i\"]", "[\"\"]",
    ] {
        assert_eq!(guarded.verdict(&with("aud", Some(value))), AUDIENCES, "{value}");
    }
    for value in [
        "null", "1", "true", "{\"api\":1}", "[[\"api\"]]", "[\"api\",1]", "[null,\"api\"]", "[\"api\",{}]",
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

/// Whether a route that asks for these words lets this token in.
fn grants(guarded: &Guarded, token: &str, words: &[&str]) -> bool {
    let (first, more) = words.split_first().unwrap();
    let wanted = more.iter().fold(RequireScope::new(*first), |all, word| all.and(*word));
    let service = guarded.layer.layer(wanted.layer(guarded.inner.clone()));
    let value = format!("Bearer {token}");
    let answer = answer(service, request("GET", "/", &[("authorization", &value)]));
    let is_granted = answer.status == 200;
    let kind = (!is_granted).then_some(RefusalKind::InsufficientScope);
    assert_eq!(answer.kind(), kind, "{answer:?}");
    is_granted
}

#[test]
fn j24_a_scope_is_a_string_of_whole_words_with_spaces_between_them() {
    let guarded = Guarded::new();
    for scope in ["write", "read write", "write read", " write ", "read  write"] {
        assert!(grants(&guarded, &token(json!({"scope": scope})), &["write"]), "{scope:?}");
    }
    for scope in [
        "", "read", "writer", "rewrite", "write:all", "Write", "WRITE", "read,write", "read\twrite",
        "read\nwrite", "read\u{a0}write", "read+write", "\"write\"", "writ e", "write\u{0}",
    ] {
        assert!(!grants(&guarded, &token(json!({"scope": scope})), &["write"]), "{scope:?}");
    }
    for (words, is_granted) in [
        (&["read", "write"][..], true), (&["write", "read"], true), (&["read", "admin"], false),
        (&["read write"], false), (&[""], false), (&["read", ""], false), (&["read", "read"], true),
    ] {
        assert_eq!(grants(&guarded, &token(json!({"scope": "read write"})), words), is_granted, "{words:?}");
    }
    assert!(!grants(&guarded, &with("scope", None), &["read"]));
    assert!(!grants(&guarded, &with("scope", None), &[""]));
}

#[test]
fn j24_of_another_shape_or_name_a_scope_grants_nothing_unless_asked() {
    let shapes = ["[\"write\"]", "[\"read write\"]", "{\"write\":true}", "null", "true", "1"];
    let (guarded, scp) = (Guarded::new(), Guarded::by(verifier().or_scope_in("scp").or_scope_in("roles")));
    for shape in shapes {
        assert!(!grants(&guarded, &with("scope", Some(shape)), &["write"]), "{shape}");
        assert!(!grants(&scp, &with("scope", Some(shape)), &["write"]), "{shape}");
    }
    for name in ["scp", "roles"] {
        for (shape, is_granted) in [
            ("\"write\"", true), ("\"read write\"", true), ("[\"write\"]", true), ("[\"read\",\"write\"]", true),
            ("[\"read write\"]", false), ("[\"writer\"]", false), ("[[\"write\"]]", false), ("[1,\"write\"]", true),
            ("{\"write\":1}", false), ("null", false), ("1", false), ("[\"Write\"]", false), ("[\"\"]", false),
        ] {
            let token = with(name, Some(shape));
            assert!(!grants(&guarded, &token, &["write"]), "{name} {shape}");
            assert_eq!(grants(&scp, &token, &["write"]), is_granted, "{name} {shape}");
            assert!(grants(&scp, &token, &["read"]), "the scope itself counts too");
        }
    }
    let token = with("Roles", Some("[\"write\"]"));
    assert!(!grants(&scp, &token, &["write"]), "a name has case");
    // A word at the end of one and the start of the other are no word.
    let halves = token_of_two("wri", "[\"te\"]");
    assert!(!grants(&scp, &halves, &["write"]));
}

fn token_of_two(scope: &str, scp: &str) -> String {
    let scp: Value = serde_json::from_str(scp).unwrap();
    token(json!({"scope": scope, "scp": scp}))
}

/// RFC 7800 §3.1: whoever has only the token has not the key that it is bound to.
#[test]
fn j25_a_bound_token_is_refused() {
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    for verifier in [verifier(), verifier().or_plain_jwt().waive_audience().waive_expiry()] {
        let guarded = Guarded::by(verifier);
        for value in [
            json!({"jkt": thumbprint}), json!({"x5t#S256": thumbprint}), json!({"kid": "ES256"}),
            json!({"jwk": signers().jwk(Es256)}), json!({"unknown": 1}), json!({}), json!(null), json!("x"),
            json!([]), json!(true),
        ] {
            let token = with("cnf", Some(&value.to_string()));
            assert_eq!(guarded.verdict(&token), BOUND, "{value}");
            // A proof that nobody checks changes nothing.
            let line = format!("Bearer {token}");
            let fields = [("authorization", line.as_str()), ("dpop", "a.b.c")];
            assert_eq!(guarded.get(&fields).refusal.unwrap().detail(), BOUND, "{value}");
        }
        assert_eq!(guarded.verdict(&with("CNF", Some("{}"))), PASSES);
    }
}
