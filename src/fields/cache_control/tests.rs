use std::time::Duration;

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::fields::CacheControl;

fn lines(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(CACHE_CONTROL, HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

fn response(value: &str) -> ResponseDirectives {
    ResponseDirectives::read(&lines(&[value.as_bytes()]))
}

fn request(value: &str) -> RequestDirectives {
    RequestDirectives::read(&lines(&[value.as_bytes()]))
}

fn secs(secs: u64) -> Option<DeltaSeconds> {
    Some(DeltaSeconds::new(secs))
}

fn names(names: &[&'static str]) -> Qualified {
    Qualified::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
}

#[test]
fn names_are_read_without_case_over_all_lines() {
    let read = ResponseDirectives::read(&lines(&[
        b"No-Store, PUBLIC, must-Revalidate",
        b"Max-Age=60,proxy-revalidate , must-understand, immutable, s-maxage=\"30\"",
        b"stale-while-revalidate=5, stale-if-error=6, no-transform, x=\"y\"",
    ]));
    let expected = ResponseDirectives {
        no_store: true,
        public: true,
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        immutable: true,
        max_age: secs(60),
        s_maxage: secs(30),
        stale_while_revalidate: secs(5),
        stale_if_error: secs(6),
        ..ResponseDirectives::default()
    };
    assert_eq!(read, expected);
    assert_eq!(ResponseDirectives::read(&HeaderMap::new()), ResponseDirectives::default());
}

#[test]
fn of_several_freshness_lifetimes_the_least_counts() {
    assert_eq!(response("max-age=60, max-age=5, MAX-AGE=70").max_age, secs(5));
    assert_eq!(response("s-maxage=1, s-maxage=x").s_maxage, secs(0));
    assert_eq!(response("stale-if-error=9, stale-if-error=8").stale_if_error, secs(8));
}

#[test]
fn a_freshness_lifetime_that_cannot_be_read_is_stale() {
    for bad in
        r#"|=|=-1|=60s|=1.5| =100|= 100|='100'|="100|="1"0|:100|=""|=" 100"|=1e9| 100"#.split('|')
    {
        assert_eq!(response(&format!("max-age{bad}")).max_age, secs(0), "{bad}");
    }
    assert_eq!(response("stale-while-revalidate").stale_while_revalidate, secs(0));
    assert_eq!(response("max-age=99999999999999999999").max_age, Some(DeltaSeconds::MAX));
    assert_eq!(response("max-age=\"1\\00\", max-age=007").max_age, secs(7));
}

#[test]
fn what_stands_in_an_extension_argument_is_not_a_directive() {
    assert_eq!(response("x=\"max-age=1, no-store\", max-age=100").max_age, secs(100));
    assert!(!response("x=\"no-store\", y=\"a\\\", no-store\"").no_store);
    assert_eq!(response("x-max-age=1, max-age-x=1, max=1").max_age, None);
}

#[test]
fn a_malformed_prohibition_still_forbids() {
    for value in ["no-store=1", "no-store =x", "no-store;", "no-store=\"", "x=\"1, no-store"] {
        assert!(response(value).no_store, "{value}");
        assert!(request(value).no_store, "{value}");
    }
    let read = response("must-revalidate=0, proxy-revalidate\t=0, private =x, no-cache=,");
    assert!(read.must_revalidate && read.proxy_revalidate);
    assert_eq!((read.private, read.no_cache), (Qualified::Whole, Qualified::Whole));
}

#[test]
fn a_malformed_permission_permits_nothing() {
    for value in ["public=1", "public =", "public;", "x=\"1, public", "\"public\""] {
        assert!(!response(value).public, "{value}");
    }
    let read = response("immutable=?1, must-understand=\"\"");
    assert!(!read.immutable && !read.must_understand);
}

#[test]
fn directives_behind_an_open_quote_forbid_and_permit_nothing() {
    let read = response("x=\"1, private, max-age=60, public, stale-if-error=60");
    assert_eq!((read.private, read.max_age), (Qualified::Whole, secs(0)));
    assert_eq!((read.public, read.stale_if_error), (false, secs(0)));
}

#[test]
fn private_and_no_cache_can_be_limited_to_fields() {
    assert_eq!(response("private=\"Set-Cookie, x-a\"").private, names(&["set-cookie", "x-a"]));
    assert_eq!(response("no-cache=set-cookie").no_cache, names(&["set-cookie"]));
    assert_eq!(response("private=\"a\", private=\"b\"").private, names(&["a", "b"]));
    assert_eq!(response("public").private, Qualified::Absent);
}

#[test]
fn a_malformed_or_contradictory_field_list_means_the_whole_response() {
    let values = r#"private|private=""|private=" , "|private="x y"|private="x", private|private=
        |private, private="x"|private="x|private=x"|private="\"x\""|private="x", private=""|private="x=1""#;
    for value in values.split('|').map(str::trim) {
        assert_eq!(response(value).private, Qualified::Whole, "{value}");
        assert_eq!(response(&value.replace("private", "No-Cache")).no_cache, Qualified::Whole);
    }
}

#[test]
fn request_directives_are_read_in_the_strictest_way() {
    let read = request("max-age=5, max-age=9, min-fresh=5, min-fresh=9, stale-if-error=4");
    assert_eq!((read.max_age, read.min_fresh), (secs(5), secs(9)));
    assert_eq!((read.max_stale, read.stale_if_error), (None, secs(4)));
    assert_eq!(request("max-age=x").max_age, secs(0));
    assert_eq!(request("min-fresh=x").min_fresh, Some(DeltaSeconds::MAX));
    assert_eq!(request("max-stale").max_stale, Some(DeltaSeconds::MAX));
    assert_eq!(request("max-stale, max-stale=7, max-stale=x").max_stale, secs(7));
    assert_eq!(request("max-stale=x, stale-if-error").max_stale, None);
    assert_eq!(request("max-stale=x, stale-if-error").stale_if_error, None);
    assert!(
        request("Only-If-Cached").only_if_cached && !request("only-if-cached=1").only_if_cached
    );
    assert!(request("no-cache=\"x\"").no_cache);
}

#[test]
fn pragma_counts_only_without_cache_control() {
    let mut headers = HeaderMap::new();
    headers.append(PRAGMA, HeaderValue::from_static("x=\"no-cache\", y"));
    assert!(!RequestDirectives::read(&headers).no_cache);
    headers.append(PRAGMA, HeaderValue::from_static("No-Cache"));
    assert!(RequestDirectives::read(&headers).no_cache);
    headers.append(CACHE_CONTROL, HeaderValue::from_static(""));
    assert!(!RequestDirectives::read(&headers).no_cache);
}

/// A megabyte of what a reader could look at again and again: one that did would not come to an end here.
#[test]
fn huge_values_are_read_to_their_end() {
    for part in [",", "\"", "\",", "\\", "private=\"", "private=\"a\",", "no-store", "=", "a=\"b,"]
    {
        let headers = lines(&[part.repeat(1_000_000 / part.len()).as_bytes()]);
        ResponseDirectives::read(&headers);
        RequestDirectives::read(&headers);
    }
}

#[test]
fn what_the_builder_writes_is_read_back() {
    let length = |secs| Duration::new(secs, 999_999_999);
    let value = CacheControl::public()
        .max_age(length(1))
        .s_maxage(Duration::MAX)
        .stale_while_revalidate(length(3))
        .stale_if_error(length(4))
        .must_revalidate()
        .proxy_revalidate()
        .immutable()
        .no_transform()
        .must_understand();
    let expected = ResponseDirectives {
        no_store: true,
        public: true,
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        immutable: true,
        max_age: secs(1),
        s_maxage: Some(DeltaSeconds::MAX),
        stale_while_revalidate: secs(3),
        stale_if_error: secs(4),
        ..ResponseDirectives::default()
    };
    assert_eq!(response(&value.to_string()), expected);
    assert_eq!(HeaderValue::from(&value), HeaderValue::from(value));
    assert_eq!(response(&CacheControl::private().to_string()).private, Qualified::Whole);
    assert_eq!(response(&CacheControl::no_cache().to_string()).no_cache, Qualified::Whole);
    assert!(response(&CacheControl::no_store().to_string()).no_store);
    assert_eq!(response(&CacheControl::new().to_string()), ResponseDirectives::default());
}

/// The members as the simplest possible reader sees them: what stands before the first `=`, and after.
fn naive(line: &[u8]) -> Vec<(String, Option<String>)> {
    let mut members = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for byte in line {
        let symbol = char::from(*byte);
        if escaped {
            escaped = false;
        } else if quoted && symbol == '\\' {
            escaped = true;
        } else if symbol == '"' {
            quoted = !quoted;
        } else if symbol == ',' && !quoted {
            members.push(String::new());
            continue;
        }
        members.last_mut().unwrap().push(symbol);
    }
    let read = members.iter().map(|member| match member.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (member.as_str(), None),
    });
    read.map(|(name, value)| (name.trim_matches([' ', '\t']).to_ascii_lowercase(), value)).collect()
}

/// The number in a naive argument: quotes and escapes taken away, digits only, at most 2^31.
fn number(argument: &str) -> Option<u64> {
    let digits: String = argument.chars().filter(|symbol| !"\"\\ \t".contains(*symbol)).collect();
    let all_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all_digits.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).min(1 << 31))
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = r#"no-store|No-Cache|private|public|must-revalidate|proxy-revalidate|must-understand
        |immutable|max-age|S-MaxAge|stale-while-revalidate|stale-if-error|max-age=60|max-age="5"|s-maxage=0
        |private="a, b"|99999999999999999999|=|=|,|, |, |"|"|\| |7|x"#;
    let known: Vec<_> =
        known.split('|').map(|known| known.trim_end_matches("\n        ")).collect();
    let piece = prop_oneof![
        9 => prop::sample::select(known).prop_map(|known| known.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let separator = prop_oneof![2 => Just(&b", "[..]), 1 => Just(&b""[..])];
    let piece = (piece, separator).prop_map(|(piece, separator)| [&piece, separator].concat());
    prop::collection::vec(piece, 0..12)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a field value", |line| HeaderValue::from_bytes(line).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(value: Vec<u8>) {
        // Beyond what a HeaderValue can hold: the grammar itself is total.
        for member in list::split(&value) {
            let directive = Directive::parse(member);
            directive.qualified();
            directive.delta();
            Directive::stray(&value).lowercase(&mut [0; NAME_BYTES_MAX]);
        }
    }

    /// Not more permissive: what the naive reader sees as forbidden is forbidden, no lifetime is longer
    /// than any that it sees, and nothing is permitted that it does not see being permitted.
    #[test]
    fn never_more_permissive_than_a_naive_reader(given in prop::collection::vec(line(), 0..3)) {
        let given: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
        let read = ResponseDirectives::read(&lines(&given));
        let seen: Vec<_> = given.iter().flat_map(|line| naive(line)).collect();
        let sees = |name: &str| seen.iter().any(|(seen, _)| seen == name);
        let sees_bare = |name: &str| seen.iter().any(|(seen, value)| seen == name && value.is_none());

        prop_assert!(read.no_store || !sees("no-store"));
        prop_assert!(read.must_revalidate || !sees("must-revalidate"));
        prop_assert!(read.proxy_revalidate || !sees("proxy-revalidate"));
        prop_assert!(read.private != Qualified::Absent || !sees("private"));
        prop_assert!(read.private == Qualified::Whole || !sees_bare("private"));
        prop_assert!(read.no_cache != Qualified::Absent || !sees("no-cache"));
        prop_assert!(read.no_cache == Qualified::Whole || !sees_bare("no-cache"));
        prop_assert!(!read.public || sees_bare("public"));
        prop_assert!(!read.immutable || sees_bare("immutable"));
        prop_assert!(!read.must_understand || sees_bare("must-understand"));
        for (name, ours) in [
            ("max-age", read.max_age),
            ("s-maxage", read.s_maxage),
            ("stale-while-revalidate", read.stale_while_revalidate),
            ("stale-if-error", read.stale_if_error),
        ] {
            let arguments = seen.iter().filter(|(seen, _)| seen == name);
            let numbers: Vec<_> = arguments.map(|(_, value)| value.as_deref().and_then(number)).collect();
            prop_assert!(ours.is_some() || numbers.is_empty(), "{name} went unseen");
            let ours = ours.map_or(0, |ours| u64::from(ours.as_secs()));
            prop_assert!(numbers.iter().flatten().all(|number| ours <= *number), "{name} too long");
            prop_assert!(ours == 0 || numbers.contains(&Some(ours)), "{name} from nowhere");
        }
    }
}
