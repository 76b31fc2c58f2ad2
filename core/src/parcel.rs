//! Turns what many records say into parcels: their bytes beside each other, compressed, and taken out again one by one.
//!
//! Records of one kind look alike, so that an eighth of them is left where they are compressed together, and half where
//! each is by itself. Who goes through records in their order opens every parcel once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use crate::compression::{compress, decompress};

/// Bytes that go into one parcel; the last one may reach beyond.
pub const PARCEL_BYTES: usize = 16 << 10;

/// What a record says, canonical JSON.
#[derive(Debug, Clone)]
pub struct Content<'a>(Kept<'a>);

#[derive(Debug, Clone)]
enum Kept<'a> {
    Loose(Cow<'a, [u8]>),
    Packed { parcel: Arc<Parcel>, start: u32, length: u32 },
}

/// Bytes that are compressed together.
#[derive(Debug)]
struct Parcel {
    compressed: Box<[u8]>,
    /// How many there are.
    length: usize,
}

/// A parcel, and what is in it.
type Opened = (Arc<Parcel>, Vec<u8>);

thread_local! {
    /// The parcel that was opened last.
    static OPENED: RefCell<Option<Opened>> = const { RefCell::new(None) };
}

impl Content<'_> {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Loose(bytes) => bytes.len(),
            Kept::Packed { length, .. } => *length as usize,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, if they are in no parcel.
    pub fn loose(&self) -> Option<&[u8]> {
        if let Kept::Loose(bytes) = &self.0 { Some(bytes) } else { None }
    }

    /// Its bytes; out of its parcel, if it is in one.
    pub fn read(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Kept::Loose(bytes) => Cow::Borrowed(bytes),
            Kept::Packed { parcel, start, length } => {
                let (start, length) = (*start as usize, *length as usize);
                Cow::Owned(OPENED.with_borrow_mut(|opened| opened_of(opened, parcel)[start..start + length].to_vec()))
            }
        }
    }

    /// The same, for who looks at it.
    pub fn borrowed(&self) -> Content<'_> {
        match &self.0 {
            Kept::Loose(bytes) => Content(Kept::Loose(Cow::Borrowed(bytes))),
            kept @ Kept::Packed { .. } => Content(kept.clone()),
        }
    }

    /// The same, which outlives what it was read from.
    pub fn into_owned(self) -> Content<'static> {
        Content(match self.0 {
            Kept::Loose(bytes) => Kept::Loose(Cow::Owned(bytes.into_owned())),
            Kept::Packed { parcel, start, length } => Kept::Packed { parcel, start, length },
        })
    }
}

/// What is in a parcel, which is the one that was opened last from now on.
fn opened_of<'o>(opened: &'o mut Option<Opened>, parcel: &Arc<Parcel>) -> &'o [u8] {
    if !opened.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, parcel)) {
        *opened = None;
    }
    let (_, bytes) = opened.get_or_insert_with(|| {
        let bytes = decompress(&parcel.compressed, parcel.length);
        (Arc::clone(parcel), bytes.unwrap_or_else(|_| unreachable!("it was compressed here")))
    });
    bytes
}

impl<'a> From<Cow<'a, [u8]>> for Content<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        Self(Kept::Loose(bytes))
    }
}

impl From<Vec<u8>> for Content<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Kept::Loose(Cow::Owned(bytes)))
    }
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Kept::Loose(Cow::Borrowed(bytes)))
    }
}

/// Two say the same, however each is kept.
impl PartialEq for Content<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.read() == other.read()
    }
}

/// Puts those that are in no parcel yet into parcels, in their order.
pub fn pack<'c, 'a: 'c>(contents: impl IntoIterator<Item = &'c mut Content<'a>>) {
    let mut together = Vec::new();
    let mut size = 0;
    for content in contents {
        if let Some(bytes) = content.loose() {
            size += bytes.len();
            together.push(content);
        }
        if size >= PARCEL_BYTES {
            pack_together(std::mem::take(&mut together), std::mem::take(&mut size));
        }
    }
    pack_together(together, size);
}

fn pack_together(contents: Vec<&mut Content<'_>>, size: usize) {
    let mut bytes = Vec::with_capacity(size);
    let mut places = Vec::with_capacity(contents.len());
    for content in &contents {
        let (Ok(start), Ok(length)) = (u32::try_from(bytes.len()), u32::try_from(content.len())) else { return };
        bytes.extend_from_slice(content.loose().unwrap_or_default());
        places.push((start, length));
    }
    let Ok(compressed) = compress(&bytes) else { return };
    let parcel = Arc::new(Parcel { compressed: compressed.into_boxed_slice(), length: bytes.len() });
    for (content, (start, length)) in contents.into_iter().zip(places) {
        content.0 = Kept::Packed { parcel: Arc::clone(&parcel), start, length };
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, PARCEL_BYTES, pack};

    #[test]
    fn what_is_in_parcels_is_what_was_put_into_them() {
        let text = |nth: usize| format!(r#"{{"id":{nth},"name":"{}"}}"#, "a reader ".repeat(nth % 900)).into_bytes();
        let mut contents: Vec<Content<'_>> = (0..1_000).map(|nth| Content::from(text(nth))).collect();
        contents[3] = Content::from(Vec::new());
        let all =
            |contents: &[Content<'_>]| contents.iter().map(|content| content.read().into_owned()).collect::<Vec<_>>();
        let before = all(&contents);
        pack(contents[..10].iter_mut());
        pack(contents.iter_mut());
        assert!(contents.iter().all(|content| content.loose().is_none()));
        assert_eq!(all(&contents), before);
        assert!(before.iter().map(Vec::len).sum::<usize>() > 9 * PARCEL_BYTES, "there are several parcels");
        assert_eq!((contents[3].is_empty(), contents[4].len()), (true, before[4].len()));
        let backwards: Vec<_> = contents.iter().rev().map(|content| content.read().into_owned()).collect();
        assert!(backwards.iter().rev().eq(&before));
        assert!(contents[4] == Content::from(text(4)) && contents[4] != contents[5]);
    }
}
