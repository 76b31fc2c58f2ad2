//! Says of versions of a record whether they speak of someone who is marked, and whether they can stand.

use super::traces::Traces;
use super::{EraseError, Ingest, Loaded, Sender};
use crate::description::{By, FieldPath, RecordType, RecordTypeId};
use crate::erasure::{Going, Saying, Search, Verdict, each};
use crate::identity::Namespace;
use crate::ingest::options_text;
use crate::json::{Json, Object, Pointer};
use crate::limits::Limits;
use crate::map::{Budget, Contribution, Input, Outcome};

/// The member of a version that holds the record.
const BODY: &str = "body";

/// The member of a version that holds the record's ancestors.
const ANCESTORS: &str = "ancestors";

/// Levels of nesting in what is looked at: it was checked when it came.
pub(super) const DEPTH_MAX: u32 = 1_024;

/// A record with its ancestors, both JSON, as one document.
pub(super) fn document(body: &[u8], ancestors: &[u8]) -> Vec<u8> {
    [b"{\"ancestors\":".as_slice(), ancestors, b",\"body\":", body, b"}"].concat()
}

/// The record's and the ancestors' part of a document.
pub(super) fn parted<'f, 'j>(document: &'f Json<'j>) -> (&'f Json<'j>, &'f Json<'j>) {
    const NULL: &Json<'static> = &Json::Null;
    let part = |name| document.get(name).unwrap_or(NULL);
    (part(BODY), part(ANCESTORS))
}

/// A place in a document as a place in the record; `None` if it is in its ancestors.
pub(super) fn in_body(place: &Pointer) -> Option<Pointer> {
    Some(place.as_str().strip_prefix("/body")?.into())
}

/// What judges.
pub(super) struct Judge<'j> {
    ingest: &'j Ingest,
    loaded: &'j Loaded,
    traces: &'j Traces,
    namespace: Namespace,
    options: Vec<u8>,
    limits: Limits,
}

impl<'j> Judge<'j> {
    pub(super) fn new(ingest: &'j Ingest, sender: &Sender, loaded: &'j Loaded, traces: &'j Traces) -> Self {
        let namespace = Namespace::of(&sender.tenant, &sender.connection);
        let mut limits = ingest.limits.clone();
        limits.mapper.faults_per_delivery_max = usize::MAX; // what is tried may well fail
        Self { ingest, loaded, traces, namespace, options: options_text(&sender.options), limits }
    }

    fn record_type(&self, of: RecordTypeId) -> &'j RecordType {
        &self.loaded.partner.records[usize::from(of.0)]
    }

    /// Whether what a record said when it was last mapped speaks of someone who is marked.
    pub(super) fn is_said(&self, said: &[Contribution]) -> bool {
        self.traces.has_any(said, &self.ingest.canonical, self.namespace)
    }

    /// What has to go of a document that speaks.
    pub(super) fn going(&self, of: RecordTypeId, document: &Json<'_>) -> Result<Going, EraseError> {
        let record = self.record_type(of);
        let is_key = |name: &str| {
            let first = |field: &FieldPath| field.up == 0 && field.path.first().is_some_and(|first| first == name);
            record.key.iter().any(first)
        };
        let members = parted(document).0.as_object().into_iter().flat_map(Object::iter);
        let body = Pointer::root().member(BODY);
        let members: Vec<_> = members.filter(|(name, _)| !is_key(name)).map(|(name, _)| body.member(name)).collect();
        let judge = |versions: &[Json<'_>]| self.verdicts(of, versions);
        Search::new(document, &judge).going(&members)
    }

    /// Judges versions of a record of one type.
    pub(super) fn verdicts(&self, of: RecordTypeId, versions: &[Json<'_>]) -> Result<Vec<Verdict>, EraseError> {
        let all: Vec<_> = versions.iter().map(|version| (of, version)).collect();
        self.verdicts_of(&all)
    }

    /// Judges documents, each of a type of its own, in one go.
    pub(super) fn verdicts_of(&self, all: &[(RecordTypeId, &Json<'_>)]) -> Result<Vec<Verdict>, EraseError> {
        let mut verdicts: Vec<_> = all.iter().map(|(of, document)| self.unmapped(*of, document)).collect();
        let bytes: Vec<_> = all
            .iter()
            .map(|(_, document)| {
                let (body, ancestors) = parted(document);
                (body.to_bytes(), ancestors.to_bytes())
            })
            .collect();
        let is_mapped = |nth: &usize| !self.record_type(all[*nth].0).kinds.is_empty();
        let mapped: Vec<_> = (0..all.len()).filter(is_mapped).collect();
        let inputs: Vec<_> = mapped
            .iter()
            .map(|nth| {
                let record = self.record_type(all[*nth].0);
                let (body, ancestors) = &bytes[*nth];
                Input { record: &record.name, kinds: &record.kinds, body, ancestors }
            })
            .collect();
        let budget = Budget::new(&self.limits);
        let answers = self.loaded.mapper.map(&self.ingest.canonical, &self.options, &inputs, &budget)?;
        for (nth, answer) in mapped.into_iter().zip(answers) {
            match answer.outcome {
                Outcome::Contributions(said) => verdicts[nth].speaks |= self.is_said(&said),
                Outcome::Refused | Outcome::Fault(_) => verdicts[nth].stands = false,
            }
        }
        Ok(verdicts)
    }

    /// What can be said of a document without its mapper.
    pub(super) fn unmapped(&self, of: RecordTypeId, document: &Json<'_>) -> Verdict {
        let record = self.record_type(of);
        let body = parted(document).0;
        let stands = record.schema.violations(body, 1).notes.is_empty();
        let mut speaks = self.refers(record, body);
        each(document, &mut |saying| {
            speaks |= match saying {
                Saying::Text(text) => self.traces.has_text(text),
                // Who is who in what is mapped, the mapper says.
                Saying::Item(json) => record.kinds.is_empty() && self.traces.has_object(&json),
            };
        });
        Verdict { speaks, stands }
    }

    /// Whether a record refers to one that goes.
    fn refers(&self, record: &RecordType, body: &Json<'_>) -> bool {
        let at = |path: &[String]| path.iter().try_fold(body, |json, name| json.get(name));
        let list = |parts: Vec<Json<'_>>| String::from_utf8(Json::List(parts).to_bytes()).unwrap_or_default();
        record.references.iter().any(|reference| {
            let to = &self.record_type(reference.to).name;
            let has = |parts: Vec<Json<'_>>| self.traces.has_record(to, &list(parts));
            match &reference.by {
                By::Key(paths) => {
                    let parts: Option<Vec<_>> = paths.iter().map(|path| at(path).cloned()).collect();
                    parts.is_some_and(has)
                }
                By::Items(member) => {
                    let items = body.get(member).and_then(Json::as_list).unwrap_or_default();
                    items.iter().any(|item| has(vec![item.clone()]))
                }
                By::Word { own, word, says } => {
                    let is_meant = body.get(word).and_then(Json::as_text) == Some(says);
                    is_meant && body.get(own).is_some_and(|key| has(vec![key.clone()]))
                }
                By::Members(_) => false,
            }
        })
    }
}
