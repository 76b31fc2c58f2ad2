//! Turns declared parameters into [`Parameter`]s.

use serde_json::Value;

use super::Operations;
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::{Location, Parameter, scope};
use crate::json::Pointer;
use crate::language::schema::type_names;
use crate::language::{Diagnostic, EXTENSION};
use crate::validate::Schema;

/// Whether a schema describes text, numbers or booleans only, by its types or its words.
fn is_scalar(schema: &Value) -> bool {
    let types = type_names(schema);
    let words = schema.get("enum").and_then(Value::as_array);
    let is_plain = |of: &&str| matches!(*of, "string" | "integer" | "number" | "boolean");
    let is_word = |word: &Value| word.is_string() || word.is_number() || word.is_boolean();
    (!types.is_empty() && types.iter().all(is_plain)) || words.is_some_and(|words| words.iter().all(is_word))
}

/// Headers that OpenAPI says are not described as parameters.
const HEADERS_IGNORED: [&str; 3] = ["accept", "content-type", "authorization"];

impl Operations<'_, '_, '_> {
    /// The parameters of an operation.
    pub(super) fn parameters(&mut self, outline: &OperationOutline) -> Vec<Parameter> {
        let declared = self.declared_parameters(outline);
        let parameters: Vec<_> = declared.iter().filter_map(|at| self.parameter(at)).collect();
        self.match_path(outline, &parameters);
        parameters
    }

    /// Where the parameters of an operation are declared: its own, and those of its path that it does not declare anew.
    pub(super) fn declared_parameters(&self, outline: &OperationOutline) -> Vec<Pointer> {
        let mut declared: Vec<Pointer> = Vec::new();
        let identity = |at: &Pointer| {
            let word = |word: &str| self.document.get(&at.member(word)).and_then(Value::as_str);
            let name = word("name").map(str::to_ascii_lowercase).filter(|_| word("in") == Some("header"));
            (word("in"), name.or_else(|| word("name").map(str::to_owned)))
        };
        for list in [outline.at.member("parameters"), outline.path_item.member("parameters")] {
            let items = self.document.get(&list).and_then(Value::as_array).map_or(0, Vec::len);
            for at in (0..items).filter_map(|nth| Some(self.document.resolve(&list.item(nth))?.0)) {
                if !declared.iter().any(|other| identity(other) == identity(&at)) {
                    declared.push(at);
                }
            }
        }
        declared
    }

    fn parameter(&mut self, at: &Pointer) -> Option<Parameter> {
        let parameter = self.document.get(at)?;
        let place = self.document.place(&at.member("in"));
        let location = match parameter.get("in").and_then(Value::as_str) {
            Some("path") => Location::Path,
            Some("query") => Location::Query,
            Some("header") => Location::Header,
            Some("cookie") => {
                self.report(Diagnostic::at(place, "not supported yet: a parameter in a cookie"));
                return None;
            }
            _ => {
                self.report(Diagnostic::at(place, "a parameter is in the path, the query or a header"));
                return None;
            }
        };
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = if location == Location::Header { name.to_ascii_lowercase() } else { name.to_owned() };
        if name.is_empty() {
            self.report(Diagnostic::at(self.document.key_place(at), "a parameter has a `name`"));
        }
        if location == Location::Header && HEADERS_IGNORED.contains(&name.as_str()) {
            let place = self.document.place(&at.member("name"));
            let problem = Diagnostic::at(place, format!("OpenAPI ignores a declared `{name}` header"));
            self.report(
                problem.hint(format!("on the operation: `must: [{{that: has(header.{name}), else: malformed}}]`")),
            );
        }
        let required = parameter.get("required") == Some(&Value::Bool(true));
        if location == Location::Path && !required {
            let problem = Diagnostic::at(self.document.key_place(at), "a path parameter is `required: true`");
            self.report(problem);
        }
        let keys = self.outline.parameters.get(at).cloned().unwrap_or_default();
        let word = at.member(EXTENSION).member("must");
        let value = self.value_type(at, keys.cast);
        let must = self.value_conditions(&word, keys.must.as_ref(), value);
        let many = self.is_list(&at.member("schema"));
        let schema = self.parameter_schema(at, many && location == Location::Query)?;
        Some(Parameter { name, location, required, schema, many, cast: keys.cast, must })
    }

    fn parameter_schema(&mut self, at: &Pointer, may_be_list: bool) -> Option<Schema> {
        let at = at.member("schema");
        let Some((resolved, schema)) = self.document.resolve(&at) else {
            self.report(Diagnostic::at(self.document.key_place(&at), "a parameter has a `schema`"));
            return None;
        };
        let items = resolved.member("items");
        let items = self.document.resolve(&items).filter(|_| may_be_list && type_names(schema) == ["array"]);
        let (one_at, one) = items.unwrap_or((resolved, schema));
        if !is_scalar(one) {
            let problem = "not supported yet: a parameter that is not text, a number or a boolean, or a list of them";
            self.report(Diagnostic::at(self.document.key_place(&one_at), problem));
        }
        self.compile(&at)
    }

    /// Every `{name}` in the path is declared, and every path parameter stands in the path.
    fn match_path(&mut self, outline: &OperationOutline, parameters: &[Parameter]) {
        let place = self.document.key_place(&outline.path_item);
        let named: Vec<_> = outline.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let declared = |name: &str| parameters.iter().any(|p| p.location == Location::Path && p.name == name);
        for name in named.iter().filter(|name| !declared(name)) {
            let problem = format!("the path parameter `{name}` is not declared");
            self.report(Diagnostic::at(place.clone(), problem));
        }
        let path_parameters = parameters.iter().filter(|parameter| parameter.location == Location::Path);
        for parameter in path_parameters.filter(|parameter| !named.contains(&parameter.name.as_str())) {
            let problem = format!("the path has no `{{{}}}`", parameter.name);
            self.report(Diagnostic::at(place.clone(), problem));
        }
    }

    /// The parameter that names the delivery whose log is listed; `at` is where the verb stands.
    pub(super) fn log_parameter(&mut self, outline: &OperationOutline, at: &Pointer) -> Option<String> {
        let mut found = None;
        for at in self.declared_parameters(outline) {
            let Some(source) = self.outline.parameters.get(&at).and_then(|keys| keys.only.clone()) else { continue };
            let word = at.member(EXTENSION).member("where");
            let id = Type::Object(vec![Member::required("id", Type::Text)]);
            let value = Type::of_schema(self.document, &at.member("schema"));
            let names = [Member::required("delivery", id), Member::required("value", value)];
            let Some(only) = scope::compile(self.document, &word, &source, &names, self.findings) else { continue };
            let is = |source: &str| Expression::compile(source, &names).as_ref() == Ok(&only);
            if !is("delivery.id == value") && !is("value == delivery.id") {
                let problem = Diagnostic::at(self.document.place(&word), "not supported yet: this condition of a log");
                self.report(problem.hint("supported is `delivery.id == value`"));
            }
            found = self.document.get(&at.member("name")).and_then(Value::as_str).map(str::to_owned);
        }
        if found.is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "whose log this lists is not said");
            self.report(problem.hint("a parameter says it: `x-rollcall: {where: delivery.id == value}`"));
        }
        found
    }
}
