//! What goes in comes out.

use proptest::prelude::*;

use super::*;
use crate::cache::index::Index;
use crate::cache::key::Generation;
use crate::fields::vary::Selecting;
use crate::time::DeltaSeconds;

/// Every field is named, so that a new one cannot be forgotten.
fn assert_same(one: &StoredResponse, two: &StoredResponse) {
    fn told_lines<'a>(
        lines: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    ) -> Vec<(HeaderName, Vec<u8>, bool)> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.clone(), value.as_bytes().to_vec(), value.is_sensitive())
        };
        lines.map(line).collect()
    }
    let told = |response: &StoredResponse| {
        let EntryMeta {
            // What this process calls it.
            id: _,
            status,
            lines,
            lifetime,
            initial_age,
            requested: _,
            received,
            began,
            checked: _,
            tags,
            date,
            has_etag,
            last_modified,
            vary,
            staleness,
            immutable,
            is_explicit,
            is_hinted,
            is_local: _,
            // What this process told its clients.
            residence_seen: _,
        } = &response.meta;
        (
            (*status, told_lines(lines.iter()), *lifetime, *initial_age, received.wall, *date),
            (*has_etag, *began, tags.clone()),
            (*last_modified, vary.clone(), *staleness, *immutable, *is_explicit, *is_hinted),
            (response.body.clone(), response.trailers.as_deref().map(|map| told_lines(map.iter()))),
        )
    };
    assert_eq!(told(one), told(two));
}

prop_compose! {
    fn fields()(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec!["a", "x-b", "etag", "vary", "content-type", "set-cookie"]),
                prop::collection::vec(
                    any::<u8>().prop_filter("a byte of a value", |byte| {
                        *byte == b'\t' || (*byte >= 32 && *byte != 127)
                    }),
                    0..40,
                ),
                any::<bool>(),
            ),
            0..12,
        ),
    ) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value, is_sensitive) in lines {
            let mut value = HeaderValue::from_bytes(&value).unwrap();
            value.set_sensitive(is_sensitive);
            map.append(HeaderName::from_static(name), value);
        }
        map
    }
}

prop_compose! {
    fn responses()(
        headers in fields(),
        status in (200u16..=999).prop_map(|code| StatusCode::from_u16(code).unwrap()),
        lengths in any::<[u64; 4]>(),
        ticks in any::<(u64, u32)>(),
        at in any::<(i32, i64, Option<i64>)>(),
        position in any::<(u64, u64)>(),
        tags in prop::collection::vec(any::<[u8; 16]>(), 0..5),
        vary in prop::collection::btree_set("[a-z-]{1,9}", 0..6),
        flags in any::<[bool; 5]>(),
        body in prop::collection::vec(any::<u8>(), 0..300),
        trailers in prop::option::of(fields()),
    ) -> Entry {
        let [lifetime, initial_age] = [lengths[0], lengths[1]].map(Duration::from_nanos);
        let [while_revalidate, if_error] = [lengths[2], lengths[3]].map(DeltaSeconds::new);
        let [no_cache, forbidden, immutable, is_explicit, is_hinted] = flags;
        let names = vary.iter().map(|name| HeaderName::from_bytes(name.as_bytes()).unwrap());
        let received = Moment {
            wall: Timestamp::from_millis(i64::from(at.0)),
            ticks: Ticks::from_nanos(ticks.0),
        };
        let staleness = Staleness { no_cache, forbidden, while_revalidate, if_error };
        let meta = EntryMeta {
            status,
            lifetime,
            initial_age,
            requested: Moment {
                wall: Timestamp::from_millis(i64::from(at.0).saturating_sub(i64::from(ticks.1))),
                ticks: Ticks::from_nanos(ticks.0.saturating_sub(u64::from(ticks.1))),
            },
            received,
            began: Position { ledger: position.0, mark: Mark::new(position.1) },
            tags: tags.into_iter().map(Target::from_bytes).collect(),
            date: Timestamp::from_millis(at.1),
            last_modified: at.2.map(Timestamp::from_millis),
            vary: VaryList::from_names(names.collect()).unwrap(),
            staleness,
            immutable,
            is_explicit,
            is_hinted,
            ..meta(&headers)
        };
        whole(meta, &body, trailers)
    }
}

proptest! {
    #[test]
    fn a_response_survives_every_codec(entry in responses(), key_bytes: Vec<u8>) {
        let key = key(&key_bytes);
        for codec in codecs() {
            let bytes = entry.encode(&key, &codec);
            let decoded = Entry::decode(&key, bytes.clone(), &codec).unwrap();
            assert_same(stored(&entry), stored(&decoded));
            if codec.form() != Form::Encrypted {
                prop_assert_eq!(decoded.encode(&key, &codec), bytes, "{:?}", codec);
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_what_decodes_encodes_to_the_same(
        head in prop::collection::vec(any::<u8>(), 0..300),
        kind in prop::sample::select(vec![Kind::Response, Kind::Index, Kind::Root]),
        bytes: Vec<u8>,
    ) {
        let (key, codec) = (key(b"k"), Codec::plain());
        let frame = codec.seal(&key, kind, &head, b"").unwrap();
        if let Some(entry) = Entry::decode(&key, frame.clone(), &codec) {
            prop_assert_eq!(entry.encode(&key, &codec), frame);
        }
        for codec in codecs() {
            prop_assert!(decoded(&key, &bytes, &codec).is_none());
        }
    }

    #[test]
    fn an_index_survives_with_its_variants_in_the_order_of_their_use(
        generation: [u8; 16],
        until: i32,
        values in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..50),
            (any::<u32>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..20))),
            0..32,
        ),
    ) {
        let (key, generation) = (key(b"resource"), Generation(generation));
        let vary = VaryList::from_names(vec![http::header::ACCEPT]).unwrap();
        let until = Timestamp::from_millis(i64::from(until));
        let selecting = |bytes: &[u8]| Selecting::from_bytes(bytes).unwrap();
        let index = values.iter().fold(Index::new(generation, vary), |index, (values, (used, alias))| {
            let variant = key.variant(generation, &selecting(values));
            let alias = alias.as_deref().map(selecting);
            index.with(variant, alias, until, Ticks::from_nanos(u64::from(*used))).0
        });
        let entry = Entry(Stored::Index(Arc::new(index)));
        for codec in codecs() {
            let decoded = Entry::decode(&key, entry.encode(&key, &codec), &codec).unwrap();
            let (Stored::Index(one), Stored::Index(two)) = (&entry.0, &decoded.0) else {
                panic!("{decoded:?}");
            };
            prop_assert_eq!(one.variants(), two.variants());
            prop_assert_eq!(one.vary(), two.vary());
            prop_assert_eq!((one.generation(), one.until()), (two.generation(), two.until()));
        }
    }
}

#[test]
fn a_root_survives() {
    let entry = Entry(Stored::Root(Arc::new(Generation([7; 16]))));
    for codec in codecs() {
        let decoded = Entry::decode(&key(b"k"), entry.encode(&key(b"k"), &codec), &codec).unwrap();
        assert!(matches!(decoded.0, Stored::Root(generation) if generation.0 == [7; 16]));
    }
}

#[test]
fn a_decoded_entry_holds_none_of_the_bytes_that_it_came_in() {
    let key = key(b"k");
    for codec in codecs() {
        let bytes = page(&[b'x'; 4096]).encode(&key, &codec);
        let entry = Entry::decode(&key, bytes.clone(), &codec).unwrap();
        let input = bytes.as_ptr_range();
        let response = stored(&entry);
        let values = response.meta.lines.iter().map(|(_, value)| value.as_bytes());
        for part in values.chain([&response.body[..]]) {
            assert!(!input.contains(&part.as_ptr()));
        }
        assert!(bytes.is_unique(), "nobody else holds the input");
    }
}

#[test]
fn an_entry_that_bytes_cannot_say_becomes_none() {
    let too_many: HeaderMap = (0..513)
        .map(|n| {
            (HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap(), HeaderValue::from(n))
        })
        .collect();
    let too_long = map(&[("a", &vec![b'a'; 2 << 20])]);
    let mut other_tag = meta(&map(&[("etag", b"\"a\"")]));
    other_tag.lines = Lines::copied_from(&map(&[("etag", b"b")]));
    let mut tags = meta(&map(&[]));
    tags.tags = vec![Target::from_bytes([0; 16]); 129].into();
    for entry in [
        response(&too_many, b"", None),
        response(&too_long, b"", None),
        whole(other_tag, b"", None),
        whole(tags, b"", None),
    ] {
        for codec in codecs() {
            assert!(entry.encode(&key(b"k"), &codec).is_empty());
        }
    }
    assert!(decoded(&key(b"k"), b"", &Codec::plain()).is_none());
}

/// The table at `Codec` tells these.
#[test]
fn a_frame_takes_a_few_bytes_beside_key_head_and_body() {
    let (key, body) = (key(&[b'k'; 80]), [b'x'; 100]);
    let entry = page(&body);
    for codec in codecs() {
        let bytes = entry.encode(&key, &codec).len();
        let head = Codec::open(&codec, &key, &entry.encode(&key, &codec)).unwrap().head.len();
        let expected = match codec.form() {
            Form::Plain => 44 + 80,
            Form::Authenticated => 56,
            Form::Encrypted => 68,
        };
        assert_eq!(bytes - head - body.len(), expected);
        println!("{codec:?}: {bytes} bytes, of which the head has {head}");
    }
}
