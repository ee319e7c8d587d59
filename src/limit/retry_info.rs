//! `google.rpc.Status` with a `google.rpc.RetryInfo` in it, as `grpc-status-details-bin` has it: how a gRPC client learns of a wait. In the
//! wire format of protocol buffers.

use std::time::Duration;

use http::HeaderValue;
use sfv::ItemSerializer;

/// A `Status` of this code and message that says to wait. Binary fields of gRPC are base64, and best without padding.
pub(crate) fn details(status: u8, message: &str, wait: Duration) -> Option<HeaderValue> {
    let bytes = self::status(status, message, &retry_info(wait));
    // RFC 9651 §4.1.8: the same base64, with colons around it.
    let text = ItemSerializer::new().bare_item(bytes.as_slice()).finish();
    HeaderValue::from_str(text.trim_matches(':').trim_end_matches('=')).ok()
}

/// `Status { code: 1, message: 2, details: 3 }` with one `Any { type_url: 1, value: 2 }`.
fn status(status: u8, message: &str, retry_info: &[u8]) -> Vec<u8> {
    let mut any = Vec::with_capacity(96);
    push_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    push_bytes(&mut any, 2, retry_info);
    let mut written = Vec::with_capacity(160);
    push_number(&mut written, 1, status.into());
    push_bytes(&mut written, 2, message.as_bytes());
    push_bytes(&mut written, 3, &any);
    written
}

/// `RetryInfo { retry_delay: 1 }` of `Duration { seconds: 1, nanos: 2 }`.
fn retry_info(wait: Duration) -> Vec<u8> {
    let mut length = Vec::with_capacity(16);
    // `Duration` has 10,000 years at most.
    push_number(&mut length, 1, wait.as_secs().min(315_576_000_000));
    push_number(&mut length, 2, wait.subsec_nanos().into());
    let mut written = Vec::with_capacity(24);
    push_bytes(&mut written, 1, &length);
    written
}

/// A field that is a number. What is zero is left out.
fn push_number(message: &mut Vec<u8>, field: u8, number: u64) {
    if number > 0 {
        message.push(field << 3);
        push_varint(message, number);
    }
}

/// A field that is a string, or a message of its own.
fn push_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push((field << 3) | 2);
    push_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn push_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    /// The fields of a message: number, and what it holds. Strings and messages are bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Held<'_>)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let number = varint(&mut bytes);
            let held = match key & 7 {
                0 => Held::Number(number),
                2 => {
                    let (held, rest) = bytes.split_at(number as usize);
                    bytes = rest;
                    Held::Bytes(held)
                }
                other => panic!("{other}"),
            };
            fields.push((key >> 3, held));
        }
        fields
    }

    #[derive(Debug, PartialEq)]
    enum Held<'a> {
        Number(u64),
        Bytes(&'a [u8]),
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
        }
        panic!("a number of more than 64 bits");
    }

    /// The code, the message and the wait that details tell of.
    pub(crate) fn read(details: &HeaderValue) -> (u64, String, Duration) {
        let bytes = STANDARD_NO_PAD.decode(details).unwrap();
        let fields_of_status = fields(&bytes);
        let [(1, Held::Number(code)), (2, Held::Bytes(message)), (3, Held::Bytes(any))] =
            fields_of_status[..]
        else {
            panic!("{fields_of_status:?}")
        };
        let fields_of_any = fields(any);
        let [(1, Held::Bytes(url)), (2, Held::Bytes(info))] = fields_of_any[..] else {
            panic!("{fields_of_any:?}")
        };
        assert_eq!(url, b"type.googleapis.com/google.rpc.RetryInfo");
        let fields_of_info = fields(info);
        let [(1, Held::Bytes(length))] = fields_of_info[..] else { panic!("{fields_of_info:?}") };
        let number = |field| {
            let found = fields(length).into_iter().find(|(number, _)| *number == field);
            match found {
                Some((_, Held::Number(number))) => number,
                None => 0,
                other => panic!("{other:?}"),
            }
        };
        let wait = Duration::new(number(1), u32::try_from(number(2)).unwrap());
        (code, String::from_utf8(message.to_vec()).unwrap(), wait)
    }

    #[test]
    fn r17_the_bytes_of_details_are_those_that_a_compiled_schema_writes() {
        // Written down by hand from google/rpc/status.proto, any.proto, error_details.proto and duration.proto.
        let expected = [
            &b"\x08\x08\x12\x02no\x1a\x33"[..],
            b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo",
            b"\x12\x07\x0a\x05\x08\x01\x10\xac\x02",
        ]
        .concat();
        let details = details(8, "no", Duration::new(1, 300)).unwrap();
        assert_eq!(STANDARD_NO_PAD.decode(&details).unwrap(), expected);
    }

    #[test]
    fn r17_details_have_no_padding_whatever_their_length_is() {
        for length in 0..3 {
            let details = details(14, &"x".repeat(length), Duration::from_secs(1)).unwrap();
            assert_eq!(read(&details).1.len(), length);
        }
    }

    #[test]
    fn r17_the_longest_wait_is_that_of_a_duration() {
        let details = details(8, "no", Duration::MAX).unwrap();
        assert_eq!(read(&details).2, Duration::new(315_576_000_000, 999_999_999));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn r17_details_tell_what_they_were_made_of(
            code in 1_u8..=16, message in ".{0,300}", secs in 0_u64..1 << 38, nanos in 0_u32..1_000_000_000,
        ) {
            let wait = Duration::new(secs, nanos);
            let details = details(code, &message, wait).unwrap();
            prop_assert_eq!(read(&details), (u64::from(code), message, wait));
        }
    }
}
