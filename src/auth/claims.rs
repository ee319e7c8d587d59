//! What a token says (RFC 7519 §4, RFC 9068 §2.2).

use std::borrow::Cow;

use crate::auth::json::{self, Limits, Value};
use crate::auth::refusal::{Detail, Refusal};

/// The registered claims that rules look at, read once and in one way.
pub(crate) struct Registered<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) audience: Audience<'a>,
    pub(crate) subject: Option<Cow<'a, str>>,
    pub(crate) times: Times,
    pub(crate) has_client_id: bool,
    pub(crate) has_token_id: bool,
    /// RFC 7800 §3.1: the token is bound to a key of its sender's.
    pub(crate) is_bound: bool,
    pub(crate) scope: Option<Cow<'a, str>>,
}

/// For whom a token is.
pub(crate) enum Audience<'a> {
    One(Cow<'a, str>),
    /// Perhaps nobody.
    All(Vec<Cow<'a, str>>),
}

impl Audience<'_> {
    pub(crate) fn has(&self, is: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(audience) => is(audience),
            Self::All(audiences) => audiences.iter().any(|audience| is(audience)),
        }
    }
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
        let mut claims = Self {
            issuer: None,
            audience: Audience::All(Vec::new()),
            subject: None,
            times: Times::default(),
            has_client_id: false,
            has_token_id: false,
            is_bound: false,
            scope: None,
        };
        let mut taken = Ok(());
        json::members(text, LIMITS, |name, value| {
            if taken.is_ok() {
                taken = claims.take(name, value);
            }
        })
        .map_err(|_| Refusal(Detail::ClaimsSyntax))?;
        taken.map(|()| claims)
    }

    fn take(&mut self, name: &str, value: Value<'a>) -> Result<(), Refusal> {
        match name {
            "iss" => self.issuer = Some(string(value)?),
            "sub" => self.subject = Some(string(value)?),
            "aud" => self.audience = audience(value)?,
            "exp" => self.times.expires = Some(time(&value)?),
            "nbf" => self.times.not_before = Some(time(&value)?),
            "iat" => self.times.issued = Some(time(&value)?),
            "client_id" => self.has_client_id = !string(value)?.is_empty(),
            "jti" => self.has_token_id = !string(value)?.is_empty(),
            "cnf" => self.is_bound = true,
            // RFC 8693 §4.2: one string. Of another type it grants nothing.
            "scope" => {
                if let Value::String(scope) = value {
                    self.scope = Some(scope);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The words of a claim that grants, in whichever of the two forms issuers write it: a string of words, or an array of them. What
/// is no word grants nothing.
pub(crate) fn words_of(text: &[u8], name: &str) -> Vec<String> {
    match claim(text, name) {
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

/// The claims of a token that was read before, as they stand in the JSON text.
pub(crate) fn all(text: &[u8]) -> Vec<(Cow<'_, str>, Value<'_>)> {
    json::object(text, LIMITS).unwrap_or_default()
}

/// One of them.
pub(crate) fn claim<'a>(text: &'a [u8], name: &str) -> Option<Value<'a>> {
    all(text).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn string(value: Value<'_>) -> Result<Cow<'_, str>, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Refusal(Detail::ClaimType)),
    }
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
fn audience(value: Value<'_>) -> Result<Audience<'_>, Refusal> {
    let Value::Array(elements) = value else { return string(value).map(Audience::One) };
    let elements = json::elements(elements, LIMITS).map_err(|_| Refusal(Detail::ClaimsSyntax))?;
    elements.into_iter().map(string).collect::<Result<_, _>>().map(Audience::All)
}

/// RFC 7519 §2, NumericDate: seconds, with or without a fraction. What other parsers might read as another number is none.
fn time(value: &Value<'_>) -> Result<f64, Refusal> {
    let Value::Number(text) = value else { return Err(Refusal(Detail::ClaimType)) };
    // Whole, as a rule, and that is sooner read.
    let secs = match text.parse::<u32>() {
        Ok(secs) => f64::from(secs),
        Err(_) => text.parse().map_err(|_| Refusal(Detail::ClaimType))?,
    };
    if (0.0..EXACT_MAX).contains(&secs) { Ok(secs) } else { Err(Refusal(Detail::ClaimType)) }
}

/// 2^53: from there on not every whole number is one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const LIMITS: Limits = Limits { depth: 16, members: 128 };
