//! How the database finds what every list of every shipped description asks for, among 40,000 records of each type: for
//! each filter, each order, and each member that is derived, by which members it looks. What is said so stands in
//! `tests/plans`; `BLESS=1 cargo test` writes it anew. There is an index for everything but what must be exempt: see
//! [`exempt`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params_from_iter};
use serde_json::{Value, json};

use super::rows::whose;
use super::{SqliteOptions, SqliteStore};
use crate::canonical::Canonical;
use crate::description::formula::{Formula, Part};
use crate::description::{Expression, Listed, Partner, RecordType, Selection, SortWord, Verb};
use crate::store::Store as _;
use crate::store::read::{Cursor, SelectPart};
use crate::store::sql::{Question, Sqlite, Wanted, items};
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

/// A database that has many records of each type of the partner's, and has looked at them.
async fn database(folder: &Path, partner: &Partner) -> Connection {
    let path = folder.join("hub.db");
    let store = SqliteStore::open(&path, &SqliteOptions::default()).await.unwrap();
    store.prepare_partner(partner).await.unwrap();
    let database = Connection::open(&path).unwrap();
    database.execute_batch("pragma synchronous = off").unwrap();
    for record in &partner.records {
        fill(&database, record);
    }
    database.execute_batch("analyze; delete from sqlite_stat4").unwrap();
    drop(database);
    Connection::open(&path).unwrap()
}

fn fill(database: &Connection, record: &RecordType) {
    let key = record.key.first().and_then(|key| key.path.first());
    let (mut columns, mut values) = (String::new(), String::new());
    for column in &record.table.columns {
        write!(columns, ", \"{}\"", column.name).unwrap();
        write!(values, ", {}", value(column, key == Some(&column.property))).unwrap();
    }
    let table = &record.table.name;
    let statement = format!(
        "with recursive numbered(n) as (select 1 union all select n + 1 from numbered where n < {RECORDS}) \
         insert into \"{table}\" (_connection, _id, _key, _delivery, _ancestors{columns}) \
         select 1, n, '[' || n || ']', x'', '{{}}'{values} from numbered"
    );
    database.execute_batch(&statement).unwrap();
}

/// What the nth record says.
fn value(column: &Column, is_key: bool) -> String {
    let few = RECORDS / ALIKE;
    match column.form {
        ColumnForm::Integer if is_key => "n".to_owned(),
        ColumnForm::Text if is_key => "'w' || n".to_owned(),
        ColumnForm::Integer => format!("n % {few}"),
        ColumnForm::Boolean => "n % 2".to_owned(),
        ColumnForm::Text | ColumnForm::Id => format!("'w' || (n % {few})"),
        ColumnForm::Number => format!("cast(n % {few} as text)"),
        ColumnForm::Json => format!("json_array(n % {few})"),
    }
}

/// A line of a plan.
struct Line {
    /// The number of the subquery that it is a part of; 0 for the statement itself.
    subquery: u32,
    says: String,
}

fn plan(database: &Connection, question: &Question) -> Vec<Line> {
    let mut statement = database.prepare(&format!("explain query plan {}", &*question.sql)).unwrap();
    let mut subqueries = BTreeMap::from([(0_i64, 0_u32)]);
    let mut lines = Vec::new();
    let mut rows = statement.query(params_from_iter(&question.bound)).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (id, parent, says): (i64, i64, String) = (row.get(0).unwrap(), row.get(1).unwrap(), row.get(3).unwrap());
        let own = says.split_once("SUBQUERY ").and_then(|(_, number)| number.parse().ok());
        let subquery = own.unwrap_or(subqueries[&parent]);
        subqueries.insert(id, subquery);
        lines.push(Line { subquery, says });
    }
    lines
}

/// Asks for a page in many ways.
struct Asker<'a> {
    partner: &'a Partner,
    selection: &'a Selection,
    database: &'a Connection,
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
}

impl Asker<'_> {
    fn record(&self) -> &RecordType {
        &self.partner.records[usize::from(self.selection.of.0)]
    }

    /// What is said of the list, a line each.
    fn say(&self, id: &str) -> String {
        let mut said = format!("{id}: {}\n", self.record().name);
        let plain = self.question(&[], &[], FIRST);
        let lines = plan(self.database, &plain);
        let shown = lines.iter().map(|line| line.subquery).max().unwrap_or_default();
        let of_shown = self.found(&plain, lines.iter().filter(|line| line.subquery > 0));
        assert!(!of_shown.is_scan, "{id}: what is derived looks at every record: {of_shown:?}");
        if !of_shown.by.is_empty() {
            writeln!(said, "  shows {}", of_shown.by.join(", ")).unwrap();
        }
        for (at, filter) in self.selection.filters.iter().enumerate() {
            let question = self.filtered(at);
            let lines = plan(self.database, &question);
            // The first subqueries are those of what is shown.
            let chosen = lines.iter().filter(|line| line.subquery == 0 || line.subquery > shown);
            let found = self.found(&question, chosen);
            let exempt = exempt(&filter.condition, self.record());
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
        let found = self.found(&first, plan(self.database, &first).iter().filter(|line| line.subquery == 0));
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
        let later = self.found(&later, plan(self.database, &later).iter().filter(|line| line.subquery == 0));
        assert!(!found.is_sorted && !later.is_sorted && !later.is_scan, "{id}: {}: {found:?} {later:?}", word.word);
        later.by.join(", ")
    }

    /// A question by one filter, given a value that it can be given.
    fn filtered(&self, at: usize) -> Question {
        let values = [json!(7), json!("w7"), json!([7, 8]), json!(["w7", "w8"]), json!(true)];
        let mut questions = values.into_iter().map(|value| self.question(&[(at, value)], &[], FIRST));
        questions.find(|question| !question.sql.contains(" false")).expect("a value for the filter")
    }

    fn question(&self, given: &[(usize, Value)], sort: &[usize], part: &SelectPart) -> Question {
        let options = json!({});
        let Self { partner, selection, .. } = *self;
        let wanted = Wanted { dialect: &Sqlite, partner, whose: whose(1), selection, given, sort, options: &options };
        wanted.part(part).unwrap().questions.into_iter().next().unwrap()
    }

    /// How the rows are found that these lines of a plan tell of.
    fn found<'l>(&self, question: &Question, lines: impl Iterator<Item = &'l Line>) -> Found {
        let mut found = Found::default();
        for Line { subquery, says } in lines {
            if says == "USE TEMP B-TREE FOR ORDER BY" && *subquery == 0 {
                found.is_sorted = true;
            }
            let Some((row, how)) = says.strip_prefix("SEARCH ").and_then(|says| says.split_once(' ')) else {
                continue;
            };
            let name = self.name(question, row);
            let conditions = how.split_once('(').map_or("", |(_, conditions)| conditions);
            let members = conditions.split([' ', ',']).filter_map(|word| {
                let member = word.trim_matches(|letter: char| "()<>=?".contains(letter));
                (!["", "AND", "_connection"].contains(&member)).then_some(member)
            });
            let members: Vec<_> = members.collect();
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

#[tokio::test]
async fn there_is_an_index_for_every_filter_and_every_order() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for partner in shipped() {
        let mut said = HEAD.to_owned();
        let selected = partner.operations.iter().filter_map(|operation| match &operation.verb {
            Verb::List(Listed::Selected(selection)) => Some((&operation.id, &**selection)),
            _ => None,
        });
        let selected: Vec<_> = selected.collect();
        if selected.is_empty() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let database = database(folder.path(), &partner).await;
        for (id, selection) in selected {
            said.push_str(&Asker { partner: &partner, selection, database: &database }.say(id));
        }
        let golden = Path::new("../tests/plans").join(format!("{}.txt", partner.name));
        if bless {
            std::fs::write(&golden, &said).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != said {
            differing.push(said);
        }
    }
    assert!(differing.is_empty(), "BLESS=1 rewrites what is expected. Found now:\n{}", differing.join("\n"));
}
