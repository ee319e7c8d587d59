//! Targeted fields such as `CDN-Cache-Control` (RFC 9213): Cache-Control for one kind of cache, as a
//! structured Dictionary.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HeaderName;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::cache_control::{Qualified, ResponseDirectives};
use crate::time::DeltaSeconds;

/// What the first usable field of the target list says.
///
/// RFC 9213 §2.2: that field replaces Cache-Control and Expires. One that is empty, or does not parse,
/// is ignored as if it were not there (§2.1).
pub(crate) fn read(headers: &HeaderMap, targets: &[HeaderName]) -> Option<ResponseDirectives> {
    let dictionary = targets.iter().find_map(|target| dictionary(headers, target))?;
    let mut read = ResponseDirectives::default();
    for (name, value) in &dictionary {
        add(&mut read, name.as_str(), bare(value));
    }
    Some(read)
}

fn dictionary(headers: &HeaderMap, name: &HeaderName) -> Option<Dictionary> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    // RFC 9651 §4.2: lines are joined before they are parsed.
    let joined = lines.fold(Cow::Borrowed(first), |mut joined, line| {
        let bytes = joined.to_mut();
        bytes.extend_from_slice(b", ");
        bytes.extend_from_slice(line.as_bytes());
        joined
    });
    let dictionary = Parser::new(&joined).parse::<Dictionary>().ok()?;
    (!dictionary.is_empty()).then_some(dictionary)
}

/// The value of a member without its parameters; an inner list has none that a directive could mean.
fn bare(value: &ListEntry) -> Option<&BareItem> {
    match value {
        ListEntry::Item(item) => Some(&item.bare_item),
        ListEntry::InnerList(_) => None,
    }
}

/// Takes in one member. As in Cache-Control, a value of the wrong type cannot take away what forbids
/// and grants nothing that permits.
fn add(read: &mut ResponseDirectives, name: &str, value: Option<&BareItem>) {
    let forbids = value != Some(&BareItem::Boolean(false));
    let permits = value == Some(&BareItem::Boolean(true));
    match name {
        "no-store" => read.no_store = forbids,
        "must-revalidate" => read.must_revalidate = forbids,
        "proxy-revalidate" => read.proxy_revalidate = forbids,
        "no-cache" => read.no_cache = qualified(value),
        "private" => read.private = qualified(value),
        "public" => read.public = permits,
        "immutable" => read.immutable = permits,
        "must-understand" => read.must_understand = permits,
        "max-age" => read.max_age = Some(delta(value)),
        "s-maxage" => read.s_maxage = Some(delta(value)),
        "stale-while-revalidate" => read.stale_while_revalidate = Some(delta(value)),
        "stale-if-error" => read.stale_if_error = Some(delta(value)),
        _ => {}
    }
}

fn qualified(value: Option<&BareItem>) -> Qualified {
    match value {
        Some(BareItem::Boolean(false)) => Qualified::Absent,
        Some(BareItem::String(names)) => Qualified::fields(names.as_str().as_bytes()),
        _ => Qualified::Whole,
    }
}

/// RFC 9111 §4.2.1: a freshness that cannot be read makes the response stale.
fn delta(value: Option<&BareItem>) -> DeltaSeconds {
    let seconds = value.and_then(BareItem::as_integer).map(i64::from).unwrap_or_default();
    DeltaSeconds::new(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const OURS: HeaderName = HeaderName::from_static("keep-cache-control");

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn cdn(lines: &[&str]) -> Option<ResponseDirectives> {
        let lines: Vec<_> = lines.iter().map(|line| (CDN, *line)).collect();
        read(&headers(&lines), &[CDN])
    }

    fn secs(secs: u64) -> Option<DeltaSeconds> {
        Some(DeltaSeconds::new(secs))
    }

    #[test]
    fn every_directive_is_read_from_all_lines() {
        let expected = ResponseDirectives {
            no_store: true,
            public: true,
            must_revalidate: true,
            proxy_revalidate: true,
            must_understand: true,
            immutable: true,
            no_cache: Qualified::Whole,
            private: Qualified::Fields(vec![http::header::SET_COOKIE]),
            max_age: secs(60),
            s_maxage: secs(61),
            stale_while_revalidate: secs(62),
            stale_if_error: secs(63),
        };
        let lines = [
            "no-store, public=?1;x=1, must-revalidate,proxy-revalidate, must-understand, immutable",
            "no-cache, private=\"Set-Cookie\", max-age=60;y, s-maxage=61, other=(a b)",
            "stale-while-revalidate=62, stale-if-error=63",
        ];
        assert_eq!(cdn(&lines), Some(expected));
    }

    #[test]
    fn the_first_usable_target_wins() {
        let both = headers(&[(CDN, "max-age=1"), (OURS, "max-age=2")]);
        assert_eq!(read(&both, &[OURS, CDN]).unwrap().max_age, secs(2));
        assert_eq!(read(&both, &[CDN, OURS]).unwrap().max_age, secs(1));
        assert_eq!(read(&both, &[]), None);
        for unusable in ["", "  ", "max-age=", "Max-Age=2", "max-age=2,", "a, , b", "max-age='2'"] {
            let headers = headers(&[(OURS, unusable), (CDN, "max-age=1")]);
            assert_eq!(read(&headers, &[OURS, CDN]).unwrap().max_age, secs(1), "{unusable}");
            assert_eq!(read(&headers, &[OURS]), None, "{unusable}");
        }
    }

    #[test]
    fn one_line_that_does_not_parse_spoils_the_field() {
        assert_eq!(cdn(&["max-age=1", "b=\""]), None);
        assert_eq!(cdn(&["max-age=1", "\u{e9}"]), None);
    }

    #[test]
    fn a_lifetime_of_the_wrong_type_is_stale() {
        for bad in
            ["max-age", "max-age=-1", "max-age=1.5", "max-age=\"60\"", "max-age=(60)", "max-age=x"]
        {
            assert_eq!(cdn(&[bad]).unwrap().max_age, secs(0), "{bad}");
        }
        assert_eq!(cdn(&["max-age=999999999999999"]).unwrap().max_age, Some(DeltaSeconds::MAX));
    }

    #[test]
    fn a_prohibition_of_the_wrong_type_forbids_and_a_permission_permits_nothing() {
        let read =
            cdn(&["no-store=0, must-revalidate=x, proxy-revalidate=(), private=1, no-cache=()"]);
        let read = read.unwrap();
        assert!(read.no_store && read.must_revalidate && read.proxy_revalidate);
        assert_eq!((read.private, read.no_cache), (Qualified::Whole, Qualified::Whole));
        let read = cdn(&["public=1, immutable=x, must-understand=()"]).unwrap();
        assert!(!read.public && !read.immutable && !read.must_understand);
    }

    #[test]
    fn false_means_absent_and_the_last_of_a_name_counts() {
        let read = cdn(&["no-store=?0, private=?0, no-cache=?0, public=?0, max-age=9, max-age=60"]);
        let expected = ResponseDirectives { max_age: secs(60), ..ResponseDirectives::default() };
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn a_malformed_field_list_means_the_whole_response() {
        for bad in ["private=\"\"", "private=\"a b\"", "private=set-cookie", "private=:YQ==:"] {
            assert_eq!(cdn(&[bad]).unwrap().private, Qualified::Whole, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line: Vec<u8>) {
            let mut headers = HeaderMap::new();
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                headers.append(CDN, line.clone());
                headers.append(CDN, line);
            }
            read(&headers, &[CDN]);
        }
    }
}
