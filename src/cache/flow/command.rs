//! What a transaction tells its driver to do.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};

use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::flight::Failure;
use crate::cache::key::CacheKey;
use crate::cache::outcome::CacheOutcome;
use crate::cache::place::Place;
use crate::fields::vary::{Selecting, VaryList};
use crate::rules::reason::Reason;
use crate::rules::storable::Retention;
use crate::rules::validate::Conditional;
use crate::time::Moment;

/// What to do next.
pub(crate) enum Command {
    /// Look this key up, then [`Transaction::found`].
    Get(CacheKey),
    /// Join the flight of [`Transaction::flight`], then [`Transaction::led`], [`Transaction::arrived`],
    /// [`Transaction::released`] or [`Transaction::grounded`].
    Join,
    /// Call the inner service, then [`Transaction::answered`] or [`Transaction::failed`].
    Call(Inward),
    /// Answer with a stored response.
    Serve(Serving),
    /// Answer with a stored response, and refresh it in the background; or, where that cannot be, begin anew with
    /// [`Transaction::without_meanwhile`].
    Meanwhile(Serving),
    /// Answer with the response of a flight, whose body is still coming.
    Follow(Following),
    /// Store the freshened head, then answer with it.
    Freshen(Box<Serving>, Filing),
    /// Drop what is stored for the resource, then do the other thing.
    Drop(Box<Command>),
    /// Pass on what came from the inner service: its response, or its error.
    Relay(Relay),
    /// RFC 9111 §5.2.1.7: 504.
    Refuse(CacheOutcome),
    /// The inner service is spared for a while: 503.
    BackOff(CacheOutcome),
}

impl Command {
    /// The same, with this to tell of it.
    pub(crate) fn because(mut self, reason: Reason) -> Self {
        let outcome = match &mut self {
            Self::Serve(serving) | Self::Meanwhile(serving) => &mut serving.outcome,
            Self::Follow(following) => &mut following.outcome,
            Self::Freshen(serving, _) => &mut serving.outcome,
            Self::Relay(relay) => &mut relay.outcome,
            Self::Refuse(outcome) | Self::BackOff(outcome) => outcome,
            Self::Drop(then) => {
                let told = std::mem::replace(&mut **then, Self::Call(Inward::AsItCame));
                **then = told.because(reason);
                return self;
            }
            Self::Get(_) | Self::Join | Self::Call(_) => return self,
        };
        *outcome = outcome.because(Some(reason));
        self
    }

    /// What an answer of the inner service with this status, on which this is to be done, is to those who wait
    /// for it.
    pub(crate) fn verdict(&self, status: StatusCode) -> Verdict {
        match self {
            Self::Freshen(..) => Verdict::Landed,
            Self::Relay(Relay { filing: Some(_), .. }) => Verdict::Streams,
            Self::Drop(then) => then.verdict(status),
            _ => match Failure::of_status(status.as_u16()) {
                Some(failure) => Verdict::Failed(failure),
                None => Verdict::Unusable { by_request: is_by_one_request(status) },
            },
        }
    }
}

/// What an answer of the inner service is to those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They may use it; its body is coming.
    Streams,
    /// They may use it, and it is all there.
    Landed,
    /// They may not use it. `by_request` where another request may well have another answer.
    Unusable {
        by_request: bool,
    },
    Failed(Failure),
}

/// Statuses that tell of the faults of one request, and little of what others would be answered: who sends such
/// requests must not keep others from waiting for each other (C20).
fn is_by_one_request(status: StatusCode) -> bool {
    match status.as_u16() {
        404 | 405 | 410 | 451 => false,
        status => (400..500).contains(&status),
    }
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
    pub(crate) stored: Arc<StoredResponse>,
    /// `None` where the inner service has just said that it is current, and it is of no age.
    pub(crate) age: Option<Duration>,
    pub(crate) outcome: CacheOutcome,
    /// Fields of the inner response that only this client gets.
    pub(crate) for_this_client: HeaderMap,
}

/// A response whose body others read too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Following {
    pub(crate) age: Duration,
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
    /// `None` where it is of use to those who wait for it only.
    pub(crate) retention: Option<Retention>,
    /// The fetch of the stored response that this freshens, which must still be the one that is stored.
    pub(crate) freshens: Option<Moment>,
    /// Fields that must not be stored, as trailers neither.
    pub(crate) left_out: Arc<[HeaderName]>,
}
