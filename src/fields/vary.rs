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
        Self::Names(VaryList(names.into()))
    }
}

impl VaryList {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        &self.0
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

impl Selecting {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads the selecting values of requests in one way; two ways never give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) languages: LanguageMatching,
}

impl Selector<'_> {
    /// The values of the listed fields, each with its length, a missing field told from an empty one.
    /// `None` where they are too many bytes to be kept in an index.
    pub(crate) fn values(&self, list: &VaryList, request: &HeaderMap) -> Option<Selecting> {
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
        self.encode(list, request, ALIAS, Some(&language))
    }

    /// The alias under which a response in the language that the request wants most would be known.
    pub(crate) fn wanted_alias(&self, list: &VaryList, request: &HeaderMap) -> Option<Selecting> {
        self.aliased(list)?;
        let ranked = ranked_languages(request)?;
        let ((first, language), second) = (ranked.first()?, ranked.get(1));
        if language == b"*" || second.is_some_and(|(weight, _)| weight == first) {
            return None;
        }
        self.encode(list, request, ALIAS, Some(language))
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
    ) -> Option<Selecting> {
        let mut out = vec![self.languages as u8];
        for name in list.names() {
            if *name == header::ACCEPT_LANGUAGE && language.is_some() {
                push(&mut out, tag, language.unwrap_or_default());
            } else if !request.contains_key(name) {
                push(&mut out, MISSING, b"");
            } else if is_secret(name) {
                let lines = request.get_all(name).iter().map(HeaderValue::as_bytes);
                push(&mut out, DIGEST, &self.secret.digest(lines));
            } else {
                push(&mut out, VALUE, &normal(name, request));
            }
            if out.len() > VALUES_BYTES_MAX {
                return None;
            }
        }
        Some(Selecting(out.into()))
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
    let negotiation = *name == header::ACCEPT_LANGUAGE
        || *name == header::ACCEPT_ENCODING
        || *name == header::ACCEPT_CHARSET;
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
const VALUE: u8 = 1;
const DIGEST: u8 = 2;
const ALIAS: u8 = 3;
const RANKED: u8 = 4;
/// A response that varies on more fields than this is not stored.
const NAMES_MAX: usize = 32;
/// Bytes of selecting values that one variant may have in its index.
const VALUES_BYTES_MAX: usize = 4096;
const LANGUAGES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn vary_list(value: &str) -> VaryList {
        match Vary::read(&map(&[("vary", value)])) {
            Vary::Names(list) => list,
            other => panic!("{other:?}"),
        }
    }

    fn values(
        languages: LanguageMatching,
        vary: &str,
        request: &[(&'static str, &str)],
    ) -> Option<Selecting> {
        Selector { secret: &Secret::new([7; 16]), languages }
            .values(&vary_list(vary), &map(request))
    }

    fn listed(vary: &str, request: &[(&'static str, &str)]) -> Option<Selecting> {
        values(LanguageMatching::Listed, vary, request)
    }

    #[test]
    fn names_are_sorted_and_without_case_or_repeats() {
        assert_eq!(vary_list("Foo, bar ,FOO,, "), vary_list("bar, foo"));
        assert!(vary_list(" , ").is_empty());
    }

    #[test]
    fn a_star_anywhere_or_a_name_that_is_none_matches_nothing() {
        for value in ["*", ", *", "a, *", "*, a", "a b", "\"a\""] {
            assert_eq!(Vary::read(&map(&[("vary", value)])), Vary::Any, "{value}");
        }
    }

    #[test]
    fn too_many_names_are_too_wide() {
        let names: Vec<_> = (0..200).map(|n| format!("f{n}")).collect();
        assert_eq!(Vary::read(&map(&[("vary", &names.join(","))])), Vary::TooWide);
    }

    #[test]
    fn lines_combine_and_white_space_beside_commas_does_not_count() {
        let one = listed("foo", &[("foo", "1, 2")]);
        assert_eq!(one, listed("foo", &[("foo", "1"), ("foo", "2")]));
        assert_eq!(one, listed("foo", &[("foo", " 1 ,2 ")]));
        assert_ne!(one, listed("foo", &[("foo", "1 2")]));
        assert_ne!(one, listed("foo", &[("foo", "2, 1")]));
        assert_ne!(listed("foo", &[("foo", "\"1 , 2\"")]), listed("foo", &[("foo", "\"1,2\"")]));
        assert_ne!(listed("foo", &[("foo", "\"1 , 2")]), listed("foo", &[("foo", "\"1,2")]));
    }

    #[test]
    fn a_missing_field_is_no_empty_field_and_values_do_not_run_together() {
        assert_ne!(listed("foo", &[]), listed("foo", &[("foo", "")]));
        assert_ne!(
            listed("a, b", &[("a", "xy"), ("b", "z")]),
            listed("a, b", &[("a", "x"), ("b", "yz")])
        );
    }

    #[test]
    fn credentials_are_digested() {
        let bytes = listed(
            "authorization, cookie",
            &[("authorization", "Bearer secret"), ("cookie", "secret=1")],
        )
        .unwrap();
        assert!(!bytes.as_bytes().windows(6).any(|window| window == b"secret"));
        assert_ne!(
            Some(bytes),
            listed(
                "authorization, cookie",
                &[("authorization", "Bearer other"), ("cookie", "secret=1")]
            )
        );
    }

    #[test]
    fn languages_compare_without_case_and_in_order_unless_told_otherwise() {
        let (listed, unordered) = (LanguageMatching::Listed, LanguageMatching::Unordered);
        let request = |value: &'static str| [("accept-language", value)];
        let of = |how, value| values(how, "accept-language", &request(value));
        assert_eq!(of(listed, "en, de"), of(listed, "eN,De"));
        assert_ne!(of(listed, "en, de"), of(listed, "de, en"));
        assert_eq!(of(unordered, "en, de"), of(unordered, "de, en"));
        assert_ne!(of(unordered, "en, de;q=0.5"), of(unordered, "de, en;q=0.5"));
        assert_ne!(of(unordered, "en, de"), of(listed, "en, de"));
        assert_ne!(of(unordered, "en;q=x"), of(unordered, "en"));
    }

    #[test]
    fn a_response_is_known_by_its_content_language_only_where_the_policy_says_so() {
        let secret = Secret::new([7; 16]);
        let list = vary_list("accept-language");
        let (german, both) =
            (map(&[("content-language", "DE")]), map(&[("content-language", "de, en")]));
        let first = map(&[("accept-language", "en, de")]);
        let wants = |value: &str| map(&[("accept-language", value)]);
        let by_content = Selector { secret: &secret, languages: LanguageMatching::ContentLanguage };
        let stored = by_content.stored_alias(&list, &first, &german);
        assert!(stored.is_some());
        assert_eq!(stored, by_content.wanted_alias(&list, &wants("fr;q=0.5, de;q=1.0")));
        assert_ne!(stored, by_content.wanted_alias(&list, &wants("fr, de;q=0.5")));
        assert_eq!(by_content.wanted_alias(&list, &wants("fr, de")), None);
        assert_eq!(by_content.stored_alias(&list, &first, &both), None);
        let unordered = Selector { secret: &secret, languages: LanguageMatching::Unordered };
        assert_eq!(unordered.stored_alias(&list, &first, &german), None);
    }

    #[test]
    fn too_many_bytes_of_values_are_refused() {
        assert_eq!(listed("foo", &[("foo", &"x".repeat(5000))]), None);
    }
}
