//! What the key of a request is made of.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::{Authority, Scheme};

use crate::cache::key::{push, push_count};
use crate::cache::place::{KeyStart, Place};
use crate::cache::steering::SteeringField;
use crate::fields::authority;
use crate::fields::survey::{Seen, Sole, Survey};
use crate::head::RequestHead;

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
    ignored: u32,
    trusted: u32,
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
    /// Path and query are taken byte for byte. The last one set counts.
    ///
    /// ```
    /// use tower_keep::cache::KeyParts;
    /// use tower_keep::head::RequestHead;
    ///
    /// /// For a service that reads no query.
    /// fn path_only(head: RequestHead<'_>) -> KeyParts<'_> {
    ///     KeyParts::from(head).target(head.uri.path())
    /// }
    /// # let _ = path_only;
    /// ```
    #[must_use]
    pub fn target(mut self, target: impl Into<Cow<'a, str>>) -> Self {
        self.target = target.into();
        self
    }

    /// One more part: whatever else the service's answers depend on for every client alike.
    ///
    /// Parts count in their order, and each stands for itself: `a`, `b` is not `ab`. A part that depends on
    /// who asks is no part but a [`Partition`](crate::cache::Partition): a write by one client would not drop
    /// what is stored for the others.
    ///
    /// ```
    /// use tower_keep::cache::KeyParts;
    /// use tower_keep::head::RequestHead;
    ///
    /// fn by_release(head: RequestHead<'_>) -> KeyParts<'_> {
    ///     KeyParts::from(head).part(&b"release 7"[..])
    /// }
    /// # let _ = by_release;
    /// ```
    #[must_use]
    pub fn part(mut self, part: impl Into<Cow<'a, [u8]>>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// Says that the service never reads this field, so that it divides nothing.
    ///
    /// ```
    /// use tower_keep::cache::{KeyParts, SteeringField};
    /// use tower_keep::head::RequestHead;
    ///
    /// fn key(head: RequestHead<'_>) -> KeyParts<'_> {
    ///     KeyParts::from(head).ignored(SteeringField::XForwardedServer)
    /// }
    /// # let _ = key;
    /// ```
    #[must_use]
    pub fn ignored(mut self, field: SteeringField) -> Self {
        self.ignored |= field.bit();
        self
    }

    /// Says that a proxy of your own sets this field on every request, so that no client can.
    ///
    /// `X-Forwarded-Host` then stands for the authority, and `X-Forwarded-Proto` for the scheme. The others
    /// stand for nothing else, so they go on dividing what is stored.
    ///
    /// ```
    /// use tower_keep::cache::{KeyParts, SteeringField};
    /// use tower_keep::head::RequestHead;
    ///
    /// fn behind_proxy(head: RequestHead<'_>) -> KeyParts<'_> {
    ///     let trusted = [SteeringField::XForwardedHost, SteeringField::XForwardedProto];
    ///     trusted.into_iter().fold(KeyParts::from(head), KeyParts::trusted)
    /// }
    /// # let _ = behind_proxy;
    /// ```
    #[must_use]
    pub fn trusted(mut self, field: SteeringField) -> Self {
        self.trusted |= field.bit();
        self
    }

    /// The place of the request in the store; `None` where the authority is missing or not certain.
    ///
    /// `scheme` is the layer's: the one that a request names is the client's choice, and a write by another
    /// client may name none. So it divides, as steering fields do.
    ///
    /// `survey` is of the request that the key function was given.
    pub(crate) fn place(
        &self,
        start: &KeyStart,
        scheme: &Scheme,
        division: &[&[u8]],
        survey: &Survey<'a>,
    ) -> Option<Place> {
        let authority = self.authority(scheme, survey)?;
        let division = self.division(scheme, division, survey);
        Some(Place::new(start, &authority, &self.parts, &self.target, division))
    }

    /// What the fields are that the parts are taken from: the request's, unless the key function has put
    /// others in their place.
    pub(crate) fn survey(&self, request: RequestHead<'_>, survey: &Survey<'a>) -> Survey<'a> {
        match std::ptr::eq(self.head.headers, request.headers) {
            true => *survey,
            false => Survey::of(self.head.headers),
        }
    }

    /// Every place that a write may be about: one, unless the authority is not certain.
    pub(crate) fn written(
        &self,
        start: &KeyStart,
        scheme: &Scheme,
        survey: &Survey<'a>,
    ) -> Vec<Place> {
        let place = |authority: Cow<'_, [u8]>| {
            Place::new(start, &authority, &self.parts, &self.target, None)
        };
        match self.authority(scheme, survey) {
            Some(authority) => vec![place(authority)],
            None => self.candidates(scheme).into_iter().map(place).collect(),
        }
    }

    /// The host without its port, as it stands in the key; for a list of hosts that may be stored.
    pub(crate) fn host(&self, scheme: &Scheme, survey: &Survey<'a>) -> Option<String> {
        let authority = self.authority(scheme, survey)?;
        Some(Authority::try_from(&*authority).ok()?.host().to_owned())
    }

    /// Where the target lies: scheme, authority (empty where it is not certain) and the target as it
    /// arrived.
    pub(crate) fn base(&self, scheme: &Scheme, survey: &Survey<'a>) -> (String, String, String) {
        let authority = self.authority(scheme, survey).unwrap_or_default();
        let authority = String::from_utf8_lossy(&authority).into_owned();
        (self.named_scheme(scheme).to_owned(), authority, self.target.clone().into_owned())
    }

    /// The scheme that the request names, or else this one.
    pub(crate) fn scheme(&self, default: &Scheme) -> Scheme {
        match self.named_scheme(default) {
            "https" => Scheme::HTTPS,
            "http" => Scheme::HTTP,
            _ => self.head.uri.scheme().unwrap_or(default).clone(),
        }
    }

    /// The scheme that the request names, if it names one.
    fn named_scheme<'b>(&'b self, default: &'b Scheme) -> &'b str {
        let own = || self.head.uri.scheme().unwrap_or(default).as_str();
        if !self.trusts(SteeringField::XForwardedProto) {
            return own();
        }
        match self.head.headers.get("x-forwarded-proto").map(|value| value.as_bytes()) {
            Some(b"https") => "https",
            Some(b"http") => "http",
            _ => own(),
        }
    }

    /// RFC 9110 §7.2: `:authority` or the Host field; where both are there they agree. Lower case, and
    /// without the port that the scheme implies (RFC 9110 §4.2.3).
    fn authority(&self, scheme: &Scheme, survey: &Survey<'a>) -> Option<Cow<'a, [u8]>> {
        let canonical = |text: &'a [u8]| authority::canonical(text, self.named_scheme(scheme));
        if self.trusts(SteeringField::XForwardedHost)
            && let Some(host) = sole(self.head.headers, "x-forwarded-host").ok()?
        {
            return canonical(host.as_bytes());
        }
        let host = match survey.host() {
            Sole::Absent => None,
            Sole::One(host) => Some(canonical(host.as_bytes())),
            Sole::Repeated => return None,
        };
        let authority =
            self.head.uri.authority().map(|authority| canonical(authority.as_str().as_bytes()));
        match (authority, host) {
            (Some(authority), None) => authority,
            (None, Some(host)) => host,
            (Some(authority), Some(host)) => {
                authority.filter(|authority| Some(authority) == host.as_ref())
            }
            (None, None) => None,
        }
    }

    /// All that the authority may be, where it is not certain.
    fn candidates(&self, scheme: &Scheme) -> Vec<Cow<'a, [u8]>> {
        let named = self.head.uri.authority().map(|authority| authority.as_str().as_bytes());
        let hosts = self.head.headers.get_all(header::HOST).iter();
        let forwarded = self.head.headers.get_all("x-forwarded-host").iter();
        let trusted = forwarded.filter(|_| self.trusts(SteeringField::XForwardedHost));
        let lines = hosts.chain(trusted).map(|line| line.as_bytes());
        let all = named.into_iter().chain(lines).take(CANDIDATES_MAX);
        all.filter_map(|text| authority::canonical(text, self.named_scheme(scheme))).collect()
    }

    /// What divides the resource: partition and class from the layer, then another scheme than the
    /// layer's, then the steering fields. `None` for the plain case. Kept below the resource's
    /// own key, so that a write drops every division.
    fn division(&self, scheme: &Scheme, division: &[&[u8]], survey: &Survey<'a>) -> Option<Bytes> {
        let named = self.named_scheme(scheme);
        let other_scheme = if named == scheme.as_str() { "" } else { named };
        if division.is_empty() && other_scheme.is_empty() && !survey.has(Seen::Steering) {
            return None;
        }
        let mut out = Vec::new();
        push_count(&mut out, division.len());
        for part in division {
            push(&mut out, part);
        }
        push(&mut out, other_scheme.as_bytes());
        let plain = out.len();
        for (field, value) in SteeringField::of(self.head.headers) {
            let stands_for = match field {
                SteeringField::XForwardedHost => true,
                SteeringField::XForwardedProto => matches!(value.as_bytes(), b"http" | b"https"),
                _ => false,
            };
            if self.ignored & field.bit() == 0 && !(self.trusts(field) && stands_for) {
                out.push(field as u8);
                push(&mut out, value.as_bytes());
            }
        }
        let is_divided = !division.is_empty() || !other_scheme.is_empty() || out.len() > plain;
        is_divided.then(|| out.into())
    }

    fn trusts(&self, field: SteeringField) -> bool {
        self.trusted & field.bit() != 0
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

/// Of the authorities that a write may name, so many are looked at.
const CANDIDATES_MAX: usize = 8;
