//! How SQLite finds records.

use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Line, Planner, RECORDS, Says, compare, fill, filled};
use crate::description::Partner;
use crate::store::Store as _;
use crate::store::sql::{Dialect, Question, Sqlite, Whose};
use crate::store::sqlite::{SqliteOptions, SqliteStore};

/// What makes a list.
pub(super) const LIST_OF: &str = "json_array";

struct Filled {
    database: Connection,
    _folder: TempDir,
}

impl Filled {
    fn new(partner: &mut Partner) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let runtime = Runtime::new().unwrap();
        let prepare = |partner: &Partner| {
            runtime.block_on(async {
                let store = SqliteStore::open(&path, &SqliteOptions::default()).await.unwrap();
                store.prepare_partner(partner).await.unwrap();
            });
        };
        fill(partner, &prepare, |partner| {
            let database = Connection::open(&path).unwrap();
            database.execute_batch("pragma synchronous = off").unwrap();
            for record in &partner.records {
                let (table, (columns, values)) = (&record.table.name, filled(record, LIST_OF));
                let statement = format!(
                    "with recursive numbered(n) as (select 1 union all select n + 1 from numbered where n < {RECORDS}) \
                     insert into \"{table}\" (_connection, _id, _key, _delivery, _ancestors{columns}) \
                     select 1, n, '[' || n || ']', x'', '{{}}'{values} from numbered"
                );
                database.execute_batch(&statement).unwrap();
            }
        });
        let database = Connection::open(&path).unwrap();
        database.execute_batch("analyze; delete from sqlite_stat4").unwrap();
        drop(database);
        Self { database: Connection::open(&path).unwrap(), _folder: folder }
    }
}

impl Planner for Filled {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn whose(&self) -> Whose {
        Whose { tenant: None, connection: 1 }
    }

    fn plan(&self, question: &Question) -> Vec<Line> {
        let mut statement = self.database.prepare(&format!("explain query plan {}", &*question.sql)).unwrap();
        let mut subqueries = BTreeMap::from([(0_i64, 0_u32)]);
        let mut lines = Vec::new();
        let mut rows = statement.query(params_from_iter(&question.bound)).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (id, parent, says): (i64, i64, String) =
                (row.get(0).unwrap(), row.get(1).unwrap(), row.get(3).unwrap());
            let own = says.split_once("SUBQUERY ").and_then(|(_, number)| number.parse().ok());
            let subquery = own.unwrap_or(subqueries[&parent]);
            subqueries.insert(id, subquery);
            lines.extend(line(&says).map(|says| Line { subquery, says }));
        }
        lines
    }
}

fn line(says: &str) -> Option<Says> {
    if says == "USE TEMP B-TREE FOR ORDER BY" {
        return Some(Says::Sorts);
    }
    let (row, how) = says.strip_prefix("SEARCH ")?.split_once(' ')?;
    let conditions = how.split_once('(').map_or("", |(_, conditions)| conditions);
    let members = conditions.split([' ', ',']).filter_map(|word| {
        let member = word.trim_matches(|letter: char| "()<>=?".contains(letter));
        (!["", "AND", "_connection"].contains(&member)).then(|| member.to_owned())
    });
    Some(Says::Finds(row.to_owned(), members.collect()))
}

#[test]
fn there_is_an_index_for_every_filter_and_every_order() {
    compare(".txt", |partner| Box::new(Filled::new(partner)));
}
