//! Turns a place in a payload into the part of a description that speaks of it: for people who want to see what they were
//! measured by.

use serde_json::Value;

use super::source::Document;
use crate::json::Pointer;

/// How deep schemas that include others are followed: they may include themselves.
const DEPTH_MAX: usize = 16;

/// The schemas that another one is made of.
const MADE_OF: [&str; 3] = ["allOf", "oneOf", "anyOf"];

/// The part of a description that speaks of a place in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Where it stands.
    pub at: Pointer,
    /// The names of the schemas that the way there leads through, the outermost first.
    pub through: Vec<String>,
    /// Whether it speaks of the very place, or only of what is around it.
    pub is_whole: bool,
}

/// Where the schema of the body of the operation called `id` stands; of the first of its forms.
pub fn body_schema(document: &Document, id: &str) -> Option<Pointer> {
    let paths = Pointer::root().member("paths");
    let all = document.get(&paths)?.as_object()?;
    let operation = all.keys().find_map(|path| {
        let (item, operations) = document.resolve(&paths.member(path))?;
        let mut operations = operations.as_object()?.iter();
        let is_meant = |(_, operation): &(&String, &Value)| operation.get("operationId").is_some_and(|own| own == id);
        operations.find(is_meant).map(|(method, _)| item.member(method))
    })?;
    let (body, declared) = document.resolve(&operation.member("requestBody"))?;
    let (media_type, _) = declared.get("content")?.as_object()?.iter().next()?;
    Some(body.member("content").member(media_type).member("schema"))
}

/// Where the schema called `name` stands.
pub fn named_schema(document: &Document, name: &str) -> Option<Pointer> {
    let at = Pointer::root().member("components").member("schemas").member(name);
    document.get(&at).map(|_| at)
}

/// What the schema at `at`, which describes a whole payload, says of `place` in it.
pub fn described(document: &Document, at: &Pointer, place: &Pointer) -> Option<Described> {
    let (mut at, _) = document.resolve(at)?;
    let mut through: Vec<_> = name(&at).into_iter().collect();
    let mut is_whole = true;
    for step in place.steps() {
        let Some(next) = below(document, &at, &step, DEPTH_MAX) else {
            is_whole = false;
            break;
        };
        through.extend(name(&next));
        at = next;
    }
    Some(Described { at, through, is_whole })
}

/// The schema, references followed, of the member or item that a step leads to.
fn below(document: &Document, at: &Pointer, step: &str, depth: usize) -> Option<Pointer> {
    let (at, schema) = document.resolve(at).filter(|_| depth > 0)?;
    let is_schema = |at: &Pointer| document.resolve(at).filter(|(_, schema)| schema.is_object()).map(|(at, _)| at);
    let own = is_schema(&at.member("properties").member(step));
    let item = || {
        let nth = step.parse::<usize>().ok()?;
        is_schema(&at.member("prefixItems").item(nth)).or_else(|| is_schema(&at.member("items")))
    };
    let included = || {
        let each = MADE_OF.iter().flat_map(|word| {
            let several = schema.get(*word).and_then(Value::as_array).map_or(0, Vec::len);
            let at = at.member(word);
            (0..several).map(move |nth| at.item(nth))
        });
        each.into_iter().find_map(|at| below(document, &at, step, depth - 1))
    };
    own.or_else(item).or_else(included).or_else(|| is_schema(&at.member("additionalProperties")))
}

/// What a schema that others refer to is called.
fn name(at: &Pointer) -> Option<String> {
    let steps: Vec<_> = at.steps().collect();
    match steps.as_slice() {
        [components, schemas, name] if components == "components" && schemas == "schemas" => {
            Some(name.clone().into_owned())
        }
        [files, _, .., name] if files == super::source::FILES => Some(name.clone().into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{body_schema, described, named_schema};
    use crate::json::Pointer;
    use crate::language::{Document, Files, Folder};

    const LIBRARY: &str = r"
openapi: 3.1.0
paths:
  /loans:
    post:
      operationId: putLoans
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Loans'}}}}
components:
  schemas:
    Loans:
      type: object
      properties:
        loans: {type: array, items: {$ref: '#/components/schemas/Loan'}}
        more: {type: object, additionalProperties: {type: integer}}
    Loan:
      allOf:
        - properties: {id: {type: integer}}
        - oneOf:
            - properties: {book: {type: string}}
            - properties: {disc: {type: string}}
";

    #[test]
    fn each_place_of_a_payload_leads_to_what_is_said_of_it() {
        let by_name = BTreeMap::from([("library.yaml".to_owned(), LIBRARY.as_bytes().to_vec())]);
        let files = Files { called: "library".into(), by_name };
        let document = Document::read_in(Folder::Memory(&files), "library.yaml", &mut Vec::new()).unwrap();
        let at = body_schema(&document, "putLoans").unwrap();
        let loan = "/components/schemas/Loan";
        assert_eq!(named_schema(&document, "Loan"), Some(Pointer::from(loan)));
        let table = [
            ("", "/components/schemas/Loans".to_owned(), "Loans", true),
            ("/loans/3", loan.to_owned(), "Loans Loan", true),
            ("/loans/3/id", format!("{loan}/allOf/0/properties/id"), "Loans Loan", true),
            ("/loans/3/disc", format!("{loan}/allOf/1/oneOf/1/properties/disc"), "Loans Loan", true),
            ("/loans/3/tape", loan.to_owned(), "Loans Loan", false),
            ("/more/x", "/components/schemas/Loans/properties/more/additionalProperties".to_owned(), "Loans", true),
        ];
        for (place, wanted, through, is_whole) in table {
            let found = described(&document, &at, &Pointer::from(place)).unwrap();
            assert_eq!(
                (found.at.as_str(), found.through.join(" ").as_str(), found.is_whole),
                (wanted.as_str(), through, is_whole),
                "{place}"
            );
        }
        assert_eq!(body_schema(&document, "getLoans"), None);
    }
}
