//! JSON as a token may hold it (RFC 8259, RFC 7515 §4, RFC 7519 §4): one object, every name once at every depth, nothing behind
//! it.
//!
//! *Invariant:* one pass, linear but for sorting the names of one object, of which there are few. Nothing is copied that holds no
//! escape, and of what is nested no values are made. What is accepted here, every other parser reads alike: there are no two
//! readings of a token.

mod string;

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

/// Shows the members of the object that this text is, in order. Whether it is one is known in the end, by the result.
pub(crate) fn members<'a>(
    text: &'a [u8],
    limits: Limits,
    mut each: impl FnMut(&str, Value<'a>),
) -> Result<(), Malformed> {
    let mut reader = Reader::of(text, limits)?;
    reader.names.reserve(FEW);
    reader.white_space();
    reader.members(limits.depth, |reader, name, value| {
        each(&name, value);
        reader.names.push(name);
    })?;
    reader.end()?;
    are_distinct(&reader.names)
}

/// All of them.
pub(crate) fn object<'a>(
    text: &'a [u8],
    limits: Limits,
) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Malformed> {
    let mut reader = Reader::of(text, limits)?;
    let mut members = Vec::with_capacity(FEW);
    reader.white_space();
    reader.members(limits.depth, |reader, name, value| {
        reader.names.push(name.clone());
        members.push((name, value));
    })?;
    reader.end()?;
    are_distinct(&reader.names)?;
    Ok(members)
}

/// The elements of an array, as an object's value has it.
pub(crate) fn elements<'a>(text: &'a [u8], limits: Limits) -> Result<Vec<Value<'a>>, Malformed> {
    let mut reader = Reader::of(text, limits)?;
    let mut elements = Vec::new();
    reader.array(limits.depth, |value| elements.push(value))?;
    reader.end()?;
    Ok(elements)
}

/// Whether every name stands there once. Escapes are undone: one name in two spellings is one name.
fn are_distinct(names: &[Cow<'_, str>]) -> Result<(), Malformed> {
    let has_twice = if names.len() <= FEW {
        let mut seen = 0;
        names.iter().enumerate().any(|(at, name)| {
            let bit = bit(name);
            let may_be_there = seen & bit != 0;
            seen |= bit;
            may_be_there && names.iter().take(at).any(|other| other == name)
        })
    } else {
        let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
    };
    if has_twice { Err(Malformed::Duplicate) } else { Ok(()) }
}

/// One bit of 64. Names of which it differs differ.
fn bit(name: &str) -> u64 {
    let ends = [name.bytes().next(), name.bytes().next_back()];
    let [first, last] = ends.map(|byte| usize::from(byte.unwrap_or_default()));
    1 << ((first + 7 * last + 13 * name.len()) % 64)
}

/// So many members that comparing their names is less work than sorting them. Most objects have no more.
const FEW: usize = 16;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    limits: Limits,
    /// Of the objects that are being read, from the outermost inwards.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    fn of(text: &'a [u8], limits: Limits) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(text).map_err(|_| Malformed::Syntax)?;
        Ok(Self { text, at: 0, limits, names: Vec::new() })
    }

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
                let outer = self.names.len();
                self.members(depth, |reader, name, _| reader.names.push(name))?;
                are_distinct(self.names.get(outer..).unwrap_or_default())?;
                self.names.truncate(outer);
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

    fn members(
        &mut self,
        depth: u8,
        mut each: impl FnMut(&mut Self, Cow<'a, str>, Value<'a>),
    ) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Limit)?;
        if !self.take(b'{') {
            return Err(Malformed::Syntax);
        }
        self.white_space();
        if self.take(b'}') {
            return Ok(());
        }
        for _ in 0..self.limits.members {
            self.white_space();
            let name = self.string()?;
            self.white_space();
            if !self.take(b':') {
                return Err(Malformed::Syntax);
            }
            self.white_space();
            let value = self.value(depth)?;
            each(self, name, value);
            self.white_space();
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Malformed::Syntax);
            }
        }
        Err(Malformed::Limit)
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
}

/// A number of so many digits fits an f64.
const DIGITS_SAFE: usize = 300;

#[cfg(test)]
mod tests;
