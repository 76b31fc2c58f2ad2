//! Turns a JSON Schema into a [`Schema`], and a value that breaks it into notes by place and shape, never by value.

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct Schema;
