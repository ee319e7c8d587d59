//! Which URLs may be asked for keys, and where an issuer's metadata is. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// Which schemes may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schemes {
    Https,
    /// And `http`, to this machine alone.
    HttpToLoopback,
}

/// Where the metadata of an issuer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    /// OpenID Connect Discovery 1.0 §4.
    OpenId,
    /// RFC 8414 §3.
    OAuth,
}

/// The URL that this text is, if it may be asked: absolute, without userinfo and fragment, over TLS but for the exception.
pub(super) fn admitted(text: &str, schemes: Schemes) -> Option<Uri> {
    // RFC 3986 §2: its characters alone, so that no client reads it in another way. A fragment would be dropped in silence.
    if !text.bytes().all(is_of_url) || text.len() > BYTES_MAX {
        return None;
    }
    let url: Uri = text.parse().ok()?;
    let authority = url.authority()?;
    let host = authority.host();
    // RFC 9110 §4.2.4.
    if authority.as_str().contains('@') || host.is_empty() {
        return None;
    }
    let behind = authority.as_str().strip_prefix(host)?;
    if !behind.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return None;
    }
    let is_allowed = match url.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => {
            schemes == Schemes::HttpToLoopback && is_loopback(host)
        }
        _ => false,
    };
    is_allowed.then_some(url)
}

/// Where the metadata of this issuer is, if an issuer may be so called (RFC 8414 §2: no query and no fragment).
pub(super) fn metadata(issuer: &str, schemes: Schemes, metadata: Metadata) -> Option<Uri> {
    let url = admitted(issuer, schemes).filter(|url| url.query().is_none())?;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let path = url.path().strip_suffix('/').unwrap_or(url.path());
    let text = match metadata {
        Metadata::OpenId => {
            format!("{scheme}://{authority}{path}/.well-known/openid-configuration")
        }
        Metadata::OAuth => {
            format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}")
        }
    };
    admitted(&text, schemes)
}

/// What schemes the metadata of a document may name: one that came over TLS names no server of this machine.
pub(super) fn schemes_of(document: &Uri, schemes: Schemes) -> Schemes {
    if document.scheme() == Some(&Scheme::HTTP) { schemes } else { Schemes::Https }
}

/// RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3.
fn is_loopback(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(address) => address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        }
    }
}

/// RFC 3986 §2.2, §2.3, less `#`.
fn is_of_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte)
}

const BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_may_be_asked_and_http_only_to_loopback_by_name() {
        for url in [
            "https://a.test",
            "https://a.test/jwks?p=x",
            "https://a.test:8443/",
            "https://[2001:db8::1]:1/x",
            "HTTPS://a.test/",
        ] {
            assert!(admitted(url, Schemes::Https).is_some(), "{url}");
            assert!(admitted(url, Schemes::HttpToLoopback).is_some(), "{url}");
        }
        for url in [
            "http://127.0.0.1/x",
            "http://127.9.9.9:80",
            "http://[::1]:8080/",
            "http://localhost/",
            "http://LocalHost:1",
        ] {
            assert!(admitted(url, Schemes::HttpToLoopback).is_some(), "{url}");
            assert!(admitted(url, Schemes::Https).is_none(), "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_url_may_not_be_asked() {
        for url in [
            "",
            "a.test",
            "/jwks",
            "*",
            "ftp://a.test/",
            "file:///etc/jwks",
            "https:///x",
            "https://",
            "http://a.test/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://127.0.0.1.a.test/",
            "http://localhost.a.test/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "https://user@a.test/",
            "https://user:word@a.test/",
            "https://@a.test/",
            "https://a.test:1@a.test:1/",
            "http://a.test@127.0.0.1/",
            "http://127.0.0.1@a.test/",
            "https://a.test/#keys",
            "https://a.test#",
            "https://a.test:/",
            "https://a.test:0/",
            "https://a.test:65536/",
            "https://a.test:x/",
            "https://a.test\\@b.test/",
            "https://a.test/\\x",
            "https://a.test/a b",
            "https://a.test/\n",
            " https://a.test/",
            "https://\u{e4}.test/",
            "https://a.test/\u{e4}",
        ] {
            assert!(admitted(url, Schemes::HttpToLoopback).is_none(), "{url:?}");
        }
        let long = format!("https://a.test/{}", "x".repeat(BYTES_MAX));
        assert!(admitted(&long, Schemes::Https).is_none());
    }

    #[test]
    fn metadata_is_where_each_specification_says() {
        let at = |issuer, kind| {
            metadata(issuer, Schemes::HttpToLoopback, kind).map(|url| url.to_string())
        };
        for (issuer, openid, oauth) in [
            (
                "https://a.test",
                "https://a.test/.well-known/openid-configuration",
                "https://a.test/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.test/",
                "https://a.test/.well-known/openid-configuration",
                "https://a.test/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.test:8443/one/two/",
                "https://a.test:8443/one/two/.well-known/openid-configuration",
                "https://a.test:8443/.well-known/oauth-authorization-server/one/two",
            ),
            (
                "http://127.0.0.1:1/x",
                "http://127.0.0.1:1/x/.well-known/openid-configuration",
                "http://127.0.0.1:1/.well-known/oauth-authorization-server/x",
            ),
        ] {
            assert_eq!(at(issuer, Metadata::OpenId).as_deref(), Some(openid));
            assert_eq!(at(issuer, Metadata::OAuth).as_deref(), Some(oauth));
        }
        for issuer in ["https://a.test/?x", "https://a.test?", "http://a.test", "a.test"] {
            assert_eq!(at(issuer, Metadata::OpenId), None, "{issuer}");
        }
    }

    #[test]
    fn a_document_that_came_over_tls_names_no_server_of_this_machine() {
        let of = |url: &str| schemes_of(&url.parse().unwrap(), Schemes::HttpToLoopback);
        assert_eq!(of("https://a.test/"), Schemes::Https);
        assert_eq!(of("http://127.0.0.1/"), Schemes::HttpToLoopback);
        let document = "http://127.0.0.1/".parse().unwrap();
        assert_eq!(schemes_of(&document, Schemes::Https), Schemes::Https);
    }
}
