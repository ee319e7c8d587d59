//! What is purged and when, as values: marks count purges, targets are digests.

use std::fmt;

use crate::digest::Secret;

/// How many purges one ledger had seen: a place in their order. It is not a time, and says nothing in
/// another ledger. The first purge is at mark 1.
///
/// ```
/// use tower_keep::store::Mark;
///
/// assert!(Mark::new(7) < Mark::new(8));
/// assert_eq!((Mark::new(7).as_u64(), Mark::default()), (7, Mark::new(0)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u64);

impl Mark {
    /// The place after so many purges.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many purges there were up to here.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The place of the next purge.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A mark with the ledger that it counts in. Every stored response keeps where its fetch began: what was
/// purged later makes it unusable, whenever it came to be stored.
///
/// ```
/// use tower_keep::store::{Mark, Position};
///
/// // The default is in no ledger: no ledger has the number 0.
/// assert_eq!(Position::default(), Position { ledger: 0, mark: Mark::new(0) });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// The number of the ledger, drawn at random when it began anew; not 0.
    pub ledger: u64,
    /// The place in it.
    pub mark: Mark,
}

impl Position {
    /// The place of the next purge in the same ledger.
    pub(crate) fn next(self) -> Self {
        Self { mark: self.mark.next(), ..self }
    }
}

/// What a purge is of: a resource, a tag, a path prefix, or everything. Only its class can be read, in the
/// first byte; the other fifteen are a digest under the ledger's key.
///
/// ```
/// use tower_keep::store::Target;
///
/// let target = Target::from_bytes([7; 16]);
/// assert_eq!(target.to_bytes(), [7; 16]);
/// assert_eq!(format!("{target:?}"), "Target(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target([u8; 16]);

impl Target {
    /// The target that a ledger kept.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes for a ledger to keep.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Everything under one resource key: all variants, all partitions.
    pub(crate) fn resource(secret: &Secret, key: &[u8]) -> Self {
        Self::digest(secret, RESOURCE, [b"resource", key, b""])
    }

    /// What the services in `scope` tagged so.
    pub(crate) fn tag(secret: &Secret, scope: &[u8], tag: &[u8]) -> Self {
        Self::digest(secret, TAG, [b"tag", scope, tag])
    }

    /// What one origin put into a group. RFC 9875 §2: groups of two origins have nothing in common.
    pub(crate) fn group(secret: &Secret, origin: &[u8], group: &[u8]) -> Self {
        Self::digest(secret, TAG, [b"group", origin, group])
    }

    /// What one origin has under a path.
    pub(crate) fn prefix(secret: &Secret, origin: &[u8], path: &[u8]) -> Self {
        Self::digest(secret, PREFIX, [b"prefix", origin, path])
    }

    /// All that is stored in `scope`.
    pub(crate) fn all(secret: &Secret, scope: &[u8]) -> Self {
        Self::digest(secret, ALL, [b"all", scope, b""])
    }

    pub(crate) fn class(self) -> Class {
        match self.0 {
            [RESOURCE, ..] => Class::Resource,
            [TAG | ALL, ..] => Class::Tag,
            [PREFIX, ..] => Class::Prefix,
            _ => Class::Unknown,
        }
    }

    fn digest(secret: &Secret, class: u8, parts: [&[u8]; 3]) -> Self {
        let mut bytes = secret.digest(parts.into_iter());
        if let Some(first) = bytes.first_mut() {
            *first = class;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}

/// Which look-ups a target belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Resource,
    /// A tag, or everything.
    Tag,
    Prefix,
    /// Of a later version than this: no entry here can be held against it.
    Unknown,
}

/// How much a purge takes away.
///
/// ```
/// use tower_keep::store::PurgeKind;
///
/// assert_ne!(PurgeKind::Hard, PurgeKind::Soft);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurgeKind {
    /// It is gone.
    Hard,
    /// It is stale: it may be validated, and serve where a stale response may (RFC 9111 §4.2.4).
    Soft,
}

/// One purge, as a ledger tells it.
///
/// ```
/// use tower_keep::store::{Mark, PurgeKind, Purged, Target};
///
/// let purged =
///     Purged { target: Target::from_bytes([2; 16]), kind: PurgeKind::Soft, at: Mark::new(7) };
/// assert_eq!(purged.at.as_u64(), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// What was purged.
    pub target: Target,
    /// How.
    pub kind: PurgeKind,
    /// Where in the order of the ledger; no two purges have one mark.
    pub at: Mark,
}

/// What a ledger tells about its purges, from one mark to another.
///
/// ```
/// use tower_keep::store::{Catch, Mark, Position};
///
/// // A ledger that has just begun anew and knows of nothing before its seventh purge:
/// let until = Position { ledger: 0x5eed, mark: Mark::new(7) };
/// let catch = Catch { from: until.mark, until, purges: Vec::new() };
/// assert!(!catch.follows(Position { ledger: 0x5eed, mark: Mark::new(3) }));
/// assert!(catch.follows(Position { ledger: 0x5eed, mark: Mark::new(7) }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// Every purge behind this mark and up to `until` is told. A mark behind the one that was asked for
    /// means that the purges between are forgotten.
    pub from: Mark,
    /// Up to where the answer is complete. Another ledger than was asked for means that it began anew.
    pub until: Position,
    /// The purges in the order of their marks, at most [`Catch::PURGES_MAX`].
    pub purges: Vec<Purged>,
}

impl Catch {
    /// The most purges in one answer. Where there are more, the last of them are told.
    pub const PURGES_MAX: usize = 4096;

    /// Whether nothing between `after` and this answer is missing.
    pub fn follows(&self, after: Position) -> bool {
        self.until.ledger == after.ledger
            && self.from <= after.mark
            && self.until.mark >= after.mark
    }
}

/// What the purges make of an entry; the greater is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing it belongs to was purged since its fetch began.
    Good,
    /// Something was purged softly: it is stale.
    Soft,
    /// It cannot be told: only what the inner service validates may be served.
    Unknown,
    /// Something was purged: it is not to be served at all.
    Gone,
}

/// An entry, as purges see it.
pub(crate) trait Targeted {
    fn resource(&self) -> Target;
    fn tags(&self) -> &[Target];
    /// At most [`PREFIXES_MAX`]. Asked for only after a prefix was purged.
    fn prefixes(&self) -> Vec<Target>;
    fn all(&self) -> Target;
}

/// How many path segments can be purged by prefix.
pub(crate) const PREFIXES_MAX: usize = 16;

const RESOURCE: u8 = 1;
const TAG: u8 = 2;
const PREFIX: u8 = 3;
const ALL: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_two_classes_scopes_origins_or_keys_are_different() {
        let (one, two) = (Secret::new([1; 16]), Secret::new([2; 16]));
        let all = [
            Target::resource(&one, b"a"),
            Target::resource(&two, b"a"),
            Target::tag(&one, b"a", b"b"),
            Target::tag(&one, b"ab", b""),
            Target::tag(&one, b"", b"ab"),
            Target::group(&one, b"a", b"b"),
            Target::prefix(&one, b"a", b"b"),
            Target::all(&one, b"a"),
            Target::all(&one, b"b"),
        ];
        for (at, target) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != target), "{at}");
        }
        assert_eq!(Target::tag(&one, b"a", b"b"), Target::tag(&one, b"a", b"b"));
    }

    #[test]
    fn the_first_byte_of_a_target_is_its_class() {
        let secret = Secret::new([3; 16]);
        for (target, class) in [
            (Target::resource(&secret, b"a"), Class::Resource),
            (Target::tag(&secret, b"a", b"b"), Class::Tag),
            (Target::group(&secret, b"a", b"b"), Class::Tag),
            (Target::all(&secret, b"a"), Class::Tag),
            (Target::prefix(&secret, b"a", b"b"), Class::Prefix),
            (Target::from_bytes([0; 16]), Class::Unknown),
            (Target::from_bytes([9; 16]), Class::Unknown),
        ] {
            assert_eq!(Target::from_bytes(target.to_bytes()).class(), class);
        }
    }

    #[test]
    fn gone_wins_over_unknown_over_soft_over_good() {
        use Standing::{Gone, Good, Soft, Unknown};
        assert!(Good < Soft && Soft < Unknown && Unknown < Gone);
    }
}
