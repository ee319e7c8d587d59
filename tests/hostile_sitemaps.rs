//! How much memory it takes to read a sitemap that was made to take much. The one test of its own program:
//! nothing else allocates here.
#![allow(clippy::unwrap_used, reason = "a test may")]

use peak_alloc::PeakAlloc;
use tower_keep::cache::{Sitemap, SitemapErrorKind};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const BYTES: usize = 4 << 20;

/// The prefix, then as often as it takes to fill so many bytes, then the suffix.
fn filled(prefix: &str, piece: &str, suffix: &str) -> Vec<u8> {
    [prefix, &piece.repeat(BYTES / piece.len()), suffix].concat().into_bytes()
}

#[test]
fn a_hostile_sitemap_takes_no_more_memory_than_three_times_its_length() {
    use SitemapErrorKind::{Depth, Doctype, Malformed, Root, TooLong};
    let half = "a".repeat(BYTES / 2);
    let cases = [
        (filled("<urlset>", "<a>", ""), Some(Depth)),
        (filled("<urlset>", "<a>text</a>", "</urlset>"), None),
        (filled("<urlset><url><loc>", "a", ""), Some(TooLong)),
        (filled("<urlset><url><loc>", " ", ""), Some(TooLong)),
        (filled("<urlset><url><loc>", "&amp;", ""), Some(TooLong)),
        (filled("<urlset>text", "&#x20;", "</urlset>"), None),
        (filled("<urlset ", "a='b' ", "/>"), None),
        (filled("<urlset><", "a", "/></urlset>"), None),
        (filled("<", "a", "/>"), Some(Root)),
        (filled("<urlset><!--", "a", "--></urlset>"), None),
        (filled("<urlset><!--", "a", ""), Some(Malformed)),
        (filled("<!DOCTYPE a [", "<!ENTITY a 'b'>", "]><urlset/>"), Some(Doctype)),
        (filled("<?xml version='1.0' ", "a='b' ", "?><urlset/>"), None),
        (filled("<urlset>", "<url><loc/></url>", "</urlset>"), None),
        // Names that do not match are copied into an error.
        (format!("<urlset><{half}></b{half}>").into_bytes(), Some(Malformed)),
        // The longest URLs, of what takes the most room when it is encoded.
        (
            filled(
                "<urlset>",
                &format!("<url><loc>http://a/{}</loc></url>", "\u{e9}".repeat(4_000)),
                "</urlset>",
            ),
            None,
        ),
    ];
    for (document, expected) in cases {
        let shown = String::from_utf8_lossy(document.get(..40).unwrap()).into_owned();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let read = Sitemap::parse(&document);
        let most = MEMORY.peak_usage().saturating_sub(before);
        assert_eq!(read.err().map(|error| error.kind()), expected, "{shown}");
        assert!(most <= 3 * BYTES + (1 << 20), "{most} bytes for {shown}");
    }
    // Short URLs take more than their bytes, but there are only so many.
    let document = filled("<urlset>", "<url><loc>http://a/</loc></url>", "</urlset>");
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    assert_eq!(Sitemap::parse(&document).unwrap().urls().len(), 50_000);
    let most = MEMORY.peak_usage().saturating_sub(before);
    assert!(most <= 50_000 * 300, "{most} bytes for 50,000 URLs");
}
