//! What comes in from another hub as a webhook, and what goes out to subscribers as one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::mapping::Changed;
use super::resource::Acted;
use super::work::Work;
use crate::description::{ProblemClass, RecordTypeId};
use crate::event;
use crate::json::Json;
use crate::map::CallEvent;
use crate::resource::{Changes, Members, Stop};
use crate::store::{Connection, Matching, NewSend, RecordId, StoreError};

impl Work<'_> {
    /// Writes, or removes, the record that a received webhook is about.
    pub(super) async fn take_in(&self, changes: &mut Changes<'_>, sent: Option<&Json<'_>>) -> Result<Acted, Stop> {
        let partner = &self.loaded.partner;
        let (Some(sent), Some(webhooks)) = (sent, &partner.webhooks) else { return Ok(Acted::default()) };
        let body = sent.to_value();
        let heard = event::hear(partner, webhooks, &body);
        let Some(heard) = heard.map_err(|note| Stop::one(ProblemClass::Invalid, note))? else {
            return Ok(Acted::default());
        };
        if heard.is_gone {
            changes.remove(heard.of, &heard.key).await?;
        } else {
            let before = changes.look(heard.of, &heard.key).await?.after.clone();
            let mut members = before.clone().unwrap_or_default();
            members.extend(heard.record.clone());
            let members = changes.complete(heard.of, members, before.as_ref()).await?;
            changes.put(heard.of, members, true).await?;
        }
        Ok(Acted { subject: Some((heard.of, heard.key)), ..Acted::default() })
    }

    /// What subscribers are to be told of a payload's records, whichever way it was looked at.
    pub(super) async fn sends_of_payload(
        &self,
        connection: &Connection,
        changed: &Changed<'_, '_>,
    ) -> Result<Vec<NewSend>, StoreError> {
        let partner = &self.loaded.partner;
        let Some(webhooks) = &partner.webhooks else { return Ok(Vec::new()) };
        let steps: Vec<_> = changed.before_and_after().filter(|step| event::is_told(webhooks, step.of)).collect();
        let mut stored: BTreeMap<RecordTypeId, Vec<RecordId>> = BTreeMap::new();
        for held in steps.iter().filter_map(|step| step.held) {
            stored.entry(held.of).or_default().push(held.id);
        }
        let mut said: BTreeMap<RecordId, Members> = BTreeMap::new();
        for (of, records) in stored {
            let bodies = self.ingest.store.bodies(connection, partner, of, &records).await?;
            said.extend(records.into_iter().zip(bodies.iter().map(|body| members(body))));
        }
        let bodies: Vec<_> = steps.iter().map(|step| step.body.as_deref().map(members)).collect();
        let records = steps.iter().zip(&bodies).map(|(step, body)| event::Change {
            of: step.of,
            key: step.key,
            before: step.held.and_then(|held| said.get(&held.id)),
            after: body.as_ref(),
        });
        let records: Vec<_> = records.collect();
        self.raise(connection, event::Happened { changes: &records, calls: &[] }).await
    }

    /// What subscribers are to be told of single records. What came from elsewhere is not told on.
    pub(super) async fn sends(
        &self,
        connection: &Connection,
        changes: &Changes<'_>,
        events: &[CallEvent],
        is_received: bool,
    ) -> Result<Vec<NewSend>, StoreError> {
        let partner = &self.loaded.partner;
        let Some(webhooks) = partner.webhooks.as_ref().filter(|_| !is_received) else { return Ok(Vec::new()) };
        let drafts = changes.drafts();
        let of_records: Vec<_> = drafts
            .iter()
            .filter(|draft| draft.is_change() && event::is_told(webhooks, draft.of))
            .map(|draft| event::Change {
                of: draft.of,
                key: &draft.key,
                before: draft.before.as_ref(),
                after: draft.after.as_ref(),
            })
            .collect();
        let said = |event: &CallEvent| {
            let key = Value::Array(event.key.clone()).to_string();
            let draft = drafts
                .iter()
                .find(|draft| partner.records[usize::from(draft.of.0)].name == event.of && draft.key == key)?;
            Some((event.event.clone(), draft, draft.after.as_ref().or(draft.before.as_ref())?))
        };
        let said: Vec<_> = events.iter().filter_map(said).collect();
        let calls =
            said.iter().map(|(event, draft, record)| event::Call { event, of: draft.of, key: &draft.key, record });
        let calls: Vec<_> = calls.collect();
        self.raise(connection, event::Happened { changes: &of_records, calls: &calls }).await
    }

    /// Tells all subscribers that want to know.
    async fn raise(&self, connection: &Connection, happened: event::Happened<'_>) -> Result<Vec<NewSend>, StoreError> {
        let (partner, ingest) = (&self.loaded.partner, self.ingest);
        let Some(webhooks) = &partner.webhooks else { return Ok(Vec::new()) };
        if happened.changes.is_empty() && happened.calls.is_empty() {
            return Ok(Vec::new());
        }
        let of = webhooks.subscription;
        let held = ingest.store.records_matching(connection, partner, of, &Matching::default()).await?;
        let ids: Vec<_> = held.iter().map(|held| held.id).collect();
        let bodies = ingest.store.bodies(connection, partner, of, &ids).await?;
        let bodies: Vec<_> = bodies.iter().map(|body| members(body)).collect();
        let subscriptions: Vec<_> =
            held.iter().zip(&bodies).map(|(held, body)| event::Subscription { key: &held.key, body }).collect();
        Ok(event::raise(partner, happened, &subscriptions, &self.sender.options, &*ingest.clock))
    }
}

/// What a stored record, or one that is about to be, says.
fn members(body: &[u8]) -> Members {
    serde_json::from_slice(body).unwrap_or_default()
}
