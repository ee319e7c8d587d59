//! What is shown, and what must not be found in it.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

/// Stands in every secret that is text: claims, key ids, scopes that only a token has, cookies.
pub const MARK: &str = "zq7hidden";

/// Collects all that is shown, and looks for what must not be.
#[derive(Default)]
pub struct Shown {
    pub text: String,
    hidden: Vec<(String, String)>,
}

impl Shown {
    pub fn show(&mut self, what: &dyn Debug) {
        write!(self.text, "{what:?}\n{what:#?}\n").unwrap();
    }

    pub fn show_error(&mut self, error: &dyn Error) {
        self.show(&error);
        write!(self.text, "{error}\n{error:#}\n{:?}\n", error.source()).unwrap();
    }

    /// Bytes in whatever notation.
    pub fn hide_bytes(&mut self, name: &str, bytes: &[u8]) {
        let list = |numbers: String| numbers.trim_matches(['[', ']']).to_owned();
        let forms = [
            String::from_utf8_lossy(bytes).into_owned(),
            format!("{bytes:02x?}").replace(['[', ']', ',', ' '], ""),
            format!("{bytes:02X?}").replace(['[', ']', ',', ' '], ""),
            list(format!("{bytes:?}")),
            list(format!("{bytes:#?}")).replace("\n    ", " ").trim().to_owned(),
            list(format!("{bytes:x?}")),
            URL_SAFE_NO_PAD.encode(bytes),
            STANDARD.encode(bytes),
            URL_SAFE.encode(bytes),
            bytes.escape_ascii().to_string(),
        ];
        for form in forms {
            self.hide_text(name, &form);
        }
    }

    /// Every run of twelve letters of a text.
    pub fn hide_text(&mut self, name: &str, text: &str) {
        let letters: Vec<char> = text.chars().collect();
        for run in letters.windows(12.min(letters.len().max(1))) {
            self.hidden.push((name.to_owned(), run.iter().collect()));
        }
    }

    pub fn hide_token(&mut self, token: &str) {
        // The header of a token says nothing that is secret but its key id; algorithm and type stand in every one.
        for part in token.split('.').skip(1) {
            self.hide_text("part of a token", part);
        }
        self.hide_text("token", token.split('.').next().unwrap());
    }

    pub fn nothing_is_shown(&self) {
        assert!(self.text.len() > 1000, "{}", self.text);
        // What is put on several lines is looked for on one, too.
        let flat: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [&self.text, &flat] {
            assert!(!text.contains(MARK), "{text}");
            for (name, hidden) in &self.hidden {
                assert!(!text.contains(hidden), "{name} {hidden:?}: {text}");
            }
        }
    }
}
