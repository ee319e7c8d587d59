//! One URL through the service: the request that a server would hand on, and its answer read to the end.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use tower::util::Oneshot;
use tower_service::Service;

use crate::cache::finish::CACHE_STATUS;
use crate::cache::outcome::CacheOutcome;
use crate::cache::warming::progress::{WarmingError, WarmingErrorKind};
use crate::fields::{authority, cache_status};

/// What the cache told of a response.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) is_hit: bool,
    pub(super) is_stored: bool,
}

/// Scheme and authority, in one form for all their spellings.
#[derive(PartialEq)]
pub(super) struct Origin<'a> {
    scheme: &'a str,
    authority: Cow<'a, [u8]>,
}

impl<'a> Origin<'a> {
    /// `None` for what is no `http` or `https` URL, or has userinfo.
    pub(super) fn of(url: &'a Uri) -> Option<Self> {
        let scheme = url.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
        let scheme = scheme?.as_str();
        let authority = authority::canonical(url.authority()?.as_str().as_bytes(), scheme)?;
        Some(Self { scheme, authority })
    }
}

/// A GET as a server hands it on: origin-form and Host. So it has the key of the requests that are to be
/// hits, also where the layer's scheme is not the one that the URL names.
pub(super) fn request<ReqBody: Default>(
    url: &Uri,
    fields: &HeaderMap,
) -> Result<Request<ReqBody>, WarmingError> {
    let parts = Origin::of(url).zip(target(url));
    let (origin, target) = parts.ok_or(WarmingErrorKind::Url)?;
    let host = HeaderValue::from_bytes(&origin.authority).map_err(|_| WarmingErrorKind::Url)?;
    let mut request = Request::new(ReqBody::default());
    *request.uri_mut() = target.into();
    *request.headers_mut() = fields.clone();
    request.headers_mut().insert(header::HOST, host);
    Ok(request)
}

fn target(url: &Uri) -> Option<PathAndQuery> {
    let target = url.path_and_query()?;
    // RFC 9112 §3.2.1: an empty path is sent as `/`, before a query too.
    match target.as_str().starts_with('?') {
        true => format!("/{}", target.as_str()).parse().ok(),
        false => Some(target.clone()),
    }
}

/// Asks for a URL and reads its answer to the end. Gives the URL back, to tell of it.
pub(super) async fn warm<S, ReqBody, B>(
    service: S,
    url: Uri,
    request: Result<Request<ReqBody>, WarmingError>,
) -> (Uri, Result<Told, WarmingError>)
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    let result = match request {
        Ok(request) => answer(service, request).await,
        Err(error) => Err(error),
    };
    (url, result)
}

async fn answer<S, ReqBody, B>(service: S, request: Request<ReqBody>) -> Result<Told, WarmingError>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    let response = respond(service, request).await?;
    let (status, told) = (response.status(), told(&response));
    if status.as_u16() >= 400 {
        // Its body is left alone: an error is nothing to be kept for whoever comes.
        return Err(WarmingError::answered(status));
    }
    read(response.into_body(), |_| Ok(())).await?;
    Ok(told)
}

/// Makes the service ready, and calls that very instance.
pub(super) async fn respond<S, ReqBody, B>(
    service: S,
    request: Request<ReqBody>,
) -> Result<Response<B>, WarmingError>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
{
    let response = Oneshot::new(service, request).await;
    // Its own error may be anything, and perhaps not to be kept.
    response.map_err(|_| WarmingErrorKind::Service.into())
}

/// Reads a body to its end, or to where `each` will have no more of it.
pub(super) async fn read<B: Body>(
    body: B,
    mut each: impl FnMut(B::Data) -> Result<(), WarmingError>,
) -> Result<(), WarmingError> {
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| WarmingErrorKind::Body)?;
        if let Ok(data) = frame.into_data() {
            each(data)?;
        }
    }
    Ok(())
}

/// By its outcome where that is in the extensions, else by what the nearest cache says in Cache-Status: the
/// type of the body is not known here.
pub(super) fn told<B>(response: &Response<B>) -> Told {
    let (is_hit, is_stored) = match response.extensions().get::<CacheOutcome>() {
        Some(outcome) => (outcome.is_hit(), outcome.is_stored()),
        None => cache_status::nearest(response.headers().get_all(CACHE_STATUS)),
    };
    Told { is_hit, is_stored: is_stored && !is_hit }
}
