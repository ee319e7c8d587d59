//! `Accept-Encoding`: whether a client takes content in a coding (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};

use super::list;

/// Whether the client says that it takes some coding, `identity` aside. Without the field it says nothing, and
/// nobody encodes for it.
pub(crate) fn takes_a_coding(headers: &HeaderMap) -> bool {
    // Not `list::members`: no member holds a quoted-string, and who encodes splits at every comma.
    let lines = headers.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b',')).any(|member| {
        let (coding, weight) = match member.iter().position(|byte| *byte == b';') {
            Some(at) => member.split_at_checked(at).unwrap_or((member, b"")),
            None => (member, &b""[..]),
        };
        let coding = list::trim(coding);
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") && !is_zero(weight)
    })
}

/// Whether a weight is one of those that mean "not acceptable" (RFC 9110 §12.4.2): `0`, and zeroes behind it.
fn is_zero(weight: &[u8]) -> bool {
    let mut value = weight.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\t'));
    let is_weight = value.next() == Some(b';')
        && value.next().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'q'))
        && value.next() == Some(b'=');
    is_weight && value.next() == Some(b'0') && value.all(|byte| matches!(byte, b'.' | b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_coding_with_a_weight_above_zero_is_taken() {
        let takes = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            takes_a_coding(&headers)
        };
        assert!(!takes(&[]));
        for line in ["", "identity", "Identity;q=1", "gzip;q=0", "gzip ; q=0.000, br;Q=0", "*;q=0"]
        {
            assert!(!takes(&[line]), "{line}");
        }
        for line in
            ["gzip", "*", "gzip;q=0.001", "identity, br", "gzip;q=0, br;q=1", "gzip;x=0", "gzip;q"]
        {
            assert!(takes(&[line]), "{line}");
        }
        assert!(takes(&["identity", "zstd"]));
    }
}
