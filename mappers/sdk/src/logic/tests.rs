//! A library that lends books: what its logic asks for, decides and declines.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Change, Class, Decline, Desk, Done, Event, Found, Keys, Logic, Office, Question, Step, Stop, step};
use crate::{Contributions, Foreign, Mapper, ReadError, RecordType, Refusal, Text};

struct Library;

struct Nothing;

impl Foreign<'_> for Nothing {
    const TYPES: &'static [RecordType] = &[];

    fn read(_: &str, _: &[u8], _: &[u8]) -> Result<Self, ReadError> {
        Err(ReadError::unknown())
    }
}

#[derive(Deserialize)]
struct Options {
    loans_max: usize,
}

impl Mapper for Library {
    const PARTNER: &'static str = "library";
    const VERSION: &'static str = "1";
    type Options = Options;
    type Record<'a> = Nothing;

    fn map(_: &Nothing, _: &Options, _: &mut Contributions) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Logic for Library {
    const KEYS: Keys = &[("Book", &["id"]), ("Reader", &["id"]), ("Loan", &["id"]), ("Shelf", &["room", "number"])];
    const CALLS: &'static [(&'static str, Call<Options>)] = &[
        ("lend", lend),
        ("return-all", return_all),
        ("register", register),
        ("tidy", tidy),
        ("swallow", swallow),
        ("wait", |_, _| Err(Stop::Pending)),
    ];
}

#[derive(Deserialize)]
struct Book<'a> {
    id: i64,
    #[serde(borrow)]
    title: Text<'a>,
}

#[derive(Deserialize)]
struct Loan {
    id: i64,
    book_id: i64,
}

fn lend(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let book: Book<'_> = desk.record()?;
    let reader: i64 = desk.argument("reader_id")?.unwrap_or_default();
    let (of_book, of_reader) = desk.all((
        desk.records::<Loan>("Loan").with("book_id", book.id).limit(1),
        desk.records::<Loan>("Loan").with("reader_id", reader).any("status", ["open", "late"]),
    ))?;
    if !of_book.is_empty() {
        return Err(Stop::clash("lent", format!("{} is lent already", book.title.chars().count())));
    }
    if of_reader.len() >= options.loans_max {
        return Err(Stop::invalid("too-many", "the reader has too many books").at("reader_id"));
    }
    if desk.records::<Value>("Reader").key(reader)?.is_none() {
        return Err(Stop::unknown("no-reader", "there is no such reader"));
    }
    let id = desk.number("Loan")?;
    desk.put("Loan", json!({"id": id, "book_id": book.id, "reader_id": reader, "status": "open", "at": desk.now()}));
    desk.keep_with("Book", json!({"lent": true}));
    desk.tell("location", format!("/loans/{id}"));
    desk.event("book.lent", "Book", book.id);
    Ok(())
}

fn return_all(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let reader: Option<i64> = desk.path("reader_id")?;
    let loans = desk.records::<Loan>("Loan").with("reader_id", reader.unwrap_or_default()).all()?;
    let books = loans.iter().map(|loan| desk.records::<Book<'_>>("Book").with("id", loan.book_id)).collect::<Vec<_>>();
    for (loan, books) in loans.iter().zip(desk.all(books)?) {
        desk.remove("Loan", loan.id);
        for book in books {
            desk.put("Book", json!({"id": book.id, "lent": null}));
        }
    }
    Ok(())
}

fn register(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let ids = desk.numbers("Reader", 3)?;
    let card = desk.number("$card/2026")?;
    for id in ids {
        desk.put("Reader", json!({"id": id, "card": format!("2026-{card:05}")}));
    }
    desk.keep("Reader");
    Ok(())
}

fn tidy(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let shelf: Value = desk.records("Shelf").key(["cellar", "7"])?.ok_or_else(|| Stop::forbidden("no", "no shelf"))?;
    desk.tell("books", &shelf["books"]);
    desk.remove("Shelf", ["cellar", "7"]);
    Ok(())
}

/// Goes on without an answer, which it must not get away with.
fn swallow(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let limit = desk.query("limit")?.unwrap_or(10);
    let books = desk.records::<Book<'_>>("Book").limit(limit).all().unwrap_or_default();
    let readers = desk.records::<Value>("Reader").all().unwrap_or_default();
    desk.tell("count", (books.len(), readers.len()));
    Ok(())
}

fn office() -> Office<Library> {
    Office::new(&json!({"loans_max": 2}))
        .with("Book", json!({"id": 7, "title": "Emma"}))
        .with("Book", json!({"id": 9, "title": "Persuasion"}))
        .with("Reader", json!({"id": 30}))
        .with("Shelf", json!({"room": "cellar", "number": "7", "books": [7, 9]}))
}

fn lend_to(office: &mut Office<Library>, book: i64, reader: i64) -> Result<Done, Decline> {
    let change = json!(office.record("Book", book));
    office.call("lend").about("Book", book).argument("reader_id", reader).change(change).run()
}

#[test]
fn a_call_asks_for_what_it_has_to_know_and_decides() {
    let mut office = office();
    let done = lend_to(&mut office, 7, 30).unwrap();
    assert_eq!((done.rounds, &done.told["location"]), (3, &json!("/loans/1")));
    assert_eq!(done.events, [Event { name: "book.lent".to_owned(), of: "Book".to_owned(), key: vec![json!(7)] }]);
    let loan = json!({"id": 1, "book_id": 7, "reader_id": 30, "status": "open", "at": "2026-08-30T07:00:00.000Z"});
    assert_eq!(json!(office.records("Loan")), json!([loan]));
    assert_eq!(json!(office.record("Book", 7)), json!({"id": 7, "title": "Emma", "lent": true}));
}

#[test]
fn a_call_declines_and_nothing_is_done() {
    let table = [
        (json!([{"id": 1, "book_id": 7}]), 30, Class::Clash, "lent", None),
        (
            json!([
                {"id": 1, "book_id": 1, "reader_id": 30, "status": "open"},
                {"id": 2, "book_id": 2, "reader_id": 30, "status": "late"},
            ]),
            30,
            Class::Invalid,
            "too-many",
            Some("reader_id"),
        ),
        (json!([]), 31, Class::Unknown, "no-reader", None),
    ];
    for (loans, reader, class, code, field) in table {
        let loans = loans.as_array().unwrap();
        let mut office = loans.iter().cloned().fold(office(), |office, loan| office.with("Loan", loan));
        let decline = lend_to(&mut office, 7, reader).unwrap_err();
        assert_eq!((decline.class, decline.code.as_str(), decline.field.as_deref()), (class, code, field));
        assert_eq!(office.records("Loan").len(), loans.len(), "something was done in spite of {code}");
    }
}

#[test]
fn questions_that_do_not_wait_for_each_other_are_asked_at_once() {
    let mut office = office();
    for book in [7, 9] {
        lend_to(&mut office, book, 30).unwrap();
    }
    let done = office.call("return-all").path("reader_id", 30).run().unwrap();
    assert_eq!((done.rounds, done.changes.len()), (2, 4));
    assert!(office.records("Loan").is_empty());
    assert_eq!(json!(office.record("Book", 9)), json!({"id": 9, "title": "Persuasion"}));
}

#[test]
fn numbers_are_given_out_once() {
    let mut office = office().with("Reader", json!({"id": 41}));
    for (ids, card) in [([42, 43, 44], "2026-00001"), ([45, 46, 47], "2026-00002")] {
        office.call("register").run().unwrap();
        for id in ids {
            assert_eq!(office.record("Reader", id).unwrap()["card"], card);
        }
    }
}

#[test]
fn what_the_verb_would_do_is_done_only_where_the_call_says_so() {
    let mut office = office();
    office.call("register").change(json!({"id": 99, "name": "Ida"})).run().unwrap();
    assert_eq!(office.record("Reader", 99).unwrap()["name"], "Ida");
    office.call("return-all").path("reader_id", 30).change(json!({"id": 98})).run().unwrap();
    assert_eq!(office.record("Reader", 98), None);
}

#[test]
fn what_the_verb_would_empty_is_emptied() {
    let mut office = office();
    let change = json!({"id": 7});
    office.call("lend").about("Book", 7).argument("reader_id", 30).change(change).run().unwrap();
    assert_eq!(json!(office.record("Book", 7)), json!({"id": 7, "lent": true}));
}

#[test]
fn a_key_may_have_several_parts() {
    let mut office = office();
    let done = office.call("tidy").run().unwrap();
    assert_eq!(done.told["books"], json!([7, 9]));
    assert_eq!(done.changes, [Change::Remove { of: "Shelf".to_owned(), key: vec![json!("cellar"), json!("7")] }]);
    assert_eq!(office.call("tidy").run().unwrap_err().class, Class::Forbidden);
}

#[test]
fn who_goes_on_without_an_answer_is_asked_again() {
    let Step::Ask(questions) = run("swallow", &[]) else { panic!("it decided too early") };
    let ask = |of: &str, limit| Question::Records { of: of.to_owned(), conditions: Vec::new(), limit };
    assert_eq!(questions, [ask("Book", Some(10))]);
    let books = Found::Records(br#"[{"id": 7, "title": "Emma"}]"#.to_vec());
    assert_eq!(run("swallow", std::slice::from_ref(&books)), Step::Ask(vec![ask("Reader", None)]));
    assert_eq!(office().call("swallow").query("limit", 1).run().unwrap().told["count"], json!([1, 1]));
}

#[test]
fn what_is_wrong_with_the_logic_is_told_without_values() {
    let secret = Found::Records(br#"[{"id": "secret", "book_id": 7}]"#.to_vec());
    let table = [
        ("borrow", vec![], "it takes no call of this name"),
        ("lend", vec![], "the call is about no record that is stored"),
        ("register", vec![secret.clone(); 4], "it does not ask the same questions each time"),
        ("return-all", vec![Found::Number(1)], "it does not ask the same questions each time"),
        ("return-all", vec![secret], "records `Loan` are not what the logic expects, at column 16"),
        ("wait", vec![], "it waits for something that it has not asked for"),
    ];
    for (call, found, message) in table {
        assert_eq!(run(call, &found), Step::Fail(message.to_owned()), "{call}");
    }
}

fn run(call: &str, found: &[Found]) -> Step {
    let context = json!({"now": "2026-08-30T07:00:00.000Z", "record": null, "change": null}).to_string();
    step::<Library>(call, br#"{"loans_max": 2}"#, context.as_bytes(), found)
}
