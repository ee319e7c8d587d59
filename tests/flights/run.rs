//! One run: what its seed says happens, and whether all of it was right.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_keep::cache::CacheStats;

use crate::client::{Purges, Record, Seen, fetch, request, visit, write};
use crate::executor::{Executor, Fate, Spawning};
use crate::fault::{Fault, Kind};
use crate::judge::Judge;
use crate::origin::{Call, End};
use crate::plan::{Mood, Pace, Plan, Reads, Visit};
use crate::subject::{Build, Subject};
use crate::world::World;

/// What a run has come to, so that it is seen whether all of this happens at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub stats: CacheStats,
    pub calls: u64,
    pub killed: u64,
    pub panicked: u64,
    pub broken: u64,
    pub stalled: u64,
    pub purges: u64,
    /// Found in the store when all was over.
    pub left_in_store: u64,
    /// Needed a deadline of the cache or more time.
    pub waited: u64,
}

struct Run {
    world: Arc<World>,
    plan: Arc<Plan>,
    executor: Arc<Executor>,
    subject: Arc<dyn Subject>,
    records: Vec<Record>,
    fates: Vec<Arc<Mutex<Fate>>>,
    purges: Purges,
}

pub fn run(seed: u64, build: &Build) -> Result<Tally, Fault> {
    let (world, plan) = (World::new(seed), Arc::new(Plan::new(seed)));
    let executor = Executor::new(&world, plan.wakers_own, plan.spawning());
    let subject = build(&world, &plan, &executor);
    let (records, fates, purges) = (Vec::new(), Vec::new(), Purges::default());
    let mut run = Run { world, plan, executor, subject, records, fates, purges };
    run.all_come();
    let passed = run.executor.run(run.plan.ends_by_itself())?;
    run.judge_all()?;
    run.nothing_is_left()?;
    run.calls_are_explained(passed)?;
    let mut tally = run.tally(passed);
    tally.left_in_store = run.judge_store(passed)?;
    run.goes_on()?;
    Ok(tally)
}

impl Run {
    fn all_come(&mut self) {
        for client in self.plan.clients.clone() {
            let Visit { key, value, kill, .. } = client;
            let record = Record::new(Mutex::new(Seen { key, value, ..Seen::default() }));
            let (world, subject) = (self.world.clone(), self.subject.clone());
            let work = visit(world, subject, client, record.clone());
            self.fates.push(self.executor.spawn(work, kill));
            self.records.push(record);
        }
        for one in self.plan.writes.clone() {
            let (world, subject) = (self.world.clone(), self.subject.clone());
            let work = write(world, subject, one, self.purges.clone());
            self.executor.spawn(work, one.kill);
        }
    }

    fn judge_all(&self) -> Result<(), Fault> {
        let (calls, purges) = (self.calls(), self.purges.lock().unwrap());
        let judge = Judge { plan: &self.plan, calls: &calls, purges: &purges };
        for (record, fate) in self.records.iter().zip(&self.fates) {
            let seen = record.lock().unwrap();
            judge.seen(&seen)?;
            let fate = *fate.lock().unwrap();
            if fate == Fate::Panicked && !self.plan.faults.panics {
                return Err(Fault::new(Kind::Unexplained, format!("a panic: {seen:?}")));
            }
        }
        Ok(())
    }

    fn nothing_is_left(&self) -> Result<(), Fault> {
        let stats = self.subject.stats();
        let alive = self.world.alive.load(Ordering::Relaxed);
        match (stats.flights, stats.background, alive) {
            (0, 0, 0) => Ok(()),
            (flights, background, alive) => {
                let what =
                    format!("{flights} flights, {background} works, {alive} calls and bodies");
                Err(Fault::new(Kind::Leaked, what))
            }
        }
    }

    fn calls_are_explained(&self, passed: Duration) -> Result<(), Fault> {
        let calls: Vec<Call> = self.calls().into_iter().filter(|call| call.is_get).collect();
        let stats = self.subject.stats();
        let most = self.plan.clients.len() as u64 + stats.refreshes;
        let mut each: HashMap<(u64, u64), u64> = HashMap::new();
        for call in &calls {
            let value = if self.plan.values > 0 { call.value } else { 0 };
            *each.entry((call.key, value)).or_default() += 1;
        }
        let most_of_each = match self.plan.mood {
            Mood::Calm if !self.plan.forgets() && self.plan.values == 0 => 1,
            // Who knows from the start what selects does not find the flight of who did not.
            Mood::Calm if !self.plan.forgets() => 2,
            // The one that failed and one more, until the while is over.
            Mood::Doomed if passed < Duration::from_secs(1) => 2,
            _ => most,
        };
        if calls.len() as u64 > most || each.values().any(|calls| *calls > most_of_each) {
            let what = format!("{each:?} for {:?}", self.plan);
            return Err(Fault::new(Kind::Calls, what));
        }
        Ok(())
    }

    fn calls(&self) -> Vec<Call> {
        self.world.calls.lock().unwrap().clone()
    }

    /// Asks once more for this, when nobody else does, and waits for it.
    fn ask(
        &self,
        key: u64,
        value: u64,
        control: Option<&'static str>,
        by_itself: bool,
    ) -> Result<Seen, Fault> {
        let record = Record::new(Mutex::new(Seen { key, value, ..Seen::default() }));
        let visit = Visit {
            key,
            value,
            arrives: Duration::ZERO,
            pace: Pace::Eager,
            reads: Reads::All,
            insists: false,
            kill: None,
            patience: None,
        };
        let (world, subject, seen) = (self.world.clone(), self.subject.clone(), record.clone());
        let work = async move {
            let request = request("GET", key, value, control);
            fetch(&world, &*subject, visit, request, &seen).await;
        };
        self.executor.spawn(work, None);
        self.executor.run(by_itself)?;
        let mut seen = record.lock().unwrap();
        Ok(std::mem::take(&mut seen))
    }

    /// Looks at what is stored now.
    fn judge_store(&self, passed: Duration) -> Result<u64, Fault> {
        *self.executor.spawning.lock().unwrap() = Spawning { refused: 0, dropped: 0 };
        let mut found = 0;
        for key in 0..self.plan.keys {
            for value in 0..self.plan.values.max(1) {
                let before = self.calls().len();
                let seen = self.ask(key, value, ONLY_IF_CACHED, self.plan.faults.hangs == 0)?;
                let calls = self.calls();
                let purges = self.purges.lock().unwrap();
                let judge = Judge { plan: &self.plan, calls: &calls, purges: &purges };
                // A stale response may be refreshed by this; then it is no matter of the store any more.
                if calls.len() == before {
                    judge.stored(&seen)?;
                } else {
                    judge.seen(&seen)?;
                }
                let is_there = seen.headers.contains_key("x-call");
                found += u64::from(is_there);
                let was_asked = self.plan.clients.iter().any(|client| {
                    client.key == key && (self.plan.values == 0 || client.value == value)
                });
                let has_to = self.plan.mood == Mood::Calm
                    && was_asked
                    && passed < Duration::from_secs(60)
                    && !self.plan.forgets()
                    && !self.plan.has_leavers();
                if has_to && !is_there {
                    return Err(Fault::new(Kind::Stored, format!("not stored: {:?}", self.plan)));
                }
            }
        }
        Ok(found)
    }

    /// When everything is as it should be again, so is the cache: nothing is left that others wait for, and no
    /// memory is charged to anybody.
    fn goes_on(&self) -> Result<(), Fault> {
        self.world.is_settled.store(true, Ordering::Relaxed);
        self.world.clock.pass(Duration::from_secs(600));
        self.subject.bound_in_flight(24);
        for key in 0..self.plan.keys {
            let seen = self.ask(key, 0, None, true)?;
            let calls = self.calls();
            let judge = Judge { plan: &self.plan, calls: &calls, purges: &[] };
            judge.seen(&seen)?;
            if seen.status != 200 || calls.last().is_none_or(|call| call.end != End::Whole) {
                return Err(Fault::new(Kind::Unexplained, format!("when all is well: {seen:?}")));
            }
            let stored = self.ask(key, 0, ONLY_IF_CACHED, true)?;
            if stored.headers.get("x-call") != seen.headers.get("x-call") {
                return Err(Fault::new(Kind::Stored, format!("not stored at last: {seen:?}")));
            }
        }
        self.nothing_is_left()
    }

    fn tally(&self, passed: Duration) -> Tally {
        let count = |is: &dyn Fn(&Seen) -> bool| {
            self.records.iter().filter(|record| is(&record.lock().unwrap())).count() as u64
        };
        let fates =
            |fate| self.fates.iter().filter(|each| *each.lock().unwrap() == fate).count() as u64;
        let is_broken = |seen: &Seen, by: &str| format!("{:?}", seen.end).contains(by);
        Tally {
            stats: self.subject.stats(),
            calls: self.calls().len() as u64,
            killed: fates(Fate::Killed),
            panicked: fates(Fate::Panicked),
            broken: count(&|seen| is_broken(seen, "Broken")),
            stalled: count(&|seen| is_broken(seen, "slowly")),
            purges: self.purges.lock().unwrap().len() as u64,
            left_in_store: 0,
            waited: u64::from(passed > Duration::from_secs(1)),
        }
    }
}

const ONLY_IF_CACHED: Option<&str> = Some("only-if-cached");
