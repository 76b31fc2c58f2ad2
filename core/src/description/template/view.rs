//! What is shown of a record: a response schema whose properties are members of the record by their names, down into
//! its objects and lists. A member that is not there is `null` where the property's type allows that, and left out
//! elsewhere; a property with a `value` speaks of the record's members.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Compiler, Node};
use crate::description::Expression;
use crate::description::expression::{Member, Type};
use crate::json::Pointer;
use crate::language::Diagnostic;
use crate::language::schema::{Property, is_nullable, properties, said, type_names};

/// Whose members an answer shows by their names.
#[derive(Debug)]
pub(in crate::description) struct Shown {
    /// What the record type, or the list of its records' that is shown, is called.
    pub(in crate::description) name: String,
    /// Where the schema of what is shown stands.
    pub(in crate::description) at: Pointer,
    /// What expressions about one of them may name.
    pub(in crate::description) names: Vec<Member>,
    /// One of them, or a list.
    pub(in crate::description) which: Which,
    /// Whether it has these members and no others; what the partner's own logic lists may have any.
    pub(in crate::description) is_closed: bool,
}

/// What of the records an answer shows.
#[derive(Debug)]
pub(in crate::description) enum Which {
    /// The one that the call is about.
    One,
    /// Those in this list.
    Each(Expression),
}

impl Which {
    /// The list of those that are shown.
    pub(super) fn list(&self) -> Option<&Expression> {
        match self {
            Self::One => None,
            Self::Each(list) => Some(list),
        }
    }
}

/// What was compiled before, by where the schemas of the record, of what is shown of it, and of that part of it stand.
pub(in crate::description) type Views = HashMap<(Option<Pointer>, Pointer, Option<Pointer>), View>;

/// No record is shown here.
pub(super) struct NotShown;

/// What is shown of a record, or of an object in it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::description) struct View {
    parts: Vec<(String, Part)>,
    /// The members that expressions may name, which are `null` where they are absent; empty where none does.
    named: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// What an expression computes.
    Filled(Node),
    /// The member of the same name, and whether `null` stands where there is none.
    Kept { form: Form, or_null: bool },
}

/// How a member is shown.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    AsItIs,
    Object(View),
    Each(Box<Form>),
}

impl View {
    pub(super) fn speaks_of(&self, name: &str) -> bool {
        self.parts.iter().any(|(_, part)| match part {
            Part::Filled(node) => node.speaks_of(name),
            Part::Kept { form, .. } => form.speaks_of(name),
        })
    }

    /// What is shown of the record that `context` is, with what else expressions may name.
    pub(super) fn take(&self, mut context: Value) -> Value {
        if self.named.is_empty() {
            return self.shown(context, &Value::Null);
        }
        self.name(&mut context);
        self.shown(context.clone(), &context)
    }

    /// What is shown of each record; `around` is what else expressions may name.
    pub(super) fn take_each(&self, rows: Vec<Value>, around: &Value) -> Value {
        if self.named.is_empty() {
            return rows.into_iter().map(|row| self.shown(row, &Value::Null)).collect();
        }
        let spoken_of = around.as_object().into_iter().flatten().filter(|(name, _)| self.speaks_of(name));
        let around: Map<_, _> = spoken_of.map(|(name, value)| (name.clone(), value.clone())).collect();
        let shown = rows.into_iter().map(|row| {
            let mut context = Value::Object(around.clone());
            if let (Value::Object(context), Value::Object(row)) = (&mut context, &row) {
                context.extend(row.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            self.name(&mut context);
            self.shown(row, &context)
        });
        shown.collect()
    }

    /// Gives every name a value.
    fn name(&self, context: &mut Value) {
        let Value::Object(context) = context else { return };
        for name in &self.named {
            context.entry(name).or_insert(Value::Null);
        }
    }

    fn shown(&self, row: Value, context: &Value) -> Value {
        let Value::Object(mut row) = row else { return row };
        let mut shown = Map::with_capacity(self.parts.len());
        for (name, part) in &self.parts {
            let value = match part {
                Part::Filled(node) => node.fill(context),
                Part::Kept { form, or_null } => match row.swap_remove(name) {
                    None | Some(Value::Null) => or_null.then_some(Value::Null),
                    Some(value) => Some(form.shown(value, context)),
                },
            };
            if let Some(value) = value {
                shown.insert(name.clone(), value);
            }
        }
        Value::Object(shown)
    }
}

impl Form {
    fn speaks_of(&self, name: &str) -> bool {
        match self {
            Self::AsItIs => false,
            Self::Object(view) => view.speaks_of(name),
            Self::Each(form) => form.speaks_of(name),
        }
    }

    fn shown(&self, value: Value, context: &Value) -> Value {
        match (self, value) {
            (Self::Object(view), value) => view.shown(value, context),
            (Self::Each(form), Value::Array(items)) => {
                items.into_iter().map(|item| form.shown(item, context)).collect()
            }
            (_, value) => value,
        }
    }
}

impl Compiler<'_, '_> {
    /// What shows records here, if something has to: the root of an answer about one, or a list of them.
    pub(super) fn shown(
        &mut self,
        here: &Pointer,
        schema: &Value,
        names: &[Member],
        depth: usize,
    ) -> Result<Option<Node>, NotShown> {
        let shown = self.shown.ok_or(NotShown)?;
        let is_root = depth == super::DEPTH_MAX;
        match &shown.which {
            Which::One if is_root && !properties(self.document, here).is_empty() => {
                Ok(self.view(here, Some(&shown.at), names, depth).map(Node::Row))
            }
            Which::One => Err(NotShown),
            Which::Each(list) => {
                let items = here.member("items");
                let is_own = |(at, _): (Pointer, _)| at == shown.at;
                let is_list = schema.get("items").is_some();
                if !is_list || !(is_root || self.document.resolve(&items).is_some_and(is_own)) {
                    return Err(NotShown);
                }
                let rows = |view| Node::Rows(list.clone(), view);
                Ok(self.view(&items, Some(&shown.at), &shown.names, depth).map(rows))
            }
        }
    }

    /// What the schema at `at` shows of what is stored as the schema at `stored` says; of anything, where nothing says.
    pub(super) fn view(
        &mut self,
        at: &Pointer,
        stored: Option<&Pointer>,
        names: &[Member],
        depth: usize,
    ) -> Option<View> {
        let (here, _) = self.document.resolve(at)?;
        let place = (self.shown.map(|own| own.at.clone()), here, stored.cloned());
        if let Some(view) = self.views.get(&place) {
            return Some(view.clone());
        }
        let known = stored.map(|stored| properties(self.document, stored)).unwrap_or_default();
        let mut parts = Vec::new();
        for property in properties(self.document, at) {
            if let Some(part) = self.part(&property, &known, names, depth.checked_sub(1)?) {
                parts.push((property.name, part));
            }
        }
        let computes = |part: &Part| match part {
            Part::Filled(node) => !matches!(node, Node::Constant(_)),
            Part::Kept { form, .. } => names.iter().any(|name| form.speaks_of(&name.name)),
        };
        let computes = parts.iter().any(|(_, part)| computes(part));
        let spoken_of = names.iter().filter(|_| computes).map(|name| name.name.clone()).collect();
        let view = View { parts, named: spoken_of };
        self.views.insert(place, view.clone());
        Some(view)
    }

    /// What fills a property in: an expression, or one of the `known` members that are stored. Nothing shows what is only
    /// written.
    fn part(&mut self, shown: &Property, known: &[Property], names: &[Member], depth: usize) -> Option<Part> {
        if said(self.document, &shown.at, "writeOnly") == Some(&Value::Bool(true)) {
            return None;
        }
        let keys = self.outline.schema(self.document, &shown.at);
        let (here, schema) = self.document.resolve(&shown.at)?;
        let kept = known.iter().find(|known| known.name == shown.name);
        // The value of the record's own member is the record's.
        let word = |at: &Pointer| self.outline.word(self.document, at, "value");
        let is_records = kept.is_some_and(|kept| word(&kept.at) == word(&shown.at));
        if (keys.value.is_some() && !is_records) || schema.get("const").is_some() {
            return self.node(&shown.at, names, depth).map(Part::Filled);
        }
        match (kept, self.shown) {
            (None, Some(own)) if here == own.at => {
                return self.view(&here, Some(&here), names, depth).map(|view| Part::Filled(Node::Row(view)));
            }
            (None, Some(own)) if !known.is_empty() && own.is_closed => {
                let problem = format!("nothing fills this in: `{}` has no member `{}`", own.name, shown.name);
                let problem = Diagnostic::at(self.document.key_place(&shown.at), problem);
                self.findings.report(problem.did_you_mean(&shown.name, known.iter().map(|known| known.name.as_str())));
                return None;
            }
            _ => {}
        }
        if let Some(kept) = kept.filter(|kept| kept.at != shown.at) {
            self.check_type(shown, kept);
        }
        let form = self.form(&shown.at, kept.map(|kept| &kept.at), names, depth);
        Some(Part::Kept { form, or_null: is_nullable(self.document, &shown.at) })
    }

    /// What is stored has to be what the answer promises.
    fn check_type(&mut self, shown: &Property, kept: &Property) {
        let (wanted, found) = (Type::of_schema(self.document, &shown.at), Type::of_schema(self.document, &kept.at));
        if !found.unwrapped().fits(wanted.unwrapped()) {
            let problem = format!("expected {wanted}, and the record's `{}` is {found}", shown.name);
            let problem = Diagnostic::at(self.document.key_place(&shown.at), problem);
            self.findings.report(problem.related(self.document.key_place(&kept.at), "the record's"));
        }
    }

    fn form(&mut self, at: &Pointer, stored: Option<&Pointer>, names: &[Member], depth: usize) -> Form {
        let Some((here, schema)) = self.present(at, depth) else { return Form::AsItIs };
        let stored = stored.and_then(|stored| self.present(stored, depth)).map(|(stored, _)| stored);
        if schema.get("items").is_some() {
            let items = stored.map(|stored| stored.member("items"));
            let items = items.filter(|items| self.document.get(items).is_some());
            return match self.form(&here.member("items"), items.as_ref(), names, depth - 1) {
                Form::AsItIs => Form::AsItIs,
                form => Form::Each(Box::new(form)),
            };
        }
        if properties(self.document, &here).is_empty() {
            return Form::AsItIs;
        }
        self.view(&here, stored.as_ref(), names, depth).map_or(Form::AsItIs, Form::Object)
    }

    /// The schema of a value that is there: where `null` is the only alternative, the other one.
    fn present(&self, at: &Pointer, depth: usize) -> Option<(Pointer, &Value)> {
        let (here, schema) = self.document.resolve(at).filter(|_| depth > 0)?;
        for word in ["anyOf", "oneOf"] {
            let branches = schema.get(word).and_then(Value::as_array).map_or(0, Vec::len);
            let branches = (0..branches).map(|nth| here.member(word).item(nth));
            let is_null = |at: &Pointer| self.document.resolve(at).is_some_and(|(_, of)| type_names(of) == ["null"]);
            if let [only] = branches.filter(|at| !is_null(at)).collect::<Vec<_>>().as_slice() {
                return self.present(only, depth - 1);
            }
        }
        Some((here, schema))
    }
}
