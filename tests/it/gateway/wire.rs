//! HTTP/1.1 as bytes, so that a test says and sees exactly what is on the wire.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::program::soon;

/// One response, of a connection that was then closed.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status_line: String,
    pub(super) fields: Vec<(String, String)>,
    /// As it was framed.
    pub(super) body: String,
}

impl Reply {
    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.split("\r\n");
        Self {
            status_line: lines.next().unwrap().to_owned(),
            fields: lines
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(super) fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Sends this on a new connection and reads until the other side closes.
pub(super) async fn send(to: SocketAddr, request: &str) -> Reply {
    let mut stream = open(to, request).await;
    Reply::parse(&read_to_end(&mut stream).await)
}

/// Sends this on a new connection.
pub(super) async fn open(to: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

pub(super) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until this has come, and gives back all that came.
pub(super) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 4096];
        let count = soon(stream.read(&mut bytes)).await.unwrap();
        assert_ne!(count, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(bytes.get(..count).unwrap()).unwrap());
    }
    text
}
