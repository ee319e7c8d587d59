//! What clients and proxies write into the fields that tell from whom a request comes: any bytes, any lines.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use tower_keep::limit::{ClientAddress, ForwardedIn, LimitBy, Network};

const NAMES: [&str; 3] = ["x-forwarded-for", "forwarded", "cf-connecting-ip"];
const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, 1));
/// What the walk reads unless more is asked for.
const HOPS_MAX: usize = 16;

fuzz_target!(|input: &[u8]| {
    let [which, input @ ..] = input else { return };
    let name = HeaderName::from_static(NAMES[usize::from(*which) % NAMES.len()]);
    let is_list = name != "forwarded";
    let lines = lines(&name, input);
    let client = |fields: &HeaderMap, peer| found(&name, fields, peer);

    let outside = IpAddr::from([203, 0, 113, 9]);
    assert_eq!(client(&lines, outside), outside, "no proxy, and it was believed");

    let members = expected(&lines, &name, is_list);
    if let Some(members) = members {
        assert_eq!(client(&lines, PROXY), walked(&members), "{lines:?}");
    }
    // Nothing on the left changes what a proxy has appended.
    let said = "[2001:db8::1]:4711";
    for appended in [format!("for=\"{said}\""), format!("by=x;FOR=\"\\{said}\";host=\"a\\\\,\\\"\"")] {
        let appended = if is_list { said.to_owned() } else { appended };
        let mut more = lines.clone();
        more.append(&name, appended.parse().expect("a value"));
        assert_eq!(client(&more, PROXY).to_string(), "2001:db8::1");
        for line in lines.get_all(&name) {
            let line = [line.as_bytes(), b",", appended.as_bytes()].concat();
            let line = HeaderValue::from_bytes(&line).expect("still a value");
            let one = HeaderMap::from_iter([(name.clone(), line)]);
            assert_eq!(client(&one, PROXY).to_string(), "2001:db8::1");
        }
    }
});

/// A line for each line of the input; what a server would not take in is left out.
fn lines(name: &HeaderName, input: &[u8]) -> HeaderMap {
    let values = input.split(|byte| *byte == b'\n').take(16).map(HeaderValue::from_bytes);
    let mut map = HeaderMap::new();
    for value in values.flatten() {
        map.append(name, value);
    }
    map
}

fn found(name: &HeaderName, fields: &HeaderMap, peer: IpAddr) -> IpAddr {
    let client = ClientAddress::of_peer(|peer: &IpAddr| *peer)
        .behind(networks(), ForwardedIn::from(name.clone()));
    let mut request = Request::new(());
    *request.headers_mut() = fields.clone();
    request.extensions_mut().insert(peer);
    let found = client.address_of((&request).into()).expect("there is a peer");
    // Counted is what was found.
    let mut direct = Request::new(());
    direct.extensions_mut().insert(found);
    let by = LimitBy::client(client);
    let key = |request: &Request<()>| by.key_of(request.into(), &[0; 16]);
    if !networks().iter().any(|network| network.contains(found)) {
        assert_eq!(key(&request), key(&direct));
    }
    found
}

fn networks() -> [Network; 2] {
    ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"))
}

/// The walk over what all members say, from the last.
fn walked(members: &[Option<IpAddr>]) -> IpAddr {
    let mut client = PROXY;
    for member in members.iter().rev().take(HOPS_MAX) {
        let (true, Some(address)) = (networks().iter().any(|one| one.contains(client)), member)
        else {
            break;
        };
        client = *address;
    }
    client
}

/// What all members say, read from the left; `None` for a field that only a reader from the right understands.
fn expected(lines: &HeaderMap, name: &HeaderName, is_list: bool) -> Option<Vec<Option<IpAddr>>> {
    let mut members = Vec::new();
    for line in lines.get_all(name) {
        if is_list {
            members.extend(line.as_bytes().split(|byte| *byte == b',').map(address));
        } else {
            members.extend(forwarded(line.as_bytes())?);
        }
    }
    Some(members)
}

/// RFC 7239 §4, by the letter and from the left. `None` where it is not by the letter.
fn forwarded(line: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let mut members = Vec::new();
    let mut rest = line;
    loop {
        let (mut found, mut count) = (None, 0);
        loop {
            let name: Vec<u8> = rest.iter().take_while(|byte| is_token(byte)).copied().collect();
            let [b'=', tail @ ..] = &rest[name.len()..] else { return None };
            let mut value = Vec::new();
            rest = tail;
            if let [b'"', tail @ ..] = rest {
                rest = tail;
                loop {
                    let (byte, tail) = match rest {
                        [b'"', tail @ ..] => break rest = tail,
                        [b'\\', byte, tail @ ..] | [byte, tail @ ..] => (byte, tail),
                        [] => return None,
                    };
                    value.push(*byte);
                    rest = tail;
                }
            } else {
                value.extend(rest.iter().take_while(|byte| is_token(byte)));
                rest = &rest[value.len()..];
                if value.is_empty() {
                    return None;
                }
            }
            if name.is_empty() {
                return None;
            }
            if name.eq_ignore_ascii_case(b"for") {
                (found, count) = (Some(value), count + 1);
            }
            let [b';', tail @ ..] = rest else { break };
            rest = tail;
        }
        let only = found.filter(|value| count == 1 && !value.iter().any(u8::is_ascii_whitespace));
        members.push(only.and_then(|value| address(&value)));
        rest = rest.trim_ascii_start();
        match rest {
            [] => return Some(members),
            [b',', tail @ ..] => rest = tail.trim_ascii_start(),
            _ => return None,
        }
    }
}

/// As the standard library reads it, with every port made one.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    if text.contains('%') {
        return None;
    }
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => (1..6).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let bracketed = format!("{text}:1");
    let with_port = match text.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.is_empty() => format!("{host}:1"),
        _ => String::new(),
    };
    let socket = |text: &str| text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = text.starts_with('[').then(|| socket(&bracketed)).flatten();
    let address = text.parse().ok().or(bracketed).or_else(|| socket(&with_port));
    // No address with its port is as long.
    address.filter(|_| text.len() <= 64).map(|address: IpAddr| address.to_canonical())
}
