//! What a version's mapper makes of records, folded into entities.

use std::collections::BTreeMap;

use rollcall_core::canonical::Canonical;
use rollcall_core::description::{Partner, RecordType};
use rollcall_core::fold::{Claim, Rank, Statement, fold, is_stated};
use rollcall_core::ingest::{Loaded, WrittenRecord};
use rollcall_core::limits::Limits;
use rollcall_core::map::{self, Budget, Input, Mapped, Outcome, Severity};
use rollcall_core::note::Note;
use rollcall_core::record::Record;
use rollcall_core::store::RecordId;
use serde_json::Value;

use super::{Preview, PreviewError};

/// What a version maps with.
#[derive(Debug, Clone, Copy)]
pub struct Mapping<'p> {
    /// The kinds of entity.
    pub canonical: &'p Canonical,
    /// The partner and its mapper.
    pub loaded: &'p Loaded,
    /// The connection's options.
    pub options: &'p Value,
    /// The limits.
    pub limits: &'p Limits,
}

impl Mapping<'_> {
    /// What records become, beside what is known of them in `preview`.
    pub fn made_of(&self, records: &[Record<'_>], mut preview: Preview) -> Result<Preview, PreviewError> {
        let mut statements = Vec::new();
        for (nth, (record, mapped)) in records.iter().zip(self.map(records)?).enumerate() {
            tell(record, &mapped, &mut preview);
            if let Outcome::Contributions(contributions) = mapped.outcome {
                let of = contributions.into_iter().map(|said| (nth, Statement::new(said, self.canonical)));
                statements.extend(of);
            }
        }
        self.fold(records, &statements, &mut preview);
        Ok(preview)
    }

    /// What the records become that a call wrote, each as it is now; those are rejected that break their schema. Who wrote
    /// them may be another version; records of a type that only that one knows become nothing.
    pub fn written(&self, writer: &Partner, records: &[WrittenRecord]) -> Result<Preview, PreviewError> {
        let partner = &self.loaded.partner;
        let records: Vec<_> = records.iter().filter_map(|written| written.record(writer, partner)).collect();
        let is_broken = |record: &&Record<'_>| !record.look(|json| self.record_type(record).schema.is_valid(json));
        let note = |record: &Record<'_>| Note::new(record.pointer.clone(), "invalid", "it breaks its schema");
        let rejections = records.iter().filter(is_broken).map(note).collect();
        self.made_of(&records, Preview { rejections, ..Preview::default() })
    }

    /// What the sandboxed mapper makes of the records; of those without kinds, nothing.
    pub(super) fn map(&self, records: &[Record<'_>]) -> Result<Vec<Mapped>, PreviewError> {
        let has_kinds = |record: &Record<'_>| !self.record_type(record).kinds.is_empty();
        let mapped: Vec<_> = self.mapped(records).map(|record| (record, record.content.read())).collect();
        let inputs: Vec<_> = mapped.iter().map(|(record, body)| self.input(record, body)).collect();
        let options = self.options.to_string();
        let budget = Budget::new(self.limits);
        let mapped = self.loaded.mapper.map(self.canonical, options.as_bytes(), &inputs, &budget)?;
        let mut mapped = mapped.into_iter();
        let nothing = || Mapped { outcome: Outcome::Contributions(Vec::new()), diagnostics: Vec::new() };
        let all =
            records.iter().map(|record| has_kinds(record).then(|| mapped.next()).flatten().unwrap_or_else(nothing));
        Ok(all.collect())
    }

    /// The records that become something.
    pub(super) fn mapped<'r>(&self, records: &'r [Record<'r>]) -> impl Iterator<Item = &'r Record<'r>> {
        records.iter().filter(|record| !self.record_type(record).kinds.is_empty())
    }

    /// What a record is in this version.
    pub(super) fn record_type(&self, record: &Record<'_>) -> &RecordType {
        &self.loaded.partner.records[usize::from(record.of.0)]
    }

    /// A record as the mapper is given it.
    pub(super) fn input<'r>(&'r self, record: &'r Record<'_>, body: &'r [u8]) -> Input<'r> {
        let of = self.record_type(record);
        Input { record: &of.name, kinds: &of.kinds, body, ancestors: &record.ancestors }
    }

    /// What records say to entities.
    fn fold(&self, records: &[Record<'_>], statements: &[(usize, Statement)], preview: &mut Preview) {
        let mut claims: BTreeMap<_, Vec<Claim<'_>>> = BTreeMap::new();
        for (nth, statement) in statements {
            let record = &records[*nth];
            let rank = Rank { of: &self.record_type(record).name, key: &record.key };
            let name = (statement.contribution.kind, statement.contribution.source_id.as_str());
            let id = RecordId(i64::try_from(*nth).unwrap_or(i64::MAX));
            claims.entry(name).or_default().push(Claim { record: id, rank, statement });
        }
        for ((kind, source_id), mut claims) in claims.into_iter().filter(|(_, claims)| is_stated(claims)) {
            let kind = self.canonical.kind(kind);
            let folded = fold(kind, &mut claims);
            let fields = folded.fields.iter().filter_map(|(field, value)| {
                Some((kind.fields.get(usize::from(*field))?.name.clone(), value_of(value)))
            });
            let of_kind = preview.entities.entry(kind.name.clone()).or_default();
            of_kind.insert(source_id.to_owned(), fields.collect());
        }
    }
}

/// Puts what the mapper made of one record into the preview.
fn tell(record: &Record<'_>, mapped: &Mapped, preview: &mut Preview) {
    let bare = |code: &str, message: &str| Note::new(record.pointer.clone(), code, message);
    match &mapped.outcome {
        Outcome::Contributions(_) => {}
        Outcome::Refused => preview.refusals.push(bare("refused", "the mapper declines it")),
        Outcome::Fault(message) => preview.faults.push(bare("fault", message)),
    }
    let refused = mapped.outcome == Outcome::Refused;
    for diagnostic in &mapped.diagnostics {
        let place = record.place(&diagnostic.pointer);
        let note = Note::new(place, diagnostic.code.clone(), diagnostic.message.clone());
        match diagnostic.severity {
            Severity::Info => {}
            Severity::Error if refused => preview.refusals.push(note),
            Severity::Warning | Severity::Error => preview.warnings.push(note),
        }
    }
}

/// A field's value as JSON; references are the partner's own ids.
pub(super) fn value_of(value: &map::Value) -> Value {
    match value {
        map::Value::Text(text) | map::Value::Reference(text) => Value::String(text.clone()),
        map::Value::Integer(integer) => Value::from(*integer),
        map::Value::Number(spelled) => spelled.parse().map_or(Value::Null, Value::Number),
        map::Value::Boolean(boolean) => Value::Bool(*boolean),
        map::Value::Nested(json) => serde_json::from_str(json).unwrap_or_default(),
    }
}
