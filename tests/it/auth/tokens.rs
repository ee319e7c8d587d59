//! An issuer of tokens, good and bad ones.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use aws_lc_rs::{hmac, signature::RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_keep::auth::{Algorithm, Key, KeySet, Verifier};

pub const ISSUER: &str = "https://login.example";
pub const AUDIENCE: &str = "api";
/// What a manual clock shows at first.
pub const NOW: u64 = 1_600_000_000;

/// The keys of the issuer, one for each family; made once for all tests.
pub struct Signers {
    secret: [u8; 32],
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

static SIGNERS: LazyLock<Signers> = LazyLock::new(Signers::new);
static OTHERS: LazyLock<Signers> = LazyLock::new(Signers::new);

/// The issuer's.
pub fn signers() -> &'static Signers {
    &SIGNERS
}

/// Somebody else's, of the same kinds.
pub fn others() -> &'static Signers {
    &OTHERS
}

impl Signers {
    fn new() -> Self {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).unwrap();
        Self {
            secret,
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The key that verifies, as a JWK with its algorithm as key id.
    pub fn jwk(&self, algorithm: Algorithm) -> Value {
        let mut jwk = match algorithm {
            Algorithm::Hs256 => json!({"kty": "oct", "k": encoded(self.secret)}),
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let public: PublicKeyComponents<Vec<u8>> = self.rsa.public_key().into();
                json!({"kty": "RSA", "n": encoded(&public.n), "e": encoded(&public.e)})
            }
            Algorithm::Es256 => {
                let point = self.ec.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)})
            }
            Algorithm::EdDsa => {
                let point = self.ed.public_key().as_ref();
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(point)})
            }
            other => panic!("no key for {other}"),
        };
        jwk["alg"] = algorithm.name().into();
        jwk["kid"] = algorithm.name().into();
        jwk
    }

    pub fn key(&self, algorithm: Algorithm) -> Key {
        Key::from_jwk(self.jwk(algorithm).to_string().as_bytes()).unwrap()
    }

    pub fn keys(&self, algorithms: &[Algorithm]) -> KeySet {
        KeySet::new(algorithms.iter().map(|algorithm| self.key(*algorithm))).unwrap()
    }

    /// A set as issuers publish it.
    pub fn jwks(&self, algorithms: &[Algorithm]) -> Vec<u8> {
        let keys: Vec<_> = algorithms.iter().map(|algorithm| self.jwk(*algorithm)).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    }

    /// The signature of this algorithm, whatever the header says.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Hs256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Algorithm::Es256 => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.ed.sign(message).as_ref().to_vec(),
            rsa => {
                let padding: &'static dyn RsaEncoding = match rsa {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    other => panic!("no key for {other}"),
                };
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of this header and these claims, as they stand.
    pub fn token_of(
        &self,
        algorithm: Algorithm,
        header: impl AsRef<[u8]>,
        claims: impl AsRef<[u8]>,
    ) -> String {
        self.signed(algorithm, &format!("{}.{}", encoded(header), encoded(claims)))
    }

    /// Header and claims as they were encoded, with the signature behind them.
    pub fn signed(&self, algorithm: Algorithm, parts: &str) -> String {
        format!("{parts}.{}", encoded(self.sign(algorithm, parts.as_bytes())))
    }

    /// A token of the header that the algorithm has, and these claims.
    pub fn token(&self, algorithm: Algorithm, claims: &Value) -> String {
        self.token_of(algorithm, header(algorithm).to_string(), claims.to_string())
    }
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn header(algorithm: Algorithm) -> Value {
    json!({"alg": algorithm.name(), "kid": algorithm.name(), "typ": "at+jwt"})
}

/// The claims of an access token (RFC 9068 §2.2) that is good for five minutes from [`NOW`] on.
pub fn claims(subject: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": "app", "jti": "1",
        "iat": NOW, "exp": NOW + 300, "scope": "read",
    })
}

/// The same with other values; `null` takes one away.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims("alice");
    change(&mut claims, changes);
    claims
}

/// Sets members of an object; `null` takes one away.
pub fn change(object: &mut Value, changes: Value) {
    let (Value::Object(object), Value::Object(changes)) = (object, changes) else {
        panic!("no object");
    };
    for (name, value) in changes {
        match value {
            Value::Null => object.remove(&name),
            value => object.insert(name, value),
        };
    }
}

/// The same with this text as the value, which may be no JSON. Without a text the name is not there.
pub fn claims_text(name: &str, value: Option<&str>) -> String {
    with_text(&claims_with(json!({ name: null })), name, value)
}

/// The header that the algorithm has, likewise.
pub fn header_text(algorithm: Algorithm, name: &str, value: Option<&str>) -> String {
    let mut header = header(algorithm);
    header.as_object_mut().unwrap().remove(name);
    with_text(&header, name, value)
}

fn with_text(object: &Value, name: &str, value: Option<&str>) -> String {
    let text = object.to_string();
    match value {
        Some(value) => format!("{{\"{name}\":{value},{}", &text[1..]),
        None => text,
    }
}

pub fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE)
}

/// `Bearer` and a token of this subject.
pub fn bearer(subject: &str) -> String {
    format!("Bearer {}", signers().token(Algorithm::Es256, &claims(subject)))
}
