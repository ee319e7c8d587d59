//! What a purge is asked for: the query of `POST /purge`.

use http::Uri;
use serde_json::{Value, json};
use tower_keep::cache::Purge;

pub(super) struct Ask {
    what: What,
    pub(super) soft: bool,
}

enum What {
    Url(Uri, String),
    Prefix(Uri, String),
    Tag(String),
    All,
}

/// What is wrong with a query. It repeats nothing of it: it goes into the log too, and there is no telling
/// what was put into the query by mistake.
pub(super) type Problem = &'static str;

impl Ask {
    /// Strict: a purge of something else than was meant is not found out before somebody sees stale data.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let mut what = None;
        let mut soft = None;
        for parameter in query.split('&').filter(|_| !query.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name == "soft" {
                let value = match value {
                    "0" => false,
                    "1" => true,
                    _ => return Err("soft is 0 or 1"),
                };
                if soft.replace(value).is_some() {
                    return Err("soft is given twice");
                }
            } else if what.replace(What::read(name, value)?).is_some() {
                return Err("more than one of url, prefix, tag and all is given");
            }
        }
        let what = what.ok_or("one of url, prefix, tag and all is needed in the query")?;
        Ok(Self { what, soft: soft.unwrap_or(false) })
    }

    pub(super) fn purge(&self) -> Purge {
        let purge = match &self.what {
            What::Url(url, _) => Purge::url(url.clone()),
            What::Prefix(url, _) => Purge::prefix(url.clone()),
            What::Tag(tag) => Purge::tag(tag.as_str()),
            What::All => Purge::all(),
        };
        if self.soft { purge.soft() } else { purge }
    }

    /// Whether it is of more than one URL.
    pub(super) fn is_wide(&self) -> bool {
        !matches!(self.what, What::Url(..))
    }

    pub(super) fn name_and_value(&self) -> (&'static str, &str) {
        match &self.what {
            What::Url(_, url) => ("url", url),
            What::Prefix(_, url) => ("prefix", url),
            What::Tag(tag) => ("tag", tag),
            What::All => ("all", "1"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self.name_and_value() {
            (name, _) if matches!(self.what, What::All) => json!({ name: true }),
            (name, value) => json!({ name: value }),
        }
    }
}

impl What {
    fn read(name: &str, value: &str) -> Result<Self, Problem> {
        match name {
            "url" => {
                let text = decoded(value)?;
                Ok(Self::Url(url(&text)?, text))
            }
            "prefix" => {
                let text = decoded(value)?;
                match text.contains('?') {
                    true => Err("prefix: a query is no part of a prefix"),
                    false => Ok(Self::Prefix(url(&text)?, text)),
                }
            }
            "tag" => decoded(value).map(Self::Tag),
            "all" if value == "1" => Ok(Self::All),
            "all" => Err("all is 1 or not there"),
            _ => Err("there is a parameter other than url, prefix, tag, all and soft; \
                      within a value, & is %26"),
        }
    }
}

fn url(text: &str) -> Result<Uri, Problem> {
    // `http::Uri` drops a fragment in silence, and no client sends one.
    if text.contains('#') {
        return Err("a fragment is no part of what clients ask for");
    }
    text.parse().map_err(|_| "this is not a URL")
}

/// RFC 3986 §2.1. A `+` stands for itself: it is not a space outside of HTML forms.
fn decoded(value: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("a % is not followed by two hexadecimal digits"),
            },
            _ => byte,
        });
    }
    match bytes.len() {
        0 => Err("a value is empty"),
        1..=VALUE_BYTES_MAX => String::from_utf8(bytes).map_err(|_| "a value is not UTF-8"),
        _ => Err("a value is longer than 8 KiB"),
    }
}

fn digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const VALUE_BYTES_MAX: usize = 8 << 10;
