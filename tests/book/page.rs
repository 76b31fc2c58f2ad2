//! The pages of the book that are made of schemas.

use std::fmt::Write as _;
use std::fs;

use rollcall_tests::site::project;
use serde_json::Value;

/// Where words stand, and the type that says which there are; in the order of a description.
const PLACES: [(&str, &str); 8] = [
    ("At the root", "Root"),
    ("On an operation", "Operation"),
    ("On a parameter", "Parameter"),
    ("On a schema", "Schema"),
    ("On a response", "Response"),
    ("On a response's header", "Header"),
    ("On an operation under `webhooks`", "Webhook"),
    ("What they are made of", ""),
];

/// Every word under `x-rollcall`, of the meta-schema that editors complete from.
pub(super) fn reference() -> String {
    let text = fs::read_to_string(project().join("schemas/rollcall.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let types = schema["$defs"].as_object().unwrap();
    let mut page = "<!-- Generated from schemas/rollcall.schema.json; `BLESS=1 cargo test -p rollcall` renews it. -->\n\n\
                    # Reference of descriptions\n\nEvery word that may stand under `x-rollcall`, by where it stands. What they mean \
                    together is told in [the language](language.md).\n"
        .to_owned();
    let is_place = |name: &str| PLACES.iter().any(|(_, of)| *of == name);
    for (title, name) in PLACES {
        write!(page, "\n## {title}\n").unwrap();
        if let Some(of) = types.get(name) {
            words(of, &mut page);
            continue;
        }
        let others = types.iter().filter(|(name, _)| name.starts_with(char::is_uppercase) && !is_place(name));
        for (name, of) in others {
            write!(page, "\n### {name}\n\n{}\n", said(of)).unwrap();
            words(of, &mut page);
        }
    }
    page
}

/// A table of a type's words, or of the forms that it has.
fn words(of: &Value, page: &mut String) {
    let forms = ["oneOf", "anyOf"].into_iter().find_map(|word| of[word].as_array());
    let rows: Vec<_> = match (of["properties"].as_object(), forms, of["enum"].as_array()) {
        (Some(properties), ..) => properties.iter().map(|(name, of)| (format!("`{name}`"), of)).collect(),
        (_, Some(forms), _) => forms.iter().map(|form| (kind(form), form)).collect(),
        (.., Some(words)) => words.iter().map(|word| (code(word), &Value::Null)).collect(),
        _ => Vec::new(),
    };
    if rows.is_empty() {
        return;
    }
    page.push_str("\n| word | type | meaning |\n|---|---|---|\n");
    for (name, of) in rows {
        let kind = if name.starts_with('`') && !of.is_null() { kind(of) } else { String::new() };
        let kind = if kind == name { String::new() } else { kind };
        writeln!(page, "| {name} | {kind} | {} |", said(of).replace('\n', " ").replace('|', "\\|")).unwrap();
    }
}

/// What a schema lets through, in a few words.
fn kind(of: &Value) -> String {
    if let Some(name) = of["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        let name = name.trim_end_matches(".yaml");
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(word) = of.get("const") {
        return code(word);
    }
    if let Some(words) = of["enum"].as_array() {
        return words.iter().filter(|word| !word.is_null()).map(code).collect::<Vec<_>>().join(", ");
    }
    if let Some(forms) = ["anyOf", "oneOf"].into_iter().find_map(|word| of[word].as_array()) {
        let forms = forms.iter().filter(|form| form["type"] != "null").map(kind);
        return forms.collect::<Vec<_>>().join(" or ");
    }
    let types = match &of["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|of| *of != "null").collect(),
        _ => return "anything".to_owned(),
    };
    match types.as_slice() {
        ["array"] => format!("list of {}", kind(&of["items"])),
        ["object"] if of["additionalProperties"].is_object() => {
            format!("mapping to {}", kind(&of["additionalProperties"]))
        }
        several => several.join(" or "),
    }
}

fn said(of: &Value) -> String {
    of["description"].as_str().unwrap_or_default().to_owned()
}

fn code(word: &Value) -> String {
    format!("`{}`", word.as_str().map_or_else(|| word.to_string(), str::to_owned))
}

/// Every canonical kind and its fields.
pub(super) fn canonical() -> String {
    let folder = project().join("schemas/canonical");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut page = "<!-- Generated from schemas/canonical; `BLESS=1 cargo test -p rollcall` renews it. -->\n\n\
                    # The canonical model\n\nOneRoster 1.2's objects, and what it lacks. A reference is the id of another entity; \
                    mappers write the partner's own, readers see `sourcedId`.\n"
        .to_owned();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let about = text.lines().skip(1).map_while(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join(" ");
        let schema: Value = serde_yaml::from_str(&text).unwrap();
        let Some(properties) = schema["properties"].as_object() else { continue };
        write!(
            page,
            "\n## {}\n\n{about}\n\n| field | type | meaning |\n|---|---|---|\n",
            file.file_stem().unwrap().display()
        )
        .unwrap();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, of) in properties {
            let note = if required.iter().any(|one| one == name) { ", required" } else { "" };
            let refers =
                |of: &Value| of["x-rollcall"]["ref"].as_str().map(|to| format!("[{to}](#{})", to.to_lowercase()));
            let list = refers(&of["items"]).map(|to| format!("list of {to}"));
            let kind = refers(of).or(list).unwrap_or_else(|| kind(of));
            writeln!(page, "| `{name}` | {kind}{note} | {} |", said(of).replace('\n', " ").replace('|', "\\|"))
                .unwrap();
        }
    }
    page
}
