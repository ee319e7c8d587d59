use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::cache::mark::PurgeKind::{Hard, Soft};
use crate::digest::Secret;

mod learning;
mod listed;

#[test]
fn an_entry_is_gone_or_soft_when_a_target_of_its_own_was_purged_after_it_began() {
    let [mine, other] = ["/a/b", "/c"].map(Page::at);
    let (tag, prefix) = (mine.tags[0], mine.prefixes()[1]);
    let cases: &[(&[(Target, PurgeKind)], Standing)] = &[
        (&[], Standing::Good),
        (&[(mine.resource(), Hard)], Standing::Gone),
        (&[(mine.resource(), Soft)], Standing::Soft),
        (&[(tag, Hard)], Standing::Gone),
        (&[(tag, Soft)], Standing::Soft),
        (&[(prefix, Hard)], Standing::Gone),
        (&[(mine.all(), Soft)], Standing::Soft),
        (&[(mine.all(), Hard)], Standing::Gone),
        (&[(tag, Hard), (tag, Soft)], Standing::Gone),
        (&[(mine.resource(), Soft), (prefix, Hard)], Standing::Gone),
        (&[(other.resource(), Hard), (other.tags[0], Hard)], Standing::Good),
        (&[(other.prefixes()[1], Hard)], Standing::Good),
    ];
    for (case, (purges, standing)) in cases.iter().enumerate() {
        let stamps = local();
        let cell = AtomicU64::new(0);
        let before = stamps.position();
        assert_eq!(stamps.standing(before, &cell, &mine), Standing::Good);
        for (target, kind) in *purges {
            stamps.purge(*target, *kind, NOW);
        }
        assert_eq!(stamps.is_current(&cell), purges.is_empty(), "case {case}");
        assert_eq!(stamps.standing(before, &cell, &mine), *standing, "case {case}");
        assert_eq!(stamps.is_current(&cell), *standing == Standing::Good, "case {case}");
        let (later, fresh) = (stamps.position(), AtomicU64::new(0));
        assert_eq!(stamps.standing(later, &fresh, &mine), Standing::Good, "case {case}");
    }
}

#[test]
fn a_purge_tells_the_hard_one_of_the_same_target_before_it() {
    let (stamps, page) = (local(), Page::at("/a"));
    let previous = [Hard, Soft, Hard, Hard]
        .map(|kind| stamps.purge(page.resource(), kind, NOW).previous.map(Mark::as_u64));
    assert_eq!(previous, [None, Some(1), Some(2), Some(3)]);
}

#[test]
fn an_entry_of_another_ledger_is_unknown() {
    let (stamps, page) = (local(), Page::at("/a"));
    for ledger in [0, stamps.position().ledger + 1] {
        let began = Position { ledger, mark: Mark::new(u64::MAX) };
        let cell = AtomicU64::new(0);
        assert_eq!(stamps.standing(began, &cell, &page), Standing::Unknown);
        assert!(!stamps.is_current(&cell));
    }
    let unheard = Stamps::mirror(1 << 12);
    let cell = AtomicU64::new(0);
    assert_eq!(unheard.standing(unheard.position(), &cell, &page), Standing::Unknown);
}

#[test]
fn prefixes_are_asked_for_only_after_a_prefix_was_purged() {
    let (stamps, page, other) = (local(), Page::at("/a"), Page::at("/b"));
    let (began, cell) = (stamps.position(), AtomicU64::new(0));
    for target in [other.resource(), other.tags[0], other.prefixes()[1], other.resource()] {
        stamps.purge(target, Hard, NOW);
        assert_eq!(stamps.standing(began, &cell, &page), Standing::Good);
    }
    assert_eq!(page.asked.load(Ordering::Relaxed), 1);
}

#[test]
fn one_cell_under_two_stamps_hides_no_purge() {
    let (one, two, page) = (local(), local(), Page::at("/a"));
    let cell = AtomicU64::new(0);
    let (in_one, in_two) = (one.position(), two.position());
    for count in 0..8 {
        assert_eq!(one.standing(in_one, &cell, &page), Standing::Good);
        assert!(one.is_current(&cell) && !two.is_current(&cell));
        two.purge(Page::at("/b").resource(), Hard, NOW);
        one.purge(Page::at("/b").tags[0], Hard, NOW);
        assert_eq!(two.standing(in_two, &cell, &page), Standing::Good, "{count}");
        assert!(two.is_current(&cell) && !one.is_current(&cell));
    }
    one.purge(page.tags[0], Hard, NOW);
    assert_eq!(two.standing(in_two, &cell, &page), Standing::Good);
    assert_eq!(one.standing(in_one, &cell, &page), Standing::Gone);
}

#[test]
fn epochs_of_two_stamps_are_never_equal_also_when_a_block_is_used_up() {
    let first = first_epoch();
    let last = first | ((1 << BLOCK_BITS) - 1);
    assert!(first != 0 && next_epoch(first) == first + 1);
    let other = first_epoch();
    let next = next_epoch(last);
    assert!(next > other && block(next) != block(other) && block(next) != block(last));
}

#[test]
fn a_full_table_of_resources_forgets_after_a_fill_and_raises_its_floor_before() {
    for (age, standing) in [(FILL_TIME_MAX, Standing::Unknown), (JUST_OVER, Standing::Good)] {
        let (stamps, page) = (local(), Page::at("/kept"));
        let (began, cell) = (stamps.position(), AtomicU64::new(0));
        fill(&stamps, |name| Page::at(name).resource(), Ticks::from_nanos(0));
        let later = Ticks::from_nanos(age.as_nanos() as u64);
        stamps.purge(Page::at("/last").resource(), Hard, later);
        assert_eq!(stamps.standing(began, &cell, &page), standing, "{age:?}");
        let cell = AtomicU64::new(0);
        assert_eq!(stamps.standing(stamps.position(), &cell, &page), Standing::Good);
    }
}

#[test]
fn a_hit_takes_no_lock_while_nothing_was_purged() {
    let (stamps, page, cell) = (local(), Page::at("/a"), AtomicU64::new(0));
    assert_eq!(stamps.standing(stamps.position(), &cell, &page), Standing::Good);
    // Who asked for the lock would wait for ever.
    let locked = stamps.write();
    assert!(stamps.is_current(&cell));
    drop(locked);
}

#[test]
fn a_full_table_of_tags_forgets_none_however_old() {
    for age in [JUST_OVER, JUST_OVER * 10_000] {
        let (stamps, page) = (local(), Page::at("/kept"));
        let (began, cell) = (stamps.position(), AtomicU64::new(0));
        fill(&stamps, |name| Page::at(name).tags[0], Ticks::from_nanos(0));
        let later = Ticks::from_nanos(age.as_nanos() as u64);
        stamps.purge(Page::at("/last").tags[0], Hard, later);
        let standing = stamps.standing(began, &cell, &page);
        assert_eq!(standing, Standing::Unknown, "{age:?}");
    }
}

#[test]
fn a_target_of_a_class_to_come_makes_what_began_before_it_unknown() {
    let (stamps, page) = (local(), Page::at("/a"));
    let (began, cell) = (stamps.position(), AtomicU64::new(0));
    stamps.purge(Target::from_bytes([0xee; 16]), Hard, NOW);
    assert_eq!(stamps.standing(began, &cell, &page), Standing::Unknown);
    assert_eq!(stamps.standing(stamps.position(), &cell, &page), Standing::Good);
}

#[test]
fn no_reader_finds_good_what_was_purged_before_it_looked() {
    let stamps = Arc::new(local());
    let page = Page::at("/a");
    let cell = Arc::new(AtomicU64::new(0));
    let (began, purged) = (stamps.position(), Arc::new(AtomicBool::new(false)));
    let readers = [0, 1].map(|_| {
        let (stamps, cell) = (Arc::clone(&stamps), Arc::clone(&cell));
        let (purged, page) = (Arc::clone(&purged), Page::at("/a"));
        std::thread::spawn(move || {
            loop {
                let was_purged = purged.load(Ordering::SeqCst);
                let good = stamps.is_current(&cell)
                    || stamps.standing(began, &cell, &page) == Standing::Good;
                assert!(!(good && was_purged));
                if was_purged {
                    return;
                }
            }
        })
    });
    for count in 0..2000 {
        stamps.purge(Page::at(&format!("/{count}")).tags[0], Hard, NOW);
    }
    stamps.purge(page.tags[0], Hard, NOW);
    purged.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
}

/// An entry with one tag, a prefix for each segment of its path, and a count of who asked for those.
struct Page {
    path: String,
    tags: [Target; 1],
    asked: AtomicU64,
}

impl Page {
    fn at(path: &str) -> Self {
        let tags = [Target::tag(&KEY, b"", path.as_bytes())];
        Self { path: path.into(), tags, asked: AtomicU64::new(0) }
    }
}

impl Targeted for Page {
    fn resource(&self) -> Target {
        Target::resource(&KEY, self.path.as_bytes())
    }
    fn tags(&self) -> &[Target] {
        &self.tags
    }
    fn prefixes(&self) -> Vec<Target> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let ends = self.path.match_indices('/').skip(1).map(|(at, _)| at).chain([self.path.len()]);
        let ends = std::iter::once(1).chain(ends);
        ends.map(|end| Target::prefix(&KEY, b"", &self.path.as_bytes()[..end])).collect()
    }
    fn all(&self) -> Target {
        Target::all(&KEY, b"")
    }
}

fn local() -> Stamps {
    Stamps::local(7, TABLE_BYTES)
}

/// A mirror that has heard all of an empty ledger.
fn mirror(ledger: u64) -> Stamps {
    let stamps = Stamps::mirror(TABLE_BYTES);
    let until = Position { ledger, mark: Mark::default() };
    let empty = Catch { from: until.mark, until, purges: Vec::new() };
    assert!(stamps.learn(stamps.heard(), &empty, NOW));
    stamps
}

fn fill(stamps: &Stamps, target: impl Fn(&str) -> Target, now: Ticks) {
    for count in 0..TABLE_STAMPS {
        stamps.purge(target(&format!("/{count}")), Hard, now);
    }
}

const KEY: Secret = Secret::new([7; 16]);
const NOW: Ticks = Ticks::from_nanos(1);
const JUST_OVER: Duration = Duration::from_secs(FILL_TIME_MAX.as_secs() + 1);
const TABLE_BYTES: usize = 4096;
/// How many stamps have room in it.
const TABLE_STAMPS: usize = 28;
