//! The command line, by hand.

use std::ffi::OsString;
use std::ops::RangeInclusive;

pub(crate) enum Command {
    Help,
    Run(Config),
}

#[derive(Clone, Copy)]
pub(crate) struct Config {
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) has_two_quotas: bool,
}

/// What to do, or what is wrong with the command line, in words for who typed it.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut config = Config { rate: 1_000, seconds: 5, has_two_quotas: false };
    let mut args =
        args.map(|arg| arg.into_string().map_err(|arg| format!("{} is not UTF-8", arg.display())));
    while let Some(arg) = args.next().transpose()? {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let (number, bounds) = match flag {
            "--help" | "-h" if value.is_none() => return Ok(Command::Help),
            "--quotas" if value.is_none() => {
                config.has_two_quotas = true;
                continue;
            }
            "--rate" => (&mut config.rate, RATE),
            "--seconds" => (&mut config.seconds, SECONDS),
            _ => return Err(format!("{arg:?} is no argument of this program")),
        };
        let value = match value {
            Some(value) => value,
            None => args.next().transpose()?.unwrap_or_default(),
        };
        *number = read(&value, bounds).map_err(|wrong| format!("{flag}: {wrong}"))?;
    }
    Ok(Command::Run(config))
}

fn read(value: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    let (least, most) = (bounds.start(), bounds.end());
    value
        .parse()
        .ok()
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| format!("{value:?} is wrong: expected a number from {least} to {most}"))
}

const RATE: RangeInclusive<u64> = 100..=1_000_000;
const SECONDS: RangeInclusive<u64> = 1..=600;

pub(crate) const HELP: &str = "\
What a limit admits under load, over sockets of this machine.

Usage: limit_load [--rate N] [--seconds S] [--quotas]

64 clients on connections of their own send as fast as they can, under 4 keys. The limit is in the same process, and so
are they: all that is measured is whether it admits what it should, which is the burst of 50 and the rate times the time
from its first decision to its last. It fails where a key was admitted more than that, or less than 99 %, and where the
machine was too slow to ask for three times as much.

  --rate N      how many requests each key may send in a second, 100 to 1000000 [1000]
  --seconds S   for how long they send, 1 to 600 [5]
  --quotas      a second quota on each key: half the rate, and a burst of a second's worth of the first. It is run for
                one second, in which the first quota is the stricter one, and then for all of them: from 3 on the second is
";
