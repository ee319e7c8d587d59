//! Exact base64url (RFC 7515 §2, RFC 4648 §3.5, §5): without padding, without white space, and with no bit in the last character that
//! says nothing. One string of bytes has one spelling.

use std::sync::LazyLock;

use base64::Engine as _;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::engine::GeneralPurpose;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd;
use base64::engine::general_purpose::NO_PAD;

/// Decodes into the place of what `bytes` held. False where the text is not exact; what is in `bytes` then means nothing.
#[must_use]
pub(crate) fn decode(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    bytes.clear();
    // At once as much as it takes: where it grew, a secret would be left in what it grew out of.
    bytes.resize(base64::decoded_len_estimate(text.len()), 0);
    let length = ENGINE.decode_slice(text, bytes).ok();
    bytes.truncate(length.unwrap_or(0));
    length.is_some()
}

/// With vectors where the machine has them: most of what it costs to read a token is this.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<GeneralPurpose> =
    LazyLock::new(|| GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD));

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![7; 3];
        decode(text, &mut bytes).then_some(bytes)
    }

    #[test]
    fn j02_every_string_of_four_and_less_is_read_as_the_library_reads_it() {
        let of =
            |text: &[u8]| assert_eq!(decoded(text), URL_SAFE_NO_PAD.decode(text).ok(), "{text:?}");
        of(b"");
        for first in 0..=255 {
            of(&[first]);
            for second in 0..=255 {
                of(&[first, second]);
                of(&[b'A', first, second]);
                of(&[first, b'A', b'_', second]);
            }
        }
    }

    #[test]
    fn j02_a_byte_that_is_no_character_is_found_wherever_it_stands() {
        for length in 0..100 {
            let text = vec![b'g'; length];
            let is_length = length % 4 != 1;
            assert_eq!(decoded(&text), URL_SAFE_NO_PAD.decode(&text).ok(), "{length}");
            for at in 0..length {
                for byte in
                    [b'=', b'+', b'/', b' ', b'\n', 0, 0x80, 0xff, b'@', b'[', b'`', b'{', b':']
                {
                    let mut text = text.clone();
                    text[at] = byte;
                    assert_eq!(decoded(&text), None, "{byte} at {at} of {length} {is_length}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn j02_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(decoded(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn j02_any_text_is_read_as_the_library_reads_it(text in "[A-Za-z0-9_=+/ -]{0,90}") {
            prop_assert_eq!(decoded(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
