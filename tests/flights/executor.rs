//! An executor of one thread, which polls in an order that chance draws, and drops tasks where it is told to.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tower_keep::cache::{Spawn, Work};

use crate::dice::Dice;
use crate::fault::{Fault, Kind};
use crate::quiet;
use crate::world::World;

pub struct Executor {
    world: Arc<World>,
    ready: Arc<Mutex<Vec<Arc<Task>>>>,
    tasks: Mutex<Vec<Held>>,
    fates: Mutex<Vec<Arc<Mutex<Fate>>>>,
    /// A task lives by its wakers alone, as with executors that keep no list: with the last one it is dropped.
    wakers_own: bool,
    pub spawning: Mutex<Spawning>,
}

/// What becomes of work for the background.
#[derive(Clone, Copy)]
pub struct Spawning {
    /// One in so many pieces is refused; 0 for none.
    pub refused: u64,
    /// One in so many pieces is dropped before its end; 0 for none.
    pub dropped: u64,
}

enum Held {
    Strong(Arc<Task>),
    Weak(Weak<Task>),
}

/// When a task is dropped by somebody else.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    /// Right after so many polls.
    After(u32),
    /// When it is woken for the poll after so many.
    Instead(u32),
    /// At this step of the run, whatever it does then.
    AtStep(u64),
}

struct Task {
    /// Not there while it is polled, and when it is done.
    future: Mutex<Option<Work>>,
    ready: Arc<Mutex<Vec<Arc<Task>>>>,
    is_queued: AtomicBool,
    polls: AtomicU32,
    kill: Option<Kill>,
    fate: Arc<Mutex<Fate>>,
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Running,
    Done,
    Killed,
    Panicked,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            let ready = self.ready.clone();
            ready.lock().unwrap().push(self);
        }
    }
}

impl Executor {
    pub fn new(world: &Arc<World>, wakers_own: bool, spawning: Spawning) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            ready: Arc::default(),
            tasks: Mutex::default(),
            fates: Mutex::default(),
            wakers_own,
            spawning: Mutex::new(spawning),
        })
    }

    pub fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
        kill: Option<Kill>,
    ) -> Arc<Mutex<Fate>> {
        let task = Arc::new(Task {
            future: Mutex::new(Some(Box::pin(future))),
            ready: self.ready.clone(),
            is_queued: AtomicBool::new(false),
            polls: AtomicU32::new(0),
            kill,
            fate: Arc::new(Mutex::new(Fate::Running)),
        });
        let fate = task.fate.clone();
        self.fates.lock().unwrap().push(fate.clone());
        self.tasks.lock().unwrap().push(match self.wakers_own {
            true => Held::Weak(Arc::downgrade(&task)),
            false => Held::Strong(task.clone()),
        });
        task.wake();
        fate
    }

    /// Runs until every task is over. `by_itself` where nobody may need a deadline of the cache for that.
    /// Answers how much time passed.
    pub fn run(&self, by_itself: bool) -> Result<Duration, Fault> {
        let mut passed = Duration::ZERO;
        for step in 0.. {
            if step > STEPS_MAX || passed > PASSES_MAX {
                return Err(Fault::new(Kind::Endless, format!("{step} steps, {passed:?}")));
            }
            self.kill_at(step);
            self.stir();
            let task = self.world.roll(|dice| draw(&mut self.ready.lock().unwrap(), dice));
            match task {
                Some(task) => task.run(),
                None if self.world.nudge() => {}
                None if self.running().is_empty() => return self.none_is_lost().map(|()| passed),
                None => match self.world.clock.advance(by_itself) {
                    Some(length) => passed += length,
                    None => {
                        let waits = self.running().len();
                        return Err(Fault::new(Kind::Hang, format!("{waits} wait for nothing")));
                    }
                },
            }
        }
        Ok(passed)
    }

    /// A task that went with its last waker would have waited for ever elsewhere.
    fn none_is_lost(&self) -> Result<(), Fault> {
        let mut fates = self.fates.lock().unwrap();
        let lost = fates.drain(..).filter(|fate| *fate.lock().unwrap() == Fate::Running).count();
        match lost {
            0 => Ok(()),
            lost => {
                Err(Fault::new(Kind::Hang, format!("{lost} waited, and nothing held their wakers")))
            }
        }
    }

    /// What lies outside of the tasks: something that one waits for happens, or one is woken without need.
    fn stir(&self) {
        if self.world.roll(|dice| dice.one_in(4)) {
            self.world.nudge();
        }
        if self.world.roll(|dice| dice.one_in(24)) {
            let running = self.running();
            if !running.is_empty() {
                let at = self.world.roll(|dice| dice.index(running.len()));
                running[at].clone().wake();
            }
        }
    }

    fn kill_at(&self, now: u64) {
        for task in self.running() {
            if matches!(task.kill, Some(Kill::AtStep(step)) if step == now) {
                task.end(Fate::Killed);
            }
        }
    }

    fn running(&self) -> Vec<Arc<Task>> {
        let mut tasks = self.tasks.lock().unwrap();
        let alive = tasks.iter().filter_map(|held| match held {
            Held::Strong(task) => Some(task.clone()),
            Held::Weak(task) => task.upgrade(),
        });
        let alive: Vec<_> = alive.filter(|task| task.is_running()).collect();
        tasks.retain(|held| match held {
            Held::Strong(task) => task.is_running(),
            Held::Weak(task) => task.strong_count() > 0,
        });
        alive
    }
}

fn draw(ready: &mut Vec<Arc<Task>>, dice: &mut Dice) -> Option<Arc<Task>> {
    let bound = ready.len();
    (bound > 0).then(|| ready.swap_remove(dice.index(bound)))
}

impl Task {
    fn is_running(&self) -> bool {
        *self.fate.lock().unwrap() == Fate::Running
    }

    fn end(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
        let future = self.future.lock().unwrap().take();
        drop(future);
    }

    fn run(self: Arc<Self>) {
        self.is_queued.store(false, Ordering::Relaxed);
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        if matches!(self.kill, Some(Kill::Instead(before)) if polls == before) {
            return self.end(Fate::Killed);
        }
        let Some(mut future) = self.future.lock().unwrap().take() else { return };
        let polled = poll(future.as_mut(), &Waker::from(self.clone()));
        let is_killed = matches!(self.kill, Some(Kill::After(polls_max)) if polls + 1 == polls_max);
        let fate = match polled {
            Some(Poll::Pending) if is_killed => Fate::Killed,
            Some(Poll::Pending) => {
                *self.future.lock().unwrap() = Some(future);
                return;
            }
            Some(Poll::Ready(())) => Fate::Done,
            None => Fate::Panicked,
        };
        *self.fate.lock().unwrap() = fate;
        drop(future);
    }
}

/// `None` if it panicked.
fn poll(future: Pin<&mut (dyn Future<Output = ()> + Send)>, waker: &Waker) -> Option<Poll<()>> {
    let _quiet = quiet::Quiet::new();
    catch_unwind(AssertUnwindSafe(|| future.poll(&mut Context::from_waker(waker)))).ok()
}

/// The executor, for the cache.
pub struct Background(pub Arc<Executor>);

impl Spawn for Background {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        let Spawning { refused, dropped } = *self.0.spawning.lock().unwrap();
        let is = |one_in: u64| one_in > 0 && self.0.world.roll(|dice| dice.one_in(one_in));
        if is(refused) {
            return Err(work);
        }
        let kill = is(dropped).then(|| {
            let (is_after, polls) =
                self.0.world.roll(|dice| (dice.one_in(2), dice.below(4) as u32));
            if is_after { Kill::After(1 + polls) } else { Kill::Instead(polls) }
        });
        self.0.spawn(work, kill);
        Ok(())
    }
}

/// A run has some hundred.
const STEPS_MAX: u64 = 20_000;
const PASSES_MAX: Duration = Duration::from_secs(3600);
