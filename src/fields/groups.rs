//! Lists of tags: `Cache-Groups` and its kin (RFC 9875), and what vendors have in their place.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, List, ListEntry, Parser};

/// A list that cannot be read, so that nobody knows what is in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Malformed;

/// The members of a List of Strings (RFC 9875 §2, RFC 9651 §3.1). Parameters do not count.
pub(crate) fn strings(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<Box<str>>, Malformed> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let Some(first) = lines.next() else { return Ok(Vec::new()) };
    let mut whole = first.to_vec();
    for line in lines {
        // RFC 9651 §4.2: lines are one list.
        whole.extend_from_slice(b", ");
        whole.extend_from_slice(line);
    }
    let list: List = Parser::new(&whole).parse().map_err(|_| Malformed)?;
    let text = |entry: ListEntry| match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(text) => Ok(text.as_str().into()),
            _ => Err(Malformed),
        },
        ListEntry::InnerList(_) => Err(Malformed),
    };
    list.into_iter().map(text).collect()
}

/// The words between commas and white space: both the Surrogate-Key and the Cache-Tag of vendors.
pub(crate) fn words(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<Box<str>>, Malformed> {
    let mut words = Vec::new();
    for line in headers.get_all(name) {
        let line = str::from_utf8(line.as_bytes()).map_err(|_| Malformed)?;
        let all = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        words.extend(all.map(Box::from));
    }
    Ok(words)
}

pub(crate) const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
pub(crate) const CACHE_GROUP_INVALIDATION: HeaderName =
    HeaderName::from_static("cache-group-invalidation");

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).unwrap();
        lines.iter().map(|text| (CACHE_GROUPS, line(text))).collect()
    }

    fn groups(values: &[&str]) -> Option<Vec<Box<str>>> {
        strings(&lines(values), &CACHE_GROUPS).ok()
    }

    #[test]
    fn groups_are_the_strings_of_all_lines() {
        let read = groups(&[r#""a", "b c";x=1"#, r#""\"d\"""#]).unwrap();
        assert_eq!(read, ["a", "b c", "\"d\""].map(Box::from));
        assert_eq!(groups(&[]), Some(vec![]));
        assert_eq!(groups(&[""]), Some(vec![]));
    }

    #[test]
    fn what_is_no_list_of_strings_cannot_be_read() {
        for line in ["a", "1", r#""a"#, r#""a" "b""#, r#"("a")"#, r#""a","#, "\"\u{e9}\""] {
            assert_eq!(groups(&[line]), None, "{line}");
        }
    }

    #[test]
    fn words_stand_between_commas_and_white_space() {
        let read = words(&lines(&["a b,c", " d ,, e\tf"]), &CACHE_GROUPS).unwrap();
        assert_eq!(read, ["a", "b", "c", "d", "e", "f"].map(Box::from));
    }
}
