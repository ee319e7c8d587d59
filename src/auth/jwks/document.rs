//! The metadata of an issuer (RFC 8414 §2, OpenID Connect Discovery 1.0 §3). Pure.

use http::Uri;

use crate::auth::json::{self, Limits, Value};
use crate::auth::jwks::error::JwksErrorKind;
use crate::auth::jwks::url::{Schemes, admitted};

/// Where the keys of this issuer are, by its metadata.
pub(super) fn jwks_url(text: &[u8], issuer: &str, schemes: Schemes) -> Result<Uri, JwksErrorKind> {
    let members = json::object(text, LIMITS).map_err(|_| JwksErrorKind::Malformed)?;
    let member = |wanted: &str| match members.iter().find(|(name, _)| name == wanted) {
        Some((_, Value::String(text))) => Ok(text),
        _ => Err(JwksErrorKind::Malformed),
    };
    // RFC 8414 §3.3: identical, or else another issuer's keys would be taken for this one's.
    if member("issuer")? != issuer {
        return Err(JwksErrorKind::Issuer);
    }
    admitted(member("jwks_uri")?, schemes).ok_or(JwksErrorKind::JwksUrl)
}

/// Some metadata has a hundred members and more.
const LIMITS: Limits = Limits { depth: 8, members: 256 };

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://a.test/x";

    fn of(issuer: &str, jwks_uri: &str) -> Result<Uri, JwksErrorKind> {
        let text = format!(r#"{{"a":[{{}}],"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#);
        jwks_url(text.as_bytes(), ISSUER, Schemes::Https)
    }

    #[test]
    fn the_keys_may_be_on_another_host_but_over_tls() {
        assert_eq!(of(ISSUER, "https://keys.test/k").unwrap(), "https://keys.test/k");
        for wrong in ["http://a.test/k", "/k", "https://u@a.test/k", "", "http://127.0.0.1/k"] {
            assert_eq!(of(ISSUER, wrong), Err(JwksErrorKind::JwksUrl), "{wrong}");
        }
    }

    #[test]
    fn an_issuer_that_is_spelt_otherwise_is_another_one() {
        for other in ["https://a.test/x/", "https://A.test/x", "https://a.test:443/x", "", "x"] {
            assert_eq!(of(other, "https://a.test/k"), Err(JwksErrorKind::Issuer), "{other}");
        }
    }

    #[test]
    fn what_is_no_metadata_is_malformed() {
        for text in [
            &b""[..],
            b"[]",
            b"<html>",
            br#"{"issuer":"https://a.test/x"}"#,
            br#"{"jwks_uri":"https://a.test/k"}"#,
            br#"{"issuer":["https://a.test/x"],"jwks_uri":"https://a.test/k"}"#,
            br#"{"issuer":"https://a.test/x","jwks_uri":7}"#,
            br#"{"issuer":"https://b.test","issuer":"https://a.test/x","jwks_uri":"https://a.test/k"}"#,
        ] {
            let found = jwks_url(text, ISSUER, Schemes::Https);
            assert_eq!(found, Err(JwksErrorKind::Malformed));
        }
    }
}
