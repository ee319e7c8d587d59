//! How a request stands to others that want the same: it waits for one of them, leads them, or goes alone
//! (RFC 9111 §4: collapsed requests).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::flight::Failure;
use crate::cache::flow::command::{Command, Following, Inward, Serving};
use crate::cache::flow::{By, Candidate, Listed, Setting, State, Transaction, fresh, served_stale};
use crate::cache::key::CacheKey;
use crate::cache::mark::Standing;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::place::Place;
use crate::fields::vary::{Selecting, VaryList};
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, RequestFacts};
use crate::rules::reuse::{OnFailure, Reuse};
use crate::rules::validate::Conditional;
use crate::time::Moment;

/// What a leader brings to those who follow.
#[derive(Debug)]
pub(crate) struct Landing {
    pub(crate) vary: VaryList,
    pub(crate) values: Selecting,
    /// The inner service was asked for it; not so where the store had it after all.
    pub(crate) is_new: bool,
    /// Fields that are for the client alone that asked, as trailers too.
    pub(crate) left_out: Arc<[HeaderName]>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A head, whose body is coming.
    Coming {
        meta: Box<EntryMeta>,
        /// The Content-Length, if there is one.
        length: Option<u64>,
        /// What trailers it announces.
        trailer: Option<HeaderValue>,
    },
    /// All of it.
    Stored(Arc<StoredResponse>),
}

impl Landing {
    pub(crate) fn meta(&self) -> &EntryMeta {
        match &self.what {
            What::Coming { meta, .. } => meta,
            What::Stored(stored) => &stored.meta,
        }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        match &self.what {
            What::Coming { length, .. } => *length,
            What::Stored(stored) => Some(stored.body.len() as u64),
        }
    }

    pub(crate) fn trailer(&self) -> Option<&HeaderValue> {
        match &self.what {
            What::Coming { trailer, .. } => trailer.as_ref(),
            What::Stored(_) => None,
        }
    }
}

impl Transaction {
    /// It goes alone: nobody waits for it, and it waits for nobody.
    pub(crate) fn alone(&mut self) {
        self.collapses = false;
    }

    /// It refreshes what is stored, for everybody who may be served that.
    ///
    /// What the request by which it comes had of credentials still counts for whether the response may be stored:
    /// a service further out may have told of the client in the extensions, which go with it. But it leads for
    /// everybody, so that there is one for each key; in a partition for those who ask as this one does.
    pub(crate) fn refreshes(&mut self, is_partitioned: bool) -> Demand {
        let Demand { has_authorization, has_cookie, .. } = self.demand;
        self.demand = Demand { has_authorization, has_cookie, ..Demand::default() };
        self.refreshes = Some(is_partitioned);
        self.demand
    }

    pub(crate) fn is_refresh(&self) -> bool {
        self.refreshes.is_some()
    }

    /// What it found is no longer served meanwhile, but looked up once more and validated first.
    pub(crate) fn without_meanwhile(mut setting: Setting, place: Place, demand: Demand) -> Self {
        setting.serves_meanwhile = false;
        Self::new(setting, place, demand)
    }

    /// It is the first, and fetches for all.
    pub(crate) fn led(&self) -> Command {
        match &self.state {
            State::Inward { candidate: Some(candidate), .. } => {
                let conditional = Conditional::of(&candidate.stored.meta);
                Command::Call(conditional.map_or(Inward::AsItCame, Inward::Conditional))
            }
            _ => Command::Call(Inward::AsItCame),
        }
    }

    /// The store may have got meanwhile what it had not when it was asked.
    pub(crate) fn looks_again(&mut self) -> Command {
        let (place, setting) = (self.place.clone(), self.setting.clone());
        let store_failed = self.store_failed;
        *self = Self { store_failed, ..Self::new(setting, place, self.demand) };
        self.start()
    }

    /// The head of another request's response is there. `has_waited` where this one came before it;
    /// `standing` is how the response stands to what was purged before this one came.
    pub(crate) fn arrived(
        &mut self,
        request: &RequestFacts,
        landing: &Landing,
        has_waited: bool,
        standing: Standing,
        now: Moment,
    ) -> Command {
        let has_waited = has_waited && landing.is_new;
        let values = self.selector().values(&landing.vary, &request.headers);
        if values != landing.values {
            // RFC 9111 §4.1: it is not for this request. Those who want the same wait for each other.
            self.selecting = Some(By { list: Listed::As(landing.vary.clone()), values });
            return self.forwarded();
        }
        if standing != Standing::Good {
            return self.forwarded();
        }
        let demand = if has_waited { self.demand.of_what_is_coming() } else { self.demand };
        let meta = landing.meta();
        // RFC 9111 §4.2.3 counts the time that an answer took as its age, since nobody knows when it was made. Those
        // who waited for it are as well off with it as the one who asked.
        let was_fresh = has_waited
            && meta.lifetime > meta.age_on_the_way().saturating_add(meta.residence(now))
            && !meta.staleness.no_cache;
        match self.setting.policy.reuse(demand, meta, Standing::Good, now) {
            Reuse::Fresh { age, reason } => self.follows(landing, age, reason),
            // It is being refreshed at this very moment.
            Reuse::Revalidate { meanwhile: Some(age), .. } => self.follows(landing, age, None),
            _ if was_fresh => self.follows(landing, meta.age(now), None),
            _ => {
                self.alone();
                self.forwarded()
            }
        }
    }

    fn follows(&self, landing: &Landing, age: Duration, reason: Option<Reason>) -> Command {
        let outcome = CacheOutcome::forwarded(self.forward()).collapsed();
        let outcome = outcome.because(reason).left(landing.meta().lifetime, age);
        match &landing.what {
            What::Coming { .. } => Command::Follow(Following { age, outcome }),
            What::Stored(stored) => Command::Serve(Serving {
                stored: stored.clone(),
                age: Some(age),
                outcome,
                for_this_client: HeaderMap::new(),
            }),
        }
    }

    /// Nobody else may use what came: each goes its own way.
    pub(crate) fn released(&mut self) -> Command {
        self.alone();
        self.forwarded()
    }

    /// It has waited long enough for the one that leads: it joins those who waited with it.
    pub(crate) fn joins_again(&self) -> Command {
        Command::Join
    }

    /// What is stored, to be told to those who wait.
    pub(crate) fn landing(
        &self,
        stored: &Arc<StoredResponse>,
        headers: &HeaderMap,
        is_new: bool,
    ) -> Landing {
        let vary = stored.meta.vary.clone();
        let values = self.selector().values(&vary, headers);
        let (left_out, what) = (Arc::default(), What::Stored(stored.clone()));
        Landing { vary, values, is_new, left_out, what }
    }

    /// What it waited for failed. `None` where nothing may stand in for it.
    pub(crate) fn stale_instead(&mut self, failure: Failure, now: Moment) -> Option<Command> {
        let State::Inward { candidate, .. } = &mut self.state else { return None };
        let serves = |OnFailure { error_status, disconnect }: OnFailure| match failure {
            Failure::Unavailable | Failure::Status => error_status,
            Failure::Error | Failure::Panic | Failure::Deadline => disconnect,
        };
        let candidate = candidate.take_if(|candidate| serves(candidate.on_failure))?;
        // RFC 9211 §2.2: this request went nowhere.
        Some(served_stale(candidate.stored, CacheOutcome::hit(), now))
    }

    /// It failed more than once, and the inner service is spared for a while.
    pub(crate) fn grounded(&mut self, failure: Failure, now: Moment) -> Command {
        self.stale_instead(failure, now).unwrap_or_else(|| {
            Command::BackOff(CacheOutcome::refused().because(Some(match failure {
                Failure::Error => Reason::BackOffError,
                Failure::Panic => Reason::BackOffPanic,
                Failure::Deadline => Reason::BackOffDeadline,
                Failure::Unavailable | Failure::Status => Reason::BackOffStatus,
            })))
        })
    }

    /// Goes inwards: with others if it may, else by itself.
    pub(super) fn forwarded(&mut self) -> Command {
        match self.flights_left.checked_sub(1) {
            Some(left) if self.collapses => {
                self.flights_left = left;
                Command::Join
            }
            _ => {
                self.collapses = false;
                self.led()
            }
        }
    }

    /// A fresh response is served; and refreshed, if by chance it is this request's to do.
    pub(super) fn fresh_or_early(&mut self, serving: Serving, age: Duration) -> Command {
        let stored = &serving.stored;
        let policy = &self.setting.policy;
        if !self.setting.serves_meanwhile
            || !policy.is_due_early(&stored.meta, age, self.setting.spread)
        {
            return Command::Serve(serving);
        }
        let asked = Conditional::of(&stored.meta).is_some();
        let candidate =
            Candidate { stored: stored.clone(), on_failure: OnFailure::default(), asked };
        self.state = State::Inward { candidate: Some(candidate), forward: Forward::Stale };
        Command::Meanwhile(serving)
    }

    fn forward(&self) -> Forward {
        match &self.state {
            State::Inward { forward, .. } => *forward,
            _ => Forward::UriMiss,
        }
    }

    /// What it has in common with those whose response it may use. A response to a request with credentials or
    /// a condition of its own may be of use to few: such requests wait for each other only.
    pub(crate) fn flight(&self) -> CacheKey {
        let asks_itself = match &self.state {
            State::Inward { candidate: Some(candidate), .. } => !candidate.asked,
            _ => true,
        };
        let has_own_condition = self.demand.has_condition && asks_itself;
        let class = u8::from(self.demand.has_authorization)
            | u8::from(self.demand.has_cookie) << 1
            | u8::from(has_own_condition) << 2;
        let class = if self.refreshes == Some(false) { 0 } else { class };
        let selecting = self.selecting.as_ref().map(|by| (by.list(), &by.values));
        self.place.flight(class, selecting)
    }
}

/// A stale response that is served while it is refreshed.
pub(super) fn stale_meanwhile(stored: &Arc<StoredResponse>, age: Duration) -> Serving {
    let reason = Some(Reason::StaleWhileRevalidate);
    let outcome = fresh(&stored.meta, age, reason);
    Serving { stored: stored.clone(), age: Some(age), outcome, for_this_client: HeaderMap::new() }
}

/// What is not stored is of use to nobody else, and a part is not the whole.
pub(super) fn may_collapse(demand: &Demand) -> bool {
    !demand.is_head && !demand.has_range && !demand.directives.no_store
}

/// A request changes the flight that it waits for when it turns out what selects, and when others have changed
/// what is stored meanwhile; then it goes alone.
pub(super) const FLIGHTS_MAX: u8 = 3;
