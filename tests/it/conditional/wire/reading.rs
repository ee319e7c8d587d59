//! HTTP/1.1 as a client reads it that knows nothing but the bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// All that the server says to this, until it closes.
pub(super) async fn said(to: SocketAddr, requests: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let (mut bytes, wait) = (Vec::new(), Duration::from_secs(10));
    // A connection may be reset where an answer broke off.
    let _ = tokio::time::timeout(wait, stream.read_to_end(&mut bytes)).await.expect("it closes");
    String::from_utf8(bytes).unwrap()
}

pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.split("\r\n").find(|line| line.to_lowercase().starts_with(name))?;
    Some(line.split_once(':').unwrap().1.trim())
}

/// The answers that these bytes are, as a client reads them that knows the methods; what is left of them must be nothing.
pub(super) fn parsed(mut text: &str, methods: &[&str]) -> Vec<(u16, String, String)> {
    let mut answers = Vec::new();
    for method in methods {
        assert!(text.starts_with("HTTP/1.1 "), "{answers:?}, then {text:?}");
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        let status: u16 = head[9..12].parse().unwrap();
        let (body, after) = match (field(head, "content-length:"), *method, status) {
            (_, "HEAD", _) | (_, _, 204 | 304) => ("".to_owned(), rest),
            (Some(length), ..) => {
                let (body, after) = rest.split_at(length.parse().unwrap());
                (body.to_owned(), after)
            }
            (None, ..) => unchunked(rest),
        };
        answers.push((status, head.to_owned(), body));
        text = after;
    }
    assert_eq!(text, "", "after {answers:?}");
    answers
}

fn unchunked(mut text: &str) -> (String, &str) {
    let mut body = String::new();
    loop {
        let (size, rest) = text.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            // Trailers, and the empty line.
            let end = if rest.starts_with("\r\n") { 2 } else { rest.find("\r\n\r\n").unwrap() + 4 };
            return (body, &rest[end..]);
        }
        body.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
}
