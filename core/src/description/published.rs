//! Turns a document into the one that clients read: plain OpenAPI, in one piece, as documentation pages, fuzzers and
//! generators of clients take it. Our own words are gone, what they stand for is spelled out, and files beside the first
//! one are components like any others. What no operation leads to is left out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::outline::METHODS;
use crate::json::Pointer;
use crate::language::source::{FILES, reference};
use crate::language::{Document, EXTENSION, words};

/// The document as clients read it. `servers` is for whoever knows the address.
pub(super) fn published(document: &Document) -> Value {
    let mut publisher = Publisher { document, names: BTreeMap::new(), taken: BTreeSet::new(), left: Vec::new() };
    let mut written = Map::new();
    for (word, value) in document.root().as_object().into_iter().flatten() {
        let here = Pointer::root().member(word);
        match word.as_str() {
            EXTENSION | FILES | "components" | "servers" => {}
            "paths" | "webhooks" => {
                let items = value.as_object().into_iter().flatten();
                let items = items.map(|(name, _)| (name.clone(), publisher.path_item(&here.member(name))));
                written.insert(word.clone(), Value::Object(items.collect()));
            }
            _ => {
                written.insert(word.clone(), value.clone());
            }
        }
    }
    let components = publisher.components();
    written.insert("components".to_owned(), components);
    Value::Object(written)
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Schema,
    Parameter,
    Body,
    Response,
    Header,
}

impl Kind {
    /// Where components of this kind stand.
    fn word(self) -> &'static str {
        match self {
            Self::Schema => "schemas",
            Self::Parameter => "parameters",
            Self::Body => "requestBodies",
            Self::Response => "responses",
            Self::Header => "headers",
        }
    }
}

struct Publisher<'d> {
    document: &'d Document,
    /// What is referred to, by where it stands, and what it is called.
    names: BTreeMap<(Kind, Pointer), String>,
    taken: BTreeSet<(Kind, String)>,
    /// What is referred to and not written yet.
    left: Vec<(Kind, Pointer, String)>,
}

impl Publisher<'_> {
    /// All that is referred to, from where anything is.
    fn components(&mut self) -> Value {
        let mut components: BTreeMap<Kind, BTreeMap<String, Value>> = BTreeMap::new();
        while let Some((kind, at, name)) = self.left.pop() {
            let component = self.of_kind(kind, &at);
            components.entry(kind).or_default().insert(name, component);
        }
        let mut all: Map<_, _> = components.into_iter().map(|(kind, of)| (kind.word().to_owned(), json!(of))).collect();
        let schemes = Pointer::root().member("components").member("securitySchemes");
        if let Some(schemes) = self.document.get(&schemes) {
            all.insert("securitySchemes".to_owned(), schemes.clone());
        }
        Value::Object(all)
    }

    fn of_kind(&mut self, kind: Kind, at: &Pointer) -> Value {
        let Some(Value::Object(members)) = self.document.get(at) else {
            return self.document.get(at).cloned().unwrap_or_default();
        };
        let target = self.document.get(at).and_then(reference);
        let mut written = Map::new();
        if let Some(target) = target {
            let name = self.name(kind, target);
            written.insert("$ref".to_owned(), format!("#/components/{}/{name}", kind.word()).into());
        }
        for (word, value) in members {
            let here = at.member(word);
            let value = match (kind, word.as_str()) {
                (_, EXTENSION | "$ref") => continue,
                (Kind::Schema, word) => self.word_of_schema(word, &here, value),
                (Kind::Parameter | Kind::Header, "schema") => self.of_kind(Kind::Schema, &here),
                (Kind::Body | Kind::Response, "content") => self.content(&here, value),
                (Kind::Response, "headers") => self.each(Kind::Header, &here, value),
                _ => value.clone(),
            };
            written.insert(word.clone(), value);
        }
        Value::Object(written)
    }

    fn word_of_schema(&mut self, word: &str, at: &Pointer, value: &Value) -> Value {
        match word {
            word if words::ONE.contains(&word) => self.of_kind(Kind::Schema, at),
            word if words::LISTS.contains(&word) || words::NAMED.contains(&word) => self.each(Kind::Schema, at, value),
            _ => value.clone(),
        }
    }

    /// Every item or member of what is at `at`.
    fn each(&mut self, kind: Kind, at: &Pointer, value: &Value) -> Value {
        match value {
            Value::Array(items) => (0..items.len()).map(|nth| self.of_kind(kind, &at.item(nth))).collect(),
            Value::Object(members) => {
                let members = members.keys().map(|name| (name.clone(), self.of_kind(kind, &at.member(name))));
                Value::Object(members.collect())
            }
            value => value.clone(),
        }
    }

    fn content(&mut self, at: &Pointer, value: &Value) -> Value {
        let media = value.as_object().into_iter().flatten().map(|(media_type, value)| {
            let mut media = value.as_object().cloned().unwrap_or_default();
            if let Some(schema) = media.get_mut("schema") {
                *schema = self.of_kind(Kind::Schema, &at.member(media_type).member("schema"));
            }
            (media_type.clone(), Value::Object(media))
        });
        Value::Object(media.collect())
    }

    /// A path with its operations; what it refers to stands in its place.
    fn path_item(&mut self, at: &Pointer) -> Value {
        let Some((here, Value::Object(members))) = self.document.resolve(at) else { return json!({}) };
        let mut item = Map::new();
        for (word, value) in members {
            let at = here.member(word);
            match word.as_str() {
                EXTENSION => {}
                "parameters" => {
                    item.insert(word.clone(), self.each(Kind::Parameter, &at, value));
                }
                word if METHODS.contains(&word) => self.operations(&at, word, value, members, &mut item),
                _ => {
                    item.insert(word.clone(), value.clone());
                }
            }
        }
        Value::Object(item)
    }

    /// An operation, and the same under the other methods that it names.
    fn operations(
        &mut self,
        at: &Pointer,
        method: &str,
        operation: &Value,
        path_item: &Map<String, Value>,
        into: &mut Map<String, Value>,
    ) {
        let mut written = Map::new();
        for (word, value) in operation.as_object().into_iter().flatten() {
            let here = at.member(word);
            let value = match word.as_str() {
                EXTENSION => continue,
                "parameters" => self.each(Kind::Parameter, &here, value),
                "requestBody" => self.of_kind(Kind::Body, &here),
                "responses" => self.each(Kind::Response, &here, value),
                _ => value.clone(),
            };
            written.insert(word.clone(), value);
        }
        if self.has_credential_in_path(at, path_item) {
            written.insert("security".to_owned(), json!([]));
        }
        let others = operation.get(EXTENSION).and_then(|keys| keys.get("also")).and_then(Value::as_array);
        for other in others.into_iter().flatten().filter_map(Value::as_str) {
            let mut same = written.clone();
            if let Some(Value::String(id)) = same.get_mut("operationId") {
                *id = format!("{id}.{other}");
            }
            into.insert(other.to_owned(), Value::Object(same));
        }
        into.insert(method.to_owned(), Value::Object(written));
    }

    /// Whether one of the parameters of an operation is its credential: then it has no other.
    fn has_credential_in_path(&self, at: &Pointer, path_item: &Map<String, Value>) -> bool {
        let lists = [self.document.get(&at.member("parameters")), path_item.get("parameters")];
        let parameters = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
        let mut parameters = parameters.map(|parameter| match reference(parameter) {
            Some(target) => self.document.resolve(&target).map_or(parameter, |(_, found)| found),
            None => parameter,
        });
        parameters
            .any(|parameter| parameter.get(EXTENSION).and_then(|keys| keys.get("use")) == Some(&"credential".into()))
    }

    /// What the component at `at` is called from now on: as it was, unless another one is called so.
    fn name(&mut self, kind: Kind, at: Pointer) -> String {
        if let Some(name) = self.names.get(&(kind, at.clone())) {
            return name.clone();
        }
        let steps: Vec<_> = at.steps().map(std::borrow::Cow::into_owned).collect();
        let plain = |step: &str| -> String {
            let stem = step.strip_suffix(".yaml").unwrap_or(step);
            stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
        };
        let last = plain(steps.last().map_or("", String::as_str));
        let is_component =
            matches!(steps.as_slice(), [components, of, _] if components == "components" && of == kind.word());
        let place = Pointer::root().member("components").member(kind.word());
        let is_anothers = !is_component && self.document.get(&place.member(&last)).is_some();
        let long = || steps.iter().skip(1).map(|step| plain(step)).collect::<Vec<_>>().join("_");
        let numbered = (2..).map(|nth| format!("{last}_{nth}"));
        let candidates = (!is_anothers).then(|| last.clone()).into_iter().chain([long()]).chain(numbered);
        let mut free = candidates.filter(|name| !self.taken.contains(&(kind, name.clone())));
        let name = free.next().unwrap_or_default();
        self.taken.insert((kind, name.clone()));
        self.names.insert((kind, at.clone()), name.clone());
        self.left.push((kind, at, name.clone()));
        name
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::published;
    use crate::language::Document;

    /// The published form of a right description that the golden tests keep.
    fn publish(name: &str) -> Value {
        let path = Path::new("tests/descriptions/valid").join(format!("{name}.yaml"));
        let mut problems = Vec::new();
        let document = Document::read(&path, &mut problems).unwrap();
        assert!(problems.is_empty());
        published(&document)
    }

    /// Every `$ref`, and every word that is ours.
    fn walk(value: &Value, references: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, references)),
            Value::Object(members) => {
                for (name, member) in members {
                    assert!(!name.starts_with("x-rollcall"), "{name}");
                    references.extend(member.as_str().filter(|_| name == "$ref").map(str::to_owned));
                    walk(member, references);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn a_document_is_published_in_one_piece_and_without_our_words() {
        for name in ["plain", "merge", "several-files", "resources", "blank-records", "answers"] {
            let document = publish(name);
            let mut references = Vec::new();
            walk(&document, &mut references);
            for reference in references {
                assert!(reference.starts_with("#/components/"), "{name}: {reference}");
                assert!(document.pointer(&reference[1..]).is_some(), "{name}: {reference}");
            }
        }
    }

    #[test]
    fn what_our_words_stand_for_is_spelled_out() {
        let document = publish("resources");
        let book = &document["paths"]["/books/{code}"];
        assert_eq!(
            (&book["patch"]["operationId"], &book["put"]["operationId"]),
            (&json!("changeBook"), &json!("changeBook.put"))
        );
        assert_eq!(book["put"]["requestBody"], book["patch"]["requestBody"]);
        assert_eq!(document["paths"]["/told/{secret}"]["post"]["security"], json!([]));
        assert_eq!(
            book["parameters"][0],
            json!({"name": "code", "in": "path", "required": true, "schema": {"type": "string"}})
        );
        assert!(document["webhooks"]["event"]["post"]["requestBody"].is_object());
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    }

    #[test]
    fn files_become_components() {
        let document = publish("several-files");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(schemas.contains_key("Room"), "{:?}", schemas.keys().collect::<Vec<_>>());
    }
}
