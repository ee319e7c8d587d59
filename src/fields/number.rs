//! Numbers as field values. Small ones, such as most ages and lengths, need no memory.

use http::HeaderValue;

/// The number in decimal digits.
pub(crate) fn value(number: u64) -> HeaderValue {
    match small(number) {
        Some(digits) => HeaderValue::from_static(digits),
        None => HeaderValue::from(number),
    }
}

/// `1*DIGIT`, and nothing that only some parsers take for it.
pub(crate) fn read(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

/// The digits of a number that has a cell.
pub(crate) fn small(number: u64) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    let digits = match number {
        0..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    };
    let at = number.checked_mul(CELL_BYTES)?;
    std::str::from_utf8(CELLS.get(at..at.checked_add(digits)?)?).ok()
}

/// A cell for each number below [`SMALL`], its digits at the cell's begin.
static CELLS: [u8; SMALL * CELL_BYTES] = cells();

#[allow(clippy::indexing_slicing, reason = "carried out when the crate is compiled")]
const fn cells() -> [u8; SMALL * CELL_BYTES] {
    let mut cells = [0; SMALL * CELL_BYTES];
    let mut number = 0;
    while number < SMALL {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        let mut at = number * CELL_BYTES;
        while unit > 0 {
            cells[at] = b'0' + (number / unit % 10) as u8;
            at += 1;
            unit /= 10;
        }
        number += 1;
    }
    cells
}

const SMALL: usize = 1 << 12;
const CELL_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_written_as_it_is_anywhere() {
        for number in (0..5000).chain([u64::from(u32::MAX), u64::MAX]) {
            assert_eq!(value(number), number.to_string().as_str());
        }
    }
}
