//! How often the key of a request asks for memory: never. The one test of its own program: it counts what every thread does.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Request};
use tower_keep::head::Principal;
use tower_keep::limit::{ClientAddress, ForwardedIn, LimitBy, Network};

fn request() -> Request<()> {
    let mut request = Request::get("/a?b").body(()).unwrap();
    let forwarded = r#"for="\1.2.3.4;x, for="[2001:db8::\1]:80";host="a,\"b\"", for=10.2.2.2"#;
    let key = "a".repeat(1 << 20);
    for (name, line) in [
        ("x-forwarded-for", "1.2.3.4, 198.51.100.7:55123"),
        ("x-forwarded-for", "[fd00::1]:80, ::ffff:10.2.2.2"),
        ("forwarded", forwarded),
        ("x-api-key", "first"),
        ("x-api-key", &key),
    ] {
        request.headers_mut().append(name, HeaderValue::from_str(line).unwrap());
    }
    request.extensions_mut().insert(IpAddr::from([10, 0, 0, 1]));
    request.extensions_mut().insert(Principal::new("sessions", "user:7"));
    request
}

#[test]
fn r06_making_a_key_asks_for_no_memory() {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse::<Network>().unwrap());
    let peer = || ClientAddress::of_peer(|peer: &IpAddr| *peer);
    let client = |field| LimitBy::client(peer().behind(networks, field));
    let all = [
        LimitBy::peer(|peer: &IpAddr| *peer),
        client(ForwardedIn::XForwardedFor),
        client(ForwardedIn::Forwarded),
        LimitBy::header(HeaderName::from_static("x-api-key")),
        LimitBy::principal(),
    ];
    let request = request();
    let found = |field| peer().behind(networks, field).address_of((&request).into()).unwrap();
    assert_eq!(found(ForwardedIn::XForwardedFor).to_string(), "198.51.100.7");
    assert_eq!(found(ForwardedIn::Forwarded).to_string(), "2001:db8::1");
    let combined = all.iter().cloned().reduce(LimitBy::and).unwrap();
    for by in all.iter().chain([&combined]) {
        let mut key = None;
        let asked = allocation_counter::measure(|| key = by.key_of((&request).into(), &[7; 16]));
        assert!(key.is_some(), "{by:?}");
        assert_eq!(asked.count_total, 0, "{by:?}");
    }
}
