//! Carries out the commands of a transaction: asks the store, waits for others, calls the inner service,
//! answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, request};
use http_body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::cache::answer::{backed_off, followed, refused, relayed, served};
use crate::cache::body::CacheBody;
use crate::cache::collapse::{Arrival, Follower, Joined, Lead, Reader};
use crate::cache::core::Core;
use crate::cache::entry::{Entry, Stored};
use crate::cache::finish::Finish;
use crate::cache::flight::{BACK_OFF_MIN, Failure};
use crate::cache::flow::{Command, Inward, Landing, Transaction, Verdict};
use crate::cache::key::CacheKey;
use crate::cache::landing::{FlightKey, Flown};
use crate::cache::layer::Config;
use crate::cache::leading::{Leading, Lifeline};
use crate::cache::mark::{Position, Standing, Target};
use crate::cache::place::Place;
use crate::cache::refresh::refresh;
use crate::cache::unanswered::Unanswered;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::head::{RequestHead, ResponseHead};
use crate::rules::freshness::Exchange;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, EARLY_DATA, RequestFacts};
use crate::rules::validate::clear_conditions;
use crate::store::Store;
use crate::time::Ticks;

/// One request on its way: what it needs beside the inner service.
pub(crate) struct Driver<St, C> {
    pub(crate) core: Arc<Core<St, C>>,
    pub(crate) config: Arc<Config>,
    pub(crate) place: Place,
    pub(crate) demand: Demand,
    pub(crate) transaction: Transaction,
    pub(crate) finish: Finish,
    /// How many flights had landed before the store was asked.
    pub(crate) landings: u64,
    /// The flight that it leads from the beginning.
    pub(crate) lead: Option<Lead<FlightKey, Landing>>,
    pub(crate) lifeline: Option<Lifeline>,
}

/// A driver under way.
struct Drive<St: Store, C: Clock> {
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
    place: Place,
    facts: RequestFacts,
    transaction: Transaction,
    leading: Leading,
    landings: u64,
    has_looked_again: bool,
    has_expired: bool,
    /// Whether everything is known that was purged.
    is_current: bool,
    /// The key of a flight that nobody joins, because that was of no use to others.
    marked: Option<FlightKey>,
    /// What it follows.
    followed: Option<(Arc<Landing>, Reader<Landing>)>,
    /// Until when the inner service is spared.
    spared: Option<Ticks>,
}

impl<St: Store, C: Clock> Driver<St, C> {
    /// Not an `async fn`: that would keep room for what it is given beside what it makes of it.
    pub(crate) fn drive<S, ReqBody, B>(
        self,
        inner: S,
        request: Request<ReqBody>,
        mut command: Command,
    ) -> impl Future<Output = Result<Response<CacheBody<B>>, S::Error>> + Send
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Default + Send + 'static,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let finish = self.finish.clone();
        let mut drive = self.under_way(&parts);
        let mut outgoing = Outgoing { parts: Some(parts), body: Some(body) };
        async move {
            let (core, config, finish) = (drive.core.clone(), drive.config.clone(), &finish);
            let deadline = config.store_deadline;
            // The whole look-up has one deadline, however many questions it takes.
            let started = core.clock.now().ticks;
            let mut answer = None;
            let mut fetch = core.begin(deadline);
            if let Command::Get(_) = &command {
                drive.is_current = core.catch_up(core.clock.now(), deadline).await;
            }
            loop {
                command = match command {
                    Command::Get(key) => drive.looked_up(&key, started).await,
                    Command::Join(key) => {
                        let key = core.flight_key(key);
                        drive.joined(key).await
                    }
                    Command::Call(inward) => {
                        let request = outgoing.sent_inwards(&inward);
                        fetch = core.begin(deadline);
                        let began = core.stamps.position();
                        let request_time = core.clock.now();
                        let came = inner.clone().oneshot(request).await;
                        let response_time = core.clock.now();
                        let at = Exchange { began, request_time, response_time };
                        let declared = came.as_ref().map_or_else(
                            |_| Vec::new(),
                            |response| core.declared(&config, response.extensions()),
                        );
                        let is_purged = purged(&core, declared, deadline).await;
                        let command = drive.answered(&came, at);
                        answer = Some(came);
                        match is_purged {
                            true => command,
                            false => command.because(Reason::InvalidationFailed),
                        }
                    }
                    Command::Serve(serving) => {
                        drive.found_by_now(&serving.stored);
                        let (headers, demand) = (&drive.facts.headers, &drive.facts.demand);
                        return Ok(served(&core, serving, headers, demand, finish));
                    }
                    Command::Meanwhile(serving) => {
                        drive.found_by_now(&serving.stored);
                        let again = drive.begun_anew();
                        let transaction = std::mem::replace(&mut drive.transaction, again);
                        let Drive { place, .. } = &drive;
                        let meta = &serving.stored.meta;
                        let is_stale =
                            serving.outcome.reason() == Some(Reason::StaleWhileRevalidate);
                        let is_begun = outgoing.parts.as_ref().is_none_or(|parts| {
                            let (core, head) = (&core, RequestHead::from(parts));
                            refresh(core, &config, place, transaction, meta, inner.clone(), head)
                        });
                        match is_begun || !is_stale {
                            true => Command::Serve(serving),
                            false => drive.transaction.start(),
                        }
                    }
                    Command::Follow(following) => match drive.followed.take() {
                        Some((landing, reader)) => {
                            let headers = &drive.facts.headers;
                            return Ok(followed(
                                &core, following, &landing, reader, headers, finish,
                            ));
                        }
                        // Not reached: the machine follows what has arrived.
                        None => drive.transaction.released(),
                    },
                    Command::Freshen(serving, filing) => {
                        let flown = drive.leading.take().map(|lead| {
                            let flight = lead.flight().clone();
                            let flown = Flown::new(&core, lead.key().clone(), flight);
                            let headers = &drive.facts.headers;
                            lead.landed(drive.transaction.landing(&serving.stored, headers, true));
                            flown
                        });
                        core.file_soon(filing, serving.stored.clone(), fetch, flown);
                        Command::Serve(*serving)
                    }
                    Command::Drop(then) => drive.dropped(*then).await,
                    Command::Refuse(outcome) => return Ok(refused(&core, outcome, finish)),
                    Command::BackOff(outcome) => {
                        let now = core.clock.now().ticks;
                        let left = drive.spared.map_or(BACK_OFF_MIN, |until| until.since(now));
                        return Ok(backed_off(&core, outcome, left, finish));
                    }
                    Command::Relay(relay) => match answer.take() {
                        Some(answer) => {
                            let lead = drive.leading.take();
                            return answer.map(|response| {
                                relayed(&core, &config, finish, relay, response, lead, fetch)
                            });
                        }
                        // Not reached: the machine relays what was answered, and nothing twice.
                        None => Command::Call(Inward::AsItCame),
                    },
                }
            }
        }
    }

    fn under_way(self, request: &request::Parts) -> Drive<St, C> {
        let Self { core, config, place, demand, mut transaction, landings, lead, lifeline, .. } =
            self;
        let headers = request.headers.clone();
        if headers.contains_key(EARLY_DATA) {
            // RFC 8470 §5.2: others need not be told what that came to.
            transaction.alone();
        }
        let facts = RequestFacts { demand, headers, spread: core.spread() };
        Drive {
            core,
            config,
            place,
            facts,
            transaction,
            leading: Leading::new(lead, lifeline),
            landings,
            has_looked_again: false,
            has_expired: false,
            is_current: true,
            marked: None,
            followed: None,
            spared: None,
        }
    }
}

impl<St: Store, C: Clock> Drive<St, C> {
    async fn looked_up(&mut self, key: &CacheKey, started: Ticks) -> Command {
        let core = &self.core;
        let spent = core.clock.now().ticks.since(started);
        let left = self.config.store_deadline.saturating_sub(spent);
        match core.asked(left, core.store.get(key)).await {
            Ok(entry) => {
                let now = core.clock.now();
                let standing = match &entry {
                    Some(entry) if self.is_current => core.standing_of(entry, &self.place, now),
                    Some(Entry(Stored::Response(_))) => Standing::Unknown,
                    _ => Standing::Good,
                };
                self.transaction.found(&self.facts.headers, entry, standing, now)
            }
            Err(_) => self.transaction.lost(),
        }
    }

    /// Leads the flight of this key, or waits for who does.
    async fn joined(&mut self, key: FlightKey) -> Command {
        if !self.is_current {
            // What the others wait for may have been purged elsewhere, and nobody here knows.
            return self.transaction.released();
        }
        if self.leading.key() == Some(&key) {
            return self.transaction.led();
        }
        self.leading.set(None);
        let (position, doubts) = (self.core.stamps.position(), self.core.doubts());
        match self.core.join(&key, &self.place, &self.facts.demand, &self.config.policy, doubts) {
            Joined::Lead(lead) => {
                self.leading.set(Some(lead));
                let landings = self.core.flights.landings();
                if landings == self.landings || self.has_looked_again {
                    return self.transaction.led();
                }
                // Who fetched it may have ended between our look-up and now.
                (self.landings, self.has_looked_again) = (landings, true);
                self.transaction.looks_again()
            }
            Joined::Follow(follower) => self.arrived(key, follower, position).await,
            Joined::Alone => {
                self.marked = Some(key);
                self.transaction.released()
            }
            Joined::BackedOff { failure, until } => self.grounded(failure, Some(until)),
        }
    }

    /// Waits for what the leader brings.
    async fn arrived(
        &mut self,
        key: FlightKey,
        mut follower: Follower<FlightKey, Landing>,
        position: Position,
    ) -> Command {
        let has_waited = follower.flight().is_fetching();
        let core = self.core.clone();
        let deadline = self.config.flight_deadline;
        let mut late = None;
        loop {
            let arrival = follower.arrival(&mut late, |led_at| {
                let waited = core.clock.now().ticks.since(led_at);
                core.clock.sleep(deadline.saturating_sub(waited))
            });
            let arrival = arrival.await;
            let now = core.clock.now();
            match arrival {
                Arrival::Landed(landing, reader) => {
                    let standing = match landing.meta().began == position {
                        // Whatever was purged since then was so after this request came.
                        true => Standing::Good,
                        false => core.standing(landing.meta(), &self.place, now),
                    };
                    let (facts, head) = (&self.facts, &*landing);
                    let command = self.transaction.arrived(facts, head, has_waited, standing, now);
                    if let Command::Follow(_) = command {
                        self.followed = Some((landing, reader));
                    }
                    return command;
                }
                Arrival::Vacant(after) => {
                    let stale = after.and_then(|after| self.transaction.stale_instead(after, now));
                    if let Some(stale) = stale {
                        return stale;
                    }
                    match follower.lead() {
                        Ok(lead) => {
                            self.leading.set(Some(lead));
                            return self.transaction.led();
                        }
                        Err(again) => follower = again,
                    }
                }
                Arrival::Alone => return self.transaction.released(),
                Arrival::Failed(Failure::Deadline) if !self.has_expired => {
                    self.has_expired = true;
                    return match self.transaction.stale_instead(Failure::Deadline, now) {
                        Some(stale) => stale,
                        None => self.transaction.joins_again(),
                    };
                }
                Arrival::Failed(failure) => {
                    let until = core.flights.spared_until(&key);
                    return self.grounded(failure, until);
                }
            }
        }
    }

    fn grounded(&mut self, failure: Failure, until: Option<Ticks>) -> Command {
        if !self.config.backs_off {
            let stale = self.transaction.stale_instead(failure, self.core.clock.now());
            return stale.unwrap_or_else(|| self.transaction.released());
        }
        self.spared = until;
        self.transaction.grounded(failure, self.core.clock.now())
    }

    /// What the inner service's answer comes to, for this request and for those who wait for it.
    fn answered<B, E>(&mut self, came: &Result<Response<B>, E>, at: Exchange) -> Command {
        let command = match came {
            Ok(response) => {
                self.transaction.answered(&self.facts, ResponseHead::from(response), at)
            }
            Err(_) => self.transaction.failed(at.response_time),
        };
        if !matches!(command, Command::Call(_)) {
            let verdict = match came {
                Ok(response) => command.verdict(response.status()),
                Err(_) => Verdict::Failed(Failure::Error),
            };
            match verdict {
                // They are told when the body, or all of it, is put behind their flight.
                Verdict::Streams | Verdict::Landed => {
                    if let Some(key) = self.marked.take() {
                        self.core.flights.note_usable(&key);
                    }
                }
                Verdict::Unusable { by_request } => {
                    if let Some(lead) = self.leading.take() {
                        // What comes of a refresh says little of what clients would be answered.
                        let is_refresh = self.transaction.is_refresh();
                        if is_refresh {
                            self.core.flights.note_rest(lead.key(), self.core.clock.now().ticks);
                        }
                        lead.unusable(by_request || is_refresh);
                    }
                }
                Verdict::Failed(failure) => {
                    if let Some(lead) = self.leading.take() {
                        if self.transaction.is_refresh() {
                            self.core.flights.note_rest(lead.key(), self.core.clock.now().ticks);
                        }
                        lead.failed(failure);
                    }
                }
            }
        }
        command
    }

    async fn dropped(&mut self, then: Command) -> Command {
        let (places, deadline) = (std::slice::from_ref(&self.place), self.config.store_deadline);
        match (then, self.core.invalidate(places, deadline).await) {
            (Command::Relay(mut relay), Err(_)) => {
                relay.outcome = relay.outcome.because(Some(Reason::InvalidationFailed));
                Command::Relay(relay)
            }
            (then, _) => then,
        }
    }

    /// The store has it after all: those who wait are told, and the flight is over.
    fn found_by_now(&mut self, stored: &Arc<crate::cache::entry::StoredResponse>) {
        if let Some(lead) = self.leading.take() {
            let flown = Flown::new(&self.core, lead.key().clone(), lead.flight().clone());
            lead.landed(self.transaction.landing(stored, &self.facts.headers, false));
            drop(flown);
        }
    }

    /// The same request once more, which is not served what is being refreshed.
    fn begun_anew(&self) -> Transaction {
        let setting = self.core.setting(&self.config);
        Transaction::without_meanwhile(setting, self.place.clone(), self.facts.demand)
    }
}

/// Purges what a response declares to have changed; false where that may not have been done.
async fn purged<St: Store, C: Clock>(
    core: &Arc<Core<St, C>>,
    declared: Vec<Target>,
    deadline: Duration,
) -> bool {
    if declared.is_empty() {
        return true;
    }
    let due = Unanswered::declared(core, declared, deadline);
    let is_purged = due.purge().await.is_ok();
    due.settled();
    is_purged
}

/// What is left of the request to send inwards.
struct Outgoing<ReqBody> {
    parts: Option<request::Parts>,
    body: Option<ReqBody>,
}

impl<ReqBody: Default> Outgoing<ReqBody> {
    /// The request as it goes to the inner service. After a conditional one it may be sent once more.
    fn sent_inwards(&mut self, inward: &Inward) -> Request<ReqBody> {
        let kept = match inward {
            Inward::Conditional(_) => self.parts.clone(),
            Inward::AsItCame | Inward::Unconditional => self.parts.take(),
        };
        // The machine asks no third time: the fallback is not reached.
        let mut parts = kept.unwrap_or_else(|| Request::new(()).into_parts().0);
        match inward {
            Inward::AsItCame => {}
            Inward::Conditional(conditional) => conditional.apply(&mut parts.headers),
            Inward::Unconditional => clear_conditions(&mut parts.headers),
        }
        Request::from_parts(parts, self.body.take().unwrap_or_default())
    }
}
