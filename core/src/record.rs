//! Turns a validated body into [`Record`]s: cuts nested records out of their parents, gives each its key, its ancestors
//! and its digest, and names both places where two have one key.
//!
//! A record is the unit of everything later: it is stored, mapped, skipped and reported on by itself. So one changed
//! member re-maps one record, not the payload, and no record ever sees another.

mod cutter;
mod length;
mod sent;

use std::borrow::Cow;

use self::cutter::{Ancestor, Cutter};
pub(crate) use self::length::too_long;
pub use self::sent::{Sent, sent};
use crate::description::{FieldPath, RecordType, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::json::{Gaps, Json, Object, Pointer};
use crate::note::Note;
use crate::parcel::Content;
use crate::table::{Cell, ColumnForm};

/// One foreign record as a payload states it.
#[derive(Debug)]
pub struct Record<'a> {
    /// What it is.
    pub of: RecordTypeId,
    /// Its identity within the connection: the key's fields as a canonical JSON list, `[10,1,"A"]`.
    pub key: String,
    /// Where it stands in the payload.
    pub pointer: Pointer,
    /// Its own members, without the records nested in it, in canonical form; lists without order are sorted. This is what
    /// the mapper is given.
    pub content: Content<'a>,
    /// The same as a tree; `None` where it is one of so many that each is read again when it is needed.
    tree: Option<Json<'a>>,
    /// The keys of its ancestors and what the description lets travel with it, nested from the nearest outward:
    /// `{"id":1,"parent":{"id":10}}`. Canonical JSON; `{}` where there are none.
    pub ancestors: Vec<u8>,
    /// Digest of `content` and `ancestors` together with all else that its mapping depends on.
    pub digest: Digest,
    /// The lists in it that were sorted, by their place in the payload.
    sorted: Vec<Sorted>,
}

/// A list that was sorted: the item that is now nth was at `was[nth]`.
#[derive(Debug, Clone)]
pub(crate) struct Sorted {
    list: Pointer,
    was: Vec<usize>,
}

/// How records are kept that were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Each with its bytes, and its tree beside them.
    Loose,
    /// In parcels: trees and bytes of many records take several times the memory.
    Packed,
}

/// A payload, cut into its records.
#[derive(Debug, Default)]
pub struct Cut<'a> {
    /// The records, outer ones before the ones nested in them.
    pub records: Vec<Record<'a>>,
    /// What is wrong with them: keys that stand twice, what is too long to be found by.
    pub rejections: Vec<Note>,
}

impl Cut<'_> {
    /// The same, which outlives what it was cut from.
    pub(crate) fn into_owned(self) -> Cut<'static> {
        Cut { records: self.records.into_iter().map(Record::packed).collect(), rejections: self.rejections }
    }
}

/// Cuts `body`, whose records stand where `shape` says. `setting` is the digest of all that mapping depends on beside
/// the record itself: mapper, description, canonical schemas, options. `gaps` are what was left out of `body`.
pub fn cut<'a>(
    body: Json<'a>,
    gaps: &Gaps<'a>,
    shape: &Shape,
    types: &[RecordType],
    setting: Digest,
    keeping: Keeping,
) -> Cut<'a> {
    let mut cutter = Cutter::new(types, setting, keeping, gaps);
    let mut pointer = Pointer::root();
    cutter.value(body, shape, &mut pointer, None);
    cutter.finish()
}

/// `record` with its lists without order sorted, which stands at `pointer` and whose members have these shapes.
fn sorted<'a>(record: Json<'a>, members: &[(String, Shape)], pointer: &Pointer) -> (Json<'a>, Vec<Sorted>) {
    if members.is_empty() {
        return (record, Vec::new());
    }
    let gaps = Gaps::default();
    let mut cutter = Cutter::new(&[], Digest::of(&[]), Keeping::Loose, &gaps);
    let shape = Shape::Object(members.to_vec());
    let kept = cutter.value(record, &shape, &mut pointer.clone(), None);
    (kept.unwrap_or(Json::Null), cutter.sorted)
}

/// The key of a record that is nested in no other, as far as its fields are there; `None` if one is not.
pub fn key_alone(of: &RecordType, body: &Json<'_>) -> Option<String> {
    let all_there = of.key.iter().all(|field| {
        let found = look_up(field, body, None);
        matches!(found, Some(Json::Text(_) | Json::Number(_) | Json::Boolean(_)))
    });
    all_there.then(|| key(of, body, None))
}

/// The digest of a record that is nested in no other.
pub fn digest_alone(of: &RecordType, bytes: &[u8], setting: Digest) -> Digest {
    Digest::of_parts([setting.as_bytes(), of.name.as_bytes(), bytes, NO_ANCESTORS])
}

/// What a record that is nested in no other has for ancestors.
const NO_ANCESTORS: &[u8] = b"{}";

impl<'a> Record<'a> {
    /// A record that is nested in no other, whose canonical form is `bytes`.
    pub fn alone(of: RecordTypeId, key: String, body: Json<'a>, pointer: Pointer, digest: Digest) -> Self {
        let content = body.to_bytes().into();
        let ancestors = NO_ANCESTORS.to_vec();
        Self { of, key, pointer, content, tree: Some(body), ancestors, digest, sorted: Vec::new() }
    }

    /// The same of which there are many: its canonical form, which is not read yet.
    pub(crate) fn alone_packed(
        of: RecordTypeId,
        key: String,
        content: Content<'a>,
        pointer: Pointer,
        digest: Digest,
    ) -> Self {
        let ancestors = NO_ANCESTORS.to_vec();
        Self { of, key, pointer, content, tree: None, ancestors, digest, sorted: Vec::new() }
    }

    /// A record with ancestors, as it is to be stored.
    pub(crate) fn stored(
        id: RecordTypeId,
        of: &RecordType,
        key: String,
        body: Json<'a>,
        ancestors: Vec<u8>,
        setting: Digest,
    ) -> Self {
        let bytes = body.to_bytes();
        let digest = Digest::of_parts([setting.as_bytes(), of.name.as_bytes(), &bytes, &ancestors]);
        let (pointer, content, tree) = (Pointer::root(), bytes.into(), Some(body));
        Self { of: id, key, pointer, content, tree, ancestors, digest, sorted: Vec::new() }
    }

    /// The same, which is read again when it is needed.
    pub(crate) fn packed(self) -> Record<'static> {
        let Self { of, key, pointer, content, tree: _, ancestors, digest, sorted } = self;
        Record { of, key, pointer, content: content.into_owned(), tree: None, ancestors, digest, sorted }
    }

    /// The same, whose lists were sorted on the way.
    #[must_use]
    pub(crate) fn with_sorted(self, sorted: Vec<Sorted>) -> Self {
        Self { sorted, ..self }
    }
}

impl Record<'_> {
    /// Where in the payload something stands that stands at `inside` in the record as the mapper sees it.
    pub fn place(&self, inside: &Pointer) -> Pointer {
        inside.steps().fold(self.pointer.clone(), |place, step| {
            let sorted = self.sorted.iter().find(|sorted| sorted.list == place);
            match sorted.and_then(|sorted| sorted.was.get(step.parse::<usize>().ok()?)) {
                Some(was) => place.item(*was),
                None => place.member(&step),
            }
        })
    }

    /// Looks at what it says as a tree.
    pub fn look<T>(&self, look: impl FnOnce(&Json<'_>) -> T) -> T {
        match &self.tree {
            Some(tree) => look(tree),
            // How deep it is was checked when it came.
            None => look(&Json::parse(&self.content.read(), u32::MAX).unwrap_or(Json::Null)),
        }
    }

    /// The record's row: one cell per column of its table, and the members that have none as a JSON object.
    pub fn row<'r>(&'r self, of: &RecordType) -> (Vec<Cell<'r>>, Option<String>) {
        if let Some(tree) = &self.tree {
            return tree.as_object().map(|body| row(body, of)).unwrap_or_default();
        }
        self.look(|json| {
            let (cells, unknown) = json.as_object().map(|body| row(body, of)).unwrap_or_default();
            (cells.into_iter().map(Cell::into_owned).collect(), unknown)
        })
    }
}

fn row<'r>(body: &'r Object<'_>, of: &RecordType) -> (Vec<Cell<'r>>, Option<String>) {
    let mut columned = 0;
    let cells = of.table.columns.iter().map(|column| {
        let cell = body.get(&column.property).and_then(|json| cell(json, column.form));
        columned += usize::from(cell.is_some());
        cell.unwrap_or(Cell::Null)
    });
    let cells: Vec<_> = cells.collect();
    if columned == body.len() {
        return (cells, None);
    }
    let fits = |name: &str, json: &Json<'_>| {
        let column = of.table.columns.iter().find(|column| column.property == name);
        column.is_some_and(|column| cell(json, column.form).is_some())
    };
    let rest: Object<'_> = body
        .iter()
        .filter(|(name, json)| !fits(name, json))
        .map(|(name, json)| (Cow::Borrowed(name), json.clone()))
        .collect();
    (cells, String::from_utf8(Json::Object(rest).to_bytes()).ok())
}

/// `json` as a cell of a column; `None` if it does not fit, an explicit `null` among that.
fn cell<'r>(json: &'r Json<'_>, form: ColumnForm) -> Option<Cell<'r>> {
    match (form, json) {
        (_, Json::Null) => None,
        (ColumnForm::Text, Json::Text(text)) => Some(Cell::Text(Cow::Borrowed(text))),
        (ColumnForm::Integer, Json::Number(number)) if number.as_str() == "-0" => None, // would come back as 0
        (ColumnForm::Integer, Json::Number(number)) => number.as_i64().map(Cell::Integer),
        (ColumnForm::Number, Json::Number(number)) => Some(Cell::Text(Cow::Borrowed(number.as_str()))),
        (ColumnForm::Boolean, Json::Boolean(boolean)) => Some(Cell::Boolean(*boolean)),
        (ColumnForm::Json, json) => String::from_utf8(json.to_bytes()).ok().map(|text| Cell::Text(Cow::Owned(text))),
        _ => None,
    }
}

fn key(description: &RecordType, body: &Json<'_>, parent: Option<&Ancestor<'_, '_>>) -> String {
    let mut key = vec![b'['];
    for (nth, field) in description.key.iter().enumerate() {
        if nth > 0 {
            key.push(b',');
        }
        look_up(field, body, parent).unwrap_or(&Json::Null).write(&mut key);
    }
    key.push(b']');
    String::from_utf8(key).unwrap_or_default()
}

fn look_up<'c, 'a>(
    field: &FieldPath,
    body: &'c Json<'a>,
    parent: Option<&'c Ancestor<'c, 'a>>,
) -> Option<&'c Json<'a>> {
    let start = if field.up == 0 { body } else { parent?.up(field.up)?.body };
    field.path.iter().try_fold(start, |json, name| json.get(name))
}

/// What travels with a record of its ancestors: their own key fields, and what `with` names.
fn ancestors<'a>(description: &RecordType, parent: Option<&Ancestor<'_, 'a>>) -> Json<'a> {
    let mut levels = Vec::new();
    let mut next = parent;
    while let Some(ancestor) = next {
        let up = levels.len() + 1;
        let own = ancestor.of.key.iter().filter(|field| field.up == 0);
        let with = description.with.iter().filter(|field| field.up == up);
        let members: Vec<_> = own
            .chain(with)
            .filter_map(|field| {
                let json = field.path.iter().try_fold(ancestor.body, |json, name| json.get(name))?;
                Some((Cow::Owned(field.path.join(".")), json.clone()))
            })
            .collect();
        levels.push(members);
        next = ancestor.parent;
    }
    levels.into_iter().rev().fold(Json::Object(Object::default()), |outer, mut members| {
        if outer.as_object().is_some_and(|outer| !outer.is_empty()) {
            members.push((Cow::Borrowed("parent"), outer));
        }
        Json::Object(members.into_iter().collect())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cut, Keeping, cut};
    use crate::description::{FieldPath, RecordType, RecordTypeId, Shape};
    use crate::digest::Digest;
    use crate::json::{Gaps, Json};
    use crate::table::{Cell, Column, ColumnForm, Table};

    fn field(up: usize, name: &str) -> FieldPath {
        FieldPath { up, path: vec![name.to_owned()] }
    }

    fn record_type(name: &str, parent: Option<u16>, key: Vec<FieldPath>, with: Vec<FieldPath>) -> RecordType {
        let column = |name: &str, form| Column { property: name.to_owned(), name: name.to_owned(), form };
        let columns = vec![column("id", ColumnForm::Integer), column("people", ColumnForm::Json)];
        let table = Table { name: name.to_lowercase(), columns };
        RecordType {
            name: name.to_owned(),
            key,
            parent: parent.map(RecordTypeId),
            with,
            table,
            ..RecordType::default()
        }
    }

    /// A library has shelves, a shelf has readers whose order means nothing.
    fn types() -> Vec<RecordType> {
        vec![
            record_type("Library", None, vec![field(0, "id")], vec![]),
            record_type("Shelf", Some(0), vec![field(1, "id"), field(0, "id")], vec![field(1, "name")]),
        ]
    }

    fn shape() -> Shape {
        let people = ("people".to_owned(), Shape::Unordered(Box::new(Shape::Plain)));
        let shelf = Shape::Record(RecordTypeId(1), vec![people]);
        let library = Shape::Record(RecordTypeId(0), vec![("shelves".to_owned(), Shape::List(Box::new(shelf)))]);
        Shape::Object(vec![("libraries".to_owned(), Shape::List(Box::new(library)))])
    }

    fn cut_as<'a>(json: Json<'a>, gaps: &Gaps<'a>, keeping: Keeping) -> Cut<'a> {
        cut(json, gaps, &shape(), &types(), Digest::of(b"setting"), keeping)
    }

    fn cut_text(text: &str) -> Cut<'_> {
        cut_as(Json::parse(text.as_bytes(), 64).unwrap(), &Gaps::default(), Keeping::Loose)
    }

    fn shown(cut: &Cut<'_>) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let records = &cut.records;
        records
            .iter()
            .map(|record| {
                format!(
                    "{} {} {} {}",
                    record.pointer,
                    record.key,
                    text(&record.content.read()),
                    text(&record.ancestors)
                )
            })
            .collect()
    }

    #[test]
    fn nested_records_are_cut_out_and_know_their_ancestors() {
        let text = r#"{"libraries": [{"id": 1, "name": "North", "extra": [1], "shelves": [
            {"id": 7, "people": [{"no": 2}, {"no": 1}]}, {"id": 8, "people": []}]}]}"#;
        insta::assert_snapshot!(shown(&cut_text(text)).join("\n"), @r#"
        /libraries/0 [1] {"extra":[1],"id":1,"name":"North"} {}
        /libraries/0/shelves/0 [1,7] {"id":7,"people":[{"no":1},{"no":2}]} {"id":1,"name":"North"}
        /libraries/0/shelves/1 [1,8] {"id":8,"people":[]} {"id":1,"name":"North"}
        "#);
    }

    #[test]
    fn a_key_that_stands_twice_names_both_places() {
        let text =
            r#"{"libraries": [{"id": 1, "shelves": [{"id": 7}, {"id": 7}]}, {"id": 2, "shelves": [{"id": 7}]}]}"#;
        let cut = cut_text(text);
        assert_eq!(cut.rejections.len(), 1);
        assert_eq!(cut.rejections[0].pointer.as_str(), "/libraries/0/shelves/1");
        assert_eq!(cut.rejections[0].message, "has the same key as the Shelf at /libraries/0/shelves/0");
    }

    #[test]
    fn a_place_in_a_sorted_list_is_told_as_it_was_sent() {
        let cut = cut_text(r#"{"libraries": [{"id": 1, "shelves": [{"id": 7, "people": [{"no": 2}, {"no": 1}]}]}]}"#);
        let place = cut.records[1].place(&"/people/0/no".into());
        assert_eq!(place.as_str(), "/libraries/0/shelves/0/people/1/no");
        assert_eq!(cut.records[0].place(&"/name".into()).as_str(), "/libraries/0/name");
    }

    #[test]
    fn a_row_keeps_what_has_no_column() {
        let cut = cut_text(r#"{"libraries": [{"id": 1, "name": "North", "people": null, "shelves": []}]}"#);
        let types = types();
        let (cells, unknown) = cut.records[0].row(&types[0]);
        assert_eq!(cells, [Cell::Integer(1), Cell::Null]);
        assert_eq!(unknown.as_deref(), Some(r#"{"name":"North","people":null}"#));
    }

    proptest! {
        #[test]
        fn order_of_records_and_of_unordered_lists_changes_nothing(
            shelves in prop::collection::btree_map(0..50_i64, prop::collection::vec(0..9_u8, 0..6), 1..8),
            seed in any::<u64>(),
        ) {
            let text = |turn: usize| {
                let shelf = |(id, people): (&i64, &Vec<u8>)| {
                    let mut people: Vec<_> = people.iter().map(|no| format!(r#"{{"no":{no}}}"#)).collect();
                    let length = people.len();
                    if length > 0 { people.rotate_left(turn % length); }
                    format!(r#"{{"people":[{}],"id":{id}}}"#, people.join(","))
                };
                let mut all: Vec<_> = shelves.iter().map(shelf).collect();
                let length = all.len();
                all.rotate_left(turn % length);
                format!(r#"{{"libraries":[{{"id":1,"shelves":[{}]}}]}}"#, all.join(","))
            };
            let digests = |text: &str| {
                let mut all: Vec<_> = cut_text(text).records.iter().map(|record| (record.key.clone(), record.digest)).collect();
                all.sort();
                all
            };
            let turn = usize::try_from(seed % 1_000).unwrap();
            prop_assert_eq!(digests(&text(0)), digests(&text(turn)));
        }
    }
}
