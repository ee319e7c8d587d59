//! Keys that are points of a curve, and their signatures.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};

use super::*;
use Algorithm::{Es256, Es384, Es512};

#[test]
fn j11_a_point_is_on_its_curve_and_of_full_length() {
    for (algorithm, pem, bytes) in
        [(Es256, samples::p256(), 32), (Es384, samples::p384(), 48), (Es512, samples::p521(), 66)]
    {
        let malformed = Some(KeyErrorKind::Malformed);
        let [x, y] = ["x", "y"].map(|name| decoded(pem[name].as_str().unwrap()));
        assert_eq!((x.len(), kind(Key::ec(algorithm, &x, &y))), (bytes, None));
        let mut other = y.clone();
        other[bytes - 1] ^= 1;
        assert_eq!(kind(Key::ec(algorithm, &x, &other)), malformed, "beside the curve");
        assert_eq!(kind(Key::ec(algorithm, &y, &x)), malformed);
        let zeros = vec![0; bytes];
        assert_eq!(kind(Key::ec(algorithm, &zeros, &zeros)), malformed, "at infinity");
        assert_eq!(kind(Key::ec(algorithm, &vec![0xff; bytes], &y)), malformed, "not reduced");
        let padded = [&[0], &*y].concat();
        assert_eq!(kind(Key::ec(algorithm, &x, &padded)), malformed);
        assert_eq!(kind(Key::ec(algorithm, &x, &y[1..])), malformed);
        // All of it in one coordinate, which makes up the same point.
        assert_eq!(kind(Key::ec(algorithm, &[&*x, &y].concat(), &[])), malformed);
    }
}

#[test]
fn j11_a_signature_is_two_numbers_of_fixed_width_in_range() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let [fixed, der] = [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_ASN1_SIGNING]
        .map(|format| EcdsaKeyPair::from_pkcs8(format, document.as_ref()).unwrap());
    let (x, y) = fixed.public_key().as_ref()[1..].split_at(32);
    let key = Key::ec(Es256, x, y).unwrap();
    let signature = fixed.sign(&random, b"message").unwrap().as_ref().to_vec();
    assert!(key.has_signed(b"message", &signature));
    assert!(!key.has_signed(b"massage", &signature));
    assert!(!key.has_signed(b"message", der.sign(&random, b"message").unwrap().as_ref()));
    for other in [&signature[..63], &[&*signature, &[0]].concat(), &[]] {
        assert!(!key.has_signed(b"message", other));
    }
    // CVE-2022-21449: zero is no number here, and neither is the order of the group.
    let (r, s) = signature.split_at(32);
    for bad in [[0; 32], P256_ORDER, [0xff; 32]] {
        assert!(!key.has_signed(b"message", &[&bad, s].concat()));
        assert!(!key.has_signed(b"message", &[r, &bad].concat()));
        assert!(!key.has_signed(b"message", &[bad, bad].concat()));
    }
}

#[test]
fn j12_a_key_of_low_order_or_in_a_second_spelling_is_refused() {
    let little_endian = |first: u8, rest: u8, last: u8| {
        let mut point = [rest; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let (weak, malformed) = (Some(KeyErrorKind::Weak), Some(KeyErrorKind::Malformed));
    let of_order_8 = "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU";
    let other_of_order_8 = "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o";
    let mut points = vec![
        // y of 0, 1 and -1.
        (little_endian(0, 0, 0), weak),
        (little_endian(1, 0, 0), weak),
        (little_endian(0xec, 0xff, 0x7f), weak),
        (decoded(of_order_8).try_into().unwrap(), weak),
        (decoded(other_of_order_8).try_into().unwrap(), weak),
    ];
    // The prime itself and all above it that have 255 bits: 0 to 18 once more.
    points.extend((0xed..=0xff).map(|first| (little_endian(first, 0xff, 0x7f), malformed)));
    for (mut point, expected) in points {
        assert_eq!(kind(Key::ed25519(&point)), expected, "{point:?}");
        point[31] |= 0x80;
        assert_eq!(kind(Key::ed25519(&point)), expected, "the other x of {point:?}");
    }
    assert_eq!(kind(Key::ed25519(&little_endian(0xeb, 0xff, 0x7f))), None, "the greatest y");
}

#[test]
fn j12_a_key_of_ed25519_has_32_bytes() {
    let point = decoded(ED25519);
    assert_eq!(kind(Key::ed25519(&point)), None);
    for other in [&point[..31], &[&*point, &[0]].concat(), &[]] {
        assert_eq!(kind(Key::ed25519(other)), Some(KeyErrorKind::Malformed));
    }
}

#[test]
fn j12_one_message_has_one_signature() {
    let key = Key::ed25519(&decoded(ED25519)).unwrap();
    assert!(key.has_signed(b"message", &decoded(ED25519_SIGNATURE)));
    assert!(!key.has_signed(b"massage", &decoded(ED25519_SIGNATURE)));
    // RFC 8032 §5.1.7: s below the order of the group; and the equation without the cofactor, so that all verifiers agree.
    assert!(!key.has_signed(b"message", &decoded(ED25519_ORDER_ADDED)));
    assert!(!key.has_signed(b"message", &decoded(ED25519_COFACTOR)));
    let signature = decoded(ED25519_SIGNATURE);
    assert!(!key.has_signed(b"message", &[&*signature, &[0]].concat()));
}

/// Of `message`, as the two below: with the order of the group added to s, and with a point of order 8 added to R.
const ED25519_SIGNATURE: &str =
    "sxsg9QQmJCUU2Bs4NUi9kN5y_QuM8jgqiPn1LOUHayPHuxl7xZsuuPyvQkOgAJK0yrZwDEVAHT-ibVikeUWkCQ";
const ED25519_ORDER_ADDED: &str =
    "sxsg9QQmJCUU2Bs4NUi9kN5y_QuM8jgqiPn1LOUHayO0jw_Y3_5AENNMOuZ--nDJyrZwDEVAHT-ibVikeUWkGQ";
const ED25519_COFACTOR: &str =
    "TCYZUfup9Lp-zkBDHyEiafWL7MJHPFTOzaDo8eb50lOguBf9zagKN3337YwkKrhdmUljxa37Nm3X-oXiGOekCg";
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
