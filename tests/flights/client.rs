//! Clients: how they read, and what they have seen.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Request};
use tower_keep::cache::{CacheOutcome, Purge};

use crate::plan::{Pace, Reads, Visit, What, Write};
use crate::subject::{AnyBody, BoxError, Subject};
use crate::world::{Wait, World};

/// What one request came to.
#[derive(Debug, Default)]
pub struct Seen {
    pub key: u64,
    pub value: u64,
    /// Where in the order of events it was sent.
    pub began: Option<u64>,
    pub status: u16,
    pub headers: HeaderMap,
    pub outcome: Option<CacheOutcome>,
    pub body: String,
    pub trailers: Option<HeaderMap>,
    pub end: Option<Ended>,
    /// What the body said of its length, and was not so.
    pub lie: Option<String>,
}

#[derive(Debug, PartialEq)]
pub enum Ended {
    Clean,
    /// In an error of the body.
    Broken(String),
    /// With an error instead of a response, by this call.
    Failed(Option<usize>),
    /// It read no further.
    Left,
}

pub type Record = Arc<Mutex<Seen>>;

pub fn request(method: &str, key: u64, value: u64, control: Option<&str>) -> Request<String> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/k{key}"))
        .header("host", "a.test")
        .header("x-v", format!("v{value}"));
    if let Some(control) = control {
        request = request.header("cache-control", control);
    }
    request.body(String::new()).unwrap()
}

/// A GET from its arrival to its end.
pub async fn visit(world: Arc<World>, subject: Arc<dyn Subject>, visit: Visit, record: Record) {
    if !visit.arrives.is_zero() {
        world.wait(Wait::Sleep(visit.arrives)).await;
    }
    let request = request("GET", visit.key, visit.value, visit.insists.then_some("no-cache"));
    let work = fetch(&world, &*subject, visit, request, &record);
    within(&world, visit.patience, work).await;
}

/// Leaves when it has waited so long.
async fn within(world: &World, patience: Option<Duration>, work: impl Future<Output = ()>) {
    let Some(patience) = patience else { return work.await };
    let mut late = world.clock.wait(patience);
    let mut work = pin!(work);
    poll_fn(|cx| match late.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => work.as_mut().poll(cx),
    })
    .await;
}

pub async fn fetch(
    world: &Arc<World>,
    subject: &dyn Subject,
    visit: Visit,
    request: Request<String>,
    record: &Record,
) {
    record.lock().unwrap().began = Some(world.event());
    let answer = subject.send(request).await;
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            record.lock().unwrap().end = Some(Ended::Failed(error.call));
            return;
        }
    };
    let (parts, body) = response.into_parts();
    let length = parts.headers.get("content-length").map(|length| length.to_str().unwrap());
    let length = length.map(|length| length.parse().unwrap());
    {
        let mut seen = record.lock().unwrap();
        seen.status = parts.status.as_u16();
        seen.outcome = parts.extensions.get().copied();
        seen.headers = parts.headers;
    }
    let ended = read(world, visit, body, length, record).await;
    record.lock().unwrap().end = Some(ended);
}

async fn read(
    world: &Arc<World>,
    visit: Visit,
    mut body: AnyBody,
    length: Option<usize>,
    record: &Record,
) -> Ended {
    let mut said = Vec::new();
    for frames in 0.. {
        match visit.pace {
            Pace::Eager => {}
            Pace::Yields if world.roll(|dice| dice.one_in(2)) => world.wait(Wait::Yield).await,
            Pace::Yields => {}
            Pace::Sleeps(length) => world.wait(Wait::Sleep(length)).await,
        }
        let read = record.lock().unwrap().body.len();
        let leaves = match visit.reads {
            Reads::All => false,
            Reads::Frames(most) => frames >= most,
            Reads::ByLength => length.is_some_and(|length| read >= length) || body.is_end_stream(),
        };
        if leaves {
            return Ended::Left;
        }
        said.push((body.is_end_stream(), body.size_hint(), read));
        let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        let mut seen = record.lock().unwrap();
        match frame {
            None => {
                let whole = seen.body.len();
                let is_lie = |(_, hint, read): &(bool, http_body::SizeHint, usize)| {
                    let rest = (whole - read) as u64;
                    hint.lower() > rest || hint.upper().is_some_and(|upper| upper < rest)
                };
                let lie = said.iter().find(|said| is_lie(said));
                seen.lie = lie.map(|lie| format!("{lie:?} of {whole}"));
                return Ended::Clean;
            }
            Some(_) if said.last().is_some_and(|(is_over, ..)| *is_over) => {
                seen.lie = Some("more after the end".to_owned());
            }
            Some(Err(error)) => return Ended::Broken(chain(&error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => seen.body.push_str(str::from_utf8(&data).unwrap()),
                Err(frame) => seen.trailers = frame.into_trailers().ok(),
            },
        }
    }
    Ended::Left
}

fn chain(error: &BoxError) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// A purge or a PUT that came to its end: what was asked for after `ended` is not of before `began`.
#[derive(Clone, Copy, Debug)]
pub struct Purged {
    /// `None` for everything.
    pub key: Option<u64>,
    pub began: u64,
    pub ended: u64,
}

pub type Purges = Arc<Mutex<Vec<Purged>>>;

pub async fn write(world: Arc<World>, subject: Arc<dyn Subject>, write: Write, purges: Purges) {
    let work = carry_out(&world, &*subject, write, &purges);
    within(&world, write.patience, work).await;
}

async fn carry_out(world: &World, subject: &dyn Subject, write: Write, purges: &Purges) {
    if !write.at.is_zero() {
        world.wait(Wait::Sleep(write.at)).await;
    }
    let url = || format!("http://a.test/k{}", write.key).parse().unwrap();
    let key = (write.what != What::PurgeAll).then_some(write.key);
    let mut began = world.event();
    match write.what {
        What::PurgeUrl => subject.purge(Purge::url(url())).await,
        What::PurgeAll => subject.purge(Purge::all()).await,
        // It makes stale, and what is stale may be served.
        What::SoftPurge => return subject.purge(Purge::url(url()).soft()).await,
        What::Put => {
            let put = request("PUT", write.key, 0, None);
            let Ok(response) = subject.send(put).await else { return };
            let status = response.status();
            if !status.is_success() && !status.is_redirection() {
                return;
            }
            let call: usize = response.headers()["x-call"].to_str().unwrap().parse().unwrap();
            let answered = world.calls.lock().unwrap()[call].answered;
            began = answered.unwrap_or(began);
        }
    }
    purges.lock().unwrap().push(Purged { key, began, ended: world.event() });
}
