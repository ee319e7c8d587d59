//! Comma-separated lists, tokens and quoted-strings: what most fields are made of.

use std::borrow::Cow;
use std::iter;

use http::HeaderMap;
use http::header::{AsHeaderName, HeaderName, HeaderValue};

/// The members of one field line.
///
/// RFC 9110 §5.6.1: members are separated by commas and optional white space, and empty ones do not
/// count. A comma in a quoted-string separates nothing (§5.6.4); a quote that is never closed runs to
/// the end of the line.
pub(crate) fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    iter::from_fn(move || {
        let (member, tail) = cut(rest?);
        rest = tail;
        Some(trim(member))
    })
    .filter(|member| !member.is_empty())
}

/// The members of every line of a field, in order (RFC 9110 §5.3).
pub(crate) fn members(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).flat_map(split)
}

/// A copy of the lines of these fields.
pub(crate) fn copied(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for name in names {
        for line in headers.get_all(name) {
            // As many lines as a map took before.
            let _ = fields.try_append(name, line.clone());
        }
    }
    fields
}

/// The bytes without the optional white space around them (RFC 9110 §5.6.3: SP and HTAB only).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The bytes without the optional white space before them.
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let mut inner = bytes;
    while let [b' ' | b'\t', rest @ ..] = inner {
        inner = rest;
    }
    inner
}

/// The bytes without the optional white space behind them.
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut inner = bytes;
    while let [rest @ .., b' ' | b'\t'] = inner {
        inner = rest;
    }
    inner
}

/// Whether the bytes are a token: at least one `tchar` and nothing else (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// Whether a token may hold this byte (RFC 9110 §5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a quoted-string says, its escapes undone; `None` where the bytes are not one, whole and
/// well-formed (RFC 9110 §5.6.4).
pub(crate) fn unquote(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let [b'"', content @ .., b'"'] = bytes else {
        return None;
    };
    if !content.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        return content.iter().copied().all(is_text).then_some(Cow::Borrowed(content));
    }
    let mut text = Vec::with_capacity(content.len());
    let mut bytes = content.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'"' => return None,
            b'\\' => bytes.next()?,
            byte => byte,
        };
        if !is_text(byte) {
            return None;
        }
        text.push(byte);
    }
    Some(Cow::Owned(text))
}

/// The first member, untrimmed, and what follows its comma.
fn cut(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return (value.get(..at).unwrap_or_default(), value.get(at + 1..)),
            _ => {}
        }
    }
    (value, None)
}

/// HTAB, SP, VCHAR and obs-text: all that a quoted-string may hold, `"` and `\` behind a backslash.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(value: &[u8]) -> Vec<&[u8]> {
        split(value).collect()
    }

    #[test]
    fn members_are_trimmed_and_empty_ones_do_not_count() {
        assert_eq!(all(b" a ,\tb\t,, ,c d"), [&b"a"[..], b"b", b"c d"]);
        assert_eq!(all(b""), [b""; 0]);
        assert_eq!(all(b", ,"), [b""; 0]);
    }

    #[test]
    fn a_comma_in_a_quoted_string_separates_nothing() {
        assert_eq!(all(br#"a="1,2", b"#), [&br#"a="1,2""#[..], b"b"]);
        assert_eq!(all(br#"a="\",", b"#), [&br#"a="\",""#[..], b"b"]);
        assert_eq!(all(br#"a=\", b", c"#), [&br#"a=\", b""#[..], b"c"]);
    }

    #[test]
    fn an_open_quote_runs_to_the_end_of_its_line() {
        assert_eq!(all(br#"a, b="c, d"#), [&b"a"[..], br#"b="c, d"#]);
        let mut headers = HeaderMap::new();
        headers.append("vary", HeaderValue::from_static(r#"a, "b, c"#));
        headers.append("vary", HeaderValue::from_static("d,e"));
        let found: Vec<_> = members(&headers, http::header::VARY).collect();
        assert_eq!(found, [&b"a"[..], br#""b, c"#, b"d", b"e"]);
    }

    #[test]
    fn tokens_hold_tchars_only() {
        assert!(is_token(b"max-age") && is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for bad in [&b""[..], b"a b", b"a=b", b"a\"", b"\xe9", b"a\x7f", b"(a)", b"a/b"] {
            assert!(!is_token(bad));
        }
    }

    #[test]
    fn quoted_strings_are_decoded_or_refused() {
        assert_eq!(unquote(br#""""#).as_deref(), Some(&b""[..]));
        assert_eq!(unquote(b"\"a, \xe9\tb\"").as_deref(), Some(&b"a, \xe9\tb"[..]));
        assert_eq!(unquote(br#""a\"\\\b""#).as_deref(), Some(&br#"a"\b"#[..]));
        for bad in [&b""[..], b"\"", b"a", br#""a"#, br#"a""#, br#""a"b""#, br#""a\""#, b"\"\0\""] {
            assert_eq!(unquote(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn splitting_keeps_every_byte_but_separators(value: Vec<u8>) {
            let kept: usize = split(&value).map(<[u8]>::len).sum();
            let separators = value.iter().filter(|byte| b", \t".contains(byte)).count();
            prop_assert!(kept <= value.len() && kept + separators >= value.len());
            for member in split(&value) {
                prop_assert_eq!(trim(member), member);
                prop_assert!(unquote(member).is_none_or(|text| text.len() + 2 <= member.len()));
            }
        }

        #[test]
        fn quoting_is_undone_by_unquoting(text in "[ -~\t]{0,40}") {
            let mut quoted = vec![b'"'];
            for byte in text.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    quoted.push(b'\\');
                }
                quoted.push(byte);
            }
            quoted.push(b'"');
            let unquoted = unquote(&quoted);
            prop_assert_eq!(unquoted.as_deref(), Some(text.as_bytes()));
            prop_assert_eq!(all(&quoted), [&quoted[..]]);
        }
    }
}
