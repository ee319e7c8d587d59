//! A stored response, as purges see it.

use crate::cache::entry::EntryMeta;
use crate::cache::mark::{PREFIXES_MAX, Target, Targeted};
use crate::cache::place::Place;
use crate::digest::Secret;

/// A stored response at its place.
pub(crate) struct Subject<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) place: &'a Place,
    pub(crate) stored: &'a EntryMeta,
}

impl Targeted for Subject<'_> {
    fn resource(&self) -> Target {
        Target::resource(self.secret, self.place.resource().as_bytes())
    }

    fn tags(&self) -> &[Target] {
        &self.stored.tags
    }

    fn prefixes(&self) -> Vec<Target> {
        prefix_targets(self.secret, self.place)
    }

    fn all(&self) -> Target {
        Target::all(self.secret, self.place.scope())
    }
}

/// What is not there yet, and may have any tags.
pub(crate) struct Untagged<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) place: &'a Place,
}

impl Targeted for Untagged<'_> {
    fn resource(&self) -> Target {
        Target::resource(self.secret, self.place.resource().as_bytes())
    }

    fn tags(&self) -> &[Target] {
        &[]
    }

    fn prefixes(&self) -> Vec<Target> {
        prefix_targets(self.secret, self.place)
    }

    fn all(&self) -> Target {
        Target::all(self.secret, self.place.scope())
    }
}

/// A stored response, as all purges see it but those of its resource.
pub(crate) struct Others<'a>(pub(crate) Subject<'a>);

impl Targeted for Others<'_> {
    /// One that nothing is purged by: a digest of the key without its target.
    fn resource(&self) -> Target {
        Target::resource(self.0.secret, b"")
    }

    fn tags(&self) -> &[Target] {
        self.0.tags()
    }

    fn prefixes(&self) -> Vec<Target> {
        self.0.prefixes()
    }

    fn all(&self) -> Target {
        self.0.all()
    }
}

/// The targets of a response with these tags: each in its scope, and in its origin (RFC 9875 §2.1).
pub(crate) fn tagged(secret: &Secret, place: &Place, tags: &[Box<str>]) -> Vec<Target> {
    let of = |tag: &str| -> [Target; TARGETS_OF_TAG] {
        let tag = tag.as_bytes();
        [Target::tag(secret, place.scope(), tag), Target::group(secret, place.origin(), tag)]
    };
    tags.iter().flat_map(|tag| of(tag)).collect()
}

/// The target of a purge by prefix; `None` where it has more segments than are looked at.
pub(crate) fn prefixed(secret: &Secret, place: &Place) -> Option<Target> {
    let path = path(place.target());
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let is_looked_at = prefixes(place.target()).any(|prefix| prefix == path);
    is_looked_at.then(|| Target::prefix(secret, place.before_target(), path))
}

fn prefix_targets(secret: &Secret, place: &Place) -> Vec<Target> {
    let before = place.before_target();
    prefixes(place.target()).map(|path| Target::prefix(secret, before, path)).collect()
}

/// What a path begins with, at the ends of its segments, the shortest first: of `/a/b` nothing, `/a` and
/// `/a/b`.
fn prefixes(target: &[u8]) -> impl Iterator<Item = &[u8]> {
    let path = path(target);
    let whole = (!path.ends_with(b"/")).then_some(path.len());
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    slashes.chain(whole).take(PREFIXES_MAX + 1).filter_map(|end| path.get(..end))
}

fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

pub(crate) const TARGETS_OF_TAG: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(target: &str) -> Vec<String> {
        prefixes(target.as_bytes()).map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    #[test]
    fn prefixes_end_where_segments_do() {
        assert_eq!(all("/"), [""]);
        assert_eq!(all("/a"), ["", "/a"]);
        assert_eq!(all("/a/b?c/d"), ["", "/a", "/a/b"]);
        assert_eq!(all("/a/b/"), ["", "/a", "/a/b"]);
        assert_eq!(all("//a"), ["", "/", "//a"]);
    }

    #[test]
    fn sixteen_segments_are_looked_at() {
        let deep: String = (0..40).map(|n| format!("/{n}")).collect();
        assert_eq!(all(&deep).len(), PREFIXES_MAX + 1);
    }
}
