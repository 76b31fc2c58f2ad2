//! Compares the description of the Eduframe API with what its vendor documents of it: nothing is missing, and nothing is
//! invented but what is listed here, each with its reason.

mod described;
mod documented;
mod fuzz;
mod served;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use described::{Description, Shape};
use documented::{Answer, Field, Fields, Operation, Table};

/// Where the vendor's API lives.
const BASE: &str = "/api/v1";

/// What every operation answers when something is wrong.
const PROBLEMS: [&str; 6] = ["400", "403", "404", "422", "429", "500"];

/// Differences that are meant: what is told of them, or a part of it, and why they are.
const MEANT: [(&str, &str); 13] = [
    ("nobody documents POST /webhooks/{secret}", "what another Eduframe tells has to arrive somewhere"),
    ("get_planned_courses query: nobody documents `min_cost`", "the introduction does: it is its example of a filter"),
    ("get_personal_program_elements query: nobody documents `cursor`", "it is on all other lists that have pages"),
    ("get_current_educator: what is answered", "412 is documented for this operation, beside the others"),
    ("get_invoice_pdf_by_id answer: it is of another form", "it is documented as an object of which nothing is said"),
    ("create_grade body.grade: whether it is required", "the page marks both, and says that one of the two is enough"),
    ("create_grade body.score: whether it is required", "the page marks both, and says that one of the two is enough"),
    ("planning_materials: nobody documents `id`", "nobody could name the item that is to be changed"),
    ("answer.number: it is documented as number", "its sample is an integer, and it is counted"),
    ("get_planning_materials_of_", "nobody could name the item that is to be changed"),
    ("create_course body.course_tab_contents_attributes: nobody documents `id`", "it is documented for new programs"),
    ("update_catalog_product_by_id body.course_tab_contents_attributes", "an item without `id` is a new one"),
    ("update_program_by_id body.course_tab_contents_attributes.id", "an item without `id` is a new one"),
];

#[test]
fn the_description_is_what_the_vendor_documents() {
    let differences = differences(&Table::read(), &Description::read());
    let is_meant = |difference: &&String| MEANT.iter().any(|(meant, _)| difference.contains(meant));
    let others: Vec<_> = differences.iter().filter(|difference| !is_meant(difference)).map(String::as_str).collect();
    assert!(others.is_empty(), "{} differences:\n{}", others.len(), others.join("\n"));
    for (meant, _) in MEANT {
        let is_met = differences.iter().any(|difference| difference.contains(meant));
        assert!(is_met, "there is no difference {meant} any more");
    }
}

#[test]
fn what_is_missing_or_invented_is_noticed() {
    let mut table = Table::read();
    assert_eq!((table.operations.len(), table.schemas.len()), (174, 61));
    let fields = table.schemas.get_mut("Account").unwrap();
    let field = fields.remove("phone").unwrap();
    fields.insert("telephone".to_owned(), field);
    table.operations.retain(|operation| operation.path != "/courses");
    let noticed = differences(&table, &Description::read());
    for notice in ["get_accounts answer: nobody documents `phone`", "get_accounts answer: `telephone` is missing"] {
        assert!(noticed.iter().any(|difference| difference == notice), "{notice}");
    }
    assert!(noticed.iter().any(|difference| difference == "nobody documents GET /api/v1/courses"));
}

/// All that is not as documented.
fn differences(table: &Table, description: &Description) -> Vec<String> {
    let mut found = Differences { table, description, found: Vec::new() };
    let described = description.operations();
    let mut documented = BTreeSet::new();
    for operation in &table.operations {
        for method in &operation.methods {
            let path = format!("{BASE}{}", operation.path);
            match described.iter().find(|other| other.method == *method && other.path == path) {
                Some(other) => found.operation(operation, other),
                None => found.note(&format!("{method} {path}"), "it is missing"),
            }
            documented.insert((method.clone(), path));
        }
    }
    for operation in &described {
        if !documented.contains(&(operation.method.clone(), operation.path.clone())) {
            found.found.push(format!("nobody documents {} {}", operation.method, operation.path));
        }
    }
    found.found.sort();
    found.found.dedup();
    found.found
}

struct Differences<'t> {
    table: &'t Table,
    description: &'t Description,
    found: Vec<String>,
}

impl Differences<'_> {
    fn note(&mut self, place: &str, what: impl std::fmt::Display) {
        self.found.push(format!("{place}: {what}"));
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, what: &str, documented: &T, described: &T) {
        if documented != described {
            self.note(place, format_args!("{what} is documented as {documented:?}, and described as {described:?}"));
        }
    }

    fn operation(&mut self, documented: &Operation, described: &described::Operation) {
        let id = self.description.id(described);
        if let Some(documented) = &documented.id {
            self.expect(&id, "the id", documented, &id);
        }
        let statuses = self.description.statuses(described);
        let mut expected: Vec<_> = PROBLEMS.iter().map(ToString::to_string).collect();
        expected.push(documented.status.to_string());
        expected.sort();
        self.expect(&id, "what is answered", &expected, &statuses);
        self.parameters(&id, documented, described);
        self.body(&id, documented, described);
        self.answer(&id, documented, described);
    }

    fn parameters(&mut self, id: &str, documented: &Operation, described: &described::Operation) {
        let in_path = self.description.parameters(described, "path");
        for (name, field) in &documented.path_parameters {
            match in_path.get(name) {
                Some(shape) => self.field(&format!("{id} path {name}"), field, shape),
                None => self.note(&format!("{id} path {name}"), "it is missing"),
            }
        }
        let mut in_query = self.description.parameters(described, "query");
        for name in &documented.paging {
            if in_query.remove(name).is_none() {
                self.note(&format!("{id} query"), format_args!("`{name}` is missing"));
            }
        }
        let sort = in_query.remove("sort").and_then(|sort| sort.items?.words).unwrap_or_default();
        self.expect(id, "the order", &documented.sort.iter().cloned().collect(), &sort);
        self.fields(&format!("{id} query"), &documented.filters, &in_query);
    }

    fn body(&mut self, id: &str, documented: &Operation, described: &described::Operation) {
        let body = self.description.body(described).unwrap_or_default();
        self.fields(&format!("{id} body"), &documented.request, &body.fields);
        for (name, field) in &documented.request {
            let is_required = body.fields.get(name).is_some_and(|shape| shape.is_required);
            self.expect(&format!("{id} body.{name}"), "whether it is required", &field.required, &is_required);
        }
    }

    fn answer(&mut self, id: &str, documented: &Operation, described: &described::Operation) {
        let answer = self.description.answer(described, documented.status);
        let headers = self.description.headers(described, documented.status);
        for header in &documented.headers {
            if !headers.contains(header) {
                self.note(id, format_args!("the header `{header}` is missing"));
            }
        }
        let place = format!("{id} answer");
        let (name, shape) = match (&documented.answer, answer) {
            (None, None) => return,
            (Some(Answer::One(name)), Some(shape)) if shape.types.contains("object") => (name, shape),
            (Some(Answer::List(name)), Some(Shape { items: Some(items), .. })) => (name, *items),
            (_, other) => return self.note(&place, format_args!("it is of another form: {:?}", other.is_some())),
        };
        match self.table.schemas.get(name) {
            Some(fields) => self.fields(&place, fields, &shape.fields),
            None => self.note(&place, format_args!("there is no `{name}`")),
        }
    }

    fn fields(&mut self, place: &str, documented: &Fields, described: &BTreeMap<String, Shape>) {
        for (name, field) in documented {
            match described.get(name) {
                Some(shape) => self.field(&format!("{place}.{name}"), field, shape),
                None => self.note(place, format_args!("`{name}` is missing")),
            }
        }
        for name in described.keys().filter(|name| !documented.contains_key(*name)) {
            self.note(place, format_args!("nobody documents `{name}`"));
        }
    }

    fn field(&mut self, place: &str, documented: &Field, described: &Shape) {
        self.types(place, &documented.of, described);
        if !documented.older {
            self.expect(place, "whether it may be null", &documented.nullable, &described.is_nullable);
        }
        self.expect(place, "whether it is deprecated", &documented.deprecated, &described.is_deprecated);
        if documented.default.is_some() {
            self.expect(place, "what it is by itself", &documented.default, &described.default);
        }
        if let Some(format) = documented.format.as_ref().filter(|format| !described.formats.contains(*format)) {
            self.note(place, format_args!("the format {format} is missing"));
        }
        let list = described.items.as_deref().filter(|_| documented.of == "array");
        if let (Some(of), Some(items)) = (&documented.items, list) {
            self.types(&format!("{place}[]"), of, items);
        }
        let one = list.unwrap_or(described);
        let words = self.table.words(documented).map(|words| words.iter().cloned().collect());
        // The words of a boolean are what it may be spelled as.
        if documented.of != "boolean" {
            self.expect(place, "what it may say", &words, &one.words);
        }
        if let Some(fields) = self.table.fields(documented) {
            self.fields(place, fields, &one.fields);
            for name in &documented.items_require {
                if one.fields.get(name).is_some_and(|shape| !shape.is_required) {
                    self.note(&format!("{place}.{name}"), "it is not required");
                }
            }
        }
    }

    /// The type, and no others but those that are turned into it, and lists that are spelled as objects.
    fn types(&mut self, place: &str, documented: &str, described: &Shape) {
        let alone = BTreeSet::from([documented.to_owned()]);
        let is_spelled_as_object = documented == "array" && described.types.contains("object");
        let is_wider = documented == "integer" && described.types.contains("number") && described.is_cast;
        if !is_wider && !described.types.contains(documented) {
            self.note(place, format_args!("it is documented as {documented}, and described as {:?}", described.types));
        } else if described.types != alone && !described.is_cast && !is_spelled_as_object {
            self.note(place, format_args!("it is documented as {documented} alone, not {:?}", described.types));
        }
    }
}
