//! The order of things for one request, as a machine: events in, commands out. Nothing here waits.

mod command;
mod joining;
#[cfg(test)]
mod tests;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::cache::entry::{Entry, EntryMeta, Stored, StoredResponse};
use crate::cache::index::Index;
use crate::cache::key::CacheKey;
use crate::cache::mark::Standing;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::place::Place;
use crate::cache::telling::Telling;
use crate::digest::Secret;
use crate::fields::vary::{Selecting, VaryList};
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::policy::CachePolicy;
use crate::rules::precondition::is_not_modified;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, RequestFacts};
use crate::rules::reuse::{OnFailure, Reuse};
use crate::rules::validate::{Conditional, Validated, validated};
use crate::time::Moment;

pub(crate) use command::{Command, Filing, Following, Inward, Relay, Serving, Verdict};
use joining::stale_meanwhile;
pub(crate) use joining::{Landing, What};
use verdict::supersedes;

/// One request that may be answered from the store.
///
/// *Invariant*: every command is answered by exactly one event ([`found`](Self::found), [`led`](Self::led),
/// [`arrived`](Self::arrived), [`released`](Self::released), [`grounded`](Self::grounded),
/// [`answered`](Self::answered) or [`failed`](Self::failed)) until one comes that ends the request.
pub(crate) struct Transaction {
    setting: Setting,
    place: Place,
    demand: Demand,
    state: State,
    /// The store did not answer: nothing is known of what it holds.
    store_failed: bool,
    /// Whether it may wait for another request's response, and others for its own.
    collapses: bool,
    /// By what the request selects, once that is known.
    selecting: Option<By>,
    /// Whether it refreshes what is stored, and if so within a partition.
    refreshes: Option<bool>,
    /// How many flights it may join yet.
    flights_left: u8,
}

/// What a transaction has to know of its layer.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) policy: Arc<CachePolicy>,
    pub(crate) secret: Secret,
    /// Which core it is, and how its layer tells requests apart: see [`PolicyHint`](super::hint::PolicyHint).
    pub(crate) core: u64,
    pub(crate) telling: Arc<Telling>,
    /// Whether requests are collapsed.
    pub(crate) collapses: bool,
    /// Whether what is stored may be served while it is refreshed.
    pub(crate) serves_meanwhile: bool,
    /// Differs from request to request; what chances are drawn from.
    pub(crate) spread: u64,
}

enum State {
    /// Looking for the generation that the divisions hang on.
    Root,
    /// Looking for the resource's one response, or its index, under this key.
    Base(CacheKey),
    /// Looking for the variant that the request selects.
    Variant,
    /// Looking for a variant known by the language of its content.
    Alias,
    /// The request went inwards.
    Inward { candidate: Option<Candidate>, forward: Forward },
}

/// The values by which the request selects, and of which fields they are.
struct By {
    list: Listed,
    values: Selecting,
}

enum Listed {
    In(Arc<Index>),
    As(VaryList),
}

impl By {
    fn list(&self) -> &VaryList {
        match &self.list {
            Listed::In(index) => index.vary(),
            Listed::As(list) => list,
        }
    }
}

/// A stored response that has to be validated.
struct Candidate {
    stored: Arc<StoredResponse>,
    on_failure: OnFailure,
    /// Its validators went inwards; not so when it has none, and when it is fetched anew.
    asked: bool,
}

/// A fresh response for a client that wants all of it, or holds it already.
#[derive(Clone, Copy)]
pub(crate) struct Glanced<'a> {
    pub(crate) stored: &'a StoredResponse,
    pub(crate) is_not_modified: bool,
    pub(crate) age: Duration,
    pub(crate) outcome: CacheOutcome,
}

/// What a transaction would serve of this response, which lies under the resource's own key and was not
/// purged; `None` where there is more to think of than its freshness.
pub(crate) fn at_a_glance<'a>(
    policy: &CachePolicy,
    demand: &Demand,
    request: &HeaderMap,
    stored: &'a StoredResponse,
    now: Moment,
) -> Option<Glanced<'a>> {
    if demand.is_head || demand.has_range || stored.trailers.is_some() {
        return None;
    }
    // A clone further in, or an earlier layer, may have stored what this one does not send.
    let hidden = policy.tags_from.as_ref();
    if hidden.is_some_and(|field| stored.meta.lines.get(field).is_some()) {
        return None;
    }
    let Reuse::Fresh { age, reason: None } =
        policy.reuse(*demand, &stored.meta, Standing::Good, now)
    else {
        return None;
    };
    let is_not_modified = demand.has_condition && is_not_modified(request, &stored.meta, now.wall);
    let outcome = fresh(&stored.meta, age, None);
    Some(Glanced { stored, is_not_modified, age, outcome })
}

impl Transaction {
    pub(crate) fn new(setting: Setting, place: Place, demand: Demand) -> Self {
        let state = match place.is_divided() {
            true => State::Root,
            false => State::Base(place.resource().clone()),
        };
        let collapses = setting.collapses && joining::may_collapse(&demand);
        Self {
            setting,
            place,
            demand,
            state,
            store_failed: false,
            collapses,
            selecting: None,
            refreshes: None,
            flights_left: joining::FLIGHTS_MAX,
        }
    }

    pub(crate) fn start(&self) -> Command {
        match &self.state {
            State::Base(key) => Command::Get(key.clone()),
            _ => Command::Get(self.place.root()),
        }
    }

    /// The store did not answer in time, or failed: the request goes to the inner service.
    pub(crate) fn lost(&mut self) -> Command {
        self.store_failed = true;
        self.missed(Forward::UriMiss)
    }

    /// What the store had under the key that was asked for, and how it stands to what was purged since.
    pub(crate) fn found(
        &mut self,
        request: &HeaderMap,
        entry: Option<Entry>,
        standing: Standing,
        now: Moment,
    ) -> Command {
        match (&self.state, entry.map(|entry| entry.0)) {
            (State::Root, Some(Stored::Root(generation))) => {
                match self.place.divided(*generation) {
                    Some(key) => {
                        self.state = State::Base(key.clone());
                        Command::Get(key)
                    }
                    None => self.missed(Forward::UriMiss),
                }
            }
            (State::Base(_), Some(Stored::Response(_))) if standing == Standing::Gone => {
                self.missed(Forward::UriMiss)
            }
            (State::Base(_), Some(Stored::Response(stored))) => self.judged(stored, standing, now),
            (State::Base(base), Some(Stored::Index(index))) => {
                let values = self.selector().values(index.vary(), request);
                let key = base.variant(index.generation(), &values);
                index.touch(&key, now.ticks);
                self.selecting = Some(By { list: Listed::In(index), values });
                self.state = State::Variant;
                Command::Get(key)
            }
            (State::Variant, None) => match self.aliased(request) {
                Some(key) => {
                    self.state = State::Alias;
                    Command::Get(key)
                }
                None => self.missed(Forward::VaryMiss),
            },
            (State::Variant | State::Alias, Some(Stored::Response(stored)))
                if standing != Standing::Gone =>
            {
                self.judged(stored, standing, now)
            }
            (State::Variant | State::Alias, _) => self.missed(Forward::VaryMiss),
            _ => self.missed(Forward::UriMiss),
        }
    }

    /// The head that the inner service answered with.
    pub(crate) fn answered(
        &mut self,
        request: &RequestFacts,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        let State::Inward { candidate, forward } = &mut self.state else {
            return passed(Forward::Bypass);
        };
        let forward = *forward;
        let Some(candidate) = candidate.take() else {
            return self.relayed(request, forward, answer, at);
        };
        if candidate.on_failure.error_status && is_failure(answer.status) {
            let outcome = CacheOutcome::forwarded(forward).answered(answer.status);
            return served_stale(candidate.stored, outcome, at.response_time);
        }
        let verdict = match candidate.asked {
            true => validated(&candidate.stored.meta, answer, at),
            false => Validated::Replaced,
        };
        match (verdict, self.policy_of(answer)) {
            (Validated::Current, Ok(policy)) => {
                self.freshened(request, policy, &candidate.stored, forward, answer, at)
            }
            // What is stored is not what a clone further in was asked about, if it tells apart more.
            (Validated::Mismatched | Validated::Current, _) => {
                let candidate = Some(Candidate { asked: false, ..candidate });
                self.state = State::Inward { candidate, forward };
                Command::Call(Inward::Unconditional)
            }
            (Validated::Replaced, _) if self.demand.is_head && answer.status == StatusCode::OK => {
                self.compared(request, &candidate, forward, answer, at)
            }
            (Validated::Replaced, _) => match self.relayed(request, forward, answer, at) {
                Command::Relay(relay) if supersedes(&relay, answer.status) => {
                    Command::Drop(Box::new(Command::Relay(relay)))
                }
                other => other,
            },
        }
    }

    /// The inner service returned an error.
    pub(crate) fn failed(&mut self, now: Moment) -> Command {
        match &mut self.state {
            State::Inward { candidate, forward } => match candidate.take() {
                Some(candidate) if candidate.on_failure.disconnect => {
                    served_stale(candidate.stored, CacheOutcome::forwarded(*forward), now)
                }
                _ => passed(*forward),
            },
            _ => passed(Forward::Bypass),
        }
    }

    fn aliased(&self, request: &HeaderMap) -> Option<CacheKey> {
        let Some(By { list: Listed::In(index), .. }) = &self.selecting else { return None };
        let alias = self.selector().wanted_alias(index.vary(), request)?;
        index.aliased(&alias).cloned()
    }

    /// RFC 9111 §4: fresh, or to be validated first.
    fn judged(&mut self, stored: Arc<StoredResponse>, standing: Standing, now: Moment) -> Command {
        match self.setting.policy.reuse(self.demand, &stored.meta, standing, now) {
            Reuse::Fresh { age, reason } => {
                let serving = Serving {
                    for_this_client: HeaderMap::new(),
                    outcome: fresh(&stored.meta, age, reason),
                    age: Some(age),
                    stored,
                };
                self.fresh_or_early(serving, age)
            }
            Reuse::Unsatisfiable => {
                Command::Refuse(CacheOutcome::refused().because(Some(Reason::OnlyIfCached)))
            }
            Reuse::Revalidate { reason, on_failure, meanwhile } => {
                let forward =
                    if reason == Reason::Request { Forward::Request } else { Forward::Stale };
                let asked = Conditional::of(&stored.meta).is_some();
                let meanwhile = meanwhile.filter(|_| self.setting.serves_meanwhile);
                if meanwhile.is_none() && self.demand.directives.only_if_cached {
                    let outcome = CacheOutcome::refused().because(Some(Reason::OnlyIfCached));
                    return Command::Refuse(outcome);
                }
                let served = meanwhile.map(|age| stale_meanwhile(&stored, age));
                self.state = State::Inward {
                    candidate: Some(Candidate { stored, on_failure, asked }),
                    forward,
                };
                served.map_or_else(|| self.forwarded(), Command::Meanwhile)
            }
        }
    }

    fn missed(&mut self, forward: Forward) -> Command {
        // RFC 9111 §5.2.1.7.
        if self.demand.directives.only_if_cached {
            return Command::Refuse(CacheOutcome::refused().because(Some(Reason::OnlyIfCached)));
        }
        self.state = State::Inward { candidate: None, forward };
        self.forwarded()
    }
}

fn fresh(stored: &EntryMeta, age: Duration, reason: Option<Reason>) -> CacheOutcome {
    CacheOutcome::hit().because(reason).left(stored.lifetime, age)
}

/// The inner response or error as it came.
fn passed(forward: Forward) -> Command {
    Command::Relay(Relay { outcome: CacheOutcome::forwarded(forward), filing: None })
}

fn served_stale(stored: Arc<StoredResponse>, outcome: CacheOutcome, now: Moment) -> Command {
    let age = stored.meta.age(now);
    let outcome = outcome.because(Some(Reason::StaleIfError)).left(stored.meta.lifetime, age);
    Command::Serve(Serving { stored, age: Some(age), outcome, for_this_client: HeaderMap::new() })
}

/// RFC 5861 §4.
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
