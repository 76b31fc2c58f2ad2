//! The expression language: a typed, terminating subset of CEL. It selects and counts; it never decides business.
//!
//! The only loops are `list.filter(item, condition)` and `list.exists(item, condition)`, and there is none within
//! another: what an evaluation looks at is bounded by the lists that it is given.
//!
//! An expression is parsed by the `cel` crate, typed against what it may speak of when the description is loaded, and
//! evaluated over JSON values afterwards. Evaluation is total: what cannot be computed is an [`Unset`], never a panic.
//!
//! To add a function: a variant of `Operation`, its typing in `typing.rs`, its meaning in `evaluate.rs`.

mod agreement;
mod evaluate;
mod glob;
mod typing;
mod value_type;

use std::ops::Range;

use serde_json::Value;

pub(super) use self::agreement::Agreement;
pub use self::glob::glob;
pub use self::value_type::{Member, Type};

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
pub struct Expression {
    node: Node,
    of: Type,
}

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

/// A typed expression.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    Name(String),
    /// Whether a name stands for something.
    Given(String),
    Member(Box<Node>, String),
    Has(Box<Node>, String),
    Operation(Operation, Vec<Node>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// What is done with the items of a list that fulfil a condition.
    Loop(Loop, Box<Node>, Box<Node>),
    /// The item that the condition of a loop is about.
    Item,
}

/// What is done with the items that fulfil a condition. One for which it has no value does not fulfil it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loop {
    /// They are what remains.
    Filter,
    /// Whether there are any.
    Exists,
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
    Index,
    Size,
    Text,
    Glob,
}

impl Expression {
    /// Parses and types `source`; `names` is what it may speak of.
    pub fn compile(source: &str, names: &[Member]) -> Result<Self, Fault> {
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
        let typing = typing::Typing { names, item: None, positions: &positions, source };
        let (node, of) = typing.node(&tree, DEPTH_MAX)?;
        Ok(Self { node, of })
    }

    /// What it computes.
    pub fn of(&self) -> &Type {
        &self.of
    }

    /// Computes it; `context` has a member for every name.
    pub fn evaluate(&self, context: &Value) -> Result<Value, Unset> {
        evaluate::evaluate(&self.node, evaluate::Scope::of(context)).map(std::borrow::Cow::into_owned)
    }

    /// Whether it speaks of the name.
    pub fn speaks_of(&self, name: &str) -> bool {
        self.node.speaks_of(name)
    }

    /// Whether it is true; what has no value is not.
    pub fn holds(&self, context: &Value) -> bool {
        self.evaluate(context) == Ok(Value::Bool(true))
    }
}

impl Node {
    fn speaks_of(&self, name: &str) -> bool {
        match self {
            Self::Literal(_) | Self::Item => false,
            Self::Name(own) | Self::Given(own) => own == name,
            Self::Member(of, _) | Self::Has(of, _) => of.speaks_of(name),
            Self::Operation(_, nodes) | Self::List(nodes) => nodes.iter().any(|node| node.speaks_of(name)),
            Self::Map(members) => members.iter().any(|(key, value)| key.speaks_of(name) || value.speaks_of(name)),
            Self::Loop(_, list, condition) => list.speaks_of(name) || condition.speaks_of(name),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Expression, Member, Type};

    fn names() -> Vec<Member> {
        let delivery = vec![
            Member::required("id", Type::nullable(Type::Text)),
            Member::required("status", Type::Text),
            Member::required("counts", Type::Map(Box::new(Type::Integer))),
        ];
        let terms = vec![
            Member::required("code", Type::Text),
            Member::required("year", Type::Integer),
            Member::optional("status", Type::Text),
        ];
        vec![
            Member::required("delivery", Type::Object(delivery)),
            Member::required("faults", Type::List(Box::new(Type::Object(vec![Member::required("code", Type::Text)])))),
            Member::required("header", Type::Map(Box::new(Type::Text))),
            Member::required("level", Type::Text),
            Member::required("ratio", Type::Number),
            Member::required("options", Type::Object(vec![Member::optional("sandbox", Type::Boolean)])),
            Member::required("Term", Type::List(Box::new(Type::Object(terms)))),
        ]
    }

    #[test]
    fn expressions_have_the_value_that_cel_gives_them() {
        let context = json!({
            "delivery": {"id": null, "status": "applied", "counts": {"user": 3}},
            "faults": [{"code": "trap"}], "header": {"accept": "*/*"}, "level": "info", "ratio": 1.5, "options": {}
        });
        let table = [
            ("delivery.status", json!("applied")),
            ("delivery.id", json!(null)),
            ("delivery.id == null", json!(true)),
            ("size(faults) > 0 ? 'bad' : 'good'", json!("bad")),
            ("faults[0].code", json!("trap")),
            ("delivery.counts['user'] + 2", json!(5)),
            ("has(header.accept)", json!(true)),
            ("has(header.referer)", json!(false)),
            ("has(level) && !has(Term)", json!(true)),
            ("has(Term) ? Term[0].code : level", json!("info")),
            ("[1].exists(n, has(n))", json!(true)),
            ("!has(options.sandbox) || options.sandbox", json!(true)),
            ("{'warning': 'w', 'info': 'i'}[level]", json!("i")),
            ("level in ['info', 'error']", json!(true)),
            ("'user' in delivery.counts", json!(true)),
            ("string(size(level)) + '!'", json!("4!")),
            ("ratio < 2 && -1 < ratio", json!(true)),
            ("[1, 2] + [3]", json!([1, 2, 3])),
            ("size('مرحبا')", json!(5)),
            ("1 == 1.0", json!(true)),
            ("level != 'x' && (level == 'y' || level >= 'a')", json!(true)),
        ];
        for (source, value) in table {
            let expression =
                Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
            assert_eq!(expression.evaluate(&context), Ok(value), "{source}");
        }
    }

    #[test]
    fn lists_of_records_are_looked_through() {
        let terms = [("T1", 2024, Some("closed")), ("T2", 2025, Some("active")), ("T3", 2025, None)];
        let terms = terms.map(|(code, year, status)| match status {
            Some(status) => json!({"code": code, "year": year, "status": status}),
            None => json!({"code": code, "year": year}),
        });
        let context = json!({"Term": terms, "level": "T?", "faults": [], "header": {"since": "2025"}});
        let table = [
            ("Term.filter(t, t.status == 'active')[0].code", json!("T2")),
            ("Term.filter(t, t.status == 'active')", json!([{"code": "T2", "year": 2025, "status": "active"}])),
            ("size(Term.filter(t, t.year > 2024))", json!(2)),
            ("size(Term)", json!(3)),
            ("Term[2].code", json!("T3")),
            ("Term.exists(t, t.code == 'T3')", json!(true)),
            ("Term.exists(t, t.code == 'T4')", json!(false)),
            ("Term.exists(t, !has(t.status))", json!(true)),
            ("Term.filter(t, t.status != 'active')[0].code", json!("T1")),
            ("size(Term.filter(t, t.status != 'active'))", json!(1)),
            ("size(Term.filter(t, t.status == 'active' || t.year == 2024))", json!(2)),
            ("Term.filter(t, t.year == 2025).filter(u, has(u.status))[0].code", json!("T2")),
            ("Term.filter(t, glob(level, t.code) && string(t.year) == header.since)[1].code", json!("T3")),
            ("faults.exists(f, f.code == 'x')", json!(false)),
            ("[1, 2, 3].filter(n, n > 1)", json!([2, 3])),
            ("glob('T*', Term[0].code) && !glob('t*', Term[0].code)", json!(true)),
        ];
        for (source, value) in table {
            let expression =
                Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
            assert_eq!(expression.evaluate(&context), Ok(value.clone()), "{source}");
            assert!(expression.of().accepts(&value), "{source}: {}", expression.of());
        }
    }

    #[test]
    fn an_expression_knows_what_it_speaks_of() {
        let expression = Expression::compile("size(faults) > 0 ? {'a': level}['a'] : 'b'", &names()).unwrap();
        let spoken: Vec<_> = ["faults", "level", "ratio", "a"].map(|name| expression.speaks_of(name)).into();
        assert_eq!(spoken, [true, true, false, false]);
        let expression = Expression::compile("Term.exists(t, t.code == level)", &names()).unwrap();
        let spoken: Vec<_> = ["Term", "level", "t", "faults"].map(|name| expression.speaks_of(name)).into();
        assert_eq!(spoken, [true, true, false, false]);
    }

    #[test]
    fn what_has_no_value_is_unset_and_never_a_panic() {
        let context = json!({"faults": [], "header": {}, "delivery": {"counts": {}}, "level": "none", "options": {}});
        let table = [
            "faults[0].code",
            "faults[-1].code",
            "header.accept",
            "delivery.counts['user'] + 1",
            "{'info': 'i'}[level]",
            "9223372036854775807 + size(level)",
            "-(-9223372036854775808)",
            "options.sandbox",
            "faults.filter(f, true)[0].code == 'x'",
            "Term.exists(t, true)",
        ];
        for source in table {
            let expression =
                Expression::compile(source, &names()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
            assert!(expression.evaluate(&context).is_err(), "{source}");
            assert!(!expression.holds(&context), "{source}");
        }
    }

    #[test]
    fn what_does_not_type_is_refused_where_it_stands() {
        let table = [
            ("delivery.stats", 9..14, "there is no `stats` here"),
            ("deliveri.id", 0..8, "there is no `deliveri` here"),
            ("level + 1", 6..7, "text and an integer cannot be added"),
            ("level && true", 0..5, "expected true or false, found text"),
            ("level < 1", 6..7, "text and an integer cannot be compared"),
            ("faults.all(f, f.code == 'x')", 10..11, "not supported yet: `all()`"),
            ("faults.exists(f, f.cod == 'x')", 19..22, "there is no `cod` here"),
            ("faults.exists(f, f.code)", 18..19, "expected true or false, found text"),
            ("faults.exists(level, true)", 14..19, "`level` already means something here"),
            ("faults.exists('f', true)", 14..17, "expected a name for the items of the list"),
            ("faults.exists(f, Term.exists(t, t.code == f.code))", 17..21, "not supported: a loop within a loop"),
            ("faults.exists(f, true) && f.code == 'x'", 26..27, "there is no `f` here"),
            ("level.filter(l, true)", 0..5, "expected a list, found text"),
            ("faults.exists(f)", 13..14, "unknown function `exists`"),
            ("size(faults.filter(f, true)) == 'x'", 29..31, "an integer and text cannot be compared"),
            ("glob('a*', 1)", 11..12, "expected text, found an integer"),
            ("has(lvel)", 4..8, "there is no `lvel` here"),
            ("has('level')", 4..11, "expected a name or a member, as in `has(x.y)`"),
            ("has(delivery.stats)", 13..18, "there is no `stats` here"),
            ("size(1)", 5..6, "expected text, a list or a map, found an integer"),
            ("sum(faults)", 3..4, "unknown function `sum`"),
            ("faults['a']", 7..10, "expected an integer, found text"),
            ("level +", 6..7, "not an expression: mismatched input end"),
            ("ratio * 2.0", 6..7, "not supported: `*`"),
        ];
        for (source, span, problem) in table {
            let fault = Expression::compile(source, &names()).unwrap_err();
            assert_eq!((fault.problem.as_str(), fault.span), (problem, span), "{source}");
        }
    }

    #[test]
    fn size_and_depth_are_limited() {
        let long = format!("'{}'", "a".repeat(3_000));
        assert!(Expression::compile(&long, &names()).is_err());
        let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
        assert!(Expression::compile(&deep, &names()).is_err());
        let choices = format!("{}1{}", "(true?1:true?2:".repeat(3), ")".repeat(3));
        assert!(Expression::compile(&choices, &names()).is_ok());
        let chain = format!("{}1 == 1", "true ? ".repeat(100));
        assert!(Expression::compile(&chain, &names()).is_err());
        let sum = format!("{}1", "1+".repeat(400));
        assert!(Expression::compile(&sum, &names()).is_err());
    }
}
