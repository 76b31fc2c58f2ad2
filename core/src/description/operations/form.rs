//! Turns the schema of a request about one record into a [`Form`]: what each member of the body becomes.

use serde_json::Value;

use super::Operations;
use crate::description::expression::Type;
use crate::description::{Form, FormField, RecordTypeId, Write};
use crate::json::Pointer;
use crate::language::diagnostic::closest;
use crate::language::keys::{self, Cast, Role};
use crate::language::schema::{Property, is_read_only, properties, property, type_names};
use crate::language::{Diagnostic, EXTENSION};

/// How deep requests are looked into.
const DEPTH_MAX: usize = 8;

/// What a body is written into.
struct Target<'t> {
    /// The record type.
    of: RecordTypeId,
    /// Where the schema of the record stands, or that of an object or an item in it.
    at: &'t Pointer,
    /// Whether the partner's own logic takes what is not kept.
    takes_arguments: bool,
}

impl Operations<'_, '_, '_> {
    /// What the body that is described at `at` becomes of a record of this type.
    pub(super) fn form(&mut self, at: &Pointer, of: RecordTypeId, call: Option<&str>) -> Form {
        let record = self.records.place_of(of).clone();
        let target = Target { of, at: &record, takes_arguments: call.is_some() };
        self.form_of(at, &target, DEPTH_MAX)
    }

    fn form_of(&mut self, at: &Pointer, target: &Target<'_>, depth: usize) -> Form {
        let mut form = Form::default();
        for sent in properties(self.document, at) {
            let field = self.field(&sent, target, depth);
            let twice = field.as_ref().and_then(|field| {
                let others = form.fields.iter().filter(|other| !matches!(other.write, Write::Argument));
                others.into_iter().find(|other| other.kept == field.kept && !matches!(field.write, Write::Argument))
            });
            if let Some(other) = twice {
                let problem = format!("`{}` and `{}` are written to the same member", other.sent, sent.name);
                self.report(Diagnostic::at(self.document.key_place(&sent.at), problem));
            }
            form.fields.extend(field);
        }
        form
    }

    fn field(&mut self, sent: &Property, target: &Target<'_>, depth: usize) -> Option<FormField> {
        let keys = self.outline.schema(self.document, &sent.at);
        let word = |word: &str| self.outline.word(self.document, &sent.at, word);
        let is_read_only = is_read_only(self.document, &sent.at);
        for (name, used) in [("as", keys.written.is_some()), ("cast", keys.cast.is_some())] {
            if used {
                self.findings.understand(word(name));
            }
        }
        if keys.role == Some(Role::Remove) {
            return None; // said by the list around
        }
        let name = keys.written.clone().unwrap_or_else(|| sent.name.clone());
        let argument =
            || FormField { sent: sent.name.clone(), kept: sent.name.clone(), cast: keys.cast, write: Write::Argument };
        let Some(kept) = property(self.document, target.at, &name) else {
            if is_read_only {
                return None;
            }
            if target.takes_arguments && keys.written.is_none() {
                return Some(argument());
            }
            self.refuse_unknown(sent, &name, &keys, target);
            return None;
        };
        if self.is_servers(&kept) {
            if target.takes_arguments && !is_read_only && keys.written.is_none() {
                return Some(argument());
            }
            if !is_read_only {
                let problem = format!("`{name}` is written by the server only");
                let problem = Diagnostic::at(self.document.key_place(&sent.at), problem);
                self.report(problem.related(self.document.key_place(&kept.at), "the record's member"));
            }
            return None;
        }
        if is_read_only {
            return None;
        }
        self.check_fit(sent, &kept, keys.cast);
        let write = self.write(sent, &kept, target, depth);
        Some(FormField { sent: sent.name.clone(), kept: name, cast: keys.cast, write })
    }

    fn refuse_unknown(&mut self, sent: &Property, name: &str, keys: &keys::Schema, target: &Target<'_>) {
        let place = match &keys.written {
            Some(_) => self.document.place(&self.outline.word(self.document, &sent.at, "as")),
            None => self.document.key_place(&sent.at),
        };
        let problem =
            format!("`{}` has no member `{name}` that this could be written to", self.records.name(target.of));
        let known = properties(self.document, target.at);
        let problem = Diagnostic::at(place, problem);
        let close = closest(name, known.iter().map(|known| known.name.as_str()));
        self.report(match close {
            Some(close) => problem.hint(format!("did you mean `{close}`?")),
            None => problem.hint("`as` names the member; what is not kept is for a `call`"),
        });
    }

    /// Whether no client writes a member of a record: it is `readOnly`, or computed whenever it is read.
    fn is_servers(&self, kept: &Property) -> bool {
        let keys = self.outline.schema(self.document, &kept.at);
        is_read_only(self.document, &kept.at) || (keys.value.is_some() && keys.at.is_none())
    }

    /// What is sent is, once it is cast, of the type that is kept.
    fn check_fit(&mut self, sent: &Property, kept: &Property, cast: Option<Cast>) {
        let kept_type = Type::of_schema(self.document, &kept.at);
        let sent_type = match cast {
            None => Type::of_schema(self.document, &sent.at),
            Some(Cast::Boolean) => Type::Boolean,
            Some(Cast::Integer) => Type::Integer,
            Some(Cast::Decimal | Cast::String | Cast::Instant) => Type::Text,
        };
        let scalar = |of: &Type| matches!(of.unwrapped(), Type::Boolean | Type::Integer | Type::Number | Type::Text);
        let list = |of: &Type| matches!(of.unwrapped(), Type::List(_));
        let item = |of: &Type| if let Type::List(of) = of.unwrapped() { of.as_ref().clone() } else { of.clone() };
        let (one, other) = match cast {
            Some(_) => (sent_type.clone(), item(&kept_type)),
            None => (sent_type.clone(), kept_type.clone()),
        };
        let differ = |one: &Type, other: &Type| {
            let (one, other) = (one.unwrapped(), other.unwrapped());
            let both = scalar(one) && scalar(other) && !one.fits(other) && !other.fits(one);
            both || (scalar(one) && list(other)) || (list(one) && scalar(other))
        };
        if differ(&one, &other) || (cast.is_none() && differ(&item(&one), &item(&other))) {
            let problem = format!("`{}` is {sent_type}, and is kept as {kept_type}", sent.name);
            let problem = Diagnostic::at(self.document.key_place(&sent.at), problem);
            let problem = problem.related(self.document.key_place(&kept.at), "the record's member");
            self.report(problem.hint("`cast` turns what is sent into another type"));
        }
    }

    fn write(&mut self, sent: &Property, kept: &Property, target: &Target<'_>, depth: usize) -> Write {
        let Some(depth) = depth.checked_sub(1) else { return Write::Value };
        let matched = self.outline.schema(self.document, &kept.at).matched;
        if let Some(by) = matched {
            return self.items(sent, kept, by, target, depth);
        }
        let (Some(sent_at), Some(kept_at)) = (self.object(&sent.at), self.object(&kept.at)) else {
            return Write::Value;
        };
        let inner = Target { of: target.of, at: &kept_at, takes_arguments: false };
        Write::Object(self.form_of(&sent_at, &inner, depth))
    }

    /// A list whose items are written one by one.
    fn items(&mut self, sent: &Property, kept: &Property, by: String, target: &Target<'_>, depth: usize) -> Write {
        let (Some(items), Some(kept_items)) = (self.items_of(&sent.at), self.items_of(&kept.at)) else {
            let problem =
                "this is no list of objects, and the items of what it is written to are told apart by a member";
            let problem = Diagnostic::at(self.document.key_place(&sent.at), problem);
            self.report(problem.related(self.document.key_place(&kept.at), "the record's member"));
            return Write::Value;
        };
        let mut remove = None;
        for property in properties(self.document, &items) {
            let keys = self.outline.schema(self.document, &property.at);
            if keys.role == Some(Role::Remove) {
                let word = self.outline.word(self.document, &property.at, "use");
                self.findings.understand(word);
                remove = Some(property.name);
            }
        }
        let inner = Target { of: target.of, at: &kept_items, takes_arguments: false };
        let form = self.form_of_item(&items, &inner, &by, depth);
        Write::Items { by, remove, form }
    }

    /// What an item becomes. The member that tells items apart names one, also where the server counts it.
    fn form_of_item(&mut self, at: &Pointer, target: &Target<'_>, by: &str, depth: usize) -> Form {
        let mut form = Form::default();
        for sent in properties(self.document, at) {
            let kept = property(self.document, target.at, by).filter(|_| sent.name == by);
            if !kept.is_some_and(|kept| self.is_servers(&kept)) {
                let field = self.field(&sent, target, depth);
                form.fields.extend(field);
            }
        }
        form
    }

    /// Where the schema of an object's own members stands, if the schema at `at` describes one that has some.
    fn object(&self, at: &Pointer) -> Option<Pointer> {
        let at = self.alternative(at, &|of| type_names(of).contains(&"object") || of.get("properties").is_some())?;
        (!properties(self.document, &at).is_empty()).then_some(at)
    }

    /// Where the schema of the items stands, if the schema at `at` describes a list of objects.
    fn items_of(&self, at: &Pointer) -> Option<Pointer> {
        let list = self.alternative(at, &|of| type_names(of).contains(&"array") || of.get("items").is_some())?;
        let (items, _) = self.document.resolve(&list.member("items"))?;
        (!properties(self.document, &items).is_empty()).then_some(items)
    }

    /// The schema at `at`, or the first of its alternatives, that is as wanted.
    fn alternative(&self, at: &Pointer, is_wanted: &dyn Fn(&Value) -> bool) -> Option<Pointer> {
        let (here, schema) = self.document.resolve(at)?;
        if is_wanted(schema) {
            return Some(here);
        }
        for word in ["oneOf", "anyOf"] {
            for nth in 0..schema.get(word).and_then(Value::as_array).map_or(0, Vec::len) {
                let (branch, schema) = self.document.resolve(&here.member(word).item(nth))?;
                if is_wanted(schema) {
                    return Some(branch);
                }
            }
        }
        None
    }

    /// By which members an `upsert` finds the record: those of a `unique` rule that the body requires, or its key.
    pub(super) fn found_by(
        &mut self,
        at: &Pointer,
        form: &Form,
        of: RecordTypeId,
        verb: &Pointer,
    ) -> Option<Vec<String>> {
        let required: Vec<_> = properties(self.document, at).into_iter().filter(|property| property.required).collect();
        let is_sent = |member: &String| {
            let mut fields =
                form.fields.iter().filter(|field| field.kept == *member && matches!(field.write, Write::Value));
            fields.any(|field| required.iter().any(|property| property.name == field.sent))
        };
        let record = self.records.place_of(of).clone();
        let keys = self.outline.schema(self.document, &record);
        let rules = keys.rules.iter().flatten().filter_map(|rule| rule.unique.clone());
        let key = keys.key.as_ref().map(|key| key.as_slice().to_vec());
        let found = rules.chain(key).find(|members| !members.is_empty() && members.iter().all(is_sent));
        if found.is_none() {
            let problem = "nothing says which record this is about";
            let problem = Diagnostic::at(self.document.key_place(verb), problem);
            let place = self.document.key_place(&record.member(EXTENSION));
            let problem =
                problem.related(place, "its body would have to require all members of a `unique` rule, or the key");
            self.report(problem);
        }
        found
    }
}
