//! The table of what was seen.

#[derive(Clone, Default)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) counts: Option<Counts>,
    pub(crate) seen: String,
    pub(crate) is_right: bool,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// How many changes the service took.
    pub(crate) written: usize,
    /// How many it refused.
    pub(crate) refused: usize,
    /// How many are in the note at the end.
    pub(crate) there: usize,
}

pub(crate) fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
    let line = |what: &str, [written, refused, there]: [&str; 3], seen: &str| {
        let line = format!("{what:<width$}  {written:>7}  {refused:>7}  {there:>5}  {seen}");
        line.trim_end().to_owned()
    };
    let mut lines = vec![line("", ["written", "refused", "there"], "")];
    for Row { what, counts, seen, .. } in rows {
        let counts = match counts {
            Some(Counts { written, refused, there }) => {
                [written, refused, there].map(ToString::to_string)
            }
            None => Default::default(),
        };
        lines.push(line(what, counts.each_ref().map(String::as_str), seen));
    }
    lines.join("\n")
}
