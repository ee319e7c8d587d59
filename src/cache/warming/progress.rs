//! What a warming tells while it runs.

use std::error::Error;
use std::fmt;

use http::{StatusCode, Uri};

use crate::cache::warming::fetch::Told;
#[cfg(feature = "sitemap")]
use crate::cache::warming::sitemap::SitemapError;

/// How far a [`Warming`](crate::cache::Warming) has come. All are counts of URLs, sitemaps among them.
///
/// ```
/// use tower_keep::cache::WarmingProgress;
///
/// fn line(progress: &WarmingProgress) -> String {
///     format!("{} of {}, {} failed", progress.done, progress.total, progress.failed)
/// }
/// assert_eq!(line(&WarmingProgress::default()), "0 of 0, 0 failed");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmingProgress {
    /// So many are to be asked for, as far as is known: it grows while sitemaps are read.
    pub total: u64,
    /// So many were asked for and are done with: [`ok`](Self::ok) and [`failed`](Self::failed).
    pub done: u64,
    /// So many were answered with a status below 400 and a body that came whole.
    pub ok: u64,
    /// Of those, so many were being stored, as far as the cache told: see
    /// [`Warming::run`](crate::cache::Warming::run).
    pub stored: u64,
    /// Of those, so many were stored before, as far as the cache told.
    pub hits: u64,
    /// So many failed: each has a [`WarmingError`].
    pub failed: u64,
    /// So many are not asked for: more than the bounds allow, or, in a sitemap, of another origin or no
    /// absolute URL.
    pub skipped: u64,
}

/// One URL that a [`Warming`](crate::cache::Warming) is done with.
///
/// ```
/// use tower_keep::cache::WarmingStep;
///
/// fn show(step: WarmingStep<'_>) {
///     eprint!("\r{} of {}", step.progress.done, step.progress.total);
///     if let Some(error) = step.error {
///         eprintln!("\n{}: {error}", step.url);
///     }
/// }
/// # let _ = show;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WarmingStep<'a> {
    /// The URL, as it was given or as it stands in the sitemap.
    pub url: &'a Uri,
    /// Why it failed, if it did.
    pub error: Option<&'a WarmingError>,
    /// The counts, this URL among them.
    pub progress: WarmingProgress,
}

/// Why a URL was not warmed.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tower::service_fn;
/// use tower_keep::cache::{Warming, WarmingErrorKind};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let service = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
/// let mut kinds = Vec::new();
/// let urls = ["/not/absolute".parse().unwrap()];
/// Warming::new(urls).run(service, |step| kinds.extend(step.error.map(|error| error.kind()))).await;
/// assert_eq!(kinds, [WarmingErrorKind::Url]);
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmingError {
    kind: WarmingErrorKind,
    status: Option<StatusCode>,
    #[cfg(feature = "sitemap")]
    sitemap: Option<SitemapError>,
}

/// The kinds of [`WarmingError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarmingErrorKind {
    /// It is no absolute `http` or `https` URL, or it has userinfo. It was not asked for.
    Url,
    /// The service failed, or was not ready. Its own error may be of any type, and is not kept.
    Service,
    /// The status was 400 or more; of a sitemap, another than 200.
    Status,
    /// The body failed before its end.
    Body,
    /// The sitemap cannot be read; the source of the error tells why.
    #[cfg(feature = "sitemap")]
    Sitemap,
}

impl WarmingError {
    /// What kind of failure it is.
    pub fn kind(&self) -> WarmingErrorKind {
        self.kind
    }

    /// The status that was answered, where that is what failed.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    pub(super) fn answered(status: StatusCode) -> Self {
        Self { status: Some(status), ..WarmingErrorKind::Status.into() }
    }
}

impl From<WarmingErrorKind> for WarmingError {
    fn from(kind: WarmingErrorKind) -> Self {
        Self {
            kind,
            status: None,
            #[cfg(feature = "sitemap")]
            sitemap: None,
        }
    }
}

#[cfg(feature = "sitemap")]
impl From<SitemapError> for WarmingError {
    fn from(error: SitemapError) -> Self {
        Self { sitemap: Some(error), ..WarmingErrorKind::Sitemap.into() }
    }
}

impl fmt::Display for WarmingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(status) = self.status {
            return write!(f, "the answer to the URL was {status}");
        }
        f.write_str(match self.kind {
            WarmingErrorKind::Url => {
                "the URL to warm needs `http` or `https` and an authority, without userinfo"
            }
            WarmingErrorKind::Service => "the service failed",
            WarmingErrorKind::Status => "the answer to the URL was an error",
            WarmingErrorKind::Body => "the body of the response failed",
            #[cfg(feature = "sitemap")]
            WarmingErrorKind::Sitemap => "the sitemap cannot be read",
        })
    }
}

impl Error for WarmingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        #[cfg(feature = "sitemap")]
        if let Some(sitemap) = &self.sitemap {
            return Some(sitemap);
        }
        None
    }
}

/// The counts, and who is told of them.
pub(super) struct Report<P> {
    pub(super) progress: WarmingProgress,
    tell: P,
}

impl<P: FnMut(WarmingStep<'_>)> Report<P> {
    pub(super) fn to(tell: P) -> Self {
        Self { progress: WarmingProgress::default(), tell }
    }

    /// One URL is done with.
    pub(super) fn done(&mut self, url: &Uri, result: &Result<Told, WarmingError>) {
        let progress = &mut self.progress;
        progress.done += 1;
        match result {
            Ok(told) => {
                progress.ok += 1;
                progress.hits += u64::from(told.is_hit);
                progress.stored += u64::from(told.is_stored);
            }
            Err(_) => progress.failed += 1,
        }
        (self.tell)(WarmingStep { url, error: result.as_ref().err(), progress: *progress });
    }
}
