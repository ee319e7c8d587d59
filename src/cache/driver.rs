//! Carries out the commands of a transaction: asks the store, calls the inner service, answers.

use std::sync::Arc;

use http::{Request, Response, request};
use http_body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::cache::answer::{refused, relayed, served};
use crate::cache::body::CacheBody;
use crate::cache::core::Core;
use crate::cache::entry::{Entry, Stored};
use crate::cache::finish::Finish;
use crate::cache::flow::{Command, Inward, Transaction};
use crate::cache::layer::Config;
use crate::cache::mark::Standing;
use crate::cache::place::Place;
use crate::cache::unanswered::Unanswered;
use crate::clock::Clock;
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, RequestFacts};
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
}

impl<St: Store, C: Clock> Driver<St, C> {
    pub(crate) async fn drive<S, ReqBody, B>(
        self,
        inner: S,
        request: Request<ReqBody>,
        mut command: Command,
    ) -> Result<Response<CacheBody<B>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Send,
        ReqBody: Body + Default + Send + 'static,
        B: Body + Send + 'static,
    {
        let Self { core, config, place, demand, mut transaction, finish } = self;
        let (core, finish) = (&core, &finish);
        let deadline = config.store_deadline;
        let (parts, body) = request.into_parts();
        let facts = RequestFacts { demand, headers: parts.headers.clone(), spread: core.spread() };
        let mut outgoing = Outgoing { parts: Some(parts), body: Some(body) };
        // The whole look-up has one deadline, however many questions it takes.
        let started = core.clock.now().ticks;
        let left = || deadline.saturating_sub(core.clock.now().ticks.since(started));
        let mut answer = None;
        let mut fetch = core.begin(deadline);
        let is_current = match &command {
            Command::Get(_) => core.catch_up(core.clock.now(), deadline).await,
            _ => true,
        };
        loop {
            command = match command {
                Command::Get(key) => match core.asked(left(), core.store.get(&key)).await {
                    Ok(entry) => {
                        let now = core.clock.now();
                        let standing = match &entry {
                            Some(entry) if is_current => core.standing_of(entry, &place, now),
                            Some(Entry(Stored::Response(_))) => Standing::Unknown,
                            _ => Standing::Good,
                        };
                        transaction.found(&facts.headers, entry, standing, now)
                    }
                    Err(_) => transaction.lost(),
                },
                Command::Call(inward) => {
                    let request = outgoing.sent_inwards(&inward);
                    fetch = core.begin(deadline);
                    let began = core.stamps.position();
                    let request_time = core.clock.now();
                    let came = inner.clone().oneshot(request).await;
                    let response_time = core.clock.now();
                    let at = Exchange { began, request_time, response_time };
                    let mut is_purged = true;
                    if let Ok(response) = &came {
                        let declared = core.declared(&config, response.extensions());
                        if !declared.is_empty() {
                            let due = Unanswered::declared(core, declared, deadline);
                            is_purged = due.purge().await.is_ok();
                            due.settled();
                        }
                    }
                    let command = match &came {
                        Ok(response) => {
                            transaction.answered(&facts, ResponseHead::from(response), at)
                        }
                        Err(_) => transaction.failed(at.response_time),
                    };
                    answer = Some(came);
                    match is_purged {
                        true => command,
                        false => command.because(Reason::InvalidationFailed),
                    }
                }
                Command::Serve(serving) => {
                    return Ok(served(core, serving, &facts.headers, &facts.demand, finish));
                }
                Command::Freshen(serving, filing) => {
                    core.file_soon(filing, serving.stored.clone(), fetch);
                    Command::Serve(*serving)
                }
                Command::Drop(then) => {
                    let dropped = core.invalidate(std::slice::from_ref(&place), deadline).await;
                    match (*then, dropped) {
                        (Command::Relay(mut relay), Err(_)) => {
                            relay.outcome = relay.outcome.because(Some(Reason::InvalidationFailed));
                            Command::Relay(relay)
                        }
                        (then, _) => then,
                    }
                }
                Command::Refuse(outcome) => return Ok(refused(core, outcome, finish)),
                Command::Relay(relay) => match answer.take() {
                    Some(answer) => {
                        return answer.map(|response| {
                            relayed(core, &config, finish, relay, response, fetch)
                        });
                    }
                    // Not reached: the machine relays what was answered, and nothing twice.
                    None => Command::Call(Inward::AsItCame),
                },
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
