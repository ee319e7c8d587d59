//! Sets of keys.

use super::*;

#[test]
fn j08_secrets_and_public_keys_are_never_in_one_set() {
    let keys =
        |keys: &[Json]| kind(KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes()));
    let other = |jwk| with(jwk, "kid", "b");
    let set = Some(KeyErrorKind::Set);
    assert_eq!(keys(&[secret(), other(secret())]), None);
    assert_eq!(keys(&[p256(), other(rsa())]), None);
    assert_eq!(keys(&[secret(), other(p256())]), set);
    assert_eq!(keys(&[p256(), other(secret())]), set);
    // Of which neither would be left out if the other were not there.
    assert_eq!(keys(&[p256(), other(with(secret(), "k", "AA"))]), set, "too short");
    assert_eq!(keys(&[secret(), other(with(p256(), "use", "enc"))]), set);
    assert_eq!(keys(&[secret(), json!({ "kty": "unknown" })]), set);
    let [secret, public] = [secret(), other(p256())].map(|jwk| read(&jwk).unwrap());
    assert_eq!(kind(KeySet::new([secret, public])), set);
}

#[test]
fn a_set_leaves_out_what_cannot_be_used_and_says_how_many() {
    let good = [p256(), with(rsa(), "kid", "b"), with(ed25519(), "kid", "c")];
    let bad = [
        json!({}),
        json!({ "kty": "AKP", "alg": "ML-DSA-65", "kid": "d", "pub": "AA" }),
        json!({ "kty": 7 }),
        with(p384(), "kid", 7),
        with(with(p384(), "kid", "e"), "use", "enc"),
        without(with(rsa(), "kid", "f"), "alg"),
        with(with(p521(), "kid", "g"), "d", "AA"),
    ];
    let all = [&good[..], &bad].concat();
    let keys = json!({ "keys": all, "more": 1 }).to_string();
    let (set, left_out) = KeySet::from_jwks(keys.as_bytes()).unwrap();
    assert_eq!((set.keys().len(), left_out), (good.len(), bad.len()));
    let one_by_one = KeySet::new(good.iter().map(|jwk| read(jwk).unwrap())).unwrap();
    assert_eq!(set, one_by_one);
    let admission = Admission::new().rsa_algorithm(Ps256);
    let (set, left_out) = KeySet::from_jwks_with(keys.as_bytes(), admission).unwrap();
    assert_eq!((set.keys().len(), left_out), (good.len() + 1, bad.len() - 1));
}

#[test]
fn k06_a_set_has_each_id_once_and_is_bounded() {
    let read = |keys: &[Json]| {
        KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes()).map(|(set, _)| set)
    };
    let set = Some(KeyErrorKind::Set);
    assert_eq!(kind(read(&[])), None);
    assert_eq!(kind(read(&[p256(), p384()])), set);
    assert_eq!(kind(read(&[p256(), json!({ "kid": "a" })])), set, "though it cannot be used");
    let nameless = without(p256(), "kid");
    assert_eq!(kind(read(&[nameless.clone(), nameless.clone(), p384()])), None);
    let many = |count| read(&vec![nameless.clone(); count]);
    assert_eq!(many(KeySet::KEYS_MAX).unwrap().keys().len(), KeySet::KEYS_MAX);
    assert_eq!(kind(many(KeySet::KEYS_MAX + 1)), set);
    assert_eq!(kind(read(&vec![json!({}); KeySet::KEYS_MAX + 1])), set);
    let [one, same] = [0, 0].map(|_| Key::from_jwk(p256().to_string().as_bytes()).unwrap());
    assert_eq!(kind(KeySet::new([one.clone(), same])), set);
    let too_many = (0..=KeySet::KEYS_MAX).map(|at| one.clone().with_id(at.to_string()));
    assert_eq!(kind(KeySet::new(too_many)), set);
    let text = json!({ "keys": [p256()] }).to_string();
    let sized = |bytes: usize| text.clone() + &" ".repeat(bytes - text.len());
    assert_eq!(kind(KeySet::from_jwks(sized(KeySet::TEXT_BYTES_MAX).as_bytes())), None);
    assert_eq!(kind(KeySet::from_jwks(sized(KeySet::TEXT_BYTES_MAX + 1).as_bytes())), set);
}

#[test]
fn k06_a_set_is_an_object_with_an_array_of_objects() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[[]]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]}x"#,
        r#"{"Keys":[]}"#,
    ] {
        assert_eq!(kind(KeySet::from_jwks(text.as_bytes())), MALFORMED, "{text}");
    }
}

#[test]
fn j30_debug_of_a_set_shows_nothing_of_its_keys() {
    let set = KeySet::new([read(&secret()).unwrap()]).unwrap();
    assert_eq!(format!("{set:?}"), "KeySet { keys: [Key(HS256)] }");
}
