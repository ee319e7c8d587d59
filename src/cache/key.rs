//! Keys: what makes two requests ask for the same thing (RFC 9111 §2).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::uri::{Authority, Scheme};

use crate::fields::vary::Selecting;
use crate::head::RequestHead;

/// The key under which a store keeps one entry: opaque bytes, compared whole.
///
/// Every part stands in it with its length, so that no two different requests have the same key. It
/// holds targets and selecting values, which may be confidential: `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(Bytes);

impl CacheKey {
    /// The bytes, for stores that keep entries elsewhere.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key of the variant with these selecting values in this generation of the index under `self`.
    pub(crate) fn variant(&self, generation: Generation, values: &Selecting) -> Self {
        self.below(VARIANT, generation, values.as_bytes())
    }

    #[cfg(test)]
    pub(crate) fn for_test(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    fn below(&self, kind: u8, generation: Generation, part: &[u8]) -> Self {
        let mut out = Vec::with_capacity(1 + 8 + self.0.len() + 16 + part.len());
        out.push(kind);
        push(&mut out, &self.0);
        out.extend_from_slice(&generation.0);
        out.extend_from_slice(part);
        Self(out.into())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({} bytes)", self.0.len())
    }
}

/// A random name for what lies under one index: a new one cuts off all that lay there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; 16]);

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
        let authority = self.authority(scheme)?;
        let mut key = Vec::with_capacity(64 + scope.len() + authority.len() + self.target.len());
        key.extend_from_slice(&[RESOURCE, GET]);
        push(&mut key, scope.as_bytes());
        push(&mut key, scheme.as_bytes());
        push(&mut key, authority.as_bytes());
        push_count(&mut key, self.parts.len());
        for part in &self.parts {
            push(&mut key, part);
        }
        let target_at = key.len();
        key.extend_from_slice(self.target.as_bytes());
        Some(Place { resource: CacheKey(key.into()), target_at, division: self.division(division) })
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

/// Where everything about one resource lies, for one request.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    resource: CacheKey,
    target_at: usize,
    division: Option<Bytes>,
}

impl Place {
    /// The resource's own key: its one response, or its index.
    pub(crate) fn resource(&self) -> &CacheKey {
        &self.resource
    }

    /// The key of the generation that the divisions of the resource hang on.
    pub(crate) fn root(&self) -> CacheKey {
        let mut bytes = self.resource.0.to_vec();
        if let Some(kind) = bytes.first_mut() {
            *kind = ROOT;
        }
        CacheKey(bytes.into())
    }

    /// The key of this request's division under the given root, where it has one.
    pub(crate) fn divided(&self, root: Generation) -> Option<CacheKey> {
        let division = self.division.as_ref()?;
        Some(self.resource.below(DIVISION, root, division))
    }

    pub(crate) fn is_divided(&self) -> bool {
        self.division.is_some()
    }

    /// The place of another target of the same origin.
    pub(crate) fn sibling(&self, target: &str) -> Self {
        let mut bytes = self.resource.0.get(..self.target_at).unwrap_or_default().to_vec();
        bytes.extend_from_slice(target.as_bytes());
        Self { resource: CacheKey(bytes.into()), target_at: self.target_at, division: None }
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

fn push(out: &mut Vec<u8>, part: &[u8]) {
    push_count(out, part.len());
    out.extend_from_slice(part);
}

fn push_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

const RESOURCE: u8 = 0;
const ROOT: u8 = 1;
const DIVISION: u8 = 2;
const VARIANT: u8 = 3;
/// The method class of GET and HEAD, the one that is stored.
const GET: u8 = 0;
