//! `Cache-Status` (RFC 9211): what this cache did with a request, as one member of the list.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use sfv::{BareItem, List, ListEntry, Parser};

use super::{list, number};

/// A cache's name, as it stands at the head of its member.
#[derive(Clone, Debug)]
pub(crate) struct CacheName {
    written: Arc<str>,
    id: u64,
}

impl CacheName {
    /// RFC 9211 §2: a Token where the name is one, else a String.
    pub(crate) fn new(name: &str) -> Self {
        let mut written = String::new();
        push_word(&mut written, name);
        static IDS: AtomicU64 = AtomicU64::new(1);
        Self { written: written.into(), id: IDS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Not zero, and not that of any other name but clones of this one.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

/// One member of the list, its parameters in the order in which they are added.
#[derive(Debug)]
pub(crate) struct Member(String);

impl Member {
    pub(crate) fn new(name: &CacheName) -> Self {
        let mut written = String::with_capacity(MEMBER_BYTES_USUAL.max(name.written.len()));
        written.push_str(&name.written);
        Self(written)
    }

    /// A parameter that is true.
    #[must_use]
    pub(crate) fn flag(mut self, key: &'static str) -> Self {
        self.key(key);
        self
    }

    /// A parameter whose value is a Token of this crate's own.
    #[must_use]
    pub(crate) fn word(mut self, key: &'static str, value: &'static str) -> Self {
        self.key(key).push('=');
        self.0.push_str(value);
        self
    }

    /// A parameter whose value is an Integer, at most 15 digits long.
    #[must_use]
    pub(crate) fn int(mut self, key: &'static str, value: i64) -> Self {
        let value = value.clamp(-INTEGER_MAX, INTEGER_MAX);
        let written = self.key(key);
        written.push('=');
        match u64::try_from(value).ok().and_then(number::small) {
            Some(digits) => written.push_str(digits),
            // Writing to a String cannot fail.
            None => drop(write!(written, "{value}")),
        }
        self
    }

    /// A parameter whose value is a String.
    #[must_use]
    pub(crate) fn string(mut self, key: &'static str, value: &str) -> Self {
        self.key(key).push('=');
        push_string(&mut self.0, value);
        self
    }

    pub(crate) fn finish(self) -> HeaderValue {
        // ASCII always: the fallback, an empty list, is never reached.
        HeaderValue::try_from(self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn key(&mut self, key: &'static str) -> &mut String {
        self.0.push_str("; ");
        self.0.push_str(key);
        &mut self.0
    }
}

/// Whether the cache nearest to us says `hit`, and whether it says `stored`. RFC 9211 §2: that is the last
/// member. What cannot be read says neither.
pub(crate) fn nearest<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> (bool, bool) {
    let last = lines.into_iter().last().and_then(|line| {
        let list: List = Parser::new(line.as_bytes()).parse().ok()?;
        list.into_iter().next_back()
    });
    let Some(ListEntry::Item(member)) = last else { return (false, false) };
    let says = |key| member.params.get(key) == Some(&BareItem::Boolean(true));
    (says("hit"), says("stored"))
}

/// Writes a Token where `text` is one, else a String.
fn push_word(written: &mut String, text: &str) {
    if is_token(text.as_bytes()) && text.len() <= STRING_BYTES_MAX {
        written.push_str(text);
    } else {
        push_string(written, text);
    }
}

/// Writes a String. RFC 9651 §3.3.3: it holds printable ASCII only; of the rest, every byte is
/// percent-encoded. Ends before the first character that would exceed the bound.
fn push_string(written: &mut String, text: &str) {
    written.push('"');
    let bound = written.len() + STRING_BYTES_MAX;
    for symbol in text.chars() {
        let begun = written.len();
        match symbol {
            '"' | '\\' => written.extend(['\\', symbol]),
            ' '..='~' => written.push(symbol),
            _ => {
                for byte in symbol.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(written, "%{byte:02X}");
                }
            }
        }
        if written.len() > bound {
            written.truncate(begun);
            break;
        }
    }
    written.push('"');
}

/// RFC 9651 §3.3.4.
fn is_token(text: &[u8]) -> bool {
    let [first, rest @ ..] = text else {
        return false;
    };
    (first.is_ascii_alphabetic() || *first == b'*')
        && rest.iter().all(|byte| list::is_tchar(*byte) || matches!(byte, b':' | b'/'))
}

/// The longest that any one string becomes, quotes not counted.
const STRING_BYTES_MAX: usize = 1024;
/// RFC 9651 §3.3.1: an Integer has at most 15 digits.
const INTEGER_MAX: i64 = 999_999_999_999_999;
/// Room for a name and the usual parameters without growing.
const MEMBER_BYTES_USUAL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sfv::Item;

    fn member(name: &str) -> Member {
        Member::new(&CacheName::new(name))
    }

    /// What a reader of structured fields makes of it.
    fn parsed(value: &HeaderValue) -> Item {
        let list: List = Parser::new(value.as_bytes()).parse().unwrap();
        match list.as_slice() {
            [ListEntry::Item(item)] => item.clone(),
            other => panic!("not one item: {other:?}"),
        }
    }

    #[test]
    fn a_member_is_a_name_and_its_parameters_in_order() {
        let value = member("edge").flag("hit").int("ttl", -5).finish();
        assert_eq!(value, "edge; hit; ttl=-5");
        let value = member("edge").word("fwd", "stale").int("fwd-status", 304).flag("stored");
        let value = value.string("detail", "a \"b\" \\").finish();
        assert_eq!(value, r#"edge; fwd=stale; fwd-status=304; stored; detail="a \"b\" \\""#);
    }

    #[test]
    fn a_name_is_a_token_where_it_can_be() {
        assert_eq!(member("*.example:80/x").finish(), "*.example:80/x");
        assert_eq!(member("1st").finish(), r#""1st""#);
        assert_eq!(member("my cache").finish(), r#""my cache""#);
        assert_eq!(member("").finish(), r#""""#);
    }

    #[test]
    fn what_a_string_cannot_hold_is_percent_encoded() {
        assert_eq!(member("caf\u{e9}").finish(), r#""caf%C3%A9""#);
        assert_eq!(member("a").string("key", "\r\n\0\x7f~").finish(), r#"a; key="%0D%0A%00%7F~""#);
    }

    #[test]
    fn strings_are_bounded_and_never_cut_within_an_escape() {
        let long = |text: &str| member(&text.repeat(2000)).finish().len() - 2;
        assert_eq!(long("a"), 1024);
        assert_eq!(long("\""), 1024);
        assert_eq!(long("\u{e9}"), 1020);
        assert_eq!(member(&"a".repeat(1024)).finish().len(), 1024);
    }

    #[test]
    fn integers_have_at_most_fifteen_digits() {
        assert_eq!(member("a").int("ttl", i64::MAX).finish(), "a; ttl=999999999999999");
        assert_eq!(member("a").int("ttl", i64::MIN).finish(), "a; ttl=-999999999999999");
    }

    #[test]
    fn the_nearest_cache_is_the_last_member() {
        let read = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
            nearest(&lines)
        };
        assert_eq!(read(&[]), (false, false));
        assert_eq!(read(&["origin; hit, edge; fwd=miss; stored"]), (false, true));
        assert_eq!(read(&["edge; fwd=miss; stored", "near; hit"]), (true, false));
        assert_eq!(read(&["edge; hit, near; hit=?0; stored=1"]), (false, false));
        assert_eq!(read(&["edge; hit", "not a (list"]), (false, false));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_a_structured_list(name: String, key: String, number: i64) {
            let value = member(&name).flag("hit").int("ttl", number).word("fwd", "stale");
            let item = parsed(&value.string("key", &key).finish());
            prop_assert_eq!(item.params.len(), 4);
            if key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                let read = item.params.get("key").and_then(BareItem::as_string);
                prop_assert_eq!(read.map(|read| read.as_str()), Some(key.as_str()));
            }
        }

        #[test]
        fn printable_strings_are_read_back(key in "[ -~]{0,200}") {
            let item = parsed(&member("a").string("key", &key).finish());
            let read = item.params.get("key").and_then(BareItem::as_string);
            prop_assert_eq!(read.map(|read| read.as_str()), Some(key.as_str()));
        }
    }
}
