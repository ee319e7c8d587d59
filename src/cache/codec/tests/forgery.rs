//! An attacker who can write to the store, and keys that change.

use super::*;

const KEY: &[u8] = b"a key";

/// The first one writes; the secret of an id follows from it.
pub(super) fn keys(ids: &[u32]) -> Keys {
    let (first, older) = ids.split_first().unwrap();
    let keys = Keys::new(*first, &secret(*first)).unwrap();
    older.iter().fold(keys, |keys, id| keys.older(*id, &secret(*id)).unwrap())
}

fn secret(id: u32) -> [u8; 32] {
    std::array::from_fn(|n| (n as u8).wrapping_mul(7) ^ id as u8)
}

fn both(ids: &[u32]) -> [Codec; 2] {
    [Codec::authenticated(keys(ids)), Codec::encrypted(keys(ids))]
}

#[test]
fn c54_what_was_made_without_the_key_is_a_miss() {
    let key = key(KEY);
    let other = Keys::new(1, &secret(2)).unwrap();
    let strangers = [
        Codec::plain(),
        Codec::authenticated(Keys::new(1, &secret(2)).unwrap()),
        Codec::encrypted(other),
    ];
    for codec in both(&[1]) {
        for stranger in &strangers {
            let mut bytes = page(b"forged").encode(&key, stranger).to_vec();
            assert!(decoded(&key, &bytes, &codec).is_none(), "{stranger:?} for {codec:?}");
            // With the form and the id that the reader expects.
            bytes[5] = codec.form() as u8;
            bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
            assert!(decoded(&key, &bytes, &codec).is_none(), "{stranger:?} for {codec:?}");
        }
    }
}

#[test]
fn c54_a_form_reads_no_other_form_of_the_same_keys() {
    let key = key(KEY);
    let all = codecs();
    for (n, writer) in all.iter().enumerate() {
        for (m, reader) in all.iter().enumerate() {
            let mut bytes = page(b"x").encode(&key, writer).to_vec();
            assert_eq!(decoded(&key, &bytes, reader).is_some(), n == m);
            bytes[5] = reader.form() as u8;
            assert_eq!(decoded(&key, &bytes, reader).is_some(), n == m);
        }
    }
}

#[test]
fn c54_an_entry_moved_to_another_key_is_a_miss() {
    for codec in both(&[1]) {
        let bytes = page(b"x").encode(&key(KEY), &codec);
        assert!(decoded(&key(KEY), &bytes, &codec).is_some());
        assert!(decoded(&key(b"another"), &bytes, &codec).is_none());
        // A key that continues into the head.
        assert!(decoded(&key(&KEY[..4]), &bytes, &codec).is_none());
    }
}

#[test]
fn c54_keys_rotate() {
    let key = key(KEY);
    for form in 0..2 {
        let codec = |ids: &[u32]| both(ids)[form].clone();
        let old = page(b"x").encode(&key, &codec(&[1]));
        let new = page(b"x").encode(&key, &codec(&[2, 1]));
        // Made known to all first, then it writes, then the old one goes.
        for (ids, reads_old, reads_new) in [
            (&[1][..], true, false),
            (&[1, 2], true, true),
            (&[2, 1], true, true),
            (&[2], false, true),
            (&[3], false, false),
        ] {
            assert_eq!(decoded(&key, &old, &codec(ids)).is_some(), reads_old, "{ids:?}");
            assert_eq!(decoded(&key, &new, &codec(ids)).is_some(), reads_new, "{ids:?}");
        }
    }
}

#[test]
fn c54_a_key_reads_nothing_under_the_id_of_another() {
    let key = key(KEY);
    for codec in both(&[1, 2]) {
        let mut bytes = page(b"x").encode(&key, &codec).to_vec();
        bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
        assert!(decoded(&key, &bytes, &codec).is_none());
    }
}

#[test]
fn encrypted_bytes_show_neither_fields_nor_body_and_never_come_twice() {
    let (key, codec) = (key(b"https://shop.example/secret"), Codec::encrypted(keys(&[1])));
    let body = b"the quick brown fox jumps over the lazy dog";
    let one = page(body).encode(&key, &codec);
    let shown = |part: &[u8]| one.windows(part.len()).any(|window| window == part);
    assert!(!shown(b"lazy") && !shown(b"charset") && !shown(b"shop.example"));
    let two = page(body).encode(&key, &codec);
    let same = one.iter().zip(&two).filter(|(one, two)| one == two).count();
    assert!(same < one.len() / 10, "{same} of {} bytes", one.len());
}

#[test]
fn keys_that_cannot_be_right_are_refused() {
    let kind = |keys: Result<Keys, KeysError>| keys.unwrap_err().kind();
    assert_eq!(kind(Keys::new(1, &[0; 32])), KeysErrorKind::Weak);
    assert_eq!(kind(keys(&[1]).older(2, &[0xff; 32])), KeysErrorKind::Weak);
    assert_eq!(kind(keys(&[1, 2]).older(1, &secret(3))), KeysErrorKind::Repeated);
    let eight = keys(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(kind(eight.older(9, &secret(9))), KeysErrorKind::TooMany);
}

#[test]
fn nothing_shows_a_key() {
    let [authenticated, encrypted] = both(&[1]);
    assert_eq!(format!("{authenticated:?} {encrypted:?}"), "Codec(authenticated) Codec(encrypted)");
    assert_eq!(format!("{:?}", keys(&[1])), "Keys(..)");
}
