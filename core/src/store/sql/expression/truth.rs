//! Turns conditions into SQL that is true where they hold, such that an index can find those rows.

use serde_json::Value;

use super::{As, Column, Row, Sameness, Sqled, Stop, Translator, null};
use crate::description::formula::{Contents, Fixed, Formula, Part, Rows, Source, Untranslatable};
use crate::store::sql::{exists, items, quoted};
use crate::table::ColumnForm;

/// What holds nowhere.
const NEVER: &str = "false";

/// What holds everywhere.
const ALWAYS: &str = "true";

impl Translator<'_> {
    /// True where it holds; false or null elsewhere.
    pub(super) fn truth(&mut self, formula: &Formula<'_>) -> Result<String, Untranslatable> {
        let before = self.parts.bound();
        match self.positive(formula) {
            Ok(sql) => Ok(sql),
            Err(Stop::Unset) => {
                self.parts.forget(before);
                Ok(NEVER.to_owned())
            }
            Err(Stop::Untranslatable(what)) => Err(what),
        }
    }

    fn positive(&mut self, formula: &Formula<'_>) -> Sqled<String> {
        match formula {
            Formula::Fixed(fixed) => {
                let holds = self.fixed(fixed)? == Value::Bool(true);
                Ok(if holds { ALWAYS } else { NEVER }.to_owned())
            }
            Formula::And(one, other) => self.both(one, other),
            Formula::Or(one, other) => self.either(one, other),
            Formula::Not(one) => self.negative(one),
            Formula::Same(one, other) => self.same(one, other, Sameness::Wanted),
            Formula::Among(one, container) => self.among(one, container, false),
            Formula::Exists(rows) => match self.one_of_many(rows)? {
                Some(sql) => Ok(sql),
                None => match self.some_item(rows)? {
                    Some(sql) => Ok(sql),
                    None => self.exists(rows),
                },
            },
            Formula::Holds(container, one, Contents::Items) => match (&**container, &**one) {
                (Formula::Said { of, inside, .. }, Formula::Fixed(item)) if inside.is_empty() => {
                    let item = self.fixed(item)?;
                    match self.by_items(*of, std::slice::from_ref(&item)) {
                        Some(sql) => Ok(sql),
                        None => self.holds(container, one, Contents::Items),
                    }
                }
                _ => self.holds(container, one, Contents::Items),
            },
            Formula::Said { .. } | Formula::Nth(..) => {
                // A bare column is no condition that an index could serve.
                self.is(formula, true)
            }
            // Who asks for what is later than something mostly asks for the latest: without being told, planners believe
            // that it is a good part of all.
            Formula::Compare(how, one, other) if is_said(one) != is_said(other) => {
                let comparison = self.comparison(*how, one, other)?;
                Ok(self.dialect.seldom(&comparison))
            }
            Formula::Choose(condition, one, other) => match &**condition {
                Formula::Fixed(fixed) => match self.fixed(fixed)? {
                    Value::Bool(true) => self.positive(one),
                    Value::Bool(false) => self.positive(other),
                    _ => Err(Stop::Unset),
                },
                _ => self.decision(formula),
            },
            formula => self.decision(formula),
        }
    }

    /// What is true, false or null.
    fn decision(&mut self, formula: &Formula<'_>) -> Sqled<String> {
        let decision = self.scalar(formula)?;
        Ok(self.logical(decision))
    }

    /// That something stored is true, or that it is false.
    fn is(&mut self, formula: &Formula<'_>, wanted: bool) -> Sqled<String> {
        let decision = self.decision(formula)?;
        Ok(format!("{decision} = {}", self.dialect.boolean(wanted)))
    }

    fn negative(&mut self, formula: &Formula<'_>) -> Sqled<String> {
        match formula {
            Formula::Not(one) => self.positive(one),
            Formula::Same(one, other) => self.same(one, other, Sameness::Unwanted),
            Formula::Said { .. } => self.is(formula, false),
            formula => Ok(format!("not {}", self.decision(formula)?)),
        }
    }

    fn both(&mut self, one: &Formula<'_>, other: &Formula<'_>) -> Sqled<String> {
        let before = self.parts.bound();
        let (one, other) = (self.truth(one)?, self.truth(other)?);
        if one == NEVER || other == NEVER {
            self.parts.forget(before);
            return Ok(NEVER.to_owned());
        }
        Ok(match (one.as_str(), other.as_str()) {
            (ALWAYS, _) => other,
            (_, ALWAYS) => one,
            _ => format!("{one} and {other}"),
        })
    }

    fn either(&mut self, one: &Formula<'_>, other: &Formula<'_>) -> Sqled<String> {
        let before = self.parts.bound();
        let (one, other) = (self.truth(one)?, self.truth(other)?);
        if one == ALWAYS || other == ALWAYS {
            self.parts.forget(before);
            return Ok(ALWAYS.to_owned());
        }
        Ok(match (one.as_str(), other.as_str()) {
            (NEVER, _) => other,
            (_, NEVER) => one,
            _ => format!("({one} or {other})"),
        })
    }

    /// Whether both are the same. Where only the rows are wanted that it holds for, `=` will do if one is never null.
    pub(super) fn same(&mut self, one: &Formula<'_>, other: &Formula<'_>, sameness: Sameness) -> Sqled<String> {
        let (one, other) = if matches!(one, Formula::Fixed(_)) { (other, one) } else { (one, other) };
        let Formula::Fixed(fixed) = other else {
            let certain = is_certain(one) || is_certain(other);
            let (one, other) = (self.scalar(one)?, self.scalar(other)?);
            let (one, other) = self.alike(one, other);
            return Ok(match sameness {
                Sameness::Wanted if certain => format!("{one} = {other}"),
                Sameness::Unwanted => self.dialect.different(&one, &other),
                _ => format!("({})", self.dialect.same(&one, &other)),
            });
        };
        let value = self.fixed(fixed)?;
        if sameness == Sameness::Wanted
            && !value.is_null()
            && let Some(sql) = self.by_key(one, std::slice::from_ref(&value))?
        {
            return Ok(sql);
        }
        let before = self.parts.bound();
        let one = self.scalar(one)?;
        let bound = self.bound(&one, &value);
        if bound.is_none() && !value.is_null() {
            self.parts.forget(before);
        }
        Ok(match (value.is_null(), bound, sameness) {
            (true, _, Sameness::Unwanted) => format!("{} is not null", one.sql),
            (true, _, _) => format!("({} is null)", one.sql),
            (_, Some(value), Sameness::Wanted) => format!("{} = {value}", one.sql),
            (_, Some(value), Sameness::Exact) => format!("({})", self.dialect.same(&one.sql, &value)),
            (_, Some(value), Sameness::Unwanted) => self.dialect.different(&one.sql, &value),
            (_, None, Sameness::Unwanted) => ALWAYS.to_owned(),
            (_, None, _) => NEVER.to_owned(),
        })
    }

    /// A value, bound, as it compares to what is in a column; `None` where it can never be the same.
    fn bound(&mut self, column: &Column, value: &Value) -> Option<String> {
        let fits = match (column.form, value) {
            (_, Value::Null) => false,
            (ColumnForm::Json, _)
            | (ColumnForm::Text, Value::String(_))
            | (ColumnForm::Boolean, Value::Bool(_))
            | (ColumnForm::Integer | ColumnForm::Number, Value::Number(_)) => true,
            _ => *column == null(),
        };
        fits.then(|| match column.form {
            ColumnForm::Json => {
                let open = self.dialect.open(value);
                self.parts.bind(open)
            }
            _ => self.bind(value, As::Scalar).sql,
        })
    }

    /// Whether it is one of those that a fixed list holds, or one of the names of a fixed object's members.
    pub(super) fn among(&mut self, one: &Formula<'_>, container: &Fixed<'_>, exact: bool) -> Sqled<String> {
        let values: Vec<Value> = match self.fixed(container)? {
            Value::Array(items) => items,
            Value::Object(members) => members.into_iter().map(|(name, _)| Value::String(name)).collect(),
            _ => Vec::new(),
        };
        if !exact
            && !values.contains(&Value::Null)
            && let Some(sql) = self.by_key(one, &values)?
        {
            return Ok(sql);
        }
        let before = self.parts.bound();
        let one = self.scalar(one)?;
        let bound: Vec<_> = values.iter().filter_map(|value| self.bound(&one, value)).collect();
        let among = match bound.as_slice() {
            [] => None,
            [single] => Some(format!("{} = {single}", one.sql)),
            several => Some(format!("{} in ({})", one.sql, several.join(", "))),
        };
        Ok(match (among, values.contains(&Value::Null)) {
            (Some(among), true) => format!("({among} or {} is null)", one.sql),
            (Some(among), false) if exact => format!("({among} and {} is not null)", one.sql),
            (Some(among), false) => among,
            (None, true) => format!("({} is null)", one.sql),
            (None, false) => {
                self.parts.forget(before);
                NEVER.to_owned()
            }
        })
    }

    /// Whether a list has it among its items, or an object among its members' names.
    pub(super) fn holds(&mut self, container: &Formula<'_>, one: &Formula<'_>, contents: Contents) -> Sqled<String> {
        let json = self.nested(container)?;
        let alias = self.parts.name();
        let one = self.scalar(one)?;
        let same = match contents {
            Contents::Items if one == null() => self.dialect.is_item(&alias, "null", ColumnForm::Text),
            Contents::Items => self.dialect.is_item(&alias, &one.sql, one.form),
            Contents::Members => self.dialect.same(&self.dialect.name(&alias), &one.sql),
        };
        Ok(exists(&self.dialect.contents(&json, &alias, contents), &same))
    }

    /// `list.exists(x, x in values)`: some item is one of these values. `None` where it is not of that kind.
    fn some_item(&mut self, rows: &Rows<'_>) -> Sqled<Option<String>> {
        let (Source::List(list), [condition]) = (&rows.source, rows.conditions.as_slice()) else { return Ok(None) };
        let Formula::Said { of, inside, .. } = &**list else { return Ok(None) };
        let at = self.rows.len();
        let is_item = |formula: &Formula<'_>| matches!(formula, Formula::Said { of: Part::Item(nth), inside, .. } if *nth == at && inside.is_empty());
        let values = match condition {
            Formula::Among(one, values) if is_item(one) => match self.fixed(values)? {
                Value::Array(values) => values,
                _ => return Ok(None),
            },
            Formula::Same(one, other) => match (&**one, &**other) {
                (one, Formula::Fixed(value)) | (Formula::Fixed(value), one) if is_item(one) => vec![self.fixed(value)?],
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(if inside.is_empty() { self.by_items(*of, &values) } else { None })
    }

    /// That a list has one of these among its items, by the table of its items; `None` where there is none.
    fn by_items(&mut self, list: Part<'_>, values: &[Value]) -> Option<String> {
        let (alias, of, name) = match list {
            Part::Own(name) => (self.own.0.clone(), self.own.1, name),
            Part::Row(at, name) => match self.rows.get(at) {
                Some(Row::Record(alias, of)) => (alias.clone(), *of, name),
                _ => return None,
            },
            Part::Item(_) => return None,
        };
        let record = self.record_type(of);
        let is_indexed = record.indexes.iter().any(|members| matches!(members.as_slice(), [member] if member == name));
        let is_kept = is_indexed && values.iter().all(|value| self.dialect.keeps_item(value));
        let items = items(&record.table, name).filter(|_| is_kept)?;
        let row = self.parts.name();
        let bound = values.iter().map(|value| {
            let open = self.dialect.open(value);
            self.parts.bind(open)
        });
        let bound: Vec<_> = bound.collect();
        let among = match bound.as_slice() {
            [] => return Some(NEVER.to_owned()),
            [single] => format!("= {single}"),
            several => format!("in ({})", several.join(", ")),
        };
        let items = quoted(&items.name);
        let condition = format!("{} and {row}._item {among}", self.dialect.of_connection(&row));
        Some(format!("{alias}._id in (select {row}._id from {items} {row} where {condition})"))
    }

    /// `X[member].m` is one of these values: the member is one of the keys of those records. So the records are looked
    /// for once, and not once per row.
    fn by_key(&mut self, formula: &Formula<'_>, values: &[Value]) -> Sqled<Option<String>> {
        let Formula::Nth(rows, None, about) = formula else { return Ok(None) };
        let (Source::Key(name, key, wanted), Formula::Said { .. }) = (&rows.source, &**about) else { return Ok(None) };
        let at = self.rows.len();
        let is_own = |part: Part<'_>| matches!(part, Part::Own(_)) || matches!(part, Part::Row(n, _) if n < at);
        let is_member = matches!(&**wanted, Formula::Said { of, inside, .. } if inside.is_empty() && is_own(*of));
        if !is_member || values.contains(&Value::Null) {
            return Ok(None);
        }
        let member = self.scalar(wanted)?;
        let (_, from, mut conditions) = self.records(name)?;
        let key = Formula::Said { of: Part::Row(at, key), inside: Vec::new(), form: ColumnForm::Json, certain: true };
        let key = self.scalar(&key);
        let key = self.or_close(key)?;
        let about = self.scalar(about);
        let about = self.or_close(about)?;
        let bound: Vec<_> = values.iter().filter_map(|value| self.bound(&about, value)).collect();
        conditions.push(match bound.as_slice() {
            [] => NEVER.to_owned(),
            [single] => format!("{} = {single}", about.sql),
            several => format!("{} in ({})", about.sql, several.join(", ")),
        });
        self.rows.pop();
        let conditions = conditions.join(" and ");
        let (member, key) = self.alike(member, key);
        Ok(Some(format!("{member} in (select {key} from {from} where {conditions})")))
    }
}

/// Whether it is stored, and nothing that is inside of something.
pub(super) fn is_said(formula: &Formula<'_>) -> bool {
    matches!(formula, Formula::Said { inside, .. } if inside.is_empty())
}

/// Whether it is never null.
fn is_certain(formula: &Formula<'_>) -> bool {
    matches!(formula, Formula::Said { certain: true, .. })
}
