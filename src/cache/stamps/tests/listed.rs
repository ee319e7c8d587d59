//! Stamps against a list of all purges.

use super::*;

/// What stamps are to say: the list keeps everything and is read from end to end.
struct Listed {
    stamps: Stamps,
    purges: Vec<Purged>,
}

impl Listed {
    fn standing(&self, began: Position, page: &Page) -> Standing {
        if began.ledger != self.stamps.position().ledger {
            return Standing::Unknown;
        }
        let mut targets = page.prefixes();
        targets.extend([page.resource(), page.all(), page.tags[0]]);
        let later = |purged: &&Purged| purged.at > began.mark && targets.contains(&purged.target);
        let standing = |purged: &Purged| match purged.kind {
            Hard => Standing::Gone,
            Soft => Standing::Soft,
        };
        self.purges.iter().filter(later).map(standing).max().unwrap_or(Standing::Good)
    }

    /// Whether the stamps say the same, or only that they do not know, where that is allowed.
    fn agrees(&self, began: Position, cell: &AtomicU64, page: &Page, exactly: bool) -> bool {
        let ought = self.standing(began, page);
        let good = self.stamps.is_current(cell);
        let is = self.stamps.standing(began, cell, page);
        (!good || ought == Standing::Good) && (is == ought || (!exactly && is == Standing::Unknown))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Purge { stamps: usize, page: usize, target: usize, is_soft: bool },
    Begin { stamps: usize, page: usize },
    Look { stamps: usize, entry: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let purge = (0..2usize, 0..40usize, 0..8usize, any::<bool>())
        .prop_map(|(stamps, page, target, is_soft)| Step::Purge { stamps, page, target, is_soft });
    let begin = (0..2usize, 0..40usize).prop_map(|(stamps, page)| Step::Begin { stamps, page });
    let look = (0..2usize, 0..64usize).prop_map(|(stamps, entry)| Step::Look { stamps, entry });
    prop::collection::vec(prop_oneof![2 => purge, 2 => begin, 4 => look], 0..200)
}

/// Everything is so rarely purged that the rest counts.
fn target(page: &Page, choice: usize) -> Target {
    match choice {
        0 | 1 => page.resource(),
        2 | 3 => page.tags[0],
        4 | 5 => *page.prefixes().last().unwrap(),
        6 => page.prefixes()[1],
        _ => page.all(),
    }
}

fn pages() -> Vec<Page> {
    (0..40).map(|count| Page::at(&format!("/{}/{count}", count % 3))).collect()
}

/// Entries are shared by the two: each has one cell, and a position in the ledger of one.
fn run(steps: &[Step], table_bytes_max: usize, exactly: bool) -> Result<(), TestCaseError> {
    let mut all = [1, 2].map(|ledger| Listed {
        stamps: Stamps::local(ledger, table_bytes_max),
        purges: Vec::new(),
    });
    let pages = pages();
    let mut entries = Vec::new();
    for step in steps {
        match *step {
            Step::Purge { stamps, page, target: choice, is_soft } => {
                let kind = if is_soft { Soft } else { Hard };
                let target = target(&pages[page], choice);
                let at = all[stamps].stamps.purge(target, kind, NOW).position.mark;
                all[stamps].purges.push(Purged { target, kind, at });
            }
            Step::Begin { stamps, page } => {
                entries.push((all[stamps].stamps.position(), AtomicU64::new(0), page));
            }
            Step::Look { stamps, entry } => {
                if let Some((began, cell, page)) = entries.get(entry) {
                    prop_assert!(all[stamps].agrees(*began, cell, &pages[*page], exactly));
                }
            }
        }
    }
    for (began, cell, page) in &entries {
        for listed in &all {
            prop_assert!(listed.agrees(*began, cell, &pages[*page], exactly));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stamps_say_what_a_list_of_all_purges_says(steps in steps()) {
        run(&steps, 1 << 20, true)?;
    }

    #[test]
    fn full_tables_say_unknown_and_nothing_else_instead(steps in steps()) {
        run(&steps, 600, false)?;
        run(&steps, 0, false)?;
    }

    #[test]
    fn the_order_of_learning_makes_no_difference(
        purges in prop::collection::vec((0..40usize, 0..8usize, any::<bool>()), 1..40),
        order in prop::collection::vec(any::<u32>(), 40),
        told in any::<bool>(),
    ) {
        let pages = pages();
        let purged = |(at, (page, choice, is_soft)): (usize, &(usize, usize, bool))| Purged {
            target: target(&pages[*page], *choice),
            kind: if *is_soft { Soft } else { Hard },
            at: Mark::new(at as u64 + 1),
        };
        let purges = purges.iter().enumerate().map(purged).collect::<Vec<_>>();
        let stamps = mirror(7);
        let mut shuffled = purges.clone();
        shuffled.sort_by_key(|purged| order[purged.at.as_u64() as usize - 1]);
        let cells = pages.iter().map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        let start = stamps.position();
        for purged in &shuffled {
            let at = Position { ledger: 7, mark: purged.at };
            stamps.appended(purged.target, purged.kind, at.ledger, at, NOW);
            for (cell, page) in cells.iter().zip(&pages) {
                stamps.standing(start, cell, page);
            }
        }
        let until = Position { ledger: 7, mark: Mark::new(purges.len() as u64) };
        if told {
            let all = Catch { from: Mark::new(0), until, purges: purges.clone() };
            prop_assert!(stamps.learn(stamps.heard(), &all, NOW));
        }
        let listed = Listed { stamps, purges };
        for (cell, page) in cells.iter().zip(&pages) {
            prop_assert!(listed.agrees(start, cell, page, true));
        }
        for mark in 0..=until.mark.as_u64() {
            let began = Position { ledger: 7, mark: Mark::new(mark) };
            for page in &pages {
                prop_assert!(listed.agrees(began, &AtomicU64::new(0), page, true));
            }
        }
    }
}
