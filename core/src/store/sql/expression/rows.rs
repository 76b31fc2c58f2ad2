//! Turns what looks through records or lists into subqueries.

use super::{As, Column, Row, Sameness, Sqled, Stop, Translator, null};
use crate::description::RecordTypeId;
use crate::description::formula::{Contents, Extreme, Fixed, Formula, Part, Rows, Source, Untranslatable};
use crate::store::sql::{exists, quoted};
use crate::table::ColumnForm;

/// A subquery's parts.
struct Opened {
    /// What stands after `from`.
    from: String,
    /// What stands after `where`.
    conditions: String,
    /// What its rows are ordered by; none where there is at most one.
    order: Option<String>,
}

impl Translator<'_> {
    /// Begins to look through the records of a type: what they are called, where they come from, and what holds for
    /// them.
    pub(super) fn records(&mut self, name: &str) -> Sqled<(String, String, Vec<String>)> {
        let types = (0..).map(RecordTypeId).zip(&self.scope.partner.records);
        let found = types.into_iter().find(|(_, record)| record.name == name);
        let Some((of, record)) = found else {
            return Err(Untranslatable { what: format!("the unknown records `{name}`") }.into());
        };
        let table = quoted(&record.table.name);
        let alias = self.parts.name();
        self.rows.push(Row::Record(alias.clone(), of));
        let from = format!("{table} {alias}");
        let conditions = vec![self.dialect.of_connection(&alias)];
        Ok((alias, from, conditions))
    }

    /// Begins to look through rows.
    fn open(&mut self, rows: &Rows<'_>) -> Sqled<Opened> {
        let (from, mut conditions, order) = match &rows.source {
            Source::Records(name) => {
                let (alias, from, conditions) = self.records(name)?;
                (from, conditions, Some(format!("{alias}._id")))
            }
            Source::Key(name, key, wanted) => {
                let at = self.rows.len();
                let (_, from, mut conditions) = self.records(name)?;
                let key =
                    Formula::Said { of: Part::Row(at, key), inside: Vec::new(), form: ColumnForm::Json, certain: true };
                let same = self.same(&key, wanted, Sameness::Wanted);
                conditions.push(self.or_close(same)?);
                (from, conditions, None)
            }
            Source::List(list) => {
                let list = self.nested(list)?;
                let alias = self.parts.name();
                self.rows.push(Row::Item(alias.clone()));
                (self.dialect.contents(&list, &alias, Contents::Items), Vec::new(), Some(self.dialect.order(&alias)))
            }
        };
        let at = self.rows.len() - 1;
        let all: Vec<_> = rows.conditions.iter().flat_map(Formula::conditions).collect();
        let is_linked = all.iter().any(|condition| link(condition, at).is_some());
        for condition in all {
            let truth = self.truth(condition).map_err(Stop::from);
            let truth = self.or_close(truth)?;
            // What belongs to the row around is found by that; what it says besides is the same for many.
            let is_plain = matches!(condition, Formula::Same(..) | Formula::Among(..)) && link(condition, at).is_none();
            conditions.push(if is_linked && is_plain { self.dialect.often(&truth) } else { truth });
        }
        let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") };
        Ok(Opened { from, conditions, order })
    }

    /// Ends to look through rows where something stands in the way.
    pub(super) fn or_close<T>(&mut self, result: Sqled<T>) -> Sqled<T> {
        result.inspect_err(|_| {
            self.rows.pop();
        })
    }

    pub(super) fn exists(&mut self, rows: &Rows<'_>) -> Sqled<String> {
        let Opened { from, conditions, .. } = self.open(rows)?;
        self.rows.pop();
        Ok(exists(&from, &conditions))
    }

    pub(super) fn count(&mut self, rows: &Rows<'_>) -> Sqled<String> {
        let Opened { from, conditions, .. } = self.open(rows)?;
        self.rows.pop();
        Ok(format!("(select count(*) from {from} where {conditions})"))
    }

    pub(super) fn nth(
        &mut self,
        rows: &Rows<'_>,
        nth: Option<&Fixed<'_>>,
        about: &Formula<'_>,
        wanted: As,
    ) -> Sqled<Column> {
        let nth = match nth {
            None => 0,
            Some(nth) => match self.fixed(nth)?.as_u64() {
                Some(nth) => nth,
                None => return Ok(null()),
            },
        };
        let Opened { from, conditions, order } = self.open(rows)?;
        let about = self.value(about, wanted);
        let Column { sql, form } = self.or_close(about)?;
        self.rows.pop();
        let which = match order {
            Some(order) => format!(" order by {order} limit 1 offset {}", i64::try_from(nth).unwrap_or(i64::MAX)),
            None => " limit 1".to_owned(),
        };
        Ok(Column { sql: format!("(select {sql} from {from} where {conditions}{which})"), form })
    }

    pub(super) fn total(&mut self, rows: &Rows<'_>, about: &Formula<'_>) -> Sqled<String> {
        let before = self.parts.bound();
        let Opened { from, conditions, .. } = self.open(rows)?;
        let about = self.known(about, As::Scalar).map_err(Stop::from);
        let about = self.or_close(about)?;
        self.rows.pop();
        if about == null() {
            self.parts.forget(before);
            return Ok("0".to_owned());
        }
        let about = about.sql;
        Ok(format!("(select {} from {from} where {conditions})", self.dialect.total(&about)))
    }

    pub(super) fn extreme(&mut self, extreme: Extreme, rows: &Rows<'_>, about: &Formula<'_>) -> Sqled<Column> {
        let Opened { from, conditions, .. } = self.open(rows)?;
        let about = self.known(about, As::Scalar).map_err(Stop::from);
        let about = self.or_close(about)?;
        self.rows.pop();
        if about == null() {
            return Ok(about);
        }
        let Column { sql: about, form } = about;
        let (function, direction) = match extreme {
            Extreme::Least => ("min", "asc"),
            Extreme::Greatest => ("max", "desc"),
        };
        let sql = if form == ColumnForm::Text {
            let (is_decimal, number) = (self.dialect.is_decimal(&about), self.dialect.decimal(&about));
            let order = format!(
                "not {is_decimal} {direction}, {number} {direction}, {} {direction}",
                self.dialect.by_code_point(&about)
            );
            format!("(select {about} from {from} where {conditions} and {about} is not null order by {order} limit 1)")
        } else {
            format!("(select {function}({about}) from {from} where {conditions})")
        };
        Ok(Column { sql, form })
    }

    /// `X.exists(x, x.a == own && x.b == fixed)`: the own member is one of those that these records say. So the records
    /// are looked for once, and not once per row. `None` where it is not of that kind.
    pub(super) fn one_of_many(&mut self, rows: &Rows<'_>) -> Sqled<Option<String>> {
        let Source::Records(name) = &rows.source else { return Ok(None) };
        let at = self.rows.len();
        let conditions: Vec<_> = rows.conditions.iter().flat_map(Formula::conditions).collect();
        let Some((link, theirs, own)) = conditions.iter().enumerate().find_map(|(nth, condition)| {
            let (theirs, own) = link(condition, at)?;
            Some((nth, theirs, own))
        }) else {
            return Ok(None);
        };
        let others: Vec<_> =
            conditions.iter().enumerate().filter(|(nth, _)| *nth != link).map(|(_, condition)| *condition).collect();
        let narrows = |condition: &&Formula<'_>| {
            matches!(condition, Formula::Same(one, other)
                if matches!(**one, Formula::Fixed(_)) || matches!(**other, Formula::Fixed(_)))
                || matches!(condition, Formula::Among(..))
        };
        if !others.iter().any(narrows) || others.iter().any(|condition| condition.speaks_of(&|part| is_outer(part, at)))
        {
            return Ok(None);
        }
        let own = self.scalar(own)?;
        let (_, from, mut all) = self.records(name)?;
        let theirs = self.scalar(theirs);
        let theirs = self.or_close(theirs)?;
        let (own, theirs) = self.alike(own, theirs);
        for condition in others {
            let truth = self.truth(condition).map_err(Stop::from);
            all.push(self.or_close(truth)?);
        }
        self.rows.pop();
        Ok(Some(format!("{own} in (select {theirs} from {from} where {})", all.join(" and "))))
    }
}

/// The two sides of a condition that equates a member of the rows at `at` with one of what is around them, theirs first.
fn link<'f, 'e>(condition: &'f Formula<'e>, at: usize) -> Option<(&'f Formula<'e>, &'f Formula<'e>)> {
    let Formula::Same(one, other) = condition else { return None };
    let member = |formula: &Formula<'_>| match formula {
        Formula::Said { of, inside, certain, .. } if inside.is_empty() => Some((is_outer(*of, at), *certain)),
        _ => None,
    };
    match (member(one)?, member(other)?) {
        ((false, certain), (true, also)) if certain || also => Some((one, other)),
        ((true, certain), (false, also)) if certain || also => Some((other, one)),
        _ => None,
    }
}

/// Whether it is a part of what is around the rows at `at`.
fn is_outer(part: Part<'_>, at: usize) -> bool {
    match part {
        Part::Own(_) => true,
        Part::Row(nth, _) | Part::Item(nth) => nth < at,
    }
}
