//! Which requests a cache may answer at all (RFC 9111 §2, §4; RFC 9110 §9.2).

use http::Method;
use http::header::{self, HeaderMap, HeaderName};

use crate::fields::cache_control::RequestDirectives;
use crate::fields::list;
use crate::fields::survey::{Seen, Survey};
use crate::head::RequestHead;
use crate::rules::identity;
use crate::rules::policy::{CachePolicy, RequestDirective};
use crate::rules::reason::Reason;

/// What to do with a request before anything is looked up.
#[derive(Clone, Debug)]
pub(crate) enum Eligibility {
    /// GET or HEAD: look it up.
    Lookup(Demand),
    /// A method that may change something: its answer may make stored responses unusable (RFC 9111 §4.4).
    Write(Demand),
    /// Nothing is looked up, stored or made unusable.
    Bypass(Reason),
}

/// What a request asks of a cache, read once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    pub(crate) is_head: bool,
    /// As far as the policy hears them.
    pub(crate) directives: RequestDirectives,
    /// Or an identity that a layer further out has found, perhaps by a cookie.
    pub(crate) has_authorization: bool,
    pub(crate) has_cookie: bool,
    /// If-None-Match or If-Modified-Since.
    pub(crate) has_condition: bool,
    pub(crate) has_range: bool,
}

impl Demand {
    /// Whether the request wants the inner service asked, whatever is stored (RFC 9111 §5.2.1.1, §5.2.1.4).
    pub(crate) fn forces_validation(&self) -> bool {
        self.directives.no_cache
            || self.directives.max_age.is_some_and(|max_age| max_age.as_secs() == 0)
    }

    /// What it asks of a response that was on its way when it came: the inner service is being asked.
    pub(crate) fn of_what_is_coming(mut self) -> Self {
        if self.forces_validation() {
            (self.directives.no_cache, self.directives.max_age) = (false, None);
        }
        self
    }
}

/// What later decisions need of a request once it has gone inwards.
#[derive(Clone)]
pub(crate) struct RequestFacts {
    pub(crate) demand: Demand,
    pub(crate) headers: HeaderMap,
    /// Differs from request to request; what jitter is drawn from.
    pub(crate) spread: u64,
}

impl CachePolicy {
    /// Whether a request may be answered from the store. `survey` is of its fields, `has_content` tells of
    /// its body.
    pub(crate) fn eligible(
        &self,
        request: RequestHead<'_>,
        survey: &Survey<'_>,
        has_content: bool,
    ) -> Eligibility {
        if *request.method == Method::CONNECT {
            return Eligibility::Bypass(Reason::Upgrade);
        }
        let demand = Demand {
            is_head: *request.method == Method::HEAD,
            directives: match survey.has_any(&[Seen::CacheControl, Seen::Pragma]) {
                true => self.heard(RequestDirectives::read(request.headers)),
                false => RequestDirectives::default(),
            },
            has_authorization: survey.has(Seen::Authorization)
                || identity::is_known(request.extensions),
            has_cookie: survey.has(Seen::Cookie),
            has_condition: survey.has(Seen::Condition),
            has_range: survey.has(Seen::Range),
        };
        if !is_read(request.method) {
            return match is_safe(request.method) {
                true => Eligibility::Bypass(Reason::Method),
                false => Eligibility::Write(demand),
            };
        }
        match self.refusal(request.headers, survey, has_content) {
            Some(reason) => Eligibility::Bypass(reason),
            None => Eligibility::Lookup(demand),
        }
    }

    fn refusal(
        &self,
        headers: &HeaderMap,
        survey: &Survey<'_>,
        has_content: bool,
    ) -> Option<Reason> {
        if !has_content && !survey.has_any(&REFUSABLE) {
            return None;
        }
        // RFC 9110 §9.3.1: content in a GET has no defined meaning, so some services give it one.
        // A write is carried out even where the offer of an upgrade is ignored (RFC 9110 §7.8), so only reads
        // are let past for it.
        if survey.has(Seen::MethodOverride) {
            Some(Reason::MethodOverride)
        } else if survey.has(Seen::Upgrade) {
            Some(Reason::Upgrade)
        } else if has_content || declares_content(headers) {
            Some(Reason::RequestBody)
        } else if survey.has(Seen::Precondition) {
            // RFC 9111 §4.3.2: these are for the origin to check.
            Some(Reason::Precondition)
        } else if hides_a_field(headers) {
            Some(Reason::ConnectionField)
        } else if survey.has(Seen::Cookie) && self.bypass_on_cookie {
            Some(Reason::Cookie)
        } else {
            None
        }
    }

    fn heard(&self, said: RequestDirectives) -> RequestDirectives {
        RequestDirectives {
            no_cache: said.no_cache && self.hears(RequestDirective::NoCache),
            no_store: said.no_store && self.hears(RequestDirective::NoStore),
            only_if_cached: said.only_if_cached && self.hears(RequestDirective::OnlyIfCached),
            max_age: said.max_age.filter(|_| self.hears(RequestDirective::MaxAge)),
            min_fresh: said.min_fresh.filter(|_| self.hears(RequestDirective::MinFresh)),
            max_stale: said.max_stale.filter(|_| self.hears(RequestDirective::MaxStale)),
            stale_if_error: said
                .stale_if_error
                .filter(|_| self.hears(RequestDirective::StaleIfError)),
        }
    }
}

/// The methods that are answered from the store.
pub(crate) fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// RFC 9110 §9.2.1 and the method registry; a method that is not known may do anything.
fn is_safe(method: &Method) -> bool {
    is_read(method)
        || *method == Method::OPTIONS
        || *method == Method::TRACE
        || matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH" | "QUERY")
}

fn declares_content(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    headers.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0")
}

/// RFC 9110 §7.6.1: whether Connection names a field of this request, which a proxy further in removes and
/// another service does not: then nobody knows what the answer was selected by.
fn hides_a_field(headers: &HeaderMap) -> bool {
    list::members(headers, header::CONNECTION).any(|name| {
        let connects = name.eq_ignore_ascii_case(b"keep-alive") || name.eq_ignore_ascii_case(b"te");
        !connects && HeaderName::from_bytes(name).is_ok_and(|name| headers.contains_key(name))
    })
}

/// RFC 8470 §5.1: set by a proxy on a request that came before the handshake was over.
pub(crate) const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");

/// Without any of these there is nothing to refuse a read for.
const REFUSABLE: [Seen; 7] = [
    Seen::Connection,
    Seen::ContentLength,
    Seen::Cookie,
    Seen::MethodOverride,
    Seen::Precondition,
    Seen::TransferEncoding,
    Seen::Upgrade,
];
