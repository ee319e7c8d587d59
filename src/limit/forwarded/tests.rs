use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn fields(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

/// What the members say, the last first; `-` where there is nothing to read.
fn hops(field: &ForwardedIn, lines: &[&[u8]]) -> Vec<String> {
    let name = match field {
        ForwardedIn::XForwardedFor => X_FORWARDED_FOR,
        ForwardedIn::Forwarded => FORWARDED,
        ForwardedIn::Field(name) => name.clone(),
    };
    let headers = fields(&name, lines);
    let shown = |hop: Option<IpAddr>| hop.map_or("-".to_owned(), |address| address.to_string());
    field.hops(&headers).map(shown).collect()
}

fn list(line: &str) -> Vec<String> {
    hops(&ForwardedIn::XForwardedFor, &[line.as_bytes()])
}

fn pairs(line: &str) -> Vec<String> {
    hops(&ForwardedIn::Forwarded, &[line.as_bytes()])
}

#[test]
fn a_list_is_read_from_the_right_over_all_its_lines() {
    assert_eq!(list("1.2.3.4,198.51.100.7 ,\t10.2.2.2 "), ["10.2.2.2", "198.51.100.7", "1.2.3.4"]);
    for name in ["x-forwarded-for", "cf-connecting-ip"] {
        let field = ForwardedIn::from(HeaderName::from_static(name));
        assert_eq!(
            hops(&field, &[b"1.1.1.1, 2.2.2.2", b"3.3.3.3"]),
            ["3.3.3.3", "2.2.2.2", "1.1.1.1"]
        );
        assert_eq!(hops(&field, &[]), [""; 0]);
    }
}

#[test]
fn a_field_that_is_named_as_forwarded_is_read_as_that() {
    let field = ForwardedIn::Field(http::header::FORWARDED);
    assert_eq!(hops(&field, &[b"for=1.1.1.1"]), ["1.1.1.1"]);
}

#[test]
fn an_empty_member_is_one_that_cannot_be_read() {
    assert_eq!(list(""), ["-"]);
    assert_eq!(list(" \t"), ["-"]);
    assert_eq!(list("1.1.1.1,"), ["-", "1.1.1.1"]);
    assert_eq!(list(",1.1.1.1"), ["1.1.1.1", "-"]);
    assert_eq!(pairs("for=1.1.1.1, ;"), ["-", "1.1.1.1"]);
    assert_eq!(hops(&ForwardedIn::XForwardedFor, &[b"1.1.1.1", b""]), ["-", "1.1.1.1"]);
}

#[test]
fn addresses_are_read_in_every_spelling_and_nothing_else_is() {
    for (text, read) in [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:55123", "198.51.100.7"),
        ("198.51.100.7:0", "198.51.100.7"),
        ("198.51.100.7:_hidden.1-x", "198.51.100.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("[::ffff:198.51.100.7]:80", "198.51.100.7"),
        ("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"),
        // RFC 4291 §2.2: this is how it is written, and so there is no port.
        ("2001:db8::1:4711", "2001:db8::1:4711"),
        ("198.51.100.07", "-"),
        ("198.051.100.7", "-"),
        ("0306.51.100.7", "-"),
        ("0xc6.51.100.7", "-"),
        ("198.51.100", "-"),
        ("3325256711", "-"),
        ("198.51.100.256", "-"),
        ("198.51.100.7.", "-"),
        ("198.51.100.7:", "-"),
        ("198.51.100.7:123456", "-"),
        ("198.51.100.7:+80", "-"),
        ("198.51.100.7:80:80", "-"),
        ("198.51.100.7:_", "-"),
        ("198.51.100.7/32", "-"),
        ("198.51.100.7 80", "-"),
        ("[198.51.100.7]:80", "-"),
        ("[2001:db8::1", "-"),
        ("2001:db8::1]", "-"),
        ("[2001:db8::1]4711", "-"),
        ("[2001:db8::1]:", "-"),
        ("[[2001:db8::1]]", "-"),
        ("fe80::1%eth0", "-"),
        ("[fe80::1%25eth0]:80", "-"),
        ("::ffff:198.051.100.007", "-"),
        ("unknown", "-"),
        ("_hidden", "-"),
        ("localhost", "-"),
        ("\"198.51.100.7\"", "-"),
        ("\u{664}.1.1.1", "-"),
    ] {
        assert_eq!(list(text), [read], "{text}");
        assert_eq!(pairs(&format!("for=\"{}\"", text.replace('"', "\\\""))), [read], "{text}");
    }
}

/// RFC 7239 §4 and §6.
#[test]
fn the_pair_named_for_is_read_and_only_of_members_that_are_well_formed() {
    for (line, read) in [
        ("for=198.51.100.7", "198.51.100.7"),
        ("FOR=198.51.100.7", "198.51.100.7"),
        ("by=10.0.0.1;for=198.51.100.7;proto=https", "198.51.100.7"),
        ("for=198.51.100.7; proto=https ; by=10.0.0.1", "198.51.100.7"),
        (";;for=198.51.100.7;", "198.51.100.7"),
        ("for=\"198.51.100.7:80\";host=\"a,b;for=1.2.3.4\"", "198.51.100.7"),
        ("host=\"a\\\"b, for=1.2.3.4\";for=198.51.100.7", "198.51.100.7"),
        ("host=\"a\\\\\";for=198.51.100.7", "198.51.100.7"),
        ("host=\"\";for=198.51.100.7", "198.51.100.7"),
        ("for=\"198\\.51.100.7\"", "198.51.100.7"),
        // Not by the letter, but nobody else can be meant.
        ("for=198.51.100.7:80", "198.51.100.7"),
        ("for=[2001:db8::1]:80", "2001:db8::1"),
        ("for=", "-"),
        ("for=\"\"", "-"),
        ("for", "-"),
        ("=198.51.100.7", "-"),
        ("for =198.51.100.7", "-"),
        ("for= 198.51.100.7", "-"),
        ("198.51.100.7", "-"),
        ("by=198.51.100.7", "-"),
        ("xfor=198.51.100.7", "-"),
        ("for=198.51.100.7;for=198.51.100.7", "-"),
        ("for=198.51.100.7;For=1.2.3.4", "-"),
        ("for=198.51.100.7;secret", "-"),
        ("for=198.51.100.7 by=10.0.0.1", "-"),
        ("for=198.51.100.7\"\"", "-"),
        ("for=\"198.51.100.7\"x", "-"),
        ("for=\"198.51.100.7\\\"", "-"),
        ("for=198.51.100.7;a b=c", "-"),
        ("for=unknown", "-"),
        ("for=_SEVKISEK", "-"),
    ] {
        assert_eq!(pairs(line), [read], "{line}");
    }
}

#[test]
fn quotes_that_a_client_left_open_reach_nothing_that_stands_right_of_them() {
    for client in
        ["for=\"1.2.3.4", "for=1.2.3.4;x=\"", "\"", "\\\"", "x=\"\\", "for=1.2.3.4;x=\"a\\", ",\","]
    {
        for proxy in [
            "for=198.51.100.7",
            "for=\"198.51.100.7:80\"",
            "for=\"198\\.51.100.7\";host=\"a\\\"b\\\\\"",
            "host=\"\\\",\";for=198.51.100.7",
        ] {
            let line = format!("{client}, {proxy}");
            assert_eq!(pairs(&line).first().unwrap(), "198.51.100.7", "{line}");
        }
    }
}

#[test]
fn r06_of_a_long_field_only_the_end_is_read() {
    let long = |fill: &str, end: &str| fill.repeat((1 << 20) / fill.len()) + end;
    for (field, end) in [
        (ForwardedIn::XForwardedFor, ", 198.51.100.7"),
        (ForwardedIn::Forwarded, ", for=198.51.100.7"),
    ] {
        for fill in ["a", "\"", "\\", "\\\"", " ", ";", "="] {
            let line = long(fill, end);
            let read = hops(&field, &[line.as_bytes()]);
            assert_eq!(read.first().unwrap(), "198.51.100.7");
            assert_eq!(read.get(1).unwrap(), "-", "{fill}");
        }
        // Where nothing ends, nothing is found.
        let line = long("a", "");
        assert_eq!(hops(&field, &[line.as_bytes()]).first().unwrap(), "-");
    }
    // All lines together are read up to the bound.
    let line = format!("{}1.1.1.1", " ".repeat(1000));
    let lines: Vec<&[u8]> = vec![line.as_bytes(); 8];
    assert_eq!(
        hops(&ForwardedIn::XForwardedFor, &lines)[..5],
        ["1.1.1.1", "1.1.1.1", "1.1.1.1", "1.1.1.1", "-"]
    );
    // A member that just fits does; one byte more does not.
    for (spaces, read) in [(BYTES_MAX - 7, "1.1.1.1"), (BYTES_MAX - 6, "-")] {
        assert_eq!(list(&format!("{}1.1.1.1", " ".repeat(spaces))), [read]);
    }
}

/// What `last_comma` finds, found from the left.
fn is_well_formed(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, text)| {
        is_token(name.as_bytes()) && value(text.as_bytes()).is_some_and(|(_, tail)| tail.is_empty())
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)) {
        let lines: Vec<Vec<u8>> = lines.into_iter().filter(|line| HeaderValue::from_bytes(line).is_ok()).collect();
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for field in [ForwardedIn::XForwardedFor, ForwardedIn::Forwarded] {
            // Each member has a comma or a line of its own.
            let commas: usize = lines.iter().map(|line| 1 + line.iter().filter(|byte| **byte == b',').count()).sum();
            prop_assert!(hops(&field, &lines).len() <= commas);
        }
    }

    #[test]
    fn what_a_proxy_appended_is_read_whatever_stands_left_of_it(
        left in r#"([,;="\\ \[\]:.a-f0-9]|for=|1\.2\.3\.4){0,24}"#,
        host in r#"([a-z,;= ]|\\["\\,]){0,8}"#,
        is_first: bool,
    ) {
        let pair = format!("host=\"{host}\"");
        prop_assert!(is_well_formed(&pair));
        let member = match is_first {
            true => format!("for=198.51.100.7;{pair}"),
            false => format!("{pair};for=198.51.100.7"),
        };
        let line = format!("{left},{member}");
        let read = pairs(&line);
        prop_assert_eq!(read.first().unwrap(), "198.51.100.7", "{}", line);
        let read = list(&format!("{left},198.51.100.7"));
        prop_assert_eq!(read.first().unwrap(), "198.51.100.7");
        let read = hops(&ForwardedIn::Forwarded, &[left.as_bytes(), member.as_bytes()]);
        prop_assert_eq!(read.first().unwrap(), "198.51.100.7");
    }

    #[test]
    fn lists_that_are_well_formed_are_read_as_from_the_left(
        hosts in prop::collection::vec((r#"([a-z,;= ]|\\["\\,]){0,8}"#, any::<[u8; 4]>()), 1..6)
    ) {
        let members: Vec<String> = hosts
            .iter()
            .map(|(host, octets)| format!("for={};host=\"{host}\"", Ipv4Addr::from(*octets)))
            .collect();
        let expected: Vec<String> =
            hosts.iter().rev().map(|(_, octets)| Ipv4Addr::from(*octets).to_string()).collect();
        prop_assert_eq!(pairs(&members.join(", ")), expected);
    }
}
