//! The inner service: what it does, and what it remembers of that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tower::Service;

use crate::body::{Script, ScriptedBody};
use crate::dice::Dice;
use crate::plan::{Plan, Policy};
use crate::world::{Alive, Wait, World};

/// What one call did.
#[derive(Clone, Debug)]
pub struct Call {
    pub key: u64,
    pub value: u64,
    pub is_get: bool,
    /// Where in the order of events.
    pub began: u64,
    pub answered: Option<u64>,
    pub policy: Policy,
    pub end: End,
    /// How many parts its body has; some may never come.
    pub parts: usize,
    pub length: Option<usize>,
    pub has_trailers: bool,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Whole,
    /// 304 to a condition: the body is another call's.
    NotModified,
    HeadError,
    HeadPanic,
    HeadNever,
    /// The body fails after so many parts.
    Error(usize),
    Panic(usize),
    Never(usize),
    /// It ends cleanly after so many parts, and before its Content-Length.
    Short(usize),
    /// More than its Content-Length.
    Long,
}

#[derive(Debug)]
pub struct OriginError {
    /// `None` where it never became ready.
    pub call: Option<usize>,
}

pub struct Origin {
    world: Arc<World>,
    plan: Arc<Plan>,
    becoming_ready: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_ready: bool,
}

impl Origin {
    pub fn new(world: &Arc<World>, plan: &Arc<Plan>) -> Self {
        let (world, plan) = (world.clone(), plan.clone());
        Self { world, plan, becoming_ready: None, is_ready: false }
    }

    fn is_settled(&self) -> bool {
        self.world.is_settled.load(Ordering::Relaxed)
    }
}

impl Clone for Origin {
    fn clone(&self) -> Self {
        Self::new(&self.world, &self.plan)
    }
}

impl Service<Request<String>> for Origin {
    type Response = Response<ScriptedBody>;
    type Error = OriginError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, OriginError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OriginError>> {
        if self.is_ready || self.is_settled() || self.plan.faults.readiness == 0 {
            self.is_ready = true;
            return Poll::Ready(Ok(()));
        }
        let world = self.world.clone();
        let becoming = self.becoming_ready.get_or_insert_with(|| {
            let wait = world.roll(|dice| dice.pick(&[Wait::Yield, Wait::Nudge]));
            Box::pin(async move { world.wait(wait).await })
        });
        ready!(becoming.as_mut().poll(cx));
        self.becoming_ready = None;
        let faults = self.plan.faults;
        let (fails, panics) =
            self.world.roll(|dice| (dice.one_in(faults.readiness), dice.one_in(2)));
        match (fails, panics && faults.panics) {
            (true, true) => panic!("the inner service panics while it becomes ready"),
            (true, false) => return Poll::Ready(Err(OriginError { call: None })),
            (false, _) => self.is_ready = true,
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        assert!(self.is_ready, "called without having been ready");
        self.is_ready = false;
        let (world, plan) = (self.world.clone(), self.plan.clone());
        let is_settled = self.is_settled();
        let (call, script) = {
            let mut dice = Dice::new(world.roll(Dice::roll));
            let mut calls = world.calls.lock().unwrap();
            let number = calls.len();
            let call = match is_settled {
                true => Call::settled(&request, world.event()),
                false => Call::new(&plan, &request, world.event(), &mut dice),
            };
            let mut call = call;
            let mut script = Script::new(number, &mut call, is_settled, &mut dice);
            let slow = plan.faults.slow;
            if !is_settled && slow > 0 && dice.one_in(slow) {
                let secs = Duration::from_secs(1 + dice.below(3));
                script.before_head.push(Wait::Sleep(secs));
            }
            calls.push(call.clone());
            (call, script)
        };
        let validator = request.headers().get(header::IF_NONE_MATCH).cloned();
        let alive = Alive::new(&world);
        Box::pin(async move {
            let _alive = alive;
            for wait in &script.before_head {
                world.wait(*wait).await;
            }
            match call.end {
                End::HeadError => return Err(OriginError { call: Some(script.number) }),
                End::HeadPanic => panic!("the inner service panics"),
                End::HeadNever => world.wait(Wait::Never).await,
                _ => {}
            }
            let answered = world.event();
            world.calls.lock().unwrap()[script.number].answered = Some(answered);
            let mut fields = call.fields(script.number, &plan);
            if let (End::NotModified, Some(validator)) = (call.end, validator) {
                fields.remove("x-call");
                fields.insert(header::ETAG, validator);
            }
            let mut response = Response::new(ScriptedBody::new(&world, script));
            *response.status_mut() = call.status();
            *response.headers_mut() = fields;
            Ok(response)
        })
    }
}

fn number_of(text: &str) -> u64 {
    text.bytes().filter(u8::is_ascii_digit).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

impl Call {
    fn settled(request: &Request<String>, began: u64) -> Self {
        let value = request.headers().get("x-v").map_or("", |value| value.to_str().unwrap());
        Self {
            key: number_of(request.uri().path()),
            value: number_of(value),
            is_get: request.method() == Method::GET,
            began,
            answered: None,
            policy: Policy::Fresh,
            end: End::Whole,
            parts: 1,
            length: None,
            has_trailers: false,
        }
    }

    fn new(plan: &Plan, request: &Request<String>, began: u64, dice: &mut Dice) -> Self {
        let mut call = Self::settled(request, began);
        call.policy = dice.pick(&plan.policies);
        call.parts = dice.index(6);
        let faults = plan.faults;
        let panics = faults.panics && dice.one_in(2);
        let cut = dice.index(call.parts + 1);
        let is_conditional = request.headers().contains_key(header::IF_NONE_MATCH);
        call.end = if faults.hangs > 0 && dice.one_in(faults.hangs) {
            if dice.one_in(2) { End::HeadNever } else { End::Never(cut) }
        } else if faults.head > 0 && dice.one_in(faults.head) {
            if panics { End::HeadPanic } else { End::HeadError }
        } else if is_conditional && dice.one_in(2) {
            End::NotModified
        } else if faults.body > 0 && dice.one_in(faults.body) {
            match dice.below(4) {
                0 if cut < call.parts => End::Short(cut),
                1 if call.parts > 0 => End::Long,
                _ if panics => End::Panic(cut),
                _ => End::Error(cut),
            }
        } else {
            End::Whole
        };
        call.has_trailers = call.end == End::Whole && dice.one_in(6);
        call
    }

    fn status(&self) -> StatusCode {
        let status = match (self.end, self.policy) {
            (End::NotModified, _) => 304,
            (_, Policy::StoredFailure | Policy::Failure) => 503,
            (_, Policy::Fault) => 500,
            (_, Policy::Forbidden) => 403,
            _ => 200,
        };
        StatusCode::from_u16(status).unwrap()
    }

    fn fields(&self, number: usize, plan: &Plan) -> HeaderMap {
        let mut fields = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| fields.insert(name, value.parse().unwrap());
        set("x-call", &number.to_string());
        let control = match self.policy {
            Policy::Fresh => "max-age=60",
            Policy::Soon => "max-age=1",
            Policy::Brief => "max-age=1, stale-while-revalidate=30",
            Policy::IfError => "max-age=1, stale-if-error=60",
            Policy::NoCache => "no-cache, max-age=60",
            Policy::Nothing => "max-age=0",
            Policy::NoStore => "no-store",
            Policy::StoredFailure => "max-age=10",
            Policy::Failure | Policy::Fault | Policy::Forbidden => "",
        };
        if !control.is_empty() {
            set("cache-control", control);
        }
        if plan.values > 0 {
            set("vary", "x-v");
        }
        if plan.has_validators {
            set("etag", &format!("\"{number}\""));
        }
        if let Some(length) = self.length {
            set("content-length", &length.to_string());
        }
        fields
    }

    /// Whether it may lie in the store, by its head.
    pub fn is_storable(&self, plan: &Plan) -> bool {
        match self.policy {
            Policy::NoStore | Policy::Failure | Policy::Fault | Policy::Forbidden => false,
            // To be validated, which may make it fresh.
            Policy::Nothing => plan.has_validators,
            _ => true,
        }
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {:?} failed", self.call)
    }
}

impl std::error::Error for OriginError {}
