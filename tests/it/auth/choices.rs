//! What a verifier asks less, or more, when it is told so by name.

use std::time::Duration;

use serde_json::{Value, json};
use tower_keep::auth::{Algorithm, Refusal, Verified, Verifier};
use tower_keep::time::Timestamp;

use super::tokens::{NOW, claims_with, encoded, header, signers, verifier};

fn verify(verifier: &Verifier, header: &Value, claims: &Value) -> Result<Verified, Refusal> {
    let token = signers().token_of(Algorithm::Es256, header.to_string(), claims.to_string());
    let keys = signers().keys(&[Algorithm::Es256]);
    verifier.verify(token.as_bytes(), &keys, Timestamp::from_secs(NOW as i64))
}

fn accepts(verifier: &Verifier, claims: &Value) -> bool {
    verify(verifier, &header(Algorithm::Es256), claims).is_ok()
}

#[test]
fn what_is_mandatory_may_be_waived_by_name() {
    let plain = verifier().or_plain_jwt();
    for (missing, other, waived) in [
        (
            json!({"iss": null}),
            json!({"iss": "https://other.example"}),
            plain.clone().waive_issuer(),
        ),
        (json!({"aud": null}), json!({"aud": "other"}), plain.clone().waive_audience()),
    ] {
        for claims in [claims_with(missing), claims_with(other)] {
            assert!(!accepts(&plain, &claims), "{claims}");
            assert!(accepts(&waived, &claims), "{claims}");
        }
    }
    let waived = plain.clone().waive_expiry();
    let eternal = claims_with(json!({"exp": null}));
    assert!(!accepts(&plain, &eternal) && accepts(&waived, &eternal));
    assert!(!accepts(&waived, &claims_with(json!({"exp": NOW}))), "one that is there counts");
    let old = claims_with(json!({"exp": null, "iat": NOW - 86_401}));
    assert!(!accepts(&waived, &old), "and so does the age of one without");
}

#[test]
fn a_waiver_is_of_one_rule_alone() {
    let waived = verifier().waive_issuer().waive_audience().waive_expiry();
    for changes in [
        json!({"iss": 1}),
        json!({"aud": {}}),
        json!({"exp": "soon"}),
        json!({"sub": null}),
        json!({"nbf": NOW + 1}),
        json!({"cnf": {}}),
    ] {
        assert!(!accepts(&waived, &claims_with(changes.clone())), "{changes}");
    }
    assert!(accepts(&waived, &claims_with(json!({"iss": null, "aud": null, "exp": null}))));
}

#[test]
fn who_issued_it_is_told_also_where_anybody_may() {
    let waived = verifier().waive_issuer();
    let header = header(Algorithm::Es256);
    let verified = verify(&waived, &header, &claims_with(json!({"iss": "b"}))).unwrap();
    assert_eq!((verified.issuer(), verified.principal().unwrap().issuer()), ("b", "b"));
    let verified = verify(&waived, &header, &claims_with(json!({"iss": null}))).unwrap();
    assert_eq!(verified.issuer(), "");
}

#[test]
fn another_audience_may_be_named_beside_the_first() {
    let both = verifier().or_audience("web");
    for (audience, is_ours) in [
        (json!("api"), true),
        (json!("web"), true),
        (json!(["x", "web"]), true),
        (json!("x"), false),
        (json!([]), false),
    ] {
        assert_eq!(
            accepts(&both, &claims_with(json!({"aud": audience.clone()}))),
            is_ours,
            "{audience}"
        );
    }
}

#[test]
fn algorithms_may_be_fewer_than_there_are_keys_of() {
    let claims = claims_with(json!({}));
    assert!(accepts(&verifier().algorithms([Algorithm::Es256]), &claims));
    assert!(!accepts(&verifier().algorithms([Algorithm::EdDsa]), &claims));
    assert!(!accepts(&verifier().algorithms([]), &claims));
}

#[test]
fn k08_a_token_without_a_key_id_may_be_refused() {
    let nameless = json!({"alg": "ES256", "typ": "at+jwt"});
    let claims = claims_with(json!({}));
    assert!(verify(&verifier(), &nameless, &claims).is_ok());
    assert!(verify(&verifier().require_key_id(), &nameless, &claims).is_err());
    assert!(accepts(&verifier().require_key_id(), &claims));
}

#[test]
fn j14_an_extension_that_is_understood_may_be_critical() {
    let mut header = header(Algorithm::Es256);
    header["crit"] = json!(["exp-policy"]);
    header["exp-policy"] = json!("strict");
    let claims = claims_with(json!({}));
    assert!(verify(&verifier(), &header, &claims).is_err());
    assert!(verify(&verifier().understands("other"), &header, &claims).is_err());
    let verified = verify(&verifier().understands("exp-policy"), &header, &claims).unwrap();
    let read: Value = serde_json::from_slice(verified.header_json()).unwrap();
    assert_eq!(read["exp-policy"], "strict");
    header["crit"] = json!(["exp-policy", "b64"]);
    header["b64"] = json!(true);
    let all = verifier().understands("exp-policy").understands("b64");
    assert!(verify(&all, &header, &claims).is_err(), "what changes the claims is never understood");
}

#[test]
fn j24_a_scope_is_one_string_unless_other_claims_are_named() {
    let header = header(Algorithm::Es256);
    let claims = claims_with(json!({
        "scope": "read  readwrite", "scp": ["write", "a b", 1], "roles": "admin boss",
    }));
    let words =
        ["read", "readwrite", "write", "admin", "boss", "a b", "a", "1", "", " ", "rea", "Read"];
    let granted = |verifier: &Verifier, claims: &Value| {
        let verified = verify(verifier, &header, claims).unwrap();
        words.into_iter().filter(|word| verified.has_scope(word)).collect::<Vec<_>>()
    };
    assert_eq!(granted(&verifier(), &claims), ["read", "readwrite"]);
    let named = verifier().or_scope_in("scp").or_scope_in("roles").or_scope_in("missing");
    assert_eq!(granted(&named, &claims), ["read", "readwrite", "write", "admin", "boss"]);
    for odd in [json!(["read"]), json!({"read": true}), json!(null), json!(1)] {
        let mut claims = claims.clone();
        claims["scope"] = odd.clone();
        assert_eq!(granted(&verifier(), &claims), [""; 0], "{odd}");
    }
    let array = claims_with(json!({"scope": ["read"]}));
    assert_eq!(granted(&verifier().or_scope_in("scope"), &array), ["read"]);
}

#[test]
fn j20_a_leeway_is_a_minute_at_most() {
    let lenient = verifier().leeway(Duration::from_secs(3600));
    assert!(accepts(&lenient, &claims_with(json!({"exp": NOW - 59}))));
    assert!(!accepts(&lenient, &claims_with(json!({"exp": NOW - 60}))));
    assert!(accepts(&lenient, &claims_with(json!({"nbf": NOW + 60, "iat": NOW + 60}))));
    assert!(!accepts(&lenient, &claims_with(json!({"nbf": NOW + 61}))));
}

#[test]
fn j03_the_longest_token_is_yours_to_set_and_at_most_64_kib() {
    let claims = claims_with(json!({"x": "x".repeat(9_000)}));
    assert!(!accepts(&verifier(), &claims));
    assert!(accepts(&verifier().bytes_max(16 << 10), &claims));
    let claims = claims_with(json!({"x": "x".repeat(60_000)}));
    assert!(!accepts(&verifier().bytes_max(usize::MAX), &claims));
    assert!(!accepts(&verifier().bytes_max(0), &claims_with(json!({}))));
    assert_eq!(encoded("x".repeat(3)).len(), 4, "claims grow by a third in a token");
}
