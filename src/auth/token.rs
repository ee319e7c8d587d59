//! A compact token in its parts (RFC 7515 §7.1), and what its header says (§4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::algorithm::Algorithm;
use crate::auth::json::{self, Limits, Value};
use crate::auth::refusal::{Detail, Refusal};

/// A token whose parts were told apart. Nothing of it was verified.
pub(crate) struct Compact<'a> {
    header: &'a str,
    /// Header and payload with the dot: what is signed.
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// The parts of a token that is at most so long.
    ///
    /// RFC 7515 §7.1, RFC 8725 §3.14: three parts of the alphabet of base64url, of which the payload alone may be empty. So a JWE,
    /// which has five, and the JSON serialisations are refused before anything is decoded.
    pub(crate) fn of(token: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        if token.len() > bytes_max {
            return Err(Refusal(Detail::TooLong));
        }
        let is_alphabet =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let text = std::str::from_utf8(token).ok().filter(|_| token.iter().all(is_alphabet));
        let text = text.ok_or(Refusal(Detail::Shape))?;
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None)
                if !header.is_empty() && !signature.is_empty() =>
            {
                let signed = text.get(..header.len() + 1 + payload.len()).unwrap_or_default();
                Ok(Self { header, signed, payload, signature })
            }
            _ => Err(Refusal(Detail::Shape)),
        }
    }

    pub(crate) fn signed(&self) -> &'a [u8] {
        self.signed.as_bytes()
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, Refusal> {
        decoded(self.payload)
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, Refusal> {
        decoded(self.signature)
    }

    pub(crate) fn header(&self) -> Result<TokenHeader, Refusal> {
        TokenHeader::read(&decoded(self.header)?)
    }
}

/// RFC 7515 §2, RFC 4648 §3.5: without padding, and with no bit in the last character that says nothing. One string of bytes
/// has one spelling.
fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal(Detail::Encoding))
}

/// What the header of a token says. **Nothing of it is verified**: it is for choosing a key, which then decides.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHeader {
    algorithm: Algorithm,
    key_id: Option<String>,
    token_type: Option<String>,
}

impl TokenHeader {
    /// The longest key id, in bytes.
    pub const KEY_ID_BYTES_MAX: usize = 128;

    /// The header of a token of at most 8 KiB, such as a [`KeySource`](crate::auth::KeySource) is asked with.
    ///
    /// # Errors
    ///
    /// If it is no token, or one that is refused by its header alone.
    ///
    /// ```
    /// use tower_keep::auth::{Algorithm, TokenHeader};
    ///
    /// let header = TokenHeader::of(b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AA").unwrap();
    /// assert_eq!((header.algorithm(), header.key_id()), (Algorithm::Es256, Some("a")));
    /// ```
    pub fn of(token: &[u8]) -> Result<Self, Refusal> {
        Compact::of(token, 8 << 10)?.header()
    }

    /// How the token claims to be signed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key it names. It comes from whoever sent the token: compare it with the ids of keys, and nothing else.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ`, in lower case and without `application/` (RFC 7515 §4.1.9).
    pub(crate) fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    fn read(text: &[u8]) -> Result<Self, Refusal> {
        let members = json::object(text, LIMITS).map_err(|_| Refusal(Detail::HeaderSyntax))?;
        let (mut algorithm, mut key_id, mut token_type) = (None, None, None);
        for (name, value) in members {
            match (&*name, value) {
                // RFC 7515 §4.1.1: compared as it stands.
                ("alg", Value::String(named)) => {
                    algorithm = Some(Algorithm::named(&named).ok_or(Refusal(Detail::Algorithm))?);
                }
                ("kid", Value::String(id)) if is_key_id(&id) => key_id = Some(id.into_owned()),
                ("kid", Value::String(_)) => return Err(Refusal(Detail::KeyId)),
                ("typ", Value::String(named)) => token_type = Some(media_type(&named)),
                ("alg" | "kid" | "typ", _) => return Err(Refusal(Detail::HeaderMember)),
                // RFC 7515 §4.1.11: no extension is understood here, so none may be critical.
                ("crit", _) => return Err(Refusal(Detail::Critical)),
                // RFC 7797, RFC 7516 §4.1: the payload would be something else than it is read as; RFC 7519 §5.2: nested.
                ("b64" | "zip" | "enc" | "cty", _) => return Err(Refusal(Detail::HeaderMember)),
                // RFC 8725 §3.10: keys that a token brings along (jku, jwk, x5u, x5c) are not looked at, and all else is unknown.
                _ => {}
            }
        }
        let algorithm = algorithm.ok_or(Refusal(Detail::Algorithm))?;
        Ok(Self { algorithm, key_id, token_type })
    }
}

/// RFC 8725 §3.10: short and printable, for whoever may come to see it.
fn is_key_id(id: &str) -> bool {
    id.len() <= TokenHeader::KEY_ID_BYTES_MAX
        && id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// RFC 7515 §4.1.9: without case, and `application/` may be left out where no other slash follows.
fn media_type(named: &str) -> String {
    let named = named.to_ascii_lowercase();
    match named.strip_prefix("application/") {
        Some(short) if !short.contains('/') => short.to_owned(),
        _ => named,
    }
}

impl std::fmt::Debug for TokenHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { algorithm, key_id, .. } = self;
        let has_key_id = key_id.is_some();
        f.debug_struct("TokenHeader")
            .field("algorithm", algorithm)
            .field("has_key_id", &has_key_id)
            .finish_non_exhaustive()
    }
}

/// Headers are flat; what is deeper is of some extension.
const LIMITS: Limits = Limits { depth: 8, members: 32 };

#[cfg(test)]
mod tests;
