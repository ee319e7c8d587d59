//! A compact token in its parts (RFC 7515 §7.1), and what its header says (§4).

use std::borrow::Cow;

use crate::auth::algorithm::Algorithm;
use crate::auth::base64url;
use crate::auth::json::{self, Limits, Value};
use crate::auth::refusal::{Detail, Refusal};

/// A token whose parts were told apart. Nothing of it was verified.
pub(crate) struct Compact<'a> {
    header: &'a [u8],
    claims: &'a [u8],
    /// Header and claims with the dot: what is signed.
    signed: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Compact<'a> {
    /// The parts of a token that is at most so long.
    ///
    /// RFC 7515 §7.1, RFC 8725 §3.14: three parts, of which that of the claims alone may be empty. So a JWE, which has five, and the
    /// JSON serialisations are refused before anything is decoded. What is in the parts is looked at when they are.
    pub(crate) fn of(token: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        if token.len() > bytes_max {
            return Err(Refusal(Detail::TooLong));
        }
        Self::split(token).ok_or(Refusal(Detail::Shape))
    }

    fn split(token: &'a [u8]) -> Option<Self> {
        let mut dots = memchr::memchr_iter(b'.', token);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return None;
        };
        let (header, claims) = (token.get(..first)?, token.get(first + 1..second)?);
        let (signed, signature) = (token.get(..second)?, token.get(second + 1..)?);
        let is_whole = !header.is_empty() && !signature.is_empty();
        is_whole.then_some(Self { header, claims, signed, signature })
    }

    /// How long the token is: both dots, and all parts.
    pub(crate) fn bytes(&self) -> usize {
        self.signed.len() + 1 + self.signature.len()
    }

    pub(crate) fn signed(&self) -> &'a [u8] {
        self.signed
    }

    pub(crate) fn claims(&self) -> Result<Vec<u8>, Refusal> {
        decoded(self.claims)
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, Refusal> {
        decoded(self.signature)
    }

    /// What the header says, and its text.
    pub(crate) fn header(&self) -> Result<(TokenHeader, Vec<u8>), Refusal> {
        let text = decoded(self.header)?;
        Ok((TokenHeader::read(&text)?, text))
    }
}

fn decoded(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    if base64url::decode(part, &mut bytes) { Ok(bytes) } else { Err(Refusal(Detail::Encoding)) }
}

/// What the header of a token says. **Nothing of it is verified**: it is for choosing a key, which then decides.
///
/// `Debug` shows no key id: it comes from whoever sent the token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHeader {
    algorithm: Algorithm,
    key_id: Option<String>,
    token_type: TokenType,
    critical: Vec<String>,
}

/// `typ`, as far as rules tell types apart (RFC 7515 §4.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenType {
    None,
    /// RFC 9068 §2.1.
    AccessToken,
    Jwt,
    /// Such as a proof or a notice of logout: never an access token (RFC 8725 §3.11).
    Other,
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
        Compact::of(token, 8 << 10)?.header().map(|(header, _)| header)
    }

    /// How the token claims to be signed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key it names. It comes from whoever sent the token: compare it with the ids of keys, and nothing else.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(crate) fn token_type(&self) -> TokenType {
        self.token_type
    }

    /// The extensions that `crit` names.
    pub(crate) fn critical(&self) -> &[String] {
        &self.critical
    }

    fn read(text: &[u8]) -> Result<Self, Refusal> {
        let members = json::object(text, LIMITS).map_err(|_| Refusal(Detail::HeaderSyntax))?;
        let (mut algorithm, mut key_id, mut token_type) = (None, None, TokenType::None);
        let mut critical = Vec::new();
        for (name, value) in &members {
            match (&**name, value) {
                // RFC 7515 §4.1.1: compared as it stands.
                ("alg", Value::String(named)) => {
                    algorithm = Some(Algorithm::named(named).ok_or(Refusal(Detail::Algorithm))?);
                }
                ("kid", Value::String(id)) if is_key_id(id) => key_id = Some(id.to_string()),
                ("kid", Value::String(_)) => return Err(Refusal(Detail::KeyId)),
                ("typ", Value::String(named)) => token_type = TokenType::named(named),
                ("alg" | "kid" | "typ", _) => return Err(Refusal(Detail::HeaderMember)),
                ("crit", value) => {
                    critical = critical_of(value, &members).ok_or(Refusal(Detail::Critical))?;
                }
                // RFC 7797, RFC 7516 §4.1: the claims would be something else than they are read as; RFC 7519 §5.2: nested.
                ("b64" | "zip" | "enc" | "cty", _) => return Err(Refusal(Detail::HeaderMember)),
                // RFC 8725 §3.10: keys that a token brings along, or points to, are not looked at, but they are of their types.
                ("jku" | "x5u" | "x5t" | "x5t#S256", Value::String(_)) => {}
                ("jwk", Value::Object(_)) | ("x5c", Value::Array(_)) => {}
                ("jku" | "x5u" | "x5t" | "x5t#S256" | "jwk" | "x5c", _) => {
                    return Err(Refusal(Detail::HeaderMember));
                }
                _ => {}
            }
        }
        let algorithm = algorithm.ok_or(Refusal(Detail::Algorithm))?;
        Ok(Self { algorithm, key_id, token_type, critical })
    }
}

/// RFC 7515 §4.1.11: names of extensions, at least one, each once, and each in the header too.
fn critical_of(value: &Value<'_>, members: &Members<'_>) -> Option<Vec<String>> {
    let Value::Array(text) = value else { return None };
    let mut critical: Vec<String> = Vec::new();
    for name in json::elements(text, LIMITS).ok()? {
        let Value::String(name) = name else { return None };
        let is_there = members.iter().any(|(known, _)| *known == name);
        if !is_there || REGISTERED.contains(&&*name) || critical.iter().any(|other| *other == name)
        {
            return None;
        }
        critical.push(name.into_owned());
    }
    (!critical.is_empty()).then_some(critical)
}

impl TokenType {
    /// RFC 7515 §4.1.9: without case, and `application/` may be left out where no other slash follows.
    fn named(name: &str) -> Self {
        const PREFIX: &str = "application/";
        let short = match name.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => name,
        };
        match short {
            short if short.eq_ignore_ascii_case("at+jwt") => Self::AccessToken,
            short if short.eq_ignore_ascii_case("jwt") => Self::Jwt,
            _ => Self::Other,
        }
    }
}

/// RFC 8725 §3.10: short and printable, for whoever may come to see it.
fn is_key_id(id: &str) -> bool {
    id.len() <= TokenHeader::KEY_ID_BYTES_MAX
        && id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
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

type Members<'a> = [(Cow<'a, str>, Value<'a>)];

/// Headers are flat; what is deeper is of some extension.
const LIMITS: Limits = Limits { depth: 8, members: 32 };

/// RFC 7515 §4.1, RFC 7516 §4.1, RFC 7518 §4, RFC 7797 §3: no extensions, so that no `crit` may name them.
const REGISTERED: [&str; 21] = [
    "alg", "apu", "apv", "b64", "crit", "cty", "enc", "epk", "iv", "jku", "jwk", "kid", "p2c",
    "p2s", "tag", "typ", "x5c", "x5t", "x5t#S256", "x5u", "zip",
];

#[cfg(test)]
mod tests;
