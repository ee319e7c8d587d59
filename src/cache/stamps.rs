//! The mirror of what was purged: every entry is held against it before it is served.

mod table;
#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests;

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use crate::cache::mark::{Catch, Class, Mark, Position, PurgeKind, Purged};
use crate::cache::mark::{Standing, Target, Targeted};
use crate::cache::stamps::table::Table;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::time::Ticks;

/// When what was purged last, in tables of a fixed size.
///
/// An entry carries one cell, made with the position where its fetch began and never given to another:
/// 0 at first, then the epoch in which it was last found good. Every change draws a new epoch, and no two
/// stamps of this process ever draw the same, so that an equal epoch says all there is to say.
pub(crate) struct Stamps {
    epoch: Published,
    inner: RwLock<Inner>,
}

/// On a cache line of its own: every hit reads it, and what lies beside it is written.
#[repr(align(128))]
struct Published(AtomicU64);

struct Inner {
    ledger: u64,
    /// The latest mark that is known to be given.
    mark: Mark,
    /// All purges up to here are known, or under a floor.
    heard: Mark,
    epoch: u64,
    /// In which epoch a class of targets changed last.
    changed: Changed,
    resources: Table,
    /// Tags, prefixes and everything.
    tags: Table,
    /// The latest purge of any tag.
    any_tag: Mark,
}

#[derive(Default)]
struct Changed {
    resources: u64,
    tags: u64,
    prefixes: u64,
}

/// What [`Stamps::purge`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) position: Position,
    /// The latest purge of the same target before this one, where it is remembered.
    pub(crate) previous: Option<Mark>,
}

impl Stamps {
    /// The order of purges of this process alone; `ledger` is a random number, not 0.
    ///
    /// The stamp of a resource is of use only while a fill that began before it can still end: what was
    /// stored by then was removed with the purge. Who stores must therefore ask for the standing once
    /// more when the store has it, and remove it unless it is good.
    pub(crate) fn local(ledger: u64, table_bytes_max: usize) -> Self {
        Self::build(ledger, Table::new(table_bytes_max, Some(FILL_TIME_MAX)), table_bytes_max)
    }

    /// The mirror of a ledger that others write to as well: until it has learnt, all is unknown.
    pub(crate) fn mirror(table_bytes_max: usize) -> Self {
        Self::build(Position::default().ledger, Table::new(table_bytes_max, None), table_bytes_max)
    }

    fn build(ledger: u64, resources: Table, table_bytes_max: usize) -> Self {
        let epoch = first_epoch();
        let inner = Inner {
            ledger,
            mark: Mark::default(),
            heard: Mark::default(),
            epoch,
            changed: Changed::default(),
            resources,
            tags: Table::new(table_bytes_max, None),
            any_tag: Mark::default(),
        };
        Self { epoch: Published(AtomicU64::new(epoch)), inner: RwLock::new(inner) }
    }

    /// Where a fetch begins: taken before its request goes inwards.
    pub(crate) fn position(&self) -> Position {
        let inner = self.read();
        Position { ledger: inner.ledger, mark: inner.mark }
    }

    /// Up to where nothing is missing: what to ask a ledger from.
    pub(crate) fn heard(&self) -> Position {
        let inner = self.read();
        Position { ledger: inner.ledger, mark: inner.heard }
    }

    /// Whether an entry is known to be good, by two loads. The ledger needs no third: it changes with the
    /// epoch, and only an entry of the same ledger is ever found good.
    pub(crate) fn is_current(&self, checked: &AtomicU64) -> bool {
        checked.load(Ordering::Relaxed) == self.epoch.0.load(Ordering::Acquire)
    }

    /// How an entry stands whose fetch began there. Only what changed since its last check is looked up.
    pub(crate) fn standing(
        &self,
        began: Position,
        checked: &AtomicU64,
        entry: &impl Targeted,
    ) -> Standing {
        let inner = self.read();
        if began.ledger != inner.ledger || began.ledger == Position::default().ledger {
            return Standing::Unknown;
        }
        // An epoch of other stamps says nothing about what changed in these.
        let seen = checked.load(Ordering::Relaxed);
        let seen = if block(seen) == block(inner.epoch) { seen } else { 0 };
        let standing = inner.judge(began.mark, seen, entry);
        if standing == Standing::Good {
            // The epoch cannot change under the lock: it is that of the look-ups.
            checked.store(inner.epoch, Ordering::Relaxed);
        }
        standing
    }

    /// Whether any tag was purged since.
    pub(crate) fn any_tag_since(&self, began: Position) -> bool {
        let inner = self.read();
        began.ledger != inner.ledger || inner.any_tag > began.mark
    }

    /// Purges in the order of this process. When it returns, no check anywhere finds good what it was of.
    pub(crate) fn purge(&self, target: Target, kind: PurgeKind, now: Ticks) -> Noted {
        let mut inner = self.write();
        let at = inner.mark.next();
        (inner.mark, inner.heard) = (at, at);
        let previous = inner.note(Purged { target, kind, at }, now);
        self.publish(&inner);
        Noted { position: Position { ledger: inner.ledger, mark: at }, previous }
    }

    /// Takes in a purge whose mark the ledger answered, though earlier ones may not be known yet; `sent_to` is
    /// the ledger as it was known when it was sent. `None` when the answer is of one that has been left since.
    pub(crate) fn appended(
        &self,
        target: Target,
        kind: PurgeKind,
        sent_to: u64,
        at: Position,
        now: Ticks,
    ) -> Option<Noted> {
        let mut inner = self.write();
        if at.ledger != inner.ledger && inner.ledger != sent_to {
            return None;
        }
        if at.ledger != inner.ledger {
            inner.begin_anew(at.ledger, at.mark);
            inner.heard = at.mark;
        }
        inner.mark = inner.mark.max(at.mark);
        let previous = inner.note(Purged { target, kind, at: at.mark }, now);
        self.publish(&inner);
        Some(Noted { position: at, previous })
    }

    /// Forgets none from now on without raising the floor: a store was seen that may carry out later what it
    /// was asked to do before a purge.
    pub(crate) fn forget_none(&self) {
        self.write().resources.keep_all();
    }

    /// Takes in what the ledger answered when it was asked for what came after `asked`. What began before
    /// a gap is unknown from then on. False when the answer says nothing about now: it is of a ledger
    /// that has been left meanwhile, or of one that went back.
    pub(crate) fn learn(&self, asked: Position, catch: &Catch, now: Ticks) -> bool {
        let mut inner = self.write();
        let Catch { from, until, .. } = *catch;
        if asked.ledger != inner.ledger
            || (until.ledger == asked.ledger && until.mark < asked.mark)
            || until.ledger == Position::default().ledger
        {
            return false;
        }
        if until.ledger != inner.ledger {
            inner.begin_anew(until.ledger, from);
        } else if from > inner.heard {
            inner.forget_before(from);
        }
        if catch.purges.len() > Catch::PURGES_MAX {
            // More than there may be in one answer: rather forget than leave any out.
            inner.forget_before(until.mark);
        }
        for purged in catch.purges.iter().rev().take(Catch::PURGES_MAX).rev() {
            inner.note(*purged, now);
        }
        inner.mark = inner.mark.max(until.mark);
        inner.heard = inner.heard.max(until.mark);
        self.publish(&inner);
        true
    }

    /// The stamps come first: who sees the new epoch, sees them.
    fn publish(&self, inner: &Inner) {
        self.epoch.0.store(inner.epoch, Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stamps").field(&self.position()).finish()
    }
}

impl Inner {
    fn judge(&self, began: Mark, seen: u64, entry: &impl Targeted) -> Standing {
        let floor = self.resources.floor().max(self.tags.floor());
        let mut standing = if began < floor { Standing::Unknown } else { Standing::Good };
        if self.changed.resources > seen {
            standing = standing.max(self.resources.standing(began, entry.resource()));
        }
        if self.changed.tags > seen {
            for tag in entry.tags() {
                standing = standing.max(self.tags.standing(began, *tag));
            }
            standing = standing.max(self.tags.standing(began, entry.all()));
        }
        if self.changed.prefixes > seen {
            for prefix in entry.prefixes() {
                standing = standing.max(self.tags.standing(began, prefix));
            }
        }
        standing
    }

    /// Stamps the target, in a new epoch unless that was known already. Answers its last purge before.
    fn note(&mut self, purged: Purged, now: Ticks) -> Option<Mark> {
        if purged.target.class() == Class::Tag {
            self.any_tag = self.any_tag.max(purged.at);
        }
        let (table, changed) = match purged.target.class() {
            Class::Resource => (&mut self.resources, &mut self.changed.resources),
            Class::Tag => (&mut self.tags, &mut self.changed.tags),
            Class::Prefix => (&mut self.tags, &mut self.changed.prefixes),
            Class::Unknown => {
                self.forget_before(purged.at);
                return None;
            }
        };
        let (previous, is_new) = table.note(purged, now);
        if is_new {
            self.epoch = next_epoch(self.epoch);
            *changed = self.epoch;
        }
        previous
    }

    fn begin_anew(&mut self, ledger: u64, from: Mark) {
        let none = Mark::default();
        (self.ledger, self.mark, self.heard) = (ledger, none, none);
        self.any_tag = none;
        self.resources.clear();
        self.tags.clear();
        self.forget_before(from);
        let Changed { resources, tags, prefixes } = &mut self.changed;
        (*resources, *tags, *prefixes) = (self.epoch, self.epoch, self.epoch);
    }

    fn forget_before(&mut self, from: Mark) {
        self.resources.raise(from);
        self.tags.raise(from);
        self.epoch = next_epoch(self.epoch);
    }
}

/// The first epoch of a block that nobody else in this process draws from.
fn first_epoch() -> u64 {
    // Not replaced for a model: which numbers are drawn makes no difference.
    static BLOCKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    BLOCKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) << BLOCK_BITS
}

/// Later than every epoch of these stamps; when the block is used up, the first of another.
fn next_epoch(epoch: u64) -> u64 {
    let next = epoch + 1;
    if block(next) == block(epoch) { next } else { first_epoch() }
}

fn block(epoch: u64) -> u64 {
    epoch >> BLOCK_BITS
}

/// What one table may take by default.
pub(crate) const TABLE_BYTES_MAX: usize = 8 << 20;
/// The longest that a fill may last.
pub(crate) const FILL_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// 2^44 blocks of 2^20 epochs each: neither runs out.
const BLOCK_BITS: u32 = 20;
