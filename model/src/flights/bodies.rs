//! Bodies that many read while they come.

use super::*;

#[test]
fn a_leader_and_a_follower_read_a_body_whole_that_is_stored_once() {
    check(Some(4), || {
        let world = World::new(false);
        let (lead, follower) = (world.lead(), world.follow());
        let origin = Origin::new([Some("ab")]);
        let sending = sends(&origin, [Some("cd"), None]);
        let following = thread::spawn(move || reads_all(follower));
        let mut reader = world.streams(lead, &origin);
        assert_eq!(block_on(read(&mut reader)).unwrap(), WHOLE);
        drop(reader);
        following.join().unwrap();
        sending.join().unwrap();
        assert_eq!(world.ends(), (1, 0));
        world.rests();
    });
}

#[test]
fn a_follower_reads_on_where_the_leader_leaves() {
    for polls in 0..3 {
        check(Some(4), move || {
            let world = World::new(false);
            let (lead, follower) = (world.lead(), world.follow());
            let origin = Origin::new([Some("ab")]);
            let sending = sends(&origin, [Some("cd"), None]);
            let following = thread::spawn(move || reads_all(follower));
            leave_after(polls, world.streams(lead, &origin));
            following.join().unwrap();
            sending.join().unwrap();
            assert_eq!(world.ends(), (1, 0));
            world.rests();
        });
    }
}

#[test]
fn when_all_leave_a_body_goes_on_in_the_background_or_is_given_up_once() {
    for (goes_on, polls) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        check(Some(4), move || {
            let world = World::new(goes_on);
            let (lead, mut follower) = (world.lead(), world.follow());
            let origin = Origin::new([Some("ab")]);
            let sending = sends(&origin, [Some("cd"), None]);
            let following = thread::spawn(move || match block_on(arrival(&mut follower)) {
                Arrival::Landed(_, reader) => {
                    drop(follower);
                    leave_after(polls, reader);
                }
                _ => panic!("nothing to read"),
            });
            leave_after(1, world.streams(lead, &origin));
            following.join().unwrap();
            sending.join().unwrap();
            world.rests();
            let (completed, abandoned) = world.ends();
            assert_eq!(completed + abandoned, 1);
            assert!(completed == 1 || !goes_on);
        });
    }
}

#[test]
fn a_follower_that_leaves_before_it_reads_leaves_nothing_behind() {
    for goes_on in [false, true] {
        check(None, move || {
            let world = World::new(goes_on);
            let (lead, mut follower) = (world.lead(), world.follow());
            let following = thread::spawn(move || {
                let mut arriving = Box::pin(arrival(&mut follower));
                let _ = arriving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            });
            let origin = Origin::new([Some("ab"), Some("cd"), None]);
            leave_after(1, world.streams(lead, &origin));
            following.join().unwrap();
            world.rests();
            let (completed, abandoned) = world.ends();
            assert_eq!(completed + abandoned, 1);
        });
    }
}

/// Servers do not ask for the end of a body whose length they know.
#[test]
fn a_body_of_known_length_is_stored_once_when_its_readers_leave_at_its_length() {
    for polls in 0..2 {
        check(Some(4), move || {
            let world = World::new(false);
            let (lead, mut follower) = (world.lead(), world.follow());
            let origin = Origin::new([Some("abcd")]);
            let sending = sends(&origin, [None]);
            let following = thread::spawn(move || match block_on(arrival(&mut follower)) {
                Arrival::Landed(_, reader) => {
                    drop(follower);
                    leave_after(1, reader);
                }
                _ => panic!("nothing to read"),
            });
            leave_after(polls, world.streams_within(lead, &origin, (Some(4), 1 << 10)));
            following.join().unwrap();
            sending.join().unwrap();
            assert_eq!(world.ends(), (1, 0));
            world.rests();
        });
    }
}

/// It wakes while it is polled, once for nothing, and whenever else it likes.
#[test]
fn a_body_that_wakes_while_it_is_polled_keeps_nobody_waiting() {
    check(Some(3), || {
        let world = World::new(false);
        let (lead, follower) = (world.lead(), world.follow());
        let origin = Origin::new([Some("ab")]).restless(1);
        let waking = origin.clone();
        let sending = thread::spawn(move || {
            waking.send([]);
            waking.send([Some("cd"), None]);
        });
        let following = thread::spawn(move || reads_all(follower));
        let mut reader = world.streams(lead, &origin);
        assert_eq!(block_on(read(&mut reader)).unwrap(), WHOLE);
        drop(reader);
        following.join().unwrap();
        sending.join().unwrap();
        assert_eq!(world.ends(), (1, 0));
        world.rests();
    });
}

/// Who is told that it is to come again leaves instead.
#[test]
fn a_body_that_wakes_while_one_polls_it_who_leaves_keeps_nobody_waiting() {
    check(None, || {
        let world = World::new(false);
        let (lead, follower) = (world.lead(), world.follow());
        let origin = Origin::new([Some("abcd"), None]).restless(1);
        let following = thread::spawn(move || reads_all(follower));
        leave_after(1, world.streams(lead, &origin));
        following.join().unwrap();
        assert_eq!(world.ends(), (1, 0));
        world.rests();
    });
}

#[test]
fn a_response_that_is_whole_at_once_reaches_who_waits() {
    check(None, || {
        let world = World::new(false);
        let (lead, follower) = (world.lead(), world.follow());
        let following = thread::spawn(move || reads_all(follower));
        let flight = lead.flight().clone();
        lead.landed(Page(Some(Bytes::from_static(WHOLE))));
        world.table.remove(&(), &flight, true);
        following.join().unwrap();
        world.rests();
    });
}

fn sends<const N: usize>(
    origin: &Origin,
    frames: [Option<&'static str>; N],
) -> thread::JoinHandle<()> {
    let origin = origin.clone();
    thread::spawn(move || origin.send(frames))
}

fn reads_all(mut follower: Follower<(), Page>) {
    block_on(async {
        let arrived = arrival(&mut follower).await;
        drop(follower);
        assert_eq!(read_of(arrived).await, WHOLE);
    });
}
