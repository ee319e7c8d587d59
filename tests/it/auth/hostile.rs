//! The public corpus of hostile tokens, where it is, as requests: `TOWER_KEEP_SHARED` names the folder.

use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;
use tower::Layer as _;
use tower_keep::auth::{JwtLayer, Key, KeySet, RefusalKind, RequireScope, Verifier};
use tower_keep::test_util::ManualClock;
use tower_keep::time::Timestamp;

use super::guarded::answer;
use crate::support::{Inner, request, response};

fn read() -> Option<Value> {
    let folder = std::env::var("TOWER_KEEP_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let path = format!("{folder}/vectors/jwt-adversarial/dev.json");
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            println!("SKIPPED: there is no {path}");
            None
        }
    }
}

/// All that a field can carry. What revokes a token is not the layer's.
#[test]
fn hostile_tokens_are_answered_as_expected_at_the_layer() {
    let Some(file) = read() else { return };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (mut tried, mut not_carried, mut wrong) = (0, Vec::new(), Vec::new());
    for case in file["cases"].as_array().unwrap() {
        let id = text(&case["id"]);
        if id.starts_with("rev-") {
            continue;
        }
        let Ok(line) =
            HeaderValue::from_bytes(format!("Bearer {}", text(&case["token"])).as_bytes())
        else {
            not_carried.push(id);
            continue;
        };
        let config = &case["cfg"];
        let mut verifier = Verifier::new(text(&file["issuer"]), text(&file["audience"]));
        if let Some(secs) = config["leeway"].as_u64() {
            verifier = verifier.leeway(Duration::from_secs(secs));
        }
        if let Some(secs) = config["max_lifetime"].as_u64() {
            verifier = verifier.lifetime_max(Duration::from_secs(secs));
        }
        let keys = case["keys"].as_array().unwrap().iter().map(|name| {
            Key::from_jwk(file["jwks"][name.as_str().unwrap()].to_string().as_bytes()).unwrap()
        });
        let clock = ManualClock::new();
        clock.set_wall(Timestamp::from_secs(file["now"].as_i64().unwrap()));
        let layer = JwtLayer::with_clock(verifier, KeySet::new(keys).unwrap(), clock);
        let inner = Inner::new(|_, _| response(&[], "x"));
        let mut sent = request("GET", "/", &[]);
        sent.headers_mut().insert("authorization", line);
        let answer = match config["required_scope"].as_array() {
            None => answer(layer.layer(inner.clone()), sent),
            Some(words) => {
                let (first, more) = words.split_first().unwrap();
                let needs = more
                    .iter()
                    .fold(RequireScope::new(&text(first)), |all, word| all.and(&text(word)));
                answer(layer.layer(needs.layer(inner.clone())), sent)
            }
        };
        let expected = match (&*id, text(&case["expect"]).as_str()) {
            ("fmt-empty", _) => (400, Some(RefusalKind::InvalidRequest), 0),
            (_, "accept") => (200, None, 1),
            (_, "invalid_token") => (401, Some(RefusalKind::InvalidToken), 0),
            (_, "insufficient_scope") => (403, Some(RefusalKind::InsufficientScope), 0),
            (_, other) => panic!("{other}"),
        };
        let got = (answer.status.as_u16(), answer.kind(), inner.calls());
        if got != expected {
            wrong.push(format!("{id}: {got:?} instead of {expected:?}"));
        }
        tried += 1;
    }
    assert!(wrong.is_empty() && tried > 80, "{} of {tried}: {wrong:#?}", wrong.len());
    assert_eq!(not_carried, ["fmt-nul"]);
}
