//! Scheme and authority: they come from one place, and are compared in one form.

use axum::body::Body;
use axum::{Router, routing::get};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{Partition, Reason};

use super::{each_has_its_own_entry, echo, echoed, is_never_stored, reason};
use crate::support::{Got, Harness, request};

/// A request as it came: what stands in its target, and in Host.
fn asked(target: &str, hosts: &[&str]) -> Request<Body> {
    let mut request = Request::get(target);
    for host in hosts {
        request = request.header("host", *host);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn c11_each_authority_has_its_own_entries() {
    let cache = echo();
    let hosts = [
        "a.test",
        "b.test",
        "a.test.",
        "a.test:8080",
        "a.test:443",
        "a.test:8",
        "a.test:0",
        "aa.test",
        "a.test.b.test",
        "xn--a.test",
        "127.0.0.1",
        "[::1]",
        "[::1]:8080",
        "[0:0:0:0:0:0:0:1]",
        "a",
    ];
    let requests = hosts.iter().map(|host| ((*host).to_owned(), asked("/x", &[host])));
    each_has_its_own_entry(&cache, requests.collect()).await;
}

#[tokio::test]
async fn c11_case_and_the_port_of_the_scheme_do_not_count() {
    let cache = echo();
    cache.send(asked("/x", &["a.test"])).await;
    for host in ["A.Test", "a.test:80", "A.TEST:80", "a.test:"] {
        assert!(cache.send(asked("/x", &[host])).await.is_hit(), "{host}");
    }
    let cache = Harness::with(|layer| layer.scheme(Scheme::HTTPS), echoed);
    cache.send(asked("/x", &["a.test"])).await;
    assert!(cache.send(asked("/x", &["a.test:443"])).await.is_hit());
    assert!(!cache.send(asked("/x", &["a.test:80"])).await.is_hit());
}

/// RFC 3986 §3.2.3: a port is digits only.
#[tokio::test]
async fn c11_what_is_no_authority_is_not_looked_up() {
    let cache = echo();
    cache.send(asked("/x", &["a.test"])).await;
    for host in [
        "",
        " ",
        ":80",
        "a.test:x",
        "a.test:80x",
        "a.test:99999",
        "a.test:-1",
        "a.test:+80",
        "a.test:80:80",
        "a|b",
        "a.test/x",
        "a.test?x",
        "a.test#x",
        "a test",
        "a.test, b.test",
        "user@a.test",
        "user:pass@a.test",
        "@a.test",
        "a.test\\b.test",
    ] {
        is_never_stored(&cache, host, Reason::Authority, &asked("/x", &[host])).await;
    }
    let mut beyond_ascii = asked("/x", &[]);
    let value = HeaderValue::from_bytes(b"a.test\xff").unwrap();
    beyond_ascii.headers_mut().insert(http::header::HOST, value);
    is_never_stored(&cache, "beyond ASCII", Reason::Authority, &beyond_ascii).await;
}

#[tokio::test]
async fn c11_an_authority_that_is_missing_or_contradicted_is_not_looked_up() {
    let cache = echo();
    cache.send(asked("/x", &["a.test"])).await;
    for (target, hosts) in [
        ("/x", &[][..]),
        ("/x", &["a.test", "a.test"]),
        ("/x", &["a.test", "b.test"]),
        ("http://a.test/x", &["b.test"]),
        ("http://b.test/x", &["a.test"]),
        ("http://a.test/x", &["a.test:81"]),
        ("http://a.test/x", &[""]),
        ("http://a.test/x", &["a.test", "a.test"]),
        ("http://user@a.test/x", &["a.test"]),
    ] {
        let what = format!("{target} {hosts:?}");
        is_never_stored(&cache, &what, Reason::Authority, &asked(target, hosts)).await;
    }
}

#[tokio::test]
async fn c11_authority_and_host_that_agree_are_one() {
    let cache = echo();
    cache.send(asked("/x", &["a.test"])).await;
    for (target, hosts) in [
        ("http://a.test/x", &[][..]),
        ("http://a.test/x", &["A.test:80"]),
        ("http://A.TEST:80/x", &["a.test"]),
        ("http://a.test:/x", &["a.test"]),
    ] {
        assert!(cache.send(asked(target, hosts)).await.is_hit(), "{target} {hosts:?}");
    }
}

#[tokio::test]
async fn c11_a_list_of_hosts_bounds_what_is_stored() {
    let cache = Harness::with(|layer| layer.hosts(["A.test", "b.test"]), echoed);
    for host in ["evil.test", "a.test.evil.test", "a.test.", "[::1]"] {
        is_never_stored(&cache, host, Reason::Host, &asked("/x", &[host])).await;
    }
    for host in ["a.test", "b.test:8080"] {
        cache.send(asked("/x", &[host])).await;
        assert!(cache.send(asked("/x", &[host])).await.is_hit(), "{host}");
    }
}

#[tokio::test]
async fn c12_http_and_https_never_share() {
    let targets = ["http://a.test/x", "https://a.test/x", "http://a.test:443/x"];
    // Nor where something else divides what is stored.
    for (name, value) in [("x-plain", "a"), ("x-host", "a"), ("x-tenant", "a")] {
        let tenant = Partition::header(HeaderName::from_static("x-tenant"));
        let cache = Harness::with(|layer| layer.partition_by(tenant), echoed);
        let requests = targets.map(|target| {
            let mut request = asked(target, &[]);
            request.headers_mut().insert(name, HeaderValue::from_static(value));
            (format!("{name} {target}"), request)
        });
        each_has_its_own_entry(&cache, requests.into()).await;
        let mut same = asked("https://a.test:443/x", &[]);
        same.headers_mut().insert(name, HeaderValue::from_static(value));
        assert!(cache.send(same).await.is_hit(), "{name}");
    }
}

#[tokio::test]
async fn c12_origin_form_has_the_scheme_of_the_layer() {
    for (scheme, other) in [(Scheme::HTTP, "https"), (Scheme::HTTPS, "http")] {
        let cache = Harness::with(|layer| layer.scheme(scheme.clone()), echoed);
        cache.send(asked("/x", &["a.test"])).await;
        assert!(cache.send(asked(&format!("{scheme}://a.test/x"), &[])).await.is_hit());
        assert!(!cache.send(asked(&format!("{other}://a.test/x"), &[])).await.is_hit());
    }
}

#[tokio::test]
async fn c12_clones_for_different_schemes_never_share() {
    let cache = echo();
    let clones = [Scheme::HTTP, Scheme::HTTPS].map(|scheme| cache.layer.clone().scheme(scheme));
    for is_hit in [false, true] {
        for layer in &clones {
            let service = layer.layer(cache.inner.clone());
            let response = service.oneshot(asked("/x", &["a.test"])).await.unwrap();
            assert_eq!(Got::read(response).await.is_hit(), is_hit);
        }
    }
}

#[tokio::test]
async fn c12_no_field_changes_the_scheme_unasked() {
    for (name, value) in [
        ("x-forwarded-proto", "https"),
        ("forwarded", "proto=https"),
        ("x-forwarded-scheme", "https"),
        ("x-forwarded-ssl", "on"),
        ("front-end-https", "on"),
        ("x-url-scheme", "https"),
    ] {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        let cache = echo();
        cache.send(asked("https://a.test/x", &[])).await;
        let mut read = asked("/x", &["a.test"]);
        read.headers_mut().insert(&name, value.clone());
        assert!(!cache.send(read).await.is_hit(), "{name}");
        // A write tells where a request is taken to lie: 443 is the port of https only.
        for host in ["a.test", "a.test:443"] {
            cache.send(asked("/x", &[host])).await;
        }
        let mut write = asked("/x", &["a.test:443"]);
        write.headers_mut().insert(&name, value);
        *write.method_mut() = http::Method::PUT;
        cache.send(write).await;
        assert!(cache.send(asked("/x", &["a.test"])).await.is_hit(), "{name}");
        assert!(!cache.send(asked("/x", &["a.test:443"])).await.is_hit(), "{name}");
    }
}

/// A write by a client who names no scheme is about the same resource.
#[tokio::test]
async fn c12_a_write_reaches_what_was_stored_for_the_other_scheme() {
    let targets = ["/x", "http://a.test/x", "https://a.test/x"];
    for written in targets {
        let cache = echo();
        for target in targets {
            cache.send(asked(target, &["a.test"])).await;
        }
        let mut write = asked(written, &["a.test"]);
        *write.method_mut() = http::Method::PUT;
        cache.send(write).await;
        for target in &targets[1..] {
            let got = cache.send(asked(target, &["a.test"])).await;
            assert!(!got.is_hit(), "PUT {written} left {target}");
        }
    }
}

#[tokio::test]
async fn c12_a_write_by_either_form_reaches_the_other() {
    for (form, other) in [("/x", "http://a.test/x"), ("http://a.test/x", "/x")] {
        let cache = echo();
        cache.send(asked(form, &["a.test"])).await;
        let mut write = asked(other, &["a.test"]);
        *write.method_mut() = http::Method::PUT;
        cache.send(write).await;
        assert!(!cache.send(asked(form, &["a.test"])).await.is_hit(), "{form}");
    }
}

/// Over a socket: what hyper makes of the two forms.
#[tokio::test]
async fn c12_absolute_form_and_origin_form_share_one_entry_on_the_wire() {
    let cache = echo();
    let app = Router::new().route("/x", get(|| async { ([("cache-control", "max-age=60")], "x") }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.layer(cache.layer.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let ask = async |head: &str| -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let message = format!("{head}\r\nConnection: close\r\n\r\n");
        socket.write_all(message.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(ask("GET /x HTTP/1.1\r\nHost: a.test").await.contains("fwd=uri-miss"));
    for hit in
        ["GET http://a.test/x HTTP/1.1\r\nHost: a.test", "GET /x HTTP/1.1\r\nHost: A.TEST:80"]
    {
        assert!(ask(hit).await.contains("tower-keep; hit"), "{hit}");
    }
    for split in [
        "GET http://b.test/x HTTP/1.1\r\nHost: a.test",
        "GET http://a.test/x HTTP/1.1\r\nHost: b.test",
        "GET /x HTTP/1.1\r\nHost: a.test\r\nHost: b.test",
        "GET http://evil@a.test/x HTTP/1.1\r\nHost: a.test",
    ] {
        assert!(!ask(split).await.contains("tower-keep; hit"), "{split}");
    }
    assert!(ask("GET https://a.test/x HTTP/1.1\r\nHost: a.test").await.contains("fwd=uri-miss"));
    server.abort();
}

#[tokio::test]
async fn c11_a_bypassed_authority_still_reaches_the_service() {
    let cache = echo();
    let got = cache.send(request("GET", "/x", &[("host", "a|b")])).await;
    assert_eq!(reason(&got), Some(Reason::Authority));
    assert!(got.body.contains("host: a|b"));
}
