//! A token that names no key, and keys of which several could have signed it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use tower_keep::auth::Verifier;
use tower_keep::time::Timestamp;

use super::*;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> String {
    let x = URL_SAFE_NO_PAD.encode(pair(seed).public_key());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{seed}","x":"{x}"}}"#)
}

/// RFC 7515 §A.3.
const OF_ANOTHER_ALGORITHM: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn token(seed: u8) -> String {
    let parts = [
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
        r#"{"iss":"https://login.test","aud":"api","sub":"ada","exp":1600000600}"#,
    ];
    let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn k08_a_token_without_a_key_id_is_tried_with_three_keys_of_its_algorithm() {
    let world = World::new(|_, _| {
        let mut keys: Vec<_> = (1..=5).map(public).collect();
        keys.insert(0, OF_ANOTHER_ALGORITHM.to_owned());
        Act::Reply(json(&[], set_of(&keys)))
    });
    world.keys.load().await.unwrap();
    let keys = world.keys.keys().unwrap();
    assert_eq!(keys.keys().len(), 6);
    let verifier = Verifier::new("https://login.test", "api").or_plain_jwt();
    let accepted = (1..=5).map(|seed| {
        let now = Timestamp::from_secs(1_600_000_000);
        verifier.verify(token(seed).as_bytes(), &keys, now).is_ok()
    });
    assert_eq!(accepted.collect::<Vec<_>>(), [true, true, true, false, false]);
}
