//! What a request does beside calling the inner service: it asks the store, waits for others, and tells them what
//! came.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, request};

use crate::cache::collapse::{Arrival, Follower, Joined, Reader};
use crate::cache::core::Core;
use crate::cache::driver::Driver;
use crate::cache::entry::{Entry, Stored, StoredResponse};
use crate::cache::flight::Failure;
use crate::cache::flow::{Command, Landing, Transaction, Verdict};
use crate::cache::key::CacheKey;
use crate::cache::landing::{FlightKey, Flown};
use crate::cache::layer::Config;
use crate::cache::leading::Leading;
use crate::cache::mark::{Position, Standing, Target};
use crate::cache::passed::Found;
use crate::cache::place::Place;
use crate::cache::unanswered::Unanswered;
use crate::clock::Clock;
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::reason::Reason;
use crate::rules::request::{EARLY_DATA, RequestFacts};
use crate::store::Store;
use crate::time::Ticks;

/// One request under way: what it has found out, and what it holds.
pub(crate) struct Course<St: Store, C: Clock> {
    pub(crate) core: Arc<Core<St, C>>,
    pub(crate) config: Arc<Config>,
    pub(crate) place: Place,
    pub(crate) facts: RequestFacts,
    pub(crate) transaction: Transaction,
    pub(crate) leading: Leading,
    pub(crate) landings: u64,
    pub(crate) has_looked_again: bool,
    pub(crate) has_expired: bool,
    /// Whether everything is known that was purged.
    pub(crate) is_current: bool,
    /// The key of a flight that nobody joins, because that was of no use to others.
    pub(crate) marked: Option<FlightKey>,
    /// What it follows.
    pub(crate) followed: Option<(Arc<Landing>, Reader<Landing>)>,
    /// Until when the inner service is spared.
    pub(crate) spared: Option<Ticks>,
}

impl<St: Store, C: Clock> Course<St, C> {
    pub(crate) fn new(driver: Driver<St, C>, request: &request::Parts) -> Self {
        let Driver {
            core, config, place, demand, mut transaction, landings, lead, lifeline, ..
        } = driver;
        let headers = request.headers.clone();
        if headers.contains_key(EARLY_DATA) {
            // RFC 8470 §5.2: others need not be told what that came to.
            transaction.alone();
        }
        let facts = RequestFacts { demand, headers, spread: core.spread() };
        Self {
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

    pub(crate) async fn looked_up(&mut self, key: &CacheKey, started: Ticks) -> Command {
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
    pub(crate) async fn joined(&mut self, key: FlightKey) -> Command {
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
    pub(crate) async fn arrived(
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

    pub(crate) fn grounded(&mut self, failure: Failure, until: Option<Ticks>) -> Command {
        if !self.config.backs_off {
            let stale = self.transaction.stale_instead(failure, self.core.clock.now());
            return stale.unwrap_or_else(|| self.transaction.released());
        }
        self.spared = until;
        self.transaction.grounded(failure, self.core.clock.now())
    }

    /// What the inner service's answer comes to, for this request and for those who wait for it.
    pub(crate) fn answered<B, E>(
        &mut self,
        came: &Result<Response<B>, E>,
        at: Exchange,
        found: &Found,
    ) -> Command {
        let command = match came {
            Ok(response) => {
                self.facts.demand.has_authorization |= found.is_so();
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

    pub(crate) async fn dropped(&mut self, then: Command) -> Command {
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
    pub(crate) fn found_by_now(&mut self, stored: &Arc<StoredResponse>) {
        if let Some(lead) = self.leading.take() {
            let flown = Flown::new(&self.core, lead.key().clone(), lead.flight().clone());
            lead.landed(self.transaction.landing(stored, &self.facts.headers, false));
            drop(flown);
        }
    }

    /// The same request once more, which is not served what is being refreshed.
    pub(crate) fn begun_anew(&self) -> Transaction {
        let setting = self.core.setting(&self.config);
        Transaction::without_meanwhile(setting, self.place.clone(), self.facts.demand)
    }
}

/// Purges what a response declares to have changed; false where that may not have been done.
pub(crate) async fn purged<St: Store, C: Clock>(
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
