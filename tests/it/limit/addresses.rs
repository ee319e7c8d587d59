//! R01 to R04 and R06: who a client is, whatever it writes into its request.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use tonic::transport::server::TcpConnectInfo;
use tower_keep::limit::{ClientAddress, ForwardedIn, LimitBy};

use super::support::{Fields, Peer, behind, from, is_counted_as, key, of_peer, with_bytes};
use crate::properties::cases;

const FIELDS: [&str; 3] = ["x-forwarded-for", "forwarded", "cf-connecting-ip"];

fn field(name: &str) -> ForwardedIn {
    ForwardedIn::from(name.parse::<HeaderName>().unwrap())
}

/// A member of the field that says this address.
fn member(name: &str, address: &str) -> String {
    match name {
        "forwarded" => format!("for=\"{address}\""),
        _ => address.to_owned(),
    }
}

#[test]
fn r01_fields_of_a_client_that_is_no_trusted_proxy_are_ignored() {
    let spoofs: [Fields<'_>; 5] = [
        &[],
        &[("x-forwarded-for", "1.2.3.4")],
        &[("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "1.2.3.4, 10.0.0.1")],
        &[("forwarded", "for=1.2.3.4"), ("x-real-ip", "1.2.3.4")],
        &[
            ("cf-connecting-ip", "1.2.3.4"),
            ("true-client-ip", "1.2.3.4"),
            ("x-client-ip", "1.2.3.4"),
        ],
    ];
    let mut clients = vec![of_peer(), of_peer().behind([], ForwardedIn::XForwardedFor)];
    clients.extend(FIELDS.map(|name| behind(field(name))));
    for (client, fields) in clients.iter().flat_map(|client| spoofs.map(|fields| (client, fields)))
    {
        let request = from("203.0.113.9", fields);
        assert!(is_counted_as(client, &request, "203.0.113.9"), "{client:?} {fields:?}");
        assert!(!is_counted_as(client, &request, "1.2.3.4"));
    }
    // Without a list the peer counts also where it is a proxy.
    let request = from("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")]);
    assert!(is_counted_as(&of_peer(), &request, "10.0.0.1"));
    assert_eq!(
        key(&LimitBy::peer(|peer: &Peer| peer.0), &request),
        key(&LimitBy::client(of_peer()), &request)
    );
}

#[test]
fn r02_the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
    for name in FIELDS {
        let client = behind(field(name));
        let of = |peer, addresses: &[&str]| {
            let members: Vec<_> = addresses.iter().map(|address| member(name, address)).collect();
            let request = from(peer, &[(name, &members.join(", "))]);
            client.address_of((&request).into()).unwrap().to_string()
        };
        assert_eq!(of("10.1.1.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("10.1.1.1", &["1.2.3.4", "198.51.100.7", "10.2.2.2"]), "198.51.100.7");
        assert_eq!(of("fd00::1", &["198.51.100.7", "[fd00::2]:80", "10.2.2.2:80"]), "198.51.100.7");
        // All are proxies: the outermost.
        assert_eq!(of("10.1.1.1", &["10.3.3.3", "10.2.2.2"]), "10.3.3.3");
        // Behind one that cannot be read nothing counts.
        assert_eq!(of("10.1.1.1", &["198.51.100.7", "unknown"]), "10.1.1.1");
        assert_eq!(of("10.1.1.1", &["198.51.100.7", "_hidden", "10.2.2.2"]), "10.2.2.2");
        assert_eq!(of("10.1.1.1", &["198.51.100.7", "010.2.2.2"]), "10.1.1.1");
    }
}

/// Whatever a client writes on the left, with whichever address: it stays one key.
#[test]
fn r02_a_client_that_rotates_what_it_sends_stays_one_key() {
    for name in FIELDS {
        let client = behind(field(name));
        for turn in 0..64u8 {
            let sent = [
                member(name, &format!("1.2.3.{turn}")),
                member(name, &format!("10.0.0.{turn}")),
                format!("for=\"1.2.3.{turn}"),
                format!("\"\\{turn}"),
                ",".repeat(usize::from(turn)),
            ];
            let proxied = member(name, "198.51.100.7");
            for sent in &sent {
                let one_line = format!("{sent}, {proxied}");
                for lines in [&[(name, &*one_line)][..], &[(name, sent), (name, &proxied)]] {
                    let request = from("10.1.1.1", lines);
                    assert!(is_counted_as(&client, &request, "198.51.100.7"), "{lines:?}");
                }
            }
        }
    }
}

#[test]
fn r03_one_field_counts_and_no_other_ever_does() {
    let all: Fields<'_> = &[
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.2"),
        ("cf-connecting-ip", "198.51.100.3"),
        ("x-real-ip", "198.51.100.4"),
    ];
    for (index, name) in FIELDS.iter().enumerate() {
        let client = behind(field(name));
        let expected = format!("198.51.100.{}", index + 1);
        assert!(is_counted_as(&client, &from("10.1.1.1", all), &expected), "{name}");
        // It is not there, or says nothing: then it is the proxy, and not what another says.
        for own in [None, Some(""), Some("unknown"), Some("for="), Some(",")] {
            let mut fields: Vec<_> =
                all.iter().filter(|(other, _)| other != name).copied().collect();
            fields.extend(own.map(|value| (*name, value)));
            assert!(is_counted_as(&client, &from("10.1.1.1", &fields), "10.1.1.1"), "{fields:?}");
        }
    }
}

#[test]
fn r04_addresses_of_one_ipv6_network_are_one_key() {
    let (by_64, by_56) = (of_peer(), of_peer().ipv6_prefix(56));
    let is_one = |client: &ClientAddress, one: &str, other: &str| {
        is_counted_as(client, &from(one, &[]), other)
    };
    for host in [0, 1, u64::MAX, 0xabcd] {
        let rotated =
            IpAddr::from((0x2001_0db8_0001_0200u128 << 64 | u128::from(host)).to_be_bytes());
        assert!(is_one(&by_64, &rotated.to_string(), "2001:db8:1:200::1"));
    }
    for (one, other, in_64, in_56) in [
        ("2001:db8:1:200::1", "2001:db8:1:2ff::1", false, true),
        ("2001:db8:1:200::1", "2001:db8:1:300::1", false, false),
        ("203.0.113.9", "203.0.113.10", false, false),
        ("::ffff:203.0.113.9", "203.0.113.9", true, true),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", false, false),
        // The same bytes, which mean something else.
        ("::203.0.113.9", "203.0.113.9", false, false),
    ] {
        assert_eq!(is_one(&by_64, one, other), in_64, "{one} {other}");
        assert_eq!(is_one(&by_56, one, other), in_56, "{one} {other}");
    }
    // Behind a proxy it is the same, and a proxy is one in either spelling.
    let client = behind(ForwardedIn::XForwardedFor);
    for (peer, address, expected) in [
        ("::ffff:10.1.1.1", "2001:DB8:0:0:ffff::1", "2001:db8::"),
        ("10.1.1.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("fd00::1", "198.51.100.7, ::ffff:10.2.2.2", "198.51.100.7"),
    ] {
        let request = from(peer, &[("x-forwarded-for", address)]);
        assert!(is_counted_as(&client, &request, expected), "{peer} {address}");
    }
}

#[test]
fn r06_a_value_of_a_megabyte_is_one_key_of_16_bytes() {
    let by = LimitBy::header(HeaderName::from_static("x-api-key"));
    let with = |value: Vec<u8>| {
        let mut request = Request::new(());
        request.headers_mut().insert("x-api-key", HeaderValue::from_bytes(&value).unwrap());
        key(&by, &request).unwrap()
    };
    let long = vec![b'a'; 1 << 20];
    let first = with(long.clone());
    assert_eq!(first, with(long.clone()));
    assert_eq!(size_of_val(&first), 16);
    // A byte counts wherever it stands, and so does the length.
    for at in [0, 1 << 19, (1 << 20) - 1] {
        let mut other = long.clone();
        other[at] = b'b';
        assert_ne!(first, with(other));
    }
    assert_ne!(first, with(long[1..].to_vec()));
    let shown = format!("{by:?} {first:?}");
    assert_eq!(shown, "LimitBy::header(x-api-key) LimitKey(..)");
}

#[test]
fn one_limit_knows_a_client_by_what_either_server_says() {
    let by = LimitBy::client(
        ClientAddress::of_peer(|info: &ConnectInfo<SocketAddr>| info.0.ip())
            .or_of_peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip())),
    );
    let address = SocketAddr::from(([203, 0, 113, 9], 50_000));
    let (mut http, mut grpc) = (Request::new(()), Request::new(()));
    http.extensions_mut().insert(ConnectInfo(address));
    let info = |remote_addr| TcpConnectInfo { local_addr: None, remote_addr };
    grpc.extensions_mut().insert(info(Some(address)));
    assert!(key(&by, &http).is_some());
    assert_eq!(key(&by, &http), key(&by, &grpc));
    let alone =
        LimitBy::peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip()));
    assert_eq!(key(&alone, &grpc), key(&by, &grpc));
    // Such as over a socket of the file system.
    grpc.extensions_mut().insert(info(None));
    assert!(key(&by, &grpc).is_none());
}

/// What clients and proxies write, and what they do not.
fn snippets() -> impl Strategy<Value = Vec<u8>> {
    let text = r#"([ ,;="\\\[\]:%_]|for=|by=|unknown|1\.2\.3\.4|10\.2\.2\.2|\[2001:db8::1\]|::ffff:10\.1\.1\.1|:80|0|f){0,16}"#;
    prop_oneof![
        text.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_filter("no value", |bytes| HeaderValue::from_bytes(bytes).is_ok()),
    ]
}

/// Every address that can be read anywhere in these bytes.
fn addresses(bytes: &[u8]) -> Vec<IpAddr> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    // An escape is none of what it escapes.
    let bytes: Vec<u8> = bytes.iter().filter(|byte| **byte != b'\\').copied().collect();
    let mut found = Vec::new();
    for text in bytes.split(|byte| !is_part(byte)) {
        let text = std::str::from_utf8(text).unwrap();
        let ends =
            (0..=text.len()).rev().take(8).filter_map(|end| text[..end].parse::<IpAddr>().ok());
        found.extend(ends.map(|address| address.to_canonical()));
    }
    found
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn r01_r02_a_client_is_the_peer_or_an_address_that_stands_in_the_field(
        name in prop::sample::select(FIELDS.to_vec()),
        lines in prop::collection::vec(snippets(), 0..4),
        is_proxy: bool,
    ) {
        let peer: IpAddr = if is_proxy { [10, 1, 1, 1] } else { [203, 0, 113, 9] }.into();
        let request = with_bytes(peer, lines.iter().map(|line| (name, line.clone())));
        let found = behind(field(name)).address_of((&request).into()).unwrap();
        let stands = lines.iter().any(|line| addresses(line).contains(&found));
        prop_assert!(found == peer || is_proxy && stands, "{found}");
    }

    #[test]
    fn r02_nothing_left_of_what_a_proxy_appended_changes_the_key(
        name in prop::sample::select(FIELDS.to_vec()),
        left in snippets(),
        more in snippets(),
        proxies in 0usize..4,
    ) {
        let mut right = member(name, "[2001:db8::1]:4711");
        for _ in 0..proxies {
            right += ", ";
            right += &member(name, "10.2.2.2");
        }
        let one_line = [&left[..], b",", right.as_bytes()].concat();
        for lines in [vec![one_line.clone()], vec![more, left, right.into_bytes()]] {
            let request = with_bytes([10, 1, 1, 1].into(), lines.into_iter().map(|line| (name, line)));
            prop_assert!(is_counted_as(&behind(field(name)), &request, "2001:db8::"));
        }
    }
}
