//! What descriptions in `tests/descriptions/valid` say of records that clients write one by one.

use std::path::Path;

use serde_json::{Value, json};

use crate::canonical::Canonical;
use crate::description::load::read;
use crate::description::{By, Computation, Keying, Partner, RecordType, Step};
use crate::json::Json;
use crate::language::render;
use crate::table::ColumnForm;

/// One of the right descriptions that the golden tests keep.
fn valid(name: &str) -> Partner {
    let path = Path::new("tests/descriptions/valid").join(format!("{name}.yaml"));
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    let mut problems = Vec::new();
    let partner = read(&path, name, &canonical, &|_: &str| true, &mut problems);
    assert!(problems.is_empty(), "{}", render(&problems, false));
    partner.unwrap()
}

#[test]
fn blank_records_know_what_is_made_for_them_and_where_each_member_is_kept() {
    let partner = valid("blank-records");
    let [shelf, book, reader, label, remark] = partner.records.as_slice() else { panic!() };
    assert!(partner.records.iter().all(|record| record.blank) && valid("merge").records.iter().all(|it| !it.blank));
    let keyings: Vec<_> = partner.records.iter().map(|record| record.keying).collect();
    assert_eq!(keyings, [Keying::Counted, Keying::Drawn, Keying::Sent, Keying::Counted, Keying::Counted]);
    let forms: Vec<_> = book.table.columns.iter().map(|column| (column.name.as_str(), column.form)).collect();
    let text = ["id", "title", "state", "was", "mood"].map(|name| (name, ColumnForm::Text));
    let others =
        [("pages", ColumnForm::Integer), ("shelf_id", ColumnForm::Integer), ("first_reader", ColumnForm::Text)];
    let lists = ["label_ids", "chapters"].map(|name| (name, ColumnForm::Json));
    assert_eq!(forms, [&text[..], &others, &lists].concat());
    assert!(shelf.table.columns.iter().all(|column| !["books_count", "is_empty"].contains(&column.property.as_str())));
    assert_eq!((Value::Object(book.defaults.clone()), reader.defaults.len()), (json!({"state": "open"}), 0));
    assert_eq!(book.counted, [("chapters".to_owned(), "id".to_owned())]);
    let names = |all: &[&[&str]]| {
        all.iter().map(|one| one.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(shelf.indexes, names(&[&["id"], &["parent_id"], &["slug"], &["parent_id", "name"]]));
    assert_eq!(book.indexes, names(&[&["id"], &["shelf_id"], &["first_reader"]]));
    assert_eq!((label.indexes.len(), &remark.indexes), (1, &names(&[&["id"], &["subject_id"]])));
    let operators: Vec<_> = partner.operator.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(operators, ["Shelf", "Book", "Reader", "Label", "Remark"]);
}

#[test]
fn what_is_required_of_an_answer_may_be_absent_from_what_is_stored() {
    let partner = valid("blank-records");
    let valid =
        |nth: usize, text: &str| partner.records[nth].schema.is_valid(&Json::parse(text.as_bytes(), 8).unwrap());
    assert!(valid(0, r#"{"id": 1, "name": "A"}"#));
    assert!(!valid(0, r#"{"id": 1}"#));
    assert!(valid(
        1,
        r#"{"id": "018f0000-0000-7000-8000-000000000000", "title": "T", "state": "open", "chapters": [{"id": 1, "title": "C"}]}"#
    ));
    assert!(!valid(1, r#"{"id": "018f0000-0000-7000-8000-000000000000", "title": "T", "state": "shut"}"#));
    assert!(!valid(
        1,
        r#"{"id": "018f0000-0000-7000-8000-000000000000", "title": "T", "state": "open", "chapters": [{"id": 1}]}"#
    ));
    assert!(!valid(1, r#"{"id": "018f0000-0000-7000-8000-000000000000", "title": "T", "state": "open", "pages": 0}"#));
}

#[test]
fn members_of_blank_records_are_computed_when_they_are_written_or_read() {
    let partner = valid("blank-records");
    let [shelf, book, ..] = partner.records.as_slice() else { panic!() };
    let shown = |record: &RecordType| {
        let computed = record.computed.iter().map(|it| {
            let what = match &it.value {
                Computation::Expression(_) => "an expression".to_owned(),
                Computation::Now => "now".to_owned(),
                Computation::Next(scope) => format!("next of {}", scope.join(", ")),
                Computation::Slug(_) => "a slug".to_owned(),
                Computation::History(member) => format!("history of {member}"),
            };
            format!("{}: {what} {:?}{}", it.name, it.at, if it.is_own { " own" } else { "" })
        });
        computed.collect::<Vec<_>>()
    };
    let expected = [
        "position: next of parent_id Create",
        "slug: a slug Create",
        "slug_history: history of slug Write own",
        "updated_at: now Write own",
    ];
    assert_eq!(shown(shelf), expected);
    assert_eq!(shown(book), ["created_at: now Create own"]);
    assert_eq!(book.computed[0].path, [Step::Member("chapters".to_owned()), Step::Items]);
    let derived: Vec<_> = shelf.derived.iter().map(|derived| derived.name.as_str()).collect();
    assert_eq!(derived, ["books_count", "is_empty"]);
    let context = json!({"id": 1, "books_count": 1, "Book": [{"shelf_id": 1}, {"shelf_id": 2}]});
    assert_eq!(shelf.derived[0].value.evaluate(&context), Ok(json!(1)));
    assert_eq!(shelf.derived[1].value.evaluate(&context), Ok(json!(false)));
    let Computation::Slug(text) = &shelf.computed[1].value else { panic!() };
    assert_eq!(text.evaluate(&json!({"name": "A", "options": {"site": "x"}})), Ok(json!("x A")));
}

#[test]
fn references_of_blank_records_stand_in_lists_and_lead_where_another_member_says() {
    let partner = valid("blank-records");
    let shown = partner.records.iter().flat_map(|record| &record.references).map(|reference| {
        let by = match &reference.by {
            By::Key(_) => String::new(),
            By::Items(list) => format!(" by items of {list}"),
            By::Word { own, word, says } => format!(" by {own} where {word} is {says}"),
            By::Members(_) => panic!(),
        };
        let to = &partner.records[usize::from(reference.to.0)].name;
        format!("{} to {to}{by}: {:?}, {:?}", reference.name, reference.missing, reference.gone)
    });
    let expected = [
        "parent_id to Shelf: Refuse, Cascade",
        "shelf_id to Shelf: Refuse, Refuse",
        "first_reader to Reader: Accept, Unset",
        "label_ids to Label by items of label_ids: Refuse, Unset",
        "subject_id to Label by subject_id where subject_type is Library::Label: Refuse, Cascade",
        "subject_id to Shelf by subject_id where subject_type is Shelf: Refuse, Cascade",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}
