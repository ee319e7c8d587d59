//! Carries out the commands of a transaction: asks the store, waits for others, calls the inner service,
//! answers.

use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, request};
use http_body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::cache::answer::{backed_off, followed, refused, relayed, served};
use crate::cache::body::CacheBody;
use crate::cache::collapse::Lead;
use crate::cache::core::Core;
use crate::cache::course::{Course, purged};
use crate::cache::finish::Finish;
use crate::cache::flight::BACK_OFF_MIN;
use crate::cache::flow::{Command, Inward, Landing, Transaction};
use crate::cache::landing::{FlightKey, Flown};
use crate::cache::layer::Config;
use crate::cache::leading::Lifeline;
use crate::cache::passed::Passed;
use crate::cache::place::Place;
use crate::cache::refresh::refresh;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::head::RequestHead;
use crate::rules::freshness::Exchange;
use crate::rules::reason::Reason;
use crate::rules::request::Demand;
use crate::rules::validate::clear_conditions;
use crate::store::Store;

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
        let mut course = Course::new(self, &parts);
        let mut outgoing = Outgoing { parts: Some(parts), body: Some(body) };
        async move {
            let (core, config, finish) = (course.core.clone(), course.config.clone(), &finish);
            let deadline = config.store_deadline;
            // The whole look-up has one deadline, however many questions it takes.
            let started = core.clock.now().ticks;
            let mut answer = None;
            let mut fetch = core.begin(deadline);
            if let Command::Get(_) = &command {
                course.is_current = core.catch_up(core.clock.now(), deadline).await;
            }
            loop {
                command = match command {
                    Command::Get(key) => course.looked_up(&key, started).await,
                    Command::Join => {
                        let key = core.flight_key(course.transaction.flight());
                        course.joined(key).await
                    }
                    Command::Call(inward) => {
                        let request = outgoing.sent_inwards(&inward);
                        let found = Passed::found(&request, core.id);
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
                        let command = course.answered(&came, at, &found);
                        answer = Some(came);
                        match is_purged {
                            true => command,
                            false => command.because(Reason::InvalidationFailed),
                        }
                    }
                    Command::Serve(serving) => {
                        course.found_by_now(&serving.stored);
                        let (headers, demand) = (&course.facts.headers, &course.facts.demand);
                        return Ok(served(&core, serving, headers, demand, finish));
                    }
                    Command::Meanwhile(serving) => {
                        course.found_by_now(&serving.stored);
                        let again = course.begun_anew();
                        let transaction = std::mem::replace(&mut course.transaction, again);
                        let place = &course.place;
                        let meta = &serving.stored.meta;
                        let is_stale =
                            serving.outcome.reason() == Some(Reason::StaleWhileRevalidate);
                        let is_begun = outgoing.parts.as_ref().is_none_or(|parts| {
                            let (core, head) = (&core, RequestHead::from(parts));
                            refresh(core, &config, place, transaction, meta, inner.clone(), head)
                        });
                        match is_begun || !is_stale {
                            true => Command::Serve(serving),
                            false => course.transaction.start(),
                        }
                    }
                    Command::Follow(following) => match course.followed.take() {
                        Some((landing, reader)) => {
                            let headers = &course.facts.headers;
                            return Ok(followed(
                                &core, following, &landing, reader, headers, finish,
                            ));
                        }
                        // Not reached: the machine follows what has arrived.
                        None => course.transaction.released(),
                    },
                    Command::Freshen(serving, filing) => {
                        let flown = course.leading.take().map(|lead| {
                            let flight = lead.flight().clone();
                            let flown = Flown::new(&core, lead.key().clone(), flight);
                            let headers = &course.facts.headers;
                            lead.landed(course.transaction.landing(&serving.stored, headers, true));
                            flown
                        });
                        core.file_soon(filing, serving.stored.clone(), fetch, flown);
                        Command::Serve(*serving)
                    }
                    Command::Drop(then) => course.dropped(*then).await,
                    Command::Refuse(outcome) => return Ok(refused(&core, outcome, finish)),
                    Command::BackOff(outcome) => {
                        let now = core.clock.now().ticks;
                        let left = course.spared.map_or(BACK_OFF_MIN, |until| until.since(now));
                        return Ok(backed_off(&core, outcome, left, finish));
                    }
                    Command::Relay(relay) => match answer.take() {
                        Some(answer) => {
                            let lead = course.leading.take();
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
