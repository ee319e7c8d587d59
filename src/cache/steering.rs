//! The fields by which clients steer some services past the target.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// A field by which clients tell some services what to answer with, though it is no part of the target.
///
/// An attacker who sends one may get an answer that others must not see. So what is stored for a request
/// that carries one is kept apart, unless [`KeyParts::ignored`] or [`KeyParts::trusted`] says otherwise.
///
/// [`KeyParts::ignored`]: crate::cache::KeyParts::ignored
/// [`KeyParts::trusted`]: crate::cache::KeyParts::trusted
///
/// ```
/// use tower_keep::cache::{CacheLayer, KeyParts, SteeringField};
/// use tower_keep::store::MemoryStore;
///
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
///     .key(|head| KeyParts::from(head).trusted(SteeringField::XForwardedProto));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SteeringField {
    /// `Forwarded` with a `host=` or `proto=` parameter (RFC 7239).
    Forwarded,
    /// `Front-End-Https`.
    FrontEndHttps,
    /// `X-Envoy-Original-Path`.
    XEnvoyOriginalPath,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// `X-Forwarded-Path`.
    XForwardedPath,
    /// `X-Forwarded-Port`.
    XForwardedPort,
    /// `X-Forwarded-Prefix`.
    XForwardedPrefix,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Forwarded-Scheme`.
    XForwardedScheme,
    /// `X-Forwarded-Server`.
    XForwardedServer,
    /// `X-Forwarded-Ssl`.
    XForwardedSsl,
    /// `X-Forwarded-Uri`.
    XForwardedUri,
    /// `X-Host`.
    XHost,
    /// `X-HTTP-Host-Override`.
    XHttpHostOverride,
    /// `X-Original-Host`.
    XOriginalHost,
    /// `X-Original-URI`.
    XOriginalUri,
    /// `X-Original-URL`.
    XOriginalUrl,
    /// `X-Rewrite-URL`.
    XRewriteUrl,
    /// `X-Url-Scheme`.
    XUrlScheme,
}

impl SteeringField {
    /// The steering fields of a request, in an order of their own: that of the lines of different fields
    /// does not count.
    pub(crate) fn of(headers: &HeaderMap) -> Vec<(Self, &HeaderValue)> {
        let steering = |(name, value)| Some((Self::named(name)?, value));
        let mut found: Vec<_> = headers.iter().filter_map(steering).collect();
        found.retain(|(field, value)| *field != Self::Forwarded || steers(value.as_bytes()));
        found.sort_by_key(|(field, _)| *field);
        found
    }

    pub(crate) const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether a field of this name may steer.
    pub(crate) fn is(name: &HeaderName) -> bool {
        Self::named(name).is_some()
    }

    fn named(name: &HeaderName) -> Option<Self> {
        Some(match name.as_str() {
            "forwarded" => Self::Forwarded,
            "front-end-https" => Self::FrontEndHttps,
            "x-envoy-original-path" => Self::XEnvoyOriginalPath,
            "x-forwarded-host" => Self::XForwardedHost,
            "x-forwarded-path" => Self::XForwardedPath,
            "x-forwarded-port" => Self::XForwardedPort,
            "x-forwarded-prefix" => Self::XForwardedPrefix,
            "x-forwarded-proto" => Self::XForwardedProto,
            "x-forwarded-scheme" => Self::XForwardedScheme,
            "x-forwarded-server" => Self::XForwardedServer,
            "x-forwarded-ssl" => Self::XForwardedSsl,
            "x-forwarded-uri" => Self::XForwardedUri,
            "x-host" => Self::XHost,
            "x-http-host-override" => Self::XHttpHostOverride,
            "x-original-host" => Self::XOriginalHost,
            "x-original-uri" => Self::XOriginalUri,
            "x-original-url" => Self::XOriginalUrl,
            "x-rewrite-url" => Self::XRewriteUrl,
            "x-url-scheme" => Self::XUrlScheme,
            _ => return None,
        })
    }
}

/// Whether a Forwarded line may name a host or a protocol (RFC 7239 §5.3, §5.4), however malformed it is.
fn steers(line: &[u8]) -> bool {
    let has =
        |name: &[u8]| line.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name));
    has(b"host") || has(b"proto")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::survey::{Seen, Survey};

    #[test]
    fn a_survey_sees_every_steering_field() {
        for name in [
            "forwarded",
            "front-end-https",
            "x-envoy-original-path",
            "x-forwarded-host",
            "x-forwarded-path",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-proto",
            "x-forwarded-scheme",
            "x-forwarded-server",
            "x-forwarded-ssl",
            "x-forwarded-uri",
            "x-host",
            "x-http-host-override",
            "x-original-host",
            "x-original-uri",
            "x-original-url",
            "x-rewrite-url",
            "x-url-scheme",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("host=x"));
            assert_eq!(SteeringField::of(&headers).len(), 1, "{name}");
            assert!(Survey::of(&headers).has(Seen::Steering), "{name}");
        }
    }
}
