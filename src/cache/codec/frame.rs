//! Where the parts of a frame stand. Nothing here is believed yet: lengths are held against the bytes that
//! are there, and the proofs are for the codec to check.

use crate::cache::codec::wire::Reader;

/// How a frame is proved, by the number that stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Form {
    Plain = 0,
    #[cfg_attr(not(feature = "seal"), expect(dead_code, reason = "its number stays taken"))]
    Authenticated = 1,
    #[cfg_attr(not(feature = "seal"), expect(dead_code, reason = "its number stays taken"))]
    Encrypted = 2,
}

/// What a frame holds, by the number that stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Response = 0,
    Index = 1,
    Root = 2,
}

/// The start of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) kind: Kind,
    /// Which key made the proofs; zero where there is none.
    pub(super) key_id: u32,
    head_bytes: u32,
    body_bytes: u64,
}

/// A frame's parts as they stand there; the body may not have come yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) header: Header,
    #[cfg_attr(
        not(feature = "seal"),
        expect(dead_code, reason = "only encrypted frames have one")
    )]
    pub(super) nonce: &'a [u8],
    pub(super) head: Sealed<'a>,
    rest: &'a [u8],
}

/// A part and what proves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) proof: &'a [u8],
}

impl Kind {
    pub(super) fn read(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Response),
            1 => Some(Self::Index),
            2 => Some(Self::Root),
            _ => None,
        }
    }
}

impl Form {
    pub(super) fn proof_bytes(self) -> usize {
        match self {
            Self::Plain => 8,
            Self::Authenticated | Self::Encrypted => TAG_BYTES,
        }
    }

    pub(super) fn nonce_bytes(self) -> usize {
        match self {
            Self::Plain | Self::Authenticated => 0,
            Self::Encrypted => NONCE_BYTES,
        }
    }
}

impl Header {
    /// `None` where a part is longer than a frame has room for.
    pub(super) fn new(
        form: Form,
        kind: Kind,
        key_id: u32,
        head_bytes: usize,
        body_bytes: usize,
    ) -> Option<Self> {
        if head_bytes > HEAD_BYTES_MAX {
            return None;
        }
        Some(Self {
            form,
            kind,
            key_id,
            head_bytes: u32::try_from(head_bytes).ok()?,
            body_bytes: u64::try_from(body_bytes).ok()?,
        })
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [m0, m1, m2, m3] = MAGIC;
        let [k0, k1, k2, k3] = self.key_id.to_le_bytes();
        let [h0, h1, h2, h3] = self.head_bytes.to_le_bytes();
        let [b0, b1, b2, b3, b4, b5, b6, b7] = self.body_bytes.to_le_bytes();
        let (form, kind) = (self.form as u8, self.kind as u8);
        [
            m0, m1, m2, m3, VERSION, form, kind, RESERVED, k0, k1, k2, k3, h0, h1, h2, h3, b0, b1,
            b2, b3, b4, b5, b6, b7,
        ]
    }

    /// How long the whole frame is.
    pub(super) fn frame_bytes(self) -> Option<usize> {
        let (nonce, proof) = (self.form.nonce_bytes(), self.form.proof_bytes());
        let head = usize::try_from(self.head_bytes).ok()?;
        let body = usize::try_from(self.body_bytes).ok()?;
        (HEADER_BYTES + nonce + 2 * proof).checked_add(head)?.checked_add(body)
    }

    /// The header of a frame in this form; one in any other is not looked at further.
    fn read(reader: &mut Reader<'_>, form: Form) -> Option<Self> {
        let is_ours = reader.take(MAGIC.len())? == MAGIC
            && reader.u8()? == VERSION
            && reader.u8()? == form as u8;
        if !is_ours {
            return None;
        }
        let kind = Kind::read(reader.u8()?)?;
        if reader.u8()? != RESERVED {
            return None;
        }
        let header = Self {
            form,
            kind,
            key_id: reader.u32()?,
            head_bytes: reader.u32()?,
            body_bytes: reader.u64()?,
        };
        let has_key = form != Form::Plain;
        let is_sound = header.head_bytes as usize <= HEAD_BYTES_MAX
            && (has_key || header.key_id == 0)
            && (kind == Kind::Response || header.body_bytes == 0);
        is_sound.then_some(header)
    }
}

impl<'a> Frame<'a> {
    /// The frame of this form that `bytes` start with, of which the head must be there.
    pub(super) fn starting(bytes: &'a [u8], form: Form) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader, form)?;
        let nonce = reader.take(form.nonce_bytes())?;
        let head = Sealed {
            bytes: reader.take(usize::try_from(header.head_bytes).ok()?)?,
            proof: reader.take(form.proof_bytes())?,
        };
        Some(Self { header, nonce, head, rest: reader.rest() })
    }

    /// The body, where all of it is there and nothing after it.
    pub(super) fn whole_body(&self) -> Option<Sealed<'a>> {
        let length = usize::try_from(self.header.body_bytes).ok()?;
        let (bytes, proof) = self.rest.split_at_checked(length)?;
        (proof.len() == self.header.form.proof_bytes()).then_some(Sealed { bytes, proof })
    }
}

/// What no text starts with, and no other format that is known to `file`.
const MAGIC: [u8; 4] = *b"\xf5tkp";
/// Counts up with every change of what follows, head and body included.
const VERSION: u8 = 1;
/// Room for what version 1 does not say.
const RESERVED: u8 = 0;
pub(super) const HEADER_BYTES: usize = 24;
pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;
/// Fields, trailers and all else but the body; servers take no more than a part of it.
pub(super) const HEAD_BYTES_MAX: usize = 1 << 20;
