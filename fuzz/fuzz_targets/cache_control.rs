//! Cache-Control as a client or an origin may send it: any bytes, any lines.
#![no_main]

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, PRAGMA};
use libfuzzer_sys::fuzz_target;
use tower_keep::fuzzing::{Restrictions, request_restrictions, response_restrictions};

fuzz_target!(|input: &[u8]| {
    let [who, input @ ..] = input else { return };
    let read = if who % 2 == 0 { request_restrictions } else { response_restrictions };
    let mut lines = fields(input);
    // RFC 9111 §5.2: names are compared without case.
    assert_eq!(read(&changed(&lines, <[u8]>::to_ascii_uppercase)), read(&lines));
    // RFC 9111 §5.4: Pragma counts only where there is no Cache-Control.
    lines.remove(PRAGMA);
    let said = read(&lines);
    let more = read(&with(&lines, "x, max-age=60"));
    assert!(is_as_strict(&more, &said), "a line took back: {more:?} after {said:?}");
    assert!(read(&with(&lines, "No-Store")).no_store, "a line hid the next one");
});

/// A line for each line of the input; what a server would not take in is left out.
fn fields(input: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(16) {
        let (name, line): (HeaderName, _) = match line.strip_prefix(b"\r") {
            Some(line) => (PRAGMA, line),
            None => (CACHE_CONTROL, line),
        };
        if let Ok(value) = HeaderValue::from_bytes(line) {
            map.append(name, value);
        }
    }
    map
}

fn changed(lines: &HeaderMap, change: fn(&[u8]) -> Vec<u8>) -> HeaderMap {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = HeaderValue::from_bytes(&change(value.as_bytes())).expect("still a value");
        (name.clone(), value)
    };
    let mut changed = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        changed.append(name, value);
    }
    changed
}

fn with(lines: &HeaderMap, line: &'static str) -> HeaderMap {
    let mut lines = lines.clone();
    lines.append(CACHE_CONTROL, HeaderValue::from_static(line));
    lines
}

fn is_as_strict(more: &Restrictions, said: &Restrictions) -> bool {
    let flags = |of: &Restrictions| [of.no_store, of.no_cache, of.private];
    let keeps = |(more, said): (bool, bool)| more || !said;
    flags(more).into_iter().zip(flags(said)).all(keeps)
        && more.conditions.into_iter().zip(said.conditions).all(keeps)
        && said.max_age.is_none_or(|said| more.max_age.is_some_and(|more| more <= said))
}
