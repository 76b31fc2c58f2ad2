//! A statement in the making: every value is bound, and gets its number when it is.

use super::Sql;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Bound {
    /// A text.
    Text(String),
    /// An integer or a boolean.
    Integer(i64),
    /// A number.
    Real(f64),
    /// An id.
    Bytes(Vec<u8>),
}

/// A statement and the values for its parameters, in order.
#[derive(Debug, Clone)]
pub(in crate::store) struct Question {
    /// The statement.
    pub(in crate::store) sql: Sql,
    /// The values.
    pub(in crate::store) bound: Vec<Bound>,
}

/// The values of a statement in the making.
#[derive(Debug, Default)]
pub(super) struct Parts {
    bound: Vec<Bound>,
    /// Rows named so far.
    named: usize,
}

impl Parts {
    /// Binds a value; says how the statement names it.
    pub(super) fn bind(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("?{}", self.bound.len())
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
        Question { sql: Sql(sql), bound: self.bound }
    }
}
