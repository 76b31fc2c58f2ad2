//! Turns [`Types`] into Rust source.

use std::fmt::{self, Write as _};

use crate::shape::{Member, Shape, Struct, Types, Words, pascal};

/// Words of Rust that a property may be called.
const KEYWORDS: [&str; 10] = ["type", "use", "ref", "match", "move", "mod", "in", "where", "loop", "for"];

/// Which way the values of a type go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Read from a partner's record.
    In,
    /// Written into a canonical entity.
    Out,
}

/// All structs and enums but those named in `except`.
pub(crate) fn types(types: &Types, way: Way, out: &mut String) -> fmt::Result {
    for (name, one) in &types.words {
        words(name, one, way, out)?;
    }
    for (name, one) in &types.structs {
        structure(types, name, one, way, out)?;
    }
    Ok(())
}

/// One struct.
pub(crate) fn structure(types: &Types, name: &str, one: &Struct, way: Way, out: &mut String) -> fmt::Result {
    doc(&one.doc, &format!("`{name}`"), "", out)?;
    let lifetime = if one.open || borrows_members(types, &one.members) { "<'a>" } else { "" };
    let (derive, prefix) = match way {
        Way::In => ("Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize", ""),
        Way::Out => ("Debug, Clone, Default, PartialEq, Serialize", "skip_serializing_if = "),
    };
    writeln!(out, "#[derive({derive})]\npub struct {name}{lifetime} {{")?;
    for member in &one.members {
        doc(&member.doc, &format!("`{}`", member.name), "    ", out)?;
        let shape = rust(types, &member.shape);
        let list = matches!(member.shape, Shape::List(_));
        // A list that is not required is empty where it is absent; whatever is written is optional while it is built.
        let optional = !list && (way == Way::Out || !member.required);
        let mut serde = vec![format!("rename = {:?}", member.name)];
        match way {
            Way::In if borrows(types, &member.shape) => serde.push("borrow".to_owned()),
            Way::Out if optional => serde.push(format!("{prefix}\"Option::is_none\"")),
            Way::Out if list && !member.required => serde.push(format!("{prefix}\"Vec::is_empty\"")),
            _ => {}
        }
        if way == Way::In && (list || optional) && !member.required {
            serde.push("default".to_owned());
        }
        writeln!(out, "    #[serde({})]", serde.join(", "))?;
        let shape = if optional { format!("Option<{shape}>") } else { shape };
        writeln!(out, "    pub {}: {shape},", snake(&member.name))?;
    }
    if one.open && way == Way::Out {
        out.push_str("    /// What has no name of its own.\n    #[serde(flatten)]\n    pub more: Open<'a>,\n");
    }
    out.push_str("}\n\n");
    Ok(())
}

fn words(name: &str, one: &Words, way: Way, out: &mut String) -> fmt::Result {
    doc(&one.doc, &format!("The words of `{name}`"), "", out)?;
    let lifetime = if one.open { "<'a>" } else { "" };
    let copy = if one.open { "" } else { "Copy, " };
    let derive = if way == Way::In { ", Hash, serde::Deserialize" } else { "" };
    writeln!(out, "#[derive({copy}Debug, Clone, PartialEq, Eq{derive})]\npub enum {name}{lifetime} {{")?;
    for word in &one.list {
        let rename = if way == Way::In { format!("    #[serde(rename = {word:?})]\n") } else { String::new() };
        writeln!(out, "    /// `{word}`\n{rename}    {},", pascal(word))?;
    }
    if one.open {
        out.push_str("    /// A word of one's own, which starts with `ext:`.\n    Ext(Text<'a>),\n");
    }
    out.push_str("}\n\n");
    let anonymous = if one.open { "<'_>" } else { "" };
    writeln!(out, "impl {name}{anonymous} {{\n    /// The word.")?;
    if one.open {
        writeln!(out, "    pub fn as_str(&self) -> &str {{\n        match self {{")?;
        for word in &one.list {
            writeln!(out, "            Self::{} => {word:?},", pascal(word))?;
        }
        out.push_str("            Self::Ext(word) => word,\n        }\n    }\n}\n\n");
    } else {
        // A table: some lists of words are long.
        writeln!(
            out,
            "    pub fn as_str(self) -> &'static str {{\n        {:?}[self as usize]\n    }}\n}}\n",
            one.list
        )?;
    }
    if way == Way::Out {
        writeln!(
            out,
            "impl Serialize for {name}{anonymous} {{\n    fn serialize<S: Serializer>(&self, to: S) -> \
             std::result::Result<S::Ok, S::Error> {{\n        to.serialize_str(self.as_str())\n    }}\n}}\n"
        )?;
    }
    Ok(())
}

/// The shape as a Rust type.
pub(crate) fn rust(types: &Types, shape: &Shape) -> String {
    match shape {
        Shape::Text => "Text<'a>".to_owned(),
        Shape::Flag => "Flag".to_owned(),
        Shape::Words(name) if types.words.get(name).is_some_and(|words| words.open) => format!("{name}<'a>"),
        Shape::Reference(kind) => format!("{}Ref<'a>", pascal(kind)),
        Shape::Integer => "i64".to_owned(),
        Shape::Number => "Number<'a>".to_owned(),
        Shape::Boolean => "bool".to_owned(),
        Shape::List(item) => format!("Vec<{}>", rust(types, item)),
        Shape::Object(name) if borrows(types, shape) => format!("{name}<'a>"),
        Shape::Words(name) | Shape::Object(name) => name.clone(),
        Shape::Open => "Open<'a>".to_owned(),
    }
}

/// Whether values of the shape borrow from the record or the mapper.
pub(crate) fn borrows(types: &Types, shape: &Shape) -> bool {
    match shape {
        Shape::Text | Shape::Number | Shape::Reference(_) | Shape::Open => true,
        Shape::Flag | Shape::Integer | Shape::Boolean => false,
        Shape::Words(name) => types.words.get(name).is_some_and(|words| words.open),
        Shape::List(item) => borrows(types, item),
        Shape::Object(name) => {
            types.structs.get(name).is_some_and(|one| one.open || borrows_members(types, &one.members))
        }
    }
}

/// Whether any of the members borrows.
pub(crate) fn borrows_members(types: &Types, members: &[Member]) -> bool {
    members.iter().any(|member| borrows(types, &member.shape))
}

/// A doc comment; `otherwise` where the schema says nothing.
pub(crate) fn doc(text: &str, otherwise: &str, indent: &str, out: &mut String) -> fmt::Result {
    let text = if text.is_empty() { otherwise } else { text };
    for line in text.lines() {
        writeln!(out, "{indent}/// {}", line.trim_end())?;
    }
    Ok(())
}

/// `givenName` in the spelling of a Rust field.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && lower {
            out.push('_');
        }
        lower = letter.is_lowercase() || letter.is_numeric();
        if letter.is_alphanumeric() { out.extend(letter.to_lowercase()) } else { out.push('_') }
    }
    if KEYWORDS.contains(&out.as_str()) { format!("r#{out}") } else { out }
}
