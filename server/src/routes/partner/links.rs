//! Turns a place in a list into the addresses of the other parts of it, by relation: `first`, `prev`, `next`, `last`.
//! What else was asked for is asked for again.

use rollcall_core::description::{Paging, PagingField, PagingPlace};
use rollcall_core::store::read::Cursor;
use serde_json::{Map, Value};

use super::paging::{Part, text_of};

/// The list as it was called.
pub(super) struct Called<'c> {
    /// Its address, without a query.
    pub(super) url: String,
    /// The query's names and values.
    pub(super) query: &'c [(String, String)],
}

impl Called<'_> {
    /// The parts of a list with so many rows, by the numbers of pages or of rows; none where the query says neither.
    pub(super) fn pages(&self, paging: &Paging, part: Part, total: u64) -> Map<String, Value> {
        let limit = part.limit.filter(|&limit| limit > 0);
        let last = limit.map_or(0, |limit| total.saturating_sub(1) / limit * limit);
        let limit = limit.unwrap_or(u64::MAX);
        let to = |offset: u64| match (in_query(paging.page.as_ref()), in_query(paging.offset.as_ref())) {
            (Some((name, page)), _) => Some(self.with(name, &(page.minimum + offset / limit).to_string(), paging)),
            (_, Some((name, _))) => Some(self.with(name, &offset.to_string(), paging)),
            _ => None,
        };
        let before = (part.offset > 0).then(|| part.offset.saturating_sub(limit).min(last));
        let next = part.offset.checked_add(limit).filter(|&next| next < total);
        let parts = [("first", Some(0)), ("prev", before), ("next", next), ("last", Some(last))];
        let links = parts.into_iter().filter_map(|(relation, offset)| Some((relation.to_owned(), to(offset?)?.into())));
        links.collect()
    }

    /// The parts around one that a cursor led to.
    pub(super) fn cursors(
        &self,
        paging: &Paging,
        previous: Option<&Cursor>,
        next: Option<&Cursor>,
    ) -> Map<String, Value> {
        let Some(name) = &paging.cursor else { return Map::new() };
        let parts = [("prev", previous), ("next", next)];
        let links = parts.into_iter().filter_map(|(relation, cursor)| {
            Some((relation.to_owned(), self.with(name, &text_of(cursor?), paging).into()))
        });
        links.collect()
    }

    /// The address of another part, which this parameter names.
    fn with(&self, name: &str, value: &str, paging: &Paging) -> String {
        let places = [&paging.page, &paging.offset].map(|field| in_query(field.as_ref()).map(|(name, _)| name));
        let is_place = |found: &str| places.contains(&Some(found)) || paging.cursor.as_deref() == Some(found);
        let kept = self.query.iter().filter(|(found, _)| !is_place(found));
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(name, value).finish();
        format!("{}?{query}", self.url)
    }
}

/// The parameter that holds a number, if it stands in the query.
fn in_query(field: Option<&PagingField>) -> Option<(&str, &PagingField)> {
    let field = field?;
    let place = field.places.iter().find_map(|place| match place {
        PagingPlace::Query(name) => Some(name.as_str()),
        PagingPlace::Body(_) => None,
    });
    place.map(|name| (name, field))
}

#[cfg(test)]
mod tests {
    use rollcall_core::description::{Paging, PagingField, PagingPlace};
    use rollcall_core::store::read::Cursor;

    use super::{Called, Part};

    fn paging() -> Paging {
        let field = |name: &str| {
            let places = vec![PagingPlace::Query(name.to_owned())];
            Some(PagingField { places, default: None, minimum: 1, maximum: None })
        };
        Paging { page: field("page"), limit: field("per_page"), offset: None, cursor: Some("cursor".to_owned()) }
    }

    #[test]
    fn pages_lead_to_those_that_there_are() {
        let query = [("shelf", "A B"), ("page", "2"), ("per_page", "10")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let called = Called { url: "https://hub/books".to_owned(), query: &query };
        let table = [
            (0, 25, "first=1 next=2 last=3"),
            (10, 25, "first=1 prev=1 next=3 last=3"),
            (20, 25, "first=1 prev=2 last=3"),
            (90, 25, "first=1 prev=3 last=3"),
            (0, 10, "first=1 last=1"),
            (0, 0, "first=1 last=1"),
        ];
        for (offset, total, wanted) in table {
            let links = called.pages(&paging(), Part { limit: Some(10), offset }, total);
            let found = links.iter().map(|(relation, url)| {
                let page = url.as_str().unwrap().strip_prefix("https://hub/books?shelf=A+B&per_page=10&page=").unwrap();
                format!("{relation}={page}")
            });
            assert_eq!(found.collect::<Vec<_>>().join(" "), wanted, "{offset} of {total}");
        }
    }

    #[test]
    fn a_cursor_takes_the_place_of_a_page() {
        let query = [("page".to_owned(), "2".to_owned()), ("cursor".to_owned(), "x".to_owned())];
        let called = Called { url: "/books".to_owned(), query: &query };
        let next = Cursor { values: Vec::new(), id: 25, back: false };
        let links = called.cursors(&paging(), None, Some(&next));
        assert_eq!(links.len(), 1);
        assert_eq!(links["next"], "/books?cursor=eyJ2YWx1ZXMiOltdLCJpZCI6MjV9");
    }
}
