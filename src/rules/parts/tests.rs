use super::*;
use proptest::prelude::*;

fn part(lead: &'static str, range: Range<u64>) -> Part {
    Part { lead: Bytes::from_static(lead.as_bytes()), range }
}

/// All that comes while the body comes in these pieces, each piece's length told beforehand.
fn sent(parts: &mut Parts, body: &[&[u8]]) -> Vec<Bytes> {
    let mut all = Vec::new();
    for piece in [&[][..]].iter().chain(body) {
        let mut source = Bytes::copy_from_slice(piece);
        let before = parts.length();
        let count = all.len();
        while let Some(piece) = parts.next(&mut source) {
            assert!(!piece.is_empty());
            all.push(piece);
        }
        let came: usize = all[count..].iter().map(Bytes::len).sum();
        assert_eq!(parts.length(), before - came as u64);
        assert_eq!(parts.is_done(), parts.length() == 0);
        assert!(source.is_empty() || parts.is_done(), "it takes what there is");
    }
    all
}

#[test]
fn a_single_range_is_its_bytes_alone() {
    let mut parts = Parts::single(2..5);
    assert_eq!((parts.length(), parts.is_done()), (3, false));
    assert_eq!(sent(&mut parts, &[b"0123456789"]), ["234"]);
    assert!(parts.is_done());
    let mut parts = Parts::single(2..5);
    assert_eq!(sent(&mut parts, &[b"0", b"", b"123", b"4", b"56"]), ["23", "4"]);
    assert!(parts.is_done());
}

#[test]
fn leads_come_as_soon_as_they_are_due_and_the_closing_last() {
    let parts = [part("<a>", 0..1), part("<b>", 1..2), part("<c>", 4..6)];
    let mut parts = Parts::new(parts, Bytes::from_static(b"</>"));
    assert_eq!(parts.length(), 3 + 1 + 3 + 1 + 3 + 2 + 3);
    let mut none = Bytes::new();
    assert_eq!(parts.next(&mut none).unwrap(), "<a>");
    assert_eq!(parts.next(&mut none), None);
    let mut first = Bytes::from_static(b"01");
    let (one, two, three) =
        (parts.next(&mut first), parts.next(&mut first), parts.next(&mut first));
    assert_eq!(
        (one.unwrap(), two.unwrap(), three.unwrap()),
        ("0".into(), "<b>".into(), "1".into())
    );
    assert_eq!(parts.next(&mut none).unwrap(), "<c>");
    assert_eq!(parts.next(&mut none), None);
    let mut second = Bytes::from_static(b"23456");
    assert_eq!(parts.next(&mut second).unwrap(), "45");
    assert!(!parts.is_done());
    assert_eq!(parts.next(&mut none).unwrap(), "</>");
    assert!(parts.is_done());
    assert_eq!(parts.next(&mut second), None);
    assert_eq!(second, "6", "what is behind the last part stays");
}

#[test]
fn nothing_is_copied() {
    let body = Bytes::from_static(b"0123456789");
    let mut source = body.clone();
    let piece = Parts::single(3..6).next(&mut source).unwrap();
    assert_eq!(piece.as_ptr(), body.slice(3..).as_ptr());
}

#[test]
fn bytes_are_counted_beyond_what_a_body_can_have() {
    let mut parts = Parts::single(u64::MAX - 2..u64::MAX);
    assert_eq!(parts.length(), 2);
    assert_eq!(sent(&mut parts, &[b"0123"]), [""; 0]);
    assert_eq!(parts.length(), 2);
    let parts = Parts::new([part("x", 0..u64::MAX)], Bytes::from_static(b"x"));
    assert_eq!(parts.length(), u64::MAX);
}

proptest! {
    #[test]
    fn however_the_body_is_cut_the_bytes_are_the_same(
        steps in prop::collection::vec((0..5u64, 1..9u64, "[a-z]{0,4}"), 1..6),
        cuts in prop::collection::vec(0..9usize, 0..40),
        closing in "[A-Z]{0,4}",
        behind in 0..9usize,
    ) {
        let (mut end, mut parts) = (0, Vec::new());
        for (gap, count, lead) in steps {
            let start = end + gap;
            end = start + count;
            parts.push((lead, start..end));
        }
        let body: Vec<u8> = (0..end as usize + behind).map(|at| at as u8).collect();
        let mut expected: Vec<u8> = Vec::new();
        for (lead, Range { start, end }) in &parts {
            expected.extend(lead.as_bytes());
            expected.extend(&body[*start as usize..*end as usize]);
        }
        expected.extend(closing.as_bytes());
        let (mut rest, mut pieces) = (&body[..], Vec::new());
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        pieces.push(rest);
        for pieces in [&[&body[..]][..], &pieces] {
            let lead = |(lead, range): &(String, Range<u64>)| {
                Part { lead: lead.clone().into(), range: range.clone() }
            };
            let mut machine = Parts::new(parts.iter().map(lead), closing.clone().into());
            prop_assert_eq!(machine.length(), expected.len() as u64);
            prop_assert_eq!(&sent(&mut machine, pieces).concat(), &expected);
            prop_assert!(machine.is_done());
        }
    }
}
