//! Tokens of the greatest length that is looked at, as they come from who wants them to cost much. Nothing cheaper
//! than reading them would refuse them; their signatures are right, so that their claims are read too.

use tower_keep::auth::{Algorithm, Verifier};

use crate::token::{AUDIENCE, BoxError, ISSUER, Subject, header};

/// The name of the one that is not hostile, but as long.
pub(crate) const ORDINARY: &str = "ordinary";

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [ORDINARY].into_iter().chain(CASES.iter().map(|case| case.name))
}

pub(crate) fn subject(name: &str, now: u64) -> Result<Subject, BoxError> {
    let header = header(Algorithm::Hs256);
    if name == ORDINARY {
        // What is long in practice: the groups that somebody is in.
        let groups = list(TEXT_BYTES, r#""8c1f4f0e-6d0b-4c8f-a7a4-0f4f5a1c9b11""#);
        return Subject::with(Algorithm::Hs256, &header, &claims(now, &groups), now);
    }
    let case = CASES.iter().find(|case| case.name == name).ok_or("no such token")?;
    let text = (case.text)(TEXT_BYTES);
    let mut subject = match case.place {
        Place::Claims => Subject::with(Algorithm::Hs256, &header, &claims(now, &text), now),
        Place::Header => {
            let header = header.replacen('{', &format!("{{{text},"), 1);
            Subject::with(Algorithm::Hs256, &header, &claims(now, r#""x":0"#), now)
        }
        Place::Token => Subject::new(Algorithm::Hs256, now),
    }?;
    if let Place::Token = case.place {
        subject.token = (case.text)(Verifier::BYTES_MAX);
    }
    if subject.token.len() > Verifier::BYTES_MAX || subject.token.len() < Verifier::BYTES_MAX - 400
    {
        return Err(format!("{name}: {} bytes", subject.token.len()).into());
    }
    Ok(subject)
}

fn claims(now: u64, more: &str) -> String {
    let expires = now + 3600;
    // No name twice.
    let audience = if more.starts_with(r#""aud""#) { "a" } else { "aud" };
    format!(
        r#"{{"iss":"{ISSUER}","sub":"a","{audience}":"{AUDIENCE}","exp":{expires},"iat":{now},"jti":"a","client_id":"a",{more}}}"#
    )
}

struct Case {
    name: &'static str,
    place: Place,
    /// Of about so many bytes. For claims and headers: members of an object.
    text: fn(usize) -> String,
}

#[derive(Clone, Copy)]
enum Place {
    Claims,
    Header,
    Token,
}

/// Of the claims' text, so that the token is as long as it may be.
const TEXT_BYTES: usize = 5_780;

const CASES: [Case; 18] = [
    Case { name: "short-names", place: Place::Claims, text: |bytes| objects(bytes, 128, "") },
    Case { name: "long-names", place: Place::Claims, text: |bytes| objects(bytes, 128, LONG) },
    Case { name: "header-names", place: Place::Header, text: |bytes| objects(bytes, 32, "") },
    Case {
        name: "like-names",
        place: Place::Claims,
        text: |bytes| list(bytes, &object((b'a'..=b'p').map(like))),
    },
    Case {
        name: "escaped-names",
        place: Place::Claims,
        text: |bytes| objects(bytes, 128, "\\u0061\\u0061"),
    },
    Case {
        name: "deep-arrays",
        place: Place::Claims,
        text: |bytes| list(bytes, &format!("{}{}", "[".repeat(14), "]".repeat(14))),
    },
    Case {
        name: "deep-objects",
        place: Place::Claims,
        text: |bytes| list(bytes, &format!("{}0{}", r#"{"":"#.repeat(14), "}".repeat(14))),
    },
    Case { name: "empty-objects", place: Place::Claims, text: |bytes| list(bytes, "{}") },
    Case { name: "digits", place: Place::Claims, text: |bytes| list(bytes, "0") },
    Case { name: "words", place: Place::Claims, text: |bytes| list(bytes, "false") },
    Case { name: "escapes", place: Place::Claims, text: |bytes| string(bytes, "\\n") },
    Case {
        name: "unicode-escapes",
        place: Place::Claims,
        text: |bytes| string(bytes, "\\ud83d\\ude00"),
    },
    Case { name: "header-escapes", place: Place::Header, text: |bytes| string(bytes, "\\n") },
    Case { name: "unicode", place: Place::Claims, text: |bytes| string(bytes, "\u{1f600}") },
    Case {
        name: "white-space",
        place: Place::Claims,
        text: |bytes| format!(r#""x":[{}]"#, " ".repeat(bytes)),
    },
    Case {
        name: "audiences",
        place: Place::Claims,
        text: |bytes| list(bytes, r#""""#).replace(r#""x""#, r#""aud""#),
    },
    Case { name: "long-time", place: Place::Claims, text: long_time },
    Case { name: "dots", place: Place::Token, text: |bytes| ".".repeat(bytes) },
];
const LONG: &str = "0123456789abcdef0123456789abcdef";

/// An array of objects, each with as many names as it may have.
fn objects(bytes: usize, members_max: usize, begin: &str) -> String {
    let name = |at: usize| format!("{begin}{at:02x}");
    let member_bytes = name(0).len() + r#""":0,"#.len();
    list(bytes, &object((0..members_max.min(bytes / member_bytes)).map(name)))
}

fn object(names: impl Iterator<Item = String>) -> String {
    let members: Vec<_> = names.map(|name| format!(r#""{name}":0"#)).collect();
    format!("{{{}}}", members.join(","))
}

/// Names of two letters that differ, but not in the sum by which the reader tells most names apart.
fn like(last: u8) -> String {
    let first = 0x40 | (last.wrapping_mul(7).wrapping_neg() & 0x3f);
    [first, last].map(char::from).iter().collect()
}

fn list(bytes: usize, element: &str) -> String {
    let count = (bytes / (element.len() + 1)).max(1);
    let tail = " ".repeat(bytes.saturating_sub(count * (element.len() + 1)));
    format!(r#""x":[{}{tail}]"#, vec![element; count].join(","))
}

fn string(bytes: usize, of: &str) -> String {
    format!(r#""x":"{}""#, of.repeat(bytes / of.len()))
}

/// Digits that are just beyond the middle between two numbers, where all of them have to be looked at, and one after
/// the other.
fn long_time(bytes: usize) -> String {
    format!(r#""nbf":2.225073858507201136{}e-308"#, "1".repeat(bytes))
}
