use super::*;

fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn vary_list(value: &str) -> VaryList {
    match Vary::read(&map(&[("vary", value)])) {
        Vary::Names(list) => list,
        other => panic!("{other:?}"),
    }
}

fn values(languages: LanguageMatching, vary: &str, request: &[(&'static str, &str)]) -> Selecting {
    Selector { secret: &Secret::new([7; 16]), languages, unknown: UnknownFields::Lists }
        .values(&vary_list(vary), &map(request))
}

fn listed(vary: &str, request: &[(&'static str, &str)]) -> Selecting {
    values(LanguageMatching::Listed, vary, request)
}

#[test]
fn names_are_sorted_and_without_case_or_repeats() {
    assert_eq!(vary_list("Foo, bar ,FOO,, "), vary_list("bar, foo"));
    assert!(vary_list(" , ").is_empty());
}

#[test]
fn a_star_anywhere_or_a_name_that_is_none_matches_nothing() {
    for value in ["*", ", *", "a, *", "*, a", "a b", "\"a\""] {
        assert_eq!(Vary::read(&map(&[("vary", value)])), Vary::Any, "{value}");
    }
}

#[test]
fn too_many_names_are_too_wide() {
    let names: Vec<_> = (0..200).map(|n| format!("f{n}")).collect();
    assert_eq!(Vary::read(&map(&[("vary", &names.join(","))])), Vary::TooWide);
}

#[test]
fn lines_combine_and_white_space_beside_commas_does_not_count() {
    let one = listed("foo", &[("foo", "1, 2")]);
    assert_eq!(one, listed("foo", &[("foo", "1"), ("foo", "2")]));
    assert_eq!(one, listed("foo", &[("foo", " 1 ,2 ")]));
    assert_ne!(one, listed("foo", &[("foo", "1 2")]));
    assert_ne!(one, listed("foo", &[("foo", "2, 1")]));
    assert_ne!(listed("foo", &[("foo", "\"1 , 2\"")]), listed("foo", &[("foo", "\"1,2\"")]));
    assert_ne!(listed("foo", &[("foo", "\"1 , 2")]), listed("foo", &[("foo", "\"1,2")]));
}

#[test]
fn a_missing_field_is_no_empty_field_and_values_do_not_run_together() {
    assert_ne!(listed("foo", &[]), listed("foo", &[("foo", "")]));
    assert_ne!(
        listed("a, b", &[("a", "xy"), ("b", "z")]),
        listed("a, b", &[("a", "x"), ("b", "yz")])
    );
}

#[test]
fn credentials_are_digested() {
    let bytes = listed(
        "authorization, cookie",
        &[("authorization", "Bearer secret"), ("cookie", "secret=1")],
    );
    assert!(!bytes.as_bytes().windows(6).any(|window| window == b"secret"));
    assert_ne!(
        bytes,
        listed(
            "authorization, cookie",
            &[("authorization", "Bearer other"), ("cookie", "secret=1")]
        )
    );
}

#[test]
fn languages_compare_without_case_and_in_order_unless_told_otherwise() {
    let (listed, unordered) = (LanguageMatching::Listed, LanguageMatching::Unordered);
    let request = |value: &'static str| [("accept-language", value)];
    let of = |how, value| values(how, "accept-language", &request(value));
    assert_eq!(of(listed, "en, de"), of(listed, "eN,De"));
    assert_ne!(of(listed, "en, de"), of(listed, "de, en"));
    assert_eq!(of(unordered, "en, de"), of(unordered, "de, en"));
    assert_ne!(of(unordered, "en, de;q=0.5"), of(unordered, "de, en;q=0.5"));
    assert_ne!(of(unordered, "en, de"), of(listed, "en, de"));
    assert_ne!(of(unordered, "en;q=x"), of(unordered, "en"));
}

#[test]
fn a_response_is_known_by_its_content_language_only_where_the_policy_says_so() {
    let secret = Secret::new([7; 16]);
    let list = vary_list("accept-language");
    let (german, both) =
        (map(&[("content-language", "DE")]), map(&[("content-language", "de, en")]));
    let first = map(&[("accept-language", "en, de")]);
    let wants = |value: &str| map(&[("accept-language", value)]);
    let by_content = Selector {
        secret: &secret,
        languages: LanguageMatching::ContentLanguage,
        unknown: UnknownFields::Exact,
    };
    let stored = by_content.stored_alias(&list, &first, &german);
    assert!(stored.is_some());
    assert_eq!(stored, by_content.wanted_alias(&list, &wants("fr;q=0.5, de;q=1.0")));
    assert_ne!(stored, by_content.wanted_alias(&list, &wants("fr, de;q=0.5")));
    assert_eq!(by_content.wanted_alias(&list, &wants("fr, de")), None);
    assert_eq!(by_content.stored_alias(&list, &first, &both), None);
    let unordered = Selector {
        secret: &secret,
        languages: LanguageMatching::Unordered,
        unknown: UnknownFields::Exact,
    };
    assert_eq!(unordered.stored_alias(&list, &first, &german), None);
}

#[test]
fn too_many_bytes_of_values_are_kept_as_a_digest() {
    let of = |last: &str| listed("foo", &[("foo", &("x".repeat(5000) + last))]);
    assert!(of("a").as_bytes().len() < 64);
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
    let short = listed("foo", &[("foo", "x")]);
    assert!(short.as_bytes().ends_with(b"x"), "kept as it is");
}

#[test]
fn unknown_fields_count_line_by_line_unless_told_otherwise() {
    let of = |unknown, request: &[(&'static str, &str)]| {
        let languages = LanguageMatching::Listed;
        let selector = Selector { secret: &Secret::new([7; 16]), languages, unknown };
        selector.values(&vary_list("foo, accept"), &map(request))
    };
    let exact = |request: &[(&'static str, &str)]| of(UnknownFields::Exact, request);
    assert_ne!(exact(&[("foo", "a, b")]), exact(&[("foo", "a,b")]));
    assert_ne!(exact(&[("foo", "a,b")]), exact(&[("foo", "a"), ("foo", "b")]));
    assert_ne!(exact(&[("foo", "a")]), of(UnknownFields::Lists, &[("foo", "a")]));
    assert_eq!(exact(&[("accept", "a, b")]), exact(&[("accept", "a"), ("accept", "b")]));
}

#[test]
fn a_language_that_is_not_acceptable_is_not_wanted() {
    let secret = Secret::new([7; 16]);
    let languages = LanguageMatching::ContentLanguage;
    let selector = Selector { secret: &secret, languages, unknown: UnknownFields::Exact };
    let request = map(&[("accept-language", "en;q=0")]);
    assert_eq!(selector.wanted_alias(&vary_list("accept-language"), &request), None);
}
