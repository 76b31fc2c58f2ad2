//! Turns an OpenAPI document into a page: every operation with what it takes and answers, and the schemas. HTML and a style, no
//! script: it can be read wherever HTML can.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::STYLE;

/// The methods, in the order in which they are shown.
const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// What operations without a tag stand under.
const UNTAGGED: &str = "Operations";

/// An operation, and where it stands.
struct Operation<'d> {
    path: &'d str,
    method: &'static str,
    item: &'d Value,
    said: &'d Value,
}

/// The page.
pub(super) fn render(document: &Value) -> String {
    let mut page = String::new();
    let written = write_page(document, &mut page);
    written.map_or_else(|_| String::new(), |()| page) // writing to a string does not fail
}

fn write_page(document: &Value, out: &mut String) -> fmt::Result {
    let title = text(&document["info"], "title");
    let version = text(&document["info"], "version");
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE}\">\n<h1>{0} <small>{1}</small></h1>\n",
        escaped(title),
        escaped(version)
    )?;
    paragraph(text(&document["info"], "description"), out)?;
    writeln!(out, "<p>The same for programs: <a href=\"openapi.json\">openapi.json</a></p>")?;
    let operations = operations(document);
    let mut tags: Vec<&str> = Vec::new();
    for operation in &operations {
        if !tags.contains(&tag(operation)) {
            tags.push(tag(operation));
        }
    }
    for tag_name in tags {
        writeln!(out, "<h2>{}</h2>", escaped(tag_name))?;
        for operation in operations.iter().filter(|operation| tag(operation) == tag_name) {
            write_operation(document, operation, out)?;
        }
    }
    let schemas = document["components"]["schemas"].as_object();
    if schemas.is_some_and(|schemas| !schemas.is_empty()) {
        writeln!(out, "<h2>Schemas</h2>")?;
    }
    for (name, schema) in schemas.into_iter().flatten() {
        let anchor = escaped(name);
        writeln!(out, "<details id=\"schema-{anchor}\"><summary><code>{anchor}</code></summary>")?;
        write_schema(schema, out)?;
        writeln!(out, "</details>")?;
    }
    Ok(())
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let items = document["paths"].as_object().into_iter().flatten();
    items
        .flat_map(|(path, item)| {
            let said = METHODS.into_iter().filter_map(move |method| Some((method, item.get(method)?)));
            said.map(move |(method, said)| Operation { path, method, item, said })
        })
        .collect()
}

fn tag<'d>(operation: &Operation<'d>) -> &'d str {
    operation.said["tags"][0].as_str().unwrap_or(UNTAGGED)
}

fn write_operation(document: &Value, operation: &Operation<'_>, out: &mut String) -> fmt::Result {
    let Operation { path, method, item, said } = operation;
    let class = if said["deprecated"] == Value::Bool(true) { " class=\"deprecated\"" } else { "" };
    writeln!(
        out,
        "<details{class}><summary><b>{}</b> <code>{}</code><span>{}</span></summary>",
        method.to_uppercase(),
        escaped(path),
        escaped(text(said, "summary"))
    )?;
    paragraph(text(said, "description"), out)?;
    let parameters =
        [*item, *said].into_iter().flat_map(|around| around["parameters"].as_array().into_iter().flatten());
    let parameters: Vec<_> = parameters.map(|parameter| followed(document, parameter)).collect();
    if !parameters.is_empty() {
        writeln!(out, "<table><tr><th>Parameter<th>In<th>Type<th>Meaning")?;
        for parameter in parameters {
            let required = if parameter["required"] == Value::Bool(true) { ", required" } else { "" };
            writeln!(
                out,
                "<tr><td><code>{}</code><td>{}{required}<td>{}<td>{}",
                escaped(text(parameter, "name")),
                escaped(text(parameter, "in")),
                kind(&parameter["schema"]),
                escaped(text(parameter, "description"))
            )?;
        }
        writeln!(out, "</table>")?;
    }
    let body = followed(document, &said["requestBody"]);
    for (media, content) in body["content"].as_object().into_iter().flatten() {
        writeln!(out, "<p>Takes <code>{}</code>: {}</p>", escaped(media), kind(&content["schema"]))?;
        write_members(&content["schema"], out)?;
    }
    writeln!(out, "<table><tr><th>Answer<th>Meaning<th>Body")?;
    for (status, response) in said["responses"].as_object().into_iter().flatten() {
        let response = followed(document, response);
        let content = response["content"].as_object().into_iter().flatten();
        let bodies =
            content.map(|(media, content)| format!("<code>{}</code> {}", escaped(media), kind(&content["schema"])));
        let meaning = escaped(text(response, "description"));
        writeln!(out, "<tr><td>{}<td>{meaning}<td>{}", escaped(status), bodies.collect::<Vec<_>>().join("<br>"))?;
    }
    writeln!(out, "</table></details>")
}

/// What a reference leads to within the document.
fn followed<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn write_schema(schema: &Value, out: &mut String) -> fmt::Result {
    paragraph(text(schema, "description"), out)?;
    if schema.get("properties").is_none() {
        writeln!(out, "<p>{}</p>", kind(schema))?;
    }
    write_members(schema, out)
}

/// The members of an object.
fn write_members(schema: &Value, out: &mut String) -> fmt::Result {
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return Ok(());
    };
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    writeln!(out, "<table><tr><th>Member<th>Type<th>Meaning")?;
    for (name, property) in properties {
        let note = if required(name) { ", required" } else { "" };
        let meaning = escaped(text(property, "description"));
        writeln!(out, "<tr><td><code>{}</code><td>{}{note}<td>{meaning}", escaped(name), kind(property))?;
    }
    writeln!(out, "</table>")
}

/// What a schema lets through, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/")) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(forms) = schema[word].as_array() {
            let forms: Vec<_> = forms.iter().map(kind).collect();
            return forms.join(if word == "allOf" { " and " } else { " or " });
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("<code>{}</code>", escaped(&word.to_string()))).collect();
        return words.join(", ");
    }
    let types = match &schema["type"] {
        Value::String(of) => vec![of.as_str()],
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut told = match types.as_slice() {
        [] => "anything".to_owned(),
        ["array"] => format!("list of {}", kind(&schema["items"])),
        several => escaped(&several.join(" or ")),
    };
    if let Some(format) = schema["format"].as_str() {
        told = format!("{told} ({})", escaped(format));
    }
    told
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn paragraph(words: &str, out: &mut String) -> fmt::Result {
    for words in words.split("\n\n").map(str::trim).filter(|words| !words.is_empty()) {
        writeln!(out, "<p>{}</p>", escaped(words))?;
    }
    Ok(())
}

/// Text as it stands in HTML, attributes included.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::render;

    #[test]
    fn whatever_a_document_says_is_shown_and_is_text() {
        let evil = "<script>alert('\"x\"')</script>";
        let document = json!({
            "info": {"title": evil, "version": evil, "description": evil},
            "paths": {evil: {"get": {
                "summary": evil, "description": evil, "tags": [evil],
                "parameters": [{"name": evil, "in": evil, "description": evil, "schema": {"enum": [evil]}}],
                "requestBody": {"content": {evil: {"schema": {"properties": {evil: {"type": evil, "format": evil}}}}}},
                "responses": {evil: {"description": evil, "content": {evil: {"schema": {"$ref": format!("#/components/schemas/{evil}")}}}}},
            }}},
            "components": {"schemas": {evil: {"description": evil, "items": {}}}},
        });
        let page = render(&document);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.matches("&lt;script&gt;").count() >= 20, "{page}");
    }
}
