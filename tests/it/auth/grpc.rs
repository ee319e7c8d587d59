//! Refusals of gRPC requests: a response of trailers only.

use std::convert::Infallible;

use axum::body::Body;
use http::{Request, Response};
use http_body::Body as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, RefusalKind, RequireClaim, RequireScope};
use tower_keep::test_util::ManualClock;

use super::guarded::{Guarded, PUBLIC, answer};
use super::scripted_keys::Script;
use super::tokens::{bearer, claims, signers, verifier};
use crate::support::request;
use crate::upgrades::serve;

/// What a request is, and what its answer is then.
const KINDS: [(&str, &str); 10] = [
    ("application/grpc", "application/grpc"),
    ("application/grpc+proto", "application/grpc"),
    ("application/grpc+json", "application/grpc"),
    ("application/grpc;v=1", "application/grpc"),
    ("Application/GRPC", "application/grpc"),
    ("application/grpc-web", "application/grpc-web"),
    ("application/grpc-web+proto", "application/grpc-web"),
    ("Application/Grpc-Web", "application/grpc-web"),
    ("application/grpc-web-text", "application/grpc-web-text"),
    ("application/grpc-web-text+proto", "application/grpc-web-text"),
];

type Fields = Vec<(&'static str, String)>;

/// Refused in each way that there is, with the status and the words of it.
fn refusing() -> Vec<(Guarded, Fields, &'static str, &'static str, RefusalKind)> {
    let line = || bearer("alice");
    let bad = "the token is not valid";
    let two = "the request must have one token, in one place";
    vec![
        (Guarded::new(), vec![], "16", "there is no token", RefusalKind::NoToken),
        (
            Guarded::new(),
            vec![("authorization", "Bearer a".into())],
            "16",
            bad,
            RefusalKind::InvalidToken,
        ),
        (
            Guarded::new(),
            vec![("authorization", "Bearer".into())],
            "16",
            two,
            RefusalKind::InvalidRequest,
        ),
        (
            Guarded::of(verifier(), Script::fixed(None)),
            vec![("authorization", line())],
            "14",
            "tokens cannot be verified at the moment",
            RefusalKind::Unavailable,
        ),
    ]
}

#[tokio::test]
async fn a_grpc_request_is_refused_by_trailers_only() {
    for (kind, family) in KINDS {
        for (guarded, mut fields, status, message, refusal) in refusing() {
            fields.push(("content-type", kind.into()));
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let sent = request("POST", "/echo.Echo/Say", &fields);
            let response = guarded.service.clone().oneshot(sent).await.unwrap();
            let said =
                |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(
                (response.status().as_u16(), said("grpc-status")),
                (200, Some(status)),
                "{kind}"
            );
            assert_eq!(
                (said("content-type"), said("grpc-message")),
                (Some(family), Some(message)),
                "{kind}"
            );
            assert_eq!((said("cache-control"), said("www-authenticate")), (Some("no-store"), None));
            assert_eq!(said("retry-after").is_some(), status == "14");
            assert!(response.body().is_end_stream(), "{kind}: nothing follows");
            assert_eq!(response.body().size_hint().exact(), Some(0));
            let answer = super::guarded::read(response).await;
            assert_eq!((&*answer.body, answer.kind()), ("", Some(refusal)));
            assert_eq!(guarded.inner.calls(), 0);
        }
    }
}

#[test]
fn a_grpc_request_whose_token_grants_too_little_has_permission_denied() {
    let guarded = Guarded::new();
    let line = bearer("alice");
    let fields = [("content-type", "application/grpc"), ("authorization", line.as_str())];
    let scope = guarded.layer.layer(RequireScope::new("admin").layer(guarded.inner.clone()));
    let claim = guarded.layer.layer(RequireClaim::new(|_| false).layer(guarded.inner.clone()));
    for (service, message, kind) in [
        (
            answer(scope, request("POST", "/", &fields)),
            "the scope of the token is too small",
            RefusalKind::InsufficientScope,
        ),
        (
            answer(claim, request("POST", "/", &fields)),
            "the token does not allow this",
            RefusalKind::Forbidden,
        ),
    ] {
        assert_eq!((service.status.as_u16(), service.field("grpc-status")), (200, Some("7")));
        assert_eq!((service.field("grpc-message"), service.kind()), (Some(message), Some(kind)));
        assert_eq!((service.field("cache-control"), &*service.body), (Some("no-store"), ""));
    }
    assert_eq!(guarded.inner.calls(), 0);
}

#[test]
fn what_is_not_grpc_is_refused_as_http() {
    let guarded = Guarded::new();
    for kind in [
        "application/json",
        "text/plain; application/grpc",
        "application/grp",
        "xapplication/grpc",
        "",
    ] {
        let refused = guarded.get(&[("content-type", kind)]);
        assert_eq!((refused.status.as_u16(), refused.field("grpc-status")), (401, None), "{kind}");
    }
}

/// On the wire: one frame, and it is the last.
#[tokio::test]
async fn a_grpc_refusal_is_a_single_frame_of_http_2() {
    let layer = JwtLayer::with_clock(verifier(), signers().keys(&PUBLIC), ManualClock::new());
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(
            Response::builder().header("grpc-status", "0").body(Body::from("\0\0\0\0\0")).unwrap(),
        )
    });
    let address = serve(layer.layer(inner)).await;
    let token = signers().token(Es256, &claims("alice"));
    for (line, is_good) in [
        ("Bearer a.b.c".to_owned(), false),
        (String::new(), false),
        (format!("Bearer {token}"), true),
    ] {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/echo.Echo/Say"),
            (":authority", "a.test"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("authorization", &line),
        ];
        let frames = exchange(TcpStream::connect(address).await.unwrap(), &fields).await;
        let expected: &[(u8, bool)] =
            if is_good { &[(HEADERS, false), (DATA, true)] } else { &[(HEADERS, true)] };
        assert_eq!(frames, expected, "{line}");
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Sends one request of these fields (RFC 9113), and reads the frames of its answer: the type of each, and whether it ends it.
async fn exchange(mut stream: TcpStream, fields: &[(&str, &str)]) -> Vec<(u8, bool)> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // RFC 7541 §6.2.2: a literal that is not indexed, and its name too.
        block.push(0);
        for text in [name, value] {
            let mut left = text.len();
            if left < 127 {
                block.push(left as u8);
            } else {
                block.push(127);
                left -= 127;
                while left >= 128 {
                    block.push((left % 128 + 128) as u8);
                    left /= 128;
                }
                block.push(left as u8);
            }
            block.extend(text.bytes());
        }
    }
    let frame = |kind: u8, flags: u8, on: u8, body: &[u8]| {
        let length = (body.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, on], body].concat()
    };
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &block),
    ];
    stream.write_all(&sent.concat()).await.unwrap();
    let mut frames = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body).await.unwrap();
        if head[8] == 1 {
            frames.push((head[3], head[4] & END_STREAM != 0));
            if frames.last().unwrap().1 {
                return frames;
            }
        }
    }
}
