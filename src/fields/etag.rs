//! Entity tags (RFC 9110 §8.8.3) and the preconditions that list them (§13.1.1, §13.1.2).

use std::iter;

use http::HeaderMap;
use http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ValueIter};

use super::list;

/// A validator, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads `"opaque"` or `W/"opaque"`, and nothing around it.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        match Self::leading(value)? {
            (tag, []) => Some(tag),
            _ => None,
        }
    }

    /// One whose parts are known; `opaque` must be what a tag [may hold](Self::may_hold).
    pub(crate) fn new(weak: bool, opaque: &'a [u8]) -> Self {
        Self { weak, opaque }
    }

    /// Whether this may stand between the quotes of a tag.
    pub(crate) fn may_hold(opaque: &[u8]) -> bool {
        opaque.iter().copied().all(is_etagc)
    }

    pub(crate) fn is_weak(&self) -> bool {
        self.weak
    }

    /// RFC 9110 §8.8.3.2: the same, and neither is weak.
    pub(crate) fn strong_eq(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// RFC 9110 §8.8.3.2: the same, weak or not.
    pub(crate) fn weak_eq(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The tag at the start of `value`, and what follows it.
    fn leading(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        // RFC 9110 §8.8.3: `W/` is case-sensitive.
        let (weak, quoted) = match value.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, value),
        };
        let content = quoted.strip_prefix(b"\"")?;
        let end = content.iter().position(|byte| !is_etagc(*byte))?;
        match content.split_at_checked(end)? {
            (opaque, [b'"', rest @ ..]) => Some((Self { weak, opaque }, rest)),
            _ => None,
        }
    }
}

/// The response's ETag; `None` where it has none that can be read, or lines that differ.
pub(crate) fn of(headers: &HeaderMap) -> Option<EntityTag<'_>> {
    sole(headers.get_all(ETAG).iter())
}

/// The ETag that these lines say.
pub(crate) fn sole<'a>(mut lines: impl Iterator<Item = &'a HeaderValue>) -> Option<EntityTag<'a>> {
    let first = lines.next()?;
    if lines.any(|line| line != first) {
        return None;
    }
    EntityTag::parse(list::trim(first.as_bytes()))
}

/// What a precondition evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    Absent,
    True,
    False,
}

/// What If-None-Match says of a response that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// There is no such field.
    Unsaid,
    /// The client does not hold it.
    No,
    /// `*`: it holds whatever there is.
    Any,
    /// It lists the tag, of which one form or the other is weak.
    Weakly,
    /// It lists the very tag, and that is strong.
    Strongly,
}

impl From<Held> for Precondition {
    /// RFC 9110 §13.1.2: weak comparison is enough.
    fn from(held: Held) -> Self {
        match held {
            Held::Unsaid => Self::Absent,
            Held::No => Self::True,
            Held::Any | Held::Weakly | Held::Strongly => Self::False,
        }
    }
}

/// Reads If-None-Match against a response that is there, whose ETag is `current`. Members that are no tags match nothing.
pub(crate) fn held(headers: &HeaderMap, current: Option<EntityTag<'_>>) -> Held {
    let Some(lines) = Lines::of(headers, IF_NONE_MATCH) else { return Held::Unsaid };
    if lines.is_asterisk() {
        return Held::Any;
    }
    let Some(current) = current else { return Held::No };
    let mut held = Held::No;
    // A weak one never comes to be held strongly: the first match is as good as any.
    let is_it = |listed: &EntityTag<'_>| match listed.weak_eq(&current) {
        true if listed.strong_eq(&current) => {
            held = Held::Strongly;
            true
        }
        true => {
            held = Held::Weakly;
            current.weak
        }
        false => false,
    };
    lines.any(is_it);
    held
}

/// Evaluates If-Match against a response that is there, whose ETag is `current`.
///
/// RFC 9110 §13.1.1: `True` where the field is `*` or lists the tag by strong comparison. So a field of
/// which nothing can be read is `False`: its sender meant some version, and nobody knows that it is this one.
pub(crate) fn matches(headers: &HeaderMap, current: Option<EntityTag<'_>>) -> Precondition {
    let Some(lines) = Lines::of(headers, IF_MATCH) else { return Precondition::Absent };
    let is_met = lines.is_asterisk()
        || current.is_some_and(|current| lines.any(|listed| listed.strong_eq(&current)));
    if is_met { Precondition::True } else { Precondition::False }
}

/// The lines of a field that lists tags.
struct Lines<'a> {
    first: &'a HeaderValue,
    second: Option<&'a HeaderValue>,
    others: ValueIter<'a, HeaderValue>,
}

impl<'a> Lines<'a> {
    /// `None` where there is none.
    fn of(headers: &'a HeaderMap, name: HeaderName) -> Option<Self> {
        let mut others = headers.get_all(name).into_iter();
        let first = others.next()?;
        Some(Self { first, second: others.next(), others })
    }

    /// Whether it is `*` alone.
    fn is_asterisk(&self) -> bool {
        self.second.is_none() && list::trim(self.first.as_bytes()) == b"*"
    }

    /// Whether there is such a tag in them.
    fn any(self, mut is_wanted: impl FnMut(&EntityTag<'_>) -> bool) -> bool {
        let mut lines = iter::once(self.first).chain(self.second).chain(self.others);
        lines.any(|line| lists(line.as_bytes(), &mut is_wanted))
    }
}

/// Whether one line of a list of tags holds such a one.
///
/// Not [`list::split`]: commas belong to a tag, and a backslash escapes nothing in it.
fn lists(line: &[u8], mut is_wanted: impl FnMut(&EntityTag<'_>) -> bool) -> bool {
    let mut rest = line;
    loop {
        while let [b' ' | b'\t' | b',', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return false;
        }
        if let Some((tag, tail)) = EntityTag::leading(rest) {
            rest = tail;
            let ends = matches!(list::trim_start(rest), [] | [b',', ..]);
            if ends && is_wanted(&tag) {
                return true;
            }
        }
        // To the comma after this member. Each tag was read up to its closing quote, or up to the byte
        // that no tag can hold, and the next one starts no earlier: linear in all.
        let comma = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        rest = rest.get(comma..).unwrap_or_default();
    }
}

/// RFC 9110 §8.8.3: VCHAR except the double quote, and obs-text.
fn is_etagc(byte: u8) -> bool {
    byte == b'!' || (byte >= b'#' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    fn tag(value: &str) -> EntityTag<'_> {
        EntityTag::parse(value.as_bytes()).unwrap()
    }

    fn against(lines: &[&[u8]], current: Option<&str>) -> Precondition {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, HeaderValue::from_bytes(line).unwrap());
        }
        held(&headers, current.map(tag)).into()
    }

    #[test]
    fn tags_are_quoted_and_case_sensitive() {
        assert!(tag(r#"W/"a""#).is_weak() && !tag(r#""W/a""#).is_weak());
        assert!(EntityTag::parse(b"\"\"").is_some());
        assert!(EntityTag::parse(b"\"\\!#\xff,\"").is_some());
        for bad in [
            &b""[..],
            b"a",
            b"\"",
            b"\"a",
            b"a\"",
            br#"w/"a""#,
            br#"W/ "a""#,
            br#""a" "#,
            br#""a b""#,
            br#"W/a"#,
            br#""a"b""#,
            br#"W/W/"a""#,
            b"\"\x7f\"",
            br#"'a'"#,
        ] {
            assert_eq!(EntityTag::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn strong_comparison_wants_two_strong_tags() {
        let (strong, weak, other) = (tag(r#""1""#), tag(r#"W/"1""#), tag(r#""2""#));
        assert!(strong.strong_eq(&strong.clone()) && !strong.strong_eq(&weak));
        assert!(!weak.strong_eq(&weak.clone()) && !strong.strong_eq(&other));
        assert!(weak.weak_eq(&strong) && weak.weak_eq(&weak.clone()) && !weak.weak_eq(&other));
    }

    #[test]
    fn etag_lines_that_differ_are_no_tag() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.append(ETAG, HeaderValue::from_static(r#""1""#));
        headers.append(ETAG, HeaderValue::from_static(r#""1""#));
        assert_eq!(of(&headers), Some(tag(r#""1""#)));
        headers.append(ETAG, HeaderValue::from_static(r#"W/"1""#));
        assert_eq!(of(&headers), None);
    }

    #[test]
    fn if_none_match_compares_weakly_over_all_lines() {
        for line in [&br#""1""#[..], br#"W/"1""#, br#""2", "1""#, br#",,"2"	, W/"1" ,"#] {
            assert_eq!(against(&[line], Some(r#"W/"1""#)), Precondition::False, "{line:?}");
            assert_eq!(against(&[line], Some(r#""11""#)), Precondition::True);
            assert_eq!(against(&[line], None), Precondition::True);
        }
        assert_eq!(against(&[br#""2""#, br#""1""#], Some(r#""1""#)), Precondition::False);
        assert_eq!(against(&[], Some(r#""1""#)), Precondition::Absent);
        assert_eq!(against(&[b""], Some(r#""1""#)), Precondition::True);
    }

    #[test]
    fn if_match_compares_strongly() {
        let against = |lines: &[&str], current: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_MATCH, HeaderValue::from_str(line).unwrap());
            }
            matches(&headers, current.map(tag))
        };
        assert_eq!(against(&[], Some(r#""1""#)), Precondition::Absent);
        for (line, current, is) in [
            (r#""1""#, Some(r#""1""#), Precondition::True),
            (r#""2" , "1""#, Some(r#""1""#), Precondition::True),
            (r#"W/"1""#, Some(r#""1""#), Precondition::False),
            (r#""1""#, Some(r#"W/"1""#), Precondition::False),
            (r#"W/"1""#, Some(r#"W/"1""#), Precondition::False),
            (r#""1""#, None, Precondition::False),
            ("*", None, Precondition::True),
            (r#"*, "2""#, Some(r#""1""#), Precondition::False),
            ("", Some(r#""1""#), Precondition::False),
            ("1", Some(r#""1""#), Precondition::False),
        ] {
            assert_eq!(against(&[line], current), is, "{line} {current:?}");
        }
        assert_eq!(against(&[r#""2""#, r#""1""#], Some(r#""1""#)), Precondition::True);
    }

    #[test]
    fn an_asterisk_alone_matches_whatever_is_there() {
        assert_eq!(against(&[b" * "], None), Precondition::False);
        assert_eq!(against(&[b"*"], Some(r#""1""#)), Precondition::False);
        assert_eq!(against(&[b"*, \"2\""], Some(r#""1""#)), Precondition::True);
        assert_eq!(against(&[b"*", b"*"], Some(r#""1""#)), Precondition::True);
        assert_eq!(against(&[br#""*""#], Some(r#""1""#)), Precondition::True);
    }

    #[test]
    fn commas_and_backslashes_belong_to_the_tag() {
        assert_eq!(against(&[br#""a,1,b""#], Some(r#""1""#)), Precondition::True);
        assert_eq!(against(&[br#""a,1,b""#], Some(r#""a,1,b""#)), Precondition::False);
        assert_eq!(against(&[br#""a\", "1""#], Some(r#""1""#)), Precondition::False);
        assert_eq!(against(&[br#""a\", "1""#], Some(r#""a\""#)), Precondition::False);
    }

    #[test]
    fn malformed_members_are_skipped() {
        for line in [
            &br#"1, "1""#[..],
            br#"w/"1", "1""#,
            br#""x"y, "1""#,
            br#""x" "y", "1""#,
            br#""x y", "1""#,
            br#"*, "1""#,
            br#"""", "1""#,
        ] {
            assert_eq!(against(&[line], Some(r#""1""#)), Precondition::False, "{line:?}");
        }
        for line in [&b"1"[..], br#"w/"1""#, br#""1"x"#, br#""1" "2""#, br#""1"#, br#"x"1""#] {
            assert_eq!(against(&[line], Some(r#""1""#)), Precondition::True, "{line:?}");
        }
    }

    /// A megabyte of what a reader could look at again and again: one that did would not come to an end.
    #[test]
    fn long_lists_are_read_to_their_end() {
        for part in [r#"W/"abc", "#, "\"", "\",", "\"a", "W/", "W/\"", ",", "\" ,"] {
            let line = part.repeat(1_000_000 / part.len());
            assert_eq!(against(&[line.as_bytes()], Some(r#""1""#)), Precondition::True);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value: Vec<u8>, opaque: Vec<u8>) {
            let tag = EntityTag::parse(&value);
            prop_assert!(tag.is_none_or(|tag| tag.opaque.len() + 2 <= value.len()));
            lists(&value, |tag| tag.opaque == opaque);
        }

        #[test]
        fn a_listed_tag_is_found(
            tags in prop::collection::vec("[!#-~]{0,6}", 1..20),
            at: prop::sample::Index,
        ) {
            let line = tags.iter().map(|tag| format!("\"{tag}\"")).collect::<Vec<_>>().join(" ,");
            prop_assert!(lists(line.as_bytes(), |tag| tag.opaque == at.get(&tags).as_bytes()));
            prop_assert!(!lists(line.as_bytes(), |tag| tag.opaque == b"absent-from-it"));
        }
    }
}
