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
            ("size(faults) - 3", json!(-2)),
            ("faults.sum(f, 2)", json!(2)),
            ("2 - ratio", json!(0.5)),
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

    /// What a course says, and the types of record that expressions beside it may speak of.
    fn school() -> (Vec<Member>, Vec<Member>) {
        let text = || Type::nullable(Type::Text);
        let course = vec![
            Member::required("id", Type::Integer),
            Member::required("name", Type::Text),
            Member::optional("category_id", Type::Integer),
            Member::optional("cost", text()),
            Member::optional("places", Type::nullable(Type::Integer)),
            Member::optional("is_open", Type::Boolean),
            Member::optional("labels", Type::List(Box::new(Type::Integer))),
            Member::optional("place", Type::Object(vec![Member::optional("city", Type::Text)])),
            Member::optional("value", Type::Integer),
        ];
        let category = vec![
            Member::required("id", Type::Integer),
            Member::optional("parent_id", Type::Integer),
            Member::optional("is_open", Type::Boolean),
        ];
        let names = vec![
            Member::required("value", Type::Text),
            Member::required("options", Type::Object(vec![Member::optional("url", Type::Text)])),
            Member::required("links", Type::Map(Box::new(Type::Text))),
            Member::required("Course", Type::records("Course", Some("id"), Type::Object(course.clone()))),
            Member::required("Category", Type::records("Category", Some("id"), Type::Object(category))),
            Member::required("Pair", Type::records("Pair", None, Type::Object(Vec::new()))),
        ];
        (course, names)
    }

    #[test]
    fn of_a_record_what_is_absent_is_null() {
        let (own, names) = school();
        let courses = [
            json!({"id": 1, "name": "Ada", "category_id": 7, "cost": "9.50", "labels": [1, 2]}),
            json!({"id": 2, "name": "Bob", "cost": "10", "is_open": true, "place": {"city": "Oslo"}}),
            json!({"id": 3, "name": "cy", "category_id": 8, "cost": "x", "places": 4}),
        ];
        let categories = [json!({"id": 7, "parent_id": 8, "is_open": true}), json!({"id": 8})];
        let table = [
            ("places", json!(null)),
            ("places == null && cost != null", json!(true)),
            ("has(places) || has(Course[3].places)", json!(true)),
            ("has(Course[9].name)", json!(false)),
            ("places < 3", json!(null)),
            ("places < 3 || id == 1", json!(true)),
            ("places < 3 && id == 2", json!(false)),
            ("!(places < 3)", json!(null)),
            ("places in [1, 2]", json!(false)),
            ("is_open ? 'open' : 'closed'", json!(null)),
            ("name + string(places)", json!(null)),
            ("value == 'ad'", json!(true)),
            ("place.city", json!(null)),
            ("Course[2].place.city", json!("Oslo")),
            ("labels[1]", json!(2)),
            ("labels[5]", json!(null)),
            ("2 in labels && !(2 in Course[2].labels)", json!(true)),
            ("labels.exists(l, l == 2)", json!(true)),
            ("Category[category_id].is_open", json!(true)),
            ("Category[Category[category_id].parent_id].is_open", json!(null)),
            ("Category[places].is_open", json!(null)),
            ("Course[4] == null && Course[3] != null", json!(true)),
            ("Course.filter(c, c.category_id == category_id)[0].name", json!("Ada")),
            ("Course.filter(c, c.id > 7)[0].name", json!(null)),
            ("size(Course.filter(c, c.category_id != 7))", json!(2)),
            ("Course.exists(c, Category.exists(k, k.id == c.category_id && !has(k.parent_id)))", json!(true)),
            ("size(Course.filter(c, c.labels.exists(l, l == id)))", json!(1)),
            ("Course.min(c, c.cost)", json!("9.50")),
            ("Course.max(c, c.cost)", json!("x")),
            ("Course.filter(c, decimal(c.cost) > 0).max(c, c.cost)", json!("10")),
            ("Course.min(c, c.places)", json!(4)),
            ("Course.filter(c, false).min(c, c.id)", json!(null)),
            ("decimal(cost) < 10.0 && decimal('x') == null && decimal(2) == 2", json!(true)),
            ("search(value, name, cost)", json!(true)),
            ("search('D', place.city)", json!(false)),
            ("links('prev', 'next')", json!("<u>; rel=\"next\"")),
        ];
        for (source, value) in table {
            let expression = Expression::compile_beside(source, &own, &names);
            let expression = expression.unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
            let mut context = json!({
                "value": "ad", "options": {}, "Course": courses, "Category": categories, "links": {"next": "u"}
            });
            let own = courses[0].as_object().unwrap().clone();
            context.as_object_mut().unwrap().extend(own);
            assert_eq!(expression.evaluate(&context), Ok(value.clone()), "{source}");
            assert!(expression.of().accepts(&value) || value.is_null(), "{source}: {}", expression.of());
        }
    }

    #[test]
    fn what_may_be_absent_may_be_null() {
        let (own, names) = school();
        let table = [
            ("places < 3", "true or false"),
            ("is_open", "true or false or null"),
            ("name", "text"),
            ("cost", "text or null"),
            ("Course[id].name", "text"),
            ("Course[id]", "an object or null"),
            ("Course.min(c, c.cost)", "text or null"),
            ("place.city", "text or null"),
            ("decimal(cost)", "a number or null"),
            ("options.url", "text"),
            ("Course.filter(c, c.is_open)", "a list"),
        ];
        for (source, of) in table {
            let expression = Expression::compile_beside(source, &own, &names).unwrap();
            assert_eq!(expression.of().to_string(), of, "{source}");
        }
        let is_condition = |source| Expression::compile_beside(source, &own, &names).unwrap().is_condition();
        assert!(is_condition("is_open") && is_condition("id == 1") && !is_condition("name"));
    }

    #[test]
    fn what_does_not_type_of_records_is_refused_where_it_stands() {
        let (own, names) = school();
        let table = [
            ("Course['a'].name", 7..10, "expected an integer, found text"),
            ("Pair[1]", 0..4, "`Pair` has no key that is a single member"),
            ("Course[1].nam", 10..13, "there is no `nam` here"),
            ("nam", 0..3, "there is no `nam` here"),
            ("Course.exists(id, true)", 14..16, "`id` already means something here"),
            ("Course.min(c, c.is_open)", 15..16, "expected a number or text, found true or false or null"),
            ("labels.exists(l, labels.exists(m, m == l))", 17..23, "not supported: a loop within a loop"),
            (
                "Course.exists(c, Course.exists(d, Course.exists(e, e.id == c.id)))",
                34..40,
                "not supported: a loop within a loop",
            ),
            ("search(value)", 6..7, "the wrong number of arguments"),
            ("search(value, id)", 14..16, "expected text, found an integer"),
            ("decimal(labels)", 8..14, "expected text or a number, found a list"),
            ("now()", 3..4, "`now()` stands alone, as the `value` of a member with `at`"),
        ];
        for (source, span, problem) in table {
            let fault = Expression::compile_beside(source, &own, &names).unwrap_err();
            assert_eq!((fault.problem.as_str(), fault.span), (problem, span), "{source}");
        }
    }

    #[test]
    fn a_member_is_chosen_by_what_it_is_or_holds() {
        let (own, _) = school();
        let list = |of| Type::List(Box::new(of));
        let context = |value| json!({"id": 2, "name": "Ada", "labels": [1, 2], "value": value});
        let table = [
            ("id", Type::Integer, json!(2), true),
            ("id", Type::Integer, json!(3), false),
            ("id", list(Type::Integer), json!([1, 2]), true),
            ("labels", Type::Integer, json!(2), true),
            ("labels", list(Type::Integer), json!([7, 1]), true),
            ("labels", list(Type::Integer), json!([7]), false),
            ("places", list(Type::Integer), json!([1]), false),
            ("cost", Type::Text, json!("1"), false),
        ];
        for (name, of, value, chosen) in table {
            let member = own.iter().find(|member| member.name == name).unwrap();
            let expression = Expression::chosen(member, of).unwrap();
            assert_eq!(expression.evaluate(&context(value)), Ok(json!(chosen)), "{name}");
        }
        let member = |name: &str| own.iter().find(|member| member.name == name).unwrap();
        assert_eq!(Expression::chosen(member("id"), Type::Text), None);
        assert_eq!(Expression::chosen(member("labels"), Type::Text), None);
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
            ("faults.sum(f, f.code)", 15..16, "expected an integer, found text"),
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
            ("level - 'o'", 0..5, "expected a number, found text"),
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
