//! A signer of each algorithm that both verifiers know.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::json;
use tower_keep::auth::{Algorithm, Key};

pub(super) const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "EdDSA",
];

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

pub(super) struct Signer {
    pub(super) sign: Box<Sign>,
    pub(super) key: Key,
    pub(super) theirs: DecodingKey,
}

impl Signer {
    pub(super) fn all() -> BTreeMap<&'static str, Self> {
        ALGORITHMS.iter().map(|name| (*name, Self::of(name))).collect()
    }

    fn of(name: &str) -> Self {
        match name {
            "HS256" => hmac_signer(name, hmac::HMAC_SHA256),
            "HS384" => hmac_signer(name, hmac::HMAC_SHA384),
            "HS512" => hmac_signer(name, hmac::HMAC_SHA512),
            "RS256" => rsa_signer(name, &signature::RSA_PKCS1_SHA256),
            "RS384" => rsa_signer(name, &signature::RSA_PKCS1_SHA384),
            "RS512" => rsa_signer(name, &signature::RSA_PKCS1_SHA512),
            "PS256" => rsa_signer(name, &signature::RSA_PSS_SHA256),
            "PS384" => rsa_signer(name, &signature::RSA_PSS_SHA384),
            "PS512" => rsa_signer(name, &signature::RSA_PSS_SHA512),
            "ES256" => ec_signer("P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec_signer("P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => ed25519_signer(),
        }
    }
}

fn hmac_signer(name: &str, hash: hmac::Algorithm) -> Signer {
    let secret = [7; 64];
    let pair = hmac::Key::new(hash, &secret);
    Signer {
        sign: Box::new(move |message| hmac::sign(&pair, message).as_ref().to_vec()),
        key: Key::secret(Algorithm::named(name).unwrap(), &secret).unwrap(),
        theirs: DecodingKey::from_secret(&secret),
    }
}

fn rsa_signer(name: &str, padding: &'static dyn RsaEncoding) -> Signer {
    let text: String = include_str!("../rsa_2048.txt").lines().collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
    let modulus = pair.public_key().modulus().big_endian_without_leading_zero();
    let modulus = URL_SAFE_NO_PAD.encode(modulus);
    Signer {
        key: key(&json!({ "kty": "RSA", "alg": name, "n": modulus, "e": "AQAB" })),
        theirs: DecodingKey::from_rsa_components(&modulus, "AQAB").unwrap(),
        sign: Box::new(move |message| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        }),
    }
}

fn ec_signer(curve: &str, kind: &'static signature::EcdsaSigningAlgorithm) -> Signer {
    let pair = EcdsaKeyPair::generate(kind).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    Signer {
        key: key(&json!({ "kty": "EC", "crv": curve, "x": x, "y": y })),
        theirs: DecodingKey::from_ec_components(&x, &y).unwrap(),
        sign: Box::new(move |message| {
            pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
        }),
    }
}

fn ed25519_signer() -> Signer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    Signer {
        key: key(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x })),
        theirs: DecodingKey::from_ed_components(&x).unwrap(),
        sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
    }
}

fn key(jwk: &serde_json::Value) -> Key {
    Key::from_jwk(jwk.to_string().as_bytes()).unwrap()
}
