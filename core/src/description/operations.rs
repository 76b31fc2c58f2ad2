//! Turns the operations under `paths` into [`Operation`]s.
//!
//! One file per part of an operation; to add a verb, start in `operations/verbs.rs`.

mod answers;
mod bodies;
mod conditions;
mod form;
mod operator;
mod paging;
mod parameters;
mod security;
mod selection;
mod sparse;
#[cfg(test)]
mod tests;
mod verbs;

use std::collections::HashMap;

use serde_json::Value;

use super::findings::Findings;
use super::outline::{METHODS, OperationOutline, Outline};
use super::records::Records;
use super::template::Views;
use super::{Operation, Paging, Template};
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION};
use crate::validate::{Schema, Schemas};

/// Builds the operations of one document.
pub(super) struct Operations<'a, 'p, 'f> {
    document: &'a Document,
    outline: &'a Outline,
    schemas: &'p Schemas<'a>,
    records: &'p mut Records<'a>,
    findings: &'p mut Findings<'f>,
    /// What answers problems, by where its schema stands: most operations share one.
    problems: HashMap<Pointer, Option<Template>>,
    /// What answers show of records.
    views: Views,
}

impl<'a, 'p, 'f> Operations<'a, 'p, 'f> {
    /// Builds what `outline` tells of.
    pub(super) fn new(
        document: &'a Document,
        outline: &'a Outline,
        schemas: &'p Schemas<'a>,
        records: &'p mut Records<'a>,
        findings: &'p mut Findings<'f>,
    ) -> Self {
        Self { document, outline, schemas, records, findings, problems: HashMap::new(), views: Views::new() }
    }

    /// All operations, in the document's order.
    pub(super) fn all(mut self) -> Vec<Operation> {
        self.outline.operations.iter().flat_map(|outline| self.under_all(outline)).collect()
    }

    /// An operation under its own method, and the same under those that it names beside (`also`).
    fn under_all(&mut self, outline: &OperationOutline) -> Vec<Operation> {
        let mut operations: Vec<_> = self.build(outline).into_iter().collect();
        for (word, method) in outline.keys.also.iter().flatten().enumerate() {
            let at = outline.at.member(EXTENSION).member("also").item(word);
            let is_free = self.document.get(&outline.path_item.member(method)).is_none();
            if !METHODS.contains(&method.as_str()) || !is_free {
                let problem = if is_free { "there is no method" } else { "this path has an operation of its own for" };
                let problem = Diagnostic::at(self.document.place(&at), format!("{problem} `{method}`"));
                self.report(problem);
                continue;
            }
            let same = self.build(outline);
            operations.extend(same.map(|operation| Operation {
                id: format!("{}.{method}", operation.id),
                method: method.to_ascii_uppercase(),
                ..operation
            }));
        }
        operations
    }

    /// One operation; none if something is wrong with it.
    fn build(&mut self, outline: &OperationOutline) -> Option<Operation> {
        let at = &outline.at;
        let id = self.id(at);
        let parameters = self.parameters(outline);
        let word = if outline.is_flawed { None } else { self.verb_word(outline) };
        let mut paging = Paging::default();
        let body = self.body(outline, word, &mut paging);
        let verb = word.and_then(|word| self.verb(outline, word, &body.contents));
        self.parameter_roles(outline, verb.as_ref(), &mut paging);
        let security = self.security(outline);
        let names = self.request_names(&parameters);
        let must = self.must(outline, &names);
        let answers = self.answers(outline, verb.as_ref());
        Some(Operation {
            id: id?,
            method: outline.method.clone(),
            path: outline.path.clone(),
            verb: verb?,
            security,
            parameters,
            must,
            asynchronous: outline.keys.asynchronous == Some(true),
            dry_run: outline.keys.dry_run == Some(true),
            paging,
            body: body.body,
            answers,
        })
    }

    fn report(&mut self, problem: Diagnostic) {
        self.findings.report(problem);
    }

    fn id(&mut self, at: &Pointer) -> Option<String> {
        let id = self.document.get(&at.member("operationId")).and_then(Value::as_str).map(str::to_owned);
        if id.is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "this operation has no `operationId`");
            self.report(problem.hint("deliveries and logs call it by that name"));
        }
        id
    }

    fn compile(&mut self, at: &Pointer) -> Option<Schema> {
        let schema = self.schemas.compile(at.as_str());
        self.compiled(at, schema)
    }

    /// A schema, or a mistake in it: only if nothing else has been said, because that was said better.
    fn compiled(&mut self, at: &Pointer, schema: Result<Schema, String>) -> Option<Schema> {
        match schema {
            Ok(schema) => Some(schema),
            Err(_) if !self.findings.problems.is_empty() => None,
            Err(reason) => {
                self.report(Diagnostic::at(self.document.key_place(at), format!("not a schema: {reason}")));
                None
            }
        }
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
