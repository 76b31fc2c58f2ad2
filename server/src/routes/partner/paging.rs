//! Turns the numbers that say which part of a list is asked for, in the query or in the body, into limit and offset.

use rollcall_core::description::{Paging, PagingField, PagingPlace};
use serde_json::{Map, Value};

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

    use super::{Part, part};

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
}
