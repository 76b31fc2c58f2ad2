//! Turns `language` and `messages` into [`Messages`]: which codes there are, what each may be filled in with, and which
//! of them can occur.
//!
//! A client that reads French reads all of it in French: where the language is another one than ours, every code that
//! can occur needs a text.
//!
//! To add a code: a row in one of the tables here; where it can occur, in [`Occurring`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::Findings;
use super::outline::Outline;
use super::{
    Change, Level, Listed, Messages, Missing, Operation, ProblemClass, RecordType, RecordTypeId, Shape, Verb, WhenGone,
};
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION, keys, words};
use crate::table::ColumnForm;

/// What breaks a schema, by the word that it breaks, and what a text about it may be filled in with.
const KEYWORDS: [(&str, &[&str]); 27] = [
    ("type", &["field", "key", "expected"]),
    ("enum", &["field", "key", "expected"]),
    ("const", &["field", "key", "expected"]),
    ("format", &["field", "key", "expected"]),
    ("pattern", &["field", "key", "expected"]),
    ("anyOf", &["field", "key", "expected"]),
    ("oneOf", &["field", "key", "expected"]),
    ("required", &["field", "key"]),
    ("minLength", &["field", "key", "limit"]),
    ("maxLength", &["field", "key", "limit"]),
    ("minItems", &["field", "key", "limit"]),
    ("maxItems", &["field", "key", "limit"]),
    ("minimum", &["field", "key", "limit"]),
    ("maximum", &["field", "key", "limit"]),
    ("exclusiveMinimum", &["field", "key", "limit"]),
    ("exclusiveMaximum", &["field", "key", "limit"]),
    ("minProperties", &["field", "key", "limit"]),
    ("maxProperties", &["field", "key", "limit"]),
    ("multipleOf", &["field", "key", "limit"]),
    ("uniqueItems", &["field", "key"]),
    ("contains", &["field", "key"]),
    ("not", &["field", "key"]),
    ("propertyNames", &["field", "key"]),
    ("additionalProperties", &["field", "key"]),
    ("unevaluatedProperties", &["field", "key"]),
    ("unevaluatedItems", &["field", "key"]),
    ("falseSchema", &["field", "key"]),
];

/// Why a body cannot be read.
const UNREADABLE: [&str; 4] = ["encoding", "syntax", "duplicate-key", "depth"];

/// What becomes of a record, or keeps it from being taken.
const OUTCOMES: [(&str, &[&str]); 16] = [
    ("created", &["key"]),
    ("updated", &["key"]),
    ("unchanged", &["key"]),
    ("deleted", &["key"]),
    ("duplicate", &["key", "other"]),
    ("exists", &["key"]),
    ("unknown", &["key"]),
    ("unsupported", &["key"]),
    ("stale", &["key"]),
    ("reference", &["key", "field"]),
    ("referenced", &["key", "other"]),
    ("parked", &["key", "field", "other"]),
    ("quarantined", &["key", "field", "other"]),
    ("refused", &["key"]),
    ("fault", &["key"]),
    ("condition", &["field"]),
];

/// What a text about a rule may be filled in with.
const OF_RULES: &[&str] = &["field", "key", "other", "expected"];

/// Formats of OpenAPI that no value can break.
const FORMATS_UNCHECKED: [&str; 3] = ["int64", "double", "password"];

/// What is told of every record in a log, whatever becomes of it.
const TOLD_IN_LOGS: [&str; 6] = ["created", "updated", "unchanged", "deleted", "refused", "fault"];

/// The texts of a description, all of them checked.
pub(super) fn messages(
    document: &Document,
    outline: &Outline,
    operations: &[Operation],
    records: &[RecordType],
    findings: &mut Findings<'_>,
) -> Messages {
    let Some(root) = &outline.root else { return Messages::default() };
    let at = Pointer::root().member(EXTENSION);
    let mut texts = BTreeMap::new();
    for (code, message) in root.messages.iter().flatten() {
        let here = at.member("messages").member(code);
        let (text, level, text_at) = match message {
            keys::Message::Text(text) => (text, None, here.clone()),
            keys::Message::Leveled { text, level } => (text, Some(*level), here.member("text")),
        };
        match known(code, records) {
            Ok(placeholders) => check_placeholders(document, &text_at, text, placeholders, findings),
            Err(problem) => findings.report(problem.into_diagnostic(document, &here, code, records)),
        }
        texts.insert(code.clone(), (text.clone(), level));
    }
    if let Some(language) = &root.language {
        check_language(document, &at.member("language"), language, findings);
        if !language.starts_with("en") {
            let occurring = Occurring::of(document, outline, operations, records);
            check_covered(document, &at.member("language"), language, &occurring, &texts, findings);
        }
    }
    Messages::new(texts)
}

/// Why a code means nothing.
enum Unknown {
    Code,
    Record,
    NotAboutRecords,
}

/// What a text for `code` may be filled in with.
fn known(code: &str, records: &[RecordType]) -> Result<&'static [&'static str], Unknown> {
    let (code, record) = code.split_once('.').map_or((code, None), |(code, record)| (code, Some(record)));
    if record.is_some_and(|record| !records.iter().any(|of| of.name == record)) {
        return Err(Unknown::Record);
    }
    let about_records = KEYWORDS.iter().chain(&OUTCOMES).find(|(known, _)| *known == code);
    let of_rules = || records.iter().flat_map(|record| &record.rules).any(|rule| rule.code == code);
    match about_records {
        Some((_, placeholders)) => Ok(placeholders),
        None if of_rules() => Ok(OF_RULES),
        None if !about_calls().contains(&code) => Err(Unknown::Code),
        None if record.is_some() => Err(Unknown::NotAboutRecords),
        None => Ok(&[]),
    }
}

/// The codes of what can be wrong with a call as a whole.
fn about_calls() -> Vec<&'static str> {
    ProblemClass::ALL.into_iter().map(ProblemClass::word).chain(UNREADABLE).collect()
}

impl Unknown {
    fn into_diagnostic(self, document: &Document, at: &Pointer, code: &str, records: &[RecordType]) -> Diagnostic {
        let place = document.key_place(at);
        let (plain, record) = code.split_once('.').unwrap_or((code, ""));
        match self {
            Self::Code => {
                let rules = records.iter().flat_map(|record| &record.rules).map(|rule| rule.code.as_str());
                let known = KEYWORDS.iter().chain(&OUTCOMES).map(|(code, _)| *code).chain(about_calls()).chain(rules);
                Diagnostic::at(place, format!("nothing has the code `{plain}`")).did_you_mean(plain, known)
            }
            Self::Record => {
                let problem = Diagnostic::at(place, format!("there is no record `{record}`"));
                problem.did_you_mean(record, records.iter().map(|record| record.name.as_str()))
            }
            Self::NotAboutRecords => Diagnostic::at(place, format!("`{plain}` is about a call, not about a record")),
        }
    }
}

fn check_placeholders(document: &Document, at: &Pointer, text: &str, known: &[&str], findings: &mut Findings<'_>) {
    let mut offset = 0;
    while let Some(start) = text[offset..].find('{').map(|start| offset + start) {
        let Some(end) = text[start..].find('}').map(|end| start + end) else { return };
        let name = &text[start + 1..end];
        offset = start + 1;
        if Messages::is_placeholder(name) && !known.contains(&name) {
            let place = document.place(at).from_offset(start, end + 1 - start);
            let problem = Diagnostic::at(place, format!("this text is never filled in with `{name}`"));
            findings.report(match known {
                [] => problem.hint("it is about a call as a whole, and has no placeholders"),
                known => problem.did_you_mean(name, known.iter().copied()),
            });
        }
    }
}

/// A language tag: a language, and what else is said of it.
fn check_language(document: &Document, at: &Pointer, language: &str, findings: &mut Findings<'_>) {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = language.split('-').next().unwrap_or_default();
    let is_language = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_language || !language.split('-').all(is_part) {
        let problem = Diagnostic::at(document.place(at), format!("`{language}` is no language tag"));
        findings.report(problem.expected("expected one like fr or pt-BR"));
    }
}

fn check_covered(
    document: &Document,
    at: &Pointer,
    language: &str,
    occurring: &Occurring,
    texts: &BTreeMap<String, (String, Option<Level>)>,
    findings: &mut Findings<'_>,
) {
    let is_covered = |code: &str, record: Option<&str>| {
        texts.contains_key(code) || record.is_some_and(|record| texts.contains_key(&format!("{code}.{record}")))
    };
    let missing: BTreeSet<_> = occurring
        .codes
        .iter()
        .filter(|(code, record)| !is_covered(code, record.as_deref()))
        .map(|(code, _)| format!("`{code}`"))
        .collect();
    if !missing.is_empty() {
        let missing: Vec<_> = missing.into_iter().collect();
        let problem = format!("these can occur and have no text in `{language}`: {}", missing.join(", "));
        let problem = Diagnostic::at(document.place(at), problem);
        findings.report(problem.hint("add them to `messages`; `code.Record` is enough for what only that record has"));
    }
}

/// The codes that can occur, each with the record that it can occur for.
#[derive(Default)]
struct Occurring {
    codes: BTreeSet<(String, Option<String>)>,
}

impl Occurring {
    fn of(document: &Document, outline: &Outline, operations: &[Operation], records: &[RecordType]) -> Self {
        let mut occurring = Self::default();
        for operation in operations {
            occurring.operation(operation, records);
        }
        if outline.root.as_ref().is_some_and(|root| matches!(root.unknown, Some(keys::Unknown::Refuse))) {
            occurring.add("additionalProperties", None);
        }
        for at in sent(document, outline) {
            occurring.schema(document, outline, &at, None, &mut BTreeSet::new());
        }
        for (record, at) in records.iter().zip(&outline.records) {
            occurring.schema(document, outline, at, Some(&record.name), &mut BTreeSet::new());
            occurring.record(record, records);
        }
        occurring
    }

    fn add(&mut self, code: &str, record: Option<&str>) {
        self.codes.insert((code.to_owned(), record.map(str::to_owned)));
    }

    /// What can be wrong with a call, and what is told of its records.
    fn operation(&mut self, operation: &Operation, records: &[RecordType]) {
        // What says everything may be held; what a client changes by name never is.
        let is_held = matches!(operation.verb, Verb::Snapshot { .. }) && !operation.dry_run;
        for class in ProblemClass::ALL.into_iter().filter(|class| *class != ProblemClass::Held || is_held) {
            let content = operation.answer_to(class).and_then(|answer| answer.content.as_ref());
            if content.is_some_and(|(_, template)| template.speaks_of("problem")) {
                self.add(class.word(), None);
            }
        }
        let unreadable = operation.answer_to(ProblemClass::Malformed).and_then(|answer| answer.content.as_ref());
        if operation.body.is_some() && unreadable.is_some_and(|(_, template)| template.speaks_of("problem")) {
            for code in UNREADABLE {
                self.add(code, None);
            }
        }
        for media in operation.body.iter().flat_map(|body| &body.media) {
            self.shape(&media.shape, Some(Change::Upsert), media.as_of.is_some(), records);
        }
        if operation.paging.cursor.is_some() {
            self.add("format", None);
        }
        if matches!(operation.verb, Verb::List(Listed::Log { .. })) {
            for (code, record) in TOLD_IN_LOGS.iter().flat_map(|code| records.iter().map(move |of| (code, of))) {
                self.add(code, Some(&record.name));
            }
        }
    }

    /// What can keep records from being taken by where they stand; `change` is how they are changed, if always so.
    fn shape(&mut self, shape: &Shape, change: Option<Change>, is_dated: bool, records: &[RecordType]) {
        match shape {
            Shape::Plain => {}
            Shape::Record(RecordTypeId(id), _) | Shape::Key(RecordTypeId(id)) => {
                let record = records.get(usize::from(*id));
                let is_restricted = record.is_some_and(|record| !record.changes.is_empty());
                let codes = [
                    ("duplicate", change.is_some()),
                    ("exists", matches!(change, None | Some(Change::Insert))),
                    ("unknown", matches!(change, None | Some(Change::Update | Change::Delete))),
                    ("unsupported", is_restricted),
                    ("stale", is_dated),
                ];
                for (code, _) in codes.into_iter().filter(|(_, occurs)| *occurs) {
                    self.add(code, record.map(|record| record.name.as_str()));
                }
            }
            Shape::List(inner) | Shape::Unordered(inner) => self.shape(inner, change, is_dated, records),
            Shape::Changed(change, inner) => self.shape(inner, Some(*change), is_dated, records),
            Shape::Marked(_, inner) => self.shape(inner, None, is_dated, records),
            Shape::Either(one, other) => {
                self.shape(one, change, is_dated, records);
                self.shape(other, change, is_dated, records);
            }
            Shape::Object(members) => {
                for (_, inner) in members {
                    self.shape(inner, change, is_dated, records);
                }
            }
        }
    }

    /// What can keep a record from being taken by what is said of its type.
    fn record(&mut self, record: &RecordType, records: &[RecordType]) {
        if !record.changes.is_empty() {
            self.add("unsupported", Some(&record.name));
        }
        if is_found_by_text(record) {
            self.add("maxLength", Some(&record.name));
        }
        for rule in &record.rules {
            self.add(&rule.code, Some(&record.name));
        }
        for reference in &record.references {
            match reference.missing {
                Missing::Refuse => self.add("reference", Some(&record.name)),
                Missing::Accept => {}
                Missing::Park(_) => {
                    self.add("parked", Some(&record.name));
                    self.add("quarantined", Some(&record.name));
                }
            }
            if let (WhenGone::Refuse, Some(to)) = (reference.gone, records.get(usize::from(reference.to.0))) {
                self.add("referenced", Some(&to.name));
            }
        }
    }

    /// The words of a schema that a value can break; records in it are looked at by themselves.
    fn schema(
        &mut self,
        document: &Document,
        outline: &Outline,
        at: &Pointer,
        record: Option<&str>,
        seen: &mut BTreeSet<Pointer>,
    ) {
        let Some((at, schema)) = document.resolve(at) else { return };
        let is_other_record = outline.records.contains(&at) && (record.is_none() || !seen.is_empty());
        if is_other_record || !seen.insert(at.clone()) {
            return;
        }
        if *schema == Value::Bool(false) {
            self.add("falseSchema", record);
        }
        for (word, value) in schema.as_object().into_iter().flatten() {
            let occurs = match word.as_str() {
                "format" => value.as_str().is_some_and(|format| !FORMATS_UNCHECKED.contains(&format)),
                "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems" => *value == Value::Bool(false),
                word => KEYWORDS.iter().any(|(known, _)| *known == word),
            };
            match word.as_str() {
                "dependentRequired" => self.add("required", record),
                word if occurs => self.add(word, record),
                _ => {}
            }
        }
        // What a value is only compared with is never broken, and `false` there has a code of its own.
        let apart = ["if", "not", "contains", "propertyNames"].map(|word| at.member(word));
        for inner in words::subschemas(&at, schema).iter().filter(|inner| !apart.contains(inner)) {
            let is_closed = document.get(inner) == Some(&Value::Bool(false));
            if !(is_closed && KEYWORDS.iter().any(|(word, _)| *inner == at.member(word))) {
                self.schema(document, outline, inner, record, seen);
            }
        }
    }
}

/// Whether records are found by texts, which then may be too long whatever the schema says.
fn is_found_by_text(record: &RecordType) -> bool {
    let is_text = |name: &String| {
        let column = record.table.columns.iter().find(|column| column.property == *name);
        column.is_none_or(|column| column.form == ColumnForm::Text)
    };
    let mut keys = record.key.iter().filter_map(|field| field.path.last());
    keys.any(is_text) || record.indexes.iter().flatten().any(is_text)
}

/// Where schemas of bodies and parameters stand.
fn sent(document: &Document, outline: &Outline) -> Vec<Pointer> {
    let names = |at: &Pointer| {
        let members = document.get(at).and_then(Value::as_object);
        members.into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for operation in &outline.operations {
        if let Some((body, _)) = document.resolve(&operation.at.member("requestBody")) {
            let content = body.member("content");
            found.extend(names(&content).iter().map(|media| content.member(media).member("schema")));
        }
        for list in [operation.at.member("parameters"), operation.path_item.member("parameters")] {
            let items = document.get(&list).and_then(Value::as_array).map_or(0, Vec::len);
            let parameters = (0..items).filter_map(|nth| document.resolve(&list.item(nth)));
            found.extend(parameters.map(|(at, _)| at.member("schema")));
        }
    }
    found
}
