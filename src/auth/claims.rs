//! What a verified token says (RFC 7519 §4, RFC 9068 §2.2).

use std::borrow::Cow;
use std::fmt;

use crate::auth::json::{self, Limits, Value};
use crate::auth::refusal::{Detail, Refusal};

/// The registered claims that rules look at, read once and in one way.
pub(crate) struct Registered<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) audience: Vec<Cow<'a, str>>,
    pub(crate) subject: Option<Cow<'a, str>>,
    /// Seconds since 1970, as all times here.
    pub(crate) expires: Option<f64>,
    pub(crate) not_before: Option<f64>,
    pub(crate) issued: Option<f64>,
    pub(crate) has_client_id: bool,
    pub(crate) has_token_id: bool,
    /// RFC 7800 §3.1: the token is bound to a key of its sender's.
    pub(crate) is_bound: bool,
    pub(crate) scope: Option<Cow<'a, str>>,
}

impl<'a> Registered<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Refusal> {
        let members = json::object(payload, LIMITS).map_err(|_| Refusal(Detail::ClaimsSyntax))?;
        let mut claims = Self {
            issuer: None,
            audience: Vec::new(),
            subject: None,
            expires: None,
            not_before: None,
            issued: None,
            has_client_id: false,
            has_token_id: false,
            is_bound: false,
            scope: None,
        };
        for (name, value) in members {
            match &*name {
                "iss" => claims.issuer = Some(text(value)?),
                "sub" => claims.subject = Some(text(value)?),
                "aud" => claims.audience = audience(value)?,
                "exp" => claims.expires = Some(time(&value)?),
                "nbf" => claims.not_before = Some(time(&value)?),
                "iat" => claims.issued = Some(time(&value)?),
                "client_id" => claims.has_client_id = !text(value)?.is_empty(),
                "jti" => claims.has_token_id = !text(value)?.is_empty(),
                "cnf" => claims.is_bound = true,
                // RFC 8693 §4.2: one string. Of another type it grants nothing.
                "scope" => {
                    if let Value::String(scope) = value {
                        claims.scope = Some(scope);
                    }
                }
                _ => {}
            }
        }
        Ok(claims)
    }
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Refusal(Detail::ClaimType)),
    }
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
fn audience(value: Value<'_>) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let Value::Array(elements) = value else { return Ok(vec![text(value)?]) };
    let elements = json::elements(elements, LIMITS).map_err(|_| Refusal(Detail::ClaimsSyntax))?;
    elements.into_iter().map(text).collect()
}

/// RFC 7519 §2, NumericDate: seconds, with or without a fraction. What other parsers might read as another number is none.
fn time(value: &Value<'_>) -> Result<f64, Refusal> {
    let Value::Number(text) = value else { return Err(Refusal(Detail::ClaimType)) };
    let secs: f64 = text.parse().map_err(|_| Refusal(Detail::ClaimType))?;
    if (0.0..EXACT_MAX).contains(&secs) { Ok(secs) } else { Err(Refusal(Detail::ClaimType)) }
}

/// 2^53: from there on not every whole number is one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const LIMITS: Limits = Limits { depth: 16, members: 128 };

/// A token that was verified: its signature, its times, and that it is meant for us.
///
/// It is made by [`Verifier::verify`](crate::auth::Verifier::verify) alone. `Debug` does not show what it says.
#[derive(Clone)]
pub struct Verified {
    pub(crate) payload: Vec<u8>,
    pub(crate) subject: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) expires: Option<f64>,
}

impl Verified {
    /// `sub`: whom the token is about, within its issuer (RFC 7519 §4.1.2).
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Whether `scope` has this word (RFC 6749 §3.3): whole, and with case.
    pub fn has_scope(&self, wanted: &str) -> bool {
        !wanted.is_empty()
            && self
                .scope
                .as_deref()
                .is_some_and(|scope| scope.split(' ').any(|word| word == wanted))
    }

    /// All claims, as the JSON object that was signed. No name stands in it twice, at any depth.
    pub fn claims(&self) -> &[u8] {
        &self.payload
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("expires", &self.expires).finish_non_exhaustive()
    }
}
