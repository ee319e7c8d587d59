//! Stamps that mirror a ledger.

use super::*;

#[test]
fn a_resource_others_purged_is_never_forgotten_silently() {
    let (stamps, page) = (mirror(7), Page::at("/kept"));
    let began = stamps.position();
    for count in 1..=TABLE_STAMPS as u64 + 1 {
        let target = Page::at(&format!("/{count}")).resource();
        let now = Ticks::from_nanos(count * FILL_TIME_MAX.as_nanos() as u64);
        stamps.appended(
            target,
            Hard,
            stamps.heard().ledger,
            Position { ledger: 7, mark: Mark::new(count) },
            now,
        );
    }
    assert_eq!(stamps.standing(began, &AtomicU64::new(0), &page), Standing::Unknown);
}

#[test]
fn marks_may_be_learnt_out_of_order() {
    let (stamps, page) = (mirror(7), Page::at("/a"));
    let [start, third] = [0, 3].map(|mark| Position { ledger: 7, mark: Mark::new(mark) });
    stamps.appended(Page::at("/b").tags[0], Hard, stamps.heard().ledger, third, NOW);
    assert_eq!((stamps.position(), stamps.heard()), (third, start));
    let cell = AtomicU64::new(0);
    assert_eq!(stamps.standing(start, &cell, &page), Standing::Good);
    let purges = [(page.resource(), 1), (page.tags[0], 2), (Page::at("/b").tags[0], 3)];
    let catch = caught(0, 3, &purges);
    assert!(stamps.learn(start, &catch, NOW));
    assert!(!stamps.is_current(&cell));
    assert_eq!(stamps.standing(start, &cell, &page), Standing::Gone);
    assert_eq!(stamps.standing(third, &AtomicU64::new(0), &page), Standing::Good);
    assert_eq!(stamps.heard(), third);
}

#[test]
fn what_is_learnt_twice_costs_no_second_look_up() {
    let (stamps, page) = (mirror(7), Page::at("/a"));
    let (start, cell) = (stamps.position(), AtomicU64::new(0));
    let at = Position { ledger: 7, mark: Mark::new(1) };
    stamps.appended(Page::at("/b").tags[0], Hard, stamps.heard().ledger, at, NOW);
    assert_eq!(stamps.standing(start, &cell, &page), Standing::Good);
    assert!(stamps.learn(start, &caught(0, 1, &[(Page::at("/b").tags[0], 1)]), NOW));
    assert!(stamps.is_current(&cell));
}

#[test]
fn what_began_before_a_gap_is_unknown() {
    let (stamps, page) = (mirror(7), Page::at("/a"));
    let (start, cell) = (stamps.position(), AtomicU64::new(0));
    assert_eq!(stamps.standing(start, &cell, &page), Standing::Good);
    assert!(stamps.learn(start, &caught(5, 9, &[(page.tags[0], 6)]), NOW));
    let standings = [4, 5, 6].map(|mark| {
        let began = Position { ledger: 7, mark: Mark::new(mark) };
        stamps.standing(began, &AtomicU64::new(0), &page)
    });
    assert_eq!(standings, [Standing::Gone, Standing::Gone, Standing::Good]);
    let other = Page::at("/b");
    let began = Position { ledger: 7, mark: Mark::new(4) };
    assert_eq!(stamps.standing(began, &AtomicU64::new(0), &other), Standing::Unknown);
}

#[test]
fn a_ledger_that_began_anew_makes_all_before_unknown_and_keeps_what_it_still_tells() {
    let (stamps, page) = (mirror(7), Page::at("/a"));
    let (old, cell) = (stamps.position(), AtomicU64::new(0));
    assert_eq!(stamps.standing(old, &cell, &page), Standing::Good);
    let mut catch = caught(5, 9, &[(page.resource(), 6)]);
    catch.until.ledger = 8;
    assert!(stamps.learn(old, &catch, NOW));
    assert!(!stamps.is_current(&cell));
    assert_eq!(stamps.standing(old, &cell, &page), Standing::Unknown);
    for (mark, standing) in [(5, Standing::Gone), (6, Standing::Good)] {
        let began = Position { ledger: 8, mark: Mark::new(mark) };
        assert_eq!(stamps.standing(began, &AtomicU64::new(0), &page), standing);
    }
    // The answer to a question that was put before that comes too late.
    assert!(!stamps.learn(old, &caught(0, 1, &[]), NOW));
    assert_eq!(stamps.position(), catch.until);
}

#[test]
fn an_answer_that_goes_back_or_names_no_ledger_is_not_taken() {
    let stamps = mirror(7);
    let at = Position { ledger: 7, mark: Mark::new(5) };
    assert!(stamps.learn(stamps.heard(), &caught(0, 5, &[]), NOW));
    assert!(!stamps.learn(at, &caught(4, 4, &[]), NOW));
    let mut nowhere = caught(5, 9, &[]);
    nowhere.until.ledger = 0;
    assert!(!stamps.learn(at, &nowhere, NOW));
    assert_eq!(stamps.heard(), at);
}

fn caught(from: u64, until: u64, purges: &[(Target, u64)]) -> Catch {
    let purged =
        |(target, at): &(Target, u64)| Purged { target: *target, kind: Hard, at: Mark::new(*at) };
    let until = Position { ledger: 7, mark: Mark::new(until) };
    Catch { from: Mark::new(from), until, purges: purges.iter().map(purged).collect() }
}
