//! Turns the parameters of an operation, and its `where`, into a [`Selection`]: which records it sees, and in which
//! order it may list them.

use serde_json::Value;

use super::Operations;
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::{Filter, Location, RecordTypeId, Selection, Sort, SortWord, VALUE, scope};
use crate::json::{Json, Pointer};
use crate::language::diagnostic::closest;
use crate::language::keys::{self, Cast, Role};
use crate::language::schema::type_names;
use crate::language::{Diagnostic, EXTENSION};

/// Deepest nesting of a parameter's default.
const DEFAULT_DEPTH_MAX: u32 = 4;

impl Operations<'_, '_, '_> {
    /// What the parameters of an operation choose among records of this type. Without logic of the partner's own, every
    /// parameter in the path or the query has to choose something.
    pub(super) fn selection(&mut self, outline: &OperationOutline, of: RecordTypeId) -> Selection {
        let own = self.records.read_members(of);
        let around = self.records.stored_around();
        let word = outline.at.member(EXTENSION).member("where");
        let only = outline.keys.only.as_ref().and_then(|source| self.choice(&word, source, &own, &around));
        let mut selection = Selection { of, only, ..Selection::default() };
        for at in self.declared_parameters(outline) {
            let keys = self.outline.parameters.get(&at).cloned().unwrap_or_default();
            match keys.role {
                Some(Role::Sort) => selection.sort = self.sort(&at, of),
                Some(_) => {}
                None => selection.filters.extend(self.filter(outline, &at, &keys, of, &own)),
            }
        }
        selection
    }

    fn filter(
        &mut self,
        outline: &OperationOutline,
        at: &Pointer,
        keys: &keys::Parameter,
        of: RecordTypeId,
        own: &[Member],
    ) -> Option<Filter> {
        let word = |word: &str| self.document.get(&at.member(word)).and_then(Value::as_str);
        let parameter = word("name")?.to_owned();
        let location = match word("in") {
            Some("path") => Location::Path,
            Some("query") => Location::Query,
            _ => return None,
        };
        let value = self.value_type(at, keys.cast);
        let condition = match &keys.only {
            Some(source) => {
                let mut around = self.records.stored_around();
                around.push(Member::required(VALUE, value));
                self.choice(&at.member(EXTENSION).member("where"), source, own, &around)?
            }
            None => self.by_name(outline, at, &parameter, of, &value, own)?,
        };
        let default = self.document.resolve(&at.member("schema")).and_then(|(_, schema)| schema.get("default"));
        let default = default.and_then(|default| cast_of(default, keys.cast));
        Some(Filter { parameter, location, condition, default })
    }

    /// A parameter without a condition of its own compares the member of its name.
    fn by_name(
        &mut self,
        outline: &OperationOutline,
        at: &Pointer,
        name: &str,
        of: RecordTypeId,
        value: &Type,
        own: &[Member],
    ) -> Option<Expression> {
        let place = self.document.place(&at.member("name"));
        let Some(member) = own.iter().find(|member| member.name == name) else {
            let is_condition = self.outline.parameters.get(at).is_some_and(|keys| keys.must.is_some());
            if outline.keys.call.is_none() && !is_condition {
                let problem = format!("`{}` has no member `{name}` to compare this with", self.records.name(of));
                let problem = Diagnostic::at(place, problem);
                let close = closest(name, own.iter().map(|member| member.name.as_str()));
                self.report(match close {
                    Some(close) => problem.hint(format!("did you mean `{close}`?")),
                    None => problem.hint("say what it chooses: `x-rollcall: {where: …}`"),
                });
            }
            return None;
        };
        let condition = Expression::chosen(member, value.clone());
        if condition.is_none() {
            let of = self.records.name(of);
            let problem = match (member.of.unwrapped(), value) {
                (Type::List(held), Type::List(sent)) => {
                    format!("`{name}` of `{of}` is made of {held}, and this of {sent}")
                }
                _ => format!("`{name}` of `{of}` is {}, and this is {value}", member.of),
            };
            self.report(Diagnostic::at(place, problem).hint("`cast` turns what is sent into another type"));
        }
        condition
    }

    /// A condition that chooses records; true or false.
    fn choice(&mut self, at: &Pointer, source: &str, own: &[Member], around: &[Member]) -> Option<Expression> {
        let condition = scope::compile_stored(self.document, at, source, own, around, self.findings)?;
        if !condition.is_condition() {
            let problem = format!("a condition is true or false, this is {}", condition.of());
            self.report(Diagnostic::at(self.document.place(at), problem));
        }
        Some(condition)
    }

    /// What `value` is in the conditions of the parameter at `at`.
    pub(super) fn value_type(&self, at: &Pointer, cast: Option<Cast>) -> Type {
        let sent = Type::of_schema(self.document, &at.member("schema"));
        let one = match cast {
            None => return sent,
            Some(Cast::Boolean) => Type::Boolean,
            Some(Cast::Integer) => Type::Integer,
            Some(Cast::Decimal | Cast::String | Cast::Instant) => Type::Text,
        };
        if matches!(sent, Type::List(_)) { Type::List(Box::new(one)) } else { one }
    }

    /// What the sort parameter at `at` may say: `field`, `field:asc`, `field:desc`.
    fn sort(&mut self, at: &Pointer, of: RecordTypeId) -> Option<Sort> {
        let parameter = self.document.get(&at.member("name")).and_then(Value::as_str)?.to_owned();
        let (schema_at, schema) = self.document.resolve(&at.member("schema"))?;
        let items = schema.get("items").map(|_| schema_at.member("items"));
        let (words_at, schema) = items.and_then(|items| self.document.resolve(&items)).unwrap_or((schema_at, schema));
        let declared = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if declared.is_empty() {
            let problem = Diagnostic::at(self.document.key_place(&words_at), "this does not say what can be sorted by");
            self.report(problem.hint("add `enum: [name, 'name:desc']`"));
        }
        let members = self.records.read_members(of);
        let mut words: Vec<SortWord> = Vec::new();
        for (nth, word) in declared.iter().enumerate() {
            let place = self.document.place(&words_at.member("enum").item(nth));
            let Some(word) = word.as_str() else { continue };
            let (member, descending) = match word.split_once(':') {
                None | Some((_, "asc")) => (word.split(':').next().unwrap_or(word), false),
                Some((member, "desc")) => (member, true),
                Some((_, order)) => {
                    let problem = Diagnostic::at(place, format!("there is no order `{order}`"));
                    self.report(problem.hint("a word is a member, perhaps with `:asc` or `:desc`"));
                    continue;
                }
            };
            match members.iter().find(|found| found.name == member) {
                None => {
                    let problem = format!("`{}` has no member `{member}` to sort by", self.records.name(of));
                    let known = members.iter().map(|member| member.name.as_str());
                    self.report(Diagnostic::at(place, problem).did_you_mean(member, known));
                    continue;
                }
                Some(found) if !is_ordered(&found.of) => {
                    self.report(Diagnostic::at(place, format!("{} has no order", found.of)));
                    continue;
                }
                Some(_) => {}
            }
            let spelled = |word: &str| SortWord { word: word.to_owned(), member: member.to_owned(), descending };
            // Where a list can be sorted upwards, the bare member says so as well.
            for word in [Some(word), (!descending).then_some(member)].into_iter().flatten() {
                if !words.iter().any(|known| known.word == word) {
                    words.push(spelled(word));
                }
            }
        }
        Some(Sort { parameter, words })
    }

    /// Whether the schema at `at` describes a list.
    pub(super) fn is_list(&self, at: &Pointer) -> bool {
        self.document.resolve(at).is_some_and(|(_, schema)| type_names(schema).contains(&"array"))
    }
}

/// What a default is once it is cast.
fn cast_of(default: &Value, cast: Option<Cast>) -> Option<Value> {
    let Some(cast) = cast else { return Some(default.clone()) };
    let text = default.to_string();
    cast.apply(&Json::parse(text.as_bytes(), DEFAULT_DEPTH_MAX).ok()?)
}

/// Whether values of this type stand in an order.
fn is_ordered(of: &Type) -> bool {
    matches!(of.unwrapped(), Type::Boolean | Type::Integer | Type::Number | Type::Text | Type::Any)
}
