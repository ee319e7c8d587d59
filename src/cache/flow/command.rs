//! What a transaction tells its driver to do.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::cache::entry::{EntryMeta, StoredResponse};
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
    /// Call the inner service, then [`Transaction::answered`] or [`Transaction::failed`].
    Call(Inward),
    /// Answer with a stored response.
    Serve(Serving),
    /// Store the freshened head, then answer with it.
    Freshen(Box<Serving>, Filing),
    /// Drop what is stored for the resource, then do the other thing.
    Drop(Box<Command>),
    /// Pass on what came from the inner service: its response, or its error.
    Relay(Relay),
    /// RFC 9111 §5.2.1.7: 504.
    Refuse(CacheOutcome),
}

impl Command {
    /// The same, with this to tell of it.
    pub(crate) fn because(mut self, reason: Reason) -> Self {
        let outcome = match &mut self {
            Self::Serve(serving) => &mut serving.outcome,
            Self::Freshen(serving, _) => &mut serving.outcome,
            Self::Relay(relay) => &mut relay.outcome,
            Self::Refuse(outcome) => outcome,
            Self::Drop(then) => {
                let told = std::mem::replace(&mut **then, Self::Call(Inward::AsItCame));
                **then = told.because(reason);
                return self;
            }
            Self::Get(_) | Self::Call(_) => return self,
        };
        *outcome = outcome.because(Some(reason));
        self
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
    /// The fetch of the stored response that this freshens, which must still be the one that is stored.
    pub(crate) freshens: Option<Moment>,
    /// Fields that must not be stored, as trailers neither.
    pub(crate) left_out: Vec<HeaderName>,
}
