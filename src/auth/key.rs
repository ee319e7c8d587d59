//! Keys that verify: each is parsed once, and belongs to one algorithm (RFC 8725 §3.1).

use std::error::Error;
use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use crate::auth::algorithm::{Algorithm, Family};

/// A key that verifies the signatures of one algorithm. It never shows what it is made of.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

/// Public keys and secrets are of different types, so that no byte of one is ever taken for the other.
#[derive(Clone)]
enum Material {
    // In a box: it holds the states of two hashes.
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// A secret for HMAC, at least as long as the hash (RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// If the algorithm is not one of `HS256`, `HS384` and `HS512`, or the secret is too short.
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
        Ok(Self {
            id: None,
            algorithm,
            material: Material::Secret(Box::new(hmac::Key::new(hash, secret))),
        })
    }

    /// With the id by which tokens name it.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
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

    /// An RSA key (RFC 7518 §3.3, §6.3.1), of components in big-endian order without leading zeros.
    pub(crate) fn rsa(
        algorithm: Algorithm,
        modulus: &[u8],
        exponent: &[u8],
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
        let [first, ..] = modulus else { return Err(KeyError(KeyErrorKind::Malformed)) };
        let bits = (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize);
        if !MODULUS_BITS.contains(&bits) || exponent != EXPONENT || is_roca(modulus) {
            return Err(KeyError(KeyErrorKind::Weak));
        }
        RsaPublicKeyComponents { n: modulus, e: exponent }
            .to_parsed_public_key(parameters)
            .map(|key| Self::public(algorithm, key))
            .map_err(|_| KeyError(KeyErrorKind::Malformed))
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
            return Err(KeyError(KeyErrorKind::Malformed));
        }
        // SEC 1 §2.3.3: uncompressed.
        ParsedPublicKey::new(parameters, [&[4], x, y].concat())
            .map(|key| Self::public(algorithm, key))
            .map_err(|_| KeyError(KeyErrorKind::Malformed))
    }

    /// A key of Ed25519 (RFC 8037 §2). One of low order verifies what nobody has signed.
    pub(crate) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        let Ok(point) = <[u8; 32]>::try_from(key) else {
            return Err(KeyError(KeyErrorKind::Malformed));
        };
        if is_of_low_order(point) {
            return Err(KeyError(KeyErrorKind::Weak));
        }
        ParsedPublicKey::new(&signature::ED25519, point)
            .map(|key| Self::public(Algorithm::EdDsa, key))
            .map_err(|_| KeyError(KeyErrorKind::Malformed))
    }

    fn public(algorithm: Algorithm, key: ParsedPublicKey) -> Self {
        Self { id: None, algorithm, material: Material::Public(key) }
    }

    /// Whether this is the key's signature of the message.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            // In constant time.
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// TEMPORARY
    pub(crate) fn identity(&self) -> &[u8; 32] {
        &[0; 32]
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.algorithm.family() == Family::Hmac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm)
    }
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(pub(crate) KeyErrorKind);

/// The kinds of what is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// It is not what a key of its type is: a member is missing, of another type, or of another length.
    Malformed,
    /// Its algorithm is not known, or does not go with its type.
    Algorithm,
    /// It is not for verifying signatures.
    Use,
    /// It can be guessed or computed: too short, or made by a generator that is known to be broken.
    Weak,
    /// It is a private key. Whoever verifies needs none.
    Private,
    /// The set has secrets beside public keys, or one id twice.
    Set,
}

impl KeyError {
    /// What is wrong.
    pub fn kind(&self) -> KeyErrorKind {
        self.0
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            KeyErrorKind::Malformed => "the key is malformed",
            KeyErrorKind::Algorithm => {
                "the key is of an algorithm that is not known or does not go with it"
            }
            KeyErrorKind::Use => "the key is not for verifying signatures",
            KeyErrorKind::Weak => "the key is too weak",
            KeyErrorKind::Private => "the key is a private one",
            KeyErrorKind::Set => "the set mixes secrets and public keys, or has one id twice",
        })
    }
}

impl Error for KeyError {}

/// CVE-2017-15361: a modulus of that generator is a power of 65537 modulo each small prime; of others hardly one is.
fn is_roca(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == residue
        })
    })
}

/// The points whose order divides 8, the sign of x aside, also where y is not reduced (RFC 7748 §7 has the like for X25519).
fn is_of_low_order(mut point: [u8; 32]) -> bool {
    let [.., last] = &mut point;
    *last &= 0x7f;
    LOW_ORDER.contains(&point)
}

const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// 65537.
const EXPONENT: &[u8] = &[1, 0, 1];
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const LOW_ORDER: [[u8; 32]; 7] = [
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        38, 232, 149, 143, 194, 178, 39, 176, 69, 195, 244, 137, 242, 239, 152, 240, 213, 223, 172,
        5, 211, 198, 51, 57, 177, 56, 2, 136, 109, 83, 252, 5,
    ],
    [
        199, 23, 106, 112, 61, 77, 216, 79, 186, 60, 11, 118, 13, 16, 103, 15, 42, 32, 83, 250, 44,
        57, 204, 198, 78, 199, 253, 119, 146, 172, 3, 122,
    ],
    [
        236, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
    [
        237, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
    [
        238, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
];
