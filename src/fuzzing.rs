//! What the fuzz targets call and nobody else can: it is there with `--cfg fuzzing` only.
#![allow(missing_docs, reason = "no part of the interface")]

use bytes::Bytes;
use http::HeaderMap;

#[cfg(feature = "jwt")]
use crate::auth::json::{self, Limits, Value};
use crate::cache::codec::Codec;
use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::fields::cache_control::{Qualified, RequestDirectives, ResponseDirectives};

/// A plain frame whose sums are right, whatever its head is.
pub fn framed(key: &[u8], kind: u8, head: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let frame = Codec::plain().framed(&CacheKey::from_bytes(key), kind, head, body)?;
    Some(frame.to_vec())
}

/// The bytes of the entry that these bytes are.
pub fn decoded_again(key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let (key, codec) = (CacheKey::from_bytes(key), Codec::plain());
    let entry = Entry::decode(&key, Bytes::copy_from_slice(bytes), &codec)?;
    Some(entry.encode(&key, &codec).to_vec())
}

/// What Cache-Control forbids.
#[derive(Debug, PartialEq)]
pub struct Restrictions {
    pub no_store: bool,
    pub no_cache: bool,
    /// `only-if-cached`, or for a response `must-revalidate` and `proxy-revalidate`.
    pub conditions: [bool; 2],
    pub private: bool,
    pub max_age: Option<u32>,
}

pub fn request_restrictions(fields: &HeaderMap) -> Restrictions {
    let read = RequestDirectives::read(fields);
    Restrictions {
        no_store: read.no_store,
        no_cache: read.no_cache,
        conditions: [read.only_if_cached, false],
        private: false,
        max_age: read.max_age.map(|age| age.as_secs()),
    }
}

pub fn response_restrictions(fields: &HeaderMap) -> Restrictions {
    let read = ResponseDirectives::read(fields);
    Restrictions {
        no_store: read.no_store,
        no_cache: read.no_cache != Qualified::Absent,
        conditions: [read.must_revalidate, read.proxy_revalidate],
        private: read.private != Qualified::Absent,
        max_age: read.max_age.map(|age| age.as_secs()),
    }
}

/// JSON as tokens are read, to the innermost value.
#[cfg(feature = "jwt")]
#[derive(Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// What was accepted as a part of something, and not by itself.
    Refused,
}

#[cfg(feature = "jwt")]
impl Json {
    /// The object that these bytes are, by the limits of claims.
    pub fn object(text: &[u8]) -> Option<Self> {
        let members = json::object(text, LIMITS).ok()?.into_iter();
        Some(Self::Object(
            members.map(|(name, value)| (name.into_owned(), Self::of(value))).collect(),
        ))
    }

    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(text) => Self::Number(text.to_owned()),
            Value::String(text) => Self::String(text.into_owned()),
            Value::Array(text) => json::elements(text, LIMITS).map_or(Self::Refused, |elements| {
                Self::Array(elements.into_iter().map(Self::of).collect())
            }),
            Value::Object(text) => Self::object(text).unwrap_or(Self::Refused),
        }
    }
}

#[cfg(feature = "jwt")]
const LIMITS: Limits = Limits { depth: 16, members: 128 };
