//! What a token says (RFC 7519 §4, RFC 9068 §2.2).

use std::borrow::Cow;

use crate::auth::json::{self, Limits, Value};
use crate::auth::refusal::{Detail, Refusal};

/// The registered claims that rules look at, read once and in one way.
pub(crate) struct Registered<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) audience: Vec<Cow<'a, str>>,
    pub(crate) subject: Option<Cow<'a, str>>,
    pub(crate) times: Times,
    pub(crate) has_client_id: bool,
    pub(crate) has_token_id: bool,
    /// RFC 7800 §3.1: the token is bound to a key of its sender's.
    pub(crate) is_bound: bool,
    pub(crate) scope: Option<Cow<'a, str>>,
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// When a token is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) expires: Option<f64>,
    pub(crate) not_before: Option<f64>,
    pub(crate) issued: Option<f64>,
}

impl<'a> Registered<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Refusal> {
        let members = json::object(text, LIMITS).map_err(|_| Refusal(Detail::ClaimsSyntax))?;
        let mut claims = Self {
            issuer: None,
            audience: Vec::new(),
            subject: None,
            times: Times::default(),
            has_client_id: false,
            has_token_id: false,
            is_bound: false,
            scope: None,
            members: Vec::new(),
        };
        for (name, value) in &members {
            match &**name {
                "iss" => claims.issuer = Some(string(value)?),
                "sub" => claims.subject = Some(string(value)?),
                "aud" => claims.audience = audience(value)?,
                "exp" => claims.times.expires = Some(time(value)?),
                "nbf" => claims.times.not_before = Some(time(value)?),
                "iat" => claims.times.issued = Some(time(value)?),
                "client_id" => claims.has_client_id = !string(value)?.is_empty(),
                "jti" => claims.has_token_id = !string(value)?.is_empty(),
                "cnf" => claims.is_bound = true,
                // RFC 8693 §4.2: one string. Of another type it grants nothing.
                "scope" => {
                    if let Value::String(scope) = value {
                        claims.scope = Some(scope.clone());
                    }
                }
                _ => {}
            }
        }
        claims.members = members;
        Ok(claims)
    }

    /// The words of a claim that grants, in whichever of the two forms issuers write it: a string of words, or an array of
    /// them. What is no word grants nothing.
    pub(crate) fn words_of(&self, name: &str) -> Vec<String> {
        let value = self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        match value {
            Some(Value::String(words)) => words.split(' ').map(str::to_owned).collect(),
            Some(Value::Array(text)) => json::elements(text, LIMITS)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|element| match element {
                    Value::String(word) if !word.contains(' ') => Some(word.into_owned()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// One claim of a token that was read before, as it stands in the JSON text.
pub(crate) fn claim<'a>(text: &'a [u8], name: &str) -> Option<Value<'a>> {
    let members = json::object(text, LIMITS).ok()?;
    members.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn string<'a>(value: &Value<'a>) -> Result<Cow<'a, str>, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(Refusal(Detail::ClaimType)),
    }
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
fn audience<'a>(value: &Value<'a>) -> Result<Vec<Cow<'a, str>>, Refusal> {
    let Value::Array(elements) = value else { return Ok(vec![string(value)?]) };
    let elements = json::elements(elements, LIMITS).map_err(|_| Refusal(Detail::ClaimsSyntax))?;
    elements.iter().map(string).collect()
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
