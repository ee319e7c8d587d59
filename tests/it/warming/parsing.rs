//! Any bytes are a sitemap or a clear error.

use std::error::Error;

use proptest::prelude::*;
use tower_keep::cache::{Sitemap, SitemapError, SitemapErrorKind};

const SITEMAP: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <?style href=\"a\"?><!-- <loc>http://a.test/comment</loc> -->\n\
    <s:urlset xmlns:s=\"http://www.sitemaps.org/schemas/sitemap/0.9\" xmlns:image=\"x\">\n\
      <s:url>\n        <s:loc>\n  http://a.test/1?a&amp;b&#x3d;c  </s:loc>\n\
        <s:lastmod>2020-01-01</s:lastmod><s:priority/>\n\
        <image:image><image:loc>http://a.test/image</image:loc></image:image>\n\
        <image:loc>http://a.test/image</image:loc>\n\
      </s:url>\n\
      <s:url><s:loc><![CDATA[http://a.test/2?a&b]]></s:loc></s:url >\n\
      <s:url><s:loc>http://a.test/<!-- here -->caf\u{e9}</s:loc></s:url>\n\
      <s:url><s:loc>http://a.test/4#part</s:loc></s:url><s:url><s:loc/></s:url><s:url/>\n\
      <s:other><s:loc>http://a.test/other</s:loc></s:other>\n\
    </s:urlset>\n<!-- the end -->\n";

fn parse(document: impl AsRef<[u8]>) -> Result<Sitemap, SitemapError> {
    Sitemap::parse(document.as_ref())
}

fn kind(document: impl AsRef<[u8]>) -> SitemapErrorKind {
    parse(document).unwrap_err().kind()
}

#[test]
fn the_locations_of_entries_are_taken_and_nothing_else() {
    let sitemap = parse(SITEMAP).unwrap();
    let expected = [
        "http://a.test/1?a&b=c",
        "http://a.test/2?a&b",
        "http://a.test/caf%C3%A9",
        "http://a.test/4",
    ];
    assert_eq!(sitemap.urls(), expected);
    assert!(!sitemap.is_index());
    // The empty one.
    assert_eq!(sitemap.skipped(), 1);
}

#[test]
fn an_index_lists_sitemaps() {
    let document = "<sitemapindex><sitemap><loc>http://a.test/1</loc></sitemap>\
        <url><loc>http://a.test/2</loc></url></sitemapindex>";
    let index = parse(document).unwrap();
    assert!(index.is_index());
    assert_eq!(index.urls(), ["http://a.test/1"]);
    assert_eq!(parse("<urlset/>").unwrap().urls(), [""; 0]);
}

#[test]
fn what_is_malformed_is_told_by_kind() {
    use SitemapErrorKind::{Depth, Doctype, Encoding, Entity, Malformed, Root, TooLong};
    let utf_16: Vec<u8> = "<urlset/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = "a".repeat(9_000);
    let cases: Vec<(Vec<u8>, SitemapErrorKind)> = vec![
        (b"".into(), Malformed),
        (b" \n".into(), Malformed),
        (b"http://a.test/1\nhttp://a.test/2\n".into(), Malformed),
        (b"{}".into(), Malformed),
        (b"<!doctype html><html></html>".into(), Doctype),
        (b"<html><body></body></html>".into(), Root),
        (b"<URLSET/>".into(), Root),
        (b"<urlset".into(), Malformed),
        (b"<urlset>".into(), Malformed),
        (b"<urlset></urlse>".into(), Malformed),
        (b"<urlset></url></urlset>".into(), Malformed),
        (b"<urlset/></urlset>".into(), Malformed),
        (b"<urlset/><urlset/>".into(), Malformed),
        (b"<urlset/>text".into(), Malformed),
        (b"text<urlset/>".into(), Malformed),
        (b"<![CDATA[]]><urlset/>".into(), Malformed),
        (b"<urlset/><?xml version='1.0'?>".into(), Malformed),
        (b"<urlset><!-- </urlset>".into(), Malformed),
        (b"<urlset>&amp</urlset>".into(), Malformed),
        (b"<urlset>&nbsp;</urlset>".into(), Entity),
        (b"<urlset>&#0;</urlset>".into(), Entity),
        (b"<urlset>&#xD800;</urlset>".into(), Entity),
        (b"<urlset>&#x110000;</urlset>".into(), Entity),
        (b"<urlset>&#;</urlset>".into(), Entity),
        (b"\xff\xfe<\0u\0".into(), Encoding),
        (utf_16, Encoding),
        (b"\x1f\x8b\x08\x00".into(), Encoding),
        (b"<urlset>\xc3</urlset>".into(), Encoding),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><urlset/>".into(), Encoding),
        (b"<?xml version='1.0' encoding='UTF-16'?><urlset/>".into(), Encoding),
        (format!("<urlset><url><loc>http://a.test/{long}</loc></url></urlset>").into(), TooLong),
        (format!("<urlset><url><loc>{}", "<![CDATA[12345678]]>".repeat(1_025)).into(), TooLong),
        (format!("<urlset><url><loc>{}", "&amp;".repeat(8_193)).into(), TooLong),
        (format!("<urlset>{}", "<url>".repeat(16)).into(), Depth),
        (format!("<{long}:urlset/>").into(), Root),
    ];
    for (document, expected) in cases {
        let error = parse(&document).unwrap_err();
        let shown = String::from_utf8_lossy(&document[..document.len().min(60)]).into_owned();
        assert_eq!(error.kind(), expected, "{shown}");
        assert!(error.offset().unwrap() <= document.len() as u64, "{shown}");
        assert!(error.source().is_none() && error.to_string().contains("at byte"), "{shown}");
    }
}

#[test]
fn what_is_harmless_is_read() {
    for document in [
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?><urlset/>",
        "<?xml version='1.0' encoding='US-ASCII'?><urlset></urlset>",
        "\n<?xml version='1.0'?><urlset/>\n\n",
        "<urlset>text <unknown a='1' a='2' b=c/> &lt;&quot;&apos;&gt;</urlset>",
    ] {
        assert!(parse(document).is_ok(), "{document}");
    }
}

/// Entities can only be declared in a document type declaration.
#[test]
fn a_bomb_of_entities_does_not_go_off() {
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE b [<!ENTITY a0 \"aaaaaaaaaa\">");
    for level in 1..12 {
        let references = format!("&a{};", level - 1).repeat(10);
        bomb += &format!("<!ENTITY a{level} \"{references}\">");
    }
    bomb += "]><urlset><url><loc>http://a.test/&a11;</loc></url></urlset>";
    assert_eq!(kind(&bomb), SitemapErrorKind::Doctype);
    let external = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><urlset>&a;</urlset>";
    assert_eq!(kind(external), SitemapErrorKind::Doctype);
}

#[test]
fn deep_nesting_ends_early() {
    let deep = format!("<urlset>{}", "<a>".repeat(1 << 20));
    let error = parse(deep).unwrap_err();
    assert_eq!(error.kind(), SitemapErrorKind::Depth);
    assert!(error.offset().unwrap() < 100);
}

#[test]
fn the_first_50_000_urls_are_kept() {
    let document =
        format!("<urlset>{}</urlset>", "<url><loc>http://a.test/</loc></url>".repeat(50_003));
    let sitemap = parse(document).unwrap();
    assert_eq!((sitemap.urls().len(), sitemap.skipped()), (50_000, 3));
}

#[test]
fn every_truncation_is_an_error_until_the_root_is_closed() {
    let closed = SITEMAP.find("</s:urlset>").unwrap() + "</s:urlset>".len();
    for length in 0..=SITEMAP.len() {
        let result = parse(&SITEMAP.as_bytes()[..length]);
        if length < closed {
            assert!(result.is_err(), "{length}");
        }
    }
    assert!(parse(&SITEMAP.as_bytes()[..closed]).is_ok());
}

#[test]
fn every_changed_byte_gives_an_answer() {
    for at in 0..SITEMAP.len() {
        for byte in [0, b'<', b'>', b'&', b';', b'"', b'!', b'?', b'/', b']', b'-', 0x80, 0xff] {
            let mut document = SITEMAP.as_bytes().to_vec();
            document[at] = byte;
            if let Ok(sitemap) = parse(&document) {
                assert!(sitemap.urls().len() <= 8);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(document: Vec<u8>) {
        let _ = parse(document);
    }

    #[test]
    fn any_pieces_of_xml_give_an_answer(pieces in prop::collection::vec(piece(), 0..40)) {
        if let Ok(sitemap) = parse(pieces.concat()) {
            for url in sitemap.urls() {
                prop_assert!(url.scheme().is_some() && url.authority().is_some());
            }
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<urlset>",
        "</urlset>",
        "<sitemapindex>",
        "</sitemapindex>",
        "<url>",
        "</url>",
        "<sitemap>",
        "</sitemap>",
        "<loc>",
        "</loc>",
        "<loc/>",
        "http://a.test/",
        "&amp;",
        "&#32;",
        "&",
        ";",
        "<",
        ">",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml ",
        "?>",
        "<!DOCTYPE",
        "[",
        "]",
        "\"",
        "'",
        "=",
        " ",
        "a",
        "\u{feff}",
        "\u{e9}",
        "</",
        "/>",
        "<!",
        "<?",
    ])
}
