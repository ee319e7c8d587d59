mod sets;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use serde_json::{Value as Json, json};

use super::*;
use crate::auth::key::samples::{ed25519, p256, p384, p521, rsa};
use Algorithm::{EdDsa, Es256, Hs256, Ps256, Rs256, Rs512};

fn kind<T>(result: Result<T, KeyError>) -> Option<KeyErrorKind> {
    result.err().map(|error| error.kind())
}

fn read(jwk: &Json) -> Result<Key, KeyError> {
    Key::from_jwk(jwk.to_string().as_bytes())
}

/// The key with one member more, or another in place of its own.
fn with(mut jwk: Json, name: &str, value: impl Into<Json>) -> Json {
    jwk[name] = value.into();
    jwk
}

fn without(mut jwk: Json, name: &str) -> Json {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

fn secret() -> Json {
    json!({ "kty": "oct", "alg": "HS256", "kid": "a", "k": "B".repeat(42) + "A" })
}

/// One of each kind.
fn all() -> [Json; 6] {
    [secret(), rsa(), p256(), p384(), p521(), ed25519()]
}

const MALFORMED: Option<KeyErrorKind> = Some(KeyErrorKind::Malformed);
const ALGORITHM: Option<KeyErrorKind> = Some(KeyErrorKind::Algorithm);
const USE: Option<KeyErrorKind> = Some(KeyErrorKind::Use);

#[test]
fn j07_a_key_is_of_the_one_algorithm_that_goes_with_its_type_and_curve() {
    let names = [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "ES512", "EdDSA", "Ed25519",
    ];
    let long_secret = with(secret(), "k", "B".repeat(85) + "A");
    let of = |jwk: Json, own: &[&str]| {
        for name in names {
            let expected = if own.contains(&name) { None } else { ALGORITHM };
            let key = read(&with(jwk.clone(), "alg", name));
            assert_eq!(kind(key.clone()), expected, "{jwk} as {name}");
            assert!(key.is_err() || Some(key.unwrap().algorithm()) == Algorithm::named(name));
        }
    };
    of(long_secret, &names[..3]);
    of(rsa(), &names[3..9]);
    of(p256(), &["ES256"]);
    of(p384(), &["ES384"]);
    of(p521(), &["ES512"]);
    of(ed25519(), &["EdDSA", "Ed25519"]);
}

#[test]
fn j07_without_alg_the_curve_says_it_and_else_nobody_does() {
    for (jwk, expected) in [
        (p256(), Ok(Es256)),
        (p384(), Ok(Algorithm::Es384)),
        (p521(), Ok(Algorithm::Es512)),
        (ed25519(), Ok(EdDsa)),
        (without(rsa(), "alg"), Err(KeyErrorKind::Algorithm)),
        (without(secret(), "alg"), Err(KeyErrorKind::Algorithm)),
    ] {
        let found = read(&jwk).map(|key| key.algorithm()).map_err(|error| error.kind());
        assert_eq!(found, expected, "{jwk}");
    }
}

#[test]
fn j07_an_rsa_key_without_alg_is_for_what_the_caller_has_said() {
    let read = |jwk: &Json, algorithm| {
        let admission = Admission::new().rsa_algorithm(algorithm);
        Key::from_jwk_with(jwk.to_string().as_bytes(), admission).map(|key| key.algorithm())
    };
    let silent = without(rsa(), "alg");
    assert_eq!(read(&silent, Rs512), Ok(Rs512));
    assert_eq!(read(&silent, Ps256), Ok(Ps256));
    assert_eq!(read(&rsa(), Ps256), Ok(Rs256), "what a key says counts");
    for other in [Hs256, Es256, EdDsa] {
        assert_eq!(kind(read(&silent, other)), ALGORITHM);
    }
    assert_eq!(read(&p256(), Ps256), Ok(Es256), "of RSA alone");
    assert_eq!(kind(read(&without(secret(), "alg"), Hs256)), ALGORITHM);
    assert_eq!(kind(read(&with(silent.clone(), "alg", Json::Null), Rs256)), MALFORMED);
    assert_eq!(kind(read(&with(silent.clone(), "alg", "RSA-OAEP"), Rs256)), ALGORITHM);
    assert_eq!(kind(read(&with(silent, "use", "enc"), Rs256)), USE);
}

#[test]
fn j09_a_json_exponent_is_admitted_as_any_other() {
    let three = with(rsa(), "e", "Aw");
    assert_eq!(kind(read(&three)), Some(KeyErrorKind::Weak));
    let admission = Admission::new().any_rsa_exponent();
    assert_eq!(kind(Key::from_jwk_with(three.to_string().as_bytes(), admission)), None);
    let jwks = json!({ "keys": [three] }).to_string();
    assert_eq!(KeySet::from_jwks(jwks.as_bytes()).unwrap().1, 1);
    assert_eq!(KeySet::from_jwks_with(jwks.as_bytes(), admission).unwrap().1, 0);
    assert_eq!(kind(read(&with(rsa(), "e", "AAEAAQ"))), MALFORMED, "padded with a zero");
    let padded = format!("AA{}", "A".repeat(341));
    assert_eq!(kind(read(&with(rsa(), "n", padded))), MALFORMED);
}

#[test]
fn j10_a_json_secret_is_as_long_as_the_hash() {
    let weak = Some(KeyErrorKind::Weak);
    for (name, bytes) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let of =
            |bytes| with(with(secret(), "alg", name), "k", URL_SAFE_NO_PAD.encode(vec![7; bytes]));
        assert_eq!(kind(read(&of(bytes))), None);
        assert_eq!(kind(read(&of(bytes - 1))), weak);
        assert_eq!(kind(read(&of(0))), weak);
    }
    let typed = URL_SAFE_NO_PAD.encode("a pass phrase that is long enough");
    assert!(read(&with(secret(), "k", typed)).unwrap().looks_like_a_pass_phrase());
    assert!(!read(&secret()).unwrap().looks_like_a_pass_phrase());
}

#[test]
fn j13_a_key_is_for_verifying_or_is_refused() {
    for jwk in all() {
        for (name, value, expected) in [
            ("use", json!("sig"), None),
            ("use", json!("enc"), USE),
            ("use", json!("SIG"), USE),
            ("use", json!(""), USE),
            ("use", json!(["sig"]), MALFORMED),
            ("use", Json::Null, MALFORMED),
            ("key_ops", json!(["verify"]), None),
            ("key_ops", json!(["sign", "verify"]), None),
            ("key_ops", json!(["verify", "of a later RFC"]), None),
            ("key_ops", json!(["sign"]), USE),
            ("key_ops", json!(["encrypt", "wrapKey"]), USE),
            ("key_ops", json!(["Verify"]), USE),
            ("key_ops", json!([]), USE),
            ("key_ops", json!("verify"), MALFORMED),
            ("key_ops", json!(["verify", 1]), MALFORMED),
            ("key_ops", json!(["verify", "verify"]), MALFORMED),
            ("key_ops", json!(["verify", "sign", "sign"]), MALFORMED),
            ("key_ops", Json::Null, MALFORMED),
        ] {
            assert_eq!(
                kind(read(&with(jwk.clone(), name, value.clone()))),
                expected,
                "{name} {value}"
            );
        }
        let both = with(with(jwk, "use", "enc"), "key_ops", json!(["verify"]));
        assert_eq!(kind(read(&both)), USE);
    }
}

#[test]
fn j13_key_ops_are_few() {
    let of = |count: usize| {
        let mut names: Vec<_> = (1..count).map(|at| at.to_string()).collect();
        names.push("verify".to_owned());
        kind(read(&with(p256(), "key_ops", names)))
    };
    assert_eq!(of(OPERATIONS_MAX), None);
    assert_eq!(of(OPERATIONS_MAX + 1), MALFORMED);
}

#[test]
fn j13_an_unknown_algorithm_makes_a_key_unusable() {
    for jwk in all() {
        for name in [
            "none", "None", "", "hs256", "es256", "ES521", "ES224", "ES256K", "Ed448", "eddsa",
            "RS1", "RSA-OAEP", "RSA1_5", "ECDH-ES", "A256GCM", "A256KW", "dir", "RS256 ",
        ] {
            assert_eq!(kind(read(&with(jwk.clone(), "alg", name))), ALGORITHM, "{name}");
        }
        for value in [json!(256), json!(["RS256"]), Json::Null] {
            assert_eq!(kind(read(&with(jwk.clone(), "alg", value))), MALFORMED);
        }
    }
}

#[test]
fn j13_an_unknown_type_or_curve_makes_a_key_unusable() {
    for jwk in all() {
        let types = ["", "EC2", "ec", "rsa", "OCT", "okp", "AKP", "RSA "];
        for name in types.iter().chain(&["oct", "RSA", "EC", "OKP"]) {
            let expected = if *name == jwk["kty"] { None } else { ALGORITHM };
            let found = kind(read(&with(jwk.clone(), "kty", *name)));
            assert_eq!(found, expected, "{jwk} as {name}");
        }
        assert_eq!(kind(read(&without(jwk.clone(), "kty"))), MALFORMED);
        assert_eq!(kind(read(&with(jwk, "kty", 1))), MALFORMED);
    }
    for jwk in [p256(), p384(), p521(), ed25519()] {
        let curves =
            ["", "p-256", "P-256K", "secp256k1", "P-224", "X25519", "Ed448", "ed25519", "BP-256"];
        for name in curves {
            assert_eq!(kind(read(&with(jwk.clone(), "crv", name))), ALGORITHM, "{jwk} on {name}");
        }
        assert_eq!(kind(read(&without(jwk.clone(), "crv"))), ALGORITHM);
        assert_eq!(kind(read(&with(jwk, "crv", 256))), MALFORMED);
    }
    // The coordinates of one curve under the name of another.
    assert_eq!(kind(read(&with(p256(), "crv", "P-384"))), MALFORMED);
    assert_eq!(kind(read(&with(p384(), "crv", "P-256"))), MALFORMED);
}

#[test]
fn j13_members_are_exact_base64url_and_all_there() {
    let cases = [
        (secret(), vec!["k"]),
        (rsa(), vec!["n", "e"]),
        (p256(), vec!["x", "y"]),
        (ed25519(), vec!["x"]),
    ];
    for (jwk, names) in cases {
        for name in names {
            let own = jwk[name].as_str().unwrap().to_owned();
            let (head, tail) = own.split_at(2);
            for other in [
                format!("{own}="),
                format!("{own} "),
                format!("{own}\n"),
                format!(" {own}"),
                format!("{head} {tail}"),
                format!("{head}+{}", &tail[1..]),
                format!("{head}/{}", &tail[1..]),
                format!("{head}\u{e9}{tail}"),
            ] {
                assert_eq!(
                    kind(read(&with(jwk.clone(), name, other.as_str()))),
                    MALFORMED,
                    "{other}"
                );
            }
            assert_eq!(kind(read(&without(jwk.clone(), name))), MALFORMED, "{name}");
            for value in [json!(65537), json!([own]), Json::Null] {
                assert_eq!(kind(read(&with(jwk.clone(), name, value))), MALFORMED, "{name}");
            }
        }
    }
    // Bits in the last character that say nothing.
    assert_eq!(kind(read(&with(secret(), "k", "B".repeat(43)))), MALFORMED);
    // One text of JSON in another spelling is the same text.
    let escaped =
        secret().to_string().replace("\"HS256\"", r#""\u0048S256""#).replace("BB", r"\u0042B");
    assert_eq!(Key::from_jwk(escaped.as_bytes()), read(&secret()));
}

#[test]
fn j13_a_private_key_is_refused() {
    for jwk in [rsa(), p256(), p384(), p521(), ed25519()] {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
            let found = kind(read(&with(jwk.clone(), name, "AQ")));
            assert_eq!(found, Some(KeyErrorKind::Private), "{jwk} with {name}");
        }
    }
}

#[test]
fn j13_other_members_are_passed_over() {
    for jwk in all() {
        let key = read(&jwk).unwrap();
        for (name, value) in [
            ("x5c", json!(["not a certificate"])),
            ("x5u", json!("https://elsewhere.example/")),
            ("x5t#S256", json!(1)),
            ("ext", json!(true)),
            ("KTY", json!("oct")),
            ("nbf", json!({ "a": [1] })),
        ] {
            assert_eq!(read(&with(jwk.clone(), name, value)), Ok(key.clone()), "{name}");
        }
    }
}

#[test]
fn j13_a_key_is_one_json_object_with_each_name_once_and_bounded() {
    let text = p256().to_string();
    for other in [
        String::new(),
        "null".to_owned(),
        format!("[{text}]"),
        format!("{text},"),
        format!("{text}{text}"),
        format!("\u{feff}{text}"),
        text.replace("\"kid\"", "\"crv\":\"P-256\",\"kid\""),
        text.replace("\"kid\"", "\"\\u0063rv\":\"P-256\",\"kid\""),
    ] {
        assert_eq!(kind(Key::from_jwk(other.as_bytes())), MALFORMED, "{other}");
    }
    let sized = |bytes: usize| text.clone() + &" ".repeat(bytes - text.len());
    assert_eq!(kind(Key::from_jwk(sized(Key::TEXT_BYTES_MAX).as_bytes())), None);
    assert_eq!(kind(Key::from_jwk(sized(Key::TEXT_BYTES_MAX + 1).as_bytes())), MALFORMED);
}

#[test]
fn j16_a_key_id_is_a_string() {
    assert_eq!(read(&p256()).unwrap().id(), Some("a"));
    assert_eq!(read(&without(p256(), "kid")).unwrap().id(), None);
    assert_eq!(read(&with(p256(), "kid", "")).unwrap().id(), Some(""));
    for value in [json!(1), json!(["a"]), json!({}), Json::Null] {
        assert_eq!(kind(read(&with(p256(), "kid", value))), MALFORMED);
    }
}
