//! `Vary`, and the values of a request that select among stored responses (RFC 9111 §4.1).

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::digest::Secret;
use crate::fields::list;

/// What the Vary field of a response says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Vary {
    /// Names of fields, sorted; empty where there is no Vary.
    Names(VaryList),
    /// `*`, or something that is no field name: no request is known to match.
    Any,
    /// More names than a cache need look at.
    TooWide,
}

/// Field names, sorted and without repeats.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct VaryList(Arc<[HeaderName]>);

/// The values of the fields that select among the stored responses of a resource, as they stand in keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selecting(Bytes);

/// How `Accept-Language` selects among stored responses.
///
/// ```
/// use tower_keep::cache::{CachePolicy, LanguageMatching};
///
/// let policy = CachePolicy::shared().language_matching(LanguageMatching::Unordered);
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanguageMatching {
    /// The list as it came, but for case and white space. The default: some services take the order of
    /// languages with equal weight as a preference.
    #[default]
    Listed,
    /// The order of languages with equal weight does not count, as RFC 9110 §12.5.4 has it.
    Unordered,
    /// As `Unordered`; and a stored response whose one `Content-Language` is what the request wants most
    /// matches it, whatever else the list holds.
    ContentLanguage,
}

impl Vary {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for member in list::members(headers, header::VARY) {
            match HeaderName::from_bytes(member) {
                // `*` is a token, and so parses as a field name.
                Ok(name) if name != "*" => names.push(name),
                _ => return Self::Any,
            }
            if names.len() > NAMES_MAX {
                return Self::TooWide;
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        // The list of most responses is empty, and then there is one for all.
        Self::Names(if names.is_empty() { VaryList::default() } else { VaryList(names.into()) })
    }
}

impl VaryList {
    /// A list that was taken apart by [`VaryList::names`]; `None` where it cannot have been one.
    pub(crate) fn from_names(names: Vec<HeaderName>) -> Option<Self> {
        let is_sorted = names.is_sorted_by(|a, b| a.as_str() < b.as_str());
        let is_list = is_sorted && names.len() <= NAMES_MAX && names.iter().all(|name| name != "*");
        is_list.then(|| Self(names.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The memory that the names take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|name| size_of::<HeaderName>() + name.as_str().len()).sum()
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        &self.0
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

impl Selecting {
    /// Values that were taken apart by [`Selecting::as_bytes`]; `None` where they are too many.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= VALUES_BYTES_MAX).then(|| Self(Bytes::copy_from_slice(bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How fields that are not known to be lists select among stored responses.
///
/// ```
/// use tower_keep::cache::{CachePolicy, UnknownFields};
///
/// let policy = CachePolicy::shared().unknown_fields(UnknownFields::Lists);
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// Line by line as they came. The default: to some services `a, b` and `a,b`, or one line and two, are
    /// not the same.
    #[default]
    Exact,
    /// As lists: lines are joined, and white space beside commas outside quotes does not count (RFC 9111
    /// §4.1).
    Lists,
}

/// Reads the selecting values of requests in one way; two ways never give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) languages: LanguageMatching,
    pub(crate) unknown: UnknownFields,
}

impl Selector<'_> {
    /// The values of the listed fields, each with its length, a missing field told from an empty one.
    /// A digest of them where they are too many bytes to be kept in an index.
    pub(crate) fn values(&self, list: &VaryList, request: &HeaderMap) -> Selecting {
        let language = self.canonical_language(request);
        self.encode(list, request, RANKED, language.as_deref())
    }

    /// What a response with this one `Content-Language` is also known by, where the policy allows it.
    pub(crate) fn stored_alias(
        &self,
        list: &VaryList,
        request: &HeaderMap,
        response: &HeaderMap,
    ) -> Option<Selecting> {
        self.aliased(list)?;
        let mut languages = list::members(response, header::CONTENT_LANGUAGE);
        let language = languages.next()?.to_ascii_lowercase();
        if languages.next().is_some() {
            return None;
        }
        Some(self.encode(list, request, ALIAS, Some(&language)))
    }

    /// The alias under which a response in the language that the request wants most would be known.
    pub(crate) fn wanted_alias(&self, list: &VaryList, request: &HeaderMap) -> Option<Selecting> {
        self.aliased(list)?;
        let ranked = ranked_languages(request)?;
        let ((first, language), second) = (ranked.first()?, ranked.get(1));
        // RFC 9110 §12.4.2: a weight of nothing is "not acceptable".
        let unwanted = *first == Reverse(0) || language == b"*";
        if unwanted || second.is_some_and(|(weight, _)| weight == first) {
            return None;
        }
        Some(self.encode(list, request, ALIAS, Some(language)))
    }

    fn aliased(&self, list: &VaryList) -> Option<()> {
        (self.languages == LanguageMatching::ContentLanguage && list.has(&header::ACCEPT_LANGUAGE))
            .then_some(())
    }

    fn encode(
        &self,
        list: &VaryList,
        request: &HeaderMap,
        tag: u8,
        language: Option<&[u8]>,
    ) -> Selecting {
        let mut out = vec![self.languages as u8, self.unknown as u8];
        for name in list.names() {
            if *name == header::ACCEPT_LANGUAGE && language.is_some() {
                push(&mut out, tag, language.unwrap_or_default());
            } else if !request.contains_key(name) {
                push(&mut out, MISSING, b"");
            } else if is_secret(name) {
                let lines = request.get_all(name).iter().map(HeaderValue::as_bytes);
                push(&mut out, DIGEST, &self.secret.digest(lines));
            } else if self.unknown == UnknownFields::Lists || is_list(name) {
                push(&mut out, LIST, &normal(name, request));
            } else {
                for line in request.get_all(name) {
                    push(&mut out, LINE, line.as_bytes());
                }
                push(&mut out, END, b"");
            }
        }
        if out.len() > VALUES_BYTES_MAX {
            // Nobody fills the index with them, and nobody gets past the cache by them.
            let digest = self.secret.digest([&*out].into_iter());
            out.truncate(2);
            push(&mut out, LONG, &digest);
        }
        Selecting(out.into())
    }

    fn canonical_language(&self, request: &HeaderMap) -> Option<Vec<u8>> {
        if self.languages == LanguageMatching::Listed {
            return None;
        }
        let ranked = ranked_languages(request)?;
        let mut out = Vec::new();
        for (Reverse(weight), language) in ranked {
            out.extend_from_slice(&language);
            out.extend_from_slice(format!(";q={weight},").as_bytes());
        }
        Some(out)
    }
}

/// Credentials and cookies are told apart by a keyed digest and never kept: RFC 9111 §4.1 asks only
/// whether they are the same.
pub(crate) fn is_secret(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::PROXY_AUTHORIZATION
}

/// The request fields of RFC 9110 §12.5 that select, and are lists by their grammar.
fn is_list(name: &HeaderName) -> bool {
    *name == header::ACCEPT || is_caseless(name)
}

/// Those of them in which case does not count anywhere.
fn is_caseless(name: &HeaderName) -> bool {
    *name == header::ACCEPT_LANGUAGE
        || *name == header::ACCEPT_ENCODING
        || *name == header::ACCEPT_CHARSET
}

/// RFC 9111 §4.1: lines are combined and white space around commas does not count; the case of content
/// negotiation fields does not either (RFC 9110 §12.5). A value with an open quote is left as it is.
fn normal(name: &HeaderName, request: &HeaderMap) -> Vec<u8> {
    let mut joined = Vec::new();
    for (at, line) in request.get_all(name).iter().enumerate() {
        if at > 0 {
            joined.push(b',');
        }
        joined.extend_from_slice(list::trim(line.as_bytes()));
    }
    let negotiation = is_caseless(name);
    if negotiation {
        joined.make_ascii_lowercase();
    }
    tightened(&joined, negotiation).unwrap_or(joined)
}

/// `value` without white space beside commas (and semicolons) outside quotes; `None` where a quote stays open.
fn tightened(value: &[u8], semicolons: bool) -> Option<Vec<u8>> {
    let is_mark = |byte: u8| byte == b',' || (semicolons && byte == b';');
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let (mut quoted, mut escaped) = (false, false);
    // How much of `out` must stay: white space inside quotes is content.
    let mut solid = 0;
    for &byte in value {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            solid = out.len();
        } else if is_mark(byte) {
            while out.len() > solid && matches!(out.last(), Some(b' ' | b'\t')) {
                out.pop();
            }
            out.push(byte);
            solid = out.len();
        } else if matches!(byte, b' ' | b'\t')
            && out.last().copied().is_none_or(is_mark)
            && out.len() == solid
        {
        } else {
            quoted = byte == b'"';
            out.push(byte);
        }
    }
    (!quoted).then_some(out)
}

/// The languages of Accept-Language, the most wanted first; `None` where there are none or any is malformed.
fn ranked_languages(request: &HeaderMap) -> Option<Vec<(Reverse<u16>, Vec<u8>)>> {
    let mut ranked = Vec::new();
    for member in list::members(request, header::ACCEPT_LANGUAGE) {
        let mut parts = member.split(|byte| *byte == b';').map(list::trim);
        let language = parts.next()?.to_ascii_lowercase();
        let weight = match parts.next() {
            None => 1000,
            Some(weight) => {
                thousandths(weight.strip_prefix(b"q=").or(weight.strip_prefix(b"Q="))?)?
            }
        };
        let is_range = !language.is_empty()
            && language
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*'));
        if !is_range || parts.next().is_some() || ranked.len() == LANGUAGES_MAX {
            return None;
        }
        ranked.push((Reverse(weight), language));
    }
    ranked.sort();
    ranked.dedup();
    (!ranked.is_empty()).then_some(ranked)
}

/// RFC 9110 §12.4.2: a weight from 0 to 1 with at most three decimals, in thousandths.
fn thousandths(weight: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(weight).ok()?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_short = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !is_short || !matches!(whole, "0" | "1") {
        return None;
    }
    let value = format!("{whole}{decimals:0<3}").parse().ok()?;
    (value <= 1000).then_some(value)
}

fn push(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
}

const MISSING: u8 = 0;
const LIST: u8 = 1;
const DIGEST: u8 = 2;
const ALIAS: u8 = 3;
const RANKED: u8 = 4;
const LINE: u8 = 5;
const END: u8 = 6;
const LONG: u8 = 7;
/// A response that varies on more fields than this is not stored.
const NAMES_MAX: usize = 32;
/// Bytes of selecting values that one variant may have in its index.
const VALUES_BYTES_MAX: usize = 4096;
const LANGUAGES_MAX: usize = 64;

#[cfg(test)]
mod tests;
