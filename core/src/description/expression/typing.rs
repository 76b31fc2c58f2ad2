//! Turns CEL's syntax tree into typed nodes, or says what does not type, and where.

use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo, operators};
use serde_json::Value;

use super::{Fault, Loop, Member, Node, Operation, Type};
use crate::language::diagnostic::closest;

/// The operators of CEL that we have, with what they mean.
const OPERATIONS: [(&str, Operation); 14] = [
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
    (operators::INDEX, Operation::Index),
];

/// Functions, which are written by name.
const FUNCTIONS: [(&str, Operation); 3] =
    [("size", Operation::Size), ("string", Operation::Text), ("glob", Operation::Glob)];

/// What is asked of a list.
const LOOPS: [(&str, Loop); 2] = [("filter", Loop::Filter), ("exists", Loop::Exists)];

/// Functions that the language knows and that are not built.
const DESIGNED: [&str; 6] = ["now", "next", "slug", "history", "search", "links"];

/// Loops that CEL has and that are not built.
const UNSUPPORTED_LOOPS: [&str; 4] = ["map", "all", "exists_one", "existsOne"];

/// Types one expression.
pub(super) struct Typing<'a> {
    pub(super) names: &'a [Member],
    /// The item that the condition of a loop is about.
    pub(super) item: Option<&'a Member>,
    pub(super) positions: &'a SourceInfo,
    pub(super) source: &'a str,
}

type Typed = (Node, Type);

impl Typing<'_> {
    /// Types a tree that is at most `depth` levels deep.
    pub(super) fn node(&self, tree: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.fault(tree, "nested too deeply")) };
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.name(tree, name),
            Expr::Select(select) => {
                let (operand, of) = self.select(tree, select, depth)?;
                Ok((Node::Member(Box::new(operand), select.field.clone()), of))
            }
            Expr::Call(call) => self.call(tree, call, depth),
            Expr::List(list) => {
                let items: Vec<_> =
                    list.elements.iter().map(|item| self.node(item, depth)).collect::<Result<_, _>>()?;
                let of = items.iter().map(|(_, of)| Some(of.clone())).reduce(|one, other| one?.joined(other?));
                let of = of.unwrap_or(Some(Type::Any)).ok_or_else(|| self.fault(tree, "the items differ in type"))?;
                Ok((Node::List(items.into_iter().map(|(node, _)| node).collect()), Type::List(Box::new(of))))
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
        Ok((Node::Literal(value), of))
    }

    fn map(&self, tree: &IdedExpr, map: &MapExpr, depth: usize) -> Result<Typed, Fault> {
        let mut members = Vec::new();
        let mut of: Option<Type> = None;
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(self.fault(tree, "not supported")) };
            let (key, key_type) = self.node(&entry.key, depth)?;
            self.expect(&entry.key, &key_type, &Type::Text)?;
            let (value, value_type) = self.node(&entry.value, depth)?;
            of = match of {
                None => Some(value_type),
                Some(of) => {
                    Some(of.joined(value_type).ok_or_else(|| self.fault(&entry.value, "the values differ in type"))?)
                }
            };
            members.push((key, value));
        }
        Ok((Node::Map(members), Type::Map(Box::new(of.unwrap_or(Type::Any)))))
    }

    fn name(&self, tree: &IdedExpr, name: &str) -> Result<Typed, Fault> {
        match self.item.filter(|item| item.name == name) {
            Some(item) => Ok((Node::Item, item.of.clone())),
            None => Ok((Node::Name(name.to_owned()), self.member(self.names, name, tree)?)),
        }
    }

    /// What a member is selected of, and the member's type.
    fn select(&self, tree: &IdedExpr, select: &SelectExpr, depth: usize) -> Result<Typed, Fault> {
        let (operand, of) = self.node(&select.operand, depth)?;
        let of = match of.unwrapped() {
            Type::Object(members) => self.member(members, &select.field, tree)?,
            Type::Map(of) => of.as_ref().clone(),
            Type::Any => Type::Any,
            other => return Err(self.fault(tree, format!("{other} has no `{}`", select.field))),
        };
        Ok((operand, of))
    }

    fn member(&self, members: &[Member], name: &str, tree: &IdedExpr) -> Result<Type, Fault> {
        if let Some(member) = members.iter().find(|member| member.name == name) {
            return Ok(member.of.clone());
        }
        let mut fault = self.fault(tree, format!("there is no `{name}` here"));
        // The parser says where the dot is; what is wrong is the word after it.
        if let Some(at) = self.source[fault.span.start..].find(name) {
            fault.span = fault.span.start + at..fault.span.start + at + name.len();
        }
        let known = || members.iter().map(|member| member.name.as_str());
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
            (Some(list), [item, condition]) => {
                if let Some((_, of)) = LOOPS.iter().find(|(known, _)| *known == name) {
                    return self.over(*of, list, item, condition, depth);
                }
            }
            _ => {}
        }
        let found = OPERATIONS.iter().chain(&FUNCTIONS).find(|(known, _)| *known == name);
        let Some((_, operation)) = found.filter(|_| call.target.is_none()) else {
            return Err(self.unknown_function(tree, name));
        };
        let operands: Vec<_> = call.args.iter().map(|operand| self.node(operand, depth)).collect::<Result<_, _>>()?;
        let types: Vec<_> = operands.iter().map(|(_, of)| of.clone()).collect();
        let of = self.result(tree, *operation, &call.args, &types)?;
        Ok((Node::Operation(*operation, operands.into_iter().map(|(node, _)| node).collect()), of))
    }

    /// Whether a name or a member is there. CEL itself asks for members only; here names may be absent too.
    fn has(&self, asked: &IdedExpr, depth: usize) -> Result<Typed, Fault> {
        let node = match &asked.expr {
            Expr::Ident(name) => match self.name(asked, name)? {
                (Node::Name(name), _) => Node::Given(name),
                _ => Node::Literal(true.into()),
            },
            Expr::Select(select) => Node::Has(Box::new(self.select(asked, select, depth)?.0), select.field.clone()),
            _ => return Err(self.fault(asked, "expected a name or a member, as in `has(x.y)`")),
        };
        Ok((node, Type::Boolean))
    }

    /// A loop over `list`, whose items `condition` calls as `item` says.
    fn over(
        &self,
        of: Loop,
        list: &IdedExpr,
        item: &IdedExpr,
        condition: &IdedExpr,
        depth: usize,
    ) -> Result<Typed, Fault> {
        if self.item.is_some() {
            return Err(self.fault(list, "not supported: a loop within a loop"));
        }
        let Expr::Ident(name) = &item.expr else {
            return Err(self.fault(item, "expected a name for the items of the list"));
        };
        if self.names.iter().any(|known| known.name == *name) {
            let mut fault = self.fault(item, format!("`{name}` already means something here"));
            fault.hint = Some("call the items of the list something else".to_owned());
            return Err(fault);
        }
        let (list_node, list_type) = self.node(list, depth)?;
        let item_type = match list_type.unwrapped() {
            Type::List(of) => of.as_ref().clone(),
            Type::Any => Type::Any,
            other => return Err(self.wrong(list, "a list", other)),
        };
        let item = Member::required(name, item_type);
        let (node, found) = Typing { item: Some(&item), ..*self }.node(condition, depth)?;
        self.expect(condition, &found, &Type::Boolean)?;
        let result = match of {
            Loop::Filter => Type::List(Box::new(item.of)),
            Loop::Exists => Type::Boolean,
        };
        Ok((Node::Loop(of, Box::new(list_node), Box::new(node)), result))
    }

    fn unknown_function(&self, tree: &IdedExpr, name: &str) -> Fault {
        let written = name.trim_matches('_');
        if DESIGNED.contains(&name) || UNSUPPORTED_LOOPS.contains(&name) {
            return self.fault(tree, format!("not supported yet: `{name}()`"));
        }
        if written.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            let mut fault = self.fault(tree, format!("unknown function `{name}`"));
            let known =
                "size(x), string(x), glob(pattern, x), has(x.y), x.filter(y, condition), x.exists(y, condition)";
            fault.hint = Some(format!("known are: {known}"));
            return fault;
        }
        self.fault(tree, format!("not supported: `{written}`"))
    }

    /// The type of an operation's result, if its operands fit.
    fn result(&self, tree: &IdedExpr, of: Operation, trees: &[IdedExpr], types: &[Type]) -> Result<Type, Fault> {
        match (of, types) {
            (Operation::And | Operation::Or | Operation::Not, types) => {
                for (tree, found) in trees.iter().zip(types) {
                    self.expect(tree, found, &Type::Boolean)?;
                }
                Ok(Type::Boolean)
            }
            (Operation::Equal | Operation::Unequal, [one, other]) => {
                let comparable = one.fits(other) || other.fits(one) || numbers(one, other) || nullness(one, other);
                if comparable { Ok(Type::Boolean) } else { Err(self.pair(tree, one, other, "compared")) }
            }
            (Operation::Less | Operation::AtMost | Operation::Greater | Operation::AtLeast, [one, other]) => {
                let comparable = numbers(one, other) || texts(one, other);
                if comparable { Ok(Type::Boolean) } else { Err(self.pair(tree, one, other, "compared")) }
            }
            (Operation::Choose, [condition, one, other]) => {
                self.expect(&trees[0], condition, &Type::Boolean)?;
                let joined = one.clone().joined(other.clone());
                joined.ok_or_else(|| self.pair(tree, one, other, "the result of one choice"))
            }
            (Operation::In, [_, Type::List(_) | Type::Map(_) | Type::Any]) => Ok(Type::Boolean),
            (Operation::In, [_, other]) => Err(self.wrong(&trees[1], "a list or a map", other)),
            (Operation::Add, [one, other]) => self.sum(tree, one, other),
            (Operation::Negate, [one]) => {
                self.expect(&trees[0], one, &Type::Number)?;
                Ok(one.clone())
            }
            (Operation::Index, [container, index]) => self.item(trees, container, index),
            (Operation::Size, [Type::Text | Type::List(_) | Type::Map(_) | Type::Any]) => Ok(Type::Integer),
            (Operation::Size, [other]) => Err(self.wrong(&trees[0], "text, a list or a map", other)),
            (Operation::Text, [Type::Text | Type::Integer | Type::Number | Type::Boolean | Type::Any]) => {
                Ok(Type::Text)
            }
            (Operation::Glob, [one, other]) => {
                self.expect(&trees[0], one, &Type::Text)?;
                self.expect(&trees[1], other, &Type::Text)?;
                Ok(Type::Boolean)
            }
            (Operation::Text, [other]) => Err(self.wrong(&trees[0], "text, a number or a boolean", other)),
            _ => Err(self.fault(tree, "the wrong number of arguments")),
        }
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

    fn item(&self, trees: &[IdedExpr], container: &Type, index: &Type) -> Result<Type, Fault> {
        match container.unwrapped() {
            Type::List(of) => {
                self.expect(&trees[1], index, &Type::Integer)?;
                Ok(of.as_ref().clone())
            }
            Type::Map(of) => {
                self.expect(&trees[1], index, &Type::Text)?;
                Ok(of.as_ref().clone())
            }
            Type::Object(members) => match &trees[1].expr {
                Expr::Literal(LiteralValue::String(name)) => self.member(members, name.inner(), &trees[1]),
                _ => Err(self.fault(&trees[1], "an object is indexed by a word in quotation marks")),
            },
            Type::Any => Ok(Type::Any),
            other => Err(self.wrong(&trees[0], "a list or a map", other)),
        }
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
    one.fits(&Type::Number) && other.fits(&Type::Number)
}

fn texts(one: &Type, other: &Type) -> bool {
    one.fits(&Type::Text) && other.fits(&Type::Text)
}

/// Anything that may be `null` can be compared with it.
fn nullness(one: &Type, other: &Type) -> bool {
    let is_null = |of: &Type| matches!(of, Type::Null | Type::Nullable(_));
    is_null(one)
        && is_null(other)
        && (one.unwrapped().fits(other.unwrapped()) || *one == Type::Null || *other == Type::Null)
}
