//! The URLs that a sitemap lists, fetched through the service.

use bytes::{Buf, BufMut};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use tower_service::Service;

use crate::cache::warming::fetch::{Origin, Told, read, request, respond, told};
use crate::cache::warming::progress::{Report, WarmingError, WarmingStep};
use crate::cache::warming::sitemap::{Sitemap, SitemapError, SitemapErrorKind};

#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) urls_max: usize,
    pub(super) bytes_max: usize,
}

/// Reads the sitemap at this URL, and the ones that it lists where it is an index, and tells of each. At
/// most `urls_max` URLs come of it, all of its own origin; the others are counted.
pub(super) async fn gather<S, ReqBody, B>(
    service: S,
    url: &Uri,
    fields: &HeaderMap,
    bounds: Bounds,
    report: &mut Report<impl FnMut(WarmingStep<'_>)>,
) -> Vec<Uri>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
    ReqBody: Default,
    B: Body,
{
    let mut fields = fields.clone();
    // What comes back has to be plain.
    fields.remove(header::ACCEPT_ENCODING);
    let fetched = |url| fetched(service.clone(), request(url, &fields), bounds.bytes_max);
    let mut taken = Taken { origin: Origin::of(url), urls: Vec::new() };
    report.progress.total += 1;
    let sitemaps = match fetched(url).await {
        Ok((sitemap, told)) => {
            let is_index = sitemap.is_index();
            let most = if is_index { SITEMAPS_MAX } else { bounds.urls_max };
            report.progress.skipped += taken.take(sitemap, most);
            report.done(url, &Ok(told));
            if is_index { std::mem::take(&mut taken.urls) } else { Vec::new() }
        }
        Err(error) => {
            report.done(url, &Err(error));
            Vec::new()
        }
    };
    for url in &sitemaps {
        if taken.urls.len() >= bounds.urls_max {
            report.progress.skipped += 1;
            continue;
        }
        report.progress.total += 1;
        let result = match fetched(url).await {
            Ok((sitemap, _)) if sitemap.is_index() => Err(refused(SitemapErrorKind::Nested)),
            Ok((sitemap, told)) => {
                report.progress.skipped += taken.take(sitemap, bounds.urls_max);
                Ok(told)
            }
            Err(error) => Err(error),
        };
        report.done(url, &result);
    }
    taken.urls
}

/// The URLs of one origin, as many as may be taken.
struct Taken<'a> {
    origin: Option<Origin<'a>>,
    urls: Vec<Uri>,
}

impl Taken<'_> {
    /// How many were not taken.
    fn take(&mut self, sitemap: Sitemap, most: usize) -> u64 {
        let mut skipped = sitemap.skipped();
        for url in sitemap.into_urls() {
            // The sitemap itself has an origin, or it could not have been asked for.
            if self.urls.len() < most && Origin::of(&url) == self.origin {
                self.urls.push(url);
            } else {
                skipped += 1;
            }
        }
        skipped
    }
}

async fn fetched<S, ReqBody, B>(
    service: S,
    request: Result<Request<ReqBody>, WarmingError>,
    bytes_max: usize,
) -> Result<(Sitemap, Told), WarmingError>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    let response = respond(service, request?).await?;
    let told = told(&response);
    // RFC 9110 §15: a part, or a redirect's page, is no sitemap.
    if response.status() != StatusCode::OK {
        return Err(WarmingError::answered(response.status()));
    }
    let codings = response.headers().get_all(header::CONTENT_ENCODING);
    if !codings.iter().all(|coding| coding == "identity") {
        return Err(refused(SitemapErrorKind::Encoding));
    }
    let mut document = Vec::new();
    let gathered = read(response.into_body(), |data| {
        if data.remaining() > bytes_max - document.len() {
            return Err(refused(SitemapErrorKind::TooLarge));
        }
        document.put(data);
        Ok(())
    });
    gathered.await?;
    Ok((Sitemap::parse(&document)?, told))
}

fn refused(kind: SitemapErrorKind) -> WarmingError {
    SitemapError::from(kind).into()
}

/// How many sitemaps of an index are read.
const SITEMAPS_MAX: usize = 1_000;
