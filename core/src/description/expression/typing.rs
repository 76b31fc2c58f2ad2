//! Turns CEL's syntax tree into typed nodes, or says what does not type, and where.

use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo, operators};
use serde_json::Value;

use super::evaluate::LOOPS_MAX;
use super::{Fault, Lack, Loop, Member, Node, Operation, Type, Typed, VALUE};
use crate::language::diagnostic::closest;

/// The operators of CEL that we have, with what they mean.
const OPERATIONS: [(&str, Operation); 13] = [
    (operators::LOGICAL_AND, Operation::And),
    (operators::LOGICAL_OR, Operation::Or),
    (operators::LOGICAL_NOT, Operation::Not),
    (operators::EQUALS, Operation::Equal),
    (operators::NOT_EQUALS, Operation::Unequal),
    (operators::LESS, Operation::Less),
    (operators::LESS_EQUALS, Operation::AtMost),
    (operators::GREATER, Operation::Greater),
    (operators::GREATER_EQUALS, Operation::AtLeast),
    (operators::CONDITIONAL, Operation::Choose),
    (operators::IN, Operation::In),
    (operators::ADD, Operation::Add),
    (operators::NEGATE, Operation::Negate),
];

/// Functions, which are written by name.
const FUNCTIONS: [(&str, Operation); 6] = [
    ("size", Operation::Size),
    ("string", Operation::Text),
    ("decimal", Operation::Decimal),
    ("glob", Operation::Glob),
    ("search", Operation::Search),
    (LINKS, Operation::Links),
];

/// The function, and the name that has to be there for it.
const LINKS: &str = "links";

/// What is asked of a list.
const LOOPS: [(&str, Loop); 5] = [
    ("filter", Loop::Filter),
    ("exists", Loop::Exists),
    ("min", Loop::Least),
    ("max", Loop::Greatest),
    ("sum", Loop::Total),
];

/// Functions that are more than a part of an expression: they stand alone, where members are computed.
const ALONE: [&str; 4] = ["now", "next", "slug", "history"];

/// What is written by name, for whoever got a name wrong.
const KNOWN: &str = "size(x), string(x), decimal(x), glob(pattern, x), search(value, x, …), links(relation, …), has(x.y), \
                     x.filter(y, condition), x.exists(y, condition), x.min(y, y.z), x.max(y, y.z), \
                     x.sum(y, y.z)";

/// Loops that CEL has and that are not built.
const UNSUPPORTED_LOOPS: [&str; 4] = ["map", "all", "exists_one", "existsOne"];

/// What a loop is about.
#[derive(Clone)]
pub(super) struct Item {
    name: String,
    of: Type,
    /// What a part of it is that is not there.
    lack: Lack,
}

/// Types one expression.
pub(super) struct Typing<'a> {
    /// Members of the record at hand.
    pub(super) own: &'a [Member],
    pub(super) names: &'a [Member],
    /// What the loops around are about, the outer one first.
    pub(super) items: &'a [Item],
    pub(super) positions: &'a SourceInfo,
    pub(super) source: &'a str,
}

impl Typing<'_> {
    /// Types a tree that is at most `depth` levels deep.
    pub(super) fn node(&self, tree: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.fault(tree, "nested too deeply")) };
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.name(tree, name),
            Expr::Select(select) => {
                let (operand, of) = self.select(tree, select, depth)?;
                let lack = lack(&operand);
                Ok(Typed { node: Node::Member(Box::new(operand), select.field.clone(), lack), of })
            }
            Expr::Call(call) => self.call(tree, call, depth),
            Expr::List(list) => {
                let items: Vec<_> =
                    list.elements.iter().map(|item| self.node(item, depth)).collect::<Result<_, _>>()?;
                let of = items.iter().map(|item| Some(item.of.clone())).reduce(|one, other| one?.joined(other?));
                let of = of.unwrap_or(Some(Type::Any)).ok_or_else(|| self.fault(tree, "the items differ in type"))?;
                Ok(Typed { node: Node::List(items), of: Type::List(Box::new(of)) })
            }
            Expr::Map(map) => self.map(tree, map, depth),
            Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => Err(self.fault(tree, "not supported")),
        }
    }

    fn literal(&self, tree: &IdedExpr, literal: &LiteralValue) -> Result<Typed, Fault> {
        let (value, of) = match literal {
            LiteralValue::Boolean(boolean) => (Value::Bool(*boolean.inner()), Type::Boolean),
            LiteralValue::Int(integer) => ((*integer.inner()).into(), Type::Integer),
            LiteralValue::Double(number) => ((*number.inner()).into(), Type::Number),
            LiteralValue::String(text) => (text.inner().into(), Type::Text),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::Bytes(_) | LiteralValue::UInt(_) => return Err(self.fault(tree, "not supported")),
        };
        Ok(Typed { node: Node::Literal(value), of })
    }

    fn map(&self, tree: &IdedExpr, map: &MapExpr, depth: usize) -> Result<Typed, Fault> {
        let mut members = Vec::new();
        let mut of: Option<Type> = None;
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(self.fault(tree, "not supported")) };
            let key = self.node(&entry.key, depth)?;
            self.expect(&entry.key, &key.of, &Type::Text)?;
            let value = self.node(&entry.value, depth)?;
            of = match of {
                None => Some(value.of.clone()),
                Some(of) => Some(
                    of.joined(value.of.clone()).ok_or_else(|| self.fault(&entry.value, "the values differ in type"))?,
                ),
            };
            members.push((key, value));
        }
        Ok(Typed { node: Node::Map(members), of: Type::Map(Box::new(of.unwrap_or(Type::Any))) })
    }

    fn name(&self, tree: &IdedExpr, name: &str) -> Result<Typed, Fault> {
        if let Some(at) = self.items.iter().position(|item| item.name == name) {
            let Item { of, lack, .. } = &self.items[at];
            return Ok(Typed { node: Node::Item(at, *lack), of: of.clone() });
        }
        let is_given = || self.names.iter().any(|known| known.name == name);
        if let Some(own) = self.own.iter().find(|own| own.name == name && !(name == VALUE && is_given())) {
            return Ok(of_record(own));
        }
        let (of, node) = match self.member(self.names, name, tree)? {
            Member { of: of @ Type::Records(_), .. } => (of.clone(), Node::Records(name.to_owned())),
            Member { of, .. } => (of.clone(), Node::Name(name.to_owned())),
        };
        Ok(Typed { node, of })
    }

    /// What a member is selected of, and the member's type.
    fn select(&self, tree: &IdedExpr, select: &SelectExpr, depth: usize) -> Result<(Typed, Type), Fault> {
        let operand = self.node(&select.operand, depth)?;
        let of = self.within(tree, &operand, &select.field)?;
        Ok((operand, of))
    }

    /// The type of a member.
    fn within(&self, tree: &IdedExpr, operand: &Typed, name: &str) -> Result<Type, Fault> {
        let of = match operand.of.unwrapped() {
            Type::Record(row) => &row.of,
            of => of,
        };
        match of {
            Type::Object(members) => {
                let member = self.member(members, name, tree)?;
                // What is absent of a record is null.
                let may_lack = !member.required && lack(operand) == Lack::Null;
                Ok(if may_lack { Type::nullable(member.of.clone()) } else { member.of.clone() })
            }
            Type::Map(of) if lack(operand) == Lack::Null => Ok(Type::nullable(of.as_ref().clone())),
            Type::Map(of) => Ok(of.as_ref().clone()),
            Type::Any => Ok(Type::Any),
            other => Err(self.fault(tree, format!("{other} has no `{name}`"))),
        }
    }

    fn member<'m>(&self, members: &'m [Member], name: &str, tree: &IdedExpr) -> Result<&'m Member, Fault> {
        if let Some(member) = members.iter().find(|member| member.name == name) {
            return Ok(member);
        }
        let mut fault = self.fault(tree, format!("there is no `{name}` here"));
        // The parser says where the dot is; what is wrong is the word after it.
        if let Some(at) = self.source[fault.span.start..].find(name) {
            fault.span = fault.span.start + at..fault.span.start + at + name.len();
        }
        let own = if std::ptr::eq(members, self.names) { self.own } else { &[] };
        let known = || own.iter().chain(members).map(|member| member.name.as_str());
        fault.hint = match closest(name, known()) {
            Some(close) => Some(format!("did you mean `{close}`?")),
            None => Some(format!("known are: {}", known().collect::<Vec<_>>().join(", "))),
        };
        Err(fault)
    }

    fn call(&self, tree: &IdedExpr, call: &CallExpr, depth: usize) -> Result<Typed, Fault> {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, [asked]) if name == operators::HAS => return self.has(asked, depth),
            (None, [container, index]) if name == operators::INDEX => return self.index(container, index, depth),
            (None, [one, other]) if name == operators::SUBSTRACT => return self.difference(tree, one, other, depth),
            (Some(list), [item, about]) => {
                if let Some((_, of)) = LOOPS.iter().find(|(known, _)| *known == name) {
                    return self.over(*of, list, item, about, depth);
                }
            }
            _ => {}
        }
        let found = OPERATIONS.iter().chain(&FUNCTIONS).find(|(known, _)| *known == name);
        let Some((_, operation)) = found.filter(|_| call.target.is_none()) else {
            return Err(self.unknown_function(tree, name));
        };
        let mut operands: Vec<_> =
            call.args.iter().map(|operand| self.node(operand, depth)).collect::<Result<_, _>>()?;
        let types: Vec<_> = operands.iter().map(|operand| operand.of.clone()).collect();
        let of = self.result(tree, *operation, &call.args, &types)?;
        if *operation == Operation::Links {
            operands.insert(0, self.name(tree, LINKS)?);
        }
        Ok(Typed { node: Node::Operation(*operation, operands), of })
    }

    /// Whether a name or a member is there. CEL itself asks for members only; here names may be absent too.
    fn has(&self, asked: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let node = match &asked.expr {
            Expr::Ident(name) => match self.name(asked, name)? {
                own @ Typed { node: Node::Own(_), .. } => is_there(own),
                Typed { node: Node::Name(name), .. } => Node::Given(name),
                _ => Node::Literal(true.into()),
            },
            Expr::Select(select) => {
                let (operand, of) = self.select(asked, select, depth)?;
                match lack(&operand) {
                    Lack::Unset => Node::Has(Box::new(operand), select.field.clone()),
                    lack @ Lack::Null => {
                        is_there(Typed { node: Node::Member(Box::new(operand), select.field.clone(), lack), of })
                    }
                }
            }
            _ => return Err(self.fault(asked, "expected a name or a member, as in `has(x.y)`")),
        };
        Ok(Typed::boolean(node))
    }

    /// A loop over `list`, whose items `about` calls as `item` says.
    fn over(&self, of: Loop, list: &IdedExpr, item: &IdedExpr, about: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let Expr::Ident(name) = &item.expr else {
            return Err(self.fault(item, "expected a name for the items of the list"));
        };
        let mut known = self.own.iter().chain(self.names).map(|known| &known.name);
        if known.any(|known| known == name) || self.items.iter().any(|item| item.name == *name) {
            let mut fault = self.fault(item, format!("`{name}` already means something here"));
            fault.hint = Some("call the items of the list something else".to_owned());
            return Err(fault);
        }
        let looped = self.node(list, depth)?;
        let of_item = match looped.of.unwrapped() {
            Type::Records(row) => Type::Record(row.clone()),
            Type::List(of) => of.as_ref().clone(),
            Type::Any => Type::Any,
            other => return Err(self.wrong(list, "a list", other)),
        };
        let item = Item { name: name.clone(), of: of_item, lack: lack(&looped) };
        let items = [self.items, &[item]].concat();
        if items.len() > 1 && !items.iter().any(|item| matches!(item.of, Type::Record(_))) || items.len() > LOOPS_MAX {
            let mut fault = self.fault(list, "not supported: a loop within a loop");
            fault.hint = Some("a loop over records may have one within it, or stand in one".to_owned());
            return Err(fault);
        }
        let about_typed = Typing { items: &items, ..*self }.node(about, depth)?;
        let result = match of {
            Loop::Filter => Type::List(Box::new(items[self.items.len()].of.clone())),
            Loop::Exists => Type::Boolean,
            Loop::Least | Loop::Greatest => Type::nullable(about_typed.of.clone()),
            Loop::Total => Type::Integer,
        };
        match of {
            Loop::Filter | Loop::Exists => self.condition(about, &about_typed.of)?,
            Loop::Total => self.expect(about, about_typed.of.unwrapped(), &Type::Integer)?,
            Loop::Least | Loop::Greatest => {
                let is_ordered =
                    matches!(about_typed.of.unwrapped(), Type::Integer | Type::Number | Type::Text | Type::Any);
                if !is_ordered {
                    return Err(self.wrong(about, "a number or text", &about_typed.of));
                }
            }
        }
        Ok(Typed { node: Node::Loop(of, Box::new(looped), Box::new(about_typed)), of: result })
    }

    fn unknown_function(&self, tree: &IdedExpr, name: &str) -> Fault {
        let written = name.trim_matches('_');
        if ALONE.contains(&name) {
            let mut fault = self.fault(tree, format!("`{name}()` stands alone, as the `value` of a member with `at`"));
            fault.hint = Some(format!("known here are: {KNOWN}"));
            return fault;
        }
        if UNSUPPORTED_LOOPS.contains(&name) {
            return self.fault(tree, format!("not supported yet: `{name}()`"));
        }
        if written.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            let mut fault = self.fault(tree, format!("unknown function `{name}`"));
            fault.hint = Some(format!("known are: {KNOWN}"));
            return fault;
        }
        self.fault(tree, format!("not supported: `{written}`"))
    }

    /// The type of an operation's result, if its operands fit.
    fn result(&self, tree: &IdedExpr, of: Operation, trees: &[IdedExpr], types: &[Type]) -> Result<Type, Fault> {
        match (of, types) {
            (Operation::And | Operation::Or | Operation::Not, types) => {
                for (tree, found) in trees.iter().zip(types) {
                    self.condition(tree, found)?;
                }
                Ok(Type::Boolean)
            }
            (Operation::Equal | Operation::Unequal, [one, other]) => {
                let (plain, against) = (one.unwrapped(), other.unwrapped());
                let is_null = *one == Type::Null || *other == Type::Null;
                let comparable = is_null || plain.fits(against) || against.fits(plain) || numbers(one, other);
                if comparable { Ok(Type::Boolean) } else { Err(self.pair(tree, one, other, "compared")) }
            }
            (Operation::Less | Operation::AtMost | Operation::Greater | Operation::AtLeast, [one, other]) => {
                let comparable = numbers(one, other) || texts(one, other);
                if comparable { Ok(Type::Boolean) } else { Err(self.pair(tree, one, other, "compared")) }
            }
            (Operation::Choose, [condition, one, other]) => {
                self.condition(&trees[0], condition)?;
                let joined = one.clone().joined(other.clone());
                joined.ok_or_else(|| self.pair(tree, one, other, "the result of one choice"))
            }
            (Operation::In, [_, other]) => match other.unwrapped() {
                Type::List(_) | Type::Map(_) | Type::Any => Ok(Type::Boolean),
                other => Err(self.wrong(&trees[1], "a list or a map", other)),
            },
            (Operation::Add, [one, other]) => {
                let sum = self.sum(tree, one.unwrapped(), other.unwrapped())?;
                Ok(like(sum, &[one, other]))
            }
            (Operation::Glob, [one, other]) => {
                self.expect(&trees[0], one.unwrapped(), &Type::Text)?;
                self.expect(&trees[1], other.unwrapped(), &Type::Text)?;
                Ok(Type::Boolean)
            }
            (Operation::Search, [_, _, ..]) | (Operation::Links, [_, ..]) => {
                for (tree, found) in trees.iter().zip(types) {
                    self.expect(tree, found.unwrapped(), &Type::Text)?;
                }
                Ok(if of == Operation::Links { Type::Text } else { Type::Boolean })
            }
            (of, [one]) => self.single(tree, &trees[0], of, one),
            _ => Err(self.fault(tree, "the wrong number of arguments")),
        }
    }

    /// The type of the result of an operation with one operand.
    fn single(&self, tree: &IdedExpr, operand: &IdedExpr, of: Operation, one: &Type) -> Result<Type, Fault> {
        match (of, one.unwrapped()) {
            (Operation::Negate, number) => {
                self.expect(operand, number, &Type::Number)?;
                Ok(one.clone())
            }
            (Operation::Size, Type::Text | Type::List(_) | Type::Records(_) | Type::Map(_) | Type::Any) => {
                Ok(like(Type::Integer, &[one]))
            }
            (Operation::Size, other) => Err(self.wrong(operand, "text, a list or a map", other)),
            (Operation::Text, Type::Text | Type::Integer | Type::Number | Type::Boolean | Type::Any) => {
                Ok(like(Type::Text, &[one]))
            }
            (Operation::Text, other) => Err(self.wrong(operand, "text, a number or a boolean", other)),
            (Operation::Decimal, Type::Integer | Type::Number) => Ok(one.clone()),
            (Operation::Decimal, Type::Text | Type::Any) => Ok(Type::nullable(Type::Number)),
            (Operation::Decimal, other) => Err(self.wrong(operand, "text or a number", other)),
            _ => Err(self.fault(tree, "the wrong number of arguments")),
        }
    }

    /// `x - y` is `x + -y`.
    fn difference(&self, tree: &IdedExpr, one: &IdedExpr, other: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let (minuend, subtrahend) = (self.node(one, depth)?, self.node(other, depth)?);
        self.expect(one, minuend.of.unwrapped(), &Type::Number)?;
        let of = self.single(tree, other, Operation::Negate, &subtrahend.of)?;
        let negated = Typed { node: Node::Operation(Operation::Negate, vec![subtrahend]), of: of.clone() };
        let of = like(self.sum(tree, minuend.of.unwrapped(), of.unwrapped())?, &[&minuend.of, &of]);
        Ok(Typed { node: Node::Operation(Operation::Add, vec![minuend, negated]), of })
    }

    fn sum(&self, tree: &IdedExpr, one: &Type, other: &Type) -> Result<Type, Fault> {
        match (one, other) {
            (Type::Any, other) | (other, Type::Any) => Ok(other.clone()),
            (Type::Integer, Type::Integer) => Ok(Type::Integer),
            (Type::Text, Type::Text) => Ok(Type::Text),
            (one, other) if numbers(one, other) => Ok(Type::Number),
            (Type::List(one), Type::List(other)) => {
                let of = one.as_ref().clone().joined(other.as_ref().clone()).unwrap_or(Type::Any);
                Ok(Type::List(Box::new(of)))
            }
            _ => Err(self.pair(tree, one, other, "added")),
        }
    }

    /// `x[y]`: of stored records the one with that key, else an item or a member.
    fn index(&self, container: &IdedExpr, index: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let (operand, at) = (self.node(container, depth)?, self.node(index, depth)?);
        let lack = lack(&operand);
        let of = match operand.of.unwrapped() {
            Type::Records(row) => {
                let Some(key) = &row.key else {
                    return Err(self.fault(container, format!("`{}` has no key that is a single member", row.name)));
                };
                let record = Type::Record(row.clone());
                let of_key =
                    self.within(container, &Typed { node: Node::Item(0, Lack::Null), of: record.clone() }, key)?;
                self.expect(index, at.of.unwrapped(), &of_key)?;
                let node = Node::Record(Box::new(operand.clone()), key.clone(), Box::new(at));
                return Ok(Typed { node, of: Type::nullable(record) });
            }
            Type::List(of) => {
                self.expect(index, &at.of, &Type::Integer)?;
                of.as_ref().clone()
            }
            Type::Map(of) => {
                self.expect(index, &at.of, &Type::Text)?;
                of.as_ref().clone()
            }
            Type::Object(_) | Type::Record(_) => match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => self.within(index, &operand, name.inner())?,
                _ => return Err(self.fault(index, "an object is indexed by a word in quotation marks")),
            },
            Type::Any => Type::Any,
            other => return Err(self.wrong(container, "a list or a map", other)),
        };
        let of = match (lack, &of) {
            (Lack::Unset, _) | (_, Type::Record(_)) => of,
            (Lack::Null, _) => Type::nullable(of),
        };
        Ok(Typed { node: Node::Index(Box::new(operand), Box::new(at), lack), of })
    }

    fn condition(&self, tree: &IdedExpr, found: &Type) -> Result<(), Fault> {
        self.expect(tree, found.unwrapped(), &Type::Boolean)
    }

    fn expect(&self, tree: &IdedExpr, found: &Type, wanted: &Type) -> Result<(), Fault> {
        if found.fits(wanted) { Ok(()) } else { Err(self.wrong(tree, &wanted.to_string(), found)) }
    }

    fn wrong(&self, tree: &IdedExpr, wanted: &str, found: &Type) -> Fault {
        self.fault(tree, format!("expected {wanted}, found {found}"))
    }

    fn pair(&self, tree: &IdedExpr, one: &Type, other: &Type, what: &str) -> Fault {
        self.fault(tree, format!("{one} and {other} cannot be {what}"))
    }

    fn fault(&self, tree: &IdedExpr, problem: impl Into<String>) -> Fault {
        Fault { problem: problem.into(), span: self.span(tree), hint: None }
    }

    fn span(&self, tree: &IdedExpr) -> Range<usize> {
        let (start, last) = self.positions.offset_for(tree.id).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or_default().min(self.source.len());
        let end = usize::try_from(last).unwrap_or_default().saturating_add(1).clamp(start, self.source.len());
        start..end
    }
}

fn numbers(one: &Type, other: &Type) -> bool {
    one.unwrapped().fits(&Type::Number) && other.unwrapped().fits(&Type::Number)
}

fn texts(one: &Type, other: &Type) -> bool {
    one.unwrapped().fits(&Type::Text) && other.unwrapped().fits(&Type::Text)
}

/// What is `null` where one of its operands is.
fn like(result: Type, operands: &[&Type]) -> Type {
    let may_be_null = operands.iter().any(|of| matches!(of, Type::Null | Type::Nullable(_)));
    if may_be_null { Type::nullable(result) } else { result }
}

/// What a part of this is that is not there: all that a record holds counts as part of it.
fn lack(operand: &Typed) -> Lack {
    match (&operand.node, operand.of.unwrapped()) {
        (_, Type::Record(_) | Type::Records(_)) | (Node::Own(_), _) => Lack::Null,
        (Node::Member(_, _, lack) | Node::Index(_, _, lack) | Node::Item(_, lack), _) => *lack,
        (Node::Loop(Loop::Filter, list, _), _) => lack(list),
        _ => Lack::Unset,
    }
}

/// A member of the record at hand.
fn of_record(own: &Member) -> Typed {
    let of = if own.required { own.of.clone() } else { Type::nullable(own.of.clone()) };
    Typed { node: Node::Own(own.name.clone()), of }
}

fn is_there(member: Typed) -> Node {
    Node::Operation(Operation::Unequal, vec![member, Typed { node: Node::Literal(Value::Null), of: Type::Null }])
}

/// See [`super::Expression::chosen`].
pub(super) fn chosen(member: &Member, value: Type) -> Option<Typed> {
    let (own, value) = (of_record(member), Typed { node: Node::Name(VALUE.to_owned()), of: value });
    let alike = |one: &Type, other: &Type| {
        let (one, other) = (one.unwrapped(), other.unwrapped());
        one.fits(other) || other.fits(one) || numbers(one, other)
    };
    let both = |operation, one, other| Node::Operation(operation, vec![one, other]);
    let node = match (own.of.unwrapped(), value.of.unwrapped()) {
        (Type::List(of), Type::List(other)) if alike(of, other) => {
            let item = Typed { node: Node::Item(0, Lack::Null), of: of.as_ref().clone() };
            let among = Typed::boolean(both(Operation::In, item, value));
            Node::Loop(Loop::Exists, Box::new(own), Box::new(among))
        }
        (Type::List(of), other) if alike(of, other) => both(Operation::In, value, own),
        (of, Type::List(other)) if alike(of, other) => both(Operation::In, own, value),
        (Type::List(_), _) | (_, Type::List(_)) => return None,
        (of, other) if alike(of, other) => both(Operation::Equal, own, value),
        _ => return None,
    };
    Some(Typed::boolean(node))
}
