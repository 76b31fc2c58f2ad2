//! Computes a typed expression over JSON values. Total: no panic, no loop but over lists that are there, no allocation
//! beyond its result.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Loop, Node, Operation, Unset, glob};

type Computed<'v> = Result<Cow<'v, Value>, Unset>;

/// What names stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'v> {
    /// Has a member for every name.
    context: &'v Value,
    /// What the condition of a loop is about.
    item: Option<&'v Value>,
}

impl<'v> Scope<'v> {
    pub(super) fn of(context: &'v Value) -> Self {
        Self { context, item: None }
    }
}

pub(super) fn evaluate<'v>(node: &'v Node, scope: Scope<'v>) -> Computed<'v> {
    match node {
        Node::Literal(value) => Ok(Cow::Borrowed(value)),
        Node::Name(name) => scope.context.get(name).map(Cow::Borrowed).ok_or(Unset),
        Node::Given(name) => Ok(Cow::Owned(Value::Bool(scope.context.get(name).is_some()))),
        Node::Member(operand, name) => member(evaluate(operand, scope)?, name),
        Node::Has(operand, name) => {
            let has = evaluate(operand, scope).is_ok_and(|operand| operand.get(name).is_some());
            Ok(Cow::Owned(Value::Bool(has)))
        }
        Node::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| owned(item, scope)).collect();
            Ok(Cow::Owned(Value::Array(items?)))
        }
        Node::Map(members) => {
            let mut map = Map::new();
            for (key, value) in members {
                let key = evaluate(key, scope)?.as_str().ok_or(Unset)?.to_owned();
                map.insert(key, owned(value, scope)?);
            }
            Ok(Cow::Owned(Value::Object(map)))
        }
        Node::Operation(operation, operands) => operate(*operation, operands, scope),
        Node::Loop(of, list, condition) => over(*of, evaluate(list, scope)?, condition, scope),
        Node::Item => scope.item.map(Cow::Borrowed).ok_or(Unset),
    }
}

fn owned(node: &Node, scope: Scope<'_>) -> Result<Value, Unset> {
    evaluate(node, scope).map(Cow::into_owned)
}

fn member<'v>(operand: Cow<'v, Value>, name: &str) -> Computed<'v> {
    match operand {
        Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed).ok_or(Unset),
        Cow::Owned(mut value) => value.get_mut(name).map(|found| Cow::Owned(found.take())).ok_or(Unset),
    }
}

/// What is done with the items of `list` that fulfil `condition`.
fn over<'v>(of: Loop, list: Cow<'v, Value>, condition: &Node, scope: Scope<'_>) -> Computed<'v> {
    let fulfils = |item: &Value| truth(condition, Scope { context: scope.context, item: Some(item) }) == Ok(true);
    let result = match (of, list) {
        (Loop::Exists, list) => Value::Bool(list.as_array().ok_or(Unset)?.iter().any(fulfils)),
        (Loop::Filter, Cow::Borrowed(list)) => {
            list.as_array().ok_or(Unset)?.iter().filter(|item| fulfils(item)).cloned().collect()
        }
        (Loop::Filter, Cow::Owned(Value::Array(items))) => items.into_iter().filter(fulfils).collect(),
        (Loop::Filter, Cow::Owned(_)) => return Err(Unset),
    };
    Ok(Cow::Owned(result))
}

fn operate<'v>(operation: Operation, operands: &'v [Node], scope: Scope<'v>) -> Computed<'v> {
    let boolean = |value: bool| Ok(Cow::Owned(Value::Bool(value)));
    match (operation, operands) {
        (Operation::And, [one, other]) => boolean(truth(one, scope)? && truth(other, scope)?),
        (Operation::Or, [one, other]) => boolean(truth(one, scope)? || truth(other, scope)?),
        (Operation::Not, [one]) => boolean(!truth(one, scope)?),
        (Operation::Choose, [condition, one, other]) => {
            evaluate(if truth(condition, scope)? { one } else { other }, scope)
        }
        (Operation::Negate, [one]) => negated(&*evaluate(one, scope)?),
        (Operation::Size, [one]) => size(&*evaluate(one, scope)?),
        (Operation::Text, [one]) => text(&*evaluate(one, scope)?),
        (operation, [one, other]) => pair(operation, evaluate(one, scope)?, &*evaluate(other, scope)?),
        _ => Err(Unset),
    }
}

fn pair<'v>(operation: Operation, one: Cow<'v, Value>, other: &Value) -> Computed<'v> {
    let ordering = || order(&one, other).ok_or(Unset);
    let result = match operation {
        Operation::Equal => equal(&one, other),
        Operation::Unequal => !equal(&one, other),
        Operation::Less => ordering()?.is_lt(),
        Operation::AtMost => ordering()?.is_le(),
        Operation::Greater => ordering()?.is_gt(),
        Operation::AtLeast => ordering()?.is_ge(),
        Operation::In => contains(other, &one),
        Operation::Add => return sum(&one, other),
        Operation::Index => return item(one, other),
        Operation::Glob => glob(one.as_str().ok_or(Unset)?, other.as_str().ok_or(Unset)?),
        _ => return Err(Unset),
    };
    Ok(Cow::Owned(Value::Bool(result)))
}

fn truth(node: &Node, scope: Scope<'_>) -> Result<bool, Unset> {
    evaluate(node, scope)?.as_bool().ok_or(Unset)
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => order(one, other) == Some(Ordering::Equal),
        _ => one == other,
    }
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        _ => None,
    }
}

fn contains(container: &Value, wanted: &Value) -> bool {
    match container {
        Value::Array(items) => items.iter().any(|item| equal(item, wanted)),
        Value::Object(members) => wanted.as_str().is_some_and(|name| members.contains_key(name)),
        _ => false,
    }
}

fn item<'v>(container: Cow<'v, Value>, index: &Value) -> Computed<'v> {
    if let Some(name) = index.as_str() {
        return member(container, name);
    }
    let at = index.as_i64().and_then(|at| usize::try_from(at).ok()).ok_or(Unset)?;
    match container {
        Cow::Borrowed(value) => value.get(at).map(Cow::Borrowed).ok_or(Unset),
        Cow::Owned(mut value) => value.get_mut(at).map(|found| Cow::Owned(found.take())).ok_or(Unset),
    }
}

fn sum<'v>(one: &Value, other: &Value) -> Computed<'v> {
    let sum = match (one, other) {
        (Value::String(one), Value::String(other)) => Value::String(format!("{one}{other}")),
        (Value::Array(one), Value::Array(other)) => one.iter().chain(other).cloned().collect(),
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.checked_add(other).ok_or(Unset)?.into(),
            _ => (one.as_f64().ok_or(Unset)? + other.as_f64().ok_or(Unset)?).into(),
        },
        _ => return Err(Unset),
    };
    Ok(Cow::Owned(sum))
}

fn negated<'v>(value: &Value) -> Computed<'v> {
    let negated = match value.as_i64() {
        Some(integer) => integer.checked_neg().ok_or(Unset)?.into(),
        None => (-value.as_f64().ok_or(Unset)?).into(),
    };
    Ok(Cow::Owned(negated))
}

fn size<'v>(value: &Value) -> Computed<'v> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => return Err(Unset),
    };
    Ok(Cow::Owned(size.into()))
}

fn text<'v>(value: &Value) -> Computed<'v> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(boolean) => boolean.to_string(),
        _ => return Err(Unset),
    };
    Ok(Cow::Owned(Value::String(text)))
}
