//! Which fields of a response are stored, and which of a 304 replace them (RFC 9111 §3.1, §3.2).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::cache::lines::Lines;
use crate::fields::cache_control::{Qualified, ResponseDirectives};
use crate::fields::list;

/// The fields of `headers` that may be stored: none that belong to one connection, and none of `left_out`.
pub(crate) fn storable_lines<'a>(
    headers: &'a HeaderMap,
    left_out: &[HeaderName],
) -> Vec<(&'a HeaderName, &'a HeaderValue)> {
    let named = connection_names(headers);
    let keep = |name: &HeaderName| {
        !is_hop_by_hop(name)
            && !named.contains(name)
            && !left_out.contains(name)
            // Told anew on every use: RFC 9111 §4.2.3 and, for the length, the stored body itself.
            && *name != header::AGE
            && *name != header::CONTENT_LENGTH
    };
    // Two more may join them.
    let mut lines = Vec::with_capacity(headers.len() + 2);
    lines.extend(headers.iter().filter(|(name, _)| keep(name)));
    lines
}

/// A copy of those that may be stored: what came are slices of a connection's buffer, which they would hold.
pub(crate) fn storable_fields(headers: &HeaderMap, left_out: &[HeaderName]) -> HeaderMap {
    Lines::copied(&storable_lines(headers, left_out)).to_map()
}

/// Those of `names` that `headers` has: for the one client whose answer they came with.
pub(crate) fn withheld(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let held = headers.iter().filter(|(name, _)| names.contains(name));
    held.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// RFC 9111 §3.2: each field of a 304 replaces the stored lines of its name, but for those that frame or
/// code the stored body, which the 304 did not bring.
pub(crate) fn updated_fields(
    stored: &Lines,
    update: &HeaderMap,
    left_out: &[HeaderName],
) -> HeaderMap {
    let mut merged = stored.to_map();
    let update = storable_fields(update, left_out);
    let is_bound =
        |name: &HeaderName| *name == header::CONTENT_ENCODING || *name == header::CONTENT_RANGE;
    for name in update.keys().filter(|name| !is_bound(name)) {
        merged.remove(name);
        for value in update.get_all(name) {
            merged.append(name, value.clone());
        }
    }
    merged
}

/// `private` or `no-cache` with field names, as far as it can be obeyed by leaving the fields out of the
/// store (RFC 9111 §5.2.2.4, §5.2.2.7). Where that would change what the rest of the response means, the
/// directive counts for the whole of it.
pub(crate) fn obeyable(qualified: Qualified) -> Qualified {
    match qualified {
        Qualified::Fields(names) if names.iter().any(gives_meaning) => Qualified::Whole,
        other => other,
    }
}

/// The fields that these directives keep out of the store.
pub(crate) fn left_out_by(
    directives: &ResponseDirectives,
    private_counts: bool,
) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for (qualified, counts) in [(&directives.no_cache, true), (&directives.private, private_counts)]
    {
        if let (Qualified::Fields(fields), true) = (qualified, counts) {
            names.extend(fields.iter().cloned());
        }
    }
    names
}

/// The names that Connection lists (RFC 9110 §7.6.1).
pub(crate) fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    list::members(headers, header::CONNECTION)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect()
}

/// RFC 9110 §7.6.1, RFC 9111 §3.1.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    match name.as_str() {
        "te" | "trailer" | "upgrade" | "connection" | "keep-alive" | "transfer-encoding" => true,
        // `proxy-status` is for everybody.
        name => {
            matches!(
                name.strip_prefix("proxy-"),
                Some("authenticate" | "authentication-info" | "authorization" | "connection")
            )
        }
    }
}

fn gives_meaning(name: &HeaderName) -> bool {
    name.as_str().starts_with("content-") || MEANING.contains(name)
}

static MEANING: [HeaderName; 9] = [
    header::AGE,
    header::CACHE_CONTROL,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::TRANSFER_ENCODING,
    header::VARY,
];
