//! How PostgreSQL finds records.

use std::cell::RefCell;

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::runtime::Runtime;

use super::{Line, Planner, RECORDS, Says, compare, fill, filled};
use crate::description::Partner;
use crate::store::Store as _;
use crate::store::postgres::{PostgresOptions, PostgresStore, asked, connect_options};
use crate::store::sql::{Dialect, Postgres, Question, Whose};

/// What makes a list.
const LIST_OF: &str = "jsonb_build_array";

struct Filled {
    connection: RefCell<PgConnection>,
    runtime: Runtime,
    _database: rollcall_test_cluster::Database,
}

impl Filled {
    fn new(partner: &mut Partner) -> Self {
        let (database, runtime) = (rollcall_test_cluster::Database::fresh(), Runtime::new().unwrap());
        let options = PostgresOptions::default();
        let store = runtime.block_on(PostgresStore::open(&database.url(), &options)).unwrap();
        let connect = connect_options(&database.url(), &options).unwrap();
        let connection = RefCell::new(runtime.block_on(PgConnection::connect_with(&connect)).unwrap());
        let execute = |statement: String| {
            let mut connection = connection.borrow_mut();
            runtime.block_on(connection.execute(AssertSqlSafe(statement))).unwrap();
        };
        let prepare = |partner: &Partner| runtime.block_on(store.prepare_partner(partner)).unwrap();
        fill(partner, &prepare, |partner| {
            for record in &partner.records {
                let (table, (columns, values)) = (&record.table.name, filled(record, LIST_OF));
                execute(format!(
                    "insert into \"{table}\" (_tenant, _connection, _id, _key, _delivery, _ancestors{columns}) \
                     select 1, 1, n, '[' || n || ']', '00000000-0000-0000-0000-000000000000', '{{}}'{values} \
                     from generate_series(1, {RECORDS}) n"
                ));
            }
        });
        // It looks at each row, so that what it finds out is always the same.
        execute("set default_statistics_target = 200".to_owned());
        execute("vacuum analyze".to_owned());
        runtime.block_on(store.close());
        Self { connection, runtime, _database: database }
    }
}

impl Planner for Filled {
    fn dialect(&self) -> &'static dyn Dialect {
        &Postgres
    }

    fn whose(&self) -> Whose {
        Whose { tenant: Some(1), connection: 1 }
    }

    fn plan(&self, question: &Question) -> Vec<Line> {
        let explained = asked(&question.explained("explain (format json)")).persistent(false);
        let row = self.runtime.block_on(explained.fetch_one(&mut *self.connection.borrow_mut())).unwrap();
        let plan: Value = serde_json::from_str(row.try_get_unchecked(0).unwrap()).unwrap();
        let mut lines = Vec::new();
        walk(&plan[0]["Plan"], &Around { row: "", merged: "", subquery: 0 }, &mut lines);
        lines
    }
}

/// What a part of a plan is a part of.
struct Around<'p> {
    /// What is looked for.
    row: &'p str,
    /// By what it is merged with other rows in their common order, if it is.
    merged: &'p str,
    subquery: u32,
}

/// Says of a part of a plan, and of what it is made of, how rows are found.
fn walk(plan: &Value, around: &Around<'_>, lines: &mut Vec<Line>) {
    let said = |key: &str| plan[key].as_str();
    let own = said("Subplan Name").and_then(|name| name.rsplit(' ').next()?.parse().ok());
    let (subquery, row) = (own.unwrap_or(around.subquery), said("Alias").unwrap_or(around.row));
    let says = match said("Node Type").unwrap() {
        "Sort" | "Incremental Sort" => Some(Says::Sorts),
        "Seq Scan" => Some(Says::Finds(plain(row), Vec::new())),
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
            let found = said("Index Cond").map(members).filter(|members| !members.is_empty());
            Some(Says::Finds(plain(row), found.unwrap_or_else(|| merged(around.merged, row))))
        }
        _ => None,
    };
    lines.extend(says.map(|says| Line { subquery, says }));
    if said("Node Type") == Some("Limit") && subquery == 0 {
        let rows = plan["Plans"][0]["Plan Rows"].as_u64().unwrap_or_default();
        lines.push(Line { subquery, says: Says::Expects(u32::try_from(rows).unwrap_or(u32::MAX)) });
    }
    for part in plan["Plans"].as_array().into_iter().flatten() {
        walk(part, &Around { row, merged: said("Merge Cond").unwrap_or_default(), subquery }, lines);
    }
}

/// The members of a row by which it is merged with others.
fn merged(condition: &str, row: &str) -> Vec<String> {
    let words = condition.split(['(', ')', ' ', '"']);
    words.filter_map(|word| Some(word.strip_prefix(row)?.strip_prefix('.')?.to_owned())).collect()
}

/// What the statement calls a row: where a plan has it twice, it gets a number of its own there.
fn plain(row: &str) -> String {
    row.split('_').next().unwrap_or(row).to_owned()
}

/// The members that a condition on an index compares: names that are not another row's, and no types or texts.
fn members(condition: &str) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    let bare: String = condition.split('\'').step_by(2).collect();
    let words = bare.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_.:\"".contains(letter));
    for word in words {
        let word = word.trim_matches('"');
        let is_name = word.starts_with(|first: char| first == '_' || first.is_ascii_lowercase());
        let is_other = word.contains(['.', ':']) || ["_tenant", "_connection", "true", "false"].contains(&word);
        if is_name && !is_other && !members.iter().any(|member| member == word) {
            members.push(word.to_owned());
        }
    }
    members
}

#[test]
fn there_is_an_index_in_postgres_for_every_filter_and_every_order() {
    compare(".postgres.txt", |partner| Box::new(Filled::new(partner)));
}
