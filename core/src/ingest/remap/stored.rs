//! Reads records as they are stored, and makes of them what another version takes them for.

use std::collections::BTreeSet;

use super::super::mapping::Changed;
use crate::description::{Partner, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::json::Json;
use crate::reconcile::Resulting;
use crate::record::Record;
use crate::state::State;
use crate::store::{Connection, HeldRecord, Store, StoreError};

/// A record as it is stored.
pub(super) struct Stored<'h> {
    /// Its type is that of the version which it is read through.
    pub(super) held: &'h HeldRecord,
    body: Vec<u8>,
    ancestors: Vec<u8>,
}

/// Reads records, which stand type by type, through a version.
pub(super) async fn read<'h>(
    store: &dyn Store,
    connection: &Connection,
    through: &Partner,
    held: &'h [HeldRecord],
) -> Result<Vec<Stored<'h>>, StoreError> {
    let mut all = Vec::with_capacity(held.len());
    for alike in held.chunk_by(|one, other| one.of == other.of) {
        let of = alike[0].of;
        let ids: Vec<_> = alike.iter().map(|held| held.id).collect();
        let bodies = store.bodies(connection, through, of, &ids).await?;
        let ancestors = store.keeper().ancestors(connection, through, of, &ids).await?;
        let both = alike.iter().zip(bodies).zip(ancestors);
        all.extend(both.map(|((held, body), ancestors)| Stored { held, body, ancestors }));
    }
    Ok(all)
}

impl Stored<'_> {
    /// The record as a version takes it to which `of` is its type; `setting` is what its mapping depends on beside it.
    pub(super) fn record(&self, of: RecordTypeId, partner: &Partner, setting: Digest, depth_max: u32) -> Record<'_> {
        let body = Json::parse(&self.body, depth_max).unwrap_or(Json::Null);
        let of_type = &partner.records[usize::from(of.0)];
        Record::stored(of, of_type, self.held.key.clone(), body, self.ancestors.clone(), setting)
    }
}

/// Records that are to be mapped anew.
pub(super) struct Again {
    records: Vec<(Record<'static>, Option<Resulting>)>,
}

impl Again {
    /// These; each with when it was true, if that is known.
    pub(super) fn new(records: Vec<(Record<'static>, Option<i64>)>, partner: &Partner) -> Self {
        let whole = checked_as_a_whole(partner);
        let with_more = records.into_iter().map(|(record, as_of)| {
            let resulting = (!whole.contains(&record.of)).then(|| resulting(record.of, as_of));
            (record, resulting)
        });
        Self { records: with_more.collect() }
    }

    pub(super) fn changed<'r>(
        &'r self,
        state: &'r State,
        partner: &'r Partner,
        next_record: i64,
    ) -> Changed<'r, 'static> {
        let records = self.records.iter().map(|(record, resulting)| (record, resulting.as_ref()));
        Changed::again(records, state, partner, next_record)
    }

    pub(super) fn records(&self) -> impl ExactSizeIterator<Item = &Record<'static>> {
        self.records.iter().map(|(record, _)| record)
    }
}

fn resulting(of: RecordTypeId, as_of: Option<i64>) -> Resulting {
    Resulting {
        of,
        key: String::new(),
        body: Vec::new().into(),
        pointer: None,
        as_of,
        waits: None,
        entry: None,
        sorted: Vec::new(),
    }
}

/// The record types of payloads that are checked as a whole. Who of them waits is noted nowhere, because the whole comes
/// again.
fn checked_as_a_whole(partner: &Partner) -> BTreeSet<RecordTypeId> {
    let media = partner.operations.iter().filter_map(|operation| operation.body.as_ref()).flat_map(|body| &body.media);
    let mut found = BTreeSet::new();
    for media in media.filter(|media| !media.one_by_one) {
        reached(&media.shape, &mut found);
    }
    found
}

fn reached(shape: &Shape, found: &mut BTreeSet<RecordTypeId>) {
    match shape {
        Shape::Plain | Shape::Key(_) => {}
        Shape::Object(members) => {
            for (_, shape) in members {
                reached(shape, found);
            }
        }
        Shape::List(items) | Shape::Unordered(items) | Shape::Changed(_, items) | Shape::Marked(_, items) => {
            reached(items, found);
        }
        Shape::Record(of, members) => {
            found.insert(*of);
            for (_, shape) in members {
                reached(shape, found);
            }
        }
        Shape::Either(one, other) => {
            reached(one, found);
            reached(other, found);
        }
    }
}
