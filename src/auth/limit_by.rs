//! Limits that count by what tokens say.

use crate::auth::claims::claim;
use crate::auth::json::Value;
use crate::auth::verified::Verified;
use crate::limit::by::{Kind, LimitBy};
use crate::limit::refusal::Keyless;

impl LimitBy {
    /// By a claim of the request's token, such as a tenant or a plan, and its issuer: all who have the same value are counted together.
    /// It stands inside a [`JwtLayer`](crate::auth::JwtLayer). By who asks alone, take [`LimitBy::principal`].
    ///
    /// Numbers are alike if they are written alike, and so are arrays and objects; the number 1 and the string "1" are two.
    ///
    /// A request without a token, or whose token has no such claim or has null in it, has no key.
    ///
    /// ```
    /// use tower_keep::limit::LimitBy;
    ///
    /// let by_tenant = LimitBy::claim("tenant");
    /// assert_eq!(format!("{by_tenant:?}"), "LimitBy::claim(tenant)");
    /// ```
    pub fn claim(name: impl Into<String>) -> Self {
        let name = name.into();
        let shown = format!("LimitBy::claim({name})");
        Self::made(Kind::Claim, shown, move |request, parts| {
            let verified = request.extensions.get::<Verified>().ok_or(Keyless::Principal)?;
            let value = claim(verified.claims_json(), &name).ok_or(Keyless::Principal)?;
            let (kind, value) = match &value {
                Value::Null => return Err(Keyless::Principal),
                Value::String(text) => (b"s", text.as_bytes()),
                Value::Number(text) => (b"n", text.as_bytes()),
                Value::Bool(is) => (b"b", if *is { &b"1"[..] } else { b"0" }),
                Value::Array(text) | Value::Object(text) => (b"j", *text),
            };
            for part in [name.as_bytes(), verified.issuer().as_bytes(), kind, value] {
                parts.part(part);
            }
            Ok(())
        })
    }
}
