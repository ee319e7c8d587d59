//! Fields that belong to one connection and must not pass a gateway (RFC 9110 §7.6.1).

use http::header::{
    CONNECTION, COOKIE, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

/// Removes what belongs to the client's connection, and names again what is meant for the upstream's: an upgrade and
/// `TE: trailers`.
pub(crate) fn clean_request(fields: &mut HeaderMap, version: Version) {
    // HTTP/1.0 has no upgrade (RFC 9110 §7.8), HTTP/2 neither (RFC 9113 §8.6).
    let upgrade = (version == Version::HTTP_11).then(|| upgrade_wanted(fields)).flatten();
    let trailers = members(fields, &TE).any(|member| member.eq_ignore_ascii_case("trailers"));
    remove_connection_fields(fields);
    if trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
        // RFC 9110 §10.1.4: who sends TE lists it in Connection.
        fields.append(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(protocol) = upgrade {
        fields.insert(UPGRADE, protocol);
        fields.append(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if version == Version::HTTP_2 {
        join_cookies(fields);
    }
}

/// Removes what belongs to the upstream's connection. The protocol that a 101 switches to (RFC 9110 §15.2.2) and that
/// a 426 asks for (§15.5.22) is told to the client.
pub(crate) fn clean_response(fields: &mut HeaderMap, status: StatusCode) {
    let upgrade = match status {
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED => {
            fields.get(UPGRADE).cloned()
        }
        _ => None,
    };
    remove_connection_fields(fields);
    if let Some(protocol) = upgrade {
        fields.insert(UPGRADE, protocol);
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// The protocols that a request would switch to.
pub(crate) fn upgrade_wanted(fields: &HeaderMap) -> Option<HeaderValue> {
    let listed = members(fields, &CONNECTION).any(|member| member.eq_ignore_ascii_case("upgrade"));
    let h2c = members(fields, &UPGRADE).any(|member| member.eq_ignore_ascii_case("h2c"));
    match listed && !h2c {
        true => fields.get(UPGRADE).cloned(),
        false => None,
    }
}

fn remove_connection_fields(fields: &mut HeaderMap) {
    let listed: Vec<HeaderName> =
        members(fields, &CONNECTION).filter_map(|member| member.parse().ok()).collect();
    for name in listed {
        fields.remove(name);
    }
    for name in &OF_ONE_CONNECTION {
        fields.remove(name);
    }
}

/// HTTP/2 may split Cookie; elsewhere it is one line (RFC 9113 §8.2.3).
fn join_cookies(fields: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(mut cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        cookie.set_sensitive(true);
        fields.insert(COOKIE, cookie);
    }
}

fn members<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    fields
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

// Trailer is not among them: RFC 9110 does not count it so, trailers are relayed, and hyper writes only those that it
// announces. The two Proxy fields are for the hop that asked for them (§11.7), and no client may ask this one.
const OF_ONE_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
];
