//! Tokens as anybody may send them: any bytes; and what somebody with a key may sign.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use tower_keep::auth::{Algorithm, Key, KeySet, Verifier};
use tower_keep::time::Timestamp;

static VERIFIERS: LazyLock<[Verifier; 2]> = LazyLock::new(|| {
    let verifier = Verifier::new("https://login.example", "api");
    [verifier.clone(), verifier.or_plain_jwt()]
});
/// Of all families: secrets are never in a set with others.
static KEYS: LazyLock<[KeySet; 2]> = LazyLock::new(|| {
    let secrets = [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)]
        .map(|(algorithm, bytes)| Key::secret(algorithm, &SECRET[..bytes]).expect("a secret"));
    let (public, left_out) = KeySet::from_jwks(include_bytes!("../keys.jwks")).expect("a set");
    assert_eq!((public.keys().len(), left_out), (10, 0));
    [KeySet::new(secrets).expect("a set"), public]
});
static SIGNING: LazyLock<hmac::Key> =
    LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, &SECRET[..32]));

fuzz_target!(init: seeds_are_accepted(), |input: &[u8]| {
    let [mode, input @ ..] = input else { return };
    if mode & 1 == 0 {
        verify(input);
        return;
    }
    // The first two parts, whatever is in them, signed.
    let signature = hmac::sign(&SIGNING, input);
    let signature = URL_SAFE_NO_PAD.encode(signature);
    verify(&[input, b".", signature.as_bytes()].concat());
});

/// Or else nothing would be looked for.
fn seeds_are_accepted() {
    let seeds: [&[u8]; 7] = [
        include_bytes!("../seeds/token/hs256"),
        include_bytes!("../seeds/token/hs512"),
        include_bytes!("../seeds/token/rs256"),
        include_bytes!("../seeds/token/ps256"),
        include_bytes!("../seeds/token/es256"),
        include_bytes!("../seeds/token/es512"),
        include_bytes!("../seeds/token/eddsa"),
    ];
    for seed in seeds {
        assert!(verify(&seed[1..]), "a seed is refused: {}", seed.escape_ascii());
    }
}

fn verify(token: &[u8]) -> bool {
    let mut is_accepted = false;
    for verifier in VERIFIERS.iter() {
        for keys in KEYS.iter() {
            if let Ok(verified) = verifier.verify(token, keys, Timestamp::from_secs(NOW)) {
                is_of_exact_spelling(token, verified.claims_json());
                is_accepted = true;
            }
        }
    }
    is_accepted
}

/// RFC 7515 §2: what is accepted has no other spelling.
fn is_of_exact_spelling(token: &[u8], claims: &[u8]) {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let [_, payload, _] = parts[..] else { panic!("not three parts were accepted") };
    for part in parts {
        let decoded = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        assert_eq!(URL_SAFE_NO_PAD.encode(decoded).as_bytes(), part, "another spelling");
    }
    assert_eq!(URL_SAFE_NO_PAD.encode(claims).as_bytes(), payload, "other claims");
}

const SECRET: [u8; 64] = [7; 64];
const NOW: i64 = 1_800_000_000;
