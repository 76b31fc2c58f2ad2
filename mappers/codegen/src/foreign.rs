//! Turns a partner's `openapi.yaml` into a struct per record type, one for its ancestors, and the enum of them all.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::GenerateError;
use crate::document::{Documents, Place};
use crate::print::{self, Way};
use crate::shape::{Member, Shape, Struct, Types, doc, pascal};

/// A record type with more members than this stands in a box beside smaller ones, so that these stay small.
const INLINE_MEMBERS_MAX: usize = 8;

/// A schema with a `key`.
struct Record {
    name: String,
    place: Place,
    schema: Value,
    parent: Option<String>,
}

impl Record {
    /// The kinds that the mapper may write for it; a record type without any is not mapped.
    fn kinds(&self) -> Vec<String> {
        self.schema.pointer("/x-rollcall/kinds").and_then(paths).unwrap_or_default()
    }
}

pub(crate) fn generate(file: &Path) -> Result<String, GenerateError> {
    let documents = Documents::default();
    let records = records(&documents, file)?;
    let mut types = Types::default();
    let mut bodies = Vec::new();
    for record in records.values().filter(|record| !record.kinds().is_empty()) {
        // Before the mapper sees it, what is itself made of records is cut out of the body, and aliases are renamed.
        // What is computed whenever it is read is not stored, and what may hold anything says nothing.
        let says = |property: &Value, word: &str| property.pointer(&format!("/x-rollcall/{word}")).is_some();
        let derived = |property: &Value| says(property, "value") && !says(property, "at");
        let kept = |_: &str, property: &Value| {
            !says(property, "as") && !derived(property) && !made_of_records(&documents, &record.place, property)
        };
        let members = types.members(&documents, &record.place, &record.name, kept)?;
        let members = members.into_iter().filter(|member| member.shape != Shape::Open).collect();
        bodies.push((record.name.clone(), Struct { doc: doc(&record.schema), members, open: false }));
        ancestors(&documents, &records, record, &mut types)?;
    }
    let mut out = String::new();
    print::types(&types, Way::In, &mut out)?;
    for (name, body) in &bodies {
        print::structure(&types, name, body, Way::In, &mut out)?;
    }
    union(&records, &bodies, &types, &mut out)?;
    keys(&records, &mut out)?;
    Ok(out)
}

/// All record types, by name, each with the one that it is nested in. They stand wherever the description, or a file
/// beside it, has a schema with a `key`, and are called as they are there.
fn records(documents: &Documents, file: &Path) -> Result<BTreeMap<String, Record>, GenerateError> {
    let mut records = BTreeMap::new();
    let mut files = vec![file.to_owned()];
    let mut nth = 0;
    while let Some(file) = files.get(nth).cloned() {
        let mut found = Vec::new();
        documents.each(&Place::root(&file), &mut |place, value| {
            let beside = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.split('#').next());
            if let Some(beside) = beside.filter(|beside| !beside.is_empty()).map(|beside| file.with_file_name(beside)) {
                files.extend((!files.contains(&beside)).then_some(beside));
            }
            if key(value).is_some() {
                found.push((place.clone(), value.clone()));
            }
        })?;
        for (place, schema) in found {
            let name = place.name();
            records.insert(name.clone(), Record { name: pascal(&name), place, schema, parent: None });
        }
        nth += 1;
    }
    let places: Vec<(String, Place)> = records.iter().map(|(name, one)| (name.clone(), one.place.clone())).collect();
    for (name, place) in &places {
        let mut children = Vec::new();
        nested(documents, place, 0, &mut children)?;
        for child in children {
            let child = places.iter().find(|(_, place)| *place == child);
            if let Some(child) = child.and_then(|(child, _)| records.get_mut(child)) {
                child.parent = Some(name.clone());
            }
        }
    }
    Ok(records)
}

fn key(schema: &Value) -> Option<Vec<String>> {
    paths(schema.pointer("/x-rollcall/key")?)
}

/// One path or a list of them.
fn paths(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// The places of the records directly inside the schema at `place`.
fn nested(documents: &Documents, place: &Place, depth: usize, out: &mut Vec<Place>) -> Result<(), GenerateError> {
    if depth > 16 {
        return Ok(());
    }
    let (found, schema) = documents.resolve(place)?;
    let mut inside = Vec::new();
    if schema.get("items").is_some() {
        inside.push(found.at("items"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    inside.extend(properties.into_iter().flat_map(serde_json::Map::keys).map(|name| found.at("properties").at(name)));
    for place in inside {
        let (found, schema) = documents.resolve(&place)?;
        if key(&schema).is_some() {
            out.push(found);
        } else {
            nested(documents, &place, depth + 1, out)?;
        }
    }
    Ok(())
}

fn made_of_records(documents: &Documents, owner: &Place, property: &Value) -> bool {
    let item = property.get("items").unwrap_or(property);
    match item.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let file = if file.is_empty() { owner.file.clone() } else { owner.file.with_file_name(file) };
            let place = Place { file, pointer: pointer.to_owned() };
            documents.resolve(&place).is_ok_and(|(_, schema)| key(&schema).is_some())
        }
        None => key(item).is_some(),
    }
}

/// The struct `…Ancestors` of a record type, and those of the levels above: their keys, and what travels with it.
fn ancestors(
    documents: &Documents,
    records: &BTreeMap<String, Record>,
    record: &Record,
    types: &mut Types,
) -> Result<(), GenerateError> {
    let mut chain = Vec::new();
    let mut at = record;
    while let Some(parent) = at.parent.as_ref().and_then(|name| records.get(name)) {
        chain.push(parent);
        at = parent;
    }
    // What is known of each level: from the record's own key and `with`, and from the keys of the levels themselves.
    let mut known: Vec<Vec<String>> = vec![Vec::new(); chain.len() + 1];
    let with = record.schema.pointer("/x-rollcall/with").and_then(paths).unwrap_or_default();
    collect(0, key(&record.schema).unwrap_or_default().into_iter().chain(with), &mut known);
    for (up, parent) in chain.iter().enumerate() {
        collect(up + 1, key(&parent.schema).unwrap_or_default(), &mut known);
    }
    // From the outermost level inward, so that each can name the one above.
    let mut above: Option<Member> = None;
    for (up, parent) in chain.iter().enumerate().rev() {
        let fields = &known[up + 1];
        let mut members = types
            .members(documents, &parent.place, &parent.name, |name, _| fields.iter().any(|field| field == name))?;
        members.extend(above.take());
        if members.is_empty() {
            continue;
        }
        let name = format!("{}Ancestors{}", record.name, if up == 0 { String::new() } else { (up + 1).to_string() });
        let about = format!("The `{}` that a `{}` stands in, as far as it travels with it.", parent.name, record.name);
        types.structs.insert(name.clone(), Struct { doc: about.clone(), members, open: false });
        above = Some(Member { name: "parent".to_owned(), doc: about, required: true, shape: Shape::Object(name) });
    }
    Ok(())
}

/// Sorts paths as seen from the level `up` into the levels that they lead to: `parent.id` is `id` of the next one.
fn collect(up: usize, paths: impl IntoIterator<Item = String>, known: &mut [Vec<String>]) {
    for path in paths {
        let mut rest = path.as_str();
        let mut level = up;
        while let Some(further) = rest.strip_prefix("parent.") {
            rest = further;
            level += 1;
        }
        let field = rest.split('.').next().unwrap_or_default().to_owned();
        if let Some(known) = known.get_mut(level) {
            known.push(field);
        }
    }
}

/// The enum `Record`, and how it is read.
fn union(
    records: &BTreeMap<String, Record>,
    bodies: &[(String, Struct)],
    types: &Types,
    out: &mut String,
) -> fmt::Result {
    let mut variants = String::new();
    let mut arms = String::new();
    let mut list = String::new();
    let mapped = records.iter().filter(|(_, record)| !record.kinds().is_empty());
    for (name, record, (rust, body)) in mapped.zip(bodies).map(|((name, record), body)| (name, record, body)) {
        let kinds = record.kinds();
        let lifetime = |borrows: bool| if borrows { "<'a>" } else { "" };
        let above = format!("{rust}Ancestors");
        let mut one = format!("{rust}{}", lifetime(print::borrows_members(types, &body.members)));
        let mut read = "read(body)?";
        if bodies.len() > 1 && body.members.len() > INLINE_MEMBERS_MAX {
            one = format!("Box<{one}>");
            read = "Box::new(read(body)?)";
        }
        if let Some(ancestors) = types.structs.get(&above) {
            let above = format!("{above}{}", lifetime(print::borrows_members(types, &ancestors.members)));
            writeln!(variants, "    /// A `{name}` and what it stands in.\n    {rust}({one}, {above}),")?;
            writeln!(arms, "            {name:?} => Ok(Self::{rust}({read}, read(ancestors)?)),")?;
        } else {
            writeln!(variants, "    /// A `{name}`.\n    {rust}({one}),")?;
            writeln!(arms, "            {name:?} => Ok(Self::{rust}({read})),")?;
        }
        writeln!(list, "        RecordType {{ name: {name:?}, kinds: &{kinds:?} }},")?;
    }
    if !variants.contains("'a") {
        variants.push_str(
            "    /// None is of this type.\n    None(std::convert::Infallible, std::marker::PhantomData<&'a ()>),\n",
        );
    }
    let ancestors = if arms.contains("ancestors") { "ancestors" } else { "_" };
    write!(
        out,
        "/// One record, whatever its type.\n#[derive(Debug, Clone, PartialEq)]\npub enum Record<'a> {{\n{variants}}}\n\n\
         impl<'a> Foreign<'a> for Record<'a> {{\n    const TYPES: &'static [RecordType] = &[\n{list}    ];\n\n    \
         fn read(name: &str, body: &'a [u8], {ancestors}: &'a [u8]) -> Result<Self, ReadError> {{\n        \
         match name {{\n{arms}            _ => Err(ReadError::unknown()),\n        }}\n    }}\n}}\n"
    )?;
    Ok(())
}

/// The table `KEYS`: what identifies the records of each type that stands by itself, mapped or not.
fn keys(records: &BTreeMap<String, Record>, out: &mut String) -> fmt::Result {
    writeln!(out, "\n/// Record types and the members of their keys.\npub const KEYS: Keys = &[")?;
    for (name, record) in records.iter().filter(|(_, record)| record.parent.is_none()) {
        writeln!(out, "    ({name:?}, &{:?}),", key(&record.schema).unwrap_or_default())?;
    }
    writeln!(out, "];")
}
