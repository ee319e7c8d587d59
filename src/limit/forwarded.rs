//! The addresses that proxies have written into a field, from the last one back.
//!
//! *Invariant:* what stands to the left of a member never changes how that member is read. Whoever is nearer writes further right, so
//! that a client cannot reach what a proxy has written about it; therefore nothing here reads from the left, quotes neither.

// Of `net`, what has no sockets.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::iter::Rev;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, ValueIter};

use crate::fields::list::{is_tchar, is_token, trim, trim_start};
use crate::limit::network::folded;

/// The one field in which trusted proxies say for whom they ask. No other is looked at.
///
/// ```
/// use http::HeaderName;
/// use tower_keep::limit::ForwardedIn;
///
/// let named = HeaderName::from_static;
/// assert_eq!(ForwardedIn::from(named("forwarded")), ForwardedIn::Forwarded);
/// assert_eq!(ForwardedIn::from(named("x-forwarded-for")), ForwardedIn::XForwardedFor);
/// let cloudflare = ForwardedIn::from(named("cf-connecting-ip"));
/// assert_eq!(cloudflare, ForwardedIn::Field(named("cf-connecting-ip")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedIn {
    /// `X-Forwarded-For`: addresses with commas between them.
    XForwardedFor,
    /// `Forwarded` (RFC 7239): the `for` of each member.
    Forwarded,
    /// A field of this name that is read as `X-Forwarded-For` is, such as one that holds one address.
    Field(HeaderName),
}

impl From<HeaderName> for ForwardedIn {
    /// As the field of this name is read.
    fn from(name: HeaderName) -> Self {
        match name {
            FORWARDED => Self::Forwarded,
            name if name == X_FORWARDED_FOR => Self::XForwardedFor,
            name => Self::Field(name),
        }
    }
}

impl ForwardedIn {
    /// What its members say in all its lines, the last first.
    pub(crate) fn hops<'a>(&self, headers: &'a HeaderMap) -> Hops<'a> {
        let (lines, is_list) = match self {
            Self::XForwardedFor => (headers.get_all(X_FORWARDED_FOR), true),
            Self::Forwarded => (headers.get_all(FORWARDED), false),
            Self::Field(name) => (headers.get_all(name), *name != FORWARDED),
        };
        Hops { lines: lines.iter().rev(), rest: None, left: BYTES_MAX, is_list }
    }
}

/// Each is an address, or nothing where no address can be read.
///
/// RFC 9110 §5.3: the lines are one list. An empty member (§5.6.1) is one that cannot be read: what a proxy has left empty must not give
/// weight to what stands before it.
pub(crate) struct Hops<'a> {
    lines: Rev<ValueIter<'a, http::HeaderValue>>,
    /// What is not read yet of the line that was begun.
    rest: Option<&'a [u8]>,
    /// How many bytes are still read, of all lines together.
    left: usize,
    /// Addresses alone, not RFC 7239's pairs.
    is_list: bool,
}

impl Iterator for Hops<'_> {
    type Item = Option<IpAddr>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next()?.as_bytes(),
        };
        let beyond = line.len().saturating_sub(self.left);
        let (_, near) = line.split_at_checked(beyond).unwrap_or_default();
        let comma = match self.is_list {
            true => near.iter().rposition(|byte| *byte == b','),
            false => last_comma(near),
        };
        let member = match comma {
            Some(at) => {
                self.rest = line.get(..beyond + at);
                near.get(at + 1..).unwrap_or_default()
            }
            None if beyond == 0 => near,
            // It begins further left than is read.
            None => {
                self.left = 0;
                return Some(None);
            }
        };
        self.left = self.left.saturating_sub(member.len() + 1);
        Some(match self.is_list {
            true => address(trim(member)),
            false => forwarded_for(trim(member)),
        })
    }
}

/// The last comma outside quoted-strings. From the right a quote opens one, and the next that is not escaped closes it: the number of
/// backslashes before it is even (RFC 9110 §5.6.4).
fn last_comma(bytes: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    let mut left = bytes;
    while let [rest @ .., byte] = left {
        match byte {
            b',' if !is_quoted => return Some(rest.len()),
            b'"' if is_quoted => {
                let escapes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
                is_quoted = escapes % 2 == 1;
            }
            b'"' => is_quoted = true,
            _ => {}
        }
        left = rest;
    }
    None
}

/// RFC 7239 §4: pairs with semicolons between them, each name once, and names without case. Of a member that is not of this form
/// nothing is believed.
fn forwarded_for(member: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    let mut rest = member;
    while let [first, tail @ ..] = rest {
        if *first == b';' {
            rest = trim_start(tail);
            continue;
        }
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let (name, tail) = (rest.get(..equals)?, rest.get(equals + 1..)?);
        let (value, tail) = value(tail)?;
        rest = trim_start(tail);
        if !is_token(name) || !matches!(rest, [] | [b';', ..]) {
            return None;
        }
        if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
    }
    match found? {
        Value::Plain(text) => address(text),
        Value::Quoted(text) if !text.contains(&b'\\') => address(text),
        Value::Quoted(text) => {
            let mut unescaped = [0; NODE_LEN_MAX];
            address(unescape(text, &mut unescaped)?)
        }
    }
}

enum Value<'a> {
    Plain(&'a [u8]),
    /// With its escapes.
    Quoted(&'a [u8]),
}

/// A value, and what follows it. An address may stand without quotes where RFC 7239 §6 asks for them.
fn value(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    if let [b'"', content @ ..] = bytes {
        let mut is_escaped = false;
        let end = content.iter().position(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        })?;
        return Some((Value::Quoted(content.get(..end)?), content.get(end + 1..)?));
    }
    let is_plain = |byte: u8| is_tchar(byte) || b":[]".contains(&byte);
    let end = bytes.iter().position(|byte| !is_plain(*byte)).unwrap_or(bytes.len());
    let (value, tail) = bytes.split_at_checked(end)?;
    (!value.is_empty()).then_some((Value::Plain(value), tail))
}

/// RFC 9110 §5.6.4: a backslash says that the next byte is meant. `None` if there is no room.
fn unescape<'a>(text: &[u8], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut len = 0;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        let byte = if *byte == b'\\' { bytes.next()? } else { byte };
        *room.get_mut(len)? = *byte;
        len += 1;
    }
    room.get(..len)
}

/// An address, perhaps with a port behind it (RFC 7239 §6): IPv6 is then in brackets. No name, nothing hidden (`unknown`, `_x`),
/// no zone, and no zeros before a number, which some read as octal.
fn address(text: &[u8]) -> Option<IpAddr> {
    if text.len() > NODE_LEN_MAX {
        return None;
    }
    let text = str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return is_whole.then_some(folded(address.into()));
    }
    if let Ok(address) = text.parse() {
        return Some(folded(address));
    }
    let (address, port) = text.split_once(':')?;
    let address: Ipv4Addr = address.parse().ok()?;
    is_port(port).then_some(address.into())
}

/// RFC 7239 §6.2 and §6.3: up to five digits, or a name that hides them.
fn is_port(text: &str) -> bool {
    let is_hidden = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_hidden),
        None => (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Read of a field, whoever has written so much into it.
pub(crate) const BYTES_MAX: usize = 4 << 10;
/// More than the longest address and port need.
const NODE_LEN_MAX: usize = 64;

#[cfg(test)]
mod tests;
