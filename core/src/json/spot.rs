//! Turns a place in a payload into where in its bytes that is, and what stands there by shape: for people, who look at
//! lines and columns.

use jiter::{Jiter, Peek};

use super::{Json, Pointer};

/// Levels of nesting in what is looked at only for its shape.
const DEPTH_MAX: u32 = 1_024;

/// Where something stands in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What stands there, by shape: see [`Json::shape`].
    pub shape: String,
    /// Whether it is what was looked for, or only the innermost thing around that.
    pub is_there: bool,
}

impl Spot {
    /// Looks for what stands at `pointer`, or the innermost thing around it, as far as the bytes are JSON; `None` if there
    /// is nothing at all.
    pub fn find(bytes: &[u8], pointer: &Pointer) -> Option<Self> {
        let mut jiter = Jiter::new(bytes);
        let mut peek = jiter.peek().ok()?;
        let mut start = jiter.current_index();
        let mut is_there = true;
        for step in pointer.steps() {
            if let Some(found) = descend(&mut jiter, peek, &step) {
                peek = found;
                start = jiter.current_index();
            } else {
                is_there = false;
                break;
            }
        }
        let shape = if is_there {
            jiter.known_skip(peek).ok()?;
            Json::parse(bytes.get(start..jiter.current_index())?, DEPTH_MAX).ok()?.shape()
        } else {
            "nothing".to_owned()
        };
        let before = str::from_utf8(bytes.get(..start)?).ok()?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Some(Self { line, column, shape, is_there })
    }
}

/// Goes to the member or item that a step names.
fn descend(jiter: &mut Jiter<'_>, at: Peek, step: &str) -> Option<Peek> {
    if at == Peek::Array {
        let mut left = step.parse::<usize>().ok()?;
        let mut item = jiter.known_array().ok()??;
        while left > 0 {
            jiter.known_skip(item).ok()?;
            item = jiter.array_step().ok()??;
            left -= 1;
        }
        return Some(item);
    }
    if at != Peek::Object {
        return None;
    }
    let mut is_meant = jiter.known_object().ok()?? == step;
    while !is_meant {
        jiter.next_skip().ok()?;
        is_meant = jiter.next_key().ok()?? == step;
    }
    jiter.peek().ok()
}

#[cfg(test)]
mod tests {
    use super::Spot;
    use crate::json::Pointer;

    const PAYLOAD: &[u8] =
        "{\n  \"é\": 1, \"rooms\": [\n    {\"id\": 7, \"a/b\": \"x\"},\n    {\"id\": \"08\"}\n  ]\n}".as_bytes();

    #[test]
    fn places_have_lines_columns_and_shapes() {
        let table = [
            ("", 1, 1, "an object", true),
            ("/é", 2, 8, "an integer", true),
            ("/rooms", 2, 20, "a list of 2", true),
            ("/rooms/0/a~1b", 3, 22, "text of 1 characters", true),
            ("/rooms/1/id", 4, 12, "text of 2 characters, all digits", true),
            ("/rooms/1/name", 4, 5, "nothing", false),
            ("/rooms/2/id", 2, 20, "nothing", false),
            ("/rooms/x", 2, 20, "nothing", false),
            ("/é/deeper", 2, 8, "nothing", false),
        ];
        for (pointer, line, column, shape, is_there) in table {
            let found = Spot::find(PAYLOAD, &Pointer::from(pointer)).unwrap();
            assert_eq!(found, Spot { line, column, shape: shape.to_owned(), is_there }, "{pointer}");
        }
    }

    #[test]
    fn what_is_empty_has_no_places() {
        for bytes in ["", " \n"] {
            assert_eq!(Spot::find(bytes.as_bytes(), &Pointer::from("/a")), None);
        }
    }
}
