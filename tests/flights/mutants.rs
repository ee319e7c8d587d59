//! The cache, broken on purpose on its way out: what the checks have to find, or they are none.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{Service as _, ServiceExt as _};
use tower_keep::cache::{CacheStats, Purge};
use tower_keep::clock::Clock as _;

use crate::executor::Executor;
use crate::fault::Kind;
use crate::origin::Origin;
use crate::plan::Plan;
use crate::run::run;
use crate::subject::{Answer, AnyBody, BoxError, Real, Subject, Task};
use crate::watch::Watch;
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// An error of a body is an end.
    EndsCleanly,
    /// A part of a body is left out.
    LosesAPart,
    /// Whole bodies break.
    Breaks,
    /// A length that is not so.
    Misstates,
    /// Now and then nobody is told.
    NeverWakes,
    /// It takes a deadline to go on.
    IsLate,
    /// It is woken all the time and does nothing.
    Spins,
    /// Bodies are never dropped.
    KeepsBodies,
    /// A flight that nobody ends.
    KeepsAFlight,
    CallsTwice,
    /// What was answered once is answered for ever.
    Remembers,
    /// Also what came of a body that broke.
    RemembersBroken,
}

const ALL: [(How, Kind); 12] = [
    (How::EndsCleanly, Kind::Truncated),
    (How::LosesAPart, Kind::Mixed),
    (How::Breaks, Kind::Unexplained),
    (How::Misstates, Kind::Length),
    (How::NeverWakes, Kind::Hang),
    (How::IsLate, Kind::Hang),
    (How::Spins, Kind::Endless),
    (How::KeepsBodies, Kind::Leaked),
    (How::KeepsAFlight, Kind::Leaked),
    (How::CallsTwice, Kind::Calls),
    (How::Remembers, Kind::Purged),
    (How::RemembersBroken, Kind::Truncated),
];

#[test]
fn what_is_broken_on_purpose_is_found() {
    let watch = Watch::new();
    for (how, kind) in ALL {
        let build = move |world: &Arc<World>, plan: &Arc<Plan>, executor: &Arc<Executor>| {
            let (world, real) = (world.clone(), Real::build(&world.clone(), plan, executor));
            let origin = Mutex::new(Origin::new(&world, plan));
            let state = Arc::default();
            Arc::new(Mutant { how, world, real, origin, state }) as Arc<dyn Subject>
        };
        let found = (0..SEEDS).find(|seed| {
            watch.begins(*seed);
            run(*seed, &build).is_err_and(|fault| fault.kind == kind)
        });
        assert!(found.is_some(), "{how:?} is not found");
    }
}

/// Most are found in the first ten.
const SEEDS: u64 = 500;

type Seen = (HeaderMap, String);

#[derive(Default)]
struct State {
    kept: Vec<AnyBody>,
    remembered: HashMap<(String, String), Seen>,
    has_broken: bool,
}

struct Mutant {
    how: How,
    world: Arc<World>,
    real: Arc<dyn Subject>,
    origin: Mutex<Origin>,
    state: Arc<Mutex<State>>,
}

impl Mutant {
    fn remembers(&self) -> bool {
        matches!(self.how, How::Remembers | How::RemembersBroken)
    }
}

impl Subject for Mutant {
    fn send(&self, request: Request<String>) -> Task<Answer> {
        let text = |name| format!("{:?}", request.headers().get(name));
        let is_get = request.method() == http::Method::GET;
        let name = (request.uri().to_string(), text("x-v"));
        let remembered = self.state.lock().unwrap().remembered.get(&name).cloned();
        if let Some((headers, body)) = remembered.filter(|_| is_get) {
            let body = http_body_util::Full::new(Bytes::from(body));
            let body = http_body_util::BodyExt::map_err(body, BoxError::from);
            let mut response = Response::new(Box::pin(body) as AnyBody);
            *response.headers_mut() = headers;
            return Box::pin(async { Ok(response) });
        }
        let (how, world, state) = (self.how, self.world.clone(), self.state.clone());
        let mut twice =
            (how == How::CallsTwice && is_get).then(|| self.origin.lock().unwrap().clone());
        let again = Request::get(request.uri().clone()).body(String::new()).unwrap();
        let mut answer = self.real.send(request);
        let is_kept = self.remembers() && is_get;
        Box::pin(async move {
            if let Some(origin) = &mut twice {
                drop(origin.ready().await?.call(again));
            }
            if how == How::IsLate {
                world.clock.sleep(Duration::from_secs(1)).unwrap().await;
            }
            let answer = poll_fn(|cx| {
                if how == How::Spins {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let is_deaf = how == How::NeverWakes && world.roll(|dice| dice.one_in(8));
                let waker = if is_deaf { Waker::noop() } else { cx.waker() };
                answer.as_mut().poll(&mut Context::from_waker(waker))
            });
            let mut response = answer.await?;
            if how == How::Misstates {
                response.headers_mut().insert("content-length", "1".parse().unwrap());
            }
            let (parts, inner) = response.into_parts();
            let is_kept = is_kept && parts.headers.contains_key("x-call");
            let name = is_kept.then(|| (name, parts.headers.clone()));
            let inner = Some(inner);
            let body = Altered { how, inner, frames: 0, text: String::new(), name, state };
            Ok(Response::from_parts(parts, Box::pin(body) as AnyBody))
        })
    }

    fn purge(&self, what: Purge) -> Task<()> {
        self.real.purge(what)
    }

    fn stats(&self) -> CacheStats {
        let mut stats = self.real.stats();
        let has_broken = self.state.lock().unwrap().has_broken;
        stats.flights += u64::from(self.how == How::KeepsAFlight && has_broken);
        stats
    }

    fn bound_in_flight(&self, bytes: u64) {
        self.real.bound_in_flight(bytes);
    }
}

struct Altered {
    how: How,
    inner: Option<AnyBody>,
    frames: usize,
    text: String,
    /// Under what it is remembered.
    name: Option<((String, String), HeaderMap)>,
    state: Arc<Mutex<State>>,
}

impl Altered {
    fn inner(&self) -> &AnyBody {
        self.inner.as_ref().unwrap()
    }

    fn remember(&mut self) {
        if let Some((name, headers)) = self.name.take() {
            let text = std::mem::take(&mut self.text);
            self.state.lock().unwrap().remembered.insert(name, (headers, text));
        }
    }
}

impl Body for Altered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let inner = self.inner.as_mut().unwrap();
            let frame = ready!(inner.as_mut().poll_frame(cx));
            self.frames += 1;
            return Poll::Ready(match frame {
                Some(Err(error)) => {
                    self.state.lock().unwrap().has_broken = true;
                    match self.how {
                        How::EndsCleanly => return Poll::Ready(None),
                        How::RemembersBroken => self.remember(),
                        _ => {}
                    }
                    Some(Err(error))
                }
                None if self.how == How::Breaks => Some(Err("broken".into())),
                None => {
                    if self.how == How::Remembers {
                        self.remember();
                    }
                    None
                }
                Some(Ok(_)) if self.how == How::LosesAPart && self.frames == 1 => continue,
                Some(Ok(frame)) => {
                    let data =
                        frame.data_ref().map(|data| String::from_utf8_lossy(data).into_owned());
                    self.text.extend(data);
                    Some(Ok(frame))
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.how {
            How::LosesAPart | How::EndsCleanly => SizeHint::new(),
            _ => self.inner().size_hint(),
        }
    }
}

impl Drop for Altered {
    fn drop(&mut self) {
        if self.how == How::KeepsBodies {
            self.state.lock().unwrap().kept.extend(self.inner.take());
        }
    }
}
