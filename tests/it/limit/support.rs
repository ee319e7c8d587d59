//! Requests that come from somewhere, and whether they are counted together.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Request};
use tower_keep::limit::{ClientAddress, ForwardedIn, LimitBy, LimitKey, Network};

/// What a server says of the other end of a connection.
#[derive(Clone)]
pub struct Peer(pub IpAddr);

pub type Fields<'a> = &'a [(&'a str, &'a str)];

pub fn from(peer: &str, fields: Fields<'_>) -> Request<()> {
    let lines = fields.iter().map(|(name, value)| (*name, value.as_bytes().to_vec()));
    with_bytes(peer.parse().unwrap(), lines)
}

pub fn with_bytes<'a>(
    peer: IpAddr,
    lines: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(Peer(peer));
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(&value).unwrap());
    }
    request
}

pub fn of_peer() -> ClientAddress {
    ClientAddress::of_peer(|peer: &Peer| peer.0)
}

/// Behind proxies in the networks that the vectors trust.
pub fn behind(field: ForwardedIn) -> ClientAddress {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse::<Network>().unwrap());
    of_peer().behind(networks, field)
}

pub fn key(by: &LimitBy, request: &Request<()>) -> Option<LimitKey> {
    by.key_of(request.into(), &[7; 16])
}

/// Whether the request is counted with those that come from this address directly.
pub fn is_counted_as(client: &ClientAddress, request: &Request<()>, address: &str) -> bool {
    let by = LimitBy::client(client.clone());
    let key = key(&by, request);
    key.is_some() && key == self::key(&by, &from(address, &[]))
}
