//! The field lines of a stored response (RFC 9110 §5), in memory of their own.
//!
//! A `HeaderMap` takes a hundred bytes for each line, so an entry keeps values only. The names that go with
//! them are a list that entries share: a service answers with few different ones.

use std::iter;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Field lines whose values are slices of one piece of memory that is exactly as long as they are.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    names: Names,
    values: Box<[HeaderValue]>,
    are_names_shared: bool,
}

/// The names of some lines, in their order.
pub(crate) type Names = Arc<[HeaderName]>;

impl Lines {
    /// A copy of these lines, of which those of one name follow each other.
    pub(crate) fn copied(lines: &[(&HeaderName, &HeaderValue)]) -> Self {
        let length = lines.iter().map(|(_, value)| value.len()).sum();
        let mut text = BytesMut::with_capacity(length);
        for (_, value) in lines {
            text.put_slice(value.as_bytes());
        }
        let mut text = text.freeze();
        let copy = |(_, value): &(&HeaderName, &HeaderValue)| {
            // What was a value once is one again: the fallback is not reached.
            let bytes = text.split_to(value.len());
            let mut copy = HeaderValue::from_maybe_shared(bytes).unwrap_or(EMPTY);
            copy.set_sensitive(value.is_sensitive());
            copy
        };
        let values = lines.iter().map(copy).collect();
        let names = lines.iter().map(|(name, _)| (*name).clone()).collect();
        Self { names, values, are_names_shared: false }
    }

    /// Lines of these values, which hold no memory but their own; `None` where there are not as many names.
    pub(crate) fn of(names: Vec<HeaderName>, values: Vec<HeaderValue>) -> Option<Self> {
        let is_whole = names.len() == values.len();
        is_whole.then(|| Self {
            names: names.into(),
            values: values.into(),
            are_names_shared: false,
        })
    }

    pub(crate) fn copied_from(map: &HeaderMap) -> Self {
        Self::copied(&map.iter().collect::<Vec<_>>())
    }

    /// The value of the first line with this name.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.get_all(name).next()
    }

    pub(crate) fn get_all<'a>(
        &'a self,
        name: &HeaderName,
    ) -> impl Iterator<Item = &'a HeaderValue> {
        self.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        iter::zip(&*self.names, &self.values)
    }

    pub(crate) fn to_map(&self) -> HeaderMap {
        let room = self.values.len() + ROOM_FOR_MORE;
        let mut map = HeaderMap::try_with_capacity(room).unwrap_or_default();
        for (name, value) in self.iter() {
            // A map that is full goes without.
            let _ = map.try_append(name, value.clone());
        }
        map
    }

    /// Sets the Content-Length, for which there is a line already.
    pub(crate) fn set_length(&mut self, length: HeaderValue) {
        let at = self.names.iter().position(|name| *name == header::CONTENT_LENGTH);
        if let Some(line) = at.and_then(|at| self.values.get_mut(at)) {
            *line = length;
        }
    }

    /// Takes the names from a list that other lines have too, if it is the same.
    pub(crate) fn share(&mut self, names: &Names) -> bool {
        let same = **names == *self.names;
        if same {
            self.names = names.clone();
            self.are_names_shared = true;
        }
        same
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The memory that the names take.
    pub(crate) fn names_bytes(&self) -> usize {
        let name = |name: &HeaderName| size_of::<HeaderName>() + name.as_str().len();
        self.names.iter().map(name).sum()
    }

    /// The memory that this takes, less what it shares.
    pub(crate) fn bytes(&self) -> usize {
        let text: usize = self.values.iter().map(HeaderValue::len).sum();
        let own = if self.are_names_shared { 0 } else { self.names_bytes() };
        VALUES_BYTES + self.values.len() * size_of::<HeaderValue>() + text + own
    }
}

const EMPTY: HeaderValue = HeaderValue::from_static("");
/// For the fields that are added to an answer.
const ROOM_FOR_MORE: usize = 2;
/// What the piece of memory and the list of values take beside their contents.
const VALUES_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &[(&'static str, &'static str)]) -> Lines {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let owned: Vec<_> = fields.iter().map(line).collect();
        Lines::copied(&owned.iter().map(|(name, value)| (name, value)).collect::<Vec<_>>())
    }

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    #[test]
    fn another_list_of_names_is_not_shared() {
        let names = lines(&[("etag", "\"a\""), ("vary", "a")]).names().clone();
        let mut others = lines(&[("etag", "\"b\""), ("vary", "b")]);
        assert!(others.share(&names));
        assert!(others.names().iter().eq(["etag", "vary"]));
        for fields in
            [&[("etag", "\"a\"")][..], &[("vary", "a"), ("etag", "\"a\"")], &[("etag", "x"); 2]]
        {
            assert!(!lines(fields).share(&names), "{fields:?}");
        }
    }

    #[test]
    fn a_sensitive_value_stays_sensitive() {
        let mut map = HeaderMap::new();
        let mut secret = value("secret");
        secret.set_sensitive(true);
        map.insert("x-token", secret);
        let lines = Lines::copied_from(&map);
        let copied = lines.to_map();
        assert!(copied["x-token"].is_sensitive());
    }
}
