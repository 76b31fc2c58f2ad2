//! How databases find what every list of every shipped description asks for, among 40,000 records of each type: for
//! each filter, each order, and each member that is derived, by which members it looks. What is said so stands in
//! `tests/plans`; `BLESS=1 cargo test` writes it anew. There is an index for everything but what must be exempt: see
//! [`exempt`].

mod postgres;
mod sqlite;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::sql::{Dialect, Whose};
use crate::canonical::Canonical;
use crate::description::formula::{Formula, Part};
use crate::description::{Expression, Listed, Operation, Partner, RecordType, Selection, SortWord, Verb};
use crate::store::read::{Cursor, SelectPart};
use crate::store::sql::{Question, Wanted, items};
use crate::table::{Column, ColumnForm};

/// Records of each type.
const RECORDS: u32 = 40_000;

/// Records that agree in a member, about.
const ALIKE: u32 = 100;

/// Rows on a page.
const PAGE: u64 = 25;

fn shipped() -> Vec<Partner> {
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    let folders = std::fs::read_dir("../schemas").unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|folder| folder.join("openapi.yaml").exists()).collect();
    folders.sort();
    folders.iter().map(|folder| Partner::load(folder, &canonical, &|_: &str| true).unwrap()).collect()
}

/// A database that has many records of each type of a partner's, and has looked at them.
trait Planner {
    fn dialect(&self) -> &'static dyn Dialect;

    /// Whose the records are.
    fn whose(&self) -> Whose;

    /// How it answers a question.
    fn plan(&self, question: &Question) -> Vec<Line>;
}

/// A line of a plan.
#[derive(Debug)]
struct Line {
    /// The number of the subquery that it is a part of; 0 for the statement itself.
    subquery: u32,
    says: Says,
}

/// What it says.
#[derive(Debug)]
enum Says {
    /// Rows, by what the statement calls them, are found by these members; by none, where each is looked at.
    Finds(String, Vec<String>),
    /// What was found is put in order.
    Sorts,
    /// So many rows are expected on all pages.
    Expects(u32),
}

/// What the nth record says, in a language that has functions for it.
fn value(column: &Column, is_key: bool, list_of: &str) -> String {
    let few = RECORDS / ALIKE;
    match column.form {
        ColumnForm::Integer if is_key => "n".to_owned(),
        ColumnForm::Text if is_key => "'w' || n".to_owned(),
        // Spread like keys, for it may refer to some.
        ColumnForm::Integer => format!("n % {few} * {ALIKE}"),
        ColumnForm::Boolean if list_of == sqlite::LIST_OF => "n % 2".to_owned(),
        ColumnForm::Boolean => "n % 2 = 1".to_owned(),
        ColumnForm::Text | ColumnForm::Id => format!("'w' || (n % {few} * {ALIKE})"),
        ColumnForm::Number => format!("cast(n % {few} as text)"),
        ColumnForm::Json => format!("{list_of}(n % {few} * {ALIKE})"),
    }
}

/// The columns of a record's table, and what the nth record says in each.
fn filled(record: &RecordType, list_of: &str) -> (String, String) {
    let key = record.key.first().and_then(|key| key.path.first());
    let (mut columns, mut values) = (String::new(), String::new());
    for column in &record.table.columns {
        write!(columns, ", \"{}\"", column.name).unwrap();
        write!(values, ", {}", value(column, key == Some(&column.property), list_of)).unwrap();
    }
    (columns, values)
}

/// Asks for a page in many ways.
struct Asker<'a> {
    partner: &'a Partner,
    selection: &'a Selection,
    database: &'a dyn Planner,
}

/// How rows are found.
#[derive(Debug, Default)]
struct Found {
    /// By which members, of which record types.
    by: Vec<String>,
    /// Whether every record is looked at.
    is_scan: bool,
    /// Whether what was found has to be sorted.
    is_sorted: bool,
    /// How many are expected on all pages, where that is told.
    expected: u32,
}

impl Asker<'_> {
    fn record(&self) -> &RecordType {
        &self.partner.records[usize::from(self.selection.of.0)]
    }

    /// What is said of the list, a line each.
    fn say(&self, id: &str) -> String {
        let mut said = format!("{id}: {}\n", self.record().name);
        let plain = self.question(&[], &[], FIRST);
        let lines = self.database.plan(&plain);
        let shown = lines.iter().map(|line| line.subquery).max().unwrap_or_default();
        let of_shown = self.found(&plain, lines.iter().filter(|line| line.subquery > 0));
        assert!(!of_shown.is_scan, "{id}: what is derived looks at every record: {of_shown:?}");
        if !of_shown.by.is_empty() {
            writeln!(said, "  shows {}", of_shown.by.join(", ")).unwrap();
        }
        for (at, filter) in self.selection.filters.iter().enumerate() {
            let found = self.filtered(at, shown);
            // Where so many are expected, the first ones in order are a page at once.
            let many = (found.expected >= RECORDS / 20).then_some("many are expected");
            let exempt = exempt(&filter.condition, self.record()).or(many);
            assert!(!found.is_scan || exempt.is_some(), "{id}: {} looks at every record: {found:?}", filter.parameter);
            let reason = exempt.filter(|_| found.is_scan).map(|reason| format!(" ({reason})")).unwrap_or_default();
            let sorted = if found.is_sorted { ", sorted" } else { "" };
            writeln!(said, "  {}: {}{reason}{sorted}", filter.parameter, found.by.join(", ")).unwrap();
        }
        let words = self.selection.sort.as_ref().map_or(&[][..], |sort| &sort.words);
        for (at, word) in words.iter().enumerate() {
            let sorted = self.sorted(id, at, word);
            writeln!(said, "  {}: {sorted}", word.word).unwrap();
        }
        said
    }

    /// How an order is kept, on the first page and on a later one.
    fn sorted(&self, id: &str, at: usize, word: &SortWord) -> String {
        let record = self.record();
        let first = self.question(&[], &[at], FIRST);
        let found = self.found(&first, self.database.plan(&first).iter().filter(|line| line.subquery == 0));
        if record.derived.iter().any(|derived| derived.name == word.member) {
            return format!("every {}, sorted (computed)", record.name);
        }
        let column = record.table.columns.iter().find(|column| column.property == word.member).unwrap();
        let value = match column.form {
            ColumnForm::Text => json!("w7"),
            _ => json!(7),
        };
        let cursor = Cursor { values: vec![value], id: 7, back: false };
        let later = self.question(&[], &[at], &SelectPart::Cursor { limit: PAGE, at: Some(cursor) });
        let later = self.found(&later, self.database.plan(&later).iter().filter(|line| line.subquery == 0));
        assert!(!found.is_sorted && !later.is_sorted && !later.is_scan, "{id}: {}: {found:?} {later:?}", word.word);
        later.by.join(", ")
    }

    /// How the rows are found for which a filter holds, given a value that it can be given: one for which few are found
    /// without a look at each, if there is one. The first subqueries are those of what is shown.
    fn filtered(&self, at: usize, shown: u32) -> Found {
        let values = [json!(700), json!("w700"), json!([700, 800]), json!(["w700", "w800"]), json!(true)];
        let values = values.into_iter().chain([json!("w0"), json!("w99"), json!("w999")]);
        let questions = values.map(|value| self.question(&[(at, value)], &[], FIRST));
        let mut all = questions.filter(|question| !question.sql.contains(" and false")).map(|question| {
            let lines = self.database.plan(&question);
            self.found(&question, lines.iter().filter(|line| line.subquery == 0 || line.subquery > shown))
        });
        let first = all.next().expect("a value for the filter");
        if first.is_scan { all.find(|found| !found.is_scan).unwrap_or(first) } else { first }
    }

    fn question(&self, given: &[(usize, Value)], sort: &[usize], part: &SelectPart) -> Question {
        let options = json!({});
        let Self { partner, selection, .. } = *self;
        let (dialect, whose) = (self.database.dialect(), self.database.whose());
        let wanted = Wanted { dialect, partner, whose, selection, given, sort, options: &options };
        wanted.part(part).unwrap().questions.into_iter().next().unwrap()
    }

    /// How the rows are found that these lines of a plan tell of.
    fn found<'l>(&self, question: &Question, lines: impl Iterator<Item = &'l Line>) -> Found {
        let mut found = Found::default();
        for Line { subquery, says } in lines {
            let (row, members) = match says {
                Says::Finds(row, members) => (row, members),
                Says::Sorts => {
                    found.is_sorted |= *subquery == 0;
                    continue;
                }
                Says::Expects(rows) => {
                    found.expected = found.expected.max(*rows);
                    continue;
                }
            };
            let name = self.name(question, row);
            found.is_scan |= members.is_empty();
            let by = match members.as_slice() {
                [] => format!("every {name}"),
                members => format!("{name} by {}", members.join(" and ")),
            };
            if !found.by.contains(&by) {
                found.by.push(by);
            }
        }
        found
    }

    /// What a statement calls `row`: records, or the items of a list.
    fn name(&self, question: &Question, row: &str) -> String {
        let is_called = |table: &str| question.sql.contains(&format!("\"{table}\" {row} "));
        let records = self.partner.records.iter();
        let mut names = records.flat_map(|record| {
            let members = record.indexes.iter().flatten();
            let lists = members
                .filter_map(|member| Some((items(&record.table, member)?.name, format!("{}.{member}", record.name))));
            lists.chain([(record.table.name.clone(), record.name.clone())])
        });
        names.find(|(table, _)| is_called(table)).map_or_else(|| row.to_owned(), |(_, name)| name)
    }
}

/// What the files begin with.
const HEAD: &str = "\
# By which members the database finds what lists ask for, among 40,000 records of each type: to show what is derived,
# for each filter, and for each order from a cursor on. `every X`: each record is looked at until the page is full.
# `sorted`: what was found is put in order, for it was not found in the order of the list.
";

/// The first page.
const FIRST: &SelectPart = &SelectPart::Offset { limit: Some(PAGE), offset: 0 };

/// Why there can be no index for a condition; what it costs then is a look at each record until the page is full.
fn exempt(condition: &Expression, record: &RecordType) -> Option<&'static str> {
    let formula = condition.formula().unwrap();
    let is_derived = |part: Part<'_>| match part {
        Part::Own(name) => record.derived.iter().any(|derived| derived.name == name),
        _ => false,
    };
    if formula.speaks_of(&is_derived) {
        return Some("computed");
    }
    match formula {
        Formula::Search(..) => Some("a part of a text"),
        Formula::Compare(_, one, _) if matches!(*one, Formula::Decimal(_)) => Some("computed"),
        Formula::Or(_, other) if matches!(*other, Formula::Not(_)) => Some("all but some"),
        Formula::And(one, _) if matches!(*one, Formula::Nth(..)) => Some("what other records say"),
        _ => None,
    }
}

/// Has the tables of a partner's records filled before they have indexes: that takes a tenth of the time.
fn fill(partner: &mut Partner, prepare: &dyn Fn(&Partner), fill: impl FnOnce(&Partner)) {
    let indexes: Vec<_> = partner.records.iter_mut().map(|record| std::mem::take(&mut record.indexes)).collect();
    prepare(partner);
    fill(partner);
    for (record, indexes) in partner.records.iter_mut().zip(indexes) {
        record.indexes = indexes;
    }
    prepare(partner);
}

/// Asks for each list of each shipped description, and compares what is said of them with the files whose names end so.
fn compare(ending: &str, database: impl Fn(&mut Partner) -> Box<dyn Planner>) {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for mut partner in shipped() {
        let lists = |operation: &Operation| matches!(&operation.verb, Verb::List(Listed::Selected(_)));
        if !partner.operations.iter().any(lists) {
            continue;
        }
        let database = database(&mut partner);
        let mut said = HEAD.to_owned();
        let selected = partner.operations.iter().filter_map(|operation| match &operation.verb {
            Verb::List(Listed::Selected(selection)) => Some((&operation.id, &**selection)),
            _ => None,
        });
        for (id, selection) in selected {
            said.push_str(&Asker { partner: &partner, selection, database: &*database }.say(id));
        }
        let golden = Path::new("../tests/plans").join(format!("{}{ending}", partner.name));
        if bless {
            std::fs::write(&golden, &said).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != said {
            differing.push(said);
        }
    }
    assert!(differing.is_empty(), "BLESS=1 rewrites what is expected. Found now:\n{}", differing.join("\n"));
}
