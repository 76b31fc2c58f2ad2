//! Turns a question for the records that a selection comes to into what each of them says.

use rusqlite::types::ValueRef;
use rusqlite::{Connection as Database, OptionalExtension as _, Row, TransactionBehavior};
use serde_json::{Map, Value};

use super::held::held;
use super::readers::Readers;
use super::rows::{Rows, whose};
use super::writer::Transaction;
use crate::description::Partner;
use crate::store::contributors::damaged;
use crate::store::read::{SelectQuery, SelectedRecords};
use crate::store::selected::{Numbered, cut, json, read_max};
use crate::store::sql::{PartQuestions, Question, Sqlite, Told, Wanted};
use crate::store::{HeldRecord, StoreError};
use crate::table::ColumnForm;

/// The first record, as planning needs it.
pub(super) fn first(transaction: &Transaction<'_>, wanted: &Wanted<'_>) -> Result<Option<HeldRecord>, StoreError> {
    Rows::asked(transaction, &wanted.first()?)?.first(|row| held(wanted.selection.of, row))
}

/// A part of the records. One that is named is read at once, a list on a thread that may block.
pub(super) async fn select(
    readers: &Readers,
    partner: &Partner,
    query: &SelectQuery<'_>,
) -> Result<SelectedRecords, StoreError> {
    let found = readers.read(|database| connection(database, query.tenant, query.connection)).await?;
    let Some(connection) = found else {
        return Ok(SelectedRecords { total: query.counts.then_some(0), ..SelectedRecords::default() });
    };
    let SelectQuery { selection, given, sort, options, .. } = query;
    let wanted = Wanted { dialect: &Sqlite, partner, whose: whose(connection), selection, given, sort, options };
    let asked = Asked { count: query.counts.then(|| wanted.count()).transpose()?, part: wanted.part(&query.part)? };
    let limit = read_max(&query.part);
    let (total, rows) = if query.names_one() {
        readers.read(|database| asked.read(database, limit)).await?
    } else {
        readers.read_at_length(move |database| asked.read(database, limit)).await?
    };
    Ok(SelectedRecords { total, ..cut(query, rows) })
}

/// The number of a connection, if there is one of these names.
fn connection(database: &Database, tenant: &str, name: &str) -> Result<Option<i64>, StoreError> {
    let mut statement = database.prepare_cached(
        "select c.id from connection c join tenant t on t.id = c.tenant where t.name = ?1 and c.name = ?2",
    )?;
    Ok(statement.query_row([tenant, name], |row| row.get(0)).optional()?)
}

/// What is asked of the database, all of it on one state.
struct Asked {
    count: Option<Question>,
    part: PartQuestions,
}

impl Asked {
    /// How many there are, if that is asked for, and at most `limit` of them.
    fn read(&self, database: &mut Database, limit: u64) -> Result<(Option<u64>, Vec<Numbered>), StoreError> {
        if let ([question], None) = (self.part.questions.as_slice(), &self.count) {
            return Ok((None, self.rows(database, question)?));
        }
        let transaction = database.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let total = match &self.count {
            Some(count) => Rows::asked(&transaction, count)?.first(|row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?,
            None => None,
        };
        let mut rows = Vec::new();
        for question in &self.part.questions {
            if (rows.len() as u64) < limit {
                rows.extend(self.rows(&transaction, question)?);
            }
        }
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((total, rows))
    }

    fn rows(&self, database: &Database, question: &Question) -> Result<Vec<Numbered>, StoreError> {
        Rows::asked(database, question)?.all(|row| Ok((row.get(0)?, says(&self.part.told, row)?)))
    }
}

/// What a row says after its number: what its schema does not know, then the members told.
fn says(told: &Told, row: &Row<'_>) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::with_capacity(told.len());
    for (position, (name, form)) in (2..).zip(told) {
        let value = match (row.get_ref(position)?, form) {
            (ValueRef::Null, _) => continue,
            (ValueRef::Integer(boolean), ColumnForm::Boolean) => Value::Bool(boolean != 0),
            (ValueRef::Integer(integer), _) => Value::from(integer),
            (ValueRef::Real(real), _) => Value::from(real),
            (ValueRef::Text(text), ColumnForm::Number | ColumnForm::Json) => json(text)?,
            (ValueRef::Text(text), _) => {
                Value::String(str::from_utf8(text).map_err(|_| damaged("what a record says"))?.to_owned())
            }
            (ValueRef::Blob(_), _) => return Err(damaged("what a record says")),
        };
        members.insert(name.clone(), value);
    }
    if let Some(unknown) = row.get_ref(1)?.as_bytes_or_null().map_err(|_| damaged("what a record says"))? {
        let Value::Object(unknown) = json(unknown)? else { return Err(damaged("what a record says")) };
        members.extend(unknown);
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use serde_json::{Value, json};

    use super::super::rows::{Rows, whose};
    use super::super::{Durability, SqliteOptions, SqliteStore};
    use crate::description::{
        Expression, FieldPath, Filter, Location, Member, Messages, Partner, RecordType, Routes, Selection, Sort,
        SortWord, Type,
    };
    use crate::digest::Digest;
    use crate::store::Store as _;
    use crate::store::read::{Cursor, SelectPart};
    use crate::store::sql::{Question, Sqlite, Wanted};
    use crate::table::{ColumnForm, Table, columns, table_name};

    /// Books by shelf and by date, both of which may be absent, and a filter that no index serves.
    fn partner() -> Partner {
        let properties =
            [("id", ColumnForm::Integer), ("shelf_id", ColumnForm::Integer), ("bought_on", ColumnForm::Text)];
        let book = RecordType {
            name: "Book".to_owned(),
            key: vec![FieldPath { up: 0, path: vec!["id".to_owned()] }],
            table: Table { name: table_name(&["record", "library", "Book"]), columns: columns(properties) },
            blank: true,
            indexes: vec![vec!["shelf_id".to_owned()], vec!["bought_on".to_owned()]],
            ..RecordType::default()
        };
        Partner {
            name: "library".to_owned(),
            version: "1".to_owned(),
            digest: Digest::of(b"library"),
            operations: Vec::new(),
            operator: Vec::new(),
            messages: Messages::default(),
            records_by_type: None,
            webhooks: None,
            refuses_unknown: false,
            records: vec![book],
            options: None,
            document: Value::Null,
            routes: Routes::default(),
        }
    }

    fn selection() -> Selection {
        let own = [
            Member::required("id", Type::Integer),
            Member::optional("shelf_id", Type::nullable(Type::Integer)),
            Member::optional("bought_on", Type::nullable(Type::Text)),
        ];
        let filter = |parameter: &str, condition: &str, of: Type| Filter {
            parameter: parameter.to_owned(),
            location: Location::Query,
            condition: Expression::compile_beside(condition, &own, &[Member::required("value", of)]).unwrap(),
            default: None,
        };
        let integers = Type::List(Box::new(Type::Integer));
        let words = ["id", "shelf_id", "bought_on"].into_iter().flat_map(|member| {
            [false, true].map(|descending| {
                let word = format!("{member}:{}", if descending { "desc" } else { "asc" });
                SortWord { word, member: member.to_owned(), descending }
            })
        });
        Selection {
            filters: vec![
                filter("shelf", "shelf_id == value", Type::Integer),
                filter("shelves", "shelf_id in value", integers),
                filter("since", "bought_on >= value", Type::Text),
            ],
            sort: Some(Sort { parameter: "sort".to_owned(), words: words.collect() }),
            ..Selection::default()
        }
    }

    /// Forty thousand books in one connection, looked at.
    async fn library(folder: &tempfile::TempDir) -> (SqliteStore, Partner) {
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        let partner = partner();
        store.prepare_partner(&partner).await.unwrap();
        let connection = store.connection("demo", "library", "library").await.unwrap();
        let fill = format!(
            "insert into record__library__book (_connection, _id, _key, _delivery, _ancestors, id, shelf_id, bought_on) \
             with recursive n(n) as (select 1 union all select n + 1 from n where n < 40000) \
             select {}, n, '[' || n || ']', x'00', '{{}}', n, nullif(n % 40, 0), \
             case when n % 7 > 0 then date('2020-01-01', '+' || (n % 2000) || ' days') end from n",
            connection.id
        );
        store.writer.write(Durability::Full, |database| Ok(database.execute_batch(&fill)?)).unwrap();
        store.prepare_partner(&partner).await.unwrap();
        (store, partner)
    }

    fn wanted<'q>(
        partner: &'q Partner,
        selection: &'q Selection,
        given: &'q [(usize, Value)],
        sort: &'q [usize],
    ) -> Wanted<'q> {
        Wanted { dialect: &Sqlite, partner, whose: whose(1), selection, given, sort, options: &Value::Null }
    }

    fn plan(store: &SqliteStore, question: &Question) -> String {
        let plan = store.writer.read(|database| {
            let mut statement = database.prepare(&format!("explain query plan {}", &*question.sql))?;
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            Ok(steps.collect::<Result<Vec<_>, _>>()?)
        });
        plan.unwrap().join("; ")
    }

    #[tokio::test]
    async fn what_is_chosen_and_ordered_is_found_in_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let (store, partner) = library(&folder).await;
        let selection = selection();
        let [by_id, by_date, by_date_back] = [[0], [4], [5]];
        let date = |back| Cursor { values: vec![json!("2021-05-05")], id: 400, back };
        let nothing = |back| Cursor { values: vec![Value::Null], id: 400, back };
        let after = |at: Cursor| SelectPart::Cursor { limit: 100, at: Some(at) };
        let from = |offset| SelectPart::Offset { limit: Some(100), offset };
        let place = Cursor { values: Vec::new(), id: 400, back: false };
        let (dated, undated) = ("_connection=? AND (bought_on,_id)", "_connection=? AND bought_on=? AND _id");
        for (given, sort, part, expected) in [
            (vec![], &[][..], from(0), vec!["(_connection=?)"]),
            (vec![], &[], after(place.clone()), vec!["(_connection=? AND _id>?)"]),
            (vec![], &by_id, from(39_000), vec!["(_connection=?)"]),
            (vec![], &by_date, from(39_000), vec!["(_connection=?)"]),
            (vec![], &by_date_back, from(0), vec!["(_connection=?)"]),
            (vec![], &by_date, after(date(false)), vec![dated, "_connection=? AND bought_on=?"]),
            (vec![], &by_date, after(date(true)), vec![dated]),
            (vec![], &by_date, after(nothing(false)), vec![undated]),
            (vec![], &by_date, after(nothing(true)), vec![undated, "_connection=? AND bought_on>?"]),
            (vec![], &by_date_back, after(date(false)), vec![dated]),
            (vec![], &by_date_back, after(nothing(false)), vec![undated, "_connection=? AND bought_on>?"]),
            (vec![(0, json!(7))], &[], from(0), vec!["_connection=? AND shelf_id=?"]),
            (vec![(0, json!(7))], &[], after(place), vec!["_connection=? AND shelf_id=? AND _id>?"]),
            (vec![(2, json!("2025-06-01"))], &by_date, from(0), vec!["_connection=? AND bought_on>?"]),
        ] {
            let wanted = wanted(&partner, &selection, &given, sort);
            let plans: Vec<_> = wanted.part(&part).unwrap().questions.iter().map(|it| plan(&store, it)).collect();
            assert_eq!(plans.len(), expected.len(), "{part:?}: {plans:#?}");
            for (plan, expected) in plans.iter().zip(expected) {
                assert!(plan.contains("USING INDEX") && plan.contains(expected), "{given:?} {sort:?} {part:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{given:?} {sort:?} {part:?}: {plan}");
            }
        }
        let several = [(1, json!([1, 2]))];
        let several = plan(&store, &wanted(&partner, &selection, &several, &[]).count().unwrap());
        assert!(several.contains("_connection=? AND shelf_id=?"), "{several}");
        let key = plan(
            &store,
            &wanted(&partner, &selection, &[], &[]).part(&SelectPart::Key(String::new())).unwrap().questions[0],
        );
        assert!(key.contains("(_connection=? AND _key=?)"), "{key}");
    }

    #[tokio::test]
    async fn a_statement_is_prepared_once_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, partner) = library(&folder).await;
        store.writer.write(Durability::Full, |database| Ok(database.execute_batch("analyze")?)).unwrap();
        let selection = selection();
        let questions: Vec<_> =
            (0..5).map(|shelf| wanted(&partner, &selection, &[(0, json!(shelf))], &[]).count().unwrap()).collect();
        let prepared_again = |database: &rusqlite::Connection| {
            let mut counts = Vec::new();
            for question in &questions {
                let count = Rows::asked(database, question)?.first(|row| Ok(row.get::<_, i64>(0)?))?;
                counts.push(count.unwrap_or_default());
            }
            let statement = database.prepare_cached(&questions[0].sql)?;
            Ok((statement.get_status(StatementStatus::RePrepare), counts))
        };
        let expected = (0, vec![0, 1000, 1000, 1000, 1000]);
        assert_eq!(store.writer.read(|database| prepared_again(database)).unwrap(), expected);
        assert_eq!(store.selecting.read(|database| prepared_again(database)).await.unwrap(), expected);
    }
}
