//! What is known of the resource and of what was sent of it, and what each answer must be by that.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use http::response::Parts;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;

use super::orders::{Order, Place};
use super::read;
use crate::support::{request, response};

const CONTENTS: usize = 5;

/// Of different lengths; one is too short to be compressed, and each comes again.
pub(super) fn content(version: usize) -> String {
    match version % CONTENTS {
        0 => "short".to_owned(),
        which => format!("content {which} says the same again. ").repeat(4 + which * 4),
    }
}

pub(super) struct Sent {
    pub(super) method: &'static str,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Sent {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

/// One content in one coding.
#[derive(Clone, Debug, PartialEq)]
struct Form {
    which: usize,
    is_gzip: bool,
}

pub(super) struct Model {
    version: Arc<AtomicUsize>,
    is_versioned: bool,
    is_cached: bool,
    compresses_parts: bool,
    stale_secs: u64,
    now: u64,
    /// Until when each version was the current one.
    until: Vec<u64>,
    first: usize,
    gzip: Vec<Vec<u8>>,
    tags: Vec<String>,
    /// What each tag, with its W/, was given for.
    forms: HashMap<String, Form>,
    /// The content of each tag, without its W/.
    contents: HashMap<String, usize>,
}

impl Model {
    pub(super) async fn new(order: &Order) -> Self {
        let mut gzip = Vec::new();
        for which in 0..CONTENTS {
            let service = CompressionLayer::new().layer(service_fn(move |_| async move {
                Ok::<_, Infallible>(response(&[("content-type", "text/plain")], content(which)))
            }));
            let request = request("GET", "/", &[("accept-encoding", "gzip")]);
            gzip.push(read(service.oneshot(request).await.unwrap().map(Body::new)).await.1);
        }
        Self {
            first: order.version.load(Ordering::Relaxed),
            version: order.version.clone(),
            is_versioned: order.has(Place::Version),
            is_cached: order.has(Place::Cache),
            compresses_parts: order.compresses_parts(),
            stale_secs: order.stale_secs,
            now: 0,
            until: Vec::new(),
            gzip,
            tags: Vec::new(),
            forms: HashMap::new(),
            contents: HashMap::new(),
        }
    }

    /// To another content, or back to an old one.
    pub(super) fn change(&mut self, by: usize) {
        for _ in 0..=by {
            self.until.push(self.now);
            self.version.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn pass(&mut self, secs: u64) {
        self.now += secs;
    }

    pub(super) fn tags(&self) -> &[String] {
        &self.tags
    }

    fn current(&self) -> usize {
        self.version.load(Ordering::Relaxed) % CONTENTS
    }

    /// Whether a client may get this content now.
    fn may_be_sent(&self, which: usize) -> bool {
        let was_current = |(at, until): (usize, &u64)| {
            (self.first + at) % CONTENTS == which && until + self.stale_secs >= self.now
        };
        which == self.current() || self.is_cached && self.until.iter().enumerate().any(was_current)
    }

    fn bytes(&self, form: &Form) -> Vec<u8> {
        match form.is_gzip {
            true => self.gzip[form.which].clone(),
            false => content(form.which).into_bytes(),
        }
    }

    pub(super) fn hold_to(&mut self, context: &str, sent: &Sent, head: &Parts, bytes: &[u8]) {
        let context = format!(
            "{context}, second {}, content {}\n{} {:?}\n{head:?}",
            self.now,
            self.current(),
            sent.method,
            sent.fields
        );
        let length = head.headers.get("content-length");
        let length: Option<usize> = length.map(|length| length.to_str().unwrap().parse().unwrap());
        let is_get = sent.method == "GET";
        match head.status.as_u16() {
            200 => {
                if is_get {
                    assert!(length.is_none_or(|length| length == bytes.len()), "{context}");
                    self.hold_200_to(&context, sent, head, bytes);
                } else if let Some(length) = length {
                    let fits = |which| {
                        let form = Form { which, is_gzip: is_gzip(head) };
                        self.may_be_sent(which) && self.bytes(&form).len() == length
                    };
                    assert!((0..CONTENTS).any(fits), "{context}");
                }
            }
            304 => {
                assert!(bytes.is_empty(), "{context}");
                self.hold_304_to(&context, sent, head);
            }
            206 => {
                assert!(is_get && sent.field("range").is_some(), "{context}");
                let kind = head.headers["content-type"].to_str().unwrap();
                if self.compresses_parts && is_gzip(head) && kind.starts_with("multipart") {
                    // The docs say so: several ranges are compressed as one.
                    return;
                }
                assert_eq!(length, Some(bytes.len()), "{context}");
                self.hold_206_to(&context, sent, head, bytes);
            }
            412 => {
                assert!(bytes.is_empty(), "{context}");
                let listed = sent.field("if-match").unwrap_or_else(|| panic!("{context}"));
                assert_ne!(listed, "*", "{context}");
                // Who lists a weak tag, or none that there is, means nothing.
                let is_meant =
                    |tag: &str| !tag.starts_with("W/") && members(listed).any(|one| one == tag);
                assert!(!tag(head).is_some_and(is_meant), "{context}");
            }
            416 => {
                assert!(is_get && sent.field("range").is_some() && bytes.is_empty(), "{context}");
            }
            _ => panic!("{context}"),
        }
    }

    fn hold_200_to(&mut self, context: &str, sent: &Sent, head: &Parts, bytes: &[u8]) {
        let is_gzip = is_gzip(head);
        let accepts = sent.field("accept-encoding").unwrap_or_default();
        let takes_gzip = accepts.contains("gzip") && accepts != "gzip;q=0";
        assert!(takes_gzip || !is_gzip, "{context}");
        let form = (0..CONTENTS)
            .map(|which| Form { which, is_gzip })
            .find(|form| self.bytes(form) == bytes)
            .unwrap_or_else(|| panic!("of no content\n{context}"));
        assert!(self.may_be_sent(form.which), "{form:?} is too old\n{context}");
        let Some(tag) = tag(head) else { return };
        // What a cache has just got passes as it is.
        let is_kept = head.headers.contains_key("age");
        if let Some(listed) = sent.field("if-none-match")
            && (is_kept || !self.is_cached)
        {
            let is_held = members(listed).any(|one| opaque(one) == opaque(tag));
            assert!(!is_held && listed != "*", "a 304 was due\n{context}");
        }
        if let Some(listed) = sent.field("if-match")
            && !self.is_cached
        {
            assert!(listed == "*" || members(listed).any(|one| one == tag), "{context}");
        }
        let which = *self.contents.entry(opaque(tag).to_owned()).or_insert(form.which);
        assert_eq!(which, form.which, "one tag of two contents\n{context}");
        let known = self.forms.entry(tag.to_owned()).or_insert_with(|| form.clone());
        assert!(tag.starts_with("W/") || *known == form, "{known:?} {form:?}\n{context}");
        if !self.tags.iter().any(|known| known == tag) {
            self.tags.push(tag.to_owned());
        }
        if self.is_versioned && !self.is_cached {
            let version = self.version.load(Ordering::Relaxed).to_string();
            assert_eq!(opaque(tag).trim_matches('"'), version, "{context}");
        }
    }

    fn hold_304_to(&self, context: &str, sent: &Sent, head: &Parts) {
        let listed = sent.field("if-none-match").unwrap_or_else(|| panic!("{context}"));
        if listed != "*" {
            let tag = tag(head).unwrap_or_else(|| panic!("no tag\n{context}"));
            assert!(members(listed).any(|one| opaque(one) == opaque(tag)), "{context}");
            // Whoever holds it holds what he would get now.
            let which = self.contents[opaque(tag)];
            assert!(self.may_be_sent(which), "content {which}\n{context}");
        }
        assert!(head.headers.contains_key("cache-control"), "{context}");
    }

    fn hold_206_to(&self, context: &str, sent: &Sent, head: &Parts, bytes: &[u8]) {
        let tag = tag(head);
        let may_be = |form: &Form| {
            let known = tag.and_then(|tag| self.contents.get(opaque(tag)));
            self.may_be_sent(form.which) && known.is_none_or(|which| *which == form.which)
        };
        let forms = (0..CONTENTS).map(|which| Form { which, is_gzip: is_gzip(head) });
        let mut forms: Vec<_> = forms.filter(may_be).collect();
        if let Some(held) = sent.field("if-range") {
            assert!(!held.starts_with("W/") && Some(held) == tag, "{context}");
            assert!(forms.contains(&self.forms[held]), "{context}");
            forms = vec![self.forms[held].clone()];
        }
        let parts = parts(head, bytes);
        let fits = |form: &Form| {
            let whole = self.bytes(form);
            parts.iter().all(|(first, last, length, part)| {
                *length == whole.len() && whole.get(*first..=*last) == Some(&**part)
            })
        };
        assert!(forms.iter().any(fits), "{parts:?} of {forms:?}\n{context}");
    }
}

type Part = (usize, usize, usize, Vec<u8>);

/// Each part, and which it says that it is.
fn parts(head: &Parts, bytes: &[u8]) -> Vec<Part> {
    if let Some(range) = head.headers.get("content-range") {
        return vec![part(range.to_str().unwrap(), bytes)];
    }
    let kind = head.headers["content-type"].to_str().unwrap();
    let delimiter = format!("--{}", kind.split_once("boundary=").unwrap().1);
    // Each byte as a character.
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let mut pieces = text.split(&delimiter).skip(1).collect::<Vec<_>>();
    assert_eq!(pieces.pop(), Some("--\r\n"));
    let part_of = |piece: &&str| {
        let (lines, part_text) = piece.split_once("\r\n\r\n").unwrap();
        let range = lines.rsplit_once("Content-Range: ").unwrap().1;
        let bytes: Vec<u8> = part_text.strip_suffix("\r\n").unwrap().chars().map(byte).collect();
        part(range.split("\r\n").next().unwrap(), &bytes)
    };
    pieces.iter().map(part_of).collect()
}

fn byte(character: char) -> u8 {
    u8::try_from(character).unwrap()
}

fn part(range: &str, bytes: &[u8]) -> Part {
    let (range, length) = range.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let number = |text: &str| text.parse().unwrap();
    (number(first), number(last), number(length), bytes.to_vec())
}

fn tag(head: &Parts) -> Option<&str> {
    head.headers.get("etag").map(|tag| tag.to_str().unwrap())
}

fn is_gzip(head: &Parts) -> bool {
    head.headers.contains_key("content-encoding")
}

fn opaque(tag: &str) -> &str {
    tag.trim_start_matches("W/")
}

fn members(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ")
}
