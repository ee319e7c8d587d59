//! What becomes of an answer of the inner service: stored, merged into what is stored, or passed on.

use std::sync::Arc;

use http::StatusCode;

use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::flow::command::{Command, Filing, Relay, Serving};
use crate::cache::flow::{Candidate, Setting, Transaction};
use crate::cache::hint::PolicyHints;
use crate::cache::mark::Target;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::cache::subject::{TARGETS_OF_TAG, tagged};
use crate::fields::vary::Selector;
use crate::head::ResponseHead;
use crate::rules::freshness::Exchange;
use crate::rules::policy::CachePolicy;
use crate::rules::reason::Reason;
use crate::rules::request::RequestFacts;
use crate::rules::storable::{Kept, Storable};
use crate::rules::tags::TAGS_MAX;
use crate::rules::validate::{ByHead, by_head};
use crate::time::Moment;

impl Transaction {
    /// RFC 9111 §4.3.4.
    pub(super) fn freshened(
        &self,
        request: &RequestFacts,
        policy: &CachePolicy,
        stored: &StoredResponse,
        forward: Forward,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        let outcome = CacheOutcome::forwarded(forward).answered(answer.status);
        let freshened = policy.freshen(&stored.meta, request, answer, at);
        let served = |mut meta: EntryMeta, outcome| {
            keep_length(&stored.meta, &mut meta);
            // RFC 9111 §5.1: what the 304 passed on the way made it older.
            let age = Some(meta.initial_age).filter(|age| age.as_secs() > 0);
            let (body, trailers) = (stored.body.clone(), stored.trailers.clone());
            let stored = Arc::new(StoredResponse { meta, body, trailers });
            let for_this_client = freshened.for_this_client;
            Box::new(Serving { stored, age, outcome, for_this_client })
        };
        match freshened.verdict {
            Ok(kept) if kept.retention.is_none() => {
                let outcome = outcome.because(Some(Reason::NothingToReuse));
                Command::Drop(Box::new(Command::Serve(*served(kept.meta, outcome))))
            }
            Ok(kept) => {
                let freshens = Some(stored.meta.requested);
                // What it was tagged with before stays: a purge of it may be on its way.
                let tags = self.tags(&kept.tags, &stored.meta.tags);
                if tags.len() > TAGS_MAX * TARGETS_OF_TAG {
                    let outcome = outcome.because(Some(Reason::Tags));
                    return Command::Drop(Box::new(Command::Serve(*served(kept.meta, outcome))));
                }
                let filing = self.filing(request, &kept, answer, freshens);
                let meta = EntryMeta { tags, ..kept.meta };
                let outcome = outcome.left(meta.lifetime, meta.initial_age).stored();
                Command::Freshen(served(meta, outcome), filing)
            }
            Err((meta, reason)) => {
                let serve = Command::Serve(*served(*meta, outcome.because(Some(reason))));
                match forward == Forward::Stale && !is_by_request(reason) {
                    true => Command::Drop(Box::new(serve)),
                    false => serve,
                }
            }
        }
    }

    /// RFC 9111 §4.3.5: a 200 to HEAD freshens the stored response, or shows that it is no longer the one.
    pub(super) fn compared(
        &self,
        request: &RequestFacts,
        candidate: &Candidate,
        forward: Forward,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Command {
        let stored = &candidate.stored;
        let Ok(policy) = self.policy_of(answer) else {
            return self.relayed(request, forward, answer, at);
        };
        let length = stored.body.len() as u64;
        let relay = || {
            let outcome = CacheOutcome::forwarded(forward).because(Some(Reason::Head));
            Command::Relay(Relay { outcome, filing: None })
        };
        match by_head(&stored.meta, length, candidate.asked, answer, at) {
            ByHead::Same => self.freshened(request, policy, stored, forward, answer, at),
            ByHead::Other => Command::Drop(Box::new(relay())),
            ByHead::Unknown => relay(),
        }
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
            Ok((meta, filing)) if meta.is_explicit && filing.retention.is_some() => {
                Relay { outcome: outcome.stored(), filing: Some((meta, filing)) }
            }
            _ => Relay { outcome, filing: None },
        }
    }

    /// What somebody puts into the store in the place of the inner service.
    pub(crate) fn primed(
        &self,
        request: &RequestFacts,
        answer: ResponseHead<'_>,
        at: Exchange,
    ) -> Relay {
        let outcome = CacheOutcome::forwarded(Forward::Bypass);
        match self.stored(request, answer, at) {
            Ok((_, Filing { retention: None, .. })) => {
                let outcome = outcome.because(Some(Reason::NothingToReuse));
                Relay { outcome, filing: None }
            }
            Ok(filing) => Relay { outcome: outcome.stored(), filing: Some(filing) },
            Err(reason) => Relay { outcome: outcome.because(Some(reason)), filing: None },
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
            // Of use to others only where they wait for it now.
            Ok((meta, filing)) if filing.retention.is_none() => {
                let reason = match self.store_failed {
                    true => Reason::StoreFailed,
                    false => Reason::NothingToReuse,
                };
                let filing = self.collapses.then_some((meta, filing));
                Relay { outcome: outcome.because(Some(reason)), filing }
            }
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
        if self.demand.is_head {
            return Err(Reason::Head);
        }
        match self.policy_of(answer)?.storable(request, answer, at) {
            Storable::No(reason) => Err(reason),
            Storable::Yes(mut kept) => {
                let mut filing = self.filing(request, &kept, answer, None);
                if self.store_failed {
                    filing.retention = None;
                }
                kept.meta.tags = self.tags(&kept.tags, &[]);
                Ok((Box::new(kept.meta), filing))
            }
        }
    }

    /// The targets of these tags, and those that the response had before.
    fn tags(&self, tags: &[Box<str>], before: &[Target]) -> Box<[Target]> {
        let mut targets = tagged(&self.setting.secret, &self.place, tags);
        for target in before {
            if !targets.contains(target) {
                targets.push(*target);
            }
        }
        targets.into()
    }

    fn filing(
        &self,
        request: &RequestFacts,
        kept: &Kept,
        answer: ResponseHead<'_>,
        freshens: Option<Moment>,
    ) -> Filing {
        let (selector, vary) = (self.selector(), &kept.meta.vary);
        Filing {
            place: self.place.clone(),
            vary: vary.clone(),
            values: selector.values(vary, &request.headers),
            alias: selector.stored_alias(vary, &request.headers, answer.headers),
            retention: kept.retention,
            freshens,
            left_out: kept.left_out.as_slice().into(),
        }
    }

    /// The policy of the innermost clone of this layer, which knows the route.
    pub(super) fn policy_of<'a>(
        &'a self,
        answer: ResponseHead<'a>,
    ) -> Result<&'a CachePolicy, Reason> {
        let own = &self.setting;
        match answer.extensions.get::<PolicyHints>().and_then(|hints| hints.of(own.core)) {
            None => Ok(&own.policy),
            // What a private layer may store has no place among what a shared one holds, nor the reverse.
            Some(hint) if hint.policy.class != own.policy.class => Err(Reason::Private),
            // It tells apart what the look-up further out does not.
            Some(hint) if !hint.telling.agrees_with(&own.telling) => Err(Reason::NestedCache),
            Some(hint) => Ok(&hint.policy),
        }
    }

    pub(super) fn selector(&self) -> Selector<'_> {
        let Setting { secret, policy, .. } = &self.setting;
        Selector { secret, languages: policy.languages, unknown: policy.unknown_fields }
    }
}

/// Whether a response that is not stored itself tells that the stale one is no longer what the origin
/// would answer (RFC 9111 §4.3.3), so that it must not come back when the service fails. What only this
/// request caused tells nothing of that.
pub(super) fn supersedes(relay: &Relay, status: StatusCode) -> bool {
    let by_request = relay.outcome.reason().is_some_and(is_by_request);
    let is_stale = relay.outcome.forward() == Some(Forward::Stale);
    let has_moved = match status.as_u16() {
        206 | 304 => false,
        404 | 410 => true,
        _ => status.is_success() || status.is_redirection(),
    };
    let is_kept = relay.filing.as_ref().is_some_and(|(_, filing)| filing.retention.is_some());
    !is_kept && is_stale && has_moved && !by_request
}

/// Whether the reason lies in the request, and tells nothing of what others may be served.
fn is_by_request(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RequestNoStore
            | Reason::RequestCookie
            | Reason::Cookie
            | Reason::Authorization
            | Reason::StoreFailed
            | Reason::Head
    )
}

/// The stored body keeps its length, whatever a 304 said of one.
fn keep_length(old: &EntryMeta, new: &mut EntryMeta) {
    if let Some(length) = old.field(&http::header::CONTENT_LENGTH) {
        new.lines.set_length(length.clone());
    }
}
