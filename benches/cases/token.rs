//! An access token (RFC 9068) and its keys, as each of those verifies it that are compared.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use aws_lc_rs::signature::{RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use tower_keep::auth::{Algorithm, Key, KeySet, Verifier};
use tower_keep::time::Timestamp;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// In seconds since 1970. It is the real time, as the other library reads the clock by itself.
pub(crate) fn now() -> Result<u64, BoxError> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// One token, and all that it takes to verify it in three ways.
pub(crate) struct Subject {
    pub(crate) token: String,
    /// What is signed: header and claims, encoded, with the dot.
    signed: Vec<u8>,
    signature: Vec<u8>,
    primitive: Primitive,
    verifier: Verifier,
    keys: KeySet,
    now: Timestamp,
    oracle_key: DecodingKey,
    oracle: Validation,
}

/// The key as the library of primitives has it ready.
enum Primitive {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

/// What a service would have the other library read.
#[derive(Deserialize)]
#[allow(dead_code, reason = "only read from JSON")]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    client_id: String,
    scope: String,
    org: String,
    auth_time: u64,
    acr: String,
}

impl Subject {
    pub(crate) fn new(algorithm: Algorithm, now: u64) -> Result<Self, BoxError> {
        Self::with(algorithm, &header(algorithm), &claims(now), now)
    }

    /// With a header and claims of any text.
    pub(crate) fn with(
        algorithm: Algorithm,
        header: &str,
        claims: &str,
        now: u64,
    ) -> Result<Self, BoxError> {
        let made = Made::new(algorithm)?;
        let signed = format!("{}.{}", encoded(header), encoded(claims)).into_bytes();
        let signature = made.sign(&signed)?;
        let token = format!("{}.{}", std::str::from_utf8(&signed)?, encoded(&signature));
        let other = Made::new(algorithm)?.key(algorithm)?.with_id("2026-10");
        let named = match algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            _ => jsonwebtoken::Algorithm::EdDSA,
        };
        let mut oracle = Validation::new(named);
        oracle.leeway = 0;
        oracle.validate_nbf = true;
        oracle.set_issuer(&[ISSUER]);
        oracle.set_audience(&[AUDIENCE]);
        oracle.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        Ok(Self {
            token,
            signed,
            signature,
            primitive: made.primitive()?,
            verifier: Verifier::new(ISSUER, AUDIENCE),
            keys: KeySet::new([other, made.key(algorithm)?.with_id("2026-11")])?,
            now: Timestamp::from_secs(i64::try_from(now)?),
            oracle_key: made.oracle_key(),
            oracle,
        })
    }

    /// The primitive alone: what is signed and the signature are at hand.
    pub(crate) fn is_signed(&self) -> bool {
        match &self.primitive {
            Primitive::Secret(key) => hmac::verify(key, &self.signed, &self.signature).is_ok(),
            Primitive::Public(key) => key.verify_sig(&self.signed, &self.signature).is_ok(),
        }
    }

    /// What a layer takes of it.
    pub(crate) fn rules(&self) -> (Verifier, KeySet) {
        (self.verifier.clone(), self.keys.clone())
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.verifier.verify(self.token.as_bytes(), &self.keys, self.now).is_ok()
    }

    /// By the other library, which reads the clock by itself.
    pub(crate) fn is_accepted_by_the_other(&self) -> bool {
        jsonwebtoken::decode::<Claims>(&self.token, &self.oracle_key, &self.oracle).is_ok()
    }
}

/// A key that signs.
enum Made {
    Secret([u8; 32]),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Made {
    fn new(algorithm: Algorithm) -> Result<Self, BoxError> {
        Ok(match algorithm {
            // The same each time: chance would be in the count of the instructions.
            Algorithm::Hs256 => Self::Secret([7; 32]),
            Algorithm::Rs256 => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
            Algorithm::Es256 => {
                Self::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?)
            }
            Algorithm::EdDsa => Self::Ed(Ed25519KeyPair::generate()?),
            other => return Err(format!("{other} is not measured").into()),
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }

    fn primitive(&self) -> Result<Primitive, BoxError> {
        Ok(Primitive::Public(match self {
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                return Ok(Primitive::Secret(Box::new(key)));
            }
            Self::Rsa(pair) => {
                let [n, e] = components(pair);
                RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)?
            }
            Self::Ec(pair) => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key())?
            }
            Self::Ed(pair) => ParsedPublicKey::new(&signature::ED25519, pair.public_key())?,
        }))
    }

    fn key(&self, algorithm: Algorithm) -> Result<Key, BoxError> {
        let jwk = match self {
            Self::Secret(secret) => return Ok(Key::secret(algorithm, secret)?),
            Self::Rsa(pair) => {
                let [n, e] = components(pair).map(encoded);
                format!(r#"{{"kty":"RSA","alg":"RS256","n":"{n}","e":"{e}"}}"#)
            }
            Self::Ec(pair) => {
                let [x, y] = coordinates(pair).map(encoded);
                format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed(pair) => {
                let x = encoded(pair.public_key());
                format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)
            }
        };
        Ok(Key::from_jwk(jwk.as_bytes())?)
    }

    fn oracle_key(&self) -> DecodingKey {
        match self {
            Self::Secret(secret) => DecodingKey::from_secret(secret),
            Self::Rsa(pair) => {
                let [n, e] = components(pair);
                DecodingKey::from_rsa_raw_components(n, e)
            }
            Self::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        }
    }
}

fn components(pair: &RsaKeyPair) -> [&[u8]; 2] {
    let key = pair.public_key();
    [key.modulus(), key.exponent()].map(|part| part.big_endian_without_leading_zero())
}

fn coordinates(pair: &EcdsaKeyPair) -> [&[u8]; 2] {
    let (point, y) = pair.public_key().as_ref().split_at(33);
    // SEC 1 §2.3.3: the first byte says that both are there.
    let (_, x) = point.split_at(1);
    [x, y]
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn header(algorithm: Algorithm) -> String {
    format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"2026-11"}}"#)
}

/// As an authorization server writes them; with the header and an HMAC they make a token of 600 bytes.
pub(crate) fn claims(now: u64) -> String {
    format!(
        r#"{{"iss":"{ISSUER}","sub":"5ba552d67a034a0a9a5d0a3d6a3f1c07","aud":"{AUDIENCE}","exp":{},"iat":{now},"#,
        now + 3600
    ) + r#""jti":"dbe39bf3-a3ba-4238-a513-f51d6e1691c4","client_id":"s6BhdRkqt3-web","scope":"orders:read orders:write profile","#
        + r#""org":"8c1f4f0e-6d0b-4c8f-a7a4-0f4f5a1c9b11","auth_time":1767225600,"acr":"urn:shop:2fa"}"#
}

pub(crate) const ISSUER: &str = "https://login.shop.example/realms/main";
pub(crate) const AUDIENCE: &str = "https://api.shop.example/orders";
