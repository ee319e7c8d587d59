//! `Cache-Control` as it is received (RFC 9111 §5.2), read in the most restrictive way that its bytes
//! allow: whatever could forbid storing or reuse does so, whatever permits must be well-formed.

use std::borrow::Cow;
use std::iter;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderName, PRAGMA};

use super::list;
use crate::time::DeltaSeconds;

/// `no-cache` or `private`, each of which can be limited to some fields (RFC 9111 §5.2.2.4, §5.2.2.7).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Qualified {
    /// The directive is not there.
    #[default]
    Absent,
    /// It limits only these fields.
    Fields(Vec<HeaderName>),
    /// It limits the whole response; so does a list of fields that cannot be read.
    Whole,
}

impl Qualified {
    /// Reads `1#field-name`, the content of the argument; empty or malformed means the whole response.
    pub(crate) fn fields(content: &[u8]) -> Self {
        let names: Result<Vec<_>, _> = list::split(content).map(HeaderName::from_bytes).collect();
        match names {
            Ok(names) if !names.is_empty() => Self::Fields(names),
            _ => Self::Whole,
        }
    }

    /// Takes in another occurrence: the whole response where either says so, else the fields of both.
    fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Fields(names), Self::Fields(more)) => names.extend(more),
            (Self::Whole, _) | (_, Self::Absent) => {}
            (_, other) => *self = other,
        }
    }
}

/// What a response's `Cache-Control` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResponseDirectives {
    pub(crate) no_store: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) immutable: bool,
    pub(crate) no_cache: Qualified,
    pub(crate) private: Qualified,
    pub(crate) max_age: Option<DeltaSeconds>,
    pub(crate) s_maxage: Option<DeltaSeconds>,
    pub(crate) stale_while_revalidate: Option<DeltaSeconds>,
    pub(crate) stale_if_error: Option<DeltaSeconds>,
}

impl ResponseDirectives {
    /// Reads all lines of the field.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for directive in directives(headers, CACHE_CONTROL) {
            read.add(&directive);
        }
        read
    }

    fn add(&mut self, directive: &Directive<'_>) {
        match directive.lowercase(&mut [0; NAME_BYTES_MAX]) {
            b"no-store" => self.no_store = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"no-cache" => self.no_cache.merge(directive.qualified()),
            b"private" => self.private.merge(directive.qualified()),
            b"public" => self.public |= directive.is_bare(),
            b"immutable" => self.immutable |= directive.is_bare(),
            b"must-understand" => self.must_understand |= directive.is_bare(),
            b"max-age" => least(&mut self.max_age, directive.delta_or_zero()),
            b"s-maxage" => least(&mut self.s_maxage, directive.delta_or_zero()),
            b"stale-while-revalidate" => {
                least(&mut self.stale_while_revalidate, directive.delta_or_zero());
            }
            b"stale-if-error" => least(&mut self.stale_if_error, directive.delta_or_zero()),
            // RFC 9111 §5.2.3: unknown directives are ignored.
            _ => {}
        }
    }
}

/// What a request's `Cache-Control` says (RFC 9111 §5.2.1, RFC 5861 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RequestDirectives {
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<DeltaSeconds>,
    pub(crate) min_fresh: Option<DeltaSeconds>,
    pub(crate) max_stale: Option<DeltaSeconds>,
    pub(crate) stale_if_error: Option<DeltaSeconds>,
}

impl RequestDirectives {
    /// Reads all lines of the field.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for directive in directives(headers, CACHE_CONTROL) {
            read.add(&directive);
        }
        // RFC 9111 §5.4: Pragma has a meaning only where there is no Cache-Control at all.
        if !headers.contains_key(CACHE_CONTROL) {
            read.no_cache = directives(headers, PRAGMA)
                .any(|directive| directive.name.eq_ignore_ascii_case(b"no-cache"));
        }
        read
    }

    fn add(&mut self, directive: &Directive<'_>) {
        match directive.lowercase(&mut [0; NAME_BYTES_MAX]) {
            b"no-cache" => self.no_cache = true,
            b"no-store" => self.no_store = true,
            b"only-if-cached" => self.only_if_cached |= directive.is_bare(),
            b"max-age" => least(&mut self.max_age, directive.delta_or_zero()),
            b"min-fresh" => {
                let fresh = directive.delta().unwrap_or(DeltaSeconds::MAX);
                self.min_fresh = self.min_fresh.max(Some(fresh));
            }
            // RFC 9111 §5.2.1.2: without an argument, a stale response of any age will do.
            b"max-stale" if directive.is_bare() => least(&mut self.max_stale, DeltaSeconds::MAX),
            b"max-stale" => permit(&mut self.max_stale, directive.delta()),
            b"stale-if-error" => permit(&mut self.stale_if_error, directive.delta()),
            _ => {}
        }
    }
}

/// One member of the field, taken apart (RFC 9111 §5.2).
struct Directive<'a> {
    name: &'a [u8],
    argument: Argument<'a>,
}

enum Argument<'a> {
    /// Nothing follows the name.
    None,
    Token(&'a [u8]),
    Quoted(Cow<'a, [u8]>),
    /// Something follows the name that is neither `=token` nor `=quoted-string`.
    Malformed,
}

impl<'a> Directive<'a> {
    /// The name ends where a token ends, so that what is glued to it cannot hide it.
    fn parse(member: &'a [u8]) -> Self {
        let end = member.iter().position(|byte| !list::is_tchar(*byte)).unwrap_or(member.len());
        let (name, rest) = member.split_at(end);
        let argument = match rest {
            [] => Argument::None,
            [b'=', value @ ..] if list::is_token(value) => Argument::Token(value),
            [b'=', value @ ..] => {
                list::unquote(value).map_or(Argument::Malformed, Argument::Quoted)
            }
            _ => Argument::Malformed,
        };
        Self { name, argument }
    }

    /// A directive that was found where none should be: it may forbid, and permits nothing.
    fn stray(member: &'a [u8]) -> Self {
        Self { argument: Argument::Malformed, ..Self::parse(list::trim(member)) }
    }

    /// The name in lower case; empty where it is longer than any known name.
    fn lowercase<'b>(&self, buffer: &'b mut [u8; NAME_BYTES_MAX]) -> &'b [u8] {
        let Some(lower) = buffer.get_mut(..self.name.len()) else {
            return b"";
        };
        lower.copy_from_slice(self.name);
        lower.make_ascii_lowercase();
        lower
    }

    fn is_bare(&self) -> bool {
        matches!(self.argument, Argument::None)
    }

    fn delta(&self) -> Option<DeltaSeconds> {
        match &self.argument {
            Argument::Token(value) => DeltaSeconds::parse(value),
            Argument::Quoted(value) => DeltaSeconds::parse(value),
            Argument::None | Argument::Malformed => None,
        }
    }

    /// RFC 9111 §4.2.1: a freshness that cannot be read makes the response stale.
    fn delta_or_zero(&self) -> DeltaSeconds {
        self.delta().unwrap_or(DeltaSeconds::ZERO)
    }

    fn qualified(&self) -> Qualified {
        match &self.argument {
            Argument::Token(value) => Qualified::fields(value),
            Argument::Quoted(value) => Qualified::fields(value),
            Argument::None | Argument::Malformed => Qualified::Whole,
        }
    }
}

/// The directives of a field. Where a member is malformed, a quote of it may have swallowed others that
/// forbid something: what stands between its commas is read as well.
fn directives(headers: &HeaderMap, field: HeaderName) -> impl Iterator<Item = Directive<'_>> {
    list::members(headers, field).flat_map(|member| {
        let directive = Directive::parse(member);
        let malformed = matches!(directive.argument, Argument::Malformed);
        let swallowed = member.split(|byte| *byte == b',').skip(1).map(Directive::stray);
        iter::once(directive).chain(swallowed.filter(move |_| malformed))
    })
}

/// RFC 9111 §4.2.1: of several values, the most restrictive.
fn least(kept: &mut Option<DeltaSeconds>, value: DeltaSeconds) {
    *kept = Some(kept.map_or(value, |kept| kept.min(value)));
}

/// What only permits is ignored where it cannot be read.
fn permit(kept: &mut Option<DeltaSeconds>, value: Option<DeltaSeconds>) {
    if let Some(value) = value {
        least(kept, value);
    }
}

/// The length of `stale-while-revalidate`, the longest name that is known.
const NAME_BYTES_MAX: usize = 22;

#[cfg(test)]
mod tests;
