//! Turns expressions of descriptions into SQL over the tables of records.
//!
//! What speaks of no record is computed here and bound; everything else becomes SQL that means what evaluation means:
//! `null` stands for what is absent. Where only those records are wanted for which a condition holds, it is written so
//! that an index on the members that it equates can be used: `=` rather than `is`, and a list of keys rather than a
//! question per record.
//!
//! To translate one more thing: an arm in [`Translator::value`], and in [`Translator::truth`] if an index can help.

mod rows;
#[cfg(test)]
mod tests;
mod truth;

use serde_json::{Map, Value};

use super::Dialect;
use super::parts::{Bound, Parts};
use super::quoted;
use crate::description::formula::{Comparison, Fixed, Formula, Part, Step, Untranslatable};
use crate::description::{Expression, Partner, RecordType, RecordTypeId, VALUE, spellings};
use crate::table::ColumnForm;

/// What an expression speaks of, in a statement.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Scope<'s> {
    /// Whose records they are.
    pub(in crate::store) partner: &'s Partner,
    /// The type of the record at hand.
    pub(in crate::store) of: RecordTypeId,
    /// What the statement calls its row.
    pub(in crate::store) row: &'s str,
    /// The connection's options.
    pub(in crate::store) options: &'s Value,
    /// What a parameter says, where it is that parameter's condition.
    pub(in crate::store) value: Option<&'s Value>,
}

/// SQL of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Column {
    /// The SQL.
    pub(in crate::store) sql: String,
    /// What it holds: it is to be read as a column of this form.
    pub(in crate::store) form: ColumnForm,
}

/// SQL that is true for exactly those rows for which a condition holds.
pub(in crate::store) fn condition(
    expression: &Expression,
    scope: Scope<'_>,
    parts: &mut Parts,
) -> Result<String, Untranslatable> {
    Translator::new(scope, parts).truth(&expression.formula()?)
}

/// SQL of what an expression computes.
pub(in crate::store) fn computed(
    expression: &Expression,
    scope: Scope<'_>,
    parts: &mut Parts,
) -> Result<Column, Untranslatable> {
    let dialect = parts.dialect;
    let Column { sql, form } = Translator::new(scope, parts).known(&expression.formula()?, As::Column)?;
    let sql = if form == ColumnForm::Json { dialect.shown_json(&sql) } else { sql };
    Ok(Column { sql, form })
}

/// SQL of what the record says in a scalar member, stored or derived, as it is compared: numbers as numbers.
pub(in crate::store) fn compared(name: &str, scope: Scope<'_>, parts: &mut Parts) -> Result<Column, Untranslatable> {
    Translator::new(scope, parts).known(&own(name), As::Scalar)
}

fn own(name: &str) -> Formula<'_> {
    Formula::Said { of: Part::Own(name), inside: Vec::new(), form: ColumnForm::Text, certain: false }
}

/// Derived members within one another.
const DERIVED_DEPTH_MAX: usize = 16;

/// In which shape a value is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    /// As it is compared and computed with: what is nested is of no use.
    Scalar,
    /// As JSON, for what is nested.
    Json,
    /// As a column of its form would hold it.
    Column,
}

/// Why there is no SQL of something.
#[derive(Debug)]
enum Stop {
    /// It has no value, whatever the row.
    Unset,
    /// It has no translation.
    Untranslatable(Untranslatable),
}

impl From<Untranslatable> for Stop {
    fn from(untranslatable: Untranslatable) -> Self {
        Self::Untranslatable(untranslatable)
    }
}

type Sqled<T> = Result<T, Stop>;

/// What is looked at.
#[derive(Debug, Clone)]
enum Row {
    /// A record of a type, called so in the statement.
    Record(String, RecordTypeId),
    /// An item of a list.
    Item(String),
}

struct Translator<'t> {
    scope: Scope<'t>,
    parts: &'t mut Parts,
    dialect: &'static dyn Dialect,
    /// The record at hand.
    own: (String, RecordTypeId),
    /// What is looked through, the outermost first.
    rows: Vec<Row>,
    /// What names stand for, once it is needed.
    context: Option<Value>,
    /// Derived members around.
    derived: usize,
}

impl<'t> Translator<'t> {
    fn new(scope: Scope<'t>, parts: &'t mut Parts) -> Self {
        let own = (scope.row.to_owned(), scope.of);
        let dialect = parts.dialect;
        Self { scope, parts, dialect, own, rows: Vec::new(), context: None, derived: 0 }
    }

    /// A value; null where it has none.
    fn known(&mut self, formula: &Formula<'_>, wanted: As) -> Result<Column, Untranslatable> {
        let before = self.parts.bound();
        match self.value(formula, wanted) {
            Ok(column) => Ok(column),
            Err(Stop::Unset) => {
                self.parts.forget(before);
                Ok(null())
            }
            Err(Stop::Untranslatable(what)) => Err(what),
        }
    }

    /// A value, exactly: true, false or null where it is a condition.
    fn value(&mut self, formula: &Formula<'_>, wanted: As) -> Sqled<Column> {
        let before = self.parts.bound();
        let column = self.computed(formula, wanted)?;
        if column == null() {
            self.parts.forget(before);
        }
        Ok(column)
    }

    fn computed(&mut self, formula: &Formula<'_>, wanted: As) -> Sqled<Column> {
        let column = match formula {
            Formula::Fixed(fixed) => {
                let value = self.fixed(fixed)?;
                return Ok(self.bind(&value, wanted));
            }
            Formula::Said { of, inside, form, .. } => return self.said(*of, inside, *form, wanted),
            Formula::Choose(condition, one, other) => return self.choice(condition, one, other, wanted),
            Formula::Nth(rows, nth, about) => return self.nth(rows, nth.as_ref(), about, wanted),
            Formula::And(one, other) => boolean(self.decided(one, other, "and")?),
            Formula::Or(one, other) => boolean(self.decided(one, other, "or")?),
            Formula::Not(one) => {
                let one = self.scalar(one)?;
                boolean(format!("(not {})", self.logical(one)))
            }
            Formula::Same(one, other) => boolean(self.same(one, other, Sameness::Exact)?),
            Formula::Compare(how, one, other) => boolean(self.comparison(*how, one, other)?),
            Formula::Among(one, container) => boolean(self.among(one, container, true)?),
            Formula::Holds(container, one, contents) => boolean(self.holds(container, one, *contents)?),
            Formula::Glob(pattern, text) => {
                let (pattern, text) = (self.scalar(pattern)?.sql, self.scalar(text)?.sql);
                boolean(format!("({})", self.dialect.glob(&pattern, &text)))
            }
            Formula::Search(wanted, texts) => boolean(self.search(wanted, texts)?),
            Formula::Exists(rows) => boolean(self.exists(rows)?),
            Formula::Sum(one, other) => {
                let (one, other) = (self.scalar(one)?, self.scalar(other)?);
                if one == null() || other == null() {
                    return Ok(null());
                }
                let form = if one.form == other.form { one.form } else { ColumnForm::Number };
                Column { sql: self.dialect.sum(&one.sql, &other.sql, form), form }
            }
            Formula::Joined(one, other) => text(format!("({} || {})", self.scalar(one)?.sql, self.scalar(other)?.sql)),
            Formula::Negated(one) => {
                let one = self.scalar(one)?;
                if one == null() {
                    return Ok(null());
                }
                Column { sql: self.dialect.negated(&one.sql, one.form), form: one.form }
            }
            Formula::Length(one) => {
                let one = self.scalar(one)?.sql;
                integer(self.dialect.length(&one))
            }
            Formula::Contents(one, contents) => {
                let json = self.nested(one)?;
                integer(self.dialect.size(&json, *contents))
            }
            Formula::Text(one) => {
                let one = self.scalar(one)?;
                text(match one.form {
                    ColumnForm::Boolean => {
                        let (yes, no) = (self.dialect.boolean(true), self.dialect.boolean(false));
                        format!("case {} when {yes} then 'true' when {no} then 'false' end", one.sql)
                    }
                    _ => self.dialect.spelled(&one.sql),
                })
            }
            Formula::Decimal(one) => {
                let one = self.scalar(one)?.sql;
                Column { sql: self.dialect.decimal(&one), form: ColumnForm::Number }
            }
            Formula::Count(rows) => integer(self.count(rows)?),
            Formula::Extreme(extreme, rows, about) => self.extreme(*extreme, rows, about)?,
            Formula::Total(rows, about) => integer(self.total(rows, about)?),
            Formula::Object(members) => return self.object(members),
        };
        Ok(self.shaped(column, wanted))
    }

    /// JSON of an object.
    fn object(&mut self, members: &[(&str, Formula<'_>)]) -> Sqled<Column> {
        let mut said = Vec::new();
        for (name, member) in members {
            let name = self.parts.bind(Bound::Text((*name).to_owned()));
            said.push((name, self.known(member, As::Json)?.sql));
        }
        Ok(Column { sql: self.dialect.object(&said), form: ColumnForm::Json })
    }

    fn scalar(&mut self, formula: &Formula<'_>) -> Sqled<Column> {
        self.value(formula, As::Scalar)
    }

    /// What was computed, in the shape that is wanted.
    fn shaped(&self, column: Column, wanted: As) -> Column {
        match (wanted, column.form) {
            (As::Column, ColumnForm::Number) => Column { sql: self.dialect.spelled(&column.sql), form: column.form },
            (As::Json, _) => self.json(column),
            _ => column,
        }
    }

    /// A scalar as JSON.
    fn json(&self, column: Column) -> Column {
        if column == null() {
            return column;
        }
        Column { sql: self.dialect.json(&column.sql, column.form), form: ColumnForm::Json }
    }

    /// JSON of a value that may be nested.
    fn nested(&mut self, formula: &Formula<'_>) -> Sqled<String> {
        let json = self.value(formula, As::Json)?;
        Ok(if json == null() { self.dialect.null_json().to_owned() } else { json.sql })
    }

    /// What is true or false, where it may be open.
    fn logical(&self, column: Column) -> String {
        match column.form {
            ColumnForm::Json => self.dialect.open_boolean(&column.sql),
            _ => column.sql,
        }
    }

    /// Two values, such that they can be compared for being the same.
    fn alike(&self, one: Column, other: Column) -> (String, String) {
        if one == null() || other == null() {
            return (one.sql, other.sql);
        }
        let opened = |column: Column, is_open| match (column.form, is_open) {
            (ColumnForm::Json, _) | (_, false) => column.sql,
            (form, true) => self.dialect.opened(&column.sql, form),
        };
        let is_open = one.form == ColumnForm::Json || other.form == ColumnForm::Json;
        (opened(one, is_open), opened(other, is_open))
    }

    /// What is the same for every row.
    fn fixed(&mut self, fixed: &Fixed<'_>) -> Sqled<Value> {
        let scope = self.scope;
        let context = self.context.get_or_insert_with(|| {
            let mut names = Map::from_iter([("options".to_owned(), scope.options.clone())]);
            names.extend(scope.value.map(|value| (VALUE.to_owned(), value.clone())));
            Value::Object(names)
        });
        fixed.compute(context).map_err(|_| Stop::Unset)
    }

    fn bind(&mut self, value: &Value, wanted: As) -> Column {
        let (bound, form) = match value {
            Value::Null => return null(),
            value if wanted == As::Json => (Bound::Json(value.clone()), ColumnForm::Json),
            Value::Number(number) if wanted == As::Column && !number.is_i64() => {
                (Bound::Text(number.to_string()), ColumnForm::Number)
            }
            value => {
                let bound = Bound::scalar(value);
                let form = match bound {
                    Bound::Boolean(_) => ColumnForm::Boolean,
                    Bound::Integer(_) => ColumnForm::Integer,
                    Bound::Real(_) => ColumnForm::Number,
                    Bound::Text(_) => ColumnForm::Text,
                    Bound::Id(_) | Bound::Json(_) => ColumnForm::Json,
                };
                (bound, form)
            }
        };
        Column { sql: self.parts.bind(bound), form }
    }

    /// What a row says.
    fn said(&mut self, of: Part<'_>, inside: &[Step<'_>], form: ColumnForm, wanted: As) -> Sqled<Column> {
        let (row, name) = match of {
            Part::Own(name) => (self.own.clone(), name),
            Part::Row(at, name) => match self.rows.get(at) {
                Some(Row::Record(alias, of)) => ((alias.clone(), *of), name),
                _ => return Err(astray()),
            },
            Part::Item(at) => return self.item(at, inside, form, wanted),
        };
        let record = self.record_type(row.1);
        if let Some(derived) = record.derived.iter().find(|derived| derived.name == name) {
            let shape = if inside.is_empty() { wanted } else { As::Json };
            let base = self.derived(&derived.value, row, shape)?;
            let is_whole = inside.is_empty() || base == null();
            return if is_whole { Ok(base) } else { self.inside(base.sql, inside, form, wanted) };
        }
        let Some(column) = record.table.columns.iter().find(|column| column.property == name) else {
            return Ok(null());
        };
        let sql = format!("{}.{}", row.0, quoted(&column.name));
        match (column.form, inside, wanted) {
            (stored, [], As::Column) => Ok(Column { sql, form: stored }),
            (ColumnForm::Json, [], As::Json) => Ok(Column { sql, form: ColumnForm::Json }),
            (ColumnForm::Json, [], As::Scalar) => Ok(Column { sql: self.dialect.scalar(&sql, form), form }),
            (ColumnForm::Json, inside, wanted) => self.inside(sql, inside, form, wanted),
            (ColumnForm::Number, [], As::Scalar) => {
                Ok(Column { sql: self.dialect.number(&sql), form: ColumnForm::Number })
            }
            (ColumnForm::Number, [], As::Json) => {
                let sql = self.dialect.number_json(&sql);
                Ok(Column { sql, form: ColumnForm::Json })
            }
            (stored, [], wanted) => Ok(self.shaped(Column { sql, form: stored }, wanted)),
            _ => Ok(null()),
        }
    }

    /// What an item of a list says.
    fn item(&mut self, at: usize, inside: &[Step<'_>], form: ColumnForm, wanted: As) -> Sqled<Column> {
        let Some(Row::Item(alias)) = self.rows.get(at) else { return Err(astray()) };
        let nested = self.dialect.nested_item(alias);
        match (inside, form) {
            ([], ColumnForm::Json) if wanted != As::Scalar => Ok(Column { sql: nested, form }),
            ([], form) => Ok(self.shaped(Column { sql: self.dialect.item(alias, form), form }, wanted)),
            (inside, form) => self.inside(nested, inside, form, wanted),
        }
    }

    /// What stands inside JSON.
    fn inside(&mut self, mut json: String, inside: &[Step<'_>], form: ColumnForm, wanted: As) -> Sqled<Column> {
        for step in inside {
            let name = match step {
                Step::Member(name) => Some((*name).to_owned()),
                Step::At(at) => match self.fixed(at)? {
                    Value::String(name) if !name.starts_with(['$', '[']) && !name.contains('"') => Some(name),
                    index => {
                        // No list is so long that it has the last one.
                        let nth = index.as_u64().and_then(|nth| i32::try_from(nth).ok()).unwrap_or(i32::MAX);
                        let nth = self.parts.bind(Bound::Integer(nth.into()));
                        json = self.dialect.nth(&json, &nth);
                        None
                    }
                },
            };
            if let Some(name) = name {
                let name = self.parts.bind(Bound::Text(name));
                json = self.dialect.member(&json, &name);
            }
        }
        Ok(match wanted {
            As::Scalar => Column { sql: self.dialect.scalar(&json, form), form },
            As::Json | As::Column => Column { sql: json, form: ColumnForm::Json },
        })
    }

    /// A derived member of a row; null where it has no value.
    fn derived(&mut self, value: &Expression, row: (String, RecordTypeId), wanted: As) -> Sqled<Column> {
        if self.derived == DERIVED_DEPTH_MAX {
            let what = "a member that is computed of itself".to_owned();
            return Err(Untranslatable { what }.into());
        }
        let formula = value.formula()?;
        let (own, rows) = (std::mem::replace(&mut self.own, row), std::mem::take(&mut self.rows));
        self.derived += 1;
        let column = self.known(&formula, wanted);
        self.derived -= 1;
        (self.own, self.rows) = (own, rows);
        Ok(column?)
    }

    /// `&&` or `||`, exactly: what has no value is null.
    fn decided(&mut self, one: &Formula<'_>, other: &Formula<'_>, word: &str) -> Sqled<String> {
        let (one, other) = (self.known(one, As::Scalar)?, self.known(other, As::Scalar)?);
        Ok(format!("({} {word} {})", self.logical(one), self.logical(other)))
    }

    fn choice(&mut self, condition: &Formula<'_>, one: &Formula<'_>, other: &Formula<'_>, wanted: As) -> Sqled<Column> {
        if let Formula::Fixed(fixed) = condition {
            return match self.fixed(fixed)? {
                Value::Bool(true) => self.value(one, wanted),
                Value::Bool(false) => self.value(other, wanted),
                _ => Ok(null()),
            };
        }
        let before = self.parts.bound();
        let condition = self.scalar(condition)?;
        let condition = self.logical(condition);
        if condition == null().sql {
            return Ok(null());
        }
        let (one, other) = (self.known(one, wanted)?, self.known(other, wanted)?);
        if one == null() && other == null() {
            // A `case` of nulls alone would be text to PostgreSQL, wherever it stands.
            self.parts.forget(before);
            return Ok(null());
        }
        let (one, other) = if one.form == other.form || one == null() || other == null() {
            (one, other)
        } else if is_number(&one) && is_number(&other) {
            let number = |column: Column| Column { form: ColumnForm::Number, ..column };
            (self.shaped(number(one), wanted), self.shaped(number(other), wanted))
        } else {
            (self.json(one), self.json(other))
        };
        let form = if one == null() { other.form } else { one.form };
        let (yes, no) = (self.dialect.boolean(true), self.dialect.boolean(false));
        let sql = format!("case {condition} when {yes} then {} when {no} then {} end", one.sql, other.sql);
        Ok(Column { sql, form })
    }

    fn comparison(&mut self, how: Comparison, one: &Formula<'_>, other: &Formula<'_>) -> Sqled<String> {
        let before = self.parts.bound();
        let (one, other) = (self.scalar(one)?, self.scalar(other)?);
        if one == null() || other == null() {
            self.parts.forget(before);
            return Ok("null".to_owned());
        }
        let are_numbers = is_number(&one) && is_number(&other);
        let are_texts = is_text(&one) && is_text(&other);
        if !are_numbers && !are_texts {
            return Err(Stop::Unset);
        }
        let other_sql = if is_text(&other) { self.dialect.by_code_point(&other.sql) } else { other.sql };
        let symbol = match how {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        };
        Ok(format!("({} {symbol} {other_sql})", one.sql))
    }

    fn search(&mut self, wanted: &Fixed<'_>, texts: &[Formula<'_>]) -> Sqled<String> {
        let wanted = self.fixed(wanted)?;
        if wanted.is_null() {
            return Ok("null".to_owned());
        }
        let spellings = spellings(wanted.as_str().ok_or(Stop::Unset)?);
        let spellings: Vec<_> = spellings.into_iter().map(|part| self.parts.bind(Bound::Text(part))).collect();
        let mut any = Vec::new();
        for text in texts {
            let text = self.scalar(text)?.sql;
            let holds = spellings.iter().map(|part| self.dialect.holds(&text, part)).collect::<Vec<_>>().join(" or ");
            any.push(format!("({text} is not null and ({holds}))"));
        }
        Ok(format!("({})", any.join(" or ")))
    }

    fn record_type(&self, of: RecordTypeId) -> &'t RecordType {
        &self.scope.partner.records[usize::from(of.0)]
    }
}

/// How two values are compared for being the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sameness {
    /// True or false.
    Exact,
    /// True, or anything else.
    Wanted,
    /// True where they are not the same, else false.
    Unwanted,
}

fn null() -> Column {
    text("null".to_owned())
}

/// What is decided; what never is has the form of any other null.
fn boolean(sql: String) -> Column {
    if sql == null().sql { null() } else { Column { sql, form: ColumnForm::Boolean } }
}

fn integer(sql: String) -> Column {
    Column { sql, form: ColumnForm::Integer }
}

fn text(sql: String) -> Column {
    Column { sql, form: ColumnForm::Text }
}

fn is_number(column: &Column) -> bool {
    matches!(column.form, ColumnForm::Integer | ColumnForm::Number)
}

fn is_text(column: &Column) -> bool {
    column.form == ColumnForm::Text
}

/// A formula speaks of rows that nobody looks through.
fn astray() -> Stop {
    Stop::Untranslatable(Untranslatable { what: "what is out of place".to_owned() })
}
