//! Clients that send as fast as they can.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_keep::BoxError;

/// What the clients of one key were answered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answers {
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
}

/// All of them send for so long. Every request is answered in the end, and every answer counted.
pub(crate) async fn run(to: SocketAddr, length: Duration) -> Result<[Answers; KEYS], BoxError> {
    // No connection is made while others send already.
    let mut connections = Vec::new();
    for at in 0..CLIENTS {
        connections.push((at % KEYS, connected(to).await?));
    }
    let end = Instant::now() + length;
    let mut clients = JoinSet::new();
    for (key, connection) in connections {
        clients.spawn(async move { Ok::<_, BoxError>((key, send(key, connection, end).await?)) });
    }
    let mut sums = [Answers::default(); KEYS];
    while let Some(client) = clients.join_next().await {
        let (key, answers) = client??;
        if let Some(sum) = sums.get_mut(key) {
            sum.admitted += answers.admitted;
            sum.refused += answers.refused;
        }
    }
    Ok(sums)
}

async fn connected(to: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, BoxError> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// One after the other, on one connection.
async fn send(
    key: usize,
    mut connection: SendRequest<Empty<Bytes>>,
    end: Instant,
) -> Result<Answers, BoxError> {
    let mut answers = Answers::default();
    while Instant::now() < end {
        let request = Request::get("/").header("host", "a.test").header("x-key", key);
        connection.ready().await?;
        let mut response = connection.send_request(request.body(Empty::new())?).await?;
        match response.status() {
            StatusCode::OK => answers.admitted += 1,
            StatusCode::TOO_MANY_REQUESTS => answers.refused += 1,
            other => return Err(format!("the server answered {other}").into()),
        }
        while let Some(frame) = response.frame().await {
            frame?;
        }
    }
    Ok(answers)
}

pub(crate) const KEYS: usize = 4;

const CLIENTS: usize = 64;
