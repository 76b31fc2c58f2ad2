//! Turns request bodies into [`Body`]s: what they must look like, where their records stand, and what single members
//! of them say.

use serde_json::Value;

use super::{Operations, is_json};
use crate::description::expression::Type;
use crate::description::outline::OperationOutline;
use crate::description::records::{Contents, Marks};
use crate::description::{Body, Media, Must, Paging, PagingPlace, RecordTypeId, Shape};
use crate::json::Pointer;
use crate::language::Diagnostic;
use crate::language::keys::Role;
use crate::language::schema::{properties, type_names};
use crate::validate::{Format, Schema};

/// How deep a body is looked into for members that say something.
const DEPTH_MAX: usize = 8;

/// What a verb does with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Takes records in.
    Records(Marks),
    /// Takes what chooses a part of what it reads.
    Members,
    /// Takes members of one record.
    Form,
    /// Takes what the document's webhooks describe.
    Webhook,
    /// Takes none.
    Nothing,
    /// The verb is not built, or not there.
    Unknown,
}

/// A request body, and what it holds of records.
pub(super) struct BodyWithContents {
    pub(super) body: Option<Body>,
    pub(super) contents: Contents,
}

/// What single members of a body say, outside of records and lists.
struct Members<'m> {
    taken: Taken,
    paging: &'m mut Paging,
    as_of: Option<(String, Vec<Format>)>,
    must: Vec<(Vec<String>, Must)>,
}

impl Taken {
    fn by(verb: Option<&str>) -> Self {
        match verb {
            Some("snapshot") => Self::Records(Marks::Refused),
            Some("merge") => Self::Records(Marks::Taken),
            Some("list" | "get") => Self::Members,
            Some("create" | "update" | "upsert" | "delete") => Self::Form,
            Some("receive") => Self::Webhook,
            Some("clear") => Self::Nothing,
            _ => Self::Unknown,
        }
    }
}

impl Operations<'_, '_, '_> {
    /// The body of an operation with this verb; adds to `paging` what stands in it.
    pub(super) fn body(
        &mut self,
        outline: &OperationOutline,
        verb: Option<&str>,
        paging: &mut Paging,
    ) -> BodyWithContents {
        let taken = Taken::by(verb);
        let none = BodyWithContents { body: None, contents: Contents::default() };
        let declared = outline.at.member("requestBody");
        let declared = if taken == Taken::Webhook { self.webhook_body().unwrap_or(declared) } else { declared };
        let Some((at, body)) = self.document.resolve(&declared) else {
            if matches!(taken, Taken::Records(_)) {
                let place = self.document.key_place(&outline.at);
                let problem = Diagnostic::at(place, "an operation that takes records in needs a body");
                self.report(problem.hint("add a `requestBody`"));
            }
            return none;
        };
        if taken == Taken::Nothing {
            let place = self.document.key_place(&outline.at.member("requestBody"));
            let problem = Diagnostic::at(place, format!("`{}` takes no body", verb.unwrap_or_default()));
            self.report(problem.hint("it removes all records of this type"));
            return none;
        }
        if verb == Some("delete") && outline.keys.call.is_none() {
            let problem = Diagnostic::at(self.document.key_place(&declared), "nothing is done with this body");
            self.report(problem.hint("a `delete` takes one for the partner's own logic only: add a `call`"));
        }
        let required = taken == Taken::Webhook || body.get("required") == Some(&Value::Bool(true));
        if !required && matches!(taken, Taken::Records(_)) {
            let problem = Diagnostic::at(self.document.key_place(&at), "a body that may be absent says nothing");
            self.report(problem.hint("add `required: true`"));
        }
        let (media, contents) = self.content(&at, taken, paging);
        BodyWithContents { body: Some(Body { required, media }), contents }
    }

    /// The forms in which the body at `at` may come.
    fn content(&mut self, at: &Pointer, taken: Taken, paging: &mut Paging) -> (Vec<Media>, Contents) {
        let content = at.member("content");
        let types: Vec<_> = self.document.get(&content).and_then(Value::as_object).into_iter().flatten().collect();
        if types.is_empty() {
            self.report(Diagnostic::at(self.document.key_place(at), "a body has a `content`"));
        }
        let mut media = Vec::new();
        let mut all = Contents::default();
        for (media_type, _) in types {
            let at = content.member(media_type);
            if !is_json(media_type) {
                let place = self.document.key_place(&at);
                self.report(Diagnostic::at(place, format!("not supported yet: bodies of type `{media_type}`")));
                continue;
            }
            let at = at.member("schema");
            if self.document.get(&at).is_none() {
                self.report(Diagnostic::at(self.document.key_place(&at), "a body has a `schema`"));
                continue;
            }
            let contents = match taken {
                Taken::Records(marks) => self.records.contents(&at, marks, self.findings),
                // What is sent of one record is described anew, or by the record's own schema: that holds no others.
                Taken::Form | Taken::Webhook => Contents::default(),
                Taken::Members | Taken::Nothing | Taken::Unknown => {
                    self.records.contents(&at, Marks::Refused, self.findings)
                }
            };
            if taken == Taken::Members {
                self.check_reading_body(&at, &contents);
            }
            let mut members = Members { taken, paging, as_of: None, must: Vec::new() };
            self.members(&at, &mut Vec::new(), &mut members);
            let Members { as_of, must, .. } = members;
            media.extend(self.media(media_type, &at, &contents, as_of, must));
            all.add(contents);
        }
        (media, all)
    }

    /// Where the schema of an operation's body stands; of the first of its forms.
    pub(super) fn body_schema(&self, outline: &OperationOutline) -> Option<Pointer> {
        let (at, body) = self.document.resolve(&outline.at.member("requestBody"))?;
        let (media_type, _) = body.get("content")?.as_object()?.iter().next()?;
        Some(at.member("content").member(media_type).member("schema"))
    }

    /// Where the body of what is told to subscribers is declared.
    fn webhook_body(&self) -> Option<Pointer> {
        let mut webhooks: Vec<_> = self.outline.webhooks.keys().collect();
        webhooks.sort();
        webhooks.first().map(|at| at.member("requestBody"))
    }

    fn media(
        &mut self,
        media_type: &str,
        at: &Pointer,
        contents: &Contents,
        as_of: Option<(String, Vec<Format>)>,
        must: Vec<(Vec<String>, Must)>,
    ) -> Option<Media> {
        let nested = |id: &RecordTypeId| self.records.is_nested(*id);
        let one_by_one = !contents.reached.is_empty() && !contents.reached.iter().any(nested);
        let open = contents.reached.iter().map(|id| self.records.place_of(*id).as_str());
        let open: Vec<_> = if one_by_one { open.collect() } else { Vec::new() };
        let schema = if open.is_empty() {
            self.schemas.compile(at.as_str())
        } else {
            Schema::compile_around(self.document.root(), at.as_str(), &open)
        };
        let schema = self.compiled(at, schema)?;
        let (media_type, shape) = (media_type.to_ascii_lowercase(), contents.shape.clone());
        let sparse = self.sparse(at, &shape, one_by_one, &must);
        Some(Media { media_type, schema, one_by_one, shape, as_of, must, sparse })
    }

    /// What an operation that reads is sent: an object, without records.
    fn check_reading_body(&mut self, at: &Pointer, contents: &Contents) {
        let is_object = self.document.resolve(at).is_some_and(|(_, schema)| type_names(schema) == ["object"]);
        if !is_object {
            let problem = Diagnostic::at(self.document.key_place(at), "what chooses a part of a list is an object");
            self.report(problem.hint("add `type: object`"));
        }
        if contents.shape != Shape::Plain {
            let place = self.document.key_place(at);
            self.report(Diagnostic::at(place, "an operation that reads takes no records in"));
        }
    }

    /// Reads what the members of the object at `at` say, to which `way` leads; records and lists are left alone.
    fn members(&mut self, at: &Pointer, way: &mut Vec<String>, members: &mut Members<'_>) {
        if self.records.is_record(at) || way.len() > DEPTH_MAX {
            return;
        }
        for property in properties(self.document, at) {
            way.push(property.name);
            self.member(&property.at, way, members);
            self.members(&property.at, way, members);
            way.pop();
        }
        let Some((at, schema)) = self.document.resolve(at) else { return };
        for nth in 0..schema.get("oneOf").and_then(Value::as_array).map_or(0, Vec::len) {
            self.members(&at.member("oneOf").item(nth), way, members);
        }
    }

    fn member(&mut self, at: &Pointer, way: &[String], members: &mut Members<'_>) {
        let keys = self.outline.schema(self.document, at);
        if keys.must.is_some() && !self.records.is_record(at) {
            let word = self.outline.word(self.document, at, "must");
            let value = Type::of_schema(self.document, at);
            let conditions = self.value_conditions(&word, keys.must.as_ref(), value);
            members.must.extend(conditions.into_iter().map(|must| (way.to_vec(), must)));
            self.findings.understand(word);
        }
        let ([name], Some(role)) = (way, keys.role) else { return };
        let word = self.outline.word(self.document, at, "use");
        match (role, members.taken) {
            (Role::AsOf, Taken::Records(Marks::Taken)) => {
                let formats = self.formats(at, &word);
                members.as_of = Some((name.clone(), formats));
                self.findings.understand(word);
            }
            (Role::AsOf | Role::Change, _) => {}
            (_, Taken::Members) => {
                self.paging_field(members.paging, role, PagingPlace::Body(name.clone()), at, &word);
            }
            _ => {}
        }
    }

    /// The formats of an instant.
    fn formats(&mut self, at: &Pointer, word: &Pointer) -> Vec<Format> {
        let Some((_, schema)) = self.document.resolve(at) else { return Vec::new() };
        let several = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let names = std::iter::once(schema).chain(several).filter_map(|schema| schema.get("format")?.as_str());
        let formats: Vec<_> = names.filter_map(Format::named).filter(Format::tells_instants).collect();
        if formats.is_empty() {
            let problem = Diagnostic::at(self.document.key_place(word), "this does not say how it spells an instant");
            self.report(problem.hint("add a `format` with a date, or `anyOf` several"));
        }
        formats
    }
}

impl Contents {
    /// What another form of the same body holds, too.
    fn add(&mut self, other: Self) {
        let lists = [(&mut self.outermost, other.outermost), (&mut self.reached, other.reached)];
        for (all, added) in lists {
            let new: Vec<_> = added.into_iter().filter(|id| !all.contains(id)).collect();
            all.extend(new);
        }
    }
}
