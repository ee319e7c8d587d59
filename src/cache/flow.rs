//! The order of things for one request, as a machine: events in, commands out. Nothing here waits.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::cache::entry::{Entry, EntryMeta, Stored, StoredResponse};
use crate::cache::hint::PolicyHint;
use crate::cache::index::Index;
use crate::cache::key::{CacheKey, Place};
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::digest::Secret;
use crate::fields::vary::{Selecting, Selector, VaryList};
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::policy::CachePolicy;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, RequestFacts};
use crate::rules::reuse::{OnFailure, Reuse};
use crate::rules::storable::{Retention, Storable};
use crate::rules::validate::{Conditional, Freshened, Validated, same_by_head, validated};
use crate::time::Moment;

/// One request that may be answered from the store.
///
/// *Invariant*: every command is answered by exactly one event ([`found`](Self::found),
/// [`answered`](Self::answered) or [`failed`](Self::failed)) until one comes that ends the request.
pub(crate) struct Transaction {
    policy: Arc<CachePolicy>,
    secret: Secret,
    place: Place,
    demand: Demand,
    state: State,
    /// The store did not answer: nothing is known of what it holds.
    store_failed: bool,
}

enum State {
    /// Looking for the generation that the divisions hang on.
    Root,
    /// Looking for the resource's one response, or its index, under this key.
    Base(CacheKey),
    /// Looking for the variant that the request selects.
    Variant(Arc<Index>),
    /// Looking for a variant known by the language of its content.
    Alias,
    /// The request went inwards.
    Inward { candidate: Option<Candidate>, forward: Forward },
}

/// A stored response that has to be validated.
struct Candidate {
    stored: StoredResponse,
    on_failure: OnFailure,
    /// Its validators went inwards; not so when it has none, and when it is fetched anew.
    asked: bool,
}

/// What to do next.
pub(crate) enum Command {
    /// Look this key up, then [`Transaction::found`].
    Get(CacheKey),
    /// Call the inner service, then [`Transaction::answered`] or [`Transaction::failed`].
    Call(Inward),
    /// Answer with a stored response.
    Serve(Serving),
    /// Store the freshened head, then answer with it.
    Freshen(Box<Serving>, Filing),
    /// Drop what is stored for the resource, then pass the inner response on.
    Drop(Relay),
    /// Pass on what came from the inner service: its response, or its error.
    Relay(Relay),
    /// RFC 9111 §5.2.1.7: 504.
    Refuse(CacheOutcome),
}

/// How a request goes inwards.
pub(crate) enum Inward {
    AsItCame,
    /// With the stored validators.
    Conditional(Conditional),
    /// Without any condition.
    Unconditional,
}

pub(crate) struct Serving {
    pub(crate) stored: StoredResponse,
    /// `None` where the inner service has just said that it is current.
    pub(crate) age: Option<Duration>,
    pub(crate) outcome: CacheOutcome,
}

/// The inner response, on its way to the client and perhaps into the store.
pub(crate) struct Relay {
    pub(crate) outcome: CacheOutcome,
    pub(crate) filing: Option<(Box<EntryMeta>, Filing)>,
}

/// Where in the store a response belongs.
#[derive(Clone, Debug)]
pub(crate) struct Filing {
    pub(crate) place: Place,
    pub(crate) vary: VaryList,
    /// The selecting values of the request.
    pub(crate) values: Selecting,
    /// Another way to ask for it: by the language of its content.
    pub(crate) alias: Option<Selecting>,
    pub(crate) retention: Retention,
}

impl Transaction {
    pub(crate) fn new(
        policy: Arc<CachePolicy>,
        secret: Secret,
        place: Place,
        demand: Demand,
    ) -> Self {
        let state =
            if place.is_divided() { State::Root } else { State::Base(place.resource().clone()) };
        Self { policy, secret, place, demand, state, store_failed: false }
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

    /// What the store had under the key that was asked for.
    pub(crate) fn found(
        &mut self,
        request: &HeaderMap,
        entry: Option<Entry>,
        now: Moment,
    ) -> Command {
        match (&self.state, entry.map(|entry| entry.0)) {
            (State::Root, Some(Stored::Root(generation))) => match self.place.divided(generation) {
                Some(key) => {
                    self.state = State::Base(key.clone());
                    Command::Get(key)
                }
                None => self.missed(Forward::UriMiss),
            },
            (State::Base(_), Some(Stored::Response(stored))) => self.judged(stored, now),
            (State::Base(base), Some(Stored::Index(index))) => {
                match self
                    .selector()
                    .values(index.vary(), request)
                    .map(|values| base.variant(index.generation(), &values))
                {
                    Some(key) => {
                        index.touch(&key, now.ticks);
                        self.state = State::Variant(index);
                        Command::Get(key)
                    }
                    None => self.missed(Forward::VaryMiss),
                }
            }
            (State::Variant(index), None) => match self.aliased(index, request) {
                Some(key) => {
                    self.state = State::Alias;
                    Command::Get(key)
                }
                None => self.missed(Forward::VaryMiss),
            },
            (State::Variant(_) | State::Alias, Some(Stored::Response(stored))) => {
                self.judged(stored, now)
            }
            (State::Variant(_) | State::Alias, _) => self.missed(Forward::VaryMiss),
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
        let verdict = if candidate.asked {
            validated(&candidate.stored.meta, answer, at)
        } else {
            Validated::Replaced
        };
        match verdict {
            Validated::Current => self.freshened(request, &candidate.stored, forward, answer, at),
            Validated::Mismatched => {
                let candidate = Some(Candidate { asked: false, ..candidate });
                self.state = State::Inward { candidate, forward };
                Command::Call(Inward::Unconditional)
            }
            Validated::Replaced if self.demand.is_head && answer.status == StatusCode::OK => {
                self.compared(request, &candidate.stored, forward, answer, at)
            }
            Validated::Replaced => match self.relayed(request, forward, answer, at) {
                Command::Relay(relay) if supersedes(&relay, answer.status) => Command::Drop(relay),
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

    fn aliased(&self, index: &Index, request: &HeaderMap) -> Option<CacheKey> {
        let alias = self.selector().wanted_alias(index.vary(), request)?;
        index.aliased(&alias).cloned()
    }

    /// RFC 9111 §4: fresh, or to be validated first.
    fn judged(&mut self, stored: StoredResponse, now: Moment) -> Command {
        match self.policy.reuse(self.demand, &stored.meta, now) {
            Reuse::Fresh { age, reason } => Command::Serve(Serving {
                outcome: CacheOutcome::hit().because(reason).left(stored.meta.lifetime, age),
                age: Some(age),
                stored,
            }),
            Reuse::Unsatisfiable => {
                Command::Refuse(CacheOutcome::hit().because(Some(Reason::OnlyIfCached)))
            }
            Reuse::Revalidate { reason, on_failure } => {
                let forward =
                    if reason == Reason::Request { Forward::Request } else { Forward::Stale };
                let conditional = Conditional::of(&stored.meta);
                let candidate =
                    Some(Candidate { stored, on_failure, asked: conditional.is_some() });
                self.state = State::Inward { candidate, forward };
                Command::Call(conditional.map_or(Inward::AsItCame, Inward::Conditional))
            }
        }
    }

    fn missed(&mut self, forward: Forward) -> Command {
        // RFC 9111 §5.2.1.7.
        if self.demand.directives.only_if_cached {
            return Command::Refuse(CacheOutcome::hit().because(Some(Reason::OnlyIfCached)));
        }
        self.state = State::Inward { candidate: None, forward };
        Command::Call(Inward::AsItCame)
    }

    /// RFC 9111 §4.3.4.
    fn freshened(
        &self,
        request: &RequestFacts,
        stored: &StoredResponse,
        forward: Forward,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        let outcome = CacheOutcome::forwarded(forward).answered(answer.status);
        let served = |meta: Box<EntryMeta>, outcome| Serving {
            stored: StoredResponse { meta: Arc::from(meta), ..stored.clone() },
            age: None,
            outcome,
        };
        match self.policy_of(answer).map(|policy| policy.freshen(&stored.meta, request, answer, at))
        {
            Ok(Freshened::Stored(mut meta, retention)) => {
                keep_length(&stored.meta, &mut meta);
                match self.filing(request, &meta, answer, retention) {
                    Some(filing) => {
                        let outcome = outcome.left(meta.lifetime, meta.initial_age).stored();
                        Command::Freshen(Box::new(served(meta, outcome)), filing)
                    }
                    None => {
                        Command::Serve(served(meta, outcome.because(Some(Reason::VaryTooWide))))
                    }
                }
            }
            Ok(Freshened::Served(mut meta, reason)) => {
                keep_length(&stored.meta, &mut meta);
                Command::Serve(served(meta, outcome.because(Some(reason))))
            }
            Err(reason) => Command::Serve(Serving {
                stored: stored.clone(),
                age: None,
                outcome: outcome.because(Some(reason)),
            }),
        }
    }

    /// RFC 9111 §4.3.5: a 200 to HEAD freshens the stored response, or shows that it is no longer the one.
    fn compared(
        &self,
        request: &RequestFacts,
        stored: &StoredResponse,
        forward: Forward,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        if same_by_head(&stored.meta, stored.body.len() as u64, answer, at) {
            return self.freshened(request, stored, forward, answer, at);
        }
        let outcome = CacheOutcome::forwarded(forward).because(Some(Reason::Head));
        Command::Drop(Relay { outcome, filing: None })
    }

    /// RFC 9110 §9.3.3: the answer to a POST that a later GET may have.
    pub(crate) fn written(
        &self,
        request: &RequestFacts,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Relay {
        let outcome = CacheOutcome::forwarded(Forward::Method).because(Some(Reason::Method));
        match self.stored(request, answer, at) {
            // Explicit freshness is a must here.
            Ok((meta, filing)) if meta.is_explicit => {
                Relay { outcome: outcome.stored(), filing: Some((meta, filing)) }
            }
            _ => Relay { outcome, filing: None },
        }
    }

    fn relayed(
        &self,
        request: &RequestFacts,
        forward: Forward,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        let outcome = CacheOutcome::forwarded(forward);
        Command::Relay(match self.stored(request, answer, at) {
            Ok((meta, filing)) => {
                let outcome = outcome.left(meta.lifetime, meta.initial_age).stored();
                Relay { outcome, filing: Some((meta, filing)) }
            }
            Err(reason) => Relay { outcome: outcome.because(Some(reason)), filing: None },
        })
    }

    fn stored(
        &self,
        request: &RequestFacts,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Result<(Box<EntryMeta>, Filing), Reason> {
        if self.store_failed {
            return Err(Reason::StoreFailed);
        }
        if self.demand.is_head {
            return Err(Reason::Head);
        }
        match self.policy_of(answer)?.storable(request, answer, at) {
            Storable::No(reason) => Err(reason),
            Storable::Yes(meta, retention) => {
                let filing =
                    self.filing(request, &meta, answer, retention).ok_or(Reason::VaryTooWide)?;
                Ok((meta, filing))
            }
        }
    }

    fn filing(
        &self,
        request: &RequestFacts,
        meta: &EntryMeta,
        answer: ResponseHead<'_>,
        retention: Retention,
    ) -> Option<Filing> {
        let selector = self.selector();
        Some(Filing {
            place: self.place.clone(),
            vary: meta.vary.clone(),
            values: selector.values(&meta.vary, &request.headers)?,
            alias: selector.stored_alias(&meta.vary, &request.headers, answer.headers),
            retention,
        })
    }

    /// The policy of the innermost clone of this layer, which knows the route.
    fn policy_of<'a>(&'a self, answer: ResponseHead<'a>) -> Result<&'a CachePolicy, Reason> {
        match answer.extensions.get::<PolicyHint>() {
            None => Ok(&self.policy),
            // What a private layer may store has no place among what a shared one holds, nor the reverse.
            Some(PolicyHint(policy)) if policy.class != self.policy.class => Err(Reason::Private),
            Some(PolicyHint(policy)) => Ok(policy),
        }
    }

    fn selector(&self) -> Selector<'_> {
        Selector { secret: &self.secret, languages: self.policy.languages }
    }
}

/// The inner response or error as it came.
fn passed(forward: Forward) -> Command {
    Command::Relay(Relay { outcome: CacheOutcome::forwarded(forward), filing: None })
}

fn served_stale(stored: StoredResponse, outcome: CacheOutcome, now: Moment) -> Command {
    let age = stored.meta.age(now);
    let outcome = outcome.because(Some(Reason::StaleIfError)).left(stored.meta.lifetime, age);
    Command::Serve(Serving { stored, age: Some(age), outcome })
}

/// The stored body keeps its length, whatever a 304 said of one.
fn keep_length(old: &EntryMeta, new: &mut EntryMeta) {
    if let Some(length) = old.field(http::header::CONTENT_LENGTH) {
        new.headers.insert(http::header::CONTENT_LENGTH, length.clone());
    }
}

/// Whether a response that is not stored itself tells that the stale one is no longer what the origin
/// would answer (RFC 9111 §4.3.3), so that it must not come back when the service fails. What only this
/// request caused tells nothing of that.
fn supersedes(relay: &Relay, status: StatusCode) -> bool {
    let by_request = matches!(
        relay.outcome.reason(),
        Some(
            Reason::RequestNoStore
                | Reason::RequestCookie
                | Reason::Authorization
                | Reason::StoreFailed
                | Reason::Head
        )
    );
    let is_stale = relay.outcome.forward() == Some(Forward::Stale);
    let has_moved = match status.as_u16() {
        206 | 304 => false,
        404 | 410 => true,
        _ => status.is_success() || status.is_redirection(),
    };
    relay.filing.is_none() && is_stale && has_moved && !by_request
}

/// RFC 5861 §4.
fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
