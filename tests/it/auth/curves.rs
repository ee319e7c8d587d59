//! J11, J12: points of curves, and the signatures of those.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_keep::auth::Algorithm::{self, EdDsa, Es256};

use super::admission::{SIGNATURE, good, jwk, published};
use super::guarded::{Guarded, PASSES};
use super::tokens::{claims, encoded, header, signers};

/// The signature of a good token, and the token without it.
fn taken_apart(algorithm: Algorithm) -> (String, Vec<u8>) {
    let token = good(algorithm);
    let (parts, signature) = token.rsplit_once('.').unwrap();
    (parts.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

#[test]
fn j11_an_ecdsa_signature_is_two_numbers_of_full_length_below_the_order() {
    let guarded = Guarded::new();
    let (parts, signature) = taken_apart(Es256);
    let (r, s) = signature.split_at(32);
    let verdict = |signature: &[u8]| guarded.verdict(&format!("{parts}.{}", encoded(signature)));
    assert_eq!(verdict(&signature), PASSES);
    let [zero, one, order] = [[0; 32], [0; 32], P256_ORDER];
    let one = {
        let mut one = one;
        one[31] = 1;
        one
    };
    // CVE-2022-21449.
    for (first, second) in [
        (&zero[..], &zero[..]),
        (r, &zero),
        (&zero, s),
        (&order, &order),
        (r, &order),
        (&order, s),
        (&one, &one),
        (&[255; 32], &[255; 32]),
        (s, r),
    ] {
        assert_eq!(verdict(&[first, second].concat()), SIGNATURE);
    }
    let der_of = |number: &[u8]| {
        let sign = if number[0] > 127 { &[0][..] } else { &[] };
        let number = [sign, number].concat();
        [&[2, number.len() as u8][..], &number].concat()
    };
    let both = [der_of(r), der_of(s)].concat();
    let der = [&[0x30, both.len() as u8][..], &both].concat();
    for bad in [
        der,
        r.to_vec(),
        signature[1..].to_vec(),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        [&[0], &signature[..]].concat(),
        [&[0], r, &[0], s].concat(),
        [&signature[..], s].concat(),
        vec![0; 96],
    ] {
        assert_eq!(verdict(&bad), SIGNATURE, "{} bytes", bad.len());
    }
}

const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn j11_an_ec_key_is_a_point_of_its_curve_in_full_length() {
    let x = signers().jwk(Es256)["x"].as_str().unwrap().to_owned();
    let short = encoded(&URL_SAFE_NO_PAD.decode(&x).unwrap()[1..]);
    let long = encoded([&[0][..], &URL_SAFE_NO_PAD.decode(&x).unwrap()].concat());
    let zero = encoded([0; 32]);
    // The same point, with a byte on the other side.
    let both = [&x, &signers().jwk(Es256)["y"].as_str().unwrap().to_owned()]
        .map(|text| URL_SAFE_NO_PAD.decode(text).unwrap())
        .concat();
    let (less, more) = both.split_at(31);
    for changes in [
        json!({"y": x}),
        json!({"x": zero, "y": zero}),
        json!({"x": short}),
        json!({"x": encoded(less), "y": encoded(more)}),
        json!({"x": encoded(&both), "y": ""}),
        json!({"x": long}),
        json!({"x": ""}),
        json!({"y": null}),
        json!({"x": 1}),
        json!({"x": format!("{x}=")}),
    ] {
        let (guarded, left_out) = published(&[jwk(Es256, changes.clone()), signers().jwk(EdDsa)]);
        assert_eq!((left_out, guarded.verdict(&good(Es256))), (1, SIGNATURE), "{changes}");
    }
}

/// The order of the group of Ed25519, in little-endian order (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// RFC 8032 §5.1.7: the second half is below the order, or there were two signatures of one message.
#[test]
fn j12_an_ed25519_signature_has_one_form() {
    let guarded = Guarded::new();
    let (parts, signature) = taken_apart(EdDsa);
    let verdict = |signature: &[u8]| guarded.verdict(&format!("{parts}.{}", encoded(signature)));
    assert_eq!(verdict(&signature), PASSES);
    let mut carry = 0;
    let sum = signature[32..].iter().zip(ED25519_ORDER).map(|(byte, order)| {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        carry = sum >> 8;
        sum as u8
    });
    let other: Vec<u8> = sum.collect();
    assert_eq!(verdict(&[&signature[..32], &other].concat()), SIGNATURE);
    let identity = [&[1][..], &[0; 31]].concat();
    for bad in [
        vec![0; 64],
        [&identity[..], &[0; 32]].concat(),
        [&identity[..], &signature[32..]].concat(),
        [&signature[..32], &[0; 32]].concat(),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        signature[..32].to_vec(),
    ] {
        assert_eq!(verdict(&bad), SIGNATURE, "{} bytes", bad.len());
    }
}

/// By such a key whoever likes has signed whatever he likes: with the identity and a zero, where the order is 1.
#[test]
fn j12_ed25519_keys_of_low_order_verify_nothing() {
    let low_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        // Not reduced: the prime itself, and one more.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let parts =
        format!("{}.{}", encoded(header(EdDsa).to_string()), encoded(claims("alice").to_string()));
    let signature = encoded([&[1][..], &[0; 63]].concat());
    for point in low_order {
        for sign in [0, 0x80] {
            let mut point: Vec<u8> = (0..64)
                .step_by(2)
                .map(|at| u8::from_str_radix(&point[at..at + 2], 16).unwrap())
                .collect();
            point[31] |= sign;
            let (guarded, left_out) =
                published(&[jwk(EdDsa, json!({"x": encoded(&point)})), signers().jwk(Es256)]);
            assert_eq!(left_out, 1, "{point:x?}");
            assert_eq!(guarded.verdict(&format!("{parts}.{signature}")), SIGNATURE, "{point:x?}");
            assert_eq!(guarded.verdict(&good(EdDsa)), SIGNATURE, "{point:x?}");
        }
    }
    for length in [0, 31, 33, 64] {
        let (_, left_out) = published(&[jwk(EdDsa, json!({"x": encoded(vec![9; length])}))]);
        assert_eq!(left_out, 1, "{length} bytes");
    }
}
