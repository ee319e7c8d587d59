//! What every ledger must do.
#![allow(clippy::panic, reason = "a check that fails says so to the test that runs it")]

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::cache::mark::{Catch, Mark, Position, PurgeKind, Purged, Target};
use crate::store::error::StoreError;
use crate::store::ledger::Ledger;

/// Checks a [`Ledger`]. `open` opens it: each call is one more handle to the same ledger, as other instances
/// have. It need not be empty, and nobody else may write to it meanwhile. Some 4,100 purges are appended.
///
/// ```
/// use tower_keep::store::conformance;
/// use tower_keep::test_util::MemoryLedger;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let ledger = MemoryLedger::new();
/// conformance::ledger(|| ledger.clone()).await;
/// # });
/// ```
///
/// # Panics
/// Where it does not do what it must; the message says what.
pub async fn ledger<L: Ledger>(open: impl Fn() -> L) {
    let (here, there) = (open(), open());
    let start = position(&here).await;
    the_number_of_a_ledger_is_not_0(start);
    all_handles_have_one_key_and_one_position(&here, &there, start).await;
    marks_rise_and_all_purges_come_back_in_order(&here, &there).await;
    two_appends_at_once_have_two_marks(&here, &there).await;
    follow_brings_the_next_purge_of_anyone(&here, &there).await;
    follow_answers_though_nothing_happens(&here).await;
    a_position_in_another_ledger_is_not_followed(&here).await;
    an_answer_brings_no_more_than_it_may(&here, &there).await;
}

fn the_number_of_a_ledger_is_not_0(start: Position) {
    check(start.ledger != 0, "0 stands for no ledger, so none may have it as its number");
}

async fn all_handles_have_one_key_and_one_position<L: Ledger>(
    here: &L,
    there: &L,
    start: Position,
) {
    same("the keys of two handles", &here.key(), &there.key());
    same("the positions of two handles", &start, &position(there).await);
}

async fn marks_rise_and_all_purges_come_back_in_order<L: Ledger>(here: &L, there: &L) {
    let start = position(here).await;
    let mut appended = Vec::new();
    let mut last = start;
    for name in 0..8 {
        let ledger = if name % 2 == 0 { here } else { there };
        let kind = if name % 3 == 0 { PurgeKind::Soft } else { PurgeKind::Hard };
        let at = said("append", ledger.append(target(name), kind).await);
        check(at.ledger == start.ledger, "the number of the ledger changed, but nothing was lost");
        check(at.mark > last.mark, "a later purge must have a greater mark");
        appended.push((at, Purged { target: target(name), kind, at: at.mark }));
        last = at;
    }
    let mut after = start;
    for (count, (at, _)) in appended.iter().enumerate() {
        for ledger in [here, there] {
            let catch = since(ledger, after).await;
            let told = appended.iter().skip(count).map(|(_, purged)| *purged).collect::<Vec<_>>();
            same("the purges after a position", &catch.purges, &told);
            same("up to where they are told", &catch.until, &last);
            check(catch.follows(after), "nothing was lost, so the answer must join the position");
        }
        after = *at;
    }
    let none = since(here, last).await;
    check(none.purges.is_empty() && none.follows(last), "after the last purge there is nothing");
}

async fn two_appends_at_once_have_two_marks<L: Ledger>(here: &L, there: &L) {
    let start = position(here).await;
    let one = here.append(target(1), PurgeKind::Hard);
    let two = there.append(target(2), PurgeKind::Hard);
    let (one, two) = both(one, two).await;
    let (one, two) = (said("append", one), said("append", two));
    check(one.mark != two.mark, "two purges must not have one mark");
    let catch = since(here, start).await;
    for (at, name) in [(one, 1), (two, 2)] {
        let purged = Purged { target: target(name), kind: PurgeKind::Hard, at: at.mark };
        check(catch.purges.contains(&purged), "a purge must be told under the mark it was given");
    }
    same("how many there were", &catch.purges.len(), &2);
}

async fn follow_brings_the_next_purge_of_anyone<L: Ledger>(here: &L, there: &L) {
    for ledger in [here, there] {
        let mut after = position(here).await;
        let follow = async {
            for _ in 0..FOLLOWS_MAX {
                let catch = said("follow", here.follow(after, HEARTBEAT).await);
                check(
                    catch.follows(after),
                    "nothing was lost, so the answer must join the position",
                );
                if !catch.purges.is_empty() {
                    return catch;
                }
                after = catch.until;
                give_way().await;
            }
            panic!("ledger: follow did not bring a purge that was appended");
        };
        let append = ledger.append(target(3), PurgeKind::Soft);
        let (catch, at) = both(follow, append).await;
        let at = said("append", at);
        let purged = Purged { target: target(3), kind: PurgeKind::Soft, at: at.mark };
        same("what follow brings", &catch.purges, &vec![purged]);
        same("up to where it brings it", &catch.until, &at);
    }
}

async fn follow_answers_though_nothing_happens<L: Ledger>(here: &L) {
    let after = position(here).await;
    let catch = said("follow", here.follow(after, HEARTBEAT).await);
    same("a heartbeat", &catch, &Catch { from: after.mark, until: after, purges: Vec::new() });
}

async fn a_position_in_another_ledger_is_not_followed<L: Ledger>(here: &L) {
    let at = position(here).await;
    for ledger in [at.ledger.wrapping_add(1), 0] {
        for mark in [Mark::new(0), at.mark, Mark::new(u64::MAX)] {
            let after = Position { ledger, mark };
            for catch in
                [since(here, after).await, said("follow", here.follow(after, HEARTBEAT).await)]
            {
                check(!catch.follows(after), "a position in another ledger must not be followed");
                same("up to where it is told", &catch.until, &at);
            }
        }
    }
}

async fn an_answer_brings_no_more_than_it_may<L: Ledger>(here: &L, there: &L) {
    let start = position(here).await;
    for _ in 0..=Catch::PURGES_MAX {
        said("append", here.append(target(4), PurgeKind::Hard).await);
    }
    let until = position(here).await;
    let catch = since(there, start).await;
    same("up to where it is told", &catch.until, &until);
    check(!catch.follows(start), "where there are too many purges, the earliest are not told");
    check(
        !catch.purges.is_empty() || catch.from == until.mark,
        "what is not told begins at `from`",
    );
}

/// Where the ledger stands, by the one question that needs no position in it.
async fn position<L: Ledger>(ledger: &L) -> Position {
    since(ledger, Position::default()).await.until
}

async fn since<L: Ledger>(ledger: &L, after: Position) -> Catch {
    let catch = said("since", ledger.since(after).await);
    check(catch.purges.len() <= Catch::PURGES_MAX, "an answer may not bring so many purges");
    let marks = catch.purges.iter().map(|purged| purged.at).collect::<Vec<_>>();
    check(marks.is_sorted_by(|one, two| one < two), "the purges must come in order");
    check(marks.iter().all(|at| *at > catch.from), "no purge told may be before `from`");
    check(marks.iter().all(|at| *at <= catch.until.mark), "no purge told may be behind `until`");
    catch
}

fn target(name: u8) -> Target {
    Target::from_bytes([2, name, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 0xff, name])
}

fn said<T>(what: &str, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("ledger: {what} failed: {error:?}"))
}

fn check(holds: bool, rule: &str) {
    assert!(holds, "ledger: {rule}");
}

fn same<T: PartialEq + Debug>(what: &str, is: &T, ought: &T) {
    assert!(is == ought, "ledger: {what}: {is:?}, but it ought to be {ought:?}");
}

/// Lets others go on, also where no runtime keeps the time and a heartbeat comes at once.
async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Both, side by side, on any executor.
async fn both<A, B>(one: impl Future<Output = A>, two: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(cx)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = two.as_mut().poll(cx)
        {
            second = Some(done);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (one, two) => {
                (first, second) = (one, two);
                Poll::Pending
            }
        }
    })
    .await
}

const HEARTBEAT: Duration = Duration::from_millis(20);
const FOLLOWS_MAX: u32 = 500;
