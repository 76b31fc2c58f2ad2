//! Turns a request that is right into all that are wrong in one way each, as far as the document tells.

use serde_json::{Value, json};

use super::document::{Operation, Parameter};
use super::request::Request;
use super::world::World;

/// No record has this number.
const NOBODY: &str = "987654321";

/// A number, a word, a time: whatever is asked for, it is not this.
const NOTHING: &str = "no such word";

/// Requests that must be refused, each with what is wrong with it.
pub(super) fn wrong(world: &World<'_>, operation: &Operation, right: &Request) -> Vec<(String, Request)> {
    let mut found = Vec::new();
    let mut but = |what: String, change: &dyn Fn(&mut Request)| {
        let mut request = right.clone();
        change(&mut request);
        found.push((what, request));
    };
    if operation.needs_credential {
        but("no credential".to_owned(), &|request| request.has_credential = false);
    }
    but("a parameter that is not declared".to_owned(), &|request| {
        request.query.push(("undeclared".to_owned(), "1".to_owned()));
    });
    for parameter in operation.in_path() {
        let name = &parameter.name;
        // A list of what belongs to nothing is empty.
        if !world.document.is_list(operation) {
            but(format!("`{name}` of nothing"), &|request| _ = request.path.insert(name.clone(), NOBODY.to_owned()));
        }
        if world.refuses(&parameter.schema, &NOTHING.into()) {
            but(format!("`{name}` of another type"), &|request| {
                request.path.insert(name.clone(), NOTHING.to_owned());
            });
        }
    }
    for parameter in operation.query() {
        for value in wrong_texts(world, parameter) {
            but(format!("`{}` is `{value}`", parameter.name), &|request| {
                request.query.push((parameter.name.clone(), value.to_owned()));
            });
        }
    }
    if operation.needs_body {
        but("no body".to_owned(), &|request| request.body = None);
        but("a blank body".to_owned(), &|request| request.text = Some(" \n".to_owned()));
    }
    if let Some(schema) = &operation.body {
        but("a body that is no JSON".to_owned(), &|request| request.text = Some("{\"a\": ".to_owned()));
        but("a body that is a list".to_owned(), &|request| request.body = Some(json!([])));
        let schema = world.document.resolve(schema);
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            but(format!("no `{name}`"), &|request| without(request, name));
        }
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            let values = [json!({"no": "such"}), json!("no such word"), json!(true), json!([1.5])];
            if let Some(value) = values.into_iter().find(|value| world.refuses(of, value)) {
                but(format!("`{name}` is {value}"), &|request| {
                    if let Some(body) = &mut request.body {
                        body[name] = value.clone();
                    }
                });
            }
        }
    }
    found
}

fn without(request: &mut Request, name: &str) {
    if let Some(body) = request.body.as_mut().and_then(Value::as_object_mut) {
        body.remove(name);
    }
}

/// Texts that a parameter of the query must not be.
fn wrong_texts(world: &World<'_>, parameter: &Parameter) -> Vec<&'static str> {
    let schema = world.document.resolve(&parameter.schema);
    let one = if schema["type"] == "array" { world.document.resolve(&schema["items"]) } else { schema };
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
    let texts = [NOTHING, "0", "101"];
    let is_a_text = !world.refuses(&one, &NOTHING.into());
    texts
        .into_iter()
        .filter(|text| !is_a_text && world.refuses(&one, &number(text)) && world.refuses(&one, &(*text).into()))
        .collect()
}

impl World<'_> {
    /// Whether a value is none that a schema describes.
    fn refuses(&self, schema: &Value, value: &Value) -> bool {
        !self.document.validator(schema).is_valid(value)
    }
}
