//! Turns a record into what of it is too long to be found by: its key, and the texts that the store keeps an index of.
//!
//! What an entry of an index may hold is limited (some 2,700 bytes in PostgreSQL), and a database says so only when it is
//! written, to everybody who is written with it. So it is said here, to whoever sent it, and the same on every database.
//! Names, addresses and codes are far shorter.

use crate::description::RecordType;
use crate::json::{Json, Pointer};
use crate::limits::{INDEX_BYTES_MAX, KEY_BYTES_MAX};
use crate::note::Note;

/// The code of what is too long; a schema's own limit has the same.
const CODE: &str = "maxLength";

/// What is too long in a record that is called `key` and says `body`; places are within the record.
pub(crate) fn too_long(of: &RecordType, key: Option<&str>, body: &Json<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    if key.is_some_and(|key| stored_bytes(key) > KEY_BYTES_MAX) {
        let message = format!("must have a key of at most {KEY_BYTES_MAX} bytes");
        let field = of.key.last().map_or_else(String::new, |field| field.path.join("."));
        notes.push(
            Note::new(Pointer::root(), CODE, message).with("field", field).with("limit", KEY_BYTES_MAX.to_string()),
        );
    }
    for members in &of.indexes {
        let texts = members.iter().filter_map(|member| Some((member, stored_bytes(body.get(member)?.as_text()?))));
        let texts: Vec<_> = texts.collect();
        if texts.iter().map(|(_, bytes)| bytes).sum::<usize>() <= INDEX_BYTES_MAX {
            continue;
        }
        let Some((member, _)) = texts.iter().max_by_key(|(_, bytes)| bytes) else { continue };
        let most = INDEX_BYTES_MAX / texts.len();
        let pointer = Pointer::root().member(member);
        if notes.iter().all(|note| note.pointer != pointer) {
            let message = format!("must be at most {most} bytes long, because records are found by it");
            notes.push(Note::new(pointer, CODE, message).with("field", *member).with("limit", most.to_string()));
        }
    }
    notes
}

/// Bytes of a text as every database can hold it: one puts a character of three in the place of NUL.
fn stored_bytes(text: &str) -> usize {
    text.len() + 2 * text.bytes().filter(|byte| *byte == 0).count()
}

#[cfg(test)]
mod tests {
    use super::too_long;
    use crate::description::RecordType;
    use crate::json::Json;
    use crate::limits::{INDEX_BYTES_MAX, KEY_BYTES_MAX};

    #[test]
    fn what_is_found_by_it_is_short() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let book = RecordType { indexes: vec![names(&["title"]), names(&["shelf", "slot"])], ..RecordType::default() };
        let places = |key: usize, title: String, shelf: usize, slot: usize| {
            let (shelf, slot) = ("s".repeat(shelf), "t".repeat(slot));
            let body = serde_json::json!({"title": title, "shelf": shelf, "slot": slot, "blurb": "b".repeat(9_999)});
            let (key, text) = ("k".repeat(key), body.to_string());
            let notes = too_long(&book, Some(&key), &Json::parse(text.as_bytes(), 9).unwrap());
            notes.iter().map(|note| format!("{}<{}", note.pointer, note.words["limit"])).collect::<Vec<_>>()
        };
        let (most, half) = (INDEX_BYTES_MAX, INDEX_BYTES_MAX / 2);
        assert_eq!(places(KEY_BYTES_MAX, "a".repeat(most), half, half), Vec::<String>::new());
        assert_eq!(places(KEY_BYTES_MAX + 1, String::new(), 0, 0), [format!("<{KEY_BYTES_MAX}")]);
        assert_eq!(places(1, "é".repeat(half + 1), 0, 0), [format!("/title<{most}")], "bytes count");
        assert_eq!(places(1, "\0".repeat(most / 3 + 1), 0, 0), [format!("/title<{most}")], "as they are stored");
        assert_eq!(
            places(1, String::new(), half, half + 1),
            [format!("/slot<{half}")],
            "the longest of those together"
        );
    }
}
