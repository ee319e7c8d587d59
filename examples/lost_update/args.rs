//! The command line, by hand.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) enum Command {
    Help,
    Check,
    /// On a file of its own where none is named.
    Serve {
        database: Option<PathBuf>,
    },
}

/// What to do, or what is wrong with the command line, in words for who typed it.
pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let (mut database, mut is_check) = (None, false);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--check") => is_check = true,
            Some("--db") => {
                let path = args.next().filter(|path| !path.is_empty());
                let path = path.ok_or("--db: a path is missing")?;
                if database.replace(PathBuf::from(path)).is_some() {
                    return Err("--db is given twice".into());
                }
            }
            _ => return Err(format!("{:?} is no argument of this program", arg.display())),
        }
    }
    match (is_check, database) {
        (true, Some(_)) => Err("--check takes a database of its own, not --db".into()),
        (true, None) => Ok(Command::Check),
        (false, database) => Ok(Command::Serve { database }),
    }
}

pub(crate) const HELP: &str = "\
A service of notes that loses no update: a change says which version of the note it means.

Usage: lost_update [--db PATH | --check]

  --db PATH   the database file, which is made if it is not there; by default one that is gone
              when the program ends
  --check     clients that change the same notes at the same time, over sockets of this machine,
              with preconditions and without; ends with a table
  --help

Exit status: 0; 1 if something was lost or went wrong; 2 for a wrong command line.
";
