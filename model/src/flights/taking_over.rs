//! Leaders that leave or fail, and who takes over.

use super::*;
use crate::cache::flight::Failure;

#[test]
fn of_those_who_wait_for_a_leader_that_left_exactly_one_takes_over() {
    for (followers, preemptions) in [(1, None), (2, Some(4))] {
        check(preemptions, move || {
            let world = World::new(false);
            let lead = world.lead();
            let followers: Vec<_> = (0..followers).map(|_| world.follow()).collect();
            let flying = fly(&world, followers, |world, lead| {
                let mut reader = world.streams(lead, &Origin::new([Some("abcd"), None]));
                assert_eq!(block_on(read(&mut reader)).unwrap(), WHOLE);
            });
            drop(lead);
            for landed in flying {
                assert!(matches!(landed.join().unwrap(), Ended::Led | Ended::Read));
            }
            assert_eq!(world.fetched(), 1);
            assert_eq!(world.ends(), (1, 0));
            world.rests();
        });
    }
}

#[test]
fn a_flight_that_its_leader_and_all_who_wait_leave_is_over() {
    check(None, || {
        let world = World::new(false);
        let lead = world.lead();
        let leaving: Vec<_> = (0..2)
            .map(|_| {
                let mut follower = world.follow();
                thread::spawn(move || {
                    let mut arriving = Box::pin(arrival(&mut follower));
                    let _ = arriving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                })
            })
            .collect();
        drop(lead);
        leaving.into_iter().for_each(|left| left.join().unwrap());
        world.rests();
    });
}

/// Two fetches in all: the one that failed, and the one of whoever takes over.
#[test]
fn after_a_failure_exactly_one_tries_again_and_if_that_fails_the_others_are_told() {
    check(Some(4), || {
        let world = World::new(false);
        let lead = world.lead();
        let flying = fly(&world, vec![world.follow(), world.follow()], fails);
        fails(&world, lead);
        let mut ended: Vec<_> = flying.into_iter().map(|flown| flown.join().unwrap()).collect();
        ended.sort();
        assert_eq!(ended, [Ended::Led, Ended::Failed]);
        assert_eq!(world.fetched(), 2);
        world.rests();
        assert!(matches!(world.join(), Joined::BackedOff { .. }));
    });
}

#[test]
fn those_who_come_while_it_fails_make_one_fetch_more_at_the_most() {
    check(Some(3), || {
        let world = World::new(false);
        let lead = world.lead();
        let coming: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || match world.join() {
                    Joined::Lead(lead) => fails(&world, lead),
                    Joined::Follow(follower) => drop(flown(&world, follower, fails)),
                    Joined::Alone | Joined::BackedOff { .. } => {}
                })
            })
            .collect();
        fails(&world, lead);
        coming.into_iter().for_each(|came| came.join().unwrap());
        assert_eq!(world.fetched(), 2);
        world.rests();
    });
}

/// A response that only its own request could use: each of the others leads in its turn, and nobody is left.
#[test]
fn answers_of_no_use_to_others_are_asked_for_one_after_the_other() {
    check(Some(4), || {
        let world = World::new(false);
        let lead = world.lead();
        let flying = fly(&world, vec![world.follow(), world.follow()], |_, lead| {
            lead.unusable(true);
        });
        lead.unusable(true);
        let mut ended: Vec<_> = flying.into_iter().map(|flown| flown.join().unwrap()).collect();
        ended.sort();
        assert_eq!(ended, [Ended::Led, Ended::Led]);
        world.rests();
    });
}

/// The leader goes on for itself; whoever waits is told, though only one of them kept the time.
#[test]
fn one_who_has_waited_long_enough_ends_the_wait_for_all() {
    check(None, || {
        let world = World::new(false);
        let lead = world.lead();
        let (mut patient, mut hasty) = (world.follow(), world.follow());
        let waiting = thread::spawn(move || {
            matches!(block_on(arrival(&mut patient)), Arrival::Failed(Failure::Deadline))
        });
        let hurrying = thread::spawn(move || {
            let late = |_| -> Option<Task> { Some(Box::pin(ready(()))) };
            let arrived = block_on(hasty.arrival(&mut None, late));
            matches!(arrived, Arrival::Failed(Failure::Deadline))
        });
        assert!(waiting.join().unwrap() && hurrying.join().unwrap());
        let mut reader = world.streams(lead, &Origin::new([Some("abcd"), None]));
        assert_eq!(block_on(read(&mut reader)).unwrap(), WHOLE);
        drop(reader);
        assert_eq!(world.ends(), (1, 0));
        world.rests();
    });
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Led,
    Read,
    Failed,
    Alone,
}

fn fly(
    world: &Arc<World>,
    followers: Vec<Follower<(), Page>>,
    leads: fn(&Arc<World>, Lead<(), Page>),
) -> Vec<thread::JoinHandle<Ended>> {
    let flies = |follower| {
        let world = world.clone();
        thread::spawn(move || flown(&world, follower, leads))
    };
    followers.into_iter().map(flies).collect()
}

/// Follows, or takes over where nobody leads.
fn flown(
    world: &Arc<World>,
    mut follower: Follower<(), Page>,
    leads: fn(&Arc<World>, Lead<(), Page>),
) -> Ended {
    loop {
        match block_on(arrival(&mut follower)) {
            Arrival::Vacant(_) => match follower.lead() {
                Ok(lead) => {
                    leads(world, lead);
                    return Ended::Led;
                }
                Err(others) => follower = others,
            },
            Arrival::Failed(_) => return Ended::Failed,
            Arrival::Alone => return Ended::Alone,
            landed => {
                drop(follower);
                assert_eq!(block_on(read_of(landed)), WHOLE);
                return Ended::Read;
            }
        }
    }
}

fn fails(world: &Arc<World>, lead: Lead<(), Page>) {
    world.fetched.fetch_add(1, Ordering::Relaxed);
    lead.failed(Failure::Error);
}
