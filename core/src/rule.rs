//! Turns the records of one type, as they would be stored, into who breaks its [`Rule`]s, and why.
//!
//! A rule is broken by records together, so that everybody who takes part is blamed, whatever the order in which they
//! came; those that were stored before are named and left alone. All rules come down to one thing: what is put into one
//! *bucket* must be on one *side* there. For "an e-mail address belongs to one person" the address is the bucket and the
//! person the side. Work and notes grow with the number of records, not with that of pairs of them.
//!
//! To add a rule: a variant of [`Constraint`], and an arm in [`State::check`] that says what its buckets and sides are.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt as _};

use crate::description::{Constraint, Rule};
use crate::json::Pointer;
use crate::note::{Note, shown};

/// How many other parties a note names.
const OTHERS_MAX: usize = 5;

/// One record of the resulting state, as far as rules look at it.
#[derive(Debug, Clone)]
pub struct Row<'r> {
    /// Its key, a canonical JSON list.
    pub key: &'r str,
    /// Where it stands in the payload, if it came with it.
    pub incoming: Option<&'r Pointer>,
    /// What its members hold, in the order of [`members`]; what is absent or empty never clashes.
    pub values: Vec<Option<Cow<'r, str>>>,
}

/// The members that rules look at.
pub fn members(rules: &[Rule]) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    let all = rules.iter().flat_map(|rule| match &rule.constraint {
        Constraint::Unique(members) | Constraint::Disjoint(members) => members.iter().collect::<Vec<_>>(),
        Constraint::Determines(pairs) | Constraint::OneToOne(pairs) => pairs.iter().flatten().collect(),
    });
    for member in all {
        if !members.contains(member) {
            members.push(member.clone());
        }
    }
    members
}

/// Every incoming record that takes part in a clash, with why: an index into `rows`, and a note with the words `field`
/// (its member), `key` (its own), `other` (those that contradict it) and, where a member decides another, the other's
/// name as `expected`.
pub fn clashes(rules: &[Rule], rows: &[Row<'_>]) -> Vec<(usize, Note)> {
    if rows.iter().all(|row| row.incoming.is_none()) {
        return Vec::new();
    }
    let members = members(rules);
    let columns = members.iter().enumerate().map(|(column, member)| (member.as_str(), column)).collect();
    let state = State { rows, columns };
    let mut found = Vec::new();
    for rule in rules {
        state.check(rule, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// The records that are checked.
struct State<'a> {
    rows: &'a [Row<'a>],
    columns: HashMap<&'a str, usize>,
}

/// Something that stands in a bucket, on a side.
struct Standing<'a, B, S> {
    bucket: B,
    side: S,
    party: Party<'a>,
}

/// A record that takes part, with the members that it takes part by.
#[derive(Clone, Copy)]
struct Party<'a> {
    row: usize,
    fields: &'a [String],
    /// The member that they decide, if they do.
    decided: Option<&'a str>,
}

impl<'a> State<'a> {
    fn check(&'a self, rule: &'a Rule, found: &mut Vec<(usize, Note)>) {
        let rows = 0..self.rows.len();
        match &rule.constraint {
            Constraint::Unique(fields) => {
                let standings = rows.filter_map(|row| {
                    let bucket: Vec<_> = fields.iter().map(|field| self.value(row, field)).collect::<Option<_>>()?;
                    Some(Standing { bucket, side: row, party: Party { row, fields, decided: None } })
                });
                self.tell(rule, standings, found);
            }
            Constraint::Disjoint(fields) => {
                let standings = rows.flat_map(|row| {
                    fields.iter().enumerate().filter_map(move |(side, field)| {
                        let party = Party { row, fields: std::slice::from_ref(field), decided: None };
                        Some(Standing { bucket: self.value(row, field)?, side, party })
                    })
                });
                self.tell(rule, standings, found);
            }
            Constraint::Determines(pairs) => self.tell(rule, self.decisions(pairs, [0, 1]), found),
            Constraint::OneToOne(pairs) => {
                self.tell(rule, self.decisions(pairs, [0, 1]), found);
                self.tell(rule, self.decisions(pairs, [1, 0]), found);
            }
        }
    }

    /// What one member of each pair, the one at `from`, says about the one at `to`.
    fn decisions(
        &'a self,
        pairs: &'a [[String; 2]],
        [from, to]: [usize; 2],
    ) -> impl Iterator<Item = Standing<'a, &'a str, &'a str>> + Clone {
        (0..self.rows.len()).flat_map(move |row| {
            pairs.iter().filter_map(move |pair| {
                let (bucket, side) = (self.value(row, &pair[from])?, self.value(row, &pair[to])?);
                let party = Party { row, fields: std::slice::from_ref(&pair[from]), decided: Some(&pair[to]) };
                Some(Standing { bucket, side, party })
            })
        })
    }

    /// What a member holds; what is empty is as good as absent.
    fn value(&self, row: usize, member: &str) -> Option<&str> {
        let value = self.rows[row].values.get(*self.columns.get(member)?)?.as_deref();
        value.filter(|value| !value.is_empty())
    }

    /// Blames every incoming party of every bucket that has more than one side.
    fn tell<B, S>(
        &self,
        rule: &Rule,
        standings: impl Iterator<Item = Standing<'a, B, S>> + Clone,
        found: &mut Vec<(usize, Note)>,
    ) where
        B: Clone + Eq + Hash,
        S: Copy + Eq + Hash,
    {
        for parties in clashing(standings) {
            let is_incoming = |party: &Party<'_>| self.rows[party.row].incoming.is_some();
            if !parties.iter().any(|(_, party)| is_incoming(party)) {
                continue;
            }
            let mut labels: Vec<_> = parties.iter().map(|(side, party)| (self.label(party), *side)).collect();
            labels.sort_by(|(one, _), (other, _)| one.cmp(other));
            let mut others: HashMap<S, String> = HashMap::new();
            for (side, party) in parties.iter().filter(|(_, party)| is_incoming(party)) {
                let other = others.entry(*side).or_insert_with(|| named(&labels, side));
                found.extend(self.note(rule, party, other));
            }
        }
    }

    /// `C1 (email)`
    fn label(&self, party: &Party<'_>) -> String {
        format!("{} ({})", shown(self.rows[party.row].key), party.fields.join(", "))
    }

    fn note(&self, rule: &Rule, party: &Party<'_>, other: &str) -> Option<(usize, Note)> {
        let row = &self.rows[party.row];
        let record = row.incoming?;
        let pointer = if let [field] = party.fields { record.member(field) } else { record.clone() };
        let (key, field) = (shown(row.key), party.fields.join(", "));
        let message = match (&rule.constraint, party.decided) {
            (Constraint::Unique(_), _) => format!("`{field}` of {key} must be unique; the same: {other}"),
            (_, Some(decided)) => format!("`{field}` of {key} must go with one `{decided}` only; another: {other}"),
            _ => format!("`{field}` of {key} must not be the value of another member; it is in {other}"),
        };
        let note = Note::new(pointer, rule.code.as_str(), message);
        let note = note.with("field", field).with("key", key).with("other", other);
        Some((party.row, if let Some(decided) = party.decided { note.with("expected", decided) } else { note }))
    }
}

/// The parties of every bucket that has more than one side, with their sides.
fn clashing<'a, B, S>(standings: impl Iterator<Item = Standing<'a, B, S>> + Clone) -> Vec<Vec<(S, Party<'a>)>>
where
    B: Clone + Eq + Hash,
    S: Copy + Eq,
{
    // Hardly any bucket has two sides: parties are gathered for those only.
    let mut sides: HashMap<B, S> = HashMap::new();
    let mut broken: HashMap<B, usize> = HashMap::new();
    for Standing { bucket, side, .. } in standings.clone() {
        match sides.entry(bucket) {
            Entry::Occupied(first) if *first.get() != side => {
                let nth = broken.len();
                broken.entry(first.key().clone()).or_insert(nth);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => _ = place.insert(side),
        }
    }
    if broken.is_empty() {
        return Vec::new();
    }
    let mut parties = vec![Vec::new(); broken.len()];
    for Standing { bucket, side, party } in standings {
        if let Some(&nth) = broken.get(&bucket) {
            parties[nth].push((side, party));
        }
    }
    parties
}

/// The first of those on other sides, by their labels, which are sorted.
fn named<S: Eq>(labels: &[(String, S)], side: &S) -> String {
    let mut others: Vec<&str> = Vec::new();
    for (label, _) in labels.iter().filter(|(_, of)| of != side) {
        if others.len() == OTHERS_MAX {
            others.push("…");
            break;
        }
        others.push(label);
    }
    others.join(", ")
}

#[cfg(test)]
mod tests;
