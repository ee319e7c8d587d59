//! What is right, and what is not.

use http::StatusCode;
use tower_keep::cache::CacheOutcome;

use crate::client::{Ended, Purged, Seen};
use crate::fault::{Fault, Kind};
use crate::origin::{Call, End};
use crate::plan::Plan;

/// What an answer is judged by.
pub struct Judge<'a> {
    pub plan: &'a Plan,
    pub calls: &'a [Call],
    pub purges: &'a [Purged],
}

type Verdict = Result<(), Fault>;

fn fault(kind: Kind, what: impl Into<String>) -> Verdict {
    Err(Fault::new(kind, what))
}

impl Judge<'_> {
    /// What a client has seen, however far it came.
    pub fn seen(&self, seen: &Seen) -> Verdict {
        self.judged(seen).map_err(|fault| {
            let call = self.call_of(seen).map(|(number, call)| format!("{number} {call:?}"));
            Fault::new(fault.kind, format!("{fault}\n  {seen:?}\n  of call {call:?}"))
        })
    }

    fn call_of(&self, seen: &Seen) -> Option<(usize, &Call)> {
        let number = seen.headers.get("x-call")?.to_str().ok()?.parse().ok()?;
        Some((number, self.calls.get(number)?))
    }

    fn judged(&self, seen: &Seen) -> Verdict {
        if let Some(lie) = &seen.lie {
            return fault(Kind::Length, lie);
        }
        if let Some(Ended::Failed(call)) = seen.end {
            let is_explained = match call {
                None => self.plan.faults.readiness > 0,
                Some(call) => {
                    let call = &self.calls[call];
                    call.end == End::HeadError && call.key == seen.key
                }
            };
            return if is_explained { Ok(()) } else { fault(Kind::Unexplained, "an error") };
        }
        if seen.status == 0 {
            return Ok(());
        }
        let Some((number, call)) = self.call_of(seen) else { return self.own_answer(seen) };
        if call.key != seen.key || self.plan.values > 0 && call.value != seen.value {
            return fault(Kind::Mixed, "of another request");
        }
        self.not_purged(seen, call)?;
        let parts = self.parts(seen, number, call)?;
        match &seen.end {
            Some(Ended::Clean) => self.clean(seen, number, call, parts),
            Some(Ended::Broken(why)) => self.broken(call, why),
            _ => Ok(()),
        }
    }

    /// The cache itself answered.
    fn own_answer(&self, seen: &Seen) -> Verdict {
        let status = StatusCode::from_u16(seen.status).unwrap();
        let is_explained = match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                self.plan.backs_off
                    && self.plan.collapses
                    && seen.headers.contains_key("retry-after")
            }
            StatusCode::GATEWAY_TIMEOUT => true,
            _ => false,
        };
        match is_explained && seen.body.is_empty() {
            true => Ok(()),
            false => fault(Kind::Unexplained, "no call's answer"),
        }
    }

    fn not_purged(&self, seen: &Seen, call: &Call) -> Verdict {
        let began = seen.began.unwrap_or(0);
        let is_of = |purged: &&Purged| {
            purged.key.is_none_or(|key| key == seen.key)
                && purged.ended < began
                && call.began < purged.began
        };
        match self.purges.iter().find(is_of) {
            Some(purged) => fault(Kind::Purged, format!("{purged:?}")),
            None => Ok(()),
        }
    }

    /// How many parts came: all of one call, in order, from the first on.
    fn parts(&self, seen: &Seen, number: usize, call: &Call) -> Result<usize, Fault> {
        let mixed = |what: String| Fault::new(Kind::Mixed, what);
        let text = seen.body.replace('.', "");
        let mut parts = 0;
        for part in text.split_inclusive('>') {
            let Call { key, value, parts: all, .. } = call;
            let expected = format!("<{number} {key} {value} {parts}/{all}>");
            if part == expected {
                parts += 1;
            } else {
                return Err(mixed(format!("{part} instead of {expected}")));
            }
        }
        let sum = seen.trailers.as_ref().map(|trailers| trailers.get("x-sum"));
        let is_own = sum.is_none_or(|sum| sum.is_some_and(|sum| *sum == *number.to_string()));
        if is_own { Ok(parts) } else { Err(mixed("other trailers".to_owned())) }
    }

    fn clean(&self, seen: &Seen, number: usize, call: &Call, parts: usize) -> Verdict {
        let is_full = parts == call.parts;
        let is_shared = seen.outcome.as_ref().is_some_and(is_from_others);
        // RFC 9112 §6.3: a body is whole when its Content-Length is, if whoever read it stopped there.
        let is_full_by_length = is_full && call.length.is_some() && self.plan.has_leavers();
        let is_whole = match call.end {
            End::Whole => is_full,
            End::Long => is_full,
            End::Error(_) | End::Panic(_) | End::Never(_) => is_full_by_length,
            // Its own client sees by the Content-Length that it is not whole. Nobody else may have it.
            End::Short(_) => {
                !is_shared && !seen.outcome.as_ref().is_some_and(CacheOutcome::is_stored)
            }
            End::NotModified | End::HeadError | End::HeadPanic | End::HeadNever => false,
        };
        if !is_whole {
            return fault(Kind::Truncated, format!("{parts} parts of call {number}"));
        }
        let is_hit = seen.outcome.as_ref().is_some_and(CacheOutcome::is_hit);
        if is_hit && !(call.is_storable(self.plan) && call.end != End::Long) {
            return fault(Kind::Stored, "a hit on what must not be stored");
        }
        if call.has_trailers && seen.trailers.is_none() && call.length.is_none() {
            return fault(Kind::Truncated, "without its trailers");
        }
        let length = seen.headers.get("content-length");
        let is_right = length.is_none_or(|length| *length == *seen.body.len().to_string());
        if !is_right && !matches!(call.end, End::Short(_) | End::Long) {
            return fault(Kind::Length, "its Content-Length is not its length");
        }
        Ok(())
    }

    fn broken(&self, call: &Call, why: &str) -> Verdict {
        let is_long = self.plan.body_bytes_max.is_some() || self.plan.in_flight_bytes_max.is_some();
        let is_explained = match call.end {
            End::Whole | End::Long => {
                // Nobody waits for ever for who does not read on.
                why.contains("too slowly") && (is_long || call.end == End::Long)
            }
            End::NotModified | End::HeadError | End::HeadPanic | End::HeadNever => false,
            End::Error(_) | End::Panic(_) | End::Never(_) | End::Short(_) => true,
        };
        if is_explained { Ok(()) } else { fault(Kind::Unexplained, format!("broken: {why}")) }
    }

    /// What the store answers by itself, when all is over.
    pub fn stored(&self, seen: &Seen) -> Verdict {
        self.seen(seen)?;
        let Some((number, call)) = self.call_of(seen) else { return Ok(()) };
        let is_full_by_length = call.length.is_some() && self.plan.has_leavers();
        let is_right = match call.end {
            End::Whole => true,
            End::Error(_) | End::Panic(_) | End::Never(_) => is_full_by_length,
            _ => false,
        };
        let was_clean = seen.end == Some(Ended::Clean);
        match is_right && was_clean && call.is_storable(self.plan) && call.is_get {
            true => Ok(()),
            false => fault(Kind::Stored, format!("{number} {call:?}: {seen:?}")),
        }
    }
}

/// Whether it is not the answer to the request's own call.
fn is_from_others(outcome: &CacheOutcome) -> bool {
    outcome.is_hit() || outcome.is_collapsed()
}
