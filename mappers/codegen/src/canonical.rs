//! Turns `schemas/canonical/*.yaml` into a struct per kind that is an entity of the SDK.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::GenerateError;
use crate::document::{Documents, Place};
use crate::print::{self, Way};
use crate::shape::{Member, Shape, Struct, Types, doc, pascal};

pub(crate) fn generate(folder: &Path) -> Result<String, GenerateError> {
    let documents = Documents::default();
    let mut types = Types::default();
    let mut kinds = Vec::new();
    for file in files(folder)? {
        let place = Place::root(&file);
        let (_, schema) = documents.resolve(&place)?;
        let Some(kind) = schema.pointer("/x-rollcall/kind").and_then(Value::as_str) else { continue };
        let written = |_: &str, property: &Value| property.get("readOnly") != Some(&Value::Bool(true));
        let name = pascal(kind);
        let members = types.members(&documents, &place, &name, written)?;
        kinds.push((kind.to_owned(), Struct { doc: doc(&schema), members, open: false }));
    }
    let mut out = String::new();
    references(&kinds, &types, &mut out)?;
    print::types(&types, Way::Out, &mut out)?;
    for (nth, (kind, one)) in kinds.iter().enumerate() {
        print::structure(&types, &pascal(kind), one, Way::Out, &mut out)?;
        entity(nth, kind, one, &types, &mut out)?;
    }
    vocabulary(&kinds, &mut out)?;
    Ok(out)
}

fn files(folder: &Path) -> Result<BTreeSet<std::path::PathBuf>, GenerateError> {
    let failed = |error: std::io::Error| GenerateError::new(folder.display().to_string(), error.to_string());
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.insert(path);
        }
    }
    Ok(files)
}

/// A type per kind that is referred to, so that a class cannot stand where an org belongs.
fn references(kinds: &[(String, Struct)], types: &Types, out: &mut String) -> fmt::Result {
    let all = kinds.iter().map(|(_, one)| one).chain(types.structs.values());
    let mut to = BTreeSet::new();
    for member in all.flat_map(|one| &one.members) {
        let shape = if let Shape::List(item) = &member.shape { item } else { &member.shape };
        if let Shape::Reference(kind) = shape {
            to.insert(kind.clone());
        }
    }
    for kind in to {
        let name = format!("{}Ref", pascal(&kind));
        writeln!(
            out,
            "/// Refers to the `{kind}` of this source id.\n\
             #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]\n\
             #[serde(transparent)]\n\
             pub struct {name}<'a>(pub Text<'a>);\n\n\
             impl<'a, T: Into<Text<'a>>> From<T> for {name}<'a> {{\n    \
             fn from(source_id: T) -> Self {{\n        Self(source_id.into())\n    }}\n}}\n"
        )?;
    }
    Ok(())
}

/// How the values of a kind are handed to the host: field by field, by number.
fn entity(nth: usize, kind: &str, one: &Struct, types: &Types, out: &mut String) -> fmt::Result {
    let anonymous = if print::borrows_members(types, &one.members) { "<'_>" } else { "" };
    writeln!(out, "impl Entity for {}{anonymous} {{\n    const KIND: u16 = {nth};\n", pascal(kind))?;
    out.push_str("    fn write(&self, fields: &mut Fields<'_>) {\n");
    for (index, member) in one.members.iter().enumerate() {
        writeln!(out, "        {}", field(index, member))?;
    }
    out.push_str("    }\n}\n\n");
    Ok(())
}

fn field(index: usize, member: &Member) -> String {
    let name = print::snake(&member.name);
    if matches!(member.shape, Shape::List(_)) {
        let write = format!("fields.nested({index}, &self.{name});");
        return if member.required { write } else { format!("if !self.{name}.is_empty() {{ {write} }}") };
    }
    let write = match member.shape {
        Shape::Text => format!("fields.text({index}, value)"),
        Shape::Flag | Shape::Words(_) => format!("fields.text({index}, value.as_str())"),
        Shape::Reference(_) => format!("fields.reference({index}, &value.0)"),
        Shape::Integer => format!("fields.integer({index}, *value)"),
        Shape::Number => format!("fields.number({index}, value)"),
        Shape::Boolean => format!("fields.boolean({index}, *value)"),
        Shape::Object(_) | Shape::Open | Shape::List(_) => format!("fields.nested({index}, value)"),
    };
    format!("if let Some(value) = &self.{name} {{ {write}; }}")
}

/// The names of all kinds and fields, in the order of their numbers.
fn vocabulary(kinds: &[(String, Struct)], out: &mut String) -> fmt::Result {
    out.push_str("/// All kinds with their fields, in the order of their numbers.\npub const KINDS: &[Kind] = &[\n");
    for (kind, one) in kinds {
        let names: Vec<&str> = one.members.iter().map(|member| member.name.as_str()).collect();
        writeln!(out, "    Kind {{ name: {kind:?}, fields: &{names:?} }},")?;
    }
    out.push_str("];\n");
    Ok(())
}
