//! The command line, by hand.

use std::ffi::OsString;
use std::ops::RangeInclusive;

pub(crate) enum Command {
    Help,
    Run(Config),
}

#[derive(Clone, Copy)]
pub(crate) struct Config {
    pub(crate) clients: u32,
    pub(crate) seconds: u32,
    pub(crate) is_check: bool,
}

/// What to do, or what is wrong with the command line, in words for who typed it.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let (mut clients, mut seconds, mut is_check) = (None, None, false);
    let mut args =
        args.map(|arg| arg.into_string().map_err(|arg| format!("{} is not UTF-8", arg.display())));
    while let Some(arg) = args.next().transpose()? {
        let (flag, mut value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let (number, bounds) = match flag {
            "--help" | "-h" if value.is_none() => return Ok(Command::Help),
            "--check" if value.is_none() => {
                is_check = true;
                continue;
            }
            "--clients" => (&mut clients, CLIENTS),
            "--seconds" => (&mut seconds, SECONDS),
            _ => return Err(format!("{arg:?} is no argument of this program")),
        };
        if value.is_none() {
            value = args.next().transpose()?;
        }
        let read = read(&value.unwrap_or_default(), bounds);
        if number.replace(read.map_err(|wrong| format!("{flag}: {wrong}"))?).is_some() {
            return Err(format!("{flag} is given twice"));
        }
    }
    let (usual_clients, usual_seconds) = if is_check { (100, 2) } else { (500, 3) };
    Ok(Command::Run(Config {
        clients: clients.unwrap_or(usual_clients),
        seconds: seconds.unwrap_or(usual_seconds),
        is_check,
    }))
}

fn read(value: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let (least, most) = (bounds.start(), bounds.end());
    value
        .parse()
        .ok()
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| format!("{value:?} is wrong: expected a number from {least} to {most}"))
}

const CLIENTS: RangeInclusive<u32> = 1..=5000;
const SECONDS: RangeInclusive<u32> = 1..=30;

pub(crate) const HELP: &str = "\
What a stampede does to an origin, without the cache in front of it and with it.

Usage: stampede [--clients N] [--seconds S] [--check]

Many clients want one page at once, and again whenever it has expired. The origin has 8 workers, each
of which takes 50 ms for an answer; who comes when all are busy waits in line. The same requests are
sent three times: to the origin alone, with the layer around it, and with a page that also says
stale-while-revalidate. All of it is real HTTP over sockets of this machine.

  --clients N   how many want the page, 1 to 5000 [500]
  --seconds S   for how long they come back, 1 to 30: a page lives for one second, and a new crowd
                comes every 1.25 s. An origin that cannot keep up takes longer [3]
  --check       a short run (100 clients, 2 seconds, unless given) that fails if the layer did not
                spare the origin
  --help

Exit status: 0; 1 if an answer failed or was not the whole page, or, with --check, if the origin had more
calls with the layer than without; 2 for a wrong command line.
";
