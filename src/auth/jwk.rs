//! Keys as JSON (RFC 7517), and sets of them.

pub(crate) mod fetched;

use std::borrow::Cow;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::auth::algorithm::{Algorithm, Family};
use crate::auth::base64url;
use crate::auth::json::{self, Limits, Value};
use crate::auth::key::{Admission, Key, KeyError, KeyErrorKind};

/// The members of a JWK, by name.
struct Members<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Members<'a> {
    fn of(text: &'a [u8]) -> Result<Self, KeyError> {
        json::object(text, LIMITS).map(Self).map_err(|_| MALFORMED)
    }

    fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A string, if it is there.
    fn text(&self, name: &str) -> Result<Option<&str>, KeyError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(MALFORMED),
        }
    }

    /// Bytes, which have to be there (RFC 7515 §2: without padding or white space). They are wiped in the end, whether all could be
    /// decoded or not. The text is the caller's; a copy of it is made only where it holds an escape, and that one is not wiped.
    fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let text = self.text(name)?.ok_or(MALFORMED)?;
        let mut bytes = Zeroizing::new(Vec::new());
        if base64url::decode(text.as_bytes(), &mut bytes) { Ok(bytes) } else { Err(MALFORMED) }
    }
}

impl Key {
    /// A key as JSON (RFC 7517 §4): `oct`, `RSA`, `EC` or `OKP`.
    ///
    /// It must say by `alg` which algorithm it is for; where the curve says it already, `alg` may be missing. `use` and `key_ops`
    /// must allow to verify. A private key is refused, and a text of more than [`TEXT_BYTES_MAX`](Self::TEXT_BYTES_MAX).
    ///
    /// The text stays the caller's, who should wipe it if there is a secret in it. Of what is decoded from it nothing is left but the
    /// key.
    ///
    /// # Errors
    ///
    /// If it is malformed, weak, not for verifying, or of an algorithm that is not known: see [`KeyErrorKind`].
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, Key};
    ///
    /// let key = Key::from_jwk(
    ///     br#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )
    /// .unwrap();
    /// assert_eq!((key.algorithm(), key.id()), (Algorithm::EdDsa, Some("a")));
    /// ```
    pub fn from_jwk(text: &[u8]) -> Result<Self, KeyError> {
        Self::from_jwk_with(text, Admission::new())
    }

    /// [`from_jwk`](Self::from_jwk), with more admitted.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// use tower_keep::auth::{Admission, Algorithm, Key};
    ///
    /// # let modulus = "7".repeat(341) + "w";
    /// let jwk = format!(r#"{{"kty":"RSA","e":"AQAB","n":"{modulus}"}}"#);
    /// let admission = Admission::new().rsa_algorithm(Algorithm::Ps256);
    /// let key = Key::from_jwk_with(jwk.as_bytes(), admission).unwrap();
    /// assert_eq!(key.algorithm(), Algorithm::Ps256);
    /// ```
    pub fn from_jwk_with(text: &[u8], admission: Admission) -> Result<Self, KeyError> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(MALFORMED);
        }
        let members = Members::of(text)?;
        let key_type = members.text("kty")?.ok_or(MALFORMED)?;
        is_for_verifying(&members)?;
        let algorithm = algorithm(&members, key_type, admission)?;
        // RFC 7518 §6: of these types alone, and what makes them private.
        if key_type != "oct"
            && ["d", "p", "q", "dp", "dq", "qi", "oth"]
                .iter()
                .any(|name| members.get(name).is_some())
        {
            return Err(KeyError(KeyErrorKind::Private));
        }
        let key = match key_type {
            "oct" => Self::secret(algorithm, &members.bytes("k")?),
            "RSA" => Self::rsa(algorithm, &members.bytes("n")?, &members.bytes("e")?, admission),
            "EC" => Self::ec(algorithm, &members.bytes("x")?, &members.bytes("y")?),
            _ => Self::ed25519(&members.bytes("x")?),
        }?;
        Ok(match members.text("kid")? {
            Some(id) => key.with_id(id),
            None => key,
        })
    }
}

/// RFC 7517 §4.2, §4.3.
fn is_for_verifying(members: &Members<'_>) -> Result<(), KeyError> {
    let wrong = KeyError(KeyErrorKind::Use);
    if members.text("use")?.is_some_and(|usage| usage != "sig") {
        return Err(wrong);
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(text)) => {
            let operations = json::elements(text, LIMITS).map_err(|_| MALFORMED)?;
            // Strings, each once. Eight are registered.
            let is_string = |operation: &Value<'_>| matches!(operation, Value::String(_));
            let is_first =
                |(at, operation)| operations.iter().take(at).all(|other| other != operation);
            if operations.len() > OPERATIONS_MAX
                || !operations.iter().all(is_string)
                || !operations.iter().enumerate().all(is_first)
            {
                return Err(MALFORMED);
            }
            let verify = Value::String("verify".into());
            if operations.contains(&verify) { Ok(()) } else { Err(wrong) }
        }
        Some(_) => Err(MALFORMED),
    }
}

/// The one algorithm of a key: what it says, or else what its curve leaves or the caller has said.
fn algorithm(
    members: &Members<'_>,
    key_type: &str,
    admission: Admission,
) -> Result<Algorithm, KeyError> {
    let wrong = KeyError(KeyErrorKind::Algorithm);
    let (family, of_curve) = match (key_type, members.text("crv")?) {
        ("oct", None) => (Family::Hmac, None),
        ("RSA", None) => (Family::Rsa, None),
        ("EC", Some("P-256")) => (Family::Ec, Some(Algorithm::Es256)),
        ("EC", Some("P-384")) => (Family::Ec, Some(Algorithm::Es384)),
        ("EC", Some("P-521")) => (Family::Ec, Some(Algorithm::Es512)),
        ("OKP", Some("Ed25519")) => (Family::Okp, Some(Algorithm::EdDsa)),
        _ => return Err(wrong),
    };
    let said = match members.text("alg")? {
        // RFC 8725 §3.1: a name that is not known is not passed over.
        Some(name) => Some(Algorithm::named(name).ok_or(wrong)?),
        None => of_curve.or(admission.algorithm_of(family)),
    };
    let algorithm = said.ok_or(wrong)?;
    let fits = algorithm.family() == family && of_curve.is_none_or(|of| of == algorithm);
    if fits { Ok(algorithm) } else { Err(wrong) }
}

/// Some keys, among which a token's header chooses.
///
/// Clones share them.
///
/// ```
/// use tower_keep::auth::{Algorithm, Key, KeySet};
///
/// let [old, new] = [[1; 32], [2; 32]].map(|secret| Key::secret(Algorithm::Hs256, &secret).unwrap());
/// let keys = KeySet::new([old.with_id("2026-10"), new.with_id("2026-11")]).unwrap();
/// assert_eq!(keys.keys().len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Arc<[Key]>,
}

impl KeySet {
    /// The most keys of a set.
    pub const KEYS_MAX: usize = 100;

    /// The longest text of a set, in bytes.
    pub const TEXT_BYTES_MAX: usize = 256 << 10;

    /// A set of these.
    ///
    /// # Errors
    ///
    /// If there are secrets and public keys in it (RFC 8725 §2.1), one id twice, or more than
    /// [`KEYS_MAX`](Self::KEYS_MAX).
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyError> {
        let mut set = Vec::new();
        for key in keys {
            add(&mut set, key)?;
        }
        Ok(Self { keys: set.into() })
    }

    /// A JWK Set (RFC 7517 §5): `{"keys":[...]}`. Keys that cannot be used are left out, as §5 asks; how many is told.
    ///
    /// # Errors
    ///
    /// If it is no set, one that [`new`](Self::new) refuses, or longer than [`TEXT_BYTES_MAX`](Self::TEXT_BYTES_MAX).
    ///
    /// ```
    /// use tower_keep::auth::KeySet;
    ///
    /// let jwks = br#"{"keys":[{"kty":"OKP","crv":"X448","x":"AA"},{
    ///     "kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let (keys, left_out) = KeySet::from_jwks(jwks).unwrap();
    /// assert_eq!((keys.keys().len(), left_out), (1, 1));
    /// ```
    pub fn from_jwks(text: &[u8]) -> Result<(Self, usize), KeyError> {
        Self::from_jwks_with(text, Admission::new())
    }

    /// [`from_jwks`](Self::from_jwks), with more admitted. [`Admission`] has an example.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_jwks_with(text: &[u8], admission: Admission) -> Result<(Self, usize), KeyError> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(KeyError(KeyErrorKind::Set));
        }
        let members = Members::of(text)?;
        let Some(Value::Array(keys)) = members.get("keys") else { return Err(MALFORMED) };
        let keys = json::elements(keys, LIMITS).map_err(|_| MALFORMED)?;
        let (mut set, mut left_out) = (Vec::new(), 0);
        let mut seen: Vec<(Option<String>, bool)> = Vec::new();
        for key in keys {
            let Value::Object(text) = key else { return Err(MALFORMED) };
            // Of those too that cannot be used: what a set is, one key of it less does not change.
            let members = Members::of(text)?;
            // Of another type they say nothing, and the key is left out.
            let id = members.text("kid").ok().flatten().map(str::to_owned);
            let is_secret = members.text("kty") == Ok(Some("oct"));
            let clashes = |(other, was_secret): &(Option<String>, bool)| {
                *was_secret != is_secret || (id.is_some() && *other == id)
            };
            if seen.iter().any(clashes) || seen.len() == Self::KEYS_MAX {
                return Err(KeyError(KeyErrorKind::Set));
            }
            seen.push((id, is_secret));
            match Key::from_jwk_with(text, admission) {
                Ok(key) => add(&mut set, key)?,
                Err(_) => left_out += 1,
            }
        }
        Ok((Self { keys: set.into() }, left_out))
    }

    /// Whether the other is a clone of this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys)
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

fn add(set: &mut Vec<Key>, key: Key) -> Result<(), KeyError> {
    let clashes = |other: &Key| {
        other.is_secret() != key.is_secret() || (key.id().is_some() && other.id() == key.id())
    };
    if set.iter().any(clashes) || set.len() == KeySet::KEYS_MAX {
        return Err(KeyError(KeyErrorKind::Set));
    }
    set.push(key);
    Ok(())
}

const MALFORMED: KeyError = KeyError(KeyErrorKind::Malformed);
const LIMITS: Limits = Limits { depth: 6, members: 32 };
const OPERATIONS_MAX: usize = 16;

#[cfg(test)]
mod tests;
