//! What happens in a run, drawn from its seed.

use std::time::Duration;

use crate::dice::Dice;
use crate::executor::{Kill, Spawning};

#[derive(Clone, Debug)]
pub struct Plan {
    pub mood: Mood,
    pub clients: Vec<Visit>,
    pub keys: u64,
    /// How many values of the field that selects; 0 where nothing does.
    pub values: u64,
    /// What the inner service says of its responses.
    pub policies: Vec<Policy>,
    pub has_validators: bool,
    pub faults: Faults,
    pub body_bytes_max: Option<u64>,
    pub in_flight_bytes_max: Option<u64>,
    pub collapses: bool,
    pub backs_off: bool,
    pub flight_deadline: Duration,
    pub refused: u64,
    pub dropped: u64,
    pub wakers_own: bool,
    /// The store does not answer at once.
    pub store_waits: bool,
    pub writes: Vec<Write>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// Nothing goes wrong, nobody leaves or is slow: each thing is asked for once.
    Calm,
    /// No call succeeds.
    Doomed,
    Wild,
}

/// What can go wrong with a call: one in so many, 0 for none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub readiness: u64,
    pub head: u64,
    pub body: u64,
    pub panics: bool,
    /// A call that never goes on.
    pub hangs: u64,
    /// A head that takes seconds.
    pub slow: u64,
}

/// What becomes of a response by its head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    Fresh,
    /// Soon stale; at once, where the inner service took its time.
    Soon,
    /// Soon stale, and then served while it is refreshed.
    Brief,
    /// Soon stale, and then served where the inner service fails.
    IfError,
    /// To be validated each time.
    NoCache,
    /// Stale at once.
    Nothing,
    NoStore,
    /// 503 that is stored.
    StoredFailure,
    /// 503 that is not.
    Failure,
    /// 500.
    Fault,
    /// 403, which says something of one request alone.
    Forbidden,
}

#[derive(Clone, Copy, Debug)]
pub struct Visit {
    pub key: u64,
    pub value: u64,
    pub arrives: Duration,
    pub pace: Pace,
    pub reads: Reads,
    /// `Cache-Control: no-cache`.
    pub insists: bool,
    pub kill: Option<Kill>,
    pub patience: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    Eager,
    /// Lets others go first, now and then.
    Yields,
    /// Sleeps so long between frames.
    Sleeps(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reads {
    All,
    /// So many frames, and then it leaves.
    Frames(u64),
    /// Until it has as much as the Content-Length says, as HTTP/1.1 servers do.
    ByLength,
}

#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub what: What,
    pub key: u64,
    pub at: Duration,
    pub kill: Option<Kill>,
    pub patience: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    PurgeUrl,
    PurgeAll,
    SoftPurge,
    Put,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let mood = match dice.below(16) {
            0..3 => Mood::Calm,
            3 => Mood::Doomed,
            _ => Mood::Wild,
        };
        let mut plan = Self {
            mood,
            clients: Vec::new(),
            keys: 1 + dice.below(2),
            values: if mood == Mood::Doomed { 0 } else { dice.pick(&[0, 0, 1, 2, 3]) },
            policies: vec![Policy::Fresh],
            has_validators: dice.one_in(2),
            faults: Faults::default(),
            body_bytes_max: None,
            in_flight_bytes_max: None,
            collapses: true,
            backs_off: true,
            flight_deadline: Duration::from_secs(60),
            refused: dice.pick(&[0, 0, 1, 2]),
            dropped: 0,
            wakers_own: dice.one_in(3),
            store_waits: dice.one_in(4),
            writes: Vec::new(),
        };
        match mood {
            Mood::Calm => {}
            Mood::Doomed => {
                plan.faults = Faults { head: 1, panics: dice.one_in(2), ..Faults::default() };
            }
            Mood::Wild => plan.wild(&mut dice),
        }
        let clients = 1 + dice.below(8);
        plan.clients = (0..clients).map(|_| plan.visit(&mut dice)).collect();
        plan
    }

    /// Each wildness in some runs only, so that they are seen with and without each other.
    fn wild(&mut self, dice: &mut Dice) {
        let all = [
            Policy::Fresh,
            Policy::Brief,
            Policy::IfError,
            Policy::NoCache,
            Policy::Soon,
            Policy::Nothing,
            Policy::NoStore,
            Policy::StoredFailure,
            Policy::Failure,
            Policy::Fault,
            Policy::Forbidden,
        ];
        // The first ones are of use to others, in every second run nothing else.
        let among = if dice.one_in(2) { &all[..5] } else { &all[..] };
        self.policies = (0..1 + dice.below(3)).map(|_| dice.pick(among)).collect();
        self.faults = Faults {
            readiness: dice.pick(&[0, 0, 0, 8]),
            head: dice.pick(&[0, 0, 0, 2, 4]),
            body: dice.pick(&[0, 0, 0, 2, 3]),
            panics: dice.one_in(2),
            hangs: dice.pick(&[0, 0, 0, 0, 0, 4]),
            slow: dice.pick(&[0, 0, 2]),
        };
        self.body_bytes_max = dice.pick(&[None, None, None, Some(30), Some(60)]);
        self.in_flight_bytes_max = dice.pick(&[None, None, None, Some(40), Some(90)]);
        self.collapses = !dice.one_in(8);
        self.backs_off = !dice.one_in(4);
        self.flight_deadline = Duration::from_secs(dice.pick(&[60, 60, 60, 1, 3]));
        self.dropped = dice.pick(&[0, 0, 0, 2, 4]);
        if dice.one_in(3) {
            let kinds = [What::PurgeUrl, What::PurgeAll, What::SoftPurge, What::Put];
            self.writes = (0..1 + dice.below(2))
                .map(|_| Write {
                    what: dice.pick(&kinds),
                    key: dice.below(self.keys),
                    at: Duration::from_millis(dice.pick(&[0, 0, 5, 20])),
                    kill: if dice.one_in(4) { Some(kill(dice)) } else { None },
                    patience: self.patience(),
                })
                .collect();
        }
    }

    fn visit(&self, dice: &mut Dice) -> Visit {
        let is_wild = self.mood == Mood::Wild;
        let arrives: &[u64] =
            if is_wild { &[0, 0, 0, 5, 20, 1500, 2500, 4000] } else { &[0, 0, 5, 20] };
        let slow = Pace::Sleeps(Duration::from_millis(dice.pick(&[10, 900, 6000])));
        let paces = [Pace::Eager, Pace::Eager, Pace::Yields, slow];
        Visit {
            key: dice.below(self.keys),
            value: dice.below(self.values.max(1)),
            arrives: Duration::from_millis(dice.pick(arrives)),
            pace: paces[dice.index(if is_wild { 4 } else { 3 })],
            reads: match dice.below(8) {
                0 if is_wild => Reads::Frames(dice.below(4)),
                1 | 2 => Reads::ByLength,
                _ => Reads::All,
            },
            insists: is_wild && dice.one_in(12),
            kill: if is_wild && dice.one_in(3) { Some(kill(dice)) } else { None },
            patience: self.patience(),
        }
    }

    pub fn spawning(&self) -> Spawning {
        Spawning { refused: self.refused, dropped: self.dropped }
    }

    /// How long somebody waits, where the inner service may hang.
    fn patience(&self) -> Option<Duration> {
        (self.faults.hangs > 0).then_some(Duration::from_secs(300))
    }

    /// Whether what is stored may be dropped because nothing runs what would have to wait for the store.
    pub fn forgets(&self) -> bool {
        self.store_waits && self.refused > 0
    }

    /// Whether somebody leaves before the end.
    pub fn has_leavers(&self) -> bool {
        self.dropped > 0
            || self.faults.hangs > 0
            || self.clients.iter().any(|visit| visit.kill.is_some() || visit.reads != Reads::All)
    }

    /// Whether the run has to end without a deadline of the cache: nobody leaves or dawdles.
    pub fn ends_by_itself(&self) -> bool {
        self.faults.hangs == 0
            && self.dropped == 0
            && self.flight_deadline.as_secs() == 60
            && self.clients.iter().all(|visit| {
                visit.kill.is_none()
                    && !matches!(visit.pace, Pace::Sleeps(length) if length.as_secs() > 0)
            })
    }
}

fn kill(dice: &mut Dice) -> Kill {
    let polls = dice.below(8) as u32;
    match dice.below(3) {
        0 => Kill::After(1 + polls),
        1 => Kill::Instead(1 + polls),
        _ => Kill::AtStep(1 + dice.below(120)),
    }
}
