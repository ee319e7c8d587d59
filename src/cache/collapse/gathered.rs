//! A body on its way, in memory of its own, which many can read while it grows.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Copied bytes: they never hold on to a connection's buffer. What nobody else has read yet grows in one
/// piece of memory; it is shared when a second reader comes to it.
#[derive(Default)]
pub(crate) struct Gathered {
    /// What was read by more than one, each with where it begins.
    shared: VecDeque<(u64, Bytes)>,
    growing: BytesMut,
    /// Where `growing` begins.
    growing_from: u64,
    /// What is no longer kept begins the body.
    kept_from: u64,
    /// How many bytes will come in all, if that is known.
    length: u64,
}

impl Gathered {
    /// `length` is how many bytes will come in all, as far as anybody knows; 0 if nobody does.
    pub(crate) fn new(length: u64) -> Self {
        Self { length, ..Self::default() }
    }

    /// How many bytes came.
    pub(crate) fn end(&self) -> u64 {
        self.growing_from + self.growing.len() as u64
    }

    /// How many are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.end() - self.kept_from
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        if self.growing.capacity() - self.growing.len() < data.len() {
            self.share();
            if data.len() >= ALONE_BYTES_MIN && self.length == 0 {
                // Wastes nothing, and saves a copy if it is all that comes.
                self.shared.push_back((self.growing_from, Bytes::copy_from_slice(data)));
                self.growing_from += data.len() as u64;
                return;
            }
            self.growing = BytesMut::with_capacity(self.next_segment(data.len()));
        }
        self.growing.extend_from_slice(data);
    }

    /// What is there from this place on, as much as lies in one piece. `None` where nothing is, yet or any
    /// more.
    pub(crate) fn read(&mut self, from: u64) -> Option<Bytes> {
        if from >= self.end() {
            return None;
        }
        if from >= self.growing_from {
            self.share();
        }
        let after = self.shared.partition_point(|(begins, _)| *begins <= from);
        let (begins, piece) = self.shared.get(after.checked_sub(1)?)?;
        let skipped = usize::try_from(from - begins).ok()?;
        (skipped < piece.len()).then(|| piece.slice(skipped..))
    }

    /// Lets go of what lies before this place.
    pub(crate) fn forget_before(&mut self, place: u64) {
        if place >= self.end() {
            self.shared.clear();
            self.growing_from = self.end();
            self.growing = BytesMut::new();
        }
        while self
            .shared
            .front()
            .is_some_and(|(begins, piece)| begins + piece.len() as u64 <= place)
        {
            self.shared.pop_front();
        }
        self.kept_from = self.shared.front().map_or(self.growing_from, |(begins, _)| *begins);
    }

    /// All of it in one piece, taken out: to share it takes memory, which most that is stored does without.
    pub(crate) fn take(&mut self) -> Bytes {
        if self.shared.is_empty() && self.growing.len() == self.growing.capacity() {
            self.share();
        }
        let end = self.end();
        let whole = match self.shared.pop_front() {
            None if self.growing.is_empty() => Bytes::new(),
            Some((_, only)) if self.shared.is_empty() && self.growing.is_empty() => only,
            first => {
                let mut whole = Vec::with_capacity(usize::try_from(self.bytes()).unwrap_or(0));
                for (_, piece) in first.iter().chain(&self.shared) {
                    whole.extend_from_slice(piece);
                }
                whole.extend_from_slice(&self.growing);
                Bytes::from(whole)
            }
        };
        self.shared.clear();
        self.growing = BytesMut::new();
        (self.growing_from, self.kept_from) = (end, end);
        whole
    }

    /// What was taken, to be read from here again.
    pub(crate) fn put_back(&mut self, whole: Bytes) {
        self.kept_from = self.end() - (whole.len() as u64).min(self.end());
        self.shared.push_back((self.kept_from, whole));
    }

    fn share(&mut self) {
        if self.growing.is_empty() {
            return;
        }
        // To split it takes memory for the sharing.
        let piece = match self.growing.len() == self.growing.capacity() {
            true => std::mem::take(&mut self.growing),
            false => self.growing.split(),
        }
        .freeze();
        let begins = self.growing_from;
        self.growing_from += piece.len() as u64;
        self.shared.push_back((begins, piece));
    }

    /// The whole where its length is known, unless that is very much; else as much as came, within bounds, so
    /// that a body of many small frames takes few segments and one of large frames wastes little.
    fn next_segment(&self, came: usize) -> usize {
        let left = usize::try_from(self.length.saturating_sub(self.end())).unwrap_or(usize::MAX);
        match left {
            0 => came.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            left => left.min(SEGMENT_BYTES_FIRST),
        }
        .max(came)
    }
}

/// Frames this long get memory of exactly their size.
const ALONE_BYTES_MIN: usize = 16 << 10;
const SEGMENT_BYTES_MIN: usize = 4 << 10;
const SEGMENT_BYTES_MAX: usize = 64 << 10;
/// A length is only what the head says: no more than this is reserved for it.
const SEGMENT_BYTES_FIRST: usize = 1 << 20;

#[cfg(test)]
#[cfg(not(keep_loom))]
mod tests {
    use super::*;

    /// Reads in steps, with other readers coming late, and compares with the whole.
    #[test]
    fn every_reader_reads_the_same() {
        for (length, frames) in [
            (0, vec![3, 5000, 1, 70_000, 20_000, 16, 0, 9]),
            (0, vec![100]),
            (6, vec![6]),
            (6, vec![2, 2, 2]),
            (100_000, vec![40_000, 60_000]),
            (5, vec![4000]),
        ] {
            let mut gathered = Gathered::new(length);
            let (mut whole, mut early, mut places) = (Vec::new(), Vec::new(), 0);
            for (at, frame) in frames.iter().enumerate() {
                let data: Vec<u8> = (0..*frame).map(|n: usize| (n + at) as u8).collect();
                gathered.push(&data);
                whole.extend_from_slice(&data);
                if at % 2 == 1 {
                    while let Some(piece) = gathered.read(places) {
                        places += piece.len() as u64;
                        early.extend_from_slice(&piece);
                    }
                }
            }
            assert_eq!(gathered.end(), whole.len() as u64);
            assert_eq!(whole.get(..early.len()), Some(&*early));
            let in_one = gathered.take();
            assert_eq!(&*in_one, &*whole);
            assert_eq!(gathered.read(0), None);
            gathered.put_back(in_one.clone());
            assert_eq!(gathered.read(0).unwrap_or_default(), in_one);
            assert_eq!(gathered.read(in_one.len() as u64), None);
            assert_eq!(gathered.end(), whole.len() as u64);
        }
    }

    #[test]
    fn what_was_forgotten_is_not_read_and_not_counted() {
        let mut gathered = Gathered::new(0);
        gathered.push(&[1; 20_000]);
        gathered.push(&[2; 20_000]);
        gathered.push(&[3; 10]);
        gathered.forget_before(20_000);
        assert_eq!(gathered.read(0), None);
        assert_eq!(gathered.bytes(), 20_010);
        assert_eq!(gathered.read(20_000).map(|piece| piece.len()), Some(20_000));
        gathered.forget_before(40_010);
        assert_eq!((gathered.bytes(), gathered.end()), (0, 40_010));
        gathered.push(&[4; 10]);
        assert_eq!(gathered.read(40_010).as_deref(), Some(&[4; 10][..]));
    }

    #[test]
    fn a_body_of_known_length_that_one_reads_is_copied_once() {
        let mut gathered = Gathered::new(6);
        gathered.push(b"abc");
        let at = gathered.growing.as_ptr();
        gathered.push(b"def");
        assert_eq!(gathered.take().as_ptr(), at);
    }
}
