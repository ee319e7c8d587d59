//! Who keeps the order of purges, where more than one process or more than one run needs it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::cache::mark::{Catch, Position, PurgeKind, Target};
use crate::store::error::StoreError;

/// What a [`Ledger`] answers, in a box: it is asked off the path of hits.
///
/// ```
/// use tower_keep::store::{StoreError, Wait};
///
/// fn at_once(answer: u64) -> Wait<'static, Result<u64, StoreError>> {
///     Box::pin(async move { Ok(answer) })
/// }
/// # let _ = at_once(7);
/// ```
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The order of purges among all who share a store, or among the runs of one process: a counter and a
/// list of the last purges, to which each purge is appended in one atomic step.
///
/// Each append takes the next mark. A purge that was appended before another's append began has the
/// smaller mark. When history was lost, or the ledger went back to an earlier state (a flush, a restored
/// copy, a replica that had not caught up), it gets a new number, drawn at random and not 0: marks under
/// the old one say nothing any more. `store::conformance::ledger`, with the feature `test-util`, checks an
/// implementation.
///
/// Every call is under a deadline of the caller's, who may drop the future at any point.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use tower_keep::store::{Catch, Ledger, Mark, Position, PurgeKind, Purged, StoreError, Target, Wait};
///
/// /// The purges of one process, which several caches in it share.
/// struct Shared {
///     key: [u8; 16],
///     number: u64,
///     purges: Mutex<Vec<Purged>>,
/// }
///
/// impl Ledger for Shared {
///     fn key(&self) -> [u8; 16] {
///         self.key
///     }
///     fn append<'a>(&'a self, target: Target, kind: PurgeKind) -> Wait<'a, Result<Position, StoreError>> {
///         let mut purges = self.purges.lock().unwrap();
///         let at = Mark::new(purges.len() as u64 + 1);
///         purges.push(Purged { target, kind, at });
///         let position = Position { ledger: self.number, mark: at };
///         Box::pin(async move { Ok(position) })
///     }
///     fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>> {
///         let purges = self.purges.lock().unwrap();
///         let until = Position { ledger: self.number, mark: Mark::new(purges.len() as u64) };
///         // Of another ledger everything is missing, so everything that is known is told.
///         let asked = if after.ledger == self.number { after.mark } else { Mark::new(0) };
///         let oldest = purges.len().saturating_sub(Catch::PURGES_MAX) as u64;
///         let from = Mark::new(asked.as_u64().max(oldest));
///         let told = purges.iter().filter(|purged| purged.at > from).copied().collect();
///         Box::pin(async move { Ok(Catch { from, until, purges: told }) })
///     }
///     fn follow<'a>(&'a self, after: Position, _: Duration) -> Wait<'a, Result<Catch, StoreError>> {
///         self.since(after) // better: wait until there is a new one
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let ledger = Shared { key: [7; 16], number: 0x5eed, purges: Mutex::default() };
/// let start = Position { ledger: 0x5eed, mark: Mark::new(0) };
/// let at = ledger.append(Target::from_bytes([2; 16]), PurgeKind::Hard).await.unwrap();
/// let catch = ledger.since(start).await.unwrap();
/// assert!(catch.follows(start) && catch.until == at && catch.purges.len() == 1);
/// # });
/// ```
pub trait Ledger: Send + Sync + 'static {
    /// The key of the digests of what is purged: secret, from configuration, and the same for all who share
    /// the ledger. Who knows it can find out what was purged by trying names.
    fn key(&self) -> [u8; 16];

    /// Adds a purge and answers where it stands. When this returns, every `since` that begins later, by
    /// whomever, brings it.
    ///
    /// # Errors
    /// When the purge may not have been added. It may nevertheless come to light later.
    fn append<'a>(
        &'a self,
        target: Target,
        kind: PurgeKind,
    ) -> Wait<'a, Result<Position, StoreError>>;

    /// All purges after a position, up to now: at most [`Catch::PURGES_MAX`], and where there are more, or
    /// some are forgotten, the last of them with [`Catch::from`] set to the mark before the first. For a
    /// position in another ledger: the last purges of this one.
    ///
    /// # Errors
    /// When it cannot be asked. What was stored then counts as unknown until it can.
    fn since<'a>(&'a self, after: Position) -> Wait<'a, Result<Catch, StoreError>>;

    /// The same, but waits until there is a purge to tell. After `wait_max` at the latest it answers with
    /// what there is, so that the caller knows that it still hears everything: a heartbeat.
    ///
    /// # Errors
    /// As [`Ledger::since`].
    fn follow<'a>(
        &'a self,
        after: Position,
        wait_max: Duration,
    ) -> Wait<'a, Result<Catch, StoreError>>;
}

/// Whom a purge reached. It never claims more than was done.
///
/// ```
/// use tower_keep::store::Reach;
///
/// assert_eq!(format!("{:?}", Reach::ThisProcess), "ThisProcess");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// This process alone: the store has no ledger, and other instances do not learn of it.
    ThisProcess,
    /// Every instance that shares the ledger, within the lag that was configured.
    EveryInstance,
}
