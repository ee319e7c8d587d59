//! The public vectors, where they are: see `docs/evidence.md`.

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
    let (Ok(header), Ok(_), Ok(signature)) = (token.header(), token.payload(), token.signature())
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
