//! Who finds nothing in the store and comes when the flight that fetched it is just over.

use super::*;

#[test]
fn who_comes_at_the_end_of_a_flight_never_fetches_a_second_time() {
    for (newcomers, preemptions) in [(1, 5), (2, 3)] {
        check(Some(preemptions), move || assert_eq!(fetches(newcomers, true), 1, "fetched twice"));
    }
}

/// The model sees the race: who does not look again may fetch what is there.
#[test]
#[should_panic(expected = "fetched twice")]
fn without_looking_again_it_may() {
    check(None, || assert_eq!(fetches(1, false), 1, "fetched twice"));
}

fn fetches(newcomers: usize, looks_again: bool) -> u64 {
    let world = World::new(false);
    let lead = world.lead();
    let coming: Vec<_> = (0..newcomers)
        .map(|_| {
            let world = world.clone();
            thread::spawn(move || comes(&world, looks_again))
        })
        .collect();
    fetch(&world, lead);
    coming.into_iter().for_each(|came| came.join().unwrap());
    world.rests();
    world.fetched()
}

fn comes(world: &Arc<World>, looks_again: bool) {
    let landings = world.table.landings();
    if world.store.lock().unwrap().is_some() {
        return;
    }
    match world.join() {
        Joined::Follow(mut follower) => block_on(async {
            let arrived = match arrival(&mut follower).await {
                // It follows one that looked again, and found it.
                Arrival::Vacant(None) => return assert!(world.store.lock().unwrap().is_some()),
                arrived => arrived,
            };
            drop(follower);
            assert_eq!(read_of(arrived).await, WHOLE);
        }),
        Joined::Lead(lead) => {
            if looks_again && world.table.landings() != landings {
                assert!(world.store.lock().unwrap().is_some());
            } else {
                fetch(world, lead);
            }
        }
        _ => panic!("neither leads nor follows"),
    }
}

fn fetch(world: &Arc<World>, lead: Lead<(), Page>) {
    let mut reader = world.streams(lead, &Origin::new([Some("abcd"), None]));
    assert_eq!(block_on(read(&mut reader)).unwrap(), WHOLE);
}
