//! Turns a [`Selection`] into statements: which records, in which order, which part of them.
//!
//! In an ascending order what is absent stands last, in a descending one first, so that one is the other backwards; what
//! is alike comes in the order of arrival, backwards where the first word of the order is descending. So one index on a
//! member and the record's number serves both, and pages forth and back.
//!
//! What stands after a cursor is asked for in up to two statements: one for records that say something in the first
//! member of the order and one for those that do not, for an index can be entered in the middle of either.

use std::iter::repeat;

use serde_json::Value;

use super::expression::{self, Scope};
use super::parts::{Bound, Parts, Question, Whose};
use super::record::held;
use super::{Dialect, push, quoted};
use crate::description::formula::Untranslatable;
use crate::description::{Partner, RecordType, Selection, SortWord};
use crate::store::StoreError;
use crate::store::read::{Cursor, SelectPart};
use crate::table::ColumnForm;

/// Which records are asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Wanted<'q> {
    /// The partner.
    pub(in crate::store) partner: &'q Partner,
    /// The database's.
    pub(in crate::store) dialect: &'static dyn Dialect,
    /// Whose.
    pub(in crate::store) whose: Whose,
    /// Which.
    pub(in crate::store) selection: &'q Selection,
    /// Values for its filters, by place.
    pub(in crate::store) given: &'q [(usize, Value)],
    /// Places of the words of its sort, the most important first.
    pub(in crate::store) sort: &'q [usize],
    /// The connection's options.
    pub(in crate::store) options: &'q Value,
}

/// What a row of [`Wanted::part`] says beside its number, column by column: the member and how it is read.
pub(in crate::store) type Told = Vec<(String, ColumnForm)>;

/// What reads a part of a list.
#[derive(Debug)]
pub(in crate::store) struct PartQuestions {
    /// What is asked, one after the other, until there is enough.
    pub(in crate::store) questions: Vec<Question>,
    /// What each row says after its number and what its schema does not know.
    pub(in crate::store) told: Told,
}

impl Wanted<'_> {
    /// How many there are.
    pub(in crate::store) fn count(&self) -> Result<Question, StoreError> {
        let mut parts = self.parts();
        let matching = self.matching(&mut parts)?;
        Ok(parts.ask(format!("select count(*) from {matching}")))
    }

    /// The first one, as planning needs it with whether it waits.
    pub(in crate::store) fn first(&self) -> Result<Question, StoreError> {
        let mut parts = self.parts();
        let matching = self.matching(&mut parts)?;
        let order = self.order(&mut parts, false)?.everything();
        Ok(parts.ask(format!("select {} from {matching} order by {order} limit 1", held(self.dialect))))
    }

    /// A part of them: at most as many as it says, one more where it follows a cursor.
    pub(in crate::store) fn part(&self, part: &SelectPart) -> Result<PartQuestions, StoreError> {
        let mut told = Told::new();
        let questions = match part {
            SelectPart::Key(key) => vec![self.keyed(key, &mut told)?],
            SelectPart::Offset { limit, offset } => vec![self.from(*limit, *offset, &mut told)?],
            SelectPart::Cursor { limit, at } => self.after(limit.saturating_add(1), at.as_ref(), &mut told)?,
        };
        Ok(PartQuestions { questions, told })
    }

    fn keyed(&self, key: &str, told: &mut Told) -> Result<Question, StoreError> {
        let mut parts = self.parts();
        let says = self.says(&mut parts, told)?;
        let matching = self.matching(&mut parts)?;
        let key = parts.bind(Bound::Text(key.to_owned()));
        Ok(parts.ask(format!("select {says} from {matching} and r._key = {key}")))
    }

    fn from(&self, limit: Option<u64>, offset: u64, told: &mut Told) -> Result<Question, StoreError> {
        let mut parts = self.parts();
        let says = self.says(&mut parts, told)?;
        let matching = self.matching(&mut parts)?;
        let order = self.order(&mut parts, false)?.everything();
        let number = |number| Bound::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let limit = parts.bind(number(limit.unwrap_or(u64::MAX)));
        let offset = parts.bind(number(offset));
        let page = self.dialect.page(&says, &matching, &order, &format!("limit {limit} offset {offset}"));
        Ok(parts.ask(page))
    }

    /// At most `limit` that stand after a cursor, or before it, the nearest first; from the beginning without one.
    fn after(&self, limit: u64, at: Option<&Cursor>, told: &mut Told) -> Result<Vec<Question>, StoreError> {
        let Some(at) = at else { return Ok(vec![self.from(Some(limit), 0, told)?]) };
        let at = &self.order(&mut self.parts(), at.back)?.fitting(at);
        let mut questions = Vec::new();
        for stretch in Stretch::after(self.words().next(), at) {
            told.clear();
            let mut parts = self.parts();
            let says = self.says(&mut parts, told)?;
            let matching = self.matching(&mut parts)?;
            let order = self.order(&mut parts, at.back)?;
            let (condition, order) = order.stretch(stretch, at, &mut parts);
            let limit = parts.bind(Bound::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
            let matching = format!("{matching} and {condition}");
            questions.push(parts.ask(self.dialect.page(&says, &matching, &order, &format!("limit {limit}"))));
        }
        Ok(questions)
    }

    fn parts(&self) -> Parts {
        Parts::of(self.dialect, self.whose)
    }

    fn record(&self) -> &RecordType {
        &self.partner.records[usize::from(self.selection.of.0)]
    }

    fn scope<'s>(&'s self, value: Option<&'s Value>) -> Scope<'s> {
        let Self { partner, selection, options, .. } = *self;
        Scope { partner, of: selection.of, row: "r", options, value }
    }

    fn words(&self) -> impl Iterator<Item = &SortWord> {
        let words = self.selection.sort.as_ref().map_or(&[][..], |sort| &sort.words);
        self.sort.iter().filter_map(|at| words.get(*at))
    }

    /// The number, what the schema does not know, and the members, stored and derived.
    fn says(&self, parts: &mut Parts, told: &mut Told) -> Result<String, StoreError> {
        let record = self.record();
        let mut says = "r._id, r._unknown".to_owned();
        for column in &record.table.columns {
            let shown = self.dialect.shown(&format!("r.{}", quoted(&column.name)), column.form);
            push(&mut says, format_args!(", {shown}"));
            told.push((column.property.clone(), column.form));
        }
        for derived in &record.derived {
            let computed = expression::computed(&derived.value, self.scope(None), parts)?;
            push(&mut says, format_args!(", {}", computed.sql));
            told.push((derived.name.clone(), computed.form));
        }
        Ok(says)
    }

    /// The table, and what holds for those of its records that are wanted.
    fn matching(&self, parts: &mut Parts) -> Result<String, StoreError> {
        let table = quoted(&self.record().table.name);
        let mut matching = format!("{table} r where {}", self.dialect.of_connection("r"));
        if let Some(only) = &self.selection.only {
            let only = expression::condition(only, self.scope(None), parts)?;
            push(&mut matching, format_args!(" and {only}"));
        }
        for (at, value) in self.given {
            let filter = self.selection.filters.get(*at);
            let filter = filter.ok_or_else(|| StoreError::Inconsistent(format!("there is no filter {at}")))?;
            let scope = self.scope(Some(value));
            let condition = expression::condition(&filter.condition, scope, parts)?;
            push(&mut matching, format_args!(" and {condition}"));
        }
        Ok(matching)
    }

    fn order(&self, parts: &mut Parts, back: bool) -> Result<Order, StoreError> {
        let mut terms = Vec::new();
        for word in self.words() {
            let compared = expression::compared(&word.member, self.scope(None), parts)?;
            let sql = match compared.form {
                ColumnForm::Text => self.dialect.by_code_point(&compared.sql),
                _ => compared.sql,
            };
            terms.push(Term { compared: sql, form: compared.form, descending: word.descending != back });
        }
        let descending = self.words().next().is_some_and(|word| word.descending) != back;
        Ok(Order { terms, descending })
    }
}

/// An order of records.
struct Order {
    /// What is compared, the most important first.
    terms: Vec<Term>,
    /// Whether of those that are alike the last to arrive stands first.
    descending: bool,
}

/// What is compared.
struct Term {
    /// SQL of the value.
    compared: String,
    /// What it is.
    form: ColumnForm,
    /// Whether the largest stands first, and before it what is absent.
    descending: bool,
}

/// A stretch of an ordered list, by what is said in the first member that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// Something, from the cursor on. Where nothing is compared, everything is in this stretch.
    Rest,
    /// Nothing, from the cursor on.
    RestOfAbsent,
    /// Something.
    Present,
    /// Nothing.
    Absent,
}

impl Stretch {
    /// The stretches after a cursor, in their order.
    fn after(first: Option<&SortWord>, at: &Cursor) -> Vec<Self> {
        let is_absent = at.values.first().is_none_or(Value::is_null);
        match first.map(|word| word.descending != at.back) {
            Some(false) if is_absent => vec![Self::RestOfAbsent],
            Some(false) => vec![Self::Rest, Self::Absent],
            Some(true) if is_absent => vec![Self::RestOfAbsent, Self::Present],
            Some(true) | None => vec![Self::Rest],
        }
    }
}

impl Order {
    /// A cursor such that each of its values can be compared: one of another order leads to some place.
    fn fitting(&self, at: &Cursor) -> Cursor {
        let values = self.terms.iter().zip(at.values.iter().chain(repeat(&Value::Null)));
        Cursor { values: values.map(|(term, value)| term.fitting(value)).collect(), ..*at }
    }

    /// What to order by.
    fn everything(&self) -> String {
        let terms = self.terms.iter().map(Term::ordered);
        terms.chain([self.arrival()]).collect::<Vec<_>>().join(", ")
    }

    fn arrival(&self) -> String {
        format!("r._id {}", direction(self.descending))
    }

    /// What holds in a stretch, and what to order it by.
    fn stretch(&self, stretch: Stretch, at: &Cursor, parts: &mut Parts) -> (String, String) {
        let Some((first, others)) = self.terms.split_first() else {
            return (self.later(&[], &[], at, parts), self.everything());
        };
        let (value, values) = at.values.split_first().unwrap_or((&Value::Null, &[]));
        let compared = &first.compared;
        let condition = match stretch {
            Stretch::Rest => {
                let value = first.bind(value, parts);
                let symbol = if first.descending { "<" } else { ">" };
                if others.is_empty() {
                    let id = parts.bind(Bound::Integer(at.id));
                    format!("({compared}, r._id) {symbol} ({value}, {id})")
                } else {
                    let later = self.later(others, values, at, parts);
                    format!("{compared} {symbol}= {value} and ({compared} {symbol} {value} or {later})")
                }
            }
            Stretch::RestOfAbsent => format!("{compared} is null and {}", self.later(others, values, at, parts)),
            Stretch::Present => format!("{compared} is not null"),
            Stretch::Absent => format!("{compared} is null"),
        };
        // Also where nothing is said: the order of an index is then known to be the one that is wanted.
        let leading = format!("{compared} {}", direction(first.descending));
        let terms = [leading].into_iter().chain(others.iter().map(Term::ordered)).chain([self.arrival()]);
        (condition, terms.collect::<Vec<_>>().join(", "))
    }

    /// That a record stands after the cursor by these terms, and by its arrival where they are alike.
    fn later(&self, terms: &[Term], values: &[Value], at: &Cursor, parts: &mut Parts) -> String {
        let Some((first, others)) = terms.split_first() else {
            let symbol = if self.descending { "<" } else { ">" };
            return format!("r._id {symbol} {}", parts.bind(Bound::Integer(at.id)));
        };
        let (value, values) = values.split_first().unwrap_or((&Value::Null, &[]));
        let compared = &first.compared;
        if value.is_null() {
            let later = self.later(others, values, at, parts);
            let alike = format!("{compared} is null and {later}");
            return if first.descending {
                format!("({compared} is not null or {alike})")
            } else {
                format!("({alike})")
            };
        }
        let value = first.bind(value, parts);
        let later = self.later(others, values, at, parts);
        let beyond = if first.descending {
            format!("{compared} < {value}")
        } else {
            format!("{compared} > {value} or {compared} is null")
        };
        format!("({beyond} or {compared} = {value} and {later})")
    }
}

impl Term {
    /// A value, or nothing where it can be no value of the member.
    fn fitting(&self, value: &Value) -> Value {
        let fits = match self.form {
            ColumnForm::Text | ColumnForm::Id => value.is_string(),
            ColumnForm::Integer | ColumnForm::Number => value.is_number(),
            ColumnForm::Boolean => value.is_boolean(),
            ColumnForm::Json => true,
        };
        if fits { value.clone() } else { Value::Null }
    }

    /// Binds a value that fits, as it is compared.
    fn bind(&self, value: &Value, parts: &mut Parts) -> String {
        let bound = match self.form {
            ColumnForm::Json => parts.dialect.open(value),
            _ => Bound::scalar(value),
        };
        parts.bind(bound)
    }

    fn ordered(&self) -> String {
        let absent = if self.descending { "first" } else { "last" };
        format!("{} {} nulls {absent}", self.compared, direction(self.descending))
    }
}

fn direction(descending: bool) -> &'static str {
    if descending { "desc" } else { "asc" }
}

/// What no database can compute is refused when a description is loaded.
impl From<Untranslatable> for StoreError {
    fn from(untranslatable: Untranslatable) -> Self {
        Self::Inconsistent(untranslatable.to_string())
    }
}
