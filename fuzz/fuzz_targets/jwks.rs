//! A JWK Set as whoever answers for an issuer may send it: any bytes.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_keep::auth::{Algorithm, Key, KeySet, Verifier};
use tower_keep::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let _ = Key::from_jwk(input);
    let Ok((set, left_out)) = KeySet::from_jwks(input) else { return };
    let keys = set.keys();
    let witness: Value = match serde_json::from_slice(input) {
        Ok(witness) => witness,
        // It has no number for what RFC 8259 §6 has a text for.
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(error) => panic!("what is accepted is no JSON: {error}"),
    };
    let said = witness["keys"].as_array().expect("keys");
    assert!(said.len() <= KeySet::KEYS_MAX);
    assert_eq!(keys.len() + left_out, said.len(), "each is taken or left out");
    // RFC 8725 §2.1: and of those too that were left out.
    let secrets = said.iter().filter(|key| key["kty"] == "oct").count();
    assert!(secrets == 0 || secrets == said.len(), "secrets beside public keys");
    let ids: Vec<_> = said.iter().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "one id twice");
    let mut said = said.iter();
    for key in keys {
        // In the order of the set.
        assert!(said.any(|said| is_of(key, said)), "{key:?} is none of these");
    }
    assert!(KeySet::new(keys.iter().cloned()).is_ok(), "a set of the same keys");
    for token in TOKENS {
        let _ = Verifier::new("https://login.example", "api").verify(
            token.as_bytes(),
            &set,
            Timestamp::from_secs(1_800_000_000),
        );
    }
});

/// Whether this key may come of that JWK (RFC 7517 §4, RFC 7518 §6).
fn is_of(key: &Key, said: &Value) -> bool {
    let algorithm = match (said.get("alg"), said["crv"].as_str()) {
        (Some(name), _) => name.as_str().and_then(Algorithm::named),
        (None, Some("P-256")) => Some(Algorithm::Es256),
        (None, Some("P-384")) => Some(Algorithm::Es384),
        (None, Some("P-521")) => Some(Algorithm::Es512),
        (None, Some("Ed25519")) => Some(Algorithm::EdDsa),
        (None, _) => None,
    };
    let operations = said.get("key_ops").and_then(Value::as_array);
    algorithm == Some(key.algorithm())
        && key.id() == said["kid"].as_str()
        && said.get("use").is_none_or(|usage| usage == "sig")
        && operations.is_none_or(|all| all.iter().any(|operation| operation == "verify"))
        && (said["kty"] == "oct" || said.get("d").is_none())
}

/// With signatures that no key has made.
const TOKENS: [&str; 3] = [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA",
];
