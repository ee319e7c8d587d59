//! Claims as fields, for services behind this one.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::auth::claims::claim;
use crate::auth::json::Value;
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::verified::Verified;
use crate::fields::list;

/// Which claim goes into which field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwarded(Vec<(String, HeaderName)>);

impl Forwarded {
    pub(crate) fn add(&mut self, claim: String, field: HeaderName) {
        self.0.push((claim, field));
    }

    /// Takes the fields from a request, and whatever some server could take for them: nobody but us may say who asks.
    pub(crate) fn clear(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let is_ours = |name: &&HeaderName| self.0.iter().any(|(_, ours)| looks_like(name, ours));
        let found: Vec<HeaderName> = headers.keys().filter(is_ours).cloned().collect();
        for name in found {
            headers.remove(name);
        }
        self.clear_connection(headers);
    }

    /// RFC 9110 §7.6.1: a proxy further in removes what `Connection` names, and with our field who asks would be gone. The names
    /// that are ours are taken out of it.
    fn clear_connection(&self, headers: &mut HeaderMap) {
        let is_ours = |option: &&[u8]| {
            let name = HeaderName::from_bytes(option);
            name.is_ok_and(|name| self.0.iter().any(|(_, ours)| looks_like(&name, ours)))
        };
        if !list::members(headers, header::CONNECTION).any(|option| is_ours(&option)) {
            return;
        }
        let others = list::members(headers, header::CONNECTION).filter(|option| !is_ours(option));
        let line = others.collect::<Vec<_>>().join(&b", "[..]);
        headers.remove(header::CONNECTION);
        if !line.is_empty() {
            headers.extend(HeaderValue::from_bytes(&line).map(|line| (header::CONNECTION, line)));
        }
    }

    /// Sets the fields, of the claims that are there.
    ///
    /// A claim that no field can hold refuses the request: without the field it would be somebody else's.
    pub(crate) fn set(&self, headers: &mut HeaderMap, verified: &Verified) -> Result<(), Refusal> {
        for (name, field) in &self.0 {
            let Some(value) = claim(verified.claims_json(), name) else { continue };
            let value = text(&value).ok_or(Refusal(Detail::Forwarding))?;
            headers.try_insert(field, value).map_err(|_| Refusal(Detail::Forwarding))?;
        }
        Ok(())
    }
}

/// CGI and its heirs (RFC 3875 §4.1.18) read `x_user` and `x-user` as one name, and some do so with any mark.
fn looks_like(name: &HeaderName, ours: &HeaderName) -> bool {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    let (name, ours) = (name.as_str().bytes().map(plain), ours.as_str().bytes().map(plain));
    name.eq(ours)
}

/// A string as it is, of visible ASCII and single bytes of space inside; a number and a truth value as in JSON.
fn text(value: &Value<'_>) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(text) => *text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let is_whole = !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ');
    (is_plain && is_whole).then(|| HeaderValue::from_str(text).ok()).flatten()
}
