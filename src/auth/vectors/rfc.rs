//! Examples that RFCs print: of 7515, 7520, 7797, 8037.

use serde_json::{Value, json};

use super::{is_signed, read};
use crate::auth::key::{Admission, Key, KeyErrorKind};
use crate::auth::refusal::Detail;
use crate::auth::token::Compact;

/// The public half of a key that is printed whole, with an algorithm where it names none.
fn public(key: &Value, algorithm: &Value) -> Key {
    let mut key = key.as_object().unwrap().clone();
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        key.remove(name);
    }
    key.entry("alg").or_insert_with(|| algorithm.clone());
    Key::from_jwk(json!(key).to_string().as_bytes()).unwrap()
}

fn refusal(token: &str) -> Option<Detail> {
    let header = Compact::of(token.as_bytes(), 64 << 10).and_then(|token| token.header());
    header.err().map(|refusal| refusal.0)
}

#[test]
fn printed_tokens_are_answered_as_stated() {
    let Some(file) = read("jose-rfc/rfc-examples.json") else { return };
    let (mut accepted, mut refused) = (0, 0);
    for example in file["examples"].as_array().unwrap() {
        let token = example["token"].as_str().unwrap();
        let key = &example["jwk"];
        let keys: Vec<Key> =
            if key.is_null() { Vec::new() } else { vec![public(key, &Value::Null)] };
        let expected = example["expect"] == "accept";
        assert_eq!(is_signed(&keys, token.as_bytes()), expected, "{}", example["ref"]);
        accepted += usize::from(expected);
        refused += usize::from(!expected);
    }
    assert_eq!((accepted, refused), (6, 1));
}

#[test]
fn compact_tokens_of_the_cookbook_verify_and_other_forms_are_refused() {
    let jws = [
        "4_1.rsa_v15_signature",
        "4_2.rsa-pss_signature",
        "4_3.ecdsa_signature",
        "4_4.hmac-sha2_integrity_protection",
        "4_5.signature_with_detached_content",
        "4_6.protecting_specific_header_fields",
        "4_7.protecting_content_only",
        "4_8.multiple_signatures",
    ];
    let files = jws.map(|name| format!("jws/{name}")).into_iter().chain([
        "curve25519/jws".to_owned(),
        "rfc7797/4.2.hmac-sha2_b64_false".to_owned(),
        "rfc7797/hmac-sha2_b64_false".to_owned(),
    ]);
    let mut verified = Vec::new();
    for name in files {
        let Some(example) = read(&format!("jose-rfc/cookbook/{name}.json")) else { return };
        let input = &example["input"];
        let keys: Vec<Key> = match input["key"].as_array() {
            Some(keys) => {
                let algorithms = input["alg"].as_array().unwrap();
                keys.iter().zip(algorithms).map(|(key, algorithm)| public(key, algorithm)).collect()
            }
            None => vec![public(&input["key"], &input["alg"])],
        };
        let output = &example["output"];
        if let Some(token) = output["compact"].as_str()
            && is_signed(&keys, token.as_bytes())
        {
            verified.push(name);
        }
        for form in ["json", "json_flat"]
            .map(|form| &output[form])
            .into_iter()
            .filter(|form| !form.is_null())
        {
            assert_eq!(refusal(&form.to_string()), Some(Detail::Shape));
        }
    }
    // The others are detached, have no protected algorithm, or a payload that is not base64url.
    let of_jws = jws[..4].iter().map(|name| format!("jws/{name}"));
    let expected: Vec<String> = of_jws.chain(["curve25519/jws".to_owned()]).collect();
    assert_eq!(verified, expected);
}

#[test]
fn printed_keys_are_admitted_or_refused_for_what_they_are() {
    for (name, expected) in [
        // It names no algorithm; of the curve only one is left.
        ("3_1.ec_public_key", None),
        ("3_2.ec_private_key", Some(KeyErrorKind::Private)),
        ("3_3.rsa_public_key", Some(KeyErrorKind::Algorithm)),
        ("3_4.rsa_private_key", Some(KeyErrorKind::Algorithm)),
        ("3_5.symmetric_key_mac_computation", None),
        ("3_6.symmetric_key_encryption", Some(KeyErrorKind::Use)),
    ] {
        let Some(key) = read(&format!("jose-rfc/cookbook/jwk/{name}.json")) else { return };
        let text = key.to_string();
        let found = Key::from_jwk(text.as_bytes()).err().map(|error| error.kind());
        assert_eq!(found, expected, "{name}");
        let admission = Admission::new().rsa_algorithm(crate::auth::Algorithm::Rs256);
        let found = Key::from_jwk_with(text.as_bytes(), admission).err().map(|error| error.kind());
        let is_private = name.contains("private");
        let expected = if is_private { Some(KeyErrorKind::Private) } else { expected };
        let expected = expected.filter(|_| name != "3_3.rsa_public_key");
        assert_eq!(found, expected, "{name}");
    }
}

/// RFC 7515 §A.1, §A.3; RFC 8037 §A.4; RFC 7515 §A.5, which is not secured.
#[test]
fn known_tokens_verify_and_no_others_do() {
    let hmac = json!({
        "kty": "oct",
        "alg": "HS256",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    });
    let ecdsa = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let ed25519 = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let tokens = [
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        format!(
            "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".to_owned(),
        format!("eyJhbGciOiJub25lIn0.{claims}."),
    ];
    let keys = [hmac, ecdsa, ed25519].map(|jwk| Key::from_jwk(jwk.to_string().as_bytes()).unwrap());
    for (at, token) in tokens.iter().enumerate() {
        for (of, key) in keys.iter().enumerate() {
            assert_eq!(is_signed(std::slice::from_ref(key), token.as_bytes()), at == of, "{token}");
        }
    }
}
