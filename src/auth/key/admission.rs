//! What a caller grants to keys by name.

use crate::auth::algorithm::{Algorithm, Family};

/// What is taken of keys beyond what they get by default.
///
/// ```
/// use tower_keep::auth::{Admission, Algorithm, KeyErrorKind, KeySet};
///
/// // Some providers publish RSA keys that do not say by `alg` what they are for.
/// # let modulus = "7".repeat(341) + "w";
/// let jwks = format!(r#"{{"keys":[{{"kty":"RSA","use":"sig","kid":"a","e":"AQAB","n":"{modulus}"}}]}}"#);
/// let (keys, left_out) = KeySet::from_jwks(jwks.as_bytes()).unwrap();
/// assert_eq!((keys.keys().len(), left_out), (0, 1));
///
/// let admission = Admission::new().rsa_algorithm(Algorithm::Rs256);
/// let (keys, left_out) = KeySet::from_jwks_with(jwks.as_bytes(), admission).unwrap();
/// assert_eq!((keys.keys()[0].algorithm(), left_out), (Algorithm::Rs256, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    rsa_algorithm: Option<Algorithm>,
    any_rsa_exponent: bool,
}

impl Admission {
    /// Nothing beyond.
    pub const fn new() -> Self {
        Self { rsa_algorithm: None, any_rsa_exponent: false }
    }

    /// RSA keys as JSON that have no `alg` are for this algorithm. Those that have one stay with theirs (RFC 8725 §3.1: a key is
    /// for one). Of an algorithm that is not one of RSA, such keys stay refused.
    #[must_use]
    pub fn rsa_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.rsa_algorithm = Some(algorithm);
        self
    }

    /// RSA keys may have any odd public exponent from 3 to 2^33 - 1, not 65537 alone. What is greater is refused in any case: it
    /// makes each signature dear to verify.
    ///
    /// ```
    /// use tower_keep::auth::{Admission, Key};
    ///
    /// # let modulus = "7".repeat(341) + "w";
    /// let jwk = format!(r#"{{"kty":"RSA","alg":"RS256","e":"Aw","n":"{modulus}"}}"#);
    /// assert!(Key::from_jwk(jwk.as_bytes()).is_err());
    /// assert!(Key::from_jwk_with(jwk.as_bytes(), Admission::new().any_rsa_exponent()).is_ok());
    /// ```
    #[must_use]
    pub fn any_rsa_exponent(mut self) -> Self {
        self.any_rsa_exponent = true;
        self
    }

    /// What a key of this family is for if it does not say.
    pub(crate) fn algorithm_of(&self, family: Family) -> Option<Algorithm> {
        self.rsa_algorithm.filter(|_| family == Family::Rsa)
    }

    /// Whether an RSA key may have this public exponent, in big-endian order without leading zeros.
    pub(super) fn takes_exponent(&self, exponent: &[u8]) -> bool {
        if exponent == EXPONENT {
            return true;
        }
        // Five bytes hold what the greatest has: 33 bits, where the library draws the line too.
        let value = exponent.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        self.any_rsa_exponent
            && exponent.len() <= 5
            && value % 2 == 1
            && (3..1 << 33).contains(&value)
    }
}

/// 65537.
const EXPONENT: &[u8] = &[1, 0, 1];
