//! Bodies that are more than is kept: their readers may not be far apart.

use super::*;

#[test]
fn a_fast_reader_goes_on_when_a_slow_one_has_read() {
    check(Some(4), || {
        let (world, fast, slow) = two_readers([Some("ab"), Some("cd"), Some("ef"), None]);
        let reading = thread::spawn(move || reads(fast));
        reads(slow);
        reading.join().unwrap();
        assert_eq!(world.ends(), (0, 1));
        world.rests();
    });
}

#[test]
fn a_fast_reader_goes_on_when_a_slow_one_leaves() {
    for polls in 0..3 {
        check(None, move || {
            let (world, fast, slow) = two_readers([Some("ab"), Some("cd"), Some("ef"), None]);
            let reading = thread::spawn(move || reads(fast));
            leave_after(polls, slow);
            reading.join().unwrap();
            assert_eq!(world.ends(), (0, 1));
            world.rests();
        });
    }
}

/// One of the two that wait keeps the time, and cuts off the third for both.
#[test]
fn fast_readers_go_on_when_one_has_cut_off_a_slow_one() {
    check(Some(4), || {
        let (world, mut one, mut slow) = two_readers([Some("ab"), Some("cd"), Some("ef"), None]);
        let mut other = seated(&world);
        for fast in [&mut one, &mut other] {
            assert!(matches!(block_on(poll_fn(|cx| fast.poll_frame(cx))), Some(Ok(_))));
        }
        *world.keeper.naps.lock().unwrap() = 1;
        // No time passes here, so one that was about to read may be cut off with the slow one; not both.
        let is_done = |read: Result<Vec<u8>, ReadError>| match read {
            Ok(all) => all == b"cdef",
            Err(error) => !matches!(error, ReadError::Stalled),
        };
        let reading = thread::spawn(move || is_done(block_on(read(&mut one))));
        let is_other_done = is_done(block_on(read(&mut other)));
        assert!(reading.join().unwrap() || is_other_done);
        assert!(matches!(block_on(read(&mut slow)), Err(ReadError::Stalled)));
        drop((other, slow));
        assert_eq!(world.ends(), (0, 1));
        world.rests();
    });
}

/// Its memory is needed elsewhere, whoever reads or asks for more just then.
#[test]
fn a_body_that_makes_room_is_still_read_whole() {
    check(Some(3), || {
        let world = World::new(false);
        let lead = world.lead();
        let mut leader = world.streams(lead, &Origin::new([Some("ab"), Some("cd"), None]));
        let mut follower = seated(&world);
        assert!(matches!(block_on(poll_fn(|cx| leader.poll_frame(cx))), Some(Ok(_))));
        let noted = world.keeper.noted.lock().unwrap().pop().unwrap();
        let yielding = thread::spawn(move || {
            if let Some(body) = noted.upgrade() {
                body.yield_room(Ticks::default());
            }
        });
        let reading = thread::spawn(move || {
            assert_eq!(block_on(read(&mut follower)).unwrap(), WHOLE);
        });
        assert_eq!(block_on(read(&mut leader)).unwrap(), b"cd");
        yielding.join().unwrap();
        reading.join().unwrap();
        drop(leader);
        let (completed, abandoned) = world.ends();
        assert_eq!(completed + abandoned, 1);
        world.rests();
    });
}

fn two_readers<const N: usize>(
    frames: [Option<&'static str>; N],
) -> (Arc<World>, Reader<Page>, Reader<Page>) {
    let world = World::new(false);
    let lead = world.lead();
    let leader = world.streams_within(lead, &Origin::new(frames), (None, 2));
    let follower = seated(&world);
    (world, leader, follower)
}

/// Another reader, at the beginning.
fn seated(world: &World) -> Reader<Page> {
    let mut follower = world.follow();
    match block_on(arrival(&mut follower)) {
        Arrival::Landed(_, reader) => reader,
        _ => panic!("nothing to read"),
    }
}

fn reads(mut reader: Reader<Page>) {
    assert_eq!(block_on(read(&mut reader)).unwrap(), b"abcdef");
}
