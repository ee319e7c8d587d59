//! Claims as any issuer may sign them, with another parser as a witness: what is accepted it accepts too, and reads alike.
#![no_main]

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tower_keep::auth::{Algorithm, Key, KeySet, Refusal, Verified, Verifier};
use tower_keep::fuzzing::Json;
use tower_keep::time::Timestamp;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(ISSUER, AUDIENCE));
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = Key::secret(Algorithm::Hs256, &SECRET).expect("a secret");
    KeySet::new([key]).expect("a set")
});
static SIGNING: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, &SECRET));

fuzz_target!(init: seeds_are_accepted(), |input: &[u8]| {
    let ours = Json::object(input);
    let witness = serde_json::from_slice::<Value>(input);
    if let Some(ours) = &ours {
        let distinct = serde_json::from_slice::<Distinct>(input);
        assert!(distinct.as_ref().err().is_none_or(is_too_large), "a name twice");
        match &witness {
            Ok(witness) => assert!(is_same(ours, witness), "{ours:?} is not {witness:?}"),
            Err(error) => assert!(is_too_large(error), "{ours:?} is no JSON: {error}"),
        }
    }
    if let Ok(verified) = verified(input) {
        assert!(ours.is_some() && verified.claims_json() == input);
        let claims = witness.expect("a number of that size is no claim");
        assert!(is_acceptable(&claims), "accepted: {claims:?}");
        assert_eq!(verified.subject(), claims["sub"].as_str());
    }
});

/// Or else nothing would be looked for.
fn seeds_are_accepted() {
    assert!(verified(include_bytes!("../seeds/claims/access_token")).is_ok());
    assert!(verified(include_bytes!("../seeds/claims/audiences")).is_ok());
}

fn verified(claims: &[u8]) -> Result<Verified, Refusal> {
    let header: &[u8] = br#"{"alg":"HS256","typ":"at+jwt"}"#;
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&SIGNING, signed.as_bytes()));
    let token = format!("{signed}.{signature}");
    VERIFIER.verify(token.as_bytes(), &KEYS, Timestamp::from_secs(NOW as i64))
}

/// RFC 7519 §4.1, RFC 9068 §2.2, RFC 7800 §3.1.
fn is_acceptable(claims: &Value) -> bool {
    let audience = &claims["aud"];
    let is_ours = |audience: &Value| audience == AUDIENCE;
    let is_text = |name| claims[name].as_str().is_some_and(|text| !text.is_empty());
    let expires = claims["exp"].as_f64().expect("a number");
    let issued = claims["iat"].as_f64().expect("a number");
    let not_before = claims.get("nbf").map_or(Some(0.0), Value::as_f64).expect("a number");
    claims["iss"] == ISSUER
        && (is_ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_ours)))
        && ["sub", "jti", "client_id"].into_iter().all(is_text)
        && claims.get("cnf").is_none()
        && expires > NOW
        && issued <= NOW
        && not_before <= NOW
        && issued >= 0.0
        && expires - issued <= 86_400.0
}

fn is_same(ours: &Json, witness: &Value) -> bool {
    match (ours, witness) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(witness)) => ours == witness,
        (Json::Number(ours), Value::Number(witness)) => {
            let (ours, witness): (f64, _) = (ours.parse().expect("a number"), witness.as_f64());
            // The witness rounds in another way.
            witness.is_some_and(|witness| (ours - witness).abs() <= witness.abs() * 1e-12)
        }
        (Json::String(ours), Value::String(witness)) => ours == witness,
        (Json::Array(ours), Value::Array(witness)) => {
            ours.len() == witness.len()
                && ours.iter().zip(witness).all(|(ours, witness)| is_same(ours, witness))
        }
        (Json::Object(ours), Value::Object(witness)) => {
            let is_in = |(name, ours): &(String, Json)| {
                witness.get(name).is_some_and(|witness| is_same(ours, witness))
            };
            ours.len() == witness.len() && ours.iter().all(is_in)
        }
        _ => false,
    }
}

/// The witness has no number for it; RFC 8259 §6 lets it have none.
fn is_too_large(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// JSON in which no name stands twice in one object, at any depth.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with each name once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Distinct)) = map.next_entry::<String, Self>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "api";
const SECRET: [u8; 32] = [7; 32];
const NOW: f64 = 1_800_000_000.0;
