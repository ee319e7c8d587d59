//! Who may ask: the flags about tokens, and the layers that they make.

use std::path::PathBuf;

use crate::args::{Given, Wrong};

#[cfg(feature = "jwks-client")]
mod guard;
#[cfg(not(feature = "jwks-client"))]
#[path = "tokens/no_guard.rs"]
mod guard;

pub(crate) use guard::Guard;

/// What the command line says of tokens.
#[derive(Debug)]
#[cfg_attr(not(feature = "jwks-client"), expect(dead_code, reason = "read to be refused"))]
pub(crate) struct TokenFlags {
    pub(crate) keys: KeysFrom,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) is_plain: bool,
    pub(crate) scope: Option<String>,
    pub(crate) partition_by: Option<String>,
}

#[derive(Debug)]
#[cfg_attr(not(feature = "jwks-client"), expect(dead_code, reason = "read to be refused"))]
pub(crate) enum KeysFrom {
    File(PathBuf),
    Url(String),
}

impl TokenFlags {
    /// `None` where no flag asks for tokens.
    pub(crate) fn read(given: &mut Given) -> Result<Option<Self>, Wrong> {
        let file = given.optional("--jwt-keys", |path| Ok(PathBuf::from(path)))?;
        let url = given.optional("--jwks-url", text)?;
        let (issuer, audience) = ("--issuer", "--audience");
        let keys = match (file, url) {
            (Some(_), Some(_)) => {
                return Err(Wrong("--jwt-keys and --jwks-url exclude each other".into()));
            }
            (Some(path), None) => KeysFrom::File(path),
            (None, Some(url)) => KeysFrom::Url(url),
            (None, None) => {
                for flag in [issuer, audience, "--typ", "--require-scope", "--partition-by"] {
                    if given.optional(flag, text)?.is_some() {
                        return Err(Wrong(format!("{flag} needs --jwt-keys or --jwks-url")));
                    }
                }
                return Ok(None);
            }
        };
        if cfg!(not(feature = "jwks-client")) {
            let words = "tokens need a build with --features jwks-client";
            return Err(Wrong(words.into()));
        }
        Ok(Some(Self {
            keys,
            issuer: given.required(issuer, text)?,
            audience: given.required(audience, text)?,
            is_plain: given.or("--typ", "at+jwt", typ)?,
            scope: given.optional("--require-scope", words)?,
            partition_by: given.optional("--partition-by", text)?,
        }))
    }
}

fn text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

fn typ(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "at+jwt" => Ok(false),
        "jwt" => Ok(true),
        _ => Err("expected at+jwt or JWT".into()),
    }
}

fn words(value: &str) -> Result<String, String> {
    match value.split(' ').all(is_word) {
        true => Ok(value.to_owned()),
        false => Err("expected words of a scope with one space between them".into()),
    }
}

/// RFC 6749 §3.3.
fn is_word(word: &str) -> bool {
    let is_plain = |letter: char| ('!'..='~').contains(&letter) && !matches!(letter, '"' | '\\');
    !word.is_empty() && word.chars().all(is_plain)
}
