//! Turns what says which part of a list is asked for, in the query or in the body, into limit and offset, or into the
//! place that a cursor stands for.
//!
//! A cursor is opaque to clients: it is handed out in links, and read here and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_core::description::{Paging, PagingField, PagingPlace, ProblemClass};
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use rollcall_core::store::read::{Cursor, SelectPart};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// At most so many; all, where it is `None`.
    pub(super) limit: Option<u64>,
    /// So many are left out before.
    pub(super) offset: u64,
}

/// The part that a request asks for, at most `rows_max` at a time where it asks for a number of them. Pages are as long
/// as they turn out, so that one after the other shows everything.
pub(super) fn part(paging: &Paging, query: &[(String, String)], body: &Map<String, Value>, rows_max: u32) -> Part {
    let number = |field: &Option<PagingField>| field.as_ref().and_then(|field| number(field, query, body));
    let limit = number(&paging.limit).map(|limit| limit.min(u64::from(rows_max)));
    let pages_before = match (&paging.page, number(&paging.page)) {
        (Some(field), Some(page)) => page.saturating_sub(field.minimum),
        _ => 0,
    };
    let offset = number(&paging.offset).unwrap_or_default();
    match limit {
        Some(limit) => {
            let offset = offset.saturating_add(pages_before.saturating_mul(limit));
            Part { limit: Some(limit), offset }
        }
        None if pages_before > 0 => Part { limit: Some(0), offset }, // the first page holds them all
        None => Part { limit: None, offset },
    }
}

/// The part of a list that has cursors too: by the cursor where there is one, or where nothing else says a place.
pub(super) fn place(
    paging: &Paging,
    query: &[(String, String)],
    body: &Map<String, Value>,
    rows_max: u32,
) -> Result<SelectPart, Problem> {
    let Part { limit, offset } = part(paging, query, body, rows_max);
    let sent = paging.cursor.as_ref().and_then(|name| query.iter().find(|(found, _)| found == name));
    let has_pages = paging.page.is_some() || paging.offset.is_some();
    match (&paging.cursor, sent) {
        (None, _) => Ok(SelectPart::Offset { limit, offset }),
        (Some(_), None) if has_pages => Ok(SelectPart::Offset { limit, offset }),
        (Some(name), sent) => {
            let text = sent.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty());
            let at = text.map(|text| cursor(text).ok_or_else(|| unreadable(name))).transpose()?;
            Ok(SelectPart::Cursor { limit: limit.unwrap_or_else(|| u64::from(rows_max)), at })
        }
    }
}

/// The place that a client was given.
fn cursor(text: &str) -> Option<Cursor> {
    let cursor: Cursor = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
    cursor.values.iter().all(is_scalar).then_some(cursor)
}

/// A cursor of another list, or of the same in another order.
pub(super) fn foreign_cursor(paging: &Paging) -> Problem {
    unreadable(paging.cursor.as_deref().unwrap_or_default())
}

/// What a client is given for a place.
pub(super) fn text_of(cursor: &Cursor) -> String {
    let json = serde_json::to_vec(cursor).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

fn unreadable(name: &str) -> Problem {
    let message = format!("query parameter `{name}`: must be one that a link of ours led to");
    let note = Note::new(Pointer::root(), "format", message.clone()).with("field", name);
    Problem::new(ProblemClass::Invalid, "bad-request", message).with_errors(vec![note], 0)
}

/// The number in the first place where there is one, or what it is without. That it is one has been checked.
fn number(field: &PagingField, query: &[(String, String)], body: &Map<String, Value>) -> Option<u64> {
    let said = field.places.iter().find_map(|place| match place {
        PagingPlace::Query(name) => query.iter().find(|(found, _)| found == name)?.1.parse().ok(),
        PagingPlace::Body(name) => body.get(name)?.as_u64(),
    });
    Some(said.or(field.default)?.max(field.minimum))
}

#[cfg(test)]
mod tests {
    use rollcall_core::description::{Paging, PagingField, PagingPlace};
    use serde_json::json;

    use rollcall_core::store::read::{Cursor, SelectPart};

    use super::{Part, part, place, text_of};

    fn field(name: &str, default: Option<u64>, minimum: u64) -> PagingField {
        let places = vec![PagingPlace::Query(name.to_owned()), PagingPlace::Body(name.to_owned())];
        PagingField { places, default, minimum, maximum: None }
    }

    #[test]
    fn a_request_says_which_part_it_wants() {
        let (page, limit) = (Some(field("page", Some(1), 1)), Some(field("limit", None, 1)));
        let open = Paging { page, limit, offset: None, cursor: None };
        let (limit, offset) = (Some(field("limit", Some(25), 1)), Some(field("offset", Some(0), 0)));
        let log = Paging { page: None, limit, offset, cursor: None };
        let table = [
            (&open, "", json!({}), None, 0),
            (&open, "page=2", json!({}), Some(0), 0),
            (&open, "limit=10", json!({}), Some(10), 0),
            (&open, "limit=10&page=3", json!({}), Some(10), 20),
            (&open, "limit=5000&page=3", json!({}), Some(100), 200),
            (&open, "limit=10&page=18446744073709551615", json!({}), Some(10), u64::MAX),
            (&log, "", json!({}), Some(25), 0),
            (&log, "", json!({"limit": 7, "offset": 14}), Some(7), 14),
            (&log, "limit=3", json!({"limit": 7, "offset": 14}), Some(3), 14),
            (&Paging::default(), "limit=3", json!({"limit": 7}), None, 0),
        ];
        for (paging, query, body, limit, offset) in table {
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let found = part(paging, &pairs, body.as_object().unwrap(), 100);
            assert_eq!(found, Part { limit, offset }, "{query} {body}");
        }
    }

    #[test]
    fn a_cursor_counts_where_it_is_sent_or_where_there_are_no_pages() {
        let field = |name: &str| Some(field(name, Some(2), 1));
        let cursors = Paging { page: None, limit: field("limit"), offset: None, cursor: Some("cursor".to_owned()) };
        let both =
            Paging { page: field("page"), limit: field("limit"), offset: None, cursor: Some("cursor".to_owned()) };
        let at = Cursor { values: vec![json!("Ada"), json!(null)], id: 7, back: true };
        let sent = format!("cursor={}", text_of(&at));
        let pages = |offset| SelectPart::Offset { limit: Some(2), offset };
        let from = |at: Option<&Cursor>| SelectPart::Cursor { limit: 2, at: at.cloned() };
        let table = [
            (&cursors, "", Some(from(None))),
            (&cursors, &sent, Some(from(Some(&at)))),
            (&both, "", Some(pages(2))),
            (&both, "page=1", Some(pages(0))),
            (&both, "cursor=", Some(from(None))),
            (&both, &sent, Some(from(Some(&at)))),
            (&both, "cursor=eyJpZCI6MjV9", None),
            (&both, "cursor=%20", None),
        ];
        for (paging, query, wanted) in table {
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            assert_eq!(place(paging, &pairs, &serde_json::Map::new(), 100).ok(), wanted, "{query}");
        }
    }
}
