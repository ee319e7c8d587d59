//! Bytes that were damaged, or made up by whoever can write to the store.

use twox_hash::XxHash3_64;

use super::*;
use crate::cache::codec::frame::{HEAD_BYTES_MAX, HEADER_BYTES};
use crate::cache::codec::wire::Writer;
use crate::cache::codec::{fields, plain};
use crate::fields::vary::Selecting;

const KEY: &[u8] = b"a key";

/// 4 KiB in all, whatever the codec adds.
fn four_kib(codec: &Codec) -> Bytes {
    let empty = page(b"").encode(&key(KEY), codec).len();
    let bytes = page(&vec![b'x'; 4096 - empty]).encode(&key(KEY), codec);
    assert_eq!(bytes.len(), 4096);
    assert!(decoded(&key(KEY), &bytes, codec).is_some());
    bytes
}

/// A plain frame with the sums that belong to it, after something in it was changed.
fn summed_anew(frame: &[u8], head_bytes: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let head_end = HEADER_BYTES + head_bytes;
    let seed = XxHash3_64::oneshot(&frame[..HEADER_BYTES]);
    let head = XxHash3_64::oneshot_with_seed(seed, &frame[HEADER_BYTES..head_end]);
    frame[head_end..head_end + 8].copy_from_slice(&head.to_le_bytes());
    let body_end = frame.len() - 8;
    let body = XxHash3_64::oneshot_with_seed(head, &frame[head_end + 8..body_end]);
    frame[body_end..].copy_from_slice(&body.to_le_bytes());
    frame
}

fn head_bytes(frame: &[u8]) -> usize {
    u32::from_le_bytes(frame[12..16].try_into().unwrap()) as usize
}

/// The entry that a head makes, written with sums that are right.
fn made_up(kind: Kind, head: &[u8], body: &[u8]) -> Option<Entry> {
    let frame = plain::seal(KEY, kind, head, body).unwrap();
    Entry::decode(&key(KEY), frame, &Codec::plain())
}

/// The head of a page, for changes.
fn page_head(entry: &Entry) -> Vec<u8> {
    let codec = Codec::plain();
    codec.open(&key(KEY), &entry.encode(&key(KEY), &codec)).unwrap().head.into_owned()
}

#[test]
fn c53_every_truncation_is_a_miss() {
    for codec in codecs() {
        let bytes = four_kib(&codec);
        for length in 0..bytes.len() {
            assert!(decoded(&key(KEY), &bytes[..length], &codec).is_none(), "{codec:?} {length}");
            assert!(decoded(&key(KEY), &bytes[bytes.len() - length..], &codec).is_none());
        }
    }
}

#[test]
fn c53_every_flipped_bit_is_a_miss() {
    for codec in codecs() {
        let mut bytes = four_kib(&codec).to_vec();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decoded(&key(KEY), &bytes, &codec).is_none(), "{codec:?} bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn c53_bytes_after_the_end_are_a_miss() {
    for codec in codecs() {
        let mut bytes = four_kib(&codec).to_vec();
        bytes.push(0);
        assert!(decoded(&key(KEY), &bytes, &codec).is_none());
        let twice = [four_kib(&codec), four_kib(&codec)].concat();
        assert!(decoded(&key(KEY), &twice, &codec).is_none());
    }
    let head = page_head(&page(b""));
    assert!(made_up(Kind::Response, &head, b"").is_some());
    assert!(made_up(Kind::Response, &[&head[..], b"\0"].concat(), b"").is_none());
}

#[test]
fn c53_another_version_magic_kind_or_key_id_is_a_miss() {
    let bytes = four_kib(&Codec::plain());
    let head = head_bytes(&bytes);
    assert!(decoded(&key(KEY), &summed_anew(&bytes, head), &Codec::plain()).is_some());
    for at in 0..12 {
        for value in (0..=255).filter(|value| *value != bytes[at]) {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            let changed = summed_anew(&changed, head);
            assert!(decoded(&key(KEY), &changed, &Codec::plain()).is_none(), "{at}: {value}");
        }
    }
}

#[test]
fn c53_lengths_that_are_not_there_are_a_miss() {
    let bytes = four_kib(&Codec::plain());
    let head = head_bytes(&bytes);
    let body = u64::from_le_bytes(bytes[16..24].try_into().unwrap());
    for length in [0, 1, body - 1, body + 1, body << 32 | body, 1 << 63, (1 << 63) - 1, u64::MAX] {
        let mut changed = bytes.to_vec();
        changed[16..24].copy_from_slice(&length.to_le_bytes());
        let changed = summed_anew(&changed, head);
        assert!(decoded(&key(KEY), &changed, &Codec::plain()).is_none(), "body of {length}");
    }
    for length in [0, 1, head as u32 + 1, HEAD_BYTES_MAX as u32 + 1, 1 << 31, u32::MAX] {
        let mut changed = bytes.to_vec();
        changed[12..16].copy_from_slice(&length.to_le_bytes());
        let changed = summed_anew(&changed, head);
        assert!(decoded(&key(KEY), &changed, &Codec::plain()).is_none(), "head of {length}");
    }
}

#[test]
fn c53_an_entry_of_another_key_is_a_miss() {
    for codec in codecs() {
        let bytes = four_kib(&codec);
        for other in [&b""[..], b"a", b"a kex", b"a key2", b"A key"] {
            assert!(decoded(&key(other), &bytes, &codec).is_none(), "{codec:?} {other:?}");
        }
    }
}

#[test]
fn c53_parts_of_two_entries_are_no_entry() {
    for codec in codecs() {
        let one = page(&[b'1'; 100]).encode(&key(KEY), &codec);
        let two = page(&[b'2'; 100]).encode(&key(KEY), &codec);
        let head_end = one.len() - 100 - codec.form().proof_bytes();
        let mixed = [&one[..head_end], &two[head_end..]].concat();
        // The heads say the same, and a body that belongs to either of them is a whole entry.
        let is_same_head = one[..head_end] == two[..head_end];
        assert_eq!(decoded(&key(KEY), &mixed, &codec).is_some(), is_same_head, "{codec:?}");

        let other = response(&map(&[("a", b"b")]), &[b'2'; 100], None).encode(&key(KEY), &codec);
        let body = other.len() - 100 - codec.form().proof_bytes();
        let mixed = [&one[..head_end], &other[body..]].concat();
        assert!(decoded(&key(KEY), &mixed, &codec).is_none(), "{codec:?}");
    }
}

#[test]
fn c53_a_status_that_is_not_final_is_a_miss() {
    let mut head = page_head(&page(b""));
    for status in [0, 1, 99, 100, 103, 199, 1000, 10_000, u16::MAX] {
        head[..2].copy_from_slice(&u16::to_le_bytes(status));
        assert!(made_up(Kind::Response, &head, b"").is_none(), "{status}");
    }
    head[..2].copy_from_slice(&u16::to_le_bytes(404));
    assert!(made_up(Kind::Response, &head, b"").is_some());
}

#[test]
fn c53_flags_that_nobody_knows_are_a_miss() {
    let mut head = page_head(&page(b""));
    for flag in 8..16 {
        head[3] = 1 << (flag - 8);
        assert!(made_up(Kind::Response, &head, b"").is_none(), "{flag}");
    }
}

#[test]
fn c53_fields_that_are_claimed_but_not_there_are_a_miss() {
    let read = |bytes: &[u8]| fields::read(&mut wire::Reader::new(bytes));
    let claim = |count: u16, name: u16, value: u32| {
        let mut out = Writer::new();
        out.u16(count);
        for _ in 0..count {
            out.u16(name);
            out.u32(value);
        }
        out.0
    };
    assert!(read(&u16::MAX.to_le_bytes()).is_none());
    assert!(read(&claim(1, u16::MAX, 0)).is_none());
    assert!(read(&claim(512, 1, u32::MAX)).is_none());
    assert!(read(&claim(1, 0, 0)).is_none(), "a field without a name");
    // More than a stored response may have, all of them there.
    let mut many = claim(513, 2, 0);
    for n in 0..513u16 {
        many.extend([b'a' + (n / 26) as u8, b'a' + (n % 26) as u8]);
    }
    assert!(read(&many).is_none());
    many[..2].copy_from_slice(&512u16.to_le_bytes());
    many.drain(2..8);
    assert_eq!(read(&many).unwrap().0.len(), 512);
}

#[test]
fn c53_an_index_leads_to_variants_of_its_own_resource_only() {
    let mut head = Writer::new();
    head.bytes(&[7; 16]);
    head.u8(0);
    head.i64(0);
    let start = head.0.len();
    let variants = |head: &mut Writer, count: u8| {
        head.0.truncate(start);
        head.u8(count);
        for n in 0..count {
            head.part(&[n]).unwrap();
            head.u8(0);
        }
    };
    for count in [0, 1, 32] {
        variants(&mut head, count);
        let entry = made_up(Kind::Index, &head.0, b"").unwrap();
        let Stored::Index(index) = entry.0 else { panic!() };
        let stem = key(KEY).variant(index.generation(), &Selecting::from_bytes(b"").unwrap());
        let is_ours = |(key, _): &(&CacheKey, _)| key.as_bytes().starts_with(stem.as_bytes());
        assert_eq!(index.variants().len(), usize::from(count));
        assert!(index.variants().iter().all(is_ours));
    }
    for count in [33, 255] {
        variants(&mut head, count);
        assert!(made_up(Kind::Index, &head.0, b"").is_none());
    }
    variants(&mut head, 1);
    assert!(made_up(Kind::Index, &head.0, b"a body").is_none());
    assert!(made_up(Kind::Root, &[7; 16], b"a body").is_none());
    assert!(made_up(Kind::Root, &[7; 15], b"").is_none());
}

#[test]
fn c34_a_field_that_could_not_have_been_received_is_a_miss() {
    let good = response(&map(&[("a", b"x-y-z")]), b"", None);
    let head = page_head(&good);
    let at = head.windows(5).position(|window| window == b"x-y-z").unwrap();
    for byte in (0..32).chain([127]).filter(|byte| *byte != b'\t') {
        let mut head = head.clone();
        head[at + 1] = byte;
        assert!(made_up(Kind::Response, &head, b"").is_none(), "{byte} in a value");
    }
    let mut split = head.clone();
    split[at..at + 5].copy_from_slice(b"x\r\ny:");
    assert!(made_up(Kind::Response, &split, b"").is_none());
    for byte in b"\r\n\0 :A\x7f\xff" {
        let mut head = head.clone();
        head[at - 1] = *byte;
        assert!(made_up(Kind::Response, &head, b"").is_none(), "{byte} in a name");
    }
    assert!(made_up(Kind::Response, &head, b"").is_some());
    let trailers = response(&map(&[]), b"", Some(map(&[("a", b"x-y-z")])));
    let mut head = page_head(&trailers);
    assert!(made_up(Kind::Response, &head, b"").is_some());
    let at = head.windows(5).position(|window| window == b"x-y-z").unwrap();
    head[at] = b'\n';
    assert!(made_up(Kind::Response, &head, b"").is_none(), "a line break in a trailer");
}
