//! The page: which call of the origin made it, in every line, so that half a page or two mixed ones show.

const LINES: usize = 256;

/// Of every page, whichever call made it.
pub(crate) const BYTES: usize = LINES * "call 0000000000\n".len();

pub(crate) fn of_call(call: usize) -> String {
    format!("call {call:010}\n").repeat(LINES)
}

/// Whether it is, byte for byte, the page of one of the origin's calls so far.
pub(crate) fn is_whole(body: &[u8], calls: usize) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let first = text.lines().next().unwrap_or_default();
    let call = first.strip_prefix("call ").and_then(|digits| digits.parse().ok());
    call.is_some_and(|call| (1..=calls).contains(&call) && text == of_call(call))
}
