//! The authority of a request in one form for all its spellings (RFC 9110 §4.2.3).

use std::borrow::Cow;

use http::uri::Authority;

/// Lower case, and without the port that the scheme implies. `None` for what is no authority.
pub(crate) fn canonical<'a>(text: &'a [u8], scheme: &str) -> Option<Cow<'a, [u8]>> {
    // Most hosts are in this form already.
    if !text.is_empty() && text.iter().all(|byte| PLAIN.get(usize::from(*byte)) == Some(&true)) {
        return Some(Cow::Borrowed(text));
    }
    let text = str::from_utf8(text).ok()?;
    let authority: Authority = text.parse().ok()?;
    // RFC 9110 §4.2.4: userinfo in an http URI is an error, and a way to mislead.
    if authority.host().is_empty() || text.contains('@') {
        return None;
    }
    let mut out = authority.host().to_ascii_lowercase();
    let implied = if scheme == "https" { 443 } else { 80 };
    // RFC 3986 §3.2.3: digits only, and perhaps none.
    let port = match text.get(out.len()..)?.strip_prefix(':') {
        None if text.len() == out.len() => "",
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => port,
        _ => return None,
    };
    if !port.is_empty() {
        let port: u16 = port.parse().ok()?;
        if port != implied {
            out.push_str(&format!(":{port}"));
        }
    }
    Some(out.into_bytes().into())
}

/// The bytes of a host that is in its canonical form: lower case, and no port.
static PLAIN: [bool; 256] = plain();

#[allow(clippy::indexing_slicing, reason = "carried out when the crate is compiled")]
const fn plain() -> [bool; 256] {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        byte += 1;
    }
    plain
}
