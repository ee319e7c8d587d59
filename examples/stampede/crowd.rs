//! The clients: all of them ask at once, and again at every turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

use crate::origin::Origin;
use crate::page;

/// How one client got its answers.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) took: Vec<Duration>,
    pub(crate) failures: Vec<String>,
}

/// Sends them off. Each comes back when it has had as many answers as there are turns.
pub(crate) fn send(
    clients: u32,
    turns: u32,
    page: &Uri,
    origin: &Arc<Origin>,
    answered: &Arc<AtomicUsize>,
) -> JoinSet<Answers> {
    let mut crowd = JoinSet::new();
    let begin = Instant::now();
    let mut connection = connect();
    for client in 0..clients {
        if client % PER_CONNECTION == 0 {
            connection = connect();
        }
        let asker = Asker {
            connection: connection.clone(),
            page: page.clone(),
            origin: origin.clone(),
            answered: answered.clone(),
        };
        crowd.spawn(asker.ask_at_every_turn(begin, turns));
    }
    crowd
}

struct Asker {
    connection: Client<HttpConnector, Body>,
    page: Uri,
    origin: Arc<Origin>,
    answered: Arc<AtomicUsize>,
}

impl Asker {
    /// Who still waits when the next turn comes asks again as soon as it has its answer: a tick that was missed comes
    /// at once. So each scenario has the same requests, and never more of them under way than there are clients.
    async fn ask_at_every_turn(self, begin: Instant, turns: u32) -> Answers {
        let mut answers = Answers::default();
        let mut ticks = interval_at(begin, TURN);
        for _ in 0..turns {
            ticks.tick().await;
            let asked = Instant::now();
            match timeout(WAIT_MAX, self.ask()).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => answers.failures.push(failure),
                Err(_) => answers.failures.push(format!("no answer in {} s", WAIT_MAX.as_secs())),
            }
            answers.took.push(asked.elapsed());
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        answers
    }

    async fn ask(&self) -> Result<(), String> {
        let request = Request::get(&self.page).body(Body::empty()).map_err(|e| e.to_string())?;
        let response = self.connection.request(request).await.map_err(|e| told(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), page::BYTES).collect().await;
        let body = body.map_err(|error| format!("a body that broke: {error}"))?.to_bytes();
        if status != StatusCode::OK {
            return Err(format!("status {status}"));
        }
        match page::is_whole(&body, self.origin.calls()) {
            true => Ok(()),
            false => Err(format!("a body of {} bytes that is not the page", body.len())),
        }
    }
}

/// HTTP/2, so that clients can share a connection: 5000 sockets are more than many systems allow a program.
fn connect() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

/// With its cause: the error of the client itself says little more than that something went wrong.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", told(cause)),
        None => error.to_string(),
    }
}

/// How often the crowd comes: the page lives for a second from when it was made, so it has just expired.
pub(crate) const TURN: Duration = Duration::from_millis(1250);

/// Below what a server takes at once by default (200), so that none of them waits in the client.
const PER_CONNECTION: u32 = 100;

/// The last of 5000 is answered after 32 s.
const WAIT_MAX: Duration = Duration::from_secs(120);
