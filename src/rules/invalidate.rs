//! Which stored responses a write makes unusable (RFC 9111 §4.4).

use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, Uri};

use crate::fields::groups;
use crate::rules::tags::TAGS_MAX;

/// The targets, beside the request's own, that the response to a write names: those of Location and
/// Content-Location that have the same origin. `None` where the response is an error, and so makes nothing
/// unusable.
///
/// `base` is the scheme, authority and target of the request, in their canonical form.
pub(crate) fn invalidated(
    status: StatusCode,
    headers: &HeaderMap,
    base: (&str, &str, &str),
) -> Option<Vec<String>> {
    // RFC 9111 §4.4: a non-error response is one with a 2xx or 3xx status.
    if !(status.is_success() || status.is_redirection()) {
        return None;
    }
    let mut targets = Vec::new();
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        targets.extend(same_origin(headers, &name, base));
    }
    Some(targets)
}

/// The groups that the response to a write makes unusable, whatever its status (RFC 9875 §3). A list that
/// cannot be read names none.
pub(crate) fn invalidated_groups(headers: &HeaderMap) -> Vec<Box<str>> {
    let mut groups =
        groups::strings(headers, &groups::CACHE_GROUP_INVALIDATION).unwrap_or_default();
    groups.truncate(TAGS_MAX);
    groups
}

/// Whether the response to a POST is itself the representation that a GET would have got (RFC 9110 §9.3.3).
pub(crate) fn describes_target(headers: &HeaderMap, base: (&str, &str, &str)) -> bool {
    same_origin(headers, &header::CONTENT_LOCATION, base).as_deref() == Some(base.2)
}

fn same_origin(
    headers: &HeaderMap,
    name: &HeaderName,
    (scheme, authority, target): (&str, &str, &str),
) -> Option<String> {
    let reference = headers.get(name)?.to_str().ok()?;
    let reference = reference.split('#').next().unwrap_or_default();
    let rest = match reference.strip_prefix("//") {
        Some(_) => format!("{scheme}:{reference}"),
        None => reference.to_owned(),
    };
    if !has_scheme(&rest) {
        return Some(resolved(target, &rest));
    }
    let uri: Uri = rest.parse().ok()?;
    let same_scheme = uri.scheme_str().is_some_and(|other| other.eq_ignore_ascii_case(scheme));
    let other = uri.authority()?.as_str().to_ascii_lowercase();
    let implied = if scheme == "https" { ":443" } else { ":80" };
    let other = other.strip_suffix(implied).unwrap_or(&other);
    let path = uri.path_and_query().map_or("/", |target| target.as_str());
    (same_scheme && other == authority).then(|| path.to_owned())
}

/// RFC 3986 §3.1: whether a reference begins with a scheme.
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || matches!(each, '+' | '-' | '.'))
}

/// RFC 3986 §5.2.2, for references without scheme and authority.
fn resolved(target: &str, reference: &str) -> String {
    let base_path = target.split('?').next().unwrap_or_default();
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let merged = if path.is_empty() {
        let same = if query.is_none() { target } else { base_path };
        same.to_owned()
    } else if path.starts_with('/') {
        without_dots(path)
    } else {
        let folder = base_path.rfind('/').and_then(|at| base_path.get(..=at)).unwrap_or("/");
        without_dots(&format!("{folder}{path}"))
    };
    match query {
        Some(query) => format!("{merged}?{query}"),
        None => merged,
    }
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let mut ends_in_folder = false;
    for segment in segments {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    if ends_in_folder || out.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const BASE: (&str, &str, &str) = ("http", "a.test", "/users/7?x=1");

    fn located(reference: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(reference).unwrap());
        invalidated(StatusCode::OK, &headers, BASE).unwrap().pop()
    }

    #[test]
    fn references_resolve_against_the_target() {
        for (reference, expected) in [
            ("/b", "/b"),
            ("8", "/users/8"),
            ("../b", "/b"),
            ("../../../b", "/b"),
            ("./", "/users/"),
            ("?y", "/users/7?y"),
            ("", "/users/7?x=1"),
            ("//a.test/c", "/c"),
            ("http://A.test:80/c?d", "/c?d"),
            ("http://a.test", "/"),
            ("/b#part", "/b"),
        ] {
            assert_eq!(located(reference).as_deref(), Some(expected), "{reference}");
        }
    }

    #[test]
    fn other_origins_are_left_alone() {
        for reference in
            ["http://b.test/c", "https://a.test/c", "//b.test/c", "http://a.test:81/c", "urn:x:y"]
        {
            assert_eq!(located(reference), None, "{reference}");
        }
    }

    #[test]
    fn errors_make_nothing_unusable() {
        assert_eq!(invalidated(StatusCode::BAD_REQUEST, &HeaderMap::new(), BASE), None);
        assert_eq!(invalidated(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), BASE), None);
        assert_eq!(invalidated(StatusCode::SEE_OTHER, &HeaderMap::new(), BASE), Some(Vec::new()));
    }
}
