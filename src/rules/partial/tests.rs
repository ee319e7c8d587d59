use super::*;
use bytes::Bytes;
use proptest::prelude::*;

const BOUNDARY: &str = "000102030405060708090a0b0c0d0eff";

fn terms() -> Terms {
    Terms::new(|| [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255])
}

/// The fields of a complete response.
fn fields() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("date", "Sun, 13 Sep 2020 12:26:40 GMT"),
        ("etag", "\"1\""),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "10"),
        ("content-digest", "sha-256=:AA==:"),
        ("repr-digest", "sha-256=:AA==:"),
        ("trailer", "x-sum"),
        ("cache-control", "max-age=60"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// The head and what goes with it, for this Range of `length` bytes.
fn asked(range: &str, headers: HeaderMap, length: u64, terms: &Terms) -> (u16, HeaderMap, Content) {
    let mut request = HeaderMap::new();
    request.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
    let (mut status, mut headers) = (StatusCode::OK, headers);
    let content = partial(&request, &mut status, &mut headers, length, terms);
    (status.as_u16(), headers, content)
}

fn sent(content: Content, body: &[&[u8]]) -> Vec<u8> {
    let Content::Parts(mut parts) = content else { panic!("there are parts") };
    let mut all = Vec::new();
    for piece in body {
        let mut source = Bytes::copy_from_slice(piece);
        while let Some(piece) = parts.next(&mut source) {
            assert!(!piece.is_empty());
            all.extend(piece);
        }
    }
    assert!(parts.is_done());
    all
}

/// The fields and bytes of each part: RFC 2046 §5.1.1, with nothing before the first part and nothing behind the last.
fn parsed(kind: &str, content: &[u8]) -> Vec<(String, Vec<u8>)> {
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let content = [b"\r\n", content].concat();
    let mut at: Vec<usize> =
        (0..content.len()).filter(|at| content[*at..].starts_with(&delimiter)).collect();
    let close = at.pop().unwrap();
    assert_eq!(&content[close + delimiter.len()..], b"--\r\n");
    assert_eq!(at[0], 0);
    let mut ends = at[1..].to_vec();
    ends.push(close);
    let part = |(start, end): (&usize, usize)| {
        let part = content[start + delimiter.len()..end].strip_prefix(b"\r\n").unwrap();
        let head = (0..part.len()).find(|at| part[*at..].starts_with(b"\r\n\r\n")).unwrap();
        (String::from_utf8(part[..head].to_vec()).unwrap(), part[head + 4..].to_vec())
    };
    at.iter().zip(ends).map(part).collect()
}

#[test]
fn one_range_has_the_head_of_the_whole_and_its_own_range_and_length() {
    // One that is left of several is one.
    for range in ["bytes=2-4", "bytes=2-4,10-"] {
        let (status, headers, content) = asked(range, fields(), 10, &terms());
        let mut expected = fields();
        expected.remove("trailer");
        expected.remove("content-digest");
        expected.insert("content-length", HeaderValue::from_static("3"));
        expected.insert("content-range", HeaderValue::from_static("bytes 2-4/10"));
        assert_eq!((status, headers), (206, expected), "{range}");
        assert_eq!(sent(content, &[b"0123456789"]), b"234");
    }
}

#[test]
fn several_ranges_are_a_multipart() {
    let mut whole = fields();
    // It would speak of all parts.
    whole.insert("content-range", HeaderValue::from_static("bytes 0-9/10"));
    let (status, headers, content) = asked("bytes=0-1,2-2,-1", whole, 10, &terms());
    let text = format!(
        "--{BOUNDARY}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n\
         --{BOUNDARY}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 2-2/10\r\n\r\n2\r\n\
         --{BOUNDARY}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n\
         --{BOUNDARY}--\r\n"
    );
    let mut expected = fields();
    expected.remove("trailer");
    expected.remove("content-digest");
    expected.insert("content-length", HeaderValue::from(text.len()));
    let kind = format!("multipart/byteranges; boundary={BOUNDARY}");
    expected.insert("content-type", HeaderValue::from_str(&kind).unwrap());
    assert_eq!((status, headers), (206, expected));
    assert_eq!(sent(content, &[b"0123456789"]), text.as_bytes());
}

#[test]
fn a_part_has_the_content_types_of_the_whole_and_none_where_it_has_none() {
    let (_, headers, content) = asked("bytes=0-0,2-2", HeaderMap::new(), 10, &terms());
    let kind = headers["content-type"].to_str().unwrap();
    let parts = parsed(kind, &sent(content, &[b"0123456789"]));
    assert_eq!(parts[0], ("Content-Range: bytes 0-0/10".to_owned(), b"0".to_vec()));
    let mut two = fields();
    two.append("content-type", HeaderValue::from_static("text/html"));
    let (_, headers, content) = asked("bytes=0-0,2-2", two, 10, &terms());
    assert_eq!(headers.get_all("content-type").iter().count(), 1);
    let kind = headers["content-type"].to_str().unwrap();
    let lines = "Content-Type: text/plain; charset=utf-8\r\nContent-Type: text/html\r\n\
                 Content-Range: bytes 2-2/10";
    assert_eq!(parsed(kind, &sent(content, &[b"0123456789"]))[1].0, lines);
}

#[test]
fn nothing_of_it_is_a_416_with_little_more_than_its_length() {
    let mut whole = fields();
    whole.append("date", HeaderValue::from_static("Sun, 13 Sep 2020 12:26:41 GMT"));
    let (status, headers, content) = asked("bytes=10-,20-", whole, 10, &terms());
    assert!(matches!(content, Content::Empty));
    assert_eq!((status, headers.keys_len()), (416, 4));
    assert_eq!(headers.get_all("date").iter().count(), 2);
    assert_eq!(headers["content-range"], "bytes */10");
    assert_eq!(headers["content-length"], "0");
    assert_eq!(headers["cache-control"], "no-store");
}

#[test]
fn what_is_ignored_changes_nothing_and_draws_no_boundary() {
    let terms = Terms::new(|| panic!("nobody needs one"));
    for range in ["bytes=0-1,1-2", "items=0-1"] {
        let (status, headers, content) = asked(range, fields(), 10, &terms);
        assert!(matches!(content, Content::Whole));
        assert_eq!((status, headers), (200, fields()));
    }
    assert_eq!(asked("bytes=0-1", fields(), 10, &terms).0, 206);
    assert_eq!(asked("bytes=10-", fields(), 10, &terms).0, 416);
}

#[test]
fn ranges_are_bounded_whatever_is_set() {
    let of = |count: u64| (0..count).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
    let status =
        |count, terms: Terms| asked(&format!("bytes={}", of(count)), fields(), 99, &terms).0;
    assert_eq!((status(8, terms()), status(9, terms())), (206, 200));
    let most = terms().ranges_max(usize::MAX);
    assert_eq!((status(64, most), status(65, most)), (206, 200));
    let few = terms().ranges_max(2);
    assert_eq!((status(2, few), status(3, few)), (206, 200));
    assert_eq!(status(1, terms().ranges_max(0)), 200);
}

proptest! {
    /// With a body that itself looks like a multipart with another boundary.
    #[test]
    fn a_multipart_holds_the_bytes_of_each_range(
        steps in prop::collection::vec((0..20usize, 1..30usize), 2..8),
        cuts in prop::collection::vec(0..40usize, 0..20),
    ) {
        let body = format!("\r\n--x\r\n\r\n--{}--\r\n", &BOUNDARY[1..]).repeat(9).into_bytes();
        let (mut end, mut ranges) = (0, Vec::new());
        for (gap, count) in steps {
            ranges.push(end + gap..end + gap + count);
            end += gap + count;
        }
        ranges.retain(|range| range.end <= body.len());
        prop_assume!(ranges.len() > 1);
        let asked_for: Vec<_> =
            ranges.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
        let asked_for = format!("bytes={}", asked_for.join(", "));
        let length = body.len() as u64;
        let (status, headers, content) = asked(&asked_for, fields(), length, &terms());
        let (mut rest, mut pieces) = (&body[..], Vec::new());
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        pieces.push(rest);
        let got = sent(content, &pieces);
        prop_assert_eq!(status, 206);
        prop_assert_eq!(&headers["content-length"], &HeaderValue::from(got.len()));
        let parts = parsed(headers["content-type"].to_str().unwrap(), &got);
        let expected: Vec<_> = ranges
            .into_iter()
            .map(|range| {
                let lines = format!(
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {}-{}/{length}",
                    range.start,
                    range.end - 1,
                );
                (lines, body[range].to_vec())
            })
            .collect();
        prop_assert_eq!(parts, expected);
    }
}
