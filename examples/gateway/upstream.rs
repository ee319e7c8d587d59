//! The upstream's address, and how a request's target becomes one there.

use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

#[derive(Debug)]
pub(crate) struct Upstream {
    authority: Authority,
    /// Goes before every path; empty, or `/base` without a slash at its end.
    base: String,
}

impl Upstream {
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        let expected =
            || "expected http://HOST[:PORT][/BASE], such as http://127.0.0.1:9000".to_owned();
        let uri: Uri = value.parse().map_err(|_| expected())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err("this example speaks no TLS to the upstream; expected http://".into());
            }
            _ => return Err(expected()),
        }
        let authority = uri.authority().ok_or_else(expected)?;
        // `http::Uri` drops a fragment in silence.
        if uri.query().is_some() || value.contains(['#', '@']) || authority.host().is_empty() {
            return Err(expected());
        }
        Ok(Self { authority: authority.clone(), base: uri.path().trim_end_matches('/').to_owned() })
    }

    /// The request's path and query, byte for byte, at the upstream. `None` when base and path together are too long
    /// for a URI.
    pub(crate) fn target(&self, request: &Uri) -> Option<Uri> {
        let arrived = request.path_and_query().map_or("/", PathAndQuery::as_str);
        // `OPTIONS *` asks about the server, not about a path (RFC 9112 §3.2.4). In absolute form the path may be
        // missing, which is `/` (RFC 9110 §4.2.3).
        let path_and_query = match arrived {
            "*" => arrived.parse(),
            _ if arrived.starts_with('/') && self.base.is_empty() => arrived.parse(),
            _ if arrived.starts_with('/') => format!("{}{arrived}", self.base).parse(),
            _ => format!("{}/{arrived}", self.base).parse(),
        };
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query.ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// The Host that stands for a target that names its authority itself: it goes before a Host field
/// (RFC 9112 §3.2.2, RFC 9113 §8.3.1). User information has no place in it.
pub(crate) fn host_of(request: &Uri) -> Option<HeaderValue> {
    let authority = request.authority()?.as_str();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    HeaderValue::from_str(host).ok()
}
