//! JSON as a token may hold it (RFC 8259, RFC 7515 §4, RFC 7519 §4): one object, every name once at every depth, nothing behind
//! it.
//!
//! *Invariant:* one pass, linear but for the names of one object, of which there are few. Nothing is copied that holds no escape.
//! What is accepted here, every other parser reads alike: there are no two readings of a token.

use std::borrow::Cow;

/// How much of it there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Objects and arrays in each other.
    pub(crate) depth: u8,
    /// Names of one object.
    pub(crate) members: usize,
}

/// A value, as it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// By the grammar of numbers, and no greater than an f64 holds.
    Number(&'a str),
    String(Cow<'a, str>),
    /// The text of it, from bracket to bracket, which was read to be what it should be.
    Array(&'a [u8]),
    Object(&'a [u8]),
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is not UTF-8, or no JSON.
    Syntax,
    /// A name stands there twice.
    Duplicate,
    /// It is too deep, or has too many names.
    Limit,
}

/// The members of the object that this text is, in order.
pub(crate) fn object<'a>(
    text: &'a [u8],
    limits: Limits,
) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed::Syntax)?;
    let mut reader = Reader { text, at: 0, limits };
    reader.white_space();
    let members = reader.members(limits.depth)?;
    reader.end()?;
    Ok(members)
}

/// The elements of an array, as an object's value has it.
pub(crate) fn elements<'a>(text: &'a [u8], limits: Limits) -> Result<Vec<Value<'a>>, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed::Syntax)?;
    let mut reader = Reader { text, at: 0, limits };
    let mut elements = Vec::new();
    reader.array(limits.depth, |value| elements.push(value))?;
    reader.end()?;
    Ok(elements)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte, if it is the next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.white_space();
        if self.peek().is_none() { Ok(()) } else { Err(Malformed::Syntax) }
    }

    /// What was read since.
    fn since(&self, begin: usize) -> &'a str {
        self.text.get(begin..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, Malformed> {
        let begin = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => {
                self.members(depth)?;
                Ok(Value::Object(self.since(begin).as_bytes()))
            }
            Some(b'[') => {
                self.array(depth, |_| {})?;
                Ok(Value::Array(self.since(begin).as_bytes()))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value<'a>, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words =
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(Malformed::Syntax)
    }

    fn members(&mut self, depth: u8) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Limit)?;
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        if !self.take(b'{') {
            return Err(Malformed::Syntax);
        }
        self.white_space();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.white_space();
            let name = self.string()?;
            if members.len() == self.limits.members {
                return Err(Malformed::Limit);
            }
            // Escapes are undone: one name in two spellings is one name.
            if members.iter().any(|(other, _)| *other == name) {
                return Err(Malformed::Duplicate);
            }
            self.white_space();
            if !self.take(b':') {
                return Err(Malformed::Syntax);
            }
            self.white_space();
            let value = self.value(depth)?;
            members.push((name, value));
            self.white_space();
            if self.take(b'}') {
                return Ok(members);
            }
            if !self.take(b',') {
                return Err(Malformed::Syntax);
            }
        }
    }

    fn array(&mut self, depth: u8, mut each: impl FnMut(Value<'a>)) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Limit)?;
        if !self.take(b'[') {
            return Err(Malformed::Syntax);
        }
        self.white_space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.white_space();
            each(self.value(depth)?);
            self.white_space();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Malformed::Syntax);
            }
        }
    }

    /// RFC 8259 §6.
    fn number(&mut self) -> Result<Value<'a>, Malformed> {
        let begin = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let has_exponent = self.take(b'e') || self.take(b'E');
        if has_exponent {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = self.since(begin);
        // RFC 7493 §2.2: what is greater than an f64 holds, some parsers take for infinite and others refuse.
        let is_short = text.len() <= DIGITS_SAFE && !has_exponent;
        if is_short || text.parse().is_ok_and(f64::is_finite) {
            Ok(Value::Number(text))
        } else {
            Err(Malformed::Syntax)
        }
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > begin { Ok(()) } else { Err(Malformed::Syntax) }
    }

    /// RFC 8259 §7.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.take(b'"') {
            return Err(Malformed::Syntax);
        }
        let mut begin = self.at;
        let mut text = Cow::Borrowed("");
        loop {
            match self.peek() {
                Some(b'"') => {
                    text += self.since(begin);
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    text += self.since(begin);
                    self.at += 1;
                    text.to_mut().push(self.escaped()?);
                    begin = self.at;
                }
                Some(0x20..) => self.at += 1,
                Some(_) | None => return Err(Malformed::Syntax),
            }
        }
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

/// A number of so many digits fits an f64.
const DIGITS_SAFE: usize = 300;

#[cfg(test)]
mod tests;
