//! Computes a typed expression over JSON values. Total: no panic, no loop but over lists that are there, no allocation
//! beyond its result.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::search::occurs;
use super::{Lack, Loop, Node, Operation, Typed, Unset, decimal, glob};

type Computed<'v> = Result<Cow<'v, Value>, Unset>;

/// Loops that may stand in one another.
pub(super) const LOOPS_MAX: usize = 2;

/// What names stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'v> {
    /// Has a member for every name.
    context: &'v Value,
    /// What the loops around are about, the outer one first.
    items: [Option<&'v Value>; LOOPS_MAX],
    /// How many of them there are.
    depth: usize,
}

impl<'v> Scope<'v> {
    pub(super) fn of(context: &'v Value) -> Self {
        Self { context, items: [None; LOOPS_MAX], depth: 0 }
    }

    /// Within so many loops, about which nothing is known.
    pub(super) fn below(context: &'v Value, depth: usize) -> Self {
        Self { context, items: [None; LOOPS_MAX], depth }
    }

    /// Within a loop that is about `item`.
    fn within(mut self, item: &'v Value) -> Self {
        if let Some(place) = self.items.get_mut(self.depth) {
            *place = Some(item);
        }
        self.depth += 1;
        self
    }
}

pub(super) fn evaluate<'v>(typed: &'v Typed, scope: Scope<'v>) -> Computed<'v> {
    match &typed.node {
        Node::Literal(value) => Ok(Cow::Borrowed(value)),
        Node::Name(name) | Node::Records(name) => scope.context.get(name).map(Cow::Borrowed).ok_or(Unset),
        Node::Own(name) => Ok(scope.context.get(name).map_or(Cow::Owned(Value::Null), Cow::Borrowed)),
        Node::Record(list, key, wanted) => record(evaluate(list, scope)?, key, &*evaluate(wanted, scope)?),
        Node::Given(name) => Ok(Cow::Owned(Value::Bool(scope.context.get(name).is_some()))),
        Node::Member(operand, name, lack) => lacking(member(evaluate(operand, scope)?, name), *lack),
        Node::Index(operand, index, lack) => lacking(item(evaluate(operand, scope)?, &*evaluate(index, scope)?), *lack),
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
        Node::Loop(of, list, about) => over(*of, &*evaluate(list, scope)?, about, scope),
        Node::Item(depth, _) => scope.items.get(*depth).copied().flatten().map(Cow::Borrowed).ok_or(Unset),
    }
}

fn owned(typed: &Typed, scope: Scope<'_>) -> Result<Value, Unset> {
    evaluate(typed, scope).map(Cow::into_owned)
}

/// What is there, or what it counts as that it is not.
fn lacking(found: Computed<'_>, lack: Lack) -> Computed<'_> {
    match lack {
        Lack::Unset => found,
        Lack::Null => Ok(found.unwrap_or(Cow::Owned(Value::Null))),
    }
}

fn member<'v>(operand: Cow<'v, Value>, name: &str) -> Computed<'v> {
    match operand {
        Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed).ok_or(Unset),
        Cow::Owned(mut value) => value.get_mut(name).map(|found| Cow::Owned(found.take())).ok_or(Unset),
    }
}

/// The record in a list whose member `key` is what is wanted.
fn record<'v>(list: Cow<'v, Value>, key: &str, wanted: &Value) -> Computed<'v> {
    let is_wanted = |record: &Value| record.get(key).is_some_and(|own| equal(own, wanted));
    let found = match list {
        Cow::Borrowed(list) => list.as_array().ok_or(Unset)?.iter().find(|record| is_wanted(record)).map(Cow::Borrowed),
        Cow::Owned(Value::Array(records)) => records.into_iter().find(is_wanted).map(Cow::Owned),
        Cow::Owned(_) => return Err(Unset),
    };
    Ok(found.unwrap_or(Cow::Owned(Value::Null)))
}

/// What is asked of the items of `list`.
fn over<'v>(of: Loop, list: &Value, about: &Typed, scope: Scope<'_>) -> Computed<'v> {
    let fulfils = |item: &Value| truth(about, scope.within(item)) == Ok(Some(true));
    let items = match list {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        _ => return Err(Unset),
    };
    let result = match of {
        Loop::Exists => Value::Bool(items.iter().any(fulfils)),
        Loop::Filter => items.iter().filter(|item| fulfils(item)).cloned().collect(),
        Loop::Least | Loop::Greatest | Loop::Total => {
            let values = items.iter().filter_map(|item| owned(about, scope.within(item)).ok());
            let mut values = values.filter(|value| !value.is_null());
            match of {
                Loop::Least => values.min_by(rank).unwrap_or(Value::Null),
                Loop::Greatest => values.max_by(rank).unwrap_or(Value::Null),
                _ => values.try_fold(0_i64, |total, value| total.checked_add(value.as_i64()?)).ok_or(Unset)?.into(),
            }
        }
    };
    Ok(Cow::Owned(result))
}

/// Which of two values of one type is the smaller: texts that are decimals are compared as numbers.
fn rank(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => decimal::order(one, other),
        _ => order(one, other).unwrap_or(Ordering::Equal),
    }
}

fn operate<'v>(operation: Operation, operands: &'v [Typed], scope: Scope<'v>) -> Computed<'v> {
    let truth_value = |truth: Option<bool>| Ok(Cow::Owned(truth.map_or(Value::Null, Value::Bool)));
    match (operation, operands) {
        (Operation::And, [one, other]) => truth_value(decided(one, other, false, scope)),
        (Operation::Or, [one, other]) => truth_value(decided(one, other, true, scope)),
        (Operation::Not, [one]) => truth_value(truth(one, scope)?.map(|truth| !truth)),
        (Operation::Choose, [condition, one, other]) => match truth(condition, scope)? {
            Some(true) => evaluate(one, scope),
            Some(false) => evaluate(other, scope),
            None => Ok(Cow::Owned(Value::Null)),
        },
        (Operation::Search, [wanted, texts @ ..]) => search(wanted, texts, scope),
        (Operation::Links, [links, relations @ ..]) => header(&*evaluate(links, scope)?, relations, scope),
        (operation, [one]) => single(operation, evaluate(one, scope)?),
        (operation, [one, other]) => pair(operation, &*evaluate(one, scope)?, &*evaluate(other, scope)?),
        _ => Err(Unset),
    }
}

/// `&&`, which a `false` decides on either side, or `||`, which a `true` does; `None` where neither side decides and one
/// is `null` or has no value.
fn decided(one: &Typed, other: &Typed, by: bool, scope: Scope<'_>) -> Option<bool> {
    let one = truth(one, scope).ok().flatten();
    if one == Some(by) {
        return one;
    }
    let other = truth(other, scope).ok().flatten();
    if other == Some(by) { other } else { one.and(other) }
}

fn single(operation: Operation, one: Cow<'_, Value>) -> Computed<'_> {
    if one.is_null() {
        return Ok(one);
    }
    match operation {
        Operation::Negate => negated(&one),
        Operation::Size => size(&one),
        Operation::Text => text(&one),
        Operation::Decimal => match &*one {
            Value::String(text) => Ok(Cow::Owned(decimal::decimal(text).map_or(Value::Null, Value::from))),
            Value::Number(_) => Ok(one),
            _ => Err(Unset),
        },
        _ => Err(Unset),
    }
}

fn pair<'v>(operation: Operation, one: &Value, other: &Value) -> Computed<'v> {
    let result = match operation {
        Operation::Equal => equal(one, other),
        Operation::Unequal => !equal(one, other),
        Operation::In => contains(other, one),
        _ if one.is_null() || other.is_null() => return Ok(Cow::Owned(Value::Null)),
        Operation::Add => return sum(one, other),
        Operation::Glob => glob(one.as_str().ok_or(Unset)?, other.as_str().ok_or(Unset)?),
        operation => {
            let ordering = order(one, other).ok_or(Unset)?;
            match operation {
                Operation::Less => ordering.is_lt(),
                Operation::AtMost => ordering.is_le(),
                Operation::Greater => ordering.is_gt(),
                Operation::AtLeast => ordering.is_ge(),
                _ => return Err(Unset),
            }
        }
    };
    Ok(Cow::Owned(Value::Bool(result)))
}

/// Whether it is true; `None` where it is `null`.
fn truth(typed: &Typed, scope: Scope<'_>) -> Result<Option<bool>, Unset> {
    match &*evaluate(typed, scope)? {
        Value::Null => Ok(None),
        Value::Bool(truth) => Ok(Some(*truth)),
        _ => Err(Unset),
    }
}

/// Whether a text occurs in one of others; one that is absent holds nothing.
fn search<'v>(wanted: &Typed, texts: &[Typed], scope: Scope<'_>) -> Computed<'v> {
    let wanted = evaluate(wanted, scope)?;
    if wanted.is_null() {
        return Ok(Cow::Owned(Value::Null));
    }
    let wanted = wanted.as_str().ok_or(Unset)?;
    let mut found = false;
    for text in texts {
        found |= evaluate(text, scope)?.as_str().is_some_and(|text| occurs(wanted, text));
    }
    Ok(Cow::Owned(Value::Bool(found)))
}

/// `<url>; rel="next", <…>; rel="last"`, of the relations that `links` has; unset if it has none.
fn header<'v>(links: &Value, relations: &[Typed], scope: Scope<'_>) -> Computed<'v> {
    let mut parts = Vec::new();
    for relation in relations {
        let relation = evaluate(relation, scope)?;
        let relation = relation.as_str().ok_or(Unset)?;
        if let Some(address) = links.get(relation).and_then(Value::as_str) {
            parts.push(format!("<{address}>; rel=\"{relation}\""));
        }
    }
    if parts.is_empty() { Err(Unset) } else { Ok(Cow::Owned(Value::String(parts.join(", ")))) }
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
