//! What a served OpenAPI document says, as a client without any other knowledge reads it: operations, what they take and
//! what they answer.

use jsonschema::Validator;
use rollcall_tests::client::Answer;
use serde_json::{Map, Value, json};

/// A served document.
pub(crate) struct Document(Value);

/// An operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// `operationId`, without the method that an operation of several methods has in it.
    pub(crate) id: String,
    pub(crate) method: String,
    /// With `{…}` in it.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    /// The schema of its body.
    pub(crate) body: Option<Value>,
    pub(crate) needs_body: bool,
    pub(crate) responses: Map<String, Value>,
    pub(crate) needs_credential: bool,
}

/// A parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// `path`, `query`.
    pub(crate) place: String,
    pub(crate) schema: Value,
}

impl Document {
    pub(crate) fn new(document: Value) -> Self {
        Self(document)
    }

    /// Every operation, each method of its own.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut found = Vec::new();
        for (path, item) in self.0["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation.get("responses").is_some() {
                    found.push(self.operation(path, item, method, operation));
                }
            }
        }
        found
    }

    fn operation(&self, path: &str, item: &Value, method: &str, operation: &Value) -> Operation {
        let lists = [&item["parameters"], &operation["parameters"]];
        let parameters = lists.into_iter().filter_map(Value::as_array).flatten().map(|parameter| {
            let parameter = self.resolve(parameter);
            Parameter {
                name: text(&parameter["name"]),
                place: text(&parameter["in"]),
                schema: parameter["schema"].clone(),
            }
        });
        let responses = operation["responses"].as_object().cloned().unwrap_or_default();
        let id = text(&operation["operationId"]);
        let body = operation.get("requestBody").map(|body| self.resolve(body));
        Operation {
            id: id.split('.').next().unwrap_or_default().to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            parameters: parameters.collect(),
            needs_body: body.as_ref().is_some_and(|body| body["required"] == true),
            body: body.as_ref().and_then(schema).cloned(),
            responses: responses.into_iter().map(|(status, of)| (status, self.resolve(&of))).collect(),
            needs_credential: operation["security"] != json!([]),
        }
    }

    /// What stands where `$ref` leads, with what stands beside it.
    pub(crate) fn resolve(&self, value: &Value) -> Value {
        let Some(target) = value["$ref"].as_str() else { return value.clone() };
        let found = self.0.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("there is no {target}"));
        let mut found = self.resolve(found);
        for (name, member) in value.as_object().into_iter().flatten().filter(|(name, _)| *name != "$ref") {
            found[name] = member.clone();
        }
        found
    }

    /// Whether an operation answers with a list.
    pub(crate) fn is_list(&self, operation: &Operation) -> bool {
        let success = &operation.responses[&operation.success().to_string()];
        schema(success).is_some_and(|schema| self.resolve(schema)["type"] == "array")
    }

    /// What tells whether values are as a schema says.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({"allOf": [schema], "components": self.0["components"]});
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&whole).unwrap_or_else(|error| panic!("{error}: {schema}"))
    }

    /// How an answer differs from what the operation says it answers.
    pub(crate) fn differences(&self, operation: &Operation, answer: &Answer) -> Vec<String> {
        let Some(response) = operation.responses.get(&answer.status.to_string()) else {
            return vec![format!("{} is not documented: {}", answer.status, answer.text())];
        };
        let mut differences = Vec::new();
        for (header, _) in response["headers"].as_object().into_iter().flatten() {
            if answer.header(&header.to_ascii_lowercase()).is_empty() {
                differences.push(format!("the header {header} is missing"));
            }
        }
        let Some(schema) = schema(response) else {
            if !answer.body.is_empty() {
                differences.push(format!("there is a body: {}", answer.text()));
            }
            return differences;
        };
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            differences.push(format!("the body is no JSON: {}", answer.text()));
            return differences;
        };
        let media_type = answer.header("content-type");
        if !media_type.starts_with("application/json") {
            differences.push(format!("the type of the body is `{media_type}`"));
        }
        let validator = self.validator(schema);
        differences.extend(validator.iter_errors(&body).map(|error| format!("`{}` {error}", error.instance_path())));
        differences
    }
}

impl Operation {
    /// The status of success.
    pub(crate) fn success(&self) -> u16 {
        let mut statuses = self.responses.keys().filter_map(|status| status.parse().ok());
        statuses.find(|status| (200..300).contains(status)).unwrap_or_else(|| panic!("{} never succeeds", self.id))
    }

    /// Where it is, without what is served before all paths.
    pub(crate) fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Parameters of the query.
    pub(crate) fn query(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.place == "query")
    }

    /// Parameters of the path, in its order; those of the paths before.
    pub(crate) fn in_path(&self) -> Vec<&Parameter> {
        let mut found: Vec<_> = self.parameters.iter().filter(|parameter| parameter.place == "path").collect();
        found.sort_by_key(|parameter| self.path.find(&format!("{{{}}}", parameter.name)));
        found
    }
}

fn schema(of: &Value) -> Option<&Value> {
    of["content"]["application/json"].get("schema")
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
