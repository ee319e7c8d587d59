//! What becomes of an answer of the inner service: stored, merged into what is stored, or passed on.

use std::sync::Arc;

use http::StatusCode;

use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::flow::Transaction;
use crate::cache::flow::command::{Command, Filing, Relay, Serving};
use crate::cache::hint::PolicyHint;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::fields::vary::Selector;
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::policy::CachePolicy;
use crate::rules::reason::Reason;
use crate::rules::request::RequestFacts;
use crate::rules::storable::{Retention, Storable};
use crate::rules::validate::{Freshened, same_by_head};

impl Transaction {
    /// RFC 9111 §4.3.4.
    pub(super) fn freshened(
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
    pub(super) fn compared(
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

    pub(super) fn relayed(
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

    pub(super) fn selector(&self) -> Selector<'_> {
        Selector { secret: &self.secret, languages: self.policy.languages }
    }
}

/// Whether a response that is not stored itself tells that the stale one is no longer what the origin
/// would answer (RFC 9111 §4.3.3), so that it must not come back when the service fails. What only this
/// request caused tells nothing of that.
pub(super) fn supersedes(relay: &Relay, status: StatusCode) -> bool {
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

/// The stored body keeps its length, whatever a 304 said of one.
fn keep_length(old: &EntryMeta, new: &mut EntryMeta) {
    if let Some(length) = old.field(http::header::CONTENT_LENGTH) {
        new.headers.insert(http::header::CONTENT_LENGTH, length.clone());
    }
}
