use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::oneshot;

use super::program::{Gateway, soon};
use super::wire::{open, read_until, send};
use super::{origin, wire};

#[tokio::test]
async fn method_target_and_fields_pass_byte_for_byte() {
    let gateway = Gateway::before(origin::echo().await).await;
    for (method, target) in [
        ("GET", "/a/../b//c;x=1/%2f%00?q=%20&q=a+b&&"),
        ("M-SEARCH", "/"),
        ("OPTIONS", "*"),
        ("DELETE", "/?"),
    ] {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: a.test:8\r\nX-Field: one, two\r\nConnection: close\r\n\r\n"
        );
        let reply = send(gateway.public, &request).await;
        assert_eq!(reply.status(), 200, "{method} {target}");
        assert!(reply.body.starts_with(&format!("{method} {target}\n")), "{}", reply.body);
        assert!(reply.body.contains("host: a.test:8\n"), "{}", reply.body);
        assert!(reply.body.contains("x-field: one, two\n"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_base_path_goes_before_the_path() {
    let echo = origin::echo().await;
    let gateway = Gateway::with(format!("{echo}/base/"), &[]).await;
    let reply = gateway.get("/a/%2e?q=/").await;
    assert!(reply.body.starts_with("GET /base/a/%2e?q=/\n"), "{}", reply.body);
}

#[tokio::test]
async fn a_target_that_names_its_authority_goes_before_host() {
    let gateway = Gateway::before(origin::echo().await).await;
    let request = "GET http://b.test?q=1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let reply = send(gateway.public, request).await;
    assert!(reply.body.starts_with("GET /?q=1\n"), "{}", reply.body);
    assert!(reply.body.contains("host: b.test\n"), "{}", reply.body);
    assert!(!reply.body.contains("a.test"), "{}", reply.body);
}

#[tokio::test]
async fn unknown_status_and_its_phrase_pass() {
    let response = "HTTP/1.1 999 Not Of This World\r\nContent-Length: 2\r\nX-Mine: 1\r\n\r\nhi";
    let gateway = Gateway::before(origin::saying(response).await).await;
    let reply = gateway.get("/").await;
    assert_eq!(reply.status_line, "HTTP/1.1 999 Not Of This World");
    assert_eq!(reply.field("x-mine"), Some("1"));
    assert_eq!(reply.body, "hi");
}

#[tokio::test]
async fn fields_of_the_clients_connection_are_removed_and_via_is_added() {
    let gateway = Gateway::before(origin::echo().await).await;
    let fields = "Connection: X-Hop, TE, Upgrade\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
                  Proxy-Authorization: Basic eDp5\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nVia: 1.0 before\r\n";
    let reply = gateway.get_with("/", fields).await;
    for gone in
        ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "gzip"]
    {
        assert!(!reply.body.contains(gone), "{gone} in {}", reply.body);
    }
    assert!(reply.body.contains("te: trailers\n"), "{}", reply.body);
    assert!(reply.body.contains("via: 1.0 before\nvia: 1.1 gateway\n"), "{}", reply.body);
}

#[tokio::test]
async fn fields_of_the_upstreams_connection_are_removed() {
    let response = "HTTP/1.1 200 OK\r\nConnection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                    Proxy-Connection: x\r\nUpgrade: x\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nhi";
    let gateway = Gateway::before(origin::saying(response).await).await;
    let reply = gateway.get("/").await;
    for gone in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(reply.field(gone), None, "{gone}");
    }
    assert_eq!(reply.field("x-mine"), Some("1"));
    assert_eq!(reply.body, "hi");
}

#[tokio::test]
async fn http_2_requests_pass_with_one_cookie_line() {
    let gateway = Gateway::before(origin::echo().await).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let request = Request::get(format!("http://{}/two", gateway.public))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Body::empty())
        .unwrap();
    let response = soon(client.request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with("GET /two\n"), "{text}");
    assert!(text.contains(&format!("host: {}\n", gateway.public)), "{text}");
    assert!(text.contains("cookie: a=1; b=2\n"), "{text}");
    assert!(text.contains("via: 2 gateway\n"), "{text}");
}

#[tokio::test]
async fn c43_an_upgraded_connection_carries_both_directions() {
    let (listener, address) = origin::bind().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.contains("connection: upgrade\r\n"), "{head}");
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nready";
        stream.write_all(switch).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let gateway = Gateway::before(address).await;
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut stream = open(gateway.public, request).await;
    let reply = read_until(&mut stream, "ready").await;
    assert!(reply.starts_with("HTTP/1.1 101 "), "{reply}");
    assert!(reply.contains("upgrade: echo\r\n"), "{reply}");
    stream.write_all(b"ping").await.unwrap();
    assert_eq!(read_until(&mut stream, "ping").await, "ping");
    stream.shutdown().await.unwrap();
    assert_eq!(wire::read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_502() {
    let response =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let gateway = Gateway::before(origin::saying(response).await).await;
    assert_eq!(gateway.get("/").await.status(), 502);
}

#[tokio::test]
async fn c43_connect_is_answered_405() {
    let gateway = Gateway::before(origin::echo().await).await;
    let request = "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\nConnection: close\r\n\r\n";
    let reply = send(gateway.public, request).await;
    assert_eq!(reply.status(), 405);
    assert_eq!(reply.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_unreachable_upstream_is_502() {
    let gateway = Gateway::before(origin::nobody().await).await;
    let reply = gateway.get("/").await;
    assert_eq!(reply.status(), 502);
    assert_eq!(reply.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_502() {
    let gateway = Gateway::before(origin::saying("").await).await;
    assert_eq!(gateway.get("/").await.status(), 502);
}

#[tokio::test]
async fn interim_responses_arrive_before_the_final_one() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    for together in [true, false] {
        let (listener, address) = origin::bind().await;
        let (hinted, seen) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(hint.as_bytes()).await.unwrap();
            match together {
                true => stream.write_all(hint.as_bytes()).await.unwrap(),
                false => seen.await.unwrap(),
            }
            stream.write_all(last.as_bytes()).await.unwrap();
        });
        let gateway = Gateway::before(address).await;
        let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        let mut stream = open(gateway.public, request).await;
        let expected = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
        let mut text = String::new();
        if !together {
            text = read_until(&mut stream, "\r\n\r\n").await;
            assert_eq!(text, expected);
            hinted.send(()).unwrap();
        }
        text.push_str(&wire::read_to_end(&mut stream).await);
        let hints = expected.repeat(if together { 2 } else { 1 });
        let rest = text.strip_prefix(&hints).expect(&text);
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("\r\n\r\nhi"), "{rest}");
    }
}

/// RFC 9110 §2.5.
#[tokio::test]
async fn a_response_has_the_gateways_own_version() {
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let gateway = Gateway::before(origin::saying(old).await).await;
    let reply = gateway.get("/").await;
    assert_eq!((reply.status_line.as_str(), reply.body.as_str()), ("HTTP/1.1 200 OK", "ok"));
}
