//! Sitemaps (<https://www.sitemaps.org/protocol.html>): bytes in, URLs out.

mod reading;

use std::error::Error;
use std::fmt;

use http::Uri;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use crate::cache::warming::sitemap::reading::Reading;

/// What a sitemap lists: the URLs of pages, or, where it is an index, of other sitemaps.
///
/// Needs the feature `sitemap`.
///
/// ```
/// use tower_keep::cache::Sitemap;
///
/// let sitemap = Sitemap::parse(b"<urlset><url><loc>http://shop.example/a?b&amp;c</loc></url></urlset>").unwrap();
/// assert!(!sitemap.is_index());
/// assert_eq!(sitemap.urls(), ["http://shop.example/a?b&c"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sitemap {
    is_index: bool,
    urls: Vec<Uri>,
    skipped: u64,
}

impl Sitemap {
    /// Reads a document, whatever it holds, in time proportional to its length.
    ///
    /// It is in UTF-8 and not compressed. The first 50,000 URLs are kept, as many as the protocol allows.
    /// What is not ASCII in them is percent-encoded, as clients send it. Elements of extensions, such as
    /// images, are passed over, and so is everything but `loc`.
    ///
    /// A URL has at most 8,192 bytes before that. While it is read it takes at most three times the length of
    /// the document, for what is percent-encoded, and some 300 bytes for each URL.
    ///
    /// # Errors
    /// Where it is not well-formed as far as it has to be looked at, and where it is no sitemap: see
    /// [`SitemapErrorKind`]. A document type declaration is one, so that no entity can be declared.
    pub fn parse(document: &[u8]) -> Result<Self, SitemapError> {
        let nul = document.iter().position(|byte| *byte == 0);
        let text = match (str::from_utf8(document), nul) {
            (Err(error), _) => return Err(SitemapErrorKind::Encoding.at(error.valid_up_to())),
            // What UTF-16 without its mark looks like; XML has no such character.
            (Ok(_), Some(nul)) => return Err(SitemapErrorKind::Encoding.at(nul)),
            (Ok(text), None) => text,
        };
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mark = (text.len() - body.len()) as u64;
        let mut reader = Reader::from_str(body);
        let mut reading = Reading::default();
        loop {
            let event = reader.read_event();
            let read = match event {
                Ok(Event::Eof) => match reading.is_whole() {
                    true => return Ok(reading.sitemap),
                    false => Err(SitemapErrorKind::Malformed),
                },
                Ok(event) => reading.take(event),
                Err(_) => Err(SitemapErrorKind::Malformed),
            };
            if let Err(kind) = read {
                let offset = Some(mark + reader.buffer_position());
                return Err(SitemapError { kind, offset });
            }
        }
    }

    /// Whether it lists other sitemaps (`sitemapindex`) instead of pages (`urlset`).
    pub fn is_index(&self) -> bool {
        self.is_index
    }

    /// The URLs, in their order, at most 50,000. All are absolute; they may be of any scheme and origin.
    pub fn urls(&self) -> &[Uri] {
        &self.urls
    }

    /// How many more it lists: those that are no absolute URL, and those after the first 50,000.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    pub(super) fn into_urls(self) -> Vec<Uri> {
        self.urls
    }
}

/// Why a sitemap cannot be read.
///
/// ```
/// use tower_keep::cache::{Sitemap, SitemapErrorKind};
///
/// let error = Sitemap::parse(b"<html></html>").unwrap_err();
/// assert_eq!(error.kind(), SitemapErrorKind::Root);
/// assert_eq!(error.to_string(), "the root element is neither urlset nor sitemapindex, at byte 6");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SitemapError {
    kind: SitemapErrorKind,
    offset: Option<u64>,
}

/// The kinds of [`SitemapError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SitemapErrorKind {
    /// It is not in UTF-8, says that it is in another encoding, or has a content coding such as gzip.
    Encoding,
    /// It is not well-formed, or ends too early.
    Malformed,
    /// It has a document type declaration, which a sitemap has not.
    Doctype,
    /// It refers to an entity that XML does not define, or to a character that there is not.
    Entity,
    /// Its elements are nested more than sixteen deep.
    Depth,
    /// Its root element is neither `urlset` nor `sitemapindex`.
    Root,
    /// A URL in it is longer than 8,192 bytes, white space around it included.
    TooLong,
    /// It is longer than [`Warming::sitemap_bytes_max`](crate::cache::Warming::sitemap_bytes_max) allows.
    /// [`Sitemap::parse`] has no such bound.
    TooLarge,
    /// An index lists it, and it is an index itself. [`Sitemap::parse`] does not know that.
    Nested,
}

impl SitemapErrorKind {
    fn at(self, offset: usize) -> SitemapError {
        SitemapError { kind: self, offset: Some(offset as u64) }
    }
}

impl SitemapError {
    /// What kind of failure it is.
    pub fn kind(&self) -> SitemapErrorKind {
        self.kind
    }

    /// Before which byte of the document it was found, where that can be told.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }
}

impl From<SitemapErrorKind> for SitemapError {
    fn from(kind: SitemapErrorKind) -> Self {
        Self { kind, offset: None }
    }
}

impl fmt::Display for SitemapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SitemapErrorKind::Encoding => "the sitemap is not plain UTF-8",
            SitemapErrorKind::Malformed => "the sitemap is not well-formed XML",
            SitemapErrorKind::Doctype => "the sitemap has a document type declaration",
            SitemapErrorKind::Entity => "the sitemap refers to an unknown entity",
            SitemapErrorKind::Depth => "the elements of the sitemap are nested too deep",
            SitemapErrorKind::Root => "the root element is neither urlset nor sitemapindex",
            SitemapErrorKind::TooLong => "a URL in the sitemap is too long",
            SitemapErrorKind::TooLarge => "the sitemap is too large",
            SitemapErrorKind::Nested => "the sitemap is an index that an index lists",
        })?;
        match self.offset {
            Some(offset) => write!(f, ", at byte {offset}"),
            None => Ok(()),
        }
    }
}

impl Error for SitemapError {}
