//! Claims as fields, for services behind this one.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::auth::claims;
use crate::auth::json::Value;
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::verified::Verified;
use crate::rules::identity::Told;

/// Which claim goes into which field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwarded {
    claims: Vec<(String, HeaderName)>,
    fields: Arc<[HeaderName]>,
}

impl Forwarded {
    pub(crate) fn add(&mut self, claim: String, field: HeaderName) {
        self.claims.push((claim, field));
        self.fields = self.claims.iter().map(|(_, field)| field.clone()).collect();
    }

    /// Takes the fields from a request, and whatever some server could take for them: nobody but us may say who asks.
    pub(crate) fn clear(&self, headers: &mut HeaderMap) {
        if self.fields.is_empty() {
            return;
        }
        let is_ours = |name: &&HeaderName| self.has(name);
        let found: Vec<HeaderName> = headers.keys().filter(is_ours).cloned().collect();
        for name in found {
            headers.remove(name);
        }
        self.clear_connection(headers);
    }

    /// RFC 9110 §7.6.1: a proxy further in removes what `Connection` names, and with our field who asks would be gone. The names
    /// that are ours are taken out of it.
    fn clear_connection(&self, headers: &mut HeaderMap) {
        let is_ours =
            |option: &[u8]| HeaderName::from_bytes(option).is_ok_and(|name| self.has(&name));
        // Not as a list in which a quotation mark could hide one: options are tokens.
        let lines = headers.get_all(header::CONNECTION).iter();
        let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        let options: Vec<&[u8]> = options.map(<[u8]>::trim_ascii).collect();
        if !options.iter().any(|option| is_ours(option)) {
            return;
        }
        let others = options.iter().filter(|option| !option.is_empty() && !is_ours(option));
        let line = others.copied().collect::<Vec<_>>().join(&b", "[..]);
        headers.remove(header::CONNECTION);
        if !line.is_empty() {
            headers.extend(HeaderValue::from_bytes(&line).map(|line| (header::CONNECTION, line)));
        }
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.fields.iter().any(|ours| looks_like(name, ours))
    }

    /// The fields, if there are any, for those further in who must not lend them to others.
    pub(crate) fn told(&self) -> Option<Told> {
        (!self.fields.is_empty()).then(|| Told(self.fields.clone()))
    }

    /// Sets the fields, of the claims that are there.
    ///
    /// A claim that no field can hold refuses the request: without the field it would be somebody else's.
    pub(crate) fn set(&self, headers: &mut HeaderMap, verified: &Verified) -> Result<(), Refusal> {
        if self.claims.is_empty() {
            return Ok(());
        }
        let claims = claims::all(verified.claims_json());
        for (name, field) in &self.claims {
            let Some((_, value)) = claims.iter().find(|(known, _)| known == name) else { continue };
            let value = text(value).ok_or(Refusal(Detail::Forwarding))?;
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
