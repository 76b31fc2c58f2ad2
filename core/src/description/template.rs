//! An answer is its own response schema, filled in: a property with a `value` is what its expression computes; a list of
//! the operation's records holds those that it took, or lists; anything else is `null` where its type allows that and
//! left out elsewhere.
//!
//! In the answer to a call about single records, and in the items of a list that parameters choose, a property without a
//! `value` shows the record's member of its name: see [`view`].

mod view;

use serde_json::{Map, Value};

use self::view::View;
pub(super) use self::view::{Shown, Views, Which};
use super::Expression;
use super::expression::{Member, Type};
use super::findings::Findings;
use super::outline::Outline;
use super::scope::compile;
use crate::json::{Pointer, write_text};
use crate::language::schema::{properties, type_names};
use crate::language::{Diagnostic, Document};

/// How deep response schemas are looked into.
const DEPTH_MAX: usize = 16;

/// What an answer speaks of.
#[derive(Debug)]
pub(super) struct Speech {
    /// What its expressions may name.
    pub(super) names: Vec<Member>,
    /// What a list of the operation's records holds.
    pub(super) records: Option<OwnRecords>,
    /// Whose members it shows by their names.
    pub(super) shown: Option<Shown>,
    /// Whether what is `null` where that is not allowed is left out: what is stored knows no better.
    pub(super) is_lenient: bool,
}

impl Speech {
    /// What speaks of these names, and of nothing by itself.
    pub(super) fn of(names: Vec<Member>) -> Self {
        Self { names, records: None, shown: None, is_lenient: false }
    }
}

/// The records of an operation.
#[derive(Debug)]
pub(super) struct OwnRecords {
    /// Where their schemas stand.
    pub(super) places: Vec<Pointer>,
    /// What a list of them is filled in with.
    pub(super) list: Expression,
}

/// A stretch of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// What was written.
    Text(Vec<u8>),
    /// The place of a list that is beside: all of it.
    List(String),
}

/// A response schema whose `value`s are compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Constant(Value),
    Computed(Expression),
    /// What is computed, unless that is `null`.
    Given(Expression),
    /// A list, and what becomes of each item, which is called `it`.
    Each(Expression, Box<Node>),
    Object(Vec<(String, Node)>),
    /// The record that the context is.
    Row(View),
    /// Each record of a list.
    Rows(Expression, View),
}

impl Template {
    /// An object whose members are what these expressions say.
    #[cfg(test)]
    pub(crate) fn object(members: Vec<(&str, Expression)>) -> Self {
        let computed = members.into_iter().map(|(name, value)| (name.to_owned(), Node::Computed(value)));
        Self(Node::Object(computed.collect()))
    }

    /// The response, filled in. What cannot be computed is left out.
    pub fn fill(&self, context: &Value) -> Value {
        self.0.fill(context).unwrap_or(Value::Null)
    }

    /// The same, of a context that nobody needs any more: what it holds is moved where that is possible.
    pub fn fill_with(&self, mut context: Value) -> Value {
        match &self.0 {
            Node::Row(view) => view.take(context),
            Node::Rows(list, view) => match list.name().and_then(|name| Some(context.get_mut(name)?.take())) {
                Some(Value::Array(rows)) => view.take_each(rows, &context),
                _ => self.fill(&context),
            },
            _ => self.fill(&context),
        }
    }

    /// The response as JSON, of a context that nobody needs any more. A list that [is shown as it
    /// is](Self::shows_as_it_is) need not be in there: where `is_beside` says so of its name, its place is told.
    pub fn write_with(&self, context: Value, is_beside: &dyn Fn(&str) -> bool) -> Vec<Stretch> {
        let mut out = Vec::new();
        match &self.0 {
            Node::Row(_) | Node::Rows(..) => write_value(&self.fill_with(context), text(&mut out)),
            node => {
                if !node.write(&context, is_beside, &mut out) {
                    write_value(&Value::Null, text(&mut out));
                }
            }
        }
        out
    }

    /// Whether all that it does with what has this name, if anything, is to show it as it is.
    pub fn shows_as_it_is(&self, name: &str) -> bool {
        self.0.shows_as_it_is(name)
    }

    /// Whether it speaks of this name, which then has to be in its context.
    pub fn speaks_of(&self, name: &str) -> bool {
        self.0.speaks_of(name)
    }

    /// Compiles the response schema at `at`, which is filled in with what `speech` says; `views` is what was compiled
    /// before.
    pub(super) fn compile(
        document: &Document,
        outline: &Outline,
        at: &Pointer,
        speech: &Speech,
        views: &mut Views,
        findings: &mut Findings<'_>,
    ) -> Option<Self> {
        let found = findings.problems.len();
        let (records, shown) = (speech.records.as_ref(), speech.shown.as_ref());
        let is_lenient = speech.is_lenient;
        let mut compiler = Compiler { document, outline, records, shown, is_lenient, views, findings };
        let node = compiler.node(at, &speech.names, DEPTH_MAX);
        if node.is_none() && findings.problems.len() == found {
            let problem = Diagnostic::at(document.key_place(at), "nothing fills this answer in");
            findings.report(problem.hint("give its properties a `value`, or leave the content out"));
        }
        node.map(Self)
    }
}

/// Where text is written next.
fn text(out: &mut Vec<Stretch>) -> &mut Vec<u8> {
    if !matches!(out.last(), Some(Stretch::Text(_))) {
        out.push(Stretch::Text(Vec::new()));
    }
    match out.last_mut() {
        Some(Stretch::Text(text)) => text,
        _ => unreachable!("it was just put there"),
    }
}

impl Node {
    fn speaks_of(&self, name: &str) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Computed(expression) | Self::Given(expression) => expression.speaks_of(name),
            Self::Each(list, item) => list.speaks_of(name) || item.speaks_of(name),
            Self::Object(members) => members.iter().any(|(_, node)| node.speaks_of(name)),
            Self::Row(view) => view.speaks_of(name),
            Self::Rows(list, view) => list.speaks_of(name) || view.speaks_of(name),
        }
    }

    fn shows_as_it_is(&self, name: &str) -> bool {
        match self {
            Self::Computed(expression) => expression.name() == Some(name) || !expression.speaks_of(name),
            Self::Object(members) => members.iter().all(|(_, node)| node.shows_as_it_is(name)),
            node => !node.speaks_of(name),
        }
    }

    /// Writes what it is filled in with; says whether there is anything.
    fn write(&self, context: &Value, is_beside: &dyn Fn(&str) -> bool, out: &mut Vec<Stretch>) -> bool {
        if let Self::Object(members) = self {
            text(out).push(b'{');
            let mut is_first = true;
            for (name, node) in members {
                let now = text(out);
                let before = now.len();
                if !is_first {
                    now.push(b',');
                }
                write_text(name, now);
                now.push(b':');
                // Who has nothing to write writes nothing at all.
                if node.write(context, is_beside, out) {
                    is_first = false;
                } else {
                    text(out).truncate(before);
                }
            }
            text(out).push(b'}');
            return true;
        }
        if let Self::Computed(expression) = self
            && let Some(name) = expression.name().filter(|name| is_beside(name))
        {
            out.push(Stretch::List(name.to_owned()));
            return true;
        }
        match self.fill(context) {
            Some(value) => write_value(&value, text(out)),
            None => return false,
        }
        true
    }

    fn fill(&self, context: &Value) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Computed(expression) => expression.evaluate(context).ok(),
            Self::Given(expression) => expression.evaluate(context).ok().filter(|value| !value.is_null()),
            Self::Each(list, item) => {
                let Ok(Value::Array(items)) = list.evaluate(context) else { return None };
                // Of thousands of entries each would otherwise carry all of them along.
                let spoken_of = |name: &str| name != "it" && item.speaks_of(name);
                let names = context.as_object().into_iter().flatten().filter(|(name, _)| spoken_of(name));
                let mut context: Value = names.map(|(name, value)| (name.clone(), value.clone())).collect();
                let filled = items.into_iter().map(|it| {
                    if let Value::Object(names) = &mut context {
                        names.insert("it".to_owned(), it);
                    }
                    item.fill(&context).unwrap_or(Value::Null)
                });
                Some(filled.collect())
            }
            Self::Object(members) => {
                let filled = members.iter().filter_map(|(name, node)| Some((name.clone(), node.fill(context)?)));
                Some(Value::Object(filled.collect::<Map<_, _>>()))
            }
            Self::Row(view) => Some(view.take(context.clone())),
            Self::Rows(list, view) => match list.evaluate(context) {
                Ok(Value::Array(rows)) => Some(view.take_each(rows, context)),
                _ => None,
            },
        }
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

struct Compiler<'a, 'f> {
    document: &'a Document,
    outline: &'a Outline,
    records: Option<&'a OwnRecords>,
    shown: Option<&'a Shown>,
    is_lenient: bool,
    views: &'a mut Views,
    findings: &'a mut Findings<'f>,
}

impl Compiler<'_, '_> {
    /// What fills the schema at `at` in; none if nothing does.
    fn node(&mut self, at: &Pointer, names: &[Member], depth: usize) -> Option<Node> {
        let (here, schema) = self.document.resolve(at).filter(|_| depth > 0)?;
        let keys = self.outline.schema(self.document, at);
        if let Some(source) = &keys.value {
            return self.computed(at, &here, source, names, depth);
        }
        if let Some(constant) = schema.get("const") {
            return Some(Node::Constant(constant.clone()));
        }
        if let Ok(node) = self.shown(&here, schema, names, depth) {
            return node;
        }
        let items = self.document.resolve(&here.member("items")).map(|(items, _)| items);
        if let Some(items) = items.filter(|items| self.outline.schema(self.document, items).key.is_some()) {
            let own = self.records.filter(|own| own.places.contains(&items));
            if own.is_none() {
                let place = self.document.key_place(at);
                let problem = Diagnostic::at(place, "nothing fills this list of records in");
                self.findings.report(
                    problem.hint("filled are those of the operation's own records, where these hold no others"),
                );
            }
            return own.map(|own| Node::Computed(own.list.clone()));
        }
        if keys.key.is_some() {
            // A record by itself says what it is made of, not what an answer is filled in with.
            return None;
        }
        let members = self.members(&here, names, depth);
        if !members.is_empty() {
            return Some(Node::Object(members));
        }
        type_names(schema).contains(&"null").then_some(Node::Constant(Value::Null))
    }

    fn members(&mut self, at: &Pointer, names: &[Member], depth: usize) -> Vec<(String, Node)> {
        let mut members = Vec::new();
        let mut unfilled = Vec::new();
        for property in properties(self.document, at) {
            let found = self.findings.problems.len();
            match self.node(&property.at, names, depth - 1) {
                Some(node) => members.push((property.name, node)),
                None if property.required && self.findings.problems.len() == found => unfilled.push(property),
                None => {}
            }
        }
        for property in unfilled {
            let problem = format!("nothing fills in the required property `{}`", property.name);
            let problem = Diagnostic::at(self.document.key_place(&property.at), problem);
            self.findings.report(problem.hint("give it a `value`, or allow `null`"));
        }
        members
    }

    fn computed(&mut self, at: &Pointer, here: &Pointer, source: &str, names: &[Member], depth: usize) -> Option<Node> {
        let value_at = self.outline.word(self.document, at, "value");
        self.findings.understand(value_at.clone());
        let expression = compile(self.document, &value_at, source, names, self.findings)?;
        if let Some(shown) = self.shown.filter(|shown| shown.which.list() == Some(&expression)) {
            let view = self.view(&here.member("items"), Some(&shown.at), names, depth)?;
            return Some(Node::Rows(expression, view));
        }
        if let (Type::List(of), true) = (expression.of(), self.fills(&here.member("items"), depth)) {
            // The item of the innermost list hides those of the lists around it.
            let it = Member::required("it", of.as_ref().clone());
            let others = names.iter().filter(|member| member.name != "it").cloned();
            let names: Vec<_> = others.chain([it]).collect();
            let item = self.node(&here.member("items"), &names, depth - 1)?;
            return Some(Node::Each(expression, Box::new(item)));
        }
        let wanted = Type::of_schema(self.document, here);
        if self.is_lenient && !expression.of().fits(&wanted) && expression.of().unwrapped().fits(&wanted) {
            return Some(Node::Given(expression));
        }
        if !expression.of().fits(&wanted) {
            let problem = format!("expected {wanted}, found {}", expression.of());
            let problem = Diagnostic::at(self.document.place(&value_at), problem);
            let may_be_null = matches!(expression.of(), Type::Nullable(of) if of.fits(&wanted));
            self.findings.report(if may_be_null {
                problem.hint("allow it: `type: [string, 'null']`")
            } else {
                problem
            });
        }
        Some(Node::Computed(expression))
    }

    /// Whether the schema at `at` or one in it has a `value`.
    fn fills(&self, at: &Pointer, depth: usize) -> bool {
        let Some((here, _)) = self.document.resolve(at).filter(|_| depth > 0) else { return false };
        let keys = self.outline.schema(self.document, at);
        if keys.key.is_some() {
            return false;
        }
        keys.value.is_some()
            || properties(self.document, &here).iter().any(|property| self.fills(&property.at, depth - 1))
    }
}
