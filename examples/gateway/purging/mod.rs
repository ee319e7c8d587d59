//! `POST /purge` on the admin listener, for who knows the secret.

mod answer;
mod ask;
mod audit;
mod per_second;
mod secret;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use http::HeaderMap;
use tower_keep::cache::{CacheHandle, PurgeErrorKind};
use tower_keep::store::Reach;

use ask::{Ask, Problem};
use per_second::PerSecond;
pub(crate) use secret::Secret;

/// The one route. Whoever serves it tells the peer's address as [`ConnectInfo`].
pub(crate) fn routes(handle: CacheHandle, secret: Secret) -> Router {
    let desk = Desk { handle, secret, wide: PerSecond::default(), strangers: PerSecond::default() };
    // Also over the 405, which the router makes.
    let route = post(purge).layer(map_response(answer::unstored));
    Router::new().route("/purge", route).with_state(Arc::new(desk))
}

struct Desk {
    handle: CacheHandle,
    secret: Secret,
    /// Purges of more than one URL.
    wide: PerSecond,
    /// Requests without the secret.
    strangers: PerSecond,
}

enum Outcome {
    Done(Reach),
    /// The secret is missing or wrong. The number of such requests in this second.
    Unauthorised(u32),
    Refused(Cow<'static, str>),
    TooMany,
    Failed,
}

async fn purge(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    fields: HeaderMap,
) -> Response {
    // A task of its own: a client that hangs up neither stops a purge halfway nor keeps it out of the log.
    let done = tokio::spawn(async move {
        let ask = Ask::read(query.as_deref().unwrap_or_default());
        let outcome = desk.decide(&fields, &ask).await;
        audit::note(peer, &ask, &outcome);
        answer::of(&ask, &outcome)
    });
    done.await.unwrap_or_else(|_| answer::failed())
}

impl Desk {
    async fn decide(&self, fields: &HeaderMap, ask: &Result<Ask, Problem>) -> Outcome {
        // Before anything else, so that a stranger learns nothing and uses up nothing.
        if !self.secret.is_shown_in(fields) {
            return Outcome::Unauthorised(self.strangers.count());
        }
        let ask = match ask {
            Ok(ask) => ask,
            Err(problem) => return Outcome::Refused(Cow::Borrowed(problem)),
        };
        if ask.is_wide() && self.wide.count() > WIDE_MAX {
            return Outcome::TooMany;
        }
        match self.handle.purge(ask.purge()).await {
            Ok(reach) => Outcome::Done(reach),
            Err(error) => match error.kind() {
                PurgeErrorKind::Url | PurgeErrorKind::Prefix | PurgeErrorKind::Tag => {
                    Outcome::Refused(Cow::Owned(error.to_string()))
                }
                _ => Outcome::Failed,
            },
        }
    }
}

fn name_of(reach: Reach) -> &'static str {
    match reach {
        Reach::EveryInstance => "every-instance",
        _ => "this-process",
    }
}

/// Purges by prefix, by tag and of all, in a second: each leaves work to every later look-up.
const WIDE_MAX: u32 = 10;
