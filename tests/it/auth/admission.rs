//! J07, J13: which keys verify at all, and what each of them verifies.

use serde_json::{Value, json};
use tower_keep::auth::Algorithm::{self, EdDsa, Es256, Hs256, Rs256};
use tower_keep::auth::KeySet;

use super::guarded::{Guarded, PASSES, PUBLIC};
use super::tokens::{change, claims, header_text, signers, verifier};

pub const SIGNATURE: &str = "no key of this algorithm and id has signed it";

/// Behind a set that an issuer has published, and how many of its keys were left out.
pub fn published(keys: &[Value]) -> (Guarded, usize) {
    let (set, left_out) =
        KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    (Guarded::of(verifier(), set), left_out)
}

/// The key of this algorithm with other members; `null` takes one away.
pub fn jwk(algorithm: Algorithm, changes: Value) -> Value {
    let mut jwk = signers().jwk(algorithm);
    change(&mut jwk, changes);
    jwk
}

pub fn good(algorithm: Algorithm) -> String {
    signers().token(algorithm, &claims("alice"))
}

#[test]
fn j07_a_key_verifies_one_algorithm_whatever_the_token_says() {
    for of_key in PUBLIC {
        // Without an id, so that only its algorithm is in the way.
        let (guarded, _) = published(&[jwk(of_key, json!({"kid": null}))]);
        for of_token in PUBLIC {
            let by_name = header_text(of_token, "kid", None);
            let token = signers().token_of(of_token, by_name, claims("alice").to_string());
            let expected = if of_key == of_token { PASSES } else { SIGNATURE };
            assert_eq!(guarded.verdict(&token), expected, "{of_token} by a key of {of_key}");
        }
        // The signature is the key's own, and the header says that it is of another algorithm.
        for name in [
            "RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "EdDSA",
            "HS256",
        ] {
            let header = json!({"alg": name, "typ": "at+jwt"}).to_string();
            let token = signers().token_of(of_key, header, claims("alice").to_string());
            let expected = if name == of_key.name() { PASSES } else { SIGNATURE };
            assert_eq!(guarded.verdict(&token), expected, "{name} by a key of {of_key}");
        }
    }
}

#[test]
fn j07_an_id_names_a_key_and_not_how_it_is_used() {
    let guarded = Guarded::new();
    for of_token in PUBLIC {
        for id in PUBLIC {
            let named = header_text(of_token, "kid", Some(&format!("\"{}\"", id.name())));
            let token = signers().token_of(of_token, named, claims("alice").to_string());
            let expected = if id == of_token { PASSES } else { SIGNATURE };
            assert_eq!(guarded.verdict(&token), expected, "{of_token} by the key {id}");
        }
    }
}

#[test]
fn j07_a_key_is_of_the_algorithm_that_goes_with_its_type_and_curve() {
    for (of_key, changes) in [
        (Es256, json!({"alg": "ES384"})),
        (Es256, json!({"alg": "RS256"})),
        (Es256, json!({"alg": "EdDSA"})),
        (Es256, json!({"alg": "HS256"})),
        (Es256, json!({"crv": "P-384"})),
        (Es256, json!({"crv": "secp256k1"})),
        (Es256, json!({"crv": null})),
        (Es256, json!({"kty": "OKP"})),
        (Rs256, json!({"alg": "ES256"})),
        (Rs256, json!({"alg": "HS256"})),
        (Rs256, json!({"alg": null})),
        (Rs256, json!({"kty": "EC"})),
        (Rs256, json!({"kty": "rsa"})),
        (EdDsa, json!({"alg": "ES256"})),
        (EdDsa, json!({"crv": "Ed448"})),
        (EdDsa, json!({"crv": "X25519"})),
        (EdDsa, json!({"kty": null})),
    ] {
        // It is left out, and the others stay.
        let other = jwk(if of_key == Es256 { EdDsa } else { Es256 }, json!({}));
        let (guarded, left_out) = published(&[jwk(of_key, changes.clone()), other]);
        assert_eq!(left_out, 1, "{of_key} {changes}");
        assert_eq!(guarded.verdict(&good(of_key)), SIGNATURE, "{of_key} {changes}");
        assert_eq!(guarded.verdict(&good(if of_key == Es256 { EdDsa } else { Es256 })), PASSES);
    }
    let (guarded, left_out) =
        published(&[jwk(Es256, json!({"alg": null})), jwk(EdDsa, json!({"alg": null}))]);
    assert_eq!(left_out, 0, "the curve says it");
    assert_eq!((guarded.verdict(&good(Es256)), guarded.verdict(&good(EdDsa))), (PASSES, PASSES));
}

/// RFC 7517 §4.2 to §4.4.
#[test]
fn j13_a_key_says_what_it_is_for() {
    for (changes, is_taken) in [
        (json!({}), true),
        (json!({"use": "sig"}), true),
        (json!({"key_ops": ["verify"]}), true),
        (json!({"key_ops": ["verify", "x"]}), true),
        (json!({"use": "sig", "key_ops": ["verify"]}), true),
        (json!({"use": "enc"}), false),
        (json!({"use": "SIG"}), false),
        (json!({"use": ""}), false),
        (json!({"use": 1}), false),
        (json!({"use": ["sig"]}), false),
        (json!({"key_ops": []}), false),
        (json!({"key_ops": ["sign"]}), false),
        (json!({"key_ops": ["encrypt", "wrapKey"]}), false),
        (json!({"key_ops": ["Verify"]}), false),
        (json!({"key_ops": "verify"}), false),
        (json!({"key_ops": {"verify": true}}), false),
        (json!({"use": "enc", "key_ops": ["verify"]}), false),
        (json!({"use": "sig", "key_ops": ["sign"]}), false),
        (json!({"alg": "ES256K"}), false),
        (json!({"alg": "es256"}), false),
        (json!({"alg": "none"}), false),
        (json!({"alg": ""}), false),
        (json!({"alg": "ECDH-ES"}), false),
        (json!({"alg": 1}), false),
        (json!({"d": "AAAA"}), false),
    ] {
        for algorithm in [Es256, Rs256, EdDsa] {
            let (key, other) =
                (jwk(algorithm, changes.clone()), if algorithm == Es256 { EdDsa } else { Es256 });
            let (guarded, left_out) = published(&[key, signers().jwk(other)]);
            assert_eq!(left_out == 0, is_taken, "{algorithm} {changes}");
            let expected = if is_taken { PASSES } else { SIGNATURE };
            assert_eq!(guarded.verdict(&good(algorithm)), expected, "{algorithm} {changes}");
            assert_eq!(guarded.verdict(&good(other)), PASSES, "the others stay");
        }
    }
    let (guarded, left_out) = published(&[jwk(Hs256, json!({"use": "enc"}))]);
    assert_eq!((left_out, guarded.verdict(&good(Hs256))), (1, SIGNATURE));
}
