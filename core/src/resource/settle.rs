//! Finds out whether what was changed may be so: schemas, references, rules. And what goes along with what goes.
//!
//! Only what changed is looked at. Whatever is wrong is told by the member that holds it, all at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Changes, Draft, Members, Name, Stop};
use crate::description::{By, Constraint, Missing, ProblemClass, RecordTypeId, Reference, WhenGone};
use crate::json::{Json, Pointer};
use crate::note::{Note, shown};
use crate::record::too_long;
use crate::store::Matching;

impl Changes<'_> {
    /// Takes along what goes with what is gone, and refuses what cannot be.
    pub async fn settle(&mut self) -> Result<(), Stop> {
        self.let_go().await?;
        let mut notes = Vec::new();
        let changed: Vec<_> = self.drafts.iter().filter(|draft| draft.is_change()).cloned().collect();
        for draft in &changed {
            let Some(after) = &draft.after else { continue };
            let mut found = self.violations(draft, after);
            if !self.desk.believes {
                self.references(draft, after, &mut found).await?;
                self.clashes(draft, after, &mut found).await?;
            }
            if !draft.is_sent
                && let Some(first) = found.first()
            {
                let of = &self.record_type(draft.of).name;
                return Err(Stop::Fault(format!("a {of} cannot be so: {} {}", first.pointer, first.message)));
            }
            notes.append(&mut found);
        }
        if notes.is_empty() {
            return Ok(());
        }
        notes.truncate(self.desk.notes_max);
        Err(Stop::Rejected(ProblemClass::Invalid, notes))
    }

    /// How a record breaks its schema, or is too long to be found.
    fn violations(&self, draft: &Draft, after: &Members) -> Vec<Note> {
        let (of, bytes) = (self.record_type(draft.of), self.bytes(after));
        let json = Json::parse(&bytes, self.desk.depth_max).unwrap_or(Json::Null);
        let mut notes = of.schema.violations(&json, self.desk.notes_max).notes;
        notes.extend(too_long(of, Some(&draft.key), &json));
        notes
    }

    /// References that are new in a record and lead nowhere.
    async fn references(&mut self, draft: &Draft, after: &Members, notes: &mut Vec<Note>) -> Result<(), Stop> {
        for reference in &self.record_type(draft.of).references {
            if reference.missing != Missing::Refuse || !self.counts(reference) {
                continue;
            }
            let before = draft.before.as_ref();
            let known: BTreeSet<_> =
                before.into_iter().flat_map(|before| targets(reference, before)).map(|(key, _)| key).collect();
            for (key, pointer) in targets(reference, after) {
                if known.contains(&key) || self.look(reference.to, &key).await?.after.is_some() {
                    continue;
                }
                let to = &self.record_type(reference.to).name;
                let field = pointer.steps().next().unwrap_or_default().into_owned();
                let note = Note::new(pointer, "reference", format!("there is no such {to}"));
                notes.push(note.with("field", field).with("other", shown(&key)));
            }
        }
        Ok(())
    }

    /// Whether a reference counts with the connection's options.
    fn counts(&self, reference: &Reference) -> bool {
        let context = serde_json::json!({"options": self.desk.options});
        reference.when.as_ref().is_none_or(|when| when.holds(&context))
    }

    /// Other records that have what only one may have.
    async fn clashes(&mut self, draft: &Draft, after: &Members, notes: &mut Vec<Note>) -> Result<(), Stop> {
        for rule in &self.record_type(draft.of).rules {
            let Constraint::Unique(members) = &rule.constraint else { continue };
            let values: Option<Vec<_>> = members.iter().map(|name| after.get(name).cloned()).collect();
            let same = |before: &Members| members.iter().all(|name| before.get(name) == after.get(name));
            let Some(values) = values.filter(|_| !draft.before.as_ref().is_some_and(same)) else { continue };
            let asked = members.iter().cloned().zip(values.into_iter().map(|value| vec![value])).collect();
            let asked = Matching { members: asked, limit: Some(2) };
            let others = self.matching(draft.of, &asked).await?;
            if let Some(other) = others.iter().find(|other| other.key != draft.key) {
                let field = members.first().cloned().unwrap_or_default();
                let message = format!("another {} has the same", self.record_type(draft.of).name);
                let note = Note::new(Pointer::root().member(&field), rule.code.clone(), message);
                notes.push(note.with("field", field).with("other", shown(&other.key)));
            }
        }
        Ok(())
    }

    /// What happens to those that refer to what is gone.
    async fn let_go(&mut self) -> Result<(), Stop> {
        let mut looked_at: BTreeSet<Name> = BTreeSet::new();
        loop {
            let gone = self.drafts.iter().find(|draft| {
                let name = (draft.of, draft.key.clone());
                draft.after.is_none() && draft.before.is_some() && !looked_at.contains(&name)
            });
            let Some(gone) = gone.cloned() else { return Ok(()) };
            looked_at.insert((gone.of, gone.key.clone()));
            for (of, description) in (0..).map(RecordTypeId).zip(&self.desk.partner.records) {
                for reference in description.references.iter().filter(|reference| reference.to == gone.of) {
                    self.let_go_of(of, reference, &gone).await?;
                }
            }
        }
    }

    /// The same by one reference of one record type.
    async fn let_go_of(&mut self, of: RecordTypeId, reference: &Reference, gone: &Draft) -> Result<(), Stop> {
        let fate = match (reference.gone, reference.missing) {
            (WhenGone::Missing, Missing::Refuse) if !self.desk.believes => WhenGone::Refuse,
            (WhenGone::Refuse, _) if self.desk.believes => WhenGone::Missing,
            (fate, _) => fate,
        };
        if fate == WhenGone::Missing || !self.counts(reference) {
            return Ok(());
        }
        let Some(asked) = referring(reference, &gone.key) else { return Ok(()) };
        for draft in self.matching(of, &asked).await? {
            let Some(mut after) = draft.after else { continue };
            match fate {
                WhenGone::Cascade => self.remove(of, &draft.key).await?,
                WhenGone::Unset => {
                    empty(reference, &gone.key, &mut after);
                    let before = draft.before;
                    let after = self.complete(of, after, before.as_ref()).await?;
                    self.put(of, after, false).await?;
                }
                WhenGone::Refuse | WhenGone::Missing => {
                    let of = &self.record_type(of).name;
                    let note = Note::new(Pointer::root(), "referenced", format!("a {of} still refers to it"));
                    let note = note.with("key", shown(&gone.key)).with("other", format!("{of} {}", shown(&draft.key)));
                    return Err(Stop::one(ProblemClass::Clash, note));
                }
            }
        }
        Ok(())
    }
}

/// The keys that a record refers to, each with the place where it does.
fn targets(reference: &Reference, members: &Members) -> Vec<(String, Pointer)> {
    let key = |value: &Value| format!("[{value}]");
    let place = |name: &str| Pointer::root().member(name);
    match &reference.by {
        By::Key(ways) => {
            let parts = ways.iter().map(|way| {
                let value = way.iter().try_fold(None::<&Value>, |value, name| match value {
                    None => members.get(name).map(Some),
                    Some(value) => value.get(name).map(Some),
                });
                value.flatten().filter(|value| !value.is_null()).map(ToString::to_string)
            });
            let parts: Option<Vec<_>> = parts.collect();
            let at = ways.first().into_iter().flatten().fold(Pointer::root(), |at, name| at.member(name));
            parts.map(|parts| (format!("[{}]", parts.join(",")), at)).into_iter().collect()
        }
        By::Items(list) => {
            let items = members.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
            items.map(|(nth, item)| (key(item), place(list).item(nth))).collect()
        }
        By::Word { own, word, says } => {
            let is_said = members.get(word).and_then(Value::as_str) == Some(says);
            let value = members.get(own).filter(|value| is_said && !value.is_null());
            value.map(|value| (key(value), place(own))).into_iter().collect()
        }
        // Not for records that are written one by one.
        By::Members(_) => Vec::new(),
    }
}

/// The question for the records that refer to the one with this key; `None` where that cannot be asked by index.
fn referring(reference: &Reference, key: &str) -> Option<Matching> {
    let parts: Vec<Value> = serde_json::from_str(key).ok()?;
    let members = match &reference.by {
        By::Key(ways) => {
            let names: Option<Vec<_>> =
                ways.iter().map(|way| (way.len() == 1).then(|| way.first().cloned())?).collect();
            names?.into_iter().zip(parts).map(|(name, part)| (name, vec![part])).collect()
        }
        By::Items(list) => vec![(list.clone(), parts)],
        By::Word { own, word, says } => vec![(word.clone(), vec![says.as_str().into()]), (own.clone(), parts)],
        By::Members(_) => return None,
    };
    Some(Matching { members, limit: None })
}

/// Takes the reference to the record with this key out of a record.
fn empty(reference: &Reference, key: &str, members: &mut Members) {
    let parts: Vec<Value> = serde_json::from_str(key).unwrap_or_default();
    match &reference.by {
        By::Key(ways) => {
            for name in ways.iter().filter_map(|way| way.first()) {
                members.shift_remove(name);
            }
        }
        By::Items(list) => {
            if let Some(Value::Array(items)) = members.get_mut(list) {
                items.retain(|item| !parts.contains(item));
            }
        }
        By::Word { own, word, .. } => {
            members.shift_remove(own);
            members.shift_remove(word);
        }
        By::Members(_) => {}
    }
}
