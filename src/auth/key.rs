//! Keys that verify: each is parsed once, and belongs to one algorithm (RFC 8725 §3.1).

mod admission;
mod error;
mod spki;
mod weak;

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use crate::auth::algorithm::{Algorithm, Family};

pub use admission::Admission;
pub use error::{KeyError, KeyErrorKind};

/// A key that verifies the signatures of one algorithm. It never shows what it is made of.
///
/// Keys are equal that are of one id, algorithm and material.
///
/// ```
/// use tower_keep::auth::{Algorithm, Key};
///
/// let [one, same, other] = [7, 7, 8].map(|byte| Key::secret(Algorithm::Hs256, &[byte; 32]).unwrap());
/// assert_eq!(one, same);
/// assert_ne!(one, other);
/// assert_ne!(one, same.with_id("a"));
/// ```
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: Material,
    /// Of algorithm and material.
    digest: [u8; 32],
    /// Of these and the id.
    identity: [u8; 32],
}

/// Public keys and secrets are of different types, so that no byte of one is ever taken for the other.
#[derive(Clone)]
enum Material {
    /// The secret itself is not kept: only the two hash states that HMAC makes of it, which serve as well as the secret does. The
    /// library wipes them when the key is dropped, and at once the padded secret that it makes them from. What is not wiped: the
    /// caller's own copy, and what moving the states into the box leaves on the stack.
    Secret {
        states: Box<hmac::Key>,
        is_text: bool,
    },
    Public(ParsedPublicKey),
}

impl Key {
    /// The longest text of one key, in bytes.
    pub const TEXT_BYTES_MAX: usize = 64 << 10;

    /// A secret for HMAC, at least as long as the hash (RFC 7518 §3.2). Take random bytes: one that
    /// [looks like a pass phrase](Self::looks_like_a_pass_phrase) is taken, but with the feature `tracing` an event warns of it.
    ///
    /// The bytes stay the caller's, who should wipe them; the key wipes what it keeps when it is dropped.
    ///
    /// # Errors
    ///
    /// If the algorithm is not one of `HS256`, `HS384` and `HS512`, the secret is too short, or it is a key in PEM or a public key in
    /// DER.
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, Key};
    ///
    /// assert!(Key::secret(Algorithm::Hs256, &[7; 32]).is_ok());
    /// assert!(Key::secret(Algorithm::Hs256, b"a pass phrase").is_err());
    /// ```
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let (hash, bytes_min) = match algorithm {
            Algorithm::Hs256 => (hmac::HMAC_SHA256, 32),
            Algorithm::Hs384 => (hmac::HMAC_SHA384, 48),
            Algorithm::Hs512 => (hmac::HMAC_SHA512, 64),
            _ => return Err(KeyError(KeyErrorKind::Algorithm)),
        };
        if secret.len() < bytes_min {
            return Err(KeyError(KeyErrorKind::Weak));
        }
        // RFC 8725 §2.1: what is public is no secret, whoever has configured it as one.
        if spki::is_public(secret) {
            return Err(KeyError(KeyErrorKind::Format));
        }
        let states = Box::new(hmac::Key::new(hash, secret));
        let is_text = is_text(secret);
        #[cfg(feature = "tracing")]
        if is_text {
            tracing::warn!(target: "tower_keep::auth", %algorithm, "a secret looks like a pass phrase");
        }
        // A tag of the secret's own in place of a plain digest, which is quicker to guess from. No token has a NUL byte, so none is
        // signed by it.
        let tag = hmac::sign(&states, b"\0identity");
        Ok(Self::of(algorithm, &[tag.as_ref()], Material::Secret { states, is_text }))
    }

    /// With the id by which tokens name it.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.identity = digest(&[&self.digest, id.as_bytes()]);
        self.id = Some(id);
        self
    }

    /// The id by which tokens name it.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The one algorithm whose signatures it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it is a secret that is all printable text in UTF-8: perhaps a pass phrase, which can be guessed (RFC 8725 §3.5), or
    /// digits of random bytes that somebody forgot to decode. Random bytes as such look like this once in 10^10 times at most.
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, Key};
    ///
    /// let key = Key::secret(Algorithm::Hs256, b"correct horse battery staple 2026").unwrap();
    /// assert!(key.looks_like_a_pass_phrase());
    /// ```
    pub fn looks_like_a_pass_phrase(&self) -> bool {
        matches!(self.material, Material::Secret { is_text: true, .. })
    }

    /// An RSA key (RFC 7518 §3.3, §6.3.1), of components in big-endian order without leading zeros.
    pub(crate) fn rsa(
        algorithm: Algorithm,
        modulus: &[u8],
        exponent: &[u8],
        admission: Admission,
    ) -> Result<Self, KeyError> {
        let parameters: &'static RsaParameters = match algorithm {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return Err(KeyError(KeyErrorKind::Algorithm)),
        };
        // RFC 7518 §6.3.1.1: "the minimum number of octets".
        let [first, last] = [modulus.first(), modulus.last()].map(Option::<&u8>::copied);
        let (Some(first @ 1..), Some(last), Some(1..)) = (first, last, exponent.first()) else {
            return Err(MALFORMED);
        };
        let bits = (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize);
        let is_weak = !MODULUS_BITS.contains(&bits)
            || !admission.takes_exponent(exponent)
            // Two primes make no even number.
            || last % 2 == 0
            || weak::is_roca(modulus);
        if is_weak {
            return Err(KeyError(KeyErrorKind::Weak));
        }
        RsaPublicKeyComponents { n: modulus, e: exponent }
            .to_parsed_public_key(parameters)
            .map(|key| Self::of(algorithm, &[modulus, exponent], Material::Public(key)))
            .map_err(|_| MALFORMED)
    }

    /// A point of a curve (RFC 7518 §6.2.1), its coordinates of full length. The library refuses one that is not on the
    /// curve.
    pub(crate) fn ec(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let (parameters, coordinate_bytes): (&'static signature::EcdsaVerificationAlgorithm, _) =
            match algorithm {
                Algorithm::Es256 => (&signature::ECDSA_P256_SHA256_FIXED, 32),
                Algorithm::Es384 => (&signature::ECDSA_P384_SHA384_FIXED, 48),
                Algorithm::Es512 => (&signature::ECDSA_P521_SHA512_FIXED, 66),
                _ => return Err(KeyError(KeyErrorKind::Algorithm)),
            };
        if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
            return Err(MALFORMED);
        }
        // SEC 1 §2.3.3: uncompressed.
        ParsedPublicKey::new(parameters, [&[4], x, y].concat())
            .map(|key| Self::of(algorithm, &[x, y], Material::Public(key)))
            .map_err(|_| MALFORMED)
    }

    /// A key of Ed25519 (RFC 8037 §2). One of low order verifies what nobody has signed. One that is no point of the curve is taken,
    /// and verifies nothing.
    pub(crate) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        let point = <[u8; 32]>::try_from(key).map_err(|_| MALFORMED)?;
        if !weak::is_reduced(point) {
            return Err(MALFORMED);
        }
        if weak::is_of_low_order(point) {
            return Err(KeyError(KeyErrorKind::Weak));
        }
        ParsedPublicKey::new(&signature::ED25519, point)
            .map(|key| Self::of(Algorithm::EdDsa, &[&point], Material::Public(key)))
            .map_err(|_| MALFORMED)
    }

    /// A key without an id. The parts are its material in one spelling.
    fn of(algorithm: Algorithm, parts: &[&[u8]], material: Material) -> Self {
        let digest = digest(&[&[algorithm.name().as_bytes()], parts].concat());
        Self { id: None, algorithm, material, digest, identity: digest }
    }

    /// Whether this is the key's signature of the message.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            // In constant time.
            Material::Secret { states, .. } => hmac::verify(states, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.algorithm.family() == Family::Hmac
    }

    /// What tells it from every other key: a digest of id, algorithm and material. It is for this process alone, and never shown.
    pub(crate) fn identity(&self) -> &[u8; 32] {
        &self.identity
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm)
    }
}

/// Of all parts, each with its length, so that no two lists read alike.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

/// Text that a person may have typed, with the end of a line or without.
fn is_text(secret: &[u8]) -> bool {
    let is_typed = |char: char| !char.is_control() || matches!(char, '\n' | '\r' | '\t');
    std::str::from_utf8(secret).is_ok_and(|text| text.chars().all(is_typed))
}

const MALFORMED: KeyError = KeyError(KeyErrorKind::Malformed);
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
