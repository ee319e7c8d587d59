//! Sizes and times as people write them: `64MiB`, `200ms`.

use std::time::Duration;

pub(crate) fn bytes(value: &str) -> Result<u64, String> {
    let expected = || "expected a size above 0, such as 4096, 512KiB, 64MiB or 1GiB".to_owned();
    let (number, unit) = split(value).ok_or_else(expected)?;
    let unit_bytes: u64 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    match number.checked_mul(unit_bytes) {
        Some(0) | None => Err(expected()),
        Some(bytes) => Ok(bytes),
    }
}

pub(crate) fn duration(value: &str) -> Result<Duration, String> {
    let expected =
        || "expected a time above 0 and up to a day, such as 200ms, 30s or 5m".to_owned();
    let (number, unit) = split(value).ok_or_else(expected)?;
    let unit_millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(expected()),
    };
    match number.checked_mul(unit_millis).map(Duration::from_millis) {
        Some(time) if !time.is_zero() && time <= DAY => Ok(time),
        _ => Err(expected()),
    }
}

fn split(value: &str) -> Option<(u64, &str)> {
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok()?, unit))
}

const DAY: Duration = Duration::from_secs(86_400);
