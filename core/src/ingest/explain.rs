//! Turns a stored record into why an entity says what it says: which version made that, and which values of the record each
//! field depends on.
//!
//! Nothing is kept for that. Mapping is a pure function of the stored record, so it is done again, with one value changed or
//! left out at a time. Which version made what is stored, the record's digest tells: whoever has that of another version
//! tries that one.

use serde::Serialize;

use super::{Ingest, Loaded, Sender, options_text};
use crate::bundle::VersionId;
use crate::canonical::{Join, Kind, KindId};
use crate::description::RecordTypeId;
use crate::digest::Digest;
use crate::fold::{Claim, Rank, Statement, fold};
use crate::json::{Json, Pointer};
use crate::map::{Budget, Effect, Input, MapError, Outcome, Place};
use crate::store::read::Source;
use crate::store::{RecordId, StoreError};

/// What the places in a record's ancestors start with.
const PARENT: &str = "parent";

/// A stored record, about to be explained.
#[derive(Debug)]
pub struct Recalled {
    /// The record type's name.
    of: String,
    /// What it was when it was last mapped well.
    digest: Option<Digest>,
    body: Vec<u8>,
    ancestors: Vec<u8>,
}

/// Why an entity says what it says, as far as one record is the reason.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The version of the partner.
    pub version: VersionId,
    /// The mapper's version, as it says itself.
    pub mapper: String,
    /// Whether what is stored was made by this very version, with the options of now.
    pub made: bool,
    /// What decides that the record speaks of the entity: places in the record, and from `/parent` on in what it stands in.
    pub exists: Vec<Pointer>,
    /// What it says of the entity, in the order of the kind's fields.
    pub fields: Vec<Because>,
    /// Values that were not tried because there are more than `places_per_record_max`.
    pub untried: usize,
    #[serde(skip)]
    statements: Vec<Statement>,
}

/// Why a record says something in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Because {
    /// The field's name.
    pub field: String,
    /// Whether it is what the entity says: no other record is asked before.
    pub counts: bool,
    /// The values that it depends on, as in [`Explanation::exists`]. Where there are none, it is said whatever they are.
    pub pointers: Vec<Pointer>,
}

impl Ingest {
    /// Reads a record through a version; `None` if it is no longer there, or the version has no such records.
    pub async fn recall(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        source: &Source,
    ) -> Result<Option<Recalled>, StoreError> {
        let partner = &loaded.partner;
        let Some((of, _)) = (0..).zip(&partner.records).find(|(_, one)| one.name == source.record) else {
            return Ok(None);
        };
        let of = RecordTypeId(of);
        let connection = self.connect(sender, loaded).await?;
        let keys = [key(source)];
        let held = self.store.records_by_key(&connection, partner, of, &keys).await?;
        let Some(held) = held.into_iter().flatten().next() else { return Ok(None) };
        let body = self.store.bodies(&connection, partner, of, &[held.id]).await?.concat();
        let ancestors = self.store.keeper().ancestors(&connection, partner, of, &[held.id]).await?.concat();
        Ok(Some(Recalled { of: source.record.clone(), digest: held.digest, body, ancestors }))
    }

    /// Whether what is stored of a record was made by this version, with the options of now.
    pub fn has_made(&self, sender: &Sender, loaded: &Loaded, recalled: &Recalled) -> bool {
        let Recalled { of, digest, body, ancestors } = recalled;
        let mapping = self.mapping(loaded, &options_text(&sender.options));
        *digest == Some(Digest::of_parts([mapping.as_bytes().as_slice(), of.as_bytes(), body, ancestors]))
    }

    /// Explains what a record says of an entity, by a version; `None` if by that version it says nothing.
    ///
    /// Maps the record as often as it has values: must run on a thread that may block.
    pub fn explain(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        recalled: &Recalled,
        kind: KindId,
        source_id: &str,
    ) -> Result<Option<Explanation>, MapError> {
        let Some(of) = loaded.partner.records.iter().find(|one| one.name == recalled.of) else { return Ok(None) };
        let Recalled { body, ancestors, .. } = recalled;
        let input = Input { record: &of.name, kinds: &of.kinds, body, ancestors };
        let options = options_text(&sender.options);
        let said = loaded.mapper.map(&self.canonical, &options, &[input], &Budget::new(&self.limits))?;
        let statements: Vec<_> = said
            .into_iter()
            .flat_map(|mapped| match mapped.outcome {
                Outcome::Contributions(said) => said,
                Outcome::Refused | Outcome::Fault(_) => Vec::new(),
            })
            .filter(|said| said.kind == kind && said.source_id == source_id)
            .map(|said| Statement::new(said, &self.canonical))
            .collect();
        if statements.is_empty() {
            return Ok(None);
        }
        let reliance = loaded.mapper.reliance(&self.canonical, &options, &input, &self.limits)?;
        let mut explanation = Explanation {
            version: loaded.version,
            mapper: loaded.mapper.version().to_owned(),
            made: self.has_made(sender, loaded, recalled),
            exists: Vec::new(),
            fields: said_of(self.canonical.kind(kind), &statements),
            untried: reliance.untried,
            statements,
        };
        let above = |place: Place| Place { pointer: above(&place.pointer), ..place };
        let kind = (kind, self.canonical.kind(kind));
        for place in reliance.body.into_iter().chain(reliance.ancestors.into_iter().map(above)) {
            explanation.add(place, kind, source_id);
        }
        Ok(Some(explanation))
    }
}

impl Explanation {
    /// Takes in what depends on one value.
    fn add(&mut self, Place { pointer, effects }: Place, (id, kind): (KindId, &Kind), source_id: &str) {
        for effect in effects {
            match effect {
                Effect::Field(of, name, field) if of == id && name == source_id => {
                    let field = kind.fields.get(usize::from(field));
                    let because = self.fields.iter_mut().find(|one| field.is_some_and(|field| field.name == one.field));
                    if let Some(because) = because {
                        because.pointers.push(pointer.clone());
                    }
                }
                Effect::Entity(of, name) if of == id && name == source_id => self.exists.push(pointer.clone()),
                Effect::Record => self.exists.push(pointer.clone()),
                Effect::Field(..) | Effect::Entity(..) => {}
            }
        }
    }
}

/// Finds out what of what several records say of one entity is what the entity says.
pub fn weigh(kind: &Kind, all: &mut [(&Source, &mut Explanation)]) {
    let keys: Vec<_> = all.iter().map(|(source, _)| key(source)).collect();
    let mut claims = Vec::new();
    for ((nth, (source, explanation)), key) in (0..).zip(all.iter()).zip(&keys) {
        let rank = Rank { of: &source.record, key };
        let of_record = explanation.statements.iter();
        claims.extend(of_record.map(|statement| Claim { record: RecordId(nth), rank, statement }));
    }
    if claims.is_empty() {
        return;
    }
    let folded = fold(kind, &mut claims).fields.into_owned();
    for (_, explanation) in all {
        let (statements, fields) = (&explanation.statements, &mut explanation.fields);
        for because in fields {
            let Some((at, field)) = (0..).zip(&kind.fields).find(|(_, field)| field.name == because.field) else {
                continue;
            };
            let says = |statement: &Statement| {
                let own = statement.contribution.fields.iter().find(|(field, _)| *field == at);
                own.is_some_and(|own| folded.contains(own))
            };
            because.counts = field.join == Join::Union || statements.iter().any(says);
        }
    }
}

/// What is said in any of the statements.
fn said_of(kind: &Kind, statements: &[Statement]) -> Vec<Because> {
    let is_said = |at: u16| {
        statements.iter().any(|statement| statement.contribution.fields.iter().any(|(field, _)| *field == at))
    };
    let said = (0..).zip(&kind.fields).filter(|(at, _)| is_said(*at));
    said.map(|(_, field)| Because { field: field.name.clone(), counts: true, pointers: Vec::new() }).collect()
}

/// The record's key as it is stored.
fn key(source: &Source) -> String {
    const DEPTH_MAX: u32 = 4;
    let text = source.key.to_string();
    let canonical = Json::parse(text.as_bytes(), DEPTH_MAX).map(|key| key.to_bytes());
    canonical.ok().and_then(|key| String::from_utf8(key).ok()).unwrap_or(text)
}

fn above(pointer: &Pointer) -> Pointer {
    pointer.steps().fold(Pointer::root().member(PARENT), |above, step| above.member(&step))
}
