//! What a sitemap lists, gathered from one event of its XML after the other.

use std::fmt::Write;

use http::Uri;
use quick_xml::events::{BytesDecl, BytesRef, Event};

use crate::cache::warming::sitemap::{Sitemap, SitemapErrorKind};

/// How far a document has been read.
#[derive(Default)]
pub(super) struct Reading {
    /// How many elements are open.
    depth: usize,
    /// The prefix of the root's name, which the names of entries then have too.
    root: Option<Box<str>>,
    is_in_entry: bool,
    /// The text of the `loc` that is open.
    location: Option<String>,
    pub(super) sitemap: Sitemap,
}

impl Reading {
    pub(super) fn is_whole(&self) -> bool {
        self.root.is_some() && self.depth == 0
    }

    pub(super) fn take(&mut self, event: Event<'_>) -> Result<(), SitemapErrorKind> {
        match event {
            Event::Start(tag) => self.open(tag.name().as_ref()),
            Event::Empty(tag) => {
                self.open(tag.name().as_ref())?;
                self.close();
                Ok(())
            }
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(_) if self.depth == 0 => Err(SitemapErrorKind::Malformed),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                self.text(resolved(&reference)?.encode_utf8(&mut [0; 4]))
            }
            Event::Decl(declaration) => self.declared(&declaration),
            Event::DocType(_) => Err(SitemapErrorKind::Doctype),
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, name: &str) -> Result<(), SitemapErrorKind> {
        self.depth += 1;
        match (self.depth, &self.root) {
            (1, None) => return self.begin(name),
            // A document has one root.
            (1, Some(_)) => return Err(SitemapErrorKind::Malformed),
            (2, Some(prefix)) => {
                let entry = if self.sitemap.is_index { "sitemap" } else { "url" };
                self.is_in_entry = name.strip_prefix(&**prefix) == Some(entry);
            }
            (3, Some(prefix)) if self.is_in_entry => {
                let is_location = name.strip_prefix(&**prefix) == Some("loc");
                self.location = is_location.then(String::new);
            }
            (depth, _) if depth > DEPTH_MAX => return Err(SitemapErrorKind::Depth),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, name: &str) -> Result<(), SitemapErrorKind> {
        let local = name.find(':').map_or(0, |colon| colon + 1);
        let (prefix, local) = name.split_at_checked(local).unwrap_or(("", name));
        self.sitemap.is_index = match local {
            "urlset" => false,
            "sitemapindex" => true,
            _ => return Err(SitemapErrorKind::Root),
        };
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(SitemapErrorKind::Root);
        }
        self.root = Some(prefix.into());
        Ok(())
    }

    fn close(&mut self) {
        match self.depth {
            2 => self.is_in_entry = false,
            3 => {
                if let Some(location) = self.location.take() {
                    self.list(location.trim_matches(WHITE));
                }
            }
            _ => {}
        }
        // The reader has compared its name to that of the one that is open.
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str) -> Result<(), SitemapErrorKind> {
        match (self.depth, &mut self.location) {
            (0, _) if !text.trim_matches(WHITE).is_empty() => Err(SitemapErrorKind::Malformed),
            (3, Some(location)) if location.len() + text.len() > URL_BYTES_MAX => {
                Err(SitemapErrorKind::TooLong)
            }
            (3, Some(location)) => {
                location.push_str(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn declared(&self, declaration: &BytesDecl<'_>) -> Result<(), SitemapErrorKind> {
        if self.root.is_some() {
            return Err(SitemapErrorKind::Malformed);
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if ["utf-8", "us-ascii"].contains(&&*name.to_ascii_lowercase()) => {
                Ok(())
            }
            Some(Ok(_)) => Err(SitemapErrorKind::Encoding),
            Some(Err(_)) => Err(SitemapErrorKind::Malformed),
        }
    }

    fn list(&mut self, location: &str) {
        let url = (self.sitemap.urls.len() < URLS_MAX).then(|| percent_encoded(location).parse());
        match url {
            Some(Ok(url)) if is_absolute(&url) => self.sitemap.urls.push(url),
            _ => self.sitemap.skipped += 1,
        }
    }
}

fn is_absolute(url: &Uri) -> bool {
    url.scheme().is_some() && url.authority().is_some()
}

/// Only the five entities that XML defines, and characters: no other can have been declared.
fn resolved(reference: &BytesRef<'_>) -> Result<char, SitemapErrorKind> {
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => reference.resolve_char_ref().ok().flatten().ok_or(SitemapErrorKind::Entity),
    }
}

/// RFC 3987 §3.1: what a client sends for a URL that is not all ASCII.
fn percent_encoded(location: &str) -> String {
    let mut encoded = String::with_capacity(location.len());
    for symbol in location.chars() {
        if symbol.is_ascii() {
            encoded.push(symbol);
            continue;
        }
        for byte in symbol.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What XML takes for white space.
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
/// The protocol's own bound for one document.
const URLS_MAX: usize = 50_000;
/// The protocol has 2,048 characters; some sites have longer ones.
const URL_BYTES_MAX: usize = 8_192;
/// A sitemap with extensions needs five.
const DEPTH_MAX: usize = 16;
const PREFIX_BYTES_MAX: usize = 64;
