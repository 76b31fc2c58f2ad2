//! Turns the counts of a plan into the reasons for which it waits for an operator, if there are any.
//!
//! The costliest failure of a hub is an outage that it reads as if everybody had left. So what removes, changes or adds
//! more than is likely is not done, but kept and shown. What a client deletes by name is done: nobody guesses there.
//!
//! Kinds are large, and a part of one can vanish without the whole being much smaller: all teachers among the users.
//! Therefore what is removed is counted by the `parts` that the canonical schema names, too.
//!
//! To watch something else: a threshold in [`KindThresholds`], and where it is counted in [`passed`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{Canonical, Kind, KindId};
use crate::delivery::{Change, Counts, HeldChange, Passed};
use crate::digest::Digest;
use crate::fold::Statement;
use crate::map::{self, DecodeError};
use crate::plan::Plan;
use crate::said::Mark;
use crate::store::EntityStep;

/// From where on a change set waits for an operator. What is not said is as for everyone, and what is said for nobody is as
/// by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Whether anything is held at all. It is, unless this says `false`: for connections that try things out.
    pub enabled: Option<bool>,
    /// For kinds that have none of their own. By default only removing is watched: from half on, at least 100; or all
    /// of at least 20.
    pub all: KindThresholds,
    /// For single kinds of entity, by name.
    pub kinds: BTreeMap<String, KindThresholds>,
}

/// What is watched of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KindThresholds {
    /// Entities that would be gone.
    pub removed: Option<Threshold>,
    /// Entities that would be others.
    pub updated: Option<Threshold>,
    /// Entities that would be new; a first delivery has nothing to be compared with and passes none.
    pub created: Option<Threshold>,
}

/// From where on it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// From this share of those that there are on, in percent;
    pub percent: u32,
    /// if these are at least so many.
    pub at_least: u64,
    /// Or all of at least so many.
    pub all_of: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { percent: 50, at_least: 100, all_of: 20 }
    }
}

impl Threshold {
    /// Whether so many `of` all there are are too many.
    fn is_passed(self, count: u64, of: u64) -> bool {
        let is_share = count.saturating_mul(100) >= of.saturating_mul(u64::from(self.percent));
        of > 0 && (is_share && count >= self.at_least || count >= of && of >= self.all_of)
    }

    /// Fewer than these are never too many.
    fn least(self) -> u64 {
        self.at_least.min(self.all_of).max(1)
    }
}

impl KindThresholds {
    fn or(self, other: Self) -> Self {
        Self {
            removed: self.removed.or(other.removed),
            updated: self.updated.or(other.updated),
            created: self.created.or(other.created),
        }
    }
}

impl Thresholds {
    /// Nothing is ever held.
    pub fn off() -> Self {
        Self { enabled: Some(false), ..Self::default() }
    }

    /// What is said here, and what `other` says where nothing is said here.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.enabled = self.enabled.or(other.enabled);
        self.all = self.all.or(other.all);
        for (kind, theirs) in &other.kinds {
            let own = self.kinds.entry(kind.clone()).or_default();
            *own = own.or(*theirs);
        }
        self
    }

    /// Whether anything is held at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }

    fn of(&self, kind: &str) -> KindThresholds {
        let by_default = KindThresholds { removed: Some(Threshold::default()), ..KindThresholds::default() };
        self.kinds.get(kind).copied().unwrap_or_default().or(self.all).or(by_default)
    }

    /// Kinds of which so many would be removed that their parts have to be looked at.
    pub fn looked_into<'k>(
        &self,
        counts: &BTreeMap<String, Counts>,
        canonical: &'k Canonical,
    ) -> Vec<(KindId, &'k Kind)> {
        let many = |kind: &Kind| {
            let removed = counts.get(&kind.name).map_or(0, |counts| counts.removed);
            self.of(&kind.name).removed.is_some_and(|threshold| removed >= threshold.least())
        };
        canonical.iter().filter(|(_, kind)| kind.parts.is_some() && many(kind)).collect()
    }
}

/// What passes the thresholds: `before` is how many active entities of each kind there are, `parts` how many of a part of a
/// kind would be removed, and how many there are.
pub fn passed(
    thresholds: &Thresholds,
    counts: &BTreeMap<String, Counts>,
    before: &BTreeMap<String, u64>,
    parts: &BTreeMap<(String, String), (u64, u64)>,
) -> Vec<Passed> {
    let mut passed = Vec::new();
    for (kind, counts) in counts {
        let of = before.get(kind).copied().unwrap_or_default();
        let watched = thresholds.of(kind);
        for (change, count, threshold) in [
            (Change::Removed, counts.removed, watched.removed),
            (Change::Updated, counts.updated, watched.updated),
            (Change::Created, counts.created, watched.created),
        ] {
            if threshold.is_some_and(|threshold| threshold.is_passed(count, of)) {
                passed.push(Passed { kind: kind.clone(), part: None, change, count, of });
            }
        }
    }
    for ((kind, part), &(count, of)) in parts {
        let threshold = thresholds.of(kind).removed;
        let is_known = passed.iter().any(|passed| passed.kind == *kind && passed.change == Change::Removed);
        if !is_known && threshold.is_some_and(|threshold| threshold.is_passed(count, of)) {
            let (kind, part) = (kind.clone(), Some(part.clone()));
            passed.push(Passed { kind, part, change: Change::Removed, count, of });
        }
    }
    passed
}

/// How many of the entities that a plan retires belong to which part of their kind. `said` is all that was said of them.
pub fn retired_parts<'s>(
    kinds: &[(KindId, &Kind)],
    plan: &Plan<'_>,
    said: impl IntoIterator<Item = (&'s Mark, &'s Statement)>,
) -> BTreeMap<(KindId, String), u64> {
    let looked_into = |id: KindId| kinds.iter().find(|(kind, _)| *kind == id).map(|(_, kind)| *kind);
    let retired = plan.retired().filter(|(kind, _)| looked_into(*kind).is_some());
    let mut words: HashMap<_, BTreeSet<String>> = retired.map(|entity| (entity, BTreeSet::new())).collect();
    for (mark, statement) in said {
        if let (Some(words), Some(kind)) = (words.get_mut(&(mark.kind, mark.sourced_id)), looked_into(mark.kind)) {
            words.extend(parts_of(kind, statement));
        }
    }
    let mut counts = BTreeMap::new();
    let parts = words.into_iter().flat_map(|((kind, _), words)| words.into_iter().map(move |word| (kind, word)));
    parts.for_each(|part| *counts.entry(part).or_default() += 1);
    counts
}

/// The parts of its kind that an entity belongs to, as a statement says.
fn parts_of(kind: &Kind, statement: &Statement) -> Vec<String> {
    let Some((member, path)) = kind.parts.as_deref().and_then(<[String]>::split_first) else { return Vec::new() };
    let is_it = |(field, _): &&(u16, map::Value)| {
        kind.fields.get(usize::from(*field)).is_some_and(|field| field.name == *member)
    };
    match statement.contribution.fields.iter().find(is_it) {
        Some((_, map::Value::Text(word))) if path.is_empty() => vec![word.clone()],
        Some((_, map::Value::Nested(json))) => {
            let mut words = Vec::new();
            collect(&serde_json::from_str(json).unwrap_or_default(), path, &mut words);
            words
        }
        _ => Vec::new(),
    }
}

fn collect(value: &Value, path: &[String], words: &mut Vec<String>) {
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, words)),
        (Value::Object(members), [member, path @ ..]) => {
            if let Some(value) = members.get(member) {
                collect(value, path, words);
            }
        }
        (Value::String(word), []) => words.push(word.clone()),
        _ => {}
    }
}

/// What a plan would change, at most `most` of it, and how much more there is.
pub fn changes(plan: &Plan<'_>, canonical: &Canonical, most: usize) -> Result<(Vec<HeldChange>, usize), DecodeError> {
    let change = |step: &EntityStep<'_>| {
        let (kind, sourced_id, change) = match step {
            EntityStep::Put(row) if row.new => (row.link.kind, row.link.sourced_id, Change::Created),
            EntityStep::Put(row) => (row.link.kind, row.link.sourced_id, Change::Updated),
            EntityStep::Retire(kind, id) => (*kind, *id, Change::Removed),
            EntityStep::Relink(_) => return None,
        };
        Some(HeldChange { kind: canonical.kind(kind).name.clone(), sourced_id, change })
    };
    let mut changes = Vec::with_capacity(plan.changes);
    for piece in 0..plan.pieces() {
        changes.extend(plan.steps(piece)?.iter().filter_map(|(_, step)| change(step)));
    }
    changes.sort_by_key(|change| std::cmp::Reverse(change.change));
    let omitted = changes.len().saturating_sub(most);
    changes.truncate(most);
    Ok((changes, omitted))
}

/// Digest of all that a plan would do to entities: two plans with one digest do the same.
pub fn digest(plan: &Plan<'_>, canonical: &Canonical) -> Result<Digest, DecodeError> {
    let mut done = Vec::with_capacity(plan.changes);
    for piece in 0..plan.pieces() {
        done.extend(plan.steps(piece)?.iter().filter_map(|(_, step)| match step {
            EntityStep::Put(row) => Some((row.link.kind, row.link.sourced_id, Some(row.digest))),
            EntityStep::Retire(kind, id) => Some((*kind, *id, None)),
            EntityStep::Relink(_) => None,
        }));
    }
    done.sort_unstable_by_key(|(kind, id, _)| (*kind, *id));
    let mut bytes = Vec::with_capacity(done.len() * 64);
    for (kind, id, said) in done {
        bytes.extend_from_slice(canonical.kind(kind).name.as_bytes());
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(said.as_ref().map_or(&[][..], |digest| digest.as_bytes()));
    }
    Ok(Digest::of(&bytes))
}

#[cfg(test)]
mod tests;
