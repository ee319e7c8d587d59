//! Public keys as X.509 has them (RFC 5280 §4.1.2.7, SubjectPublicKeyInfo), in DER or PEM.

use spki::der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use spki::der::{self, Decode as _, Reader as _, SliceReader, pem};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::auth::algorithm::{Algorithm, Family};
use crate::auth::key::{Admission, Key, KeyError, KeyErrorKind};

impl Key {
    /// A public key in PEM (RFC 7468 §13): one block of `-----BEGIN PUBLIC KEY-----`, at most
    /// [`TEXT_BYTES_MAX`](Self::TEXT_BYTES_MAX) long, with or without text before it.
    ///
    /// The format does not say which algorithm a key is for, so the caller does; it must go with the key's type and curve.
    ///
    /// # Errors
    ///
    /// If it is malformed, weak, or does not go with the algorithm; if it is a private key, a certificate or of another format; or if
    /// there are several blocks: see [`KeyErrorKind`].
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, Key, KeyErrorKind};
    ///
    /// let pem = "-----BEGIN PUBLIC KEY-----\n\
    ///     MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    ///     -----END PUBLIC KEY-----\n";
    /// let key = Key::from_pem(Algorithm::EdDsa, pem.as_bytes()).unwrap().with_id("a");
    /// assert_eq!(key.algorithm(), Algorithm::EdDsa);
    ///
    /// let refused = Key::from_pem(Algorithm::Rs256, pem.as_bytes()).unwrap_err();
    /// assert_eq!(refused.kind(), KeyErrorKind::Algorithm);
    /// ```
    pub fn from_pem(algorithm: Algorithm, text: &[u8]) -> Result<Self, KeyError> {
        Self::from_pem_with(algorithm, text, Admission::new())
    }

    /// [`from_pem`](Self::from_pem), with more admitted.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use tower_keep::auth::{Admission, Algorithm, Key, KeyErrorKind};
    ///
    /// let admission = Admission::new().any_rsa_exponent();
    /// let refused = Key::from_pem_with(Algorithm::Rs256, b"no key", admission).unwrap_err();
    /// assert_eq!(refused.kind(), KeyErrorKind::Malformed);
    /// ```
    pub fn from_pem_with(
        algorithm: Algorithm,
        text: &[u8],
        admission: Admission,
    ) -> Result<Self, KeyError> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(MALFORMED);
        }
        // Before the rest is looked at: a private key should be noticed whatever else is wrong.
        if count(text, b"PRIVATE KEY-----") > 0 {
            return Err(KeyError(KeyErrorKind::Private));
        }
        // White space at the end of a file is an editor's business.
        let text = text.trim_ascii();
        let label = pem::decode_label(text);
        if count(text, b"-----BEGIN ") > 1 || label.is_ok_and(|label| label != "PUBLIC KEY") {
            return Err(KeyError(KeyErrorKind::Format));
        }
        let (_, der) = pem::decode_vec(text).map_err(|_| MALFORMED)?;
        Self::from_der_with(algorithm, &der, admission)
    }

    /// A public key as a SubjectPublicKeyInfo in DER, which is what stands in PEM, and what many a key management service gives out.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, Key, KeyErrorKind};
    ///
    /// let refused = Key::from_der(Algorithm::Es256, b"no key").unwrap_err();
    /// assert_eq!(refused.kind(), KeyErrorKind::Malformed);
    /// ```
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::from_der_with(algorithm, der, Admission::new())
    }

    /// [`from_der`](Self::from_der), with more admitted.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    ///
    /// ```
    /// use tower_keep::auth::{Admission, Algorithm, Key};
    ///
    /// let admission = Admission::new().any_rsa_exponent();
    /// assert!(Key::from_der_with(Algorithm::Rs256, b"no key", admission).is_err());
    /// ```
    pub fn from_der_with(
        algorithm: Algorithm,
        der: &[u8],
        admission: Admission,
    ) -> Result<Self, KeyError> {
        if der.len() > Self::TEXT_BYTES_MAX {
            return Err(MALFORMED);
        }
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| MALFORMED)?;
        if !is_for(info.algorithm, algorithm) {
            return Err(KeyError(KeyErrorKind::Algorithm));
        }
        let key = info.subject_public_key.as_bytes().ok_or(MALFORMED)?;
        match algorithm.family() {
            Family::Hmac => Err(KeyError(KeyErrorKind::Algorithm)),
            Family::Rsa => {
                let (modulus, exponent) = rsa_components(key).map_err(|_| MALFORMED)?;
                Self::rsa(algorithm, modulus, exponent, admission)
            }
            Family::Ec => {
                // SEC 1 §2.3.3. RFC 5480 §2.2 lets a reader do without compressed points.
                let [4, coordinates @ ..] = key else { return Err(MALFORMED) };
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                Self::ec(algorithm, x, y)
            }
            Family::Okp => Self::ed25519(key),
        }
    }
}

/// Whether this is a key in PEM, or a public key in DER: nothing that anybody keeps secret to sign with.
pub(super) fn is_public(text: &[u8]) -> bool {
    count(text, b"-----BEGIN ") > 0 || SubjectPublicKeyInfoRef::from_der(text).is_ok()
}

/// Whether a key of this type and curve is one of the algorithm.
fn is_for(found: AlgorithmIdentifierRef<'_>, algorithm: Algorithm) -> bool {
    let curve = match algorithm {
        Algorithm::Es256 => P256,
        Algorithm::Es384 => P384,
        _ => P521,
    };
    let is_pss = matches!(algorithm, Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512);
    match algorithm.family() {
        Family::Hmac => false,
        // RFC 3279 §2.3.1: the parameters are NULL. RFC 4055 §1.2: a key for PSS alone may have none; those that it may have name a
        // hash, and such keys are not read here.
        Family::Rsa if found.oid == RSASSA_PSS => is_pss && found.parameters.is_none(),
        Family::Rsa => found.oid == RSA && found.parameters.is_some_and(AnyRef::is_null),
        // RFC 5480 §2.1.1: a named curve, and nothing else.
        Family::Ec => {
            let named = found.parameters.map(|curve| curve.decode_as::<ObjectIdentifier>());
            found.oid == EC && named.is_some_and(|named| named == Ok(curve))
        }
        // RFC 8410 §3: no parameters.
        Family::Okp => found.oid == ED25519 && found.parameters.is_none(),
    }
}

/// RFC 8017 §A.1.1: modulus and exponent, which DER writes in one way.
fn rsa_components(key: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(key)?;
    let components = reader.sequence(|fields| -> der::Result<_> {
        Ok((UintRef::decode(fields)?.as_bytes(), UintRef::decode(fields)?.as_bytes()))
    })?;
    reader.finish()?;
    Ok(components)
}

/// How often it stands there.
fn count(text: &[u8], wanted: &[u8]) -> usize {
    text.windows(wanted.len()).filter(|window| *window == wanted).count()
}

const MALFORMED: KeyError = KeyError(KeyErrorKind::Malformed);
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

#[cfg(test)]
mod tests;
