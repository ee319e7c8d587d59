//! One set of the table of limits, and threads that charge it at the same time.

use std::cell::Cell;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use crate::limit::key::LimitKey;
use crate::limit::quota::{Quota, Quotas};
use crate::limit::store::Adjustment;
use crate::limit::table::Table;
use crate::limit::verdict::Outcome;
use crate::time::Ticks;

/// In each interleaving that takes a thread off so often at the most while it could go on.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

const START: Ticks = Ticks::from_nanos(1_000);
/// When a key that used all at the start has one unit.
const LATER: Ticks = Ticks::from_nanos(2_000);
const ONE: LimitKey = LimitKey(11);
const OTHER: LimitKey = LimitKey(22);
const THIRD: LimitKey = LimitKey(33);

/// One unit in 1,000 ns, so many at once.
fn quota(burst: u64) -> Quotas {
    Quotas::new([Quota::per(1, Duration::from_nanos(1_000)).burst(burst)]).unwrap()
}

struct World<const WAYS: usize> {
    table: Table<WAYS>,
    quotas: Quotas,
}

impl<const WAYS: usize> World<WAYS> {
    fn new(quotas: Quotas) -> Arc<Self> {
        Arc::new(Self { table: Table::new(1), quotas })
    }

    fn charge(&self, key: LimitKey, now: Ticks) -> bool {
        self.table.charge(key, &self.quotas, 1, now).outcome() == Outcome::Admitted
    }

    fn refund(&self, key: LimitKey) {
        self.table.adjust(key, &self.quotas, Adjustment::Refund(1), START);
    }

    fn left(&self, key: LimitKey, now: Ticks) -> u64 {
        let verdict = self.table.peek(key, &self.quotas, 1, now);
        verdict.standings(&self.quotas).map(|standing| standing.remaining()).min().unwrap()
    }
}

/// In a thread of its own.
fn spawn<const WAYS: usize, T: 'static>(
    world: &Arc<World<WAYS>>,
    run: impl FnOnce(&World<WAYS>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let world = Arc::clone(world);
    thread::spawn(move || run(&world))
}

/// Two that are new, and two of one that has a place.
#[test]
fn of_two_who_charge_a_key_with_one_unit_one_is_admitted() {
    check(3, || {
        let world = World::<2>::new(quota(1));
        let other = spawn(&world, |world| world.charge(ONE, START));
        let admitted = [world.charge(ONE, START), other.join().unwrap()];
        assert_ne!(admitted[0], admitted[1]);
        let other = spawn(&world, |world| world.charge(ONE, LATER));
        let admitted = [world.charge(ONE, LATER), other.join().unwrap()];
        assert_ne!(admitted[0], admitted[1]);
        assert_eq!((world.table.forgiven(), world.table.overflowed()), (0, 0));
    });
}

/// Both of its quotas are charged, or none.
#[test]
fn of_two_who_charge_two_quotas_as_many_are_admitted_as_both_allow() {
    check(3, || {
        let quick = Quota::per(1, Duration::from_nanos(1_000)).burst(3);
        let slow = Quota::per(1, Duration::from_nanos(7_000)).burst(1);
        let world = World::<2>::new(Quotas::new([quick, slow]).unwrap());
        let other = spawn(&world, |world| world.charge(ONE, START));
        assert_ne!(world.charge(ONE, START), other.join().unwrap());
        let verdict = world.table.peek(ONE, &world.quotas, 1, START);
        let left: Vec<_> = verdict.standings(&world.quotas).map(|one| one.remaining()).collect();
        assert_eq!(left, [2, 0]);
    });
}

/// The key that a place is taken from, and the key that takes it: each has used what it was admitted.
#[test]
fn a_charge_and_a_newcomer_in_its_place_do_not_use_each_others_number() {
    check(3, || {
        let world = World::<1>::new(quota(2));
        assert!(world.charge(ONE, START));
        let other = spawn(&world, |world| world.charge(OTHER, START));
        let mine = world.charge(ONE, START);
        assert!(mine && other.join().unwrap());
        let (mine, others) = (world.left(ONE, START), world.left(OTHER, START));
        match (world.table.forgiven(), world.table.overflowed()) {
            // It had its second unit first, is throttled, and stays: the newcomer is charged to the shared number.
            (0, 1) => assert_eq!((mine, others), (0, 1)),
            // The newcomer took its place, and it took that back.
            (2, 0) => assert_eq!((mine, others), (1, 2)),
            other => panic!("{other:?}"),
        }
    });
}

/// A key that has no unit stays, whoever comes at the same time.
#[test]
fn a_throttled_key_keeps_its_place_among_newcomers() {
    check(3, || {
        let world = World::<1>::new(quota(1));
        assert!(world.charge(ONE, START));
        let others = [OTHER, THIRD].map(|key| spawn(&world, move |world| world.charge(key, START)));
        assert!(!world.charge(ONE, START));
        let admitted = others.map(|other| other.join().unwrap());
        assert_ne!(admitted[0], admitted[1], "they share the quota of one");
        assert_eq!((world.table.forgiven(), world.table.overflowed()), (0, 1));
        assert!(!world.charge(ONE, START));
    });
}

/// The place goes from one key to another while a third thread reads it: what it says is of the one or of the other.
#[test]
fn nobody_is_refused_by_half_of_what_another_writes() {
    refused_by_a_torn_read();
}

/// The model sees it: without the look at the version a number of one key is read for the other's.
#[test]
#[should_panic(expected = "refused by a number that is not its own")]
fn without_the_version_one_is_refused_by_anothers_number() {
    IS_BLIND.set(true);
    refused_by_a_torn_read();
}

thread_local! {
    /// Of the thread that checks a model: those of the model all run on it.
    static IS_BLIND: Cell<bool> = const { Cell::new(false) };
}

/// Whether who has read does not look whether somebody wrote meanwhile.
pub(crate) fn is_blind() -> bool {
    IS_BLIND.get()
}

fn refused_by_a_torn_read() {
    check(2, || {
        let world = World::<1>::new(quota(2));
        assert!(world.charge(ONE, START));
        // Who reads is the one that is spawned: loom lets the other go first, and then looks for where this one could have come.
        let reading = spawn(&world, |world| world.charge(ONE, LATER));
        // Takes the place, and with two units it is throttled.
        assert!(world.charge(OTHER, LATER) && world.charge(OTHER, LATER));
        assert!(reading.join().unwrap(), "refused by a number that is not its own");
    });
}

#[test]
fn a_refund_and_a_charge_both_count() {
    check(3, || {
        let world = World::<2>::new(quota(2));
        assert!(world.charge(ONE, START) && world.charge(ONE, START));
        let other = spawn(&world, |world| world.refund(ONE));
        let admitted = world.charge(ONE, START);
        other.join().unwrap();
        assert_eq!(world.left(ONE, START), u64::from(!admitted));
    });
}
