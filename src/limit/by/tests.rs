use http::Request;

use super::*;

const SECRET: [u8; 16] = [7; 16];

fn field(value: &[u8]) -> Request<()> {
    Request::get("/").header("x-api-key", value).body(()).unwrap()
}

fn by_field() -> LimitBy {
    LimitBy::header(HeaderName::from_static("x-api-key"))
}

fn key(by: &LimitBy, request: &Request<()>) -> Result<LimitKey, Keyless> {
    by.key(request.into(), &SECRET)
}

#[test]
fn parts_of_different_kinds_never_look_alike() {
    let value = [b'a'; 16];
    let mut request = field(&value);
    let address = IpAddr::from(value);
    request.extensions_mut().insert(address);
    request.extensions_mut().insert(Principal::new("x-api-key", "aaaaaaaaaaaaaaaa"));
    let with = |parts: &'static [&'static [u8]]| {
        LimitBy::with(move |_, to| {
            parts.iter().for_each(|part| to.part(part));
            Some(())
        })
    };
    let whole = ClientAddress::of_peer(|peer: &IpAddr| *peer).ipv6_prefix(128);
    let peer = || LimitBy::client(whole.clone());
    let all = [
        LimitBy::everyone(),
        peer(),
        by_field(),
        LimitBy::principal(),
        with(&[]),
        with(&[b""]),
        with(&[b"aaaaaaaaaaaaaaaa"]),
        with(&[b"x-api-key", b"aaaaaaaaaaaaaaaa"]),
        with(&[b"x-api-key"]).and(with(&[b"aaaaaaaaaaaaaaaa"])),
        with(&[b"x-api-key", b"aaaaaaaaaaaaaaaa"]).and(with(&[])),
        with(&[]).and(with(&[b"x-api-key", b"aaaaaaaaaaaaaaaa"])),
        // What begins the second section of the one is the length of the other's first part.
        with(&[]).and(peer()),
        with(&[b"", b"aaaaaaaaaaaaaaaa"]),
        by_field().and(with(&[])),
        by_field().and(by_field()),
    ];
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert_ne!(key(one, &request), key(other, &request), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_first_line_of_a_field_counts_byte_for_byte() {
    let by = LimitBy::header(HeaderName::from_static("x-key"));
    let key = |lines: &[&str]| {
        let mut request = http::Request::new(());
        for line in lines {
            request.headers_mut().append("x-key", line.parse().unwrap());
        }
        by.key((&request).into(), &[7; 16])
    };
    assert_eq!(key(&["a"]), key(&["a", "b"]), "nobody is another by a second line");
    let ones =
        [["a"], ["A"], ["ab"], [""], ["a b"], ["abcdefgh"], ["abcdefghi"]].map(|one| key(&one));
    for (at, one) in ones.iter().enumerate() {
        assert!(one.is_ok() && ones.iter().skip(at + 1).all(|other| other != one));
    }
}

#[test]
fn one_value_in_two_fields_is_two() {
    let mut request = field(b"a");
    request.headers_mut().insert("x-tenant", "a".parse().unwrap());
    let tenant = LimitBy::header(HeaderName::from_static("x-tenant"));
    assert_ne!(key(&by_field(), &request), key(&tenant, &request));
}

#[test]
fn a_request_without_a_key_lacks_what_is_said() {
    let request = Request::new(());
    let nobody = Err(Keyless::Principal);
    assert_eq!(key(&LimitBy::principal(), &request), nobody);
    assert_eq!(key(&by_field(), &request), Err(Keyless::Header));
    assert_eq!(key(&LimitBy::peer(|peer: &IpAddr| *peer), &request), Err(Keyless::Unknown));
    assert_eq!(key(&LimitBy::with(|_, _| None), &request), Err(Keyless::Unknown));
    assert!(key(&LimitBy::everyone(), &request).is_ok());
    // In a combination the first that is lacking says so.
    let both = LimitBy::everyone().and(by_field()).and(LimitBy::principal());
    assert_eq!(key(&both, &request), Err(Keyless::Header));
    assert_eq!(key(&both, &field(b"a")), nobody);
}

#[test]
fn principals_are_told_apart_by_issuer_and_subject() {
    let of = |issuer: &str, subject: &str| {
        let mut request = Request::new(());
        request.extensions_mut().insert(Principal::new(issuer, subject));
        key(&LimitBy::principal(), &request)
    };
    assert_eq!(of("a", "bc"), of("a", "bc"));
    assert_ne!(of("a", "bc"), of("ab", "c"));
    assert_ne!(of("a", "b"), of("b", "b"));
}

#[test]
fn what_is_shown_is_how_it_was_made() {
    let peer = || LimitBy::peer(|peer: &IpAddr| *peer);
    let client = LimitBy::client(ClientAddress::of_peer(|peer: &IpAddr| *peer));
    let with = LimitBy::with(|_, _| Some(()));
    for (by, shown) in [
        (LimitBy::everyone(), "LimitBy::everyone()"),
        (peer(), "LimitBy::peer(..)"),
        (client, "LimitBy::client(..)"),
        (by_field(), "LimitBy::header(x-api-key)"),
        (LimitBy::principal(), "LimitBy::principal()"),
        (with, "LimitBy::with(..)"),
        (peer().and(by_field()), "LimitBy::peer(..).and(LimitBy::header(x-api-key))"),
    ] {
        assert_eq!(format!("{by:?}"), shown);
    }
    assert_eq!(format!("{:?}", key(&by_field(), &field(b"secret"))), "Ok(LimitKey(..))");
}
