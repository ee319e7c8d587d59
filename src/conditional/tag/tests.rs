use super::*;

#[test]
fn a_tag_holds_what_the_grammar_allows() {
    for good in ["", "a", "!#$%&'()*+,-./", "W/", "\u{e9}"] {
        let (strong, weak) = (EntityTag::strong(good).unwrap(), EntityTag::weak(good).unwrap());
        assert!(!strong.is_weak() && weak.is_weak());
        assert_eq!(strong.to_weak(), weak);
        assert_eq!(weak.to_weak(), weak);
    }
    for bad in ["a\"", " ", "\t", "a\nb", "\0", "\u{7f}"] {
        let error = EntityTag::strong(bad).unwrap_err();
        assert_eq!(error.kind(), EntityTagErrorKind::Character, "{bad:?}");
    }
    let longest = "a".repeat(EntityTag::BYTES_MAX);
    assert!(EntityTag::weak(&longest).is_ok());
    let error = EntityTag::weak(longest + "a").unwrap_err();
    assert_eq!(error.kind(), EntityTagErrorKind::TooLong);
}

/// BLAKE3's published digest of nothing, its first 20 bytes.
#[test]
fn a_digest_is_the_same_everywhere() {
    let tag = EntityTag::digest_of([""; 0]);
    assert_eq!(tag.to_value(), "\"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9\"");
}

#[test]
fn versions_are_numbers_in_full() {
    for version in [0_u64, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
        let tag = EntityTag::from(version);
        assert_eq!(tag.to_value(), format!("\"{version}\"").as_str());
        assert_eq!(tag, EntityTag::strong(version.to_string()).unwrap());
    }
    for version in [i64::MIN, -10, -1, 0, 1, i64::MAX] {
        assert_eq!(EntityTag::from(version), EntityTag::strong(version.to_string()).unwrap());
    }
    assert_eq!(EntityTag::from(u32::MAX), EntityTag::from(u64::from(u32::MAX)));
}

#[test]
fn short_and_long_tags_are_written_alike() {
    for length in [0, 1, 39, 40, 41, 44, 45, EntityTag::BYTES_MAX] {
        let text = "t".repeat(length);
        let (strong, weak) = (EntityTag::strong(&text).unwrap(), EntityTag::weak(&text).unwrap());
        assert_eq!(strong.to_value(), format!("\"{text}\"").as_str());
        assert_eq!(weak.to_value(), format!("W/\"{text}\"").as_str());
        assert!(strong.read().weak_eq(&weak.read()) && !strong.read().strong_eq(&weak.read()));
    }
}

#[test]
fn the_fields_of_content_count() {
    let of = |status: u16, fields: &[(&'static str, &'static str)], content: &str| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        EntityTag::of_content(StatusCode::from_u16(status).unwrap(), &headers, content.as_bytes())
    };
    let (kind, coding, language) = ("content-type", "content-encoding", "content-language");
    let tags = [
        of(200, &[], "b"),
        of(200, &[], "c"),
        of(202, &[], "b"),
        of(200, &[(kind, "a")], "b"),
        of(200, &[(coding, "a")], "b"),
        of(200, &[(language, "a")], "b"),
        of(200, &[(language, "a"), (language, "b")], "b"),
        of(200, &[(kind, "a"), (coding, "b")], "b"),
        of(200, &[(kind, "ab")], "b"),
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(tags.iter().skip(at + 1).all(|other| other != tag), "{at}");
    }
    assert_eq!(of(200, &[(kind, "x")], "y"), of(200, &[(kind, "x"), ("x-own", "1")], "y"));
}

#[test]
fn where_parts_end_counts() {
    assert_ne!(EntityTag::digest_of(["ab", "c"]), EntityTag::digest_of(["a", "bc"]));
    assert_ne!(EntityTag::digest_of(["", "a"]), EntityTag::digest_of(["a", ""]));
}
