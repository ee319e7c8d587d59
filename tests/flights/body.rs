//! Bodies of the inner service: they name the call that made them, and the place of each part.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::dice::Dice;
use crate::origin::{Call, End, OriginError};
use crate::world::{Alive, Wait, World};

/// What a call does, step by step.
pub struct Script {
    pub number: usize,
    pub before_head: Vec<Wait>,
    body: VecDeque<Step>,
    /// It says what is to come.
    is_knowing: bool,
}

enum Step {
    Wait(Wait),
    Data(Bytes),
    Trailers(HeaderMap),
    Error,
    Panic,
}

impl Script {
    /// The script of this call, whose length is set by it.
    pub fn new(number: usize, call: &mut Call, is_settled: bool, dice: &mut Dice) -> Self {
        let dots = if is_settled { 0 } else { 40 };
        let parts = (0..call.parts).map(|part| named(number, call, part, dice.index(dots)));
        let parts: Vec<_> = parts.collect();
        let total: usize = parts.iter().map(Bytes::len).sum();
        call.length = match call.end {
            End::Short(_) => Some(total),
            End::Long => Some(total - 1),
            End::NotModified => None,
            _ if is_settled || dice.one_in(2) => None,
            _ => Some(total),
        };
        let mut body = VecDeque::new();
        let cut = match call.end {
            End::Error(cut) | End::Panic(cut) | End::Never(cut) | End::Short(cut) => cut,
            End::NotModified => 0,
            _ => call.parts,
        };
        let wait = |body: &mut VecDeque<Step>, dice: &mut Dice| {
            if !is_settled && dice.one_in(2) {
                body.push_back(Step::Wait(any_wait(dice)));
            }
        };
        for part in parts.into_iter().take(cut) {
            wait(&mut body, dice);
            body.push_back(Step::Data(part));
        }
        wait(&mut body, dice);
        match call.end {
            End::Error(_) => body.push_back(Step::Error),
            End::Panic(_) => body.push_back(Step::Panic),
            End::Never(_) => body.push_back(Step::Wait(Wait::Never)),
            _ if call.has_trailers => {
                let value = number.to_string().parse().unwrap();
                let fields = [(http::HeaderName::from_static("x-sum"), value)];
                body.push_back(Step::Trailers(fields.into_iter().collect()));
            }
            _ => {}
        }
        let waits = if is_settled { 0 } else { dice.below(3) };
        let before_head = (0..waits).map(|_| any_wait(dice)).collect();
        Self { number, before_head, body, is_knowing: dice.one_in(2) }
    }

    fn data(&self) -> u64 {
        let lengths = self.body.iter().map(|step| match step {
            Step::Data(data) => data.len() as u64,
            _ => 0,
        });
        lengths.sum()
    }

    fn is_whole(&self) -> bool {
        self.body.iter().all(|step| matches!(step, Step::Wait(_) | Step::Data(_)))
    }
}

fn any_wait(dice: &mut Dice) -> Wait {
    match dice.below(4) {
        0 => Wait::Yield,
        1 | 2 => Wait::Nudge,
        _ => Wait::Sleep(Duration::from_millis(1 + dice.below(20))),
    }
}

/// `<call key value part/parts>` and some dots.
fn named(number: usize, call: &Call, part: usize, dots: usize) -> Bytes {
    let Call { key, value, parts, .. } = call;
    format!("<{number} {key} {value} {part}/{parts}>{}", ".".repeat(dots)).into()
}

pub struct ScriptedBody {
    world: Arc<World>,
    script: Script,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _alive: Alive,
}

impl ScriptedBody {
    pub fn new(world: &Arc<World>, script: Script) -> Self {
        Self { world: world.clone(), script, waiting: None, _alive: Alive::new(world) }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = OriginError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginError>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            let Some(step) = self.script.body.pop_front() else { return Poll::Ready(None) };
            return Poll::Ready(Some(match step {
                Step::Wait(wait) => {
                    let world = self.world.clone();
                    self.waiting = Some(Box::pin(async move { world.wait(wait).await }));
                    continue;
                }
                Step::Data(data) => Ok(Frame::data(data)),
                Step::Trailers(trailers) => Ok(Frame::trailers(trailers)),
                Step::Error => Err(OriginError { call: Some(self.script.number) }),
                Step::Panic => panic!("the inner service panics in its body"),
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.script.is_knowing && self.script.body.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.script.is_knowing && self.script.is_whole() {
            true => SizeHint::with_exact(self.script.data()),
            false => SizeHint::new(),
        }
    }
}
