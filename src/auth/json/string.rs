//! Strings (RFC 8259 §7).

use std::borrow::Cow;

use super::{Malformed, Reader};

impl<'a> Reader<'a> {
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(rest) = rest.strip_prefix('"') else { return Err(Malformed::Syntax) };
        let length = plain_bytes(rest.as_bytes());
        let (plain, rest) = rest.split_at_checked(length).unwrap_or_default();
        self.at += 1 + length;
        if rest.starts_with('"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.with_escapes(plain).map(Cow::Owned)
    }

    /// The rest of a string that begins so.
    #[cold]
    fn with_escapes(&mut self, begin: &str) -> Result<String, Malformed> {
        let mut text = begin.to_owned();
        while self.take(b'\\') {
            text.push(self.escaped()?);
            let begin = self.at;
            let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
            self.at += plain_bytes(rest);
            text.push_str(self.since(begin));
        }
        if self.take(b'"') { Ok(text) } else { Err(Malformed::Syntax) }
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        let byte = self.peek().ok_or(Malformed::Syntax)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(Malformed::Syntax),
        })
    }

    /// One character, by one escape or by a pair of surrogates. Half of a pair is none.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.four_digits()?;
        let code = match first {
            0xd800..0xdc00 if self.take(b'\\') && self.take(b'u') => match self.four_digits()? {
                second @ 0xdc00..0xe000 => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => return Err(Malformed::Syntax),
            },
            first => first,
        };
        char::from_u32(code).ok_or(Malformed::Syntax)
    }

    fn four_digits(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(Malformed::Syntax)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(Malformed::Syntax)?;
            Ok(code << 4 | digit)
        })
    }
}

/// How many bytes of a string's stand for themselves before the first that does not. By eights, as most of a token is in
/// strings.
fn plain_bytes(text: &[u8]) -> usize {
    let (eights, rest) = text.as_chunks::<8>();
    let mut length = 0;
    for eight in eights {
        let others = others(u64::from_le_bytes(*eight));
        if others != 0 {
            return length + others.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let is_other = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    length + rest.iter().position(is_other).unwrap_or(rest.len())
}

/// The high bit of each byte that does not stand for itself: below 128, a subtraction sets it where the byte was less. A borrow
/// can set a wrong one, but only behind a right one: the first is right.
fn others(eight: u64) -> u64 {
    let each = |byte: u8| u64::from_le_bytes([byte; 8]);
    let is_control = eight.wrapping_sub(each(0x20));
    let is_quotation_mark = (eight ^ each(b'"')).wrapping_sub(each(1));
    let is_escape = (eight ^ each(b'\\')).wrapping_sub(each(1));
    (is_control | is_quotation_mark | is_escape) & !eight & each(0x80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_other(byte: &u8) -> bool {
        *byte == b'"' || *byte == b'\\' || *byte < 0x20
    }

    proptest! {
        #[test]
        fn by_eights_as_one_by_one(text in prop::collection::vec(prop_oneof![
            8 => Just(b'a'),
            1 => prop::sample::select(&b"\0\x1f\x20\x21\"\x23[\\]\x7f\x80\xa0\xa2\xdc\xff"[..]),
        ], 0..40)) {
            let one_by_one = text.iter().position(is_other).unwrap_or(text.len());
            prop_assert_eq!(plain_bytes(&text), one_by_one);
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut eight = [0xc3; 8];
                eight[at] = byte;
                let expected = if is_other(&byte) { at } else { 8 };
                assert_eq!(plain_bytes(&eight), expected, "{byte} at {at}");
            }
        }
    }
}
