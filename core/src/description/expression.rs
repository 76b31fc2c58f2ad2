//! The expression language: a typed, terminating subset of CEL. It selects and counts; it never decides business.
//!
//! The only loops are `filter`, `exists`, `min` and `max` of lists, and only over stored records may one stand in
//! another, once: what an evaluation looks at is bounded by the lists that it is given.
//!
//! An expression is parsed by the `cel` crate, typed against what it may speak of when the description is loaded, and
//! evaluated over JSON values afterwards. Evaluation is total: what cannot be computed is an [`Unset`], never a panic.
//!
//! Of a record, what is absent is `null`, because no client can tell the two apart; elsewhere what is absent has no
//! value. What is done with `null` gives `null` again, but for comparing for equality, and for `&&` and `||` where the
//! other side decides. That is what databases do, so that a [`formula::Formula`] and its evaluation agree.
//!
//! To add a function: a variant of `Operation`, its typing in `typing.rs`, its meaning in `evaluate.rs`, and whether a
//! database can compute it in `formula.rs`.

mod agreement;
mod compared;
mod decimal;
mod evaluate;
pub mod formula;
mod glob;
mod reads;
mod search;
#[cfg(test)]
mod tests;
mod typing;
mod value_type;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub(super) use self::agreement::Agreement;
pub(super) use self::compared::Compared;
pub use self::glob::glob;
pub use self::search::spellings;
pub use self::value_type::{Member, Row, Type};

/// What the value of a parameter is called.
pub const VALUE: &str = "value";

/// Bytes of one expression.
const SOURCE_BYTES_MAX: usize = 1_000;

/// Choices (`? :`) within one another.
const CHOICES_MAX: u16 = 12;

/// Brackets within one another: the parser needs much of the stack for each.
const BRACKETS_MAX: usize = 6;

/// Levels of a syntax tree.
const DEPTH_MAX: usize = 64;

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Typed);

/// What is wrong with an expression, and which of its bytes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub problem: String,
    /// Where.
    pub span: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// An expression has no value here: it speaks of something that is absent, or computes beyond 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the expression has no value")]
pub struct Unset;

/// An expression, or a part of one, and what it computes.
#[derive(Debug, Clone, PartialEq)]
struct Typed {
    node: Node,
    of: Type,
}

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    /// What the place of the expression gives it: `options`, `value`.
    Name(String),
    /// A member of the record at hand.
    Own(String),
    /// The stored records of the type of this name.
    Records(String),
    /// The one of these records whose member of this name, its key, is so; `null` if there is none.
    Record(Box<Typed>, String, Box<Typed>),
    /// Whether a name stands for something.
    Given(String),
    Member(Box<Typed>, String, Lack),
    Index(Box<Typed>, Box<Typed>, Lack),
    Has(Box<Typed>, String),
    Operation(Operation, Vec<Typed>),
    List(Vec<Typed>),
    Map(Vec<(Typed, Typed)>),
    /// What is asked of the items of a list; the last part speaks of an item.
    Loop(Loop, Box<Typed>, Box<Typed>),
    /// The item that a loop is about: of the outer one, 0, or of the one within it, 1.
    Item(usize, Lack),
}

/// What is not there: in a record `null`, elsewhere nothing that has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Unset,
    Null,
}

/// What is asked of the items of a list. A list that is `null` has none, and an item for which a condition has no value
/// does not fulfil it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loop {
    /// Those that fulfil a condition.
    Filter,
    /// Whether any fulfils a condition.
    Exists,
    /// The smallest of the values that they give; `null` if there is none.
    Least,
    /// The largest.
    Greatest,
    /// All of them together; 0 if there is none.
    Total,
}

/// What is done with operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Not,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Choose,
    In,
    Add,
    Negate,
    Size,
    Text,
    Decimal,
    Glob,
    /// Whether a text occurs in one of the texts after it.
    Search,
    /// A header's value: those of the addresses in a map whose relations are named after it.
    Links,
}

impl Expression {
    /// Parses and types `source`; `names` is what it may speak of.
    pub fn compile(source: &str, names: &[Member]) -> Result<Self, Fault> {
        Self::compile_beside(source, &[], names)
    }

    /// Parses and types what speaks of a record: of its members by their bare names (`own`), and of `names`, which these
    /// hide, but for [`VALUE`].
    pub fn compile_beside(source: &str, own: &[Member], names: &[Member]) -> Result<Self, Fault> {
        let too_large = |problem| Err(Fault { problem, span: 0..source.len(), hint: None });
        if source.len() > SOURCE_BYTES_MAX {
            return too_large(format!("an expression has at most {SOURCE_BYTES_MAX} bytes"));
        }
        if brackets(source) > BRACKETS_MAX {
            return too_large(format!("an expression has at most {BRACKETS_MAX} brackets within one another"));
        }
        // An environment without macros: what is looped over is left as it is written.
        let parser = cel::Env::default().with_optional_support(false).parser().max_recursion_depth(CHOICES_MAX);
        let (tree, positions) = parser.parse_with_source_info(source).map_err(|errors| syntax(source, &errors))?;
        let typing = typing::Typing { own, names, items: &[], positions: &positions, source };
        typing.node(&tree, DEPTH_MAX).map(Self)
    }

    /// That a member of the record at hand is what [`VALUE`] says: is it, or one of its items; or, of a list, holds it,
    /// or one of its items. `None` where the two can never be the same.
    pub fn chosen(member: &Member, value: Type) -> Option<Self> {
        typing::chosen(member, value).map(Self)
    }

    /// What it computes.
    pub fn of(&self) -> &Type {
        &self.0.of
    }

    /// Whether it is a condition: true or false, or `null`, which counts as false.
    pub fn is_condition(&self) -> bool {
        self.of().unwrapped().fits(&Type::Boolean)
    }

    /// Computes it; `context` has a member for every name, and for every member of the record at hand that is there.
    pub fn evaluate(&self, context: &Value) -> Result<Value, Unset> {
        evaluate::evaluate(&self.0, evaluate::Scope::of(context)).map(Cow::into_owned)
    }

    /// The name that it is, if it is nothing but that.
    pub(super) fn name(&self) -> Option<&str> {
        if let Node::Name(name) = &self.0.node { Some(name) } else { None }
    }

    /// Whether it speaks of what has this name: a name, a member of the record at hand, or a record type.
    pub fn speaks_of(&self, name: &str) -> bool {
        self.0.any(&|node| match node {
            Node::Name(own) | Node::Own(own) | Node::Records(own) | Node::Given(own) => own == name,
            _ => false,
        })
    }

    /// Whether it is true; what has no value is not.
    pub fn holds(&self, context: &Value) -> bool {
        self.evaluate(context) == Ok(Value::Bool(true))
    }
}

impl Typed {
    fn boolean(node: Node) -> Self {
        Self { node, of: Type::Boolean }
    }

    /// Whether `is` so for it or a part of it.
    fn any(&self, is: &dyn Fn(&Node) -> bool) -> bool {
        is(&self.node)
            || match &self.node {
                Node::Literal(_)
                | Node::Name(_)
                | Node::Own(_)
                | Node::Records(_)
                | Node::Given(_)
                | Node::Item(_, _) => false,
                Node::Member(of, _, _) | Node::Has(of, _) => of.any(is),
                Node::Record(one, _, other) | Node::Index(one, other, _) | Node::Loop(_, one, other) => {
                    one.any(is) || other.any(is)
                }
                Node::Operation(_, parts) | Node::List(parts) => parts.iter().any(|part| part.any(is)),
                Node::Map(members) => members.iter().any(|(key, value)| key.any(is) || value.any(is)),
            }
    }
}

/// How deep brackets are nested, those in quotation marks counted too.
fn brackets(source: &str) -> usize {
    let depths = source.bytes().scan(0_usize, |depth, byte| {
        match byte {
            b'(' | b'[' | b'{' => *depth += 1,
            b')' | b']' | b'}' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    depths.max().unwrap_or_default()
}

/// The first thing that the parser did not understand.
fn syntax(source: &str, errors: &cel::ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Fault { problem: "not an expression".to_owned(), span: 0..source.len(), hint: None };
    };
    let line = usize::try_from(first.pos.0).unwrap_or_default().saturating_sub(1);
    let column = usize::try_from(first.pos.1).unwrap_or_default().saturating_sub(1);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum::<usize>() + column;
    let start = start.min(source.len().saturating_sub(1));
    let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    // The parser lists every token that it would have taken; that helps nobody.
    let message = message.split(" expecting ").next().unwrap_or(message).replace("'<EOF>'", "end");
    Fault { problem: format!("not an expression: {message}"), span: start..start + 1, hint: None }
}
