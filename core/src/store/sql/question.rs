//! Turns an [`EntityQuery`] into a statement: filters over typed columns and into nested values, sorting, paging.
//!
//! Every value and every member name is bound, never written into the statement. A field that is absent satisfies no
//! condition. To add an operator: an arm in [`symbol`] and, where it means something else per form, in the functions
//! that end in `_condition`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::parts::{Bound, Parts, Question};
use super::{Dialect, exists, push, quoted};
use crate::canonical::{Form, Kind};
use crate::store::read::{EntityQuery, Filter, Operator, Page, QueryError, Sort};
use crate::table::ColumnForm;

/// The page of entities that `query` asks for: id, active, modified, then the fields.
pub(in crate::store) fn page(
    dialect: &'static dyn Dialect,
    kind: &Kind,
    query: &EntityQuery,
) -> Result<Question, QueryError> {
    let mut parts = Parts::new(dialect);
    let mut condition = parts.matching(kind, query)?;
    let (limit, offset) = match query.page {
        Page::Offset { limit, offset } => (limit, i64::try_from(offset).unwrap_or(i64::MAX)),
        Page::After { limit, after } => {
            if let Some(after) = after {
                let after = parts.bind(Bound::Id(after));
                condition = format!("{condition} and _sourced_id > {after}");
            }
            (limit, 0)
        }
    };
    let order = match (&query.sort, query.page) {
        (Some(sort), Page::Offset { .. }) => order(dialect, kind, sort)?,
        _ => "_sourced_id".to_owned(),
    };
    let (limit, offset) = (parts.bind(Bound::Integer(i64::from(limit))), parts.bind(Bound::Integer(offset)));
    let select = select(dialect, kind);
    Ok(parts.ask(format!("{select} where {condition} order by {order} limit {limit} offset {offset}")))
}

/// How many entities match `query`, on whatever page.
pub(in crate::store) fn count(
    dialect: &'static dyn Dialect,
    kind: &Kind,
    query: &EntityQuery,
) -> Result<Question, QueryError> {
    let mut parts = Parts::new(dialect);
    let condition = parts.matching(kind, query)?;
    Ok(parts.ask(format!("select count(*) from {} where {condition}", quoted(&kind.table.name))))
}

/// One entity (tenant's name, id), read like those of [`page`].
pub(in crate::store) fn single(dialect: &'static dyn Dialect, kind: &Kind, tenant: &str, sourced_id: Uuid) -> Question {
    let mut parts = Parts::new(dialect);
    let tenant = parts.tenant(tenant);
    let sourced_id = parts.bind(Bound::Id(sourced_id));
    parts.ask(format!("{} where {tenant} and _sourced_id = {sourced_id}", select(dialect, kind)))
}

fn select(dialect: &dyn Dialect, kind: &Kind) -> String {
    let mut columns = "_sourced_id, _active, _modified".to_owned();
    for column in &kind.table.columns {
        columns.push_str(", ");
        columns.push_str(&dialect.shown(&quoted(&column.name), column.form));
    }
    format!("select {columns} from {}", quoted(&kind.table.name))
}

/// What to order by: absent values last, then by id so that pages do not overlap.
fn order(dialect: &dyn Dialect, kind: &Kind, sort: &Sort) -> Result<String, QueryError> {
    let unknown = || QueryError::UnknownField(sort.field.clone());
    let direction = if sort.descending { "desc" } else { "asc" };
    let value = match Target::of(kind, &sort.field).ok_or_else(unknown)? {
        Target::SourcedId => return Ok(format!("_sourced_id {direction}")),
        Target::Status => status(dialect),
        Target::Modified => "_modified".to_owned(),
        Target::Field { form: ColumnForm::Json, .. } => return Err(unknown()),
        Target::Field { column, form: ColumnForm::Number, .. } => dialect.number(&column),
        Target::Field { column, .. } => column,
    };
    Ok(format!("{value} is null, {value} {direction}, _sourced_id"))
}

/// The status as readers see it.
fn status(dialect: &dyn Dialect) -> String {
    format!("case _active when {} then 'active' else 'tobedeleted' end", dialect.boolean(true))
}

/// What the first step of a path names.
enum Target<'a> {
    SourcedId,
    Status,
    Modified,
    Field { column: String, form: ColumnForm, field: &'a Form },
}

impl<'a> Target<'a> {
    fn of(kind: &'a Kind, name: &str) -> Option<Self> {
        match name {
            "sourcedId" => Some(Self::SourcedId),
            "status" => Some(Self::Status),
            "dateLastModified" => Some(Self::Modified),
            _ => {
                let mut fields = kind.fields.iter().zip(&kind.table.columns);
                let (field, column) = fields.find(|(field, _)| field.name == name)?;
                Some(Self::Field { column: quoted(&column.name), form: column.form, field: &field.form })
            }
        }
    }
}

impl Parts {
    fn tenant(&mut self, name: &str) -> String {
        format!("_tenant = (select id from tenant where name = {})", self.bind(Bound::Text(name.to_owned())))
    }

    /// The condition that `query` sets, whatever the page.
    fn matching(&mut self, kind: &Kind, query: &EntityQuery) -> Result<String, QueryError> {
        let mut condition = self.tenant(&query.tenant);
        if let Some(connection) = &query.connection {
            let (tenant, name) = (self.tenant_id(&query.tenant), self.bind(Bound::Text(connection.clone())));
            push(
                &mut condition,
                format_args!(
                    " and _connection = (select id from connection where tenant = {tenant} and name = {name})"
                ),
            );
        }
        if let Some(active) = query.active {
            push(&mut condition, format_args!(" and _active = {}", self.dialect.boolean(active)));
        }
        if let Some(filter) = &query.filter {
            condition.push_str(" and ");
            condition.push_str(&self.filter(kind, filter)?);
        }
        Ok(condition)
    }

    fn tenant_id(&mut self, name: &str) -> String {
        format!("(select id from tenant where name = {})", self.bind(Bound::Text(name.to_owned())))
    }

    fn filter(&mut self, kind: &Kind, filter: &Filter) -> Result<String, QueryError> {
        Ok(match filter {
            Filter::And(one, other) => format!("({} and {})", self.filter(kind, one)?, self.filter(kind, other)?),
            Filter::Or(one, other) => format!("({} or {})", self.filter(kind, one)?, self.filter(kind, other)?),
            Filter::Compare { path, operator, value } => {
                self.compare(kind, path, *operator, value).ok_or_else(|| QueryError::UnknownField(path.join(".")))?
            }
        })
    }

    /// `None` where the path leads nowhere.
    fn compare(&mut self, kind: &Kind, path: &[String], operator: Operator, value: &str) -> Option<String> {
        let (first, rest) = path.split_first()?;
        match Target::of(kind, first)? {
            Target::Field { column, form: ColumnForm::Json, field } => {
                self.nested_condition(&column, within(field, rest), operator, value)
            }
            Target::Field { column, form: ColumnForm::Id, .. } if rest.is_empty() || rest == ["sourcedId"] => {
                Some(self.id_condition(&column, operator, value))
            }
            _ if !rest.is_empty() => None,
            Target::SourcedId => Some(self.id_condition("_sourced_id", operator, value)),
            Target::Status => Some(self.text_condition(&format!("({})", status(self.dialect)), operator, value)),
            Target::Modified => self.time_condition("_modified", operator, value),
            Target::Field { column, form, .. } => Some(match form {
                ColumnForm::Integer => self.number_condition(&column, operator, value),
                ColumnForm::Number => self.number_condition(&self.dialect.number(&column), operator, value),
                ColumnForm::Boolean => self.boolean_condition(&column, operator, value),
                ColumnForm::Text | ColumnForm::Id | ColumnForm::Json => self.text_condition(&column, operator, value),
            }),
        }
    }

    fn text_condition(&mut self, text: &str, operator: Operator, value: &str) -> String {
        let Some(symbol) = symbol(operator) else {
            let patterns: Vec<_> = patterns(value)
                .into_iter()
                .map(|pattern| {
                    let pattern = self.bind(Bound::Text(pattern));
                    self.dialect.like(text, &pattern)
                })
                .collect();
            return format!("({})", patterns.join(" or "));
        };
        let value = self.bind(Bound::Text(value.to_owned()));
        format!("{text} {symbol} {}", self.dialect.by_code_point(&value))
    }

    fn id_condition(&mut self, id: &str, operator: Operator, value: &str) -> String {
        match (symbol(operator), Uuid::parse_str(value)) {
            (Some(symbol), Ok(uuid)) => format!("{id} {symbol} {}", self.bind(Bound::Id(uuid))),
            _ => self.text_condition(&self.dialect.id_text(id), operator, value),
        }
    }

    fn number_condition(&mut self, number: &str, operator: Operator, value: &str) -> String {
        match (symbol(operator), numeric(value)) {
            (Some(symbol), Some(value)) => format!("{number} {symbol} {}", self.bind(value)),
            (Some(_), None) => never(number, operator),
            (None, _) => self.text_condition(&self.dialect.spelled(number), operator, value),
        }
    }

    fn boolean_condition(&mut self, boolean: &str, operator: Operator, value: &str) -> String {
        match (symbol(operator), value.parse::<bool>()) {
            (Some(symbol), Ok(value)) => format!("{boolean} {symbol} {}", self.bind(Bound::Boolean(value))),
            _ => never(boolean, operator),
        }
    }

    fn time_condition(&mut self, time: &str, operator: Operator, value: &str) -> Option<String> {
        let symbol = symbol(operator)?;
        let midnight = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
        let instant = value.parse::<Timestamp>().ok().or_else(|| midnight(value.parse().ok()?));
        Some(match instant {
            Some(instant) => format!("{time} {symbol} {}", self.bind(Bound::Integer(instant.as_millisecond()))),
            None => never(time, operator),
        })
    }

    /// Goes down `path`, through every item of every list on the way.
    fn nested_condition(&mut self, json: &str, path: &[String], operator: Operator, value: &str) -> Option<String> {
        let dialect = self.dialect;
        let mut from = dialect.items(json, "i0");
        for (depth, member) in path.iter().enumerate() {
            if member.is_empty() || member.contains(['"', '\\', '[', '$']) || member.contains(char::is_control) {
                return None;
            }
            let label = self.bind(Bound::Text(member.clone()));
            let below = dialect.item_member(&format!("i{depth}"), &label);
            push(&mut from, format_args!(", {}", dialect.items(&below, &format!("i{}", depth + 1))));
        }
        let leaf = |form| format!("({})", dialect.item_of(&format!("i{}", path.len()), form));
        let mut any = vec![self.text_condition(&leaf(ColumnForm::Text), operator, value)];
        if let (Some(symbol), Some(number)) = (symbol(operator), numeric(value)) {
            let number = self.bind(number);
            any.push(format!("{} {symbol} {number}", leaf(ColumnForm::Number)));
        }
        if let (Some(symbol), Ok(boolean)) = (symbol(operator), value.parse()) {
            let boolean = self.bind(Bound::Boolean(boolean));
            any.push(format!("{} {symbol} {boolean}", leaf(ColumnForm::Boolean)));
        }
        Some(exists(&from, &any.join(" or ")))
    }
}

/// The rest of a path into a nested field; `…org.sourcedId` means the reference itself, which is stored plain.
fn within<'a>(field: &Form, rest: &'a [String]) -> &'a [String] {
    if let (Form::Nested(_, references), Some((last, way))) = (field, rest.split_last())
        && last == "sourcedId"
        && references.iter().any(|reference| reference.path.iter().filter(|step| *step != "[]").eq(way))
    {
        return way;
    }
    rest
}

/// How an operator is written; [`Operator::Contains`] is not one of SQL's.
fn symbol(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Equal => Some("="),
        Operator::NotEqual => Some("<>"),
        Operator::Greater => Some(">"),
        Operator::GreaterOrEqual => Some(">="),
        Operator::Less => Some("<"),
        Operator::LessOrEqual => Some("<="),
        Operator::Contains => None,
    }
}

/// A value that the field cannot hold: only unlike it, never like it.
fn never(column: &str, operator: Operator) -> String {
    if operator == Operator::NotEqual { format!("{column} is not null") } else { "false".to_owned() }
}

fn numeric(value: &str) -> Option<Bound> {
    let real = || value.parse::<f64>().ok().filter(|real| real.is_finite()).map(Bound::Real);
    value.parse().ok().map(Bound::Integer).or_else(real)
}

/// Patterns that together find `value` whatever its case. The database knows the case of ASCII only, so a value with
/// other letters is looked for in its usual spellings: as given, small, capital, with a capital first letter.
fn patterns(value: &str) -> Vec<String> {
    let mut spellings = vec![value.to_owned()];
    if !value.is_ascii() {
        let lower = value.to_lowercase();
        let mut letters = lower.chars();
        let capitalised = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
        spellings.extend([Some(value.to_uppercase()), capitalised, Some(lower)].into_iter().flatten());
        spellings.sort();
        spellings.dedup();
    }
    let escape = |text: String| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    spellings.into_iter().map(|text| format!("%{}%", escape(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::patterns;

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(patterns("50%_\\"), ["%50\\%\\_\\\\%"]);
    }

    #[test]
    fn letters_beyond_ascii_are_looked_for_in_their_usual_spellings() {
        assert_eq!(patterns("école"), ["%ÉCOLE%", "%École%", "%école%"]);
        assert_eq!(patterns("سارة"), ["%سارة%"]);
    }
}
