//! What is said of one endpoint, and how that becomes OpenAPI.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Makes a schema; types that it uses are kept by the generator.
type Make = fn(&mut SchemaGenerator) -> Value;

/// What is sent to an endpoint.
#[derive(Debug, Clone)]
enum Body {
    /// JSON of a type.
    Of(Make),
    /// Something of a media type.
    Like(&'static str, Value),
}

/// An endpoint of ours.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    query: Option<Make>,
    body: Option<Body>,
    answer: Value,
    media: &'static str,
    dry_run: bool,
    problems: Vec<u16>,
    open: bool,
}

impl Endpoint {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        let (answer, media) = (Value::Null, "application/json");
        let (query, body, dry_run, open) = (None, None, false, false);
        Self { method, path, id, summary, query, body, answer, media, dry_run, problems: Vec::new(), open }
    }

    /// `GET path`
    pub(super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("get", path, id, summary)
    }

    /// `POST path`
    pub(super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("post", path, id, summary)
    }

    /// `PUT path`
    pub(super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("put", path, id, summary)
    }

    /// `DELETE path`
    pub(super) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("delete", path, id, summary)
    }

    /// What it is asked with, a struct of the query's parameters.
    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|generator| T::json_schema(generator).to_value());
        self
    }

    /// What is sent to it.
    pub(super) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body::Of(|generator| generator.subschema_for::<T>().to_value()));
        self
    }

    /// What is sent to it, where no type says it by itself.
    pub(super) fn takes(mut self, media: &'static str, schema: Value) -> Self {
        self.body = Some(Body::Like(media, schema));
        self
    }

    /// The schema of what it answers: JSON.
    pub(super) fn answers(mut self, schema: Value) -> Self {
        self.answer = schema;
        self
    }

    /// It answers with something else than JSON.
    pub(super) fn answers_with(mut self, media: &'static str, schema: Value) -> Self {
        (self.media, self.answer) = (media, schema);
        self
    }

    /// With `Rollcall-Dry-Run: true` it says what would happen, and does nothing.
    pub(super) fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Statuses of problems beside those that every endpoint has.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems = statuses.to_vec();
        self
    }

    /// It needs no credential.
    pub(super) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    fn operation(&self, generator: &mut SchemaGenerator) -> Value {
        let query = self.query.map(|make| make(generator)).unwrap_or_default();
        let mut parameters: Vec<_> =
            names_in(self.path).map(|name| parameter(name, "path", &json!({"type": "string"}), true)).collect();
        let required = |name: &str| query["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            parameters.push(parameter(name, "query", schema, required(name)));
        }
        if self.dry_run {
            let what = json!({"type": "boolean", "description": "Say what would happen, and do nothing."});
            parameters.push(parameter("Rollcall-Dry-Run", "header", &what, false));
        }
        let mut responses = Map::new();
        let content = |media: &str, schema: &Value| json!({media: {"schema": schema}});
        responses
            .insert("200".to_owned(), json!({"description": "Done.", "content": content(self.media, &self.answer)}));
        let usual: &[u16] = if self.open { &[] } else { &[400, 401, 403, 500, 503] };
        let mut statuses: Vec<_> = usual.iter().chain(&self.problems).collect();
        statuses.sort_unstable();
        for status in statuses {
            let name = if *status == 410 { "Gone" } else { "Problem" };
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
        let mut operation =
            json!({"operationId": self.id, "summary": self.summary, "tags": [self.tag()], "responses": responses});
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        let body = self.body.as_ref().map(|body| match body {
            Body::Of(make) => content("application/json", &make(generator)),
            Body::Like(media, schema) => content(media, schema),
        });
        if let Some(content) = body {
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        if self.open {
            operation["security"] = json!([]);
        }
        operation
    }

    /// What it belongs to.
    fn tag(&self) -> &'static str {
        match self.path.split('/').nth(1) {
            Some("api") => "Reading",
            Some("admin") => "Operating",
            Some("ims") => "OneRoster 1.2",
            _ => "The server",
        }
    }
}

/// The document of all endpoints.
pub(super) fn document(endpoints: Vec<Endpoint>) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let operation = endpoint.operation(&mut generator);
        paths.entry(endpoint.path).or_insert_with(|| json!({}))[endpoint.method] = operation;
    }
    let mut schemas = super::ours::schemas();
    schemas.extend(generator.take_definitions(true));
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollcall",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a Rollcall server answers itself: reading what is there and what changed, and operating it. What \
                partners' clients call is documented per partner: /<partner>/docs.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {"description": "It was not done; the body says why.", "content": problem},
                "Gone": {"description": "It was there once; the body says what to do.", "content": problem},
            },
            "schemas": schemas,
        },
    });
    plain(&mut document);
    document
}

/// The names in braces.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str, place: &str, schema: &Value, required: bool) -> Value {
    let mut schema = schema.clone();
    let mut parameter = json!({"name": name, "in": place, "required": required});
    if let Some(members) = schema.as_object_mut() {
        if let Some(description) = members.shift_remove("description") {
            parameter["description"] = description;
        }
        // A parameter is absent, never `null`.
        let without_null = |types: &Value| types.as_array()?.iter().find(|of| *of != "null").cloned();
        if let Some(only) = members.get("type").and_then(without_null) {
            members.insert("type".to_owned(), only);
        }
        if let Some(Value::Array(forms)) = members.shift_remove("anyOf") {
            let form = forms.into_iter().find(|form| form["type"] != "null");
            members.extend(form.as_ref().and_then(Value::as_object).cloned().unwrap_or_default());
        }
    }
    parameter["schema"] = schema;
    parameter
}

/// Formats that only Rust has say nothing to anybody else.
fn plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                members.shift_remove("format");
            }
            members.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
