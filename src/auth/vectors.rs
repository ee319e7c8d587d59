//! The public vectors, where they are: see `docs/evidence.md`.

mod rfc;

use serde_json::Value;

use super::jwk::KeySet;
use super::key::Key;
use super::token::Compact;

fn read(file: &str) -> Option<Value> {
    let folder = std::env::var("TOWER_KEEP_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let path = format!("{folder}/vectors/{file}");
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            println!("SKIPPED: there is no {path}");
            None
        }
    }
}

/// The signature stage alone: header, key, signature.
fn is_signed(keys: &[Key], token: &[u8]) -> bool {
    let Ok(token) = Compact::of(token, 64 << 10) else { return false };
    let (Ok((header, _)), Ok(_), Ok(signature)) =
        (token.header(), token.claims(), token.signature())
    else {
        return false;
    };
    keys.iter().any(|key| {
        let is_named =
            header.key_id().is_none() || key.id().is_none() || header.key_id() == key.id();
        key.algorithm() == header.algorithm()
            && is_named
            && key.has_signed(token.signed(), &signature)
    })
}

fn keys(group: &Value) -> Vec<Key> {
    let jwk = group.get("public").or(group.get("private")).unwrap();
    let text = serde_json::to_vec(jwk).unwrap();
    match jwk.get("keys") {
        Some(_) => KeySet::from_jwks(&text).map(|(set, _)| set.keys().to_vec()).unwrap_or_default(),
        None => Key::from_jwk(&text).into_iter().collect(),
    }
}

#[test]
fn wycheproof_jose_files_are_answered_as_adjudicated() {
    let Some(adjudication) = read("wycheproof/adjudication.json") else { return };
    let (mut tried, mut wrong) = (0, Vec::new());
    for name in ["json_web_signature", "json_web_key", "json_web_crypto"] {
        let Some(file) = read(&format!("wycheproof/{name}_dev.json")) else { return };
        for group in file["testGroups"].as_array().unwrap() {
            let keys = keys(group);
            for test in group["tests"].as_array().unwrap() {
                let ours = adjudication
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|ours| ours["file"] == name && ours["tcId"] == test["tcId"]);
                let stated = ours.map_or(&test["result"], |ours| &ours["ours"]);
                let token = test.get("jws").or(test.get("jwe")).unwrap();
                // Some are in the JSON serialisation.
                let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
                let expected = stated == "valid" && test.get("jwe").is_none();
                if is_signed(&keys, token.as_bytes()) != expected {
                    wrong.push(format!("{name} {} {}", test["tcId"], test["comment"]));
                }
                tried += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}: {wrong:#?}", wrong.len());
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn wycheproof_primitives_are_answered_as_stated() {
    use super::algorithm::Algorithm::{EdDsa, Es256, Es384, Es512};
    let mut tried = 0;
    for (name, algorithm) in [
        ("ed25519", EdDsa),
        ("ecdsa_secp256r1_sha256_p1363", Es256),
        ("ecdsa_secp384r1_sha384_p1363", Es384),
        ("ecdsa_secp521r1_sha512_p1363", Es512),
    ] {
        let Some(file) = read(&format!("wycheproof/{name}_dev.json")) else { return };
        for group in file["testGroups"].as_array().unwrap() {
            let public = &group["publicKey"];
            let key = match algorithm {
                EdDsa => Key::ed25519(&hex(&public["pk"])),
                _ => {
                    let point = hex(&public["uncompressed"]);
                    let (x, y) = point[1..].split_at(point.len() / 2);
                    Key::ec(algorithm, x, y)
                }
            };
            for test in group["tests"].as_array().unwrap() {
                let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
                let is_signed = key.as_ref().is_ok_and(|key| key.has_signed(&message, &signature));
                assert_eq!(
                    is_signed,
                    test["result"] == "valid",
                    "{name} {} {}",
                    test["tcId"],
                    test["comment"]
                );
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 77 + 130 + 140 + 158);
}

#[test]
fn hostile_tokens_are_answered_as_expected() {
    use std::time::Duration;

    use super::verify::Verifier;
    use crate::time::Timestamp;

    let Some(file) = read("jwt-adversarial/dev.json") else { return };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let now = Timestamp::from_secs(file["now"].as_i64().unwrap());
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in file["cases"].as_array().unwrap() {
        let id = text(&case["id"]);
        if id.starts_with("rev-") {
            continue;
        }
        let config = &case["cfg"];
        let mut verifier = Verifier::new(text(&file["issuer"]), text(&file["audience"]));
        if let Some(secs) = config["leeway"].as_u64() {
            verifier = verifier.leeway(Duration::from_secs(secs));
        }
        if let Some(secs) = config["max_lifetime"].as_u64() {
            verifier = verifier.lifetime_max(Duration::from_secs(secs));
        }
        let keys = case["keys"].as_array().unwrap().iter().map(|name| {
            let jwk = serde_json::to_vec(&file["jwks"][name.as_str().unwrap()]).unwrap();
            Key::from_jwk(&jwk).unwrap()
        });
        let keys = KeySet::new(keys).unwrap();
        let scopes = config["required_scope"].as_array();
        let answer = match verifier.verify(text(&case["token"]).as_bytes(), &keys, now) {
            Err(_) => "invalid_token",
            Ok(token)
                if scopes.is_some_and(|all| !all.iter().all(|one| token.has_scope(&text(one)))) =>
            {
                "insufficient_scope"
            }
            Ok(_) => "accept",
        };
        if case["expect"] != answer {
            wrong.push(format!("{id}: {answer} instead of {}", case["expect"]));
        }
        tried += 1;
    }
    assert!(wrong.is_empty() && tried > 80, "{} of {tried}: {wrong:#?}", wrong.len());
}
