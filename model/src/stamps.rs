//! A fill races with a purge over a small store, and with hits.

use loom::model::Builder;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::cache::mark::{Position, PurgeKind, Standing, Target, Targeted};
use crate::cache::stamps::Stamps;
use crate::time::Ticks;

#[test]
fn no_request_after_a_purge_is_served_what_was_fetched_before_it() {
    race(World::hit);
}

/// So the stamp of a resource may go once no fill is left that began before it.
#[test]
fn a_fill_that_looks_again_after_its_put_leaves_nothing_that_was_purged() {
    unbounded().check(|| {
        let world = Arc::new(World::new());
        let filling = Arc::clone(&world);
        let filler = thread::spawn(move || filling.fill_and_look_again());
        world.purge();
        filler.join().unwrap();
        assert_ne!(world.stored(), Some(OLD), "left what was purged");
    });
}

#[test]
#[should_panic(expected = "left what was purged")]
fn a_fill_that_does_not_look_again_may_leave_it() {
    unbounded().check(|| {
        let world = Arc::new(World::new());
        let filling = Arc::clone(&world);
        let filler = thread::spawn(move || drop(filling.fill()));
        world.purge();
        filler.join().unwrap();
        assert_ne!(world.stored(), Some(OLD), "left what was purged");
    });
}

/// The model sees the race: without the check it finds the old value.
#[test]
#[should_panic(expected = "served what was purged")]
fn without_the_check_the_old_value_is_served() {
    race(World::stored);
}

fn race(hit: impl Fn(&World) -> Option<u64> + Copy + Send + Sync + 'static) {
    unbounded().check(move || {
        let world = Arc::new(World::new());
        let (filling, reading) = (Arc::clone(&world), Arc::clone(&world));
        let filler = thread::spawn(move || drop(filling.fill()));
        let reader = thread::spawn(move || hit(&reading));
        world.purge();
        assert_ne!(hit(&world), Some(OLD), "served what was purged");
        filler.join().unwrap();
        reader.join().unwrap();
        assert_ne!(hit(&world), Some(OLD), "served what was purged");
    });
}

fn unbounded() -> Builder {
    let mut builder = Builder::new();
    builder.preemption_bound = None;
    builder
}

struct World {
    origin: AtomicU64,
    stamps: Stamps,
    store: Mutex<Option<Arc<Entry>>>,
}

struct Entry {
    value: u64,
    began: Position,
    checked: AtomicU64,
}

impl World {
    fn new() -> Self {
        let stamps = Stamps::local(7, 1 << 12);
        Self { origin: AtomicU64::new(OLD), stamps, store: Mutex::new(None) }
    }

    fn fill(&self) -> Option<Arc<Entry>> {
        let began = self.stamps.position();
        let value = self.origin.load(Ordering::SeqCst);
        let entry = Arc::new(Entry { value, began, checked: AtomicU64::new(0) });
        if self.stamps.standing(began, &entry.checked, &Page) != Standing::Good {
            return None;
        }
        *self.store.lock().unwrap() = Some(Arc::clone(&entry));
        Some(entry)
    }

    fn fill_and_look_again(&self) {
        let Some(entry) = self.fill() else { return };
        if self.stamps.standing(entry.began, &entry.checked, &Page) != Standing::Good {
            *self.store.lock().unwrap() = None;
        }
    }

    fn purge(&self) {
        self.origin.store(NEW, Ordering::SeqCst);
        self.stamps.purge(Page.resource(), PurgeKind::Hard, Ticks::default());
        *self.store.lock().unwrap() = None;
    }

    fn stored(&self) -> Option<u64> {
        self.store.lock().unwrap().as_ref().map(|entry| entry.value)
    }

    fn hit(&self) -> Option<u64> {
        let entry = self.store.lock().unwrap().clone()?;
        let good = self.stamps.is_current(&entry.checked)
            || self.stamps.standing(entry.began, &entry.checked, &Page) == Standing::Good;
        good.then_some(entry.value)
    }
}

struct Page;

impl Targeted for Page {
    fn resource(&self) -> Target {
        Target::from_bytes([1; 16])
    }
    fn tags(&self) -> &[Target] {
        &[]
    }
    fn prefixes(&self) -> Vec<Target> {
        Vec::new()
    }
    fn all(&self) -> Target {
        Target::from_bytes([4; 16])
    }
}

const OLD: u64 = 1;
const NEW: u64 = 2;
