//! What the key of a request is made of, and the fields by which clients steer some services.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::uri::{Authority, Scheme};

use crate::cache::key::{Origin, Place, push};
use crate::head::RequestHead;

/// A field by which clients tell some services what to answer with, though it is no part of the target.
///
/// An attacker who sends one may get an answer that others must not see. So each is a part of the key
/// when a request carries it, unless [`KeyParts::ignored`] or [`KeyParts::trusted`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SteeringField {
    /// `Forwarded` with a `host=` or `proto=` parameter (RFC 7239).
    Forwarded,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// `X-Forwarded-Port`.
    XForwardedPort,
    /// `X-Forwarded-Prefix`.
    XForwardedPrefix,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Host`.
    XHost,
    /// `X-Original-URL`.
    XOriginalUrl,
    /// `X-Rewrite-URL`.
    XRewriteUrl,
}

impl SteeringField {
    const ALL: [(Self, HeaderName); 8] = [
        (Self::Forwarded, header::FORWARDED),
        (Self::XForwardedHost, HeaderName::from_static("x-forwarded-host")),
        (Self::XForwardedPort, HeaderName::from_static("x-forwarded-port")),
        (Self::XForwardedPrefix, HeaderName::from_static("x-forwarded-prefix")),
        (Self::XForwardedProto, HeaderName::from_static("x-forwarded-proto")),
        (Self::XHost, HeaderName::from_static("x-host")),
        (Self::XOriginalUrl, HeaderName::from_static("x-original-url")),
        (Self::XRewriteUrl, HeaderName::from_static("x-rewrite-url")),
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What the key of a request is made of; the start of every key function.
///
/// ```
/// use tower_keep::cache::{CacheLayer, KeyParts, SteeringField};
/// use tower_keep::head::RequestHead;
/// use tower_keep::store::MemoryStore;
///
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20))
///     .key(|head: RequestHead<'_>| KeyParts::from(head).ignored(SteeringField::XForwardedPort));
/// # let _ = cache;
/// ```
#[derive(Clone, Debug)]
pub struct KeyParts<'a> {
    head: RequestHead<'a>,
    target: Cow<'a, str>,
    ignored: u16,
    trusted: u16,
    parts: Vec<Cow<'a, [u8]>>,
}

impl<'a> From<RequestHead<'a>> for KeyParts<'a> {
    fn from(head: RequestHead<'a>) -> Self {
        Self {
            head,
            target: Cow::Borrowed(head.uri.path_and_query().map_or("", |target| target.as_str())),
            ignored: 0,
            trusted: 0,
            parts: Vec::new(),
        }
    }
}

impl<'a> KeyParts<'a> {
    /// Another target than the URI's own, such as the one that arrived before a router stripped a prefix.
    /// Path and query are taken byte for byte.
    #[must_use]
    pub fn target(mut self, target: impl Into<Cow<'a, str>>) -> Self {
        self.target = target.into();
        self
    }

    /// One more part: whatever else the service's answers depend on for every client alike.
    #[must_use]
    pub fn part(mut self, part: impl Into<Cow<'a, [u8]>>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// Says that the service never reads this field.
    #[must_use]
    pub fn ignored(mut self, field: SteeringField) -> Self {
        self.ignored |= field.bit();
        self
    }

    /// Says that a proxy of your own sets this field on every request, so that no client can.
    ///
    /// `X-Forwarded-Host` then stands for the authority and `X-Forwarded-Proto` for the scheme; the
    /// others are left out of the key.
    #[must_use]
    pub fn trusted(mut self, field: SteeringField) -> Self {
        self.trusted |= field.bit();
        self
    }

    /// The place of the request in the store; `None` where the authority is missing or not certain.
    pub(crate) fn place(&self, scope: &str, scheme: &Scheme, division: &[&[u8]]) -> Option<Place> {
        let scheme = self.scheme(scheme);
        let origin = Origin { scope, scheme, authority: &self.authority(scheme)? };
        Some(Place::new(origin, &self.parts, &self.target, self.division(division)))
    }

    /// The host without its port, as it stands in the key; for a list of hosts that may be stored.
    pub(crate) fn host(&self, scheme: &Scheme) -> Option<String> {
        let authority = self.authority(self.scheme(scheme))?;
        Some(authority.parse::<Authority>().ok()?.host().to_owned())
    }

    /// Where the target lies: scheme, authority and the target as it arrived.
    pub(crate) fn base(&self, scheme: &Scheme) -> Option<(String, String, String)> {
        let scheme = self.scheme(scheme);
        Some((scheme.to_owned(), self.authority(scheme)?, self.target.clone().into_owned()))
    }

    fn scheme<'b>(&'b self, default: &'b Scheme) -> &'b str {
        let trusted = self.trusted & SteeringField::XForwardedProto.bit() != 0;
        match self.head.headers.get("x-forwarded-proto").map(|value| value.as_bytes()) {
            Some(b"https") if trusted => "https",
            Some(b"http") if trusted => "http",
            _ => self.head.uri.scheme().unwrap_or(default).as_str(),
        }
    }

    /// RFC 9110 §7.2: `:authority` or the Host field; where both are there they agree. Lower case, and
    /// without the port that the scheme implies (RFC 9110 §4.2.3).
    fn authority(&self, scheme: &str) -> Option<String> {
        let canonical = |text: &str| canonical_authority(text, scheme);
        if self.trusted & SteeringField::XForwardedHost.bit() != 0
            && let Some(host) = sole(self.head.headers, "x-forwarded-host").ok()?
        {
            return canonical(host);
        }
        let host = sole(self.head.headers, header::HOST).ok()?.map(canonical);
        let authority = self.head.uri.authority().map(|authority| canonical(authority.as_str()));
        match (authority, host) {
            (Some(authority), None) => authority,
            (None, Some(host)) => host,
            (Some(authority), Some(host)) => {
                authority.filter(|authority| Some(authority) == host.as_ref())
            }
            (None, None) => None,
        }
    }

    /// What divides the resource: partition and class from the layer, then the steering fields. `None`
    /// for the plain case. Kept below the resource's own key, so that a write drops every division.
    fn division(&self, division: &[&[u8]]) -> Option<Bytes> {
        let mut out = Vec::new();
        for part in division {
            push(&mut out, part);
        }
        let plain = out.len();
        for (field, name) in SteeringField::ALL {
            if (self.ignored | self.trusted) & field.bit() != 0 {
                continue;
            }
            for line in self.head.headers.get_all(name) {
                if field != SteeringField::Forwarded || steers(line.as_bytes()) {
                    out.push(field as u8);
                    push(&mut out, line.as_bytes());
                }
            }
        }
        (!division.is_empty() || out.len() > plain).then(|| out.into())
    }
}

/// The value of a field that may stand there once; an error where it is not certain.
fn sole(headers: &HeaderMap, name: impl header::AsHeaderName) -> Result<Option<&str>, Ambiguous> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line.to_str().map(Some).map_err(|_| Ambiguous),
        (Some(_), Some(_)) => Err(Ambiguous),
    }
}

struct Ambiguous;

fn canonical_authority(text: &str, scheme: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    // RFC 9110 §4.2.4: userinfo in an http URI is an error, and a way to mislead.
    if authority.host().is_empty() || text.contains('@') {
        return None;
    }
    let mut out = authority.host().to_ascii_lowercase();
    let implied = if scheme == "https" { 443 } else { 80 };
    match (authority.port_u16(), text.get(out.len()..)) {
        (None, Some("" | ":")) => {}
        (Some(port), _) if port == implied => {}
        (Some(port), _) => out.push_str(&format!(":{port}")),
        // A port that is no number.
        (None, _) => return None,
    }
    Some(out)
}

/// Whether a Forwarded line may name a host or a protocol (RFC 7239 §5.3, §5.4), however malformed it is.
fn steers(line: &[u8]) -> bool {
    let has =
        |name: &[u8]| line.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name));
    has(b"host") || has(b"proto")
}
