//! The expression language: a typed, terminating subset of CEL.

/// A checked expression.
#[derive(Debug)]
pub struct Expression;
