//! Over real connections: what comes after an answer on the same connection is read as the next answer.

mod reading;
mod tunnels;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};
use tower_keep::store::MemoryStore;

use self::reading::{field, parsed, said};
use super::{Boxed, boxed};
use crate::scripted::Step::{Data, Error, Pending, Trailer};
use crate::scripted::{knowing, paused, scripted};
use crate::support::{answered, response};
use crate::upgrades::serve;

const TEXT: &str = "0123456789";

async fn answer(mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let pieces = [Data("01234"), Pending, Data("56789")];
    let said = |length: &str, body: Body| {
        Response::builder().header("content-length", length).body(body).unwrap()
    };
    let fresh = [("cache-control", "max-age=60")];
    Ok(match request.uri().path() {
        "/pieces" => Response::new(knowing(&pieces)),
        "/chunked" => Response::new(scripted(&pieces)),
        "/said" => said("10", scripted(&pieces)),
        "/shorter" => said("10", scripted(&[Data("01234")])),
        "/shorter-known" => said("10", knowing(&[Data("01234")])),
        "/longer" => said("10", scripted(&[Data("0123456789"), Data("HTTP/1.1 666 BAD\r\n\r\n")])),
        "/longer-at-once" => said("10", scripted(&[Data("0123456789HTTP/1.1 666 BAD\r\n\r\n")])),
        "/breaks" => said("10", knowing(&[Data("01234"), Pending, Error])),
        "/breaks-late" => said("10", scripted(&[Data("01234"), Data("56"), Pending, Error])),
        "/trailers" => {
            let mut steps = pieces.to_vec();
            steps.push(Trailer("x-sum", "7"));
            let mut response = Response::new(scripted(&steps));
            response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
            response
        }
        "/trailers-known" => {
            let mut steps = pieces.to_vec();
            steps.push(Trailer("x-sum", "7"));
            Response::new(knowing(&steps))
        }
        "/none" => answered(204, &[], ""),
        "/empty" => response(&fresh, ""),
        path if path == "/upgrade" || *request.method() == Method::CONNECT => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgrade.await.unwrap());
                stream.write_all(b"welcome\n").await.unwrap();
                let (mut from, mut to) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
            if *request.method() == Method::CONNECT {
                response(&[], "")
            } else {
                answered(101, &[("connection", "upgrade"), ("upgrade", "echo")], "")
            }
        }
        _ => response(&fresh, TEXT),
    })
}

/// The two layers, alone and under a cache.
fn stacks() -> [(&'static str, Boxed); 2] {
    let inner = || ConditionalLayer::new().layer(EtagLayer::new().layer(service_fn(answer)));
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
    [("alone", boxed(inner())), ("cached", boxed(cache.layer(inner())))]
}

/// The fields of each request, and the statuses that it may have.
const ASKED: [(&str, &str, &[u16]); 9] = [
    ("GET", "", &[200, 204]),
    ("HEAD", "", &[200, 204]),
    ("GET", "If-None-Match: *\r\n", &[304, 204, 200]),
    ("HEAD", "If-None-Match: *\r\n", &[304, 204, 200]),
    ("GET", "If-Match: \"no\"\r\n", &[412, 204, 200]),
    ("GET", "Range: bytes=2-4\r\n", &[206, 200, 204, 416]),
    ("GET", "Range: bytes=0-1,6-7\r\n", &[206, 200, 204, 416]),
    ("HEAD", "Range: bytes=2-4\r\n", &[200, 204]),
    ("GET", "Range: bytes=90-\r\n", &[416, 200, 204]),
];

#[tokio::test]
async fn every_answer_ends_where_the_next_begins() {
    for (name, service) in stacks() {
        let address = serve(service).await;
        let paths = [
            "/",
            "/pieces",
            "/chunked",
            "/said",
            "/trailers",
            "/trailers-known",
            "/none",
            "/empty",
        ];
        for path in paths {
            for te in ["", "TE: trailers\r\n"] {
                let mut requests = String::new();
                let mut methods = Vec::new();
                for (method, fields, _) in ASKED.iter().chain(&ASKED) {
                    let head = format!("{method} {path} HTTP/1.1\r\nHost: a.test\r\n{te}{fields}");
                    requests.push_str(&head);
                    requests.push_str("\r\n");
                    methods.push(*method);
                }
                let at = requests.len() - 2;
                requests.insert_str(at, "Connection: close\r\n");
                let text = said(address, &requests).await;
                let answers = parsed(&text, &methods);
                for ((status, head, body), (method, fields, statuses)) in
                    answers.iter().zip(ASKED.iter().chain(&ASKED))
                {
                    let context = format!("{name} {path} {method} {fields}{head}\n{body}");
                    assert!(statuses.contains(status), "{context}");
                    match (*status, *method) {
                        (200, "GET") if path != "/empty" => assert_eq!(body, TEXT, "{context}"),
                        (206, _) if !fields.contains(',') => assert_eq!(body, "234", "{context}"),
                        (206, _) => assert!(body.contains("\r\n\r\n01\r\n--"), "{context}"),
                        (412 | 416, _) => assert_eq!(body, "", "{context}"),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// What is sent of a body that is another length than it said never reads as an answer, and a body that broke off never
/// as a whole one.
#[tokio::test]
async fn a_body_of_another_length_ends_the_connection() {
    for (name, service) in stacks() {
        let address = serve(service).await;
        let paths =
            ["/shorter", "/shorter-known", "/longer", "/longer-at-once", "/breaks", "/breaks-late"];
        for path in paths {
            for (_, fields, _) in ASKED.iter().filter(|(method, ..)| *method == "GET") {
                let one = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
                let two = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
                let text = said(address, &format!("{one}{two}")).await;
                let context = format!("{name} {path} {fields}{text}");
                let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
                if head.contains(" 304 ") {
                    assert!(rest.starts_with("HTTP/1.1 200 "), "{context}");
                    continue;
                }
                let Some(length) = field(head, "content-length:") else {
                    assert!(!rest.contains("666 BAD") || rest.contains("\r\n0\r\n"), "{context}");
                    continue;
                };
                let length: usize = length.parse().unwrap();
                let after = rest.get(length..).unwrap_or_default();
                assert!(after.is_empty() || after.starts_with("HTTP/1.1 200 "), "{context}");
                assert!(rest.len() >= length || !rest.contains("HTTP/1.1"), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn http2_frames_every_answer() {
    for (name, service) in stacks() {
        let address = serve(service).await;
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let paths = ["/", "/pieces", "/chunked", "/said", "/trailers", "/trailers-known", "/empty"];
        for path in paths.into_iter().chain(paths) {
            for (method, fields, statuses) in ASKED {
                let mut request = Request::builder().method(method);
                request = request.uri(format!("http://a.test{path}"));
                if let Some((field, value)) = fields.trim_end().split_once(": ") {
                    request = request.header(field, value);
                }
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let response = client.clone().send_request(request).await.unwrap();
                let (head, body) = response.into_parts();
                let context = format!("{name} {method} {path} {fields}{head:?}");
                assert!(statuses.contains(&head.status.as_u16()), "{context}");
                if method == "HEAD" {
                    // hyper takes its body off in HTTP/1.1 alone, and this handler does not.
                    continue;
                }
                let body = body.collect().await.unwrap_or_else(|error| panic!("{error} {context}"));
                let is_whole = head.status == 200 && path != "/empty";
                if is_whole {
                    let has_trailers = body.trailers().is_some();
                    assert_eq!(has_trailers, path.starts_with("/trailers"), "{context}");
                }
                let body = body.to_bytes();
                assert!(!is_whole || body == TEXT, "{context}");
            }
        }
        for path in ["/shorter", "/breaks", "/breaks-late", "/longer"] {
            for range in ["bytes=0-9", "bytes=2-8", "bytes=0-1,4-8"] {
                let request = Request::get(format!("http://a.test{path}")).header("range", range);
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                // A stream may break off; the connection goes on.
                if let Ok(response) = client.clone().send_request(request).await {
                    let whole = response.into_body().collect().await;
                    assert!(whole.is_err() || path == "/longer", "{name} {path} {range}");
                }
            }
        }
        let last = Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(client.clone().send_request(last).await.unwrap().status(), 200);
    }
}

/// Who leaves while his answer is gathered, or in the middle of a part, takes the inner body with him, and the budget.
#[tokio::test]
async fn who_leaves_takes_the_body_with_him() {
    let (sender, held) = std::sync::mpsc::channel();
    let inner = service_fn(move |_: Request<Body>| {
        let (script, body, _) = paused();
        script.send(Data("01234")).unwrap();
        sender.send(script).unwrap();
        let response = Response::builder().header("content-length", "10").body(body).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let stack = boxed(ConditionalLayer::new().layer(EtagLayer::new().layer(inner)));
    let address = serve(stack).await;
    for range in ["", "Range: bytes=2-8\r\n", "Range: bytes=0-1,4-8\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{range}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let count = stream.read(&mut [0; 1024]).await.unwrap();
        assert_ne!(count, 0);
        drop(stream);
        let script = held.recv().unwrap();
        tokio::time::timeout(Duration::from_secs(10), script.closed()).await.expect(range);
    }
}
