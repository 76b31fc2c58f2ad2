//! A statement in the making: every value is bound, and gets its number when it is.

use serde_json::Value;
use uuid::Uuid;

use super::{Dialect, Sql};

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Bound {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// A number.
    Real(f64),
    /// An id.
    Id(Uuid),
    /// Anything, as JSON.
    Json(Value),
}

impl Bound {
    /// A scalar by its own type; what is nested, or nothing, as JSON.
    pub(super) fn scalar(value: &Value) -> Self {
        match value {
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Real(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Json(value.clone()),
        }
    }
}

/// A statement and the values for its parameters, in order.
#[derive(Debug, Clone)]
pub(in crate::store) struct Question {
    /// The statement.
    pub(in crate::store) sql: Sql,
    /// The values.
    pub(in crate::store) bound: Vec<Bound>,
}

#[cfg(test)]
impl Question {
    /// The question how this one would be answered: `how` is the word for it.
    pub(in crate::store) fn explained(&self, how: &str) -> Self {
        Self { sql: Sql(format!("{how} {}", &*self.sql)), bound: self.bound.clone() }
    }
}

/// Whose records are asked for, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Whose {
    /// The tenant, where the database wants it.
    pub(in crate::store) tenant: Option<i64>,
    /// The connection.
    pub(in crate::store) connection: i64,
}

/// The values of a statement in the making.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) dialect: &'static dyn Dialect,
    bound: Vec<Bound>,
    /// Rows named so far.
    named: usize,
}

impl Parts {
    /// None so far.
    pub(super) fn new(dialect: &'static dyn Dialect) -> Self {
        Self { dialect, bound: Vec::new(), named: 0 }
    }

    /// Those that [`Dialect::of_connection`] speaks of.
    pub(super) fn of(dialect: &'static dyn Dialect, of: Whose) -> Self {
        let mut parts = Self::new(dialect);
        for number in [Some(of.connection), of.tenant].into_iter().flatten() {
            parts.bind(Bound::Integer(number));
        }
        parts
    }

    /// Binds a value; says how the statement names it.
    pub(super) fn bind(&mut self, value: Bound) -> String {
        let name = self.dialect.parameter(self.bound.len() + 1, &value);
        self.bound.push(value);
        name
    }

    /// A name for rows that no other rows of the statement have.
    pub(super) fn name(&mut self) -> String {
        self.named += 1;
        format!("x{}", self.named)
    }

    /// How many values are bound so far.
    pub(super) fn bound(&self) -> usize {
        self.bound.len()
    }

    /// Forgets all values but the first so many: those of a part of the statement that was dropped.
    pub(super) fn forget(&mut self, after: usize) {
        self.bound.truncate(after);
    }

    /// The statement, with the values bound so far.
    pub(super) fn ask(self, sql: String) -> Question {
        Question { sql: self.dialect.statement(sql), bound: self.bound }
    }
}
