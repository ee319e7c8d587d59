//! Refreshing a stored response behind the request that it answers (RFC 5861 §3).

use std::sync::Arc;
use std::task::Poll;
use std::{future, pin::pin};

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::cache::background::NotBegun;
use crate::cache::core::Core;
use crate::cache::driver::Driver;
use crate::cache::entry::EntryMeta;
use crate::cache::finish::Finish;
use crate::cache::flow::Transaction;
use crate::cache::layer::Config;
use crate::cache::passed::Passed;
use crate::cache::place::Place;
use crate::cache::steering::SteeringField;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::fields::survey::Survey;
use crate::fields::vary::is_secret;
use crate::head::RequestHead;
use crate::rules::identity;
use crate::rules::request::EARLY_DATA;
use crate::store::Store;

/// Begins to refresh what the transaction has found, unless somebody does already. False where nothing could
/// do it behind the request.
pub(crate) fn refresh<S, ReqBody, B, St: Store, C: Clock>(
    core: &Arc<Core<St, C>>,
    config: &Arc<Config>,
    place: &Place,
    mut transaction: Transaction,
    stored: &EntryMeta,
    inner: S,
    head: RequestHead<'_>,
) -> bool
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Body + Default + Send + 'static,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let partition = config.telling.partition.as_ref();
    let is_partitioned = partition.is_some_and(|own| own.of(head, &core.secret).is_some());
    let request = request_for(core, config, place, stored, head, is_partitioned);
    let Some(request) = request else { return false };
    let demand = transaction.refreshes(is_partitioned);
    // Else somebody does it already; or it is of no use for now.
    let Some(lead) = core.lead_refresh(&core.flight_key(transaction.flight())) else { return true };
    let request = request.map(|()| ReqBody::default());
    let finish = Finish::new(config, core.id, RequestHead::from(&request));
    let command = transaction.led();
    let driver = Driver {
        core: core.clone(),
        config: config.clone(),
        place: place.clone(),
        demand,
        transaction,
        finish,
        landings: core.flights.landings(),
        lead: Some(lead),
        lifeline: None,
    };
    let late = core.clock.sleep(config.flight_deadline);
    let begun = core.background.begin(Box::pin(async move {
        let mut driven = pin!(driver.drive(inner, request, command));
        let mut late = late;
        let response = future::poll_fn(|cx| match driven.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(response.ok()),
            Poll::Pending => match late.as_mut().map(|late| late.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(None),
                _ => Poll::Pending,
            },
        });
        if let Some(response) = response.await {
            response.into_body().stored().await;
        }
    }));
    if begun.is_ok() {
        core.stats.refreshing();
    }
    begun != Err(NotBegun::Nowhere)
}

/// The request that refreshes a stored response for everybody who may be served it: what is in the key, and as
/// little of the client whose request came by as that allows. `None` where there is no such request.
fn request_for<St: Store, C: Clock>(
    core: &Core<St, C>,
    config: &Config,
    place: &Place,
    stored: &EntryMeta,
    head: RequestHead<'_>,
    is_partitioned: bool,
) -> Option<Request<()>> {
    let names = stored.vary.names();
    if !is_partitioned && names.iter().any(is_secret) {
        // It is for whoever has the same credentials, and nobody's are lent.
        return None;
    }
    let of_key = |name: &HeaderName| {
        *name == header::HOST || names.contains(name) || SteeringField::is(name)
    };
    let of_request = |name: &HeaderName| {
        let is_of_client = is_secret(name) || identity::is_told_by(head.extensions, name);
        !is_of_client && !is_of_one_request(name)
    };
    let all = |name: &HeaderName| !is_of_one_request(name);
    let kinds: &[&dyn Fn(&HeaderName) -> bool] = match is_partitioned {
        // What a partition is told by is its own affair.
        true => &[&all],
        false => &[&of_key, &of_request],
    };
    kinds.iter().find_map(|kept| {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = kept_fields(head.headers, kept);
        *request.extensions_mut() = head.extensions.clone();
        if !is_partitioned {
            identity::forget(request.extensions_mut());
        }
        let is_same = {
            let head = RequestHead::from(&request);
            let survey = Survey::of(head.headers);
            let there = config.telling.place(head, &survey, config.policy.class, &core.secret);
            there.is_ok_and(|there| there.is_same(place))
        };
        // Else it would be stored for others than it was asked for.
        is_same.then(|| {
            Passed::mark(&mut request, core.id);
            request
        })
    })
}

fn kept_fields(all: &HeaderMap, kept: &dyn Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in all.iter().filter(|(name, _)| kept(name)) {
        // A map that is full goes without; and then it is another request, which is not sent.
        let _ = fields.try_append(name.clone(), value.clone());
    }
    fields
}

/// What one client asked of one answer.
fn is_of_one_request(name: &HeaderName) -> bool {
    ONE_REQUEST.contains(name) || *name == EARLY_DATA
}

static ONE_REQUEST: [HeaderName; 12] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
    header::EXPECT,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::CONNECTION,
    header::TE,
    header::UPGRADE,
];
