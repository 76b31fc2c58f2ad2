//! An answer is its own response schema, filled in.

/// A response schema whose `value`s are compiled.
#[derive(Debug)]
pub struct Template;
