use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};

use super::*;
use crate::auth::key::samples;
use Algorithm::{EdDsa, Es256, Es384, Es512, Hs256, Ps256, Rs256, Rs512};

fn kind<T>(result: Result<T, KeyError>) -> Option<KeyErrorKind> {
    result.err().map(|error| error.kind())
}

/// DER of less than 16 MiB: tag, length in its shortest form, contents.
fn tlv(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = u32::try_from(contents.len()).unwrap();
    let bytes = length.to_be_bytes();
    let head: &[u8] = match length {
        0..0x80 => &[bytes[3]],
        0x80..0x100 => &[0x81, bytes[3]],
        0x100..0x10000 => &[0x82, bytes[2], bytes[3]],
        _ => &[0x83, bytes[1], bytes[2], bytes[3]],
    };
    [&[tag], head, &*contents].concat()
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const NULL: &[u8] = &[5, 0];

fn info(oid: ObjectIdentifier, parameters: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[&tlv(6, &[oid.as_bytes()]), parameters]);
    tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], key])])
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(INTEGER, &[&[0], modulus]), &tlv(INTEGER, &[exponent])])
}

fn of(name: ObjectIdentifier) -> Vec<u8> {
    tlv(6, &[name.as_bytes()])
}

#[test]
fn a_pem_key_is_the_same_as_the_json_one() {
    for (algorithm, pem, jwk) in [
        (Rs256, samples::RSA_PEM, samples::rsa()),
        (Es256, samples::P256_PEM, samples::p256()),
        (Es384, samples::P384_PEM, samples::p384()),
        (Es512, samples::P521_PEM, samples::p521()),
        (EdDsa, samples::ED25519_PEM, samples::ed25519()),
    ] {
        let jwk = Key::from_jwk(jwk.to_string().as_bytes()).unwrap();
        let pem = Key::from_pem(algorithm, pem.as_bytes()).unwrap();
        assert_eq!(pem.with_id("a"), jwk);
    }
}

#[test]
fn j07_a_pem_key_is_for_the_algorithm_that_the_caller_gives_and_no_other() {
    let pair = samples::rsa_pair();
    let mut signature = vec![0; 256];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
    let key = |algorithm| Key::from_pem(algorithm, samples::RSA_PEM.as_bytes()).unwrap();
    assert!(key(Rs256).has_signed(b"message", &signature));
    assert!(!key(Rs512).has_signed(b"message", &signature));
    assert!(!key(Ps256).has_signed(b"message", &signature));
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
    assert!(key(Ps256).has_signed(b"message", &signature));
    assert!(!key(Rs256).has_signed(b"message", &signature));
}

#[test]
fn j07_a_pem_key_must_go_with_the_algorithm() {
    let keys = [
        (samples::RSA_PEM, Rs256),
        (samples::P256_PEM, Es256),
        (samples::P384_PEM, Es384),
        (samples::P521_PEM, Es512),
        (samples::ED25519_PEM, EdDsa),
    ];
    for (pem, own) in keys {
        for other in [Rs256, Es256, Es384, Es512, EdDsa, Hs256] {
            let expected = if other == own { None } else { Some(KeyErrorKind::Algorithm) };
            assert_eq!(kind(Key::from_pem(other, pem.as_bytes())), expected, "{own} as {other}");
        }
    }
    for algorithm in [Es256, EdDsa] {
        let refused = kind(Key::from_pem(algorithm, samples::SECP256K1_PEM.as_bytes()));
        assert_eq!(refused, Some(KeyErrorKind::Algorithm), "a curve that nobody knows here");
    }
}

#[test]
fn j09_der_keys_are_admitted_as_json_ones_are() {
    let weak = Some(KeyErrorKind::Weak);
    let granted = Admission::new().any_rsa_exponent();
    let modulus = samples::rsa_modulus();
    let key = |modulus: &[u8], exponent: &[u8]| info(RSA, NULL, &rsa_key(modulus, exponent));
    assert_eq!(kind(Key::from_der(Rs256, &key(&modulus, &[1, 0, 1]))), None);
    assert_eq!(kind(Key::from_der(Rs256, &key(&modulus, &[3]))), weak);
    assert_eq!(kind(Key::from_der_with(Rs256, &key(&modulus, &[3]), granted)), None);
    assert_eq!(kind(Key::from_der_with(Rs256, &key(&modulus, &[1]), granted)), weak);
    assert_eq!(kind(Key::from_der(Rs256, &key(&[0xff; 128], &[1, 0, 1]))), weak);
    assert_eq!(kind(Key::from_der(Rs256, &key(&[0xff; 1025], &[1, 0, 1]))), weak);
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(kind(Key::from_der(EdDsa, &info(ED25519, &[], &identity))), weak);
    let beside = info(EC, &of(P256), &[&[4][..], &[7; 64]].concat());
    assert_eq!(kind(Key::from_der(Es256, &beside)), Some(KeyErrorKind::Malformed));
}

#[test]
fn what_is_not_der_to_the_bit_is_refused() {
    let modulus = samples::rsa_modulus();
    let good = rsa_key(&modulus, &[1, 0, 1]);
    let whole = info(RSA, NULL, &good);
    assert_eq!(kind(Key::from_der(Rs256, &whole)), None);
    let with = |key: &[u8]| info(RSA, NULL, key);
    let integer = |bytes: &[u8]| tlv(INTEGER, &[bytes]);
    let exponent = integer(&[1, 0, 1]);
    let algorithm = tlv(SEQUENCE, &[&of(RSA), NULL]);
    let negative = tlv(SEQUENCE, &[&integer(&modulus), &exponent]);
    let padded = tlv(SEQUENCE, &[&integer(&[&[0, 0], &*modulus].concat()), &exponent]);
    let three = tlv(SEQUENCE, &[&integer(&[&[0], &*modulus].concat()), &exponent, &exponent]);
    let long_form = [&[SEQUENCE, 0x83, 0], &whole[2..]].concat();
    let indefinite = [&[SEQUENCE, 0x80], &whole[4..], &[0, 0]].concat();
    let unused_bits = tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[1], &good[..269], &[0]])]);
    for (why, der) in [
        ("nothing", vec![]),
        ("bytes behind it", [&*whole, &[0]].concat()),
        ("cut off", whole[..whole.len() - 1].to_vec()),
        ("bytes behind the key", with(&[&*good, &[0]].concat())),
        ("a negative modulus", with(&negative)),
        ("a padded modulus", with(&padded)),
        ("three numbers", with(&three)),
        ("one number", with(&tlv(SEQUENCE, &[&exponent]))),
        ("a length in a longer form", long_form),
        ("a length that is not told", indefinite),
        ("unused bits", unused_bits),
        ("no SEQUENCE", [&[0x31], &whole[1..]].concat()),
        ("the bare key of PKCS #1", good.clone()),
    ] {
        assert_eq!(kind(Key::from_der(Rs256, &der)), Some(KeyErrorKind::Malformed), "{why}");
    }
}

#[test]
fn no_two_texts_are_one_key() {
    for (algorithm, pem) in [
        (Rs256, samples::RSA_PEM),
        (Es256, samples::P256_PEM),
        (Es512, samples::P521_PEM),
        (EdDsa, samples::ED25519_PEM),
    ] {
        let (_, mut der) = pem::decode_vec(pem.as_bytes()).unwrap();
        let key = Key::from_der(algorithm, &der).unwrap();
        let mut taken = 0;
        for bit in 0..der.len() * 8 {
            der[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Key::from_der(algorithm, &der) {
                assert_ne!(other, key, "{algorithm} {bit}");
                taken += 1;
            }
            der[bit / 8] ^= 1 << (bit % 8);
        }
        // Moduli differ, and the library does not look whether y of Ed25519 has an x.
        assert_eq!(taken > 0, matches!(algorithm, Rs256 | EdDsa), "{algorithm} {taken}");
    }
}

#[test]
fn parameters_are_those_of_the_key_type() {
    let wrong = Some(KeyErrorKind::Algorithm);
    let key = rsa_key(&samples::rsa_modulus(), &[1, 0, 1]);
    assert_eq!(kind(Key::from_der(Rs256, &info(RSA, &[], &key))), wrong, "no NULL");
    assert_eq!(kind(Key::from_der(Rs256, &info(RSA, &of(RSA), &key))), wrong);
    assert_eq!(kind(Key::from_der(Rs256, &info(EC, NULL, &key))), wrong, "another type");
    // RFC 4055 §1.2: for PSS alone.
    assert_eq!(kind(Key::from_der(Ps256, &info(RSASSA_PSS, &[], &key))), None);
    assert_eq!(kind(Key::from_der(Rs256, &info(RSASSA_PSS, &[], &key))), wrong);
    let of_a_hash = tlv(SEQUENCE, &[]);
    assert_eq!(kind(Key::from_der(Ps256, &info(RSASSA_PSS, &of_a_hash, &key))), wrong);
    let jwk = samples::p256();
    let coordinate = |name: &str| {
        base64::Engine::decode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            jwk[name].as_str().unwrap(),
        )
        .unwrap()
    };
    let point = [&[4], &*coordinate("x"), &coordinate("y")].concat();
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P256), &point))), None);
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P384), &point))), wrong);
    assert_eq!(
        kind(Key::from_der(Es256, &info(EC, &tlv(SEQUENCE, &[]), &point))),
        wrong,
        "explicit"
    );
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &[], &point))), wrong);
    assert_eq!(kind(Key::from_der(Es256, &info(RSA, &of(P256), &point))), wrong);
    let malformed = Some(KeyErrorKind::Malformed);
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P256), &compressed))), malformed);
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P256), &hybrid))), malformed);
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P256), &[0]))), malformed, "at infinity");
    assert_eq!(kind(Key::from_der(Es256, &info(EC, &of(P256), &[]))), malformed);
    let point = [7; 32];
    assert_eq!(kind(Key::from_der(EdDsa, &info(ED25519, &[], &point))), None);
    assert_eq!(kind(Key::from_der(EdDsa, &info(ED25519, NULL, &point))), wrong);
    let x25519 = ObjectIdentifier::new_unwrap("1.3.101.110");
    assert_eq!(kind(Key::from_der(EdDsa, &info(x25519, &[], &point))), wrong);
}

#[test]
fn one_block_of_public_key_is_asked_for() {
    let (one, other) = (samples::P256_PEM, samples::ED25519_PEM);
    let labelled = |label: &str| one.replace("PUBLIC KEY", label);
    let (private, format) = (Some(KeyErrorKind::Private), Some(KeyErrorKind::Format));
    let malformed = Some(KeyErrorKind::Malformed);
    for (pem, expected) in [
        (one.to_owned(), None),
        (one.replace('\n', "\r\n"), None),
        (format!("{one}\n \n"), None),
        (one.trim_end().to_owned(), None),
        (format!("# of 2026-11\n{one}"), None),
        (labelled("PRIVATE KEY"), private),
        (labelled("EC PRIVATE KEY"), private),
        (labelled("ENCRYPTED PRIVATE KEY"), private),
        (labelled("OPENSSH PRIVATE KEY"), private),
        (format!("{one}{}", labelled("PRIVATE KEY")), private),
        (labelled("CERTIFICATE"), format),
        (labelled("RSA PUBLIC KEY"), format),
        (labelled("EC PARAMETERS"), format),
        (format!("{one}{other}"), format),
        (format!("{one}{one}"), format),
        (format!("{}{one}", labelled("CERTIFICATE")), format),
        (String::new(), malformed),
        ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE".to_owned(), malformed),
        (one.replace("END PUBLIC", "END PRIVATE-"), malformed),
        (one.replace("-----END PUBLIC KEY-----", ""), malformed),
        (format!("{one}and more"), malformed),
        (
            one.replace("BEGIN PUBLIC KEY-----\n", "BEGIN PUBLIC KEY-----\nComment: x\n\n"),
            malformed,
        ),
        (one.replace("==", ""), malformed),
        (one.replace("==", "=="[..1].as_ref()), malformed),
        (one.replace('/', "_"), malformed),
        (one.replace('j', "j "), malformed),
    ] {
        assert_eq!(kind(Key::from_pem(Es256, pem.as_bytes())), expected, "{pem}");
    }
}

#[test]
fn a_text_of_a_key_is_bounded() {
    let with = |bytes| {
        let padding = "#".repeat(bytes - samples::P256_PEM.len() - 1);
        format!("{padding}\n{}", samples::P256_PEM)
    };
    let malformed = Some(KeyErrorKind::Malformed);
    let longest = with(Key::TEXT_BYTES_MAX);
    assert_eq!(kind(Key::from_pem(Es256, longest.as_bytes())), None);
    let longer = with(Key::TEXT_BYTES_MAX + 1);
    assert_eq!(kind(Key::from_pem(Es256, longer.as_bytes())), malformed);
    let with = |bytes| info(RSA, NULL, &rsa_key(&vec![0xff; bytes], &[1, 0, 1]));
    let frame = with(60_000).len() - 60_000;
    let longest = with(Key::TEXT_BYTES_MAX - frame - 3);
    assert!(longest.len() <= Key::TEXT_BYTES_MAX);
    assert_eq!(kind(Key::from_der(Rs256, &longest)), Some(KeyErrorKind::Weak));
    assert_eq!(kind(Key::from_der(Rs256, &with(Key::TEXT_BYTES_MAX))), malformed);
}
