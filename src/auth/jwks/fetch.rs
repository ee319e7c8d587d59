//! One fetch: the key set, and before it, where that is to be found out, the metadata of the issuer.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BufMut};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use tower::util::Oneshot;
use tower_service::Service;

use crate::auth::jwk::KeySet;
use crate::auth::jwk::fetched::{self, FetchedError};
use crate::auth::jwks::document;
use crate::auth::jwks::error::{JwksError, JwksErrorKind};
use crate::auth::jwks::reply::{self, Worth};
use crate::auth::jwks::url::{Schemes, schemes_of};
use crate::auth::key::Admission;
use crate::clock::Sleep;
use crate::error::BoxError;
use crate::time::Moment;

pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client whose types do not matter any more.
pub(super) trait Client: Send + Sync + 'static {
    fn get(&self, url: Uri, validator: Option<HeaderValue>) -> Boxed<Result<Reply, JwksError>>;
}

/// A reply that is worth something.
pub(super) struct Reply {
    headers: HeaderMap,
    /// `None` where what is known is good still.
    body: Option<Vec<u8>>,
}

pub(super) struct AnyService<S, ReqBody> {
    service: S,
    body: PhantomData<fn() -> ReqBody>,
}

impl<S, ReqBody> AnyService<S, ReqBody> {
    pub(super) fn new(service: S) -> Self {
        Self { service, body: PhantomData }
    }
}

impl<S, ReqBody, B> Client for AnyService<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    ReqBody: Default + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn get(&self, url: Uri, validator: Option<HeaderValue>) -> Boxed<Result<Reply, JwksError>> {
        let service = self.service.clone();
        Box::pin(async move {
            let is_conditional = validator.is_some();
            let request = request(url, validator);
            let response = Oneshot::new(service, request).await.map_err(JwksError::of_client)?;
            let (head, body) = response.into_parts();
            let body = match reply::worth(head.status, &head.headers, is_conditional)? {
                Worth::Body => Some(read(body).await?),
                Worth::NotModified => None,
            };
            Ok(Reply { headers: head.headers, body })
        })
    }
}

fn request<ReqBody: Default>(url: Uri, validator: Option<HeaderValue>) -> Request<ReqBody> {
    let mut request = Request::new(ReqBody::default());
    *request.uri_mut() = url;
    let fields = request.headers_mut();
    fields.insert(header::ACCEPT, ACCEPT);
    // RFC 9110 §12.5.3: a coding could make much of little.
    fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    fields.insert(header::USER_AGENT, USER_AGENT);
    if let Some(validator) = validator {
        fields.insert(header::IF_NONE_MATCH, validator);
    }
    request
}

/// Reads a body to its end, or until it is too long.
async fn read<B: Body>(body: B) -> Result<Vec<u8>, JwksError>
where
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(JwksError::of_client)?.into_data() else { continue };
        if data.remaining() > reply::BYTES_MAX.saturating_sub(whole.len()) {
            return Err(JwksErrorKind::TooLarge.into());
        }
        whole.put(data);
    }
    Ok(whole)
}

/// Where the keys are.
#[derive(Debug)]
pub(super) enum Place {
    At(Uri),
    /// Where the metadata of the issuer says.
    Of {
        issuer: String,
        metadata: Uri,
        schemes: Schemes,
    },
}

impl Place {
    /// What was configured, without its query: that may hold what is not for everybody.
    pub(super) fn shown(&self) -> String {
        let (Self::At(url) | Self::Of { metadata: url, .. }) = self;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}{}", url.scheme_str().unwrap_or_default(), url.path())
    }
}

/// What the next fetch can use of the last one.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Where the metadata said that the keys are, and when it did.
    pub(super) url: Option<(Uri, Moment)>,
    pub(super) validator: Option<HeaderValue>,
}

/// What a fetch has brought.
pub(super) struct Fetched {
    /// The keys, and how many cannot be used; `None` where those that are known are good still.
    pub(super) keys: Option<(KeySet, usize)>,
    /// How long they are good by their reply.
    pub(super) interval: Option<Duration>,
    pub(super) known: Known,
}

/// One fetch, with an end: after `deadline`, if that is there.
pub(super) async fn fetch(
    client: Arc<dyn Client>,
    place: Arc<Place>,
    admission: Admission,
    known: Known,
    now: Moment,
    deadline: Option<Sleep>,
) -> Result<Fetched, JwksError> {
    let mut fetched = pin!(attempt(&*client, &place, admission, known, now));
    let mut deadline = deadline;
    poll_fn(|cx| {
        if let Poll::Ready(fetched) = fetched.as_mut().poll(cx) {
            return Poll::Ready(fetched);
        }
        match deadline.as_mut().map(|deadline| deadline.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(JwksErrorKind::Deadline.into())),
            _ => Poll::Pending,
        }
    })
    .await
}

async fn attempt(
    client: &dyn Client,
    place: &Place,
    admission: Admission,
    known: Known,
    now: Moment,
) -> Result<Fetched, JwksError> {
    let (url, found) = match (place, &known.url) {
        (Place::At(url), _) => (url.clone(), None),
        (Place::Of { .. }, Some((url, at))) if now.ticks.since(at.ticks) < URL_KEPT_FOR => {
            (url.clone(), known.url.clone())
        }
        (Place::Of { issuer, metadata, schemes }, _) => {
            let reply = client.get(metadata.clone(), None).await?;
            let schemes = schemes_of(metadata, *schemes);
            let body = reply.body.unwrap_or_default();
            let url = document::jwks_url(&body, issuer, schemes)?;
            (url.clone(), Some((url, now)))
        }
    };
    // A validator is good for the URL alone from which it came.
    let was_at = known.url.as_ref().map(|(url, _)| url);
    let is_same = found.is_none() || was_at == Some(&url);
    let sent = known.validator.filter(|_| is_same);
    let reply = client.get(url, sent.clone()).await?;
    let keys = match reply.body {
        Some(text) => Some(fetched::read(&text, admission)?),
        None => None,
    };
    let validator = reply::validator(&reply.headers);
    // RFC 9111 §4.3.4: a 304 need not repeat it.
    let validator = if keys.is_none() { validator.or(sent) } else { validator };
    let interval = reply::interval(&reply.headers);
    Ok(Fetched { keys, interval, known: Known { url: found, validator } })
}

impl From<FetchedError> for JwksError {
    fn from(error: FetchedError) -> Self {
        match error {
            FetchedError::Malformed => JwksErrorKind::Malformed,
            FetchedError::TooMany => JwksErrorKind::TooManyKeys,
            FetchedError::Duplicate => JwksErrorKind::DuplicateKeyId,
            FetchedError::Secret => JwksErrorKind::SecretKey,
        }
        .into()
    }
}

/// After a day the metadata is read again, and after every failure.
const URL_KEPT_FOR: Duration = Duration::from_secs(86_400);
const ACCEPT: HeaderValue = HeaderValue::from_static("application/jwk-set+json, application/json");
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tower-keep/", env!("CARGO_PKG_VERSION")));
