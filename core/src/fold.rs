//! Turns what several records say about one entity into the entity, by the rules that its schema declares per field.
//!
//! Never by order of arrival: the claims are put in the order of their records' keys first, so that the same records
//! give the same entity however they came.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::canonical::{Canonical, Join, Kind};
use crate::digest::Digest;
use crate::json::Json;
use crate::map::{Contribution, Value};
use crate::store::RecordId;

/// A contribution with the digest of what it says.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What a record says about an entity.
    pub contribution: Contribution,
    /// Digest of its kind and fields; two statements with one digest say the same.
    pub digest: Digest,
    /// Whether it says all that an entity of its kind must have. If not, it only adds to what another record says.
    pub whole: bool,
}

/// A record's place among the records that speak of one entity: by record type, then by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank<'c> {
    /// The record type's name.
    pub of: &'c str,
    /// The record's key.
    pub key: &'c str,
}

/// A statement, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'c> {
    /// The record that says it.
    pub record: RecordId,
    /// Its place among the others.
    pub rank: Rank<'c>,
    /// What it says.
    pub statement: &'c Statement,
}

/// An entity, as all its claims together state it.
#[derive(Debug)]
pub struct Folded<'c> {
    /// Its fields, by number.
    pub fields: Cow<'c, [(u16, Value)]>,
    /// Digest of its kind and fields.
    pub digest: Digest,
    /// Whether all claims say the same.
    pub uniform: bool,
    /// The records that speak of it, by rank.
    pub contributors: Vec<RecordId>,
    /// Fields for which one claim had to be picked because they differ.
    pub disputed: Vec<u16>,
}

impl Statement {
    /// The statement that `contribution` makes.
    pub fn new(contribution: Contribution, canonical: &Canonical) -> Self {
        let kind = canonical.kind(contribution.kind);
        let digest = digest(kind, &contribution.fields);
        let fields: Vec<_> = contribution.fields.iter().map(|(field, _)| *field).collect();
        let whole = kind.missing(&fields).is_none();
        Self { contribution, digest, whole }
    }
}

/// Whether the claims make an entity: one of them must say all that it must have, others may only add to it.
pub fn is_stated(claims: &[Claim<'_>]) -> bool {
    claims.iter().any(|claim| claim.statement.whole)
}

/// Folds the claims on one entity of `kind`; at least one of them [states](is_stated) it.
pub fn fold<'c>(kind: &Kind, claims: &mut [Claim<'c>]) -> Folded<'c> {
    claims.sort_by(|one, other| (one.rank, one.statement.digest).cmp(&(other.rank, other.statement.digest)));
    let mut contributors: Vec<_> = claims.iter().map(|claim| claim.record).collect();
    contributors.dedup();
    let uniform = claims.windows(2).all(|pair| pair[0].statement.digest == pair[1].statement.digest);
    if let (true, Some(first)) = (uniform, claims.first()) {
        let fields = Cow::Borrowed(first.statement.contribution.fields.as_slice());
        return Folded { fields, digest: first.statement.digest, uniform, contributors, disputed: Vec::new() };
    }
    let mut by_field: BTreeMap<u16, Vec<&Value>> = BTreeMap::new();
    for claim in claims.iter() {
        for (field, value) in &claim.statement.contribution.fields {
            by_field.entry(*field).or_default().push(value);
        }
    }
    let mut fields = Vec::with_capacity(by_field.len());
    let mut disputed = Vec::new();
    for (field, values) in by_field {
        let join = kind.fields.get(usize::from(field)).map_or(Join::Pick, |field| field.join);
        if join == Join::Pick && values.iter().any(|value| *value != values[0]) {
            disputed.push(field);
        }
        fields.push((field, joined(join, &values)));
    }
    Folded { digest: digest(kind, &fields), fields: Cow::Owned(fields), uniform, contributors, disputed }
}

/// The digest of an entity's kind and fields, by name: it outlives a new field in the schema.
fn digest(kind: &Kind, fields: &[(u16, Value)]) -> Digest {
    let mut bytes = Vec::with_capacity(256);
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    };
    part(kind.name.as_bytes());
    for (field, value) in fields {
        part(kind.fields.get(usize::from(*field)).map_or(&[], |field| field.name.as_bytes()));
        match value {
            Value::Text(text) | Value::Number(text) | Value::Reference(text) => part(text.as_bytes()),
            Value::Integer(integer) => part(&integer.to_le_bytes()),
            Value::Boolean(boolean) => part(&[u8::from(*boolean)]),
            Value::Nested(json) => part(json.as_bytes()),
        }
    }
    Digest::of(&bytes)
}

/// One value of several; `values` is not empty.
fn joined(join: Join, values: &[&Value]) -> Value {
    let extreme = |wanted: Ordering| {
        values.iter().copied().reduce(|best, value| if compare(value, best) == wanted { value } else { best })
    };
    match join {
        Join::Pick => values.first().map(|value| (*value).clone()),
        Join::Min => extreme(Ordering::Less).cloned(),
        Join::Max => extreme(Ordering::Greater).cloned(),
        Join::Union => Some(union(values)),
    }
    .unwrap_or_else(|| values[0].clone())
}

/// By size for numbers, by spelling for everything else (dates among it).
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            number(one).total_cmp(&number(other))
        }
        _ => one.cmp(other),
    }
}

/// All distinct items of all lists, sorted by their canonical form.
fn union(values: &[&Value]) -> Value {
    const DEPTH_MAX: u32 = 64;
    let mut texts: Vec<&Arc<str>> =
        values.iter().filter_map(|value| if let Value::Nested(text) = value { Some(text) } else { None }).collect();
    texts.sort();
    texts.dedup();
    if let [text] = texts[..] {
        return Value::Nested(Arc::clone(text));
    }
    let mut items = Vec::new();
    for text in texts {
        if let Ok(Json::List(list)) = Json::parse(text.as_bytes(), DEPTH_MAX) {
            items.extend(list.iter().map(Json::to_bytes));
        }
    }
    items.sort();
    items.dedup();
    let mut list = vec![b'['];
    list.extend(items.join(&b','));
    list.push(b']');
    Value::Nested(String::from_utf8(list).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Claim, Rank, Statement, fold};
    use crate::fixture::{self, field};
    use crate::map::{Contribution, Value};
    use crate::store::RecordId;

    fn statement(fields: Vec<(u16, Value)>) -> Statement {
        let canonical = fixture::canonical();
        let kind = canonical.id("person").unwrap();
        Statement::new(Contribution { kind, source_id: "p".to_owned(), fields }, &canonical)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn folded(statements: &[(&str, Statement)]) -> Vec<(u16, Value)> {
        let canonical = fixture::canonical();
        let kind = canonical.kind(canonical.id("person").unwrap());
        let mut claims: Vec<_> = (1..)
            .zip(statements)
            .map(|(id, (key, statement))| Claim { record: RecordId(id), rank: Rank { of: "Group", key }, statement })
            .collect();
        fold(kind, &mut claims).fields.into_owned()
    }

    #[test]
    fn each_field_joins_by_its_own_rule() {
        let (name, born, roles) = (field("name"), field("since"), field("roles"));
        let one = statement(vec![(name, text("B")), (born, text("2026-02-01")), (roles, fixture::nested("[1,2]"))]);
        let other = statement(vec![(name, text("A")), (born, text("2026-01-01")), (roles, fixture::nested("[0,2]"))]);
        let expected = vec![(name, text("B")), (born, text("2026-01-01")), (roles, fixture::nested("[0,1,2]"))];
        assert_eq!(folded(&[("[1]", one.clone()), ("[2]", other.clone())]), expected);
        assert_eq!(folded(&[("[2]", other), ("[1]", one)]), expected);
    }

    #[test]
    fn a_field_that_only_a_later_record_has_is_taken_from_it() {
        let (name, mail) = (field("name"), field("email"));
        let one = statement(vec![(name, text("A"))]);
        let other = statement(vec![(name, text("A")), (mail, text("a@example.org"))]);
        assert_eq!(folded(&[("[1]", one), ("[2]", other)]), [(name, text("A")), (mail, text("a@example.org"))]);
    }

    proptest! {
        #[test]
        fn the_order_of_claims_changes_nothing(
            claims in prop::collection::vec((0..4_u8, "[ab]", prop::option::of("[xy]"), prop::collection::vec(0..4_u8, 0..3)), 1..6),
            turn in 0..6_usize,
        ) {
            let mut statements: Vec<_> = claims.iter().map(|(key, name, mail, roles)| {
                let mut fields = vec![(field("name"), text(name))];
                fields.extend(mail.as_deref().map(|mail| (field("email"), text(mail))));
                fields.push((field("roles"), fixture::nested(&format!("{roles:?}").replace(' ', ""))));
                fields.sort();
                (format!("[{key}]"), statement(fields))
            }).collect();
            let borrowed = |statements: &[(String, Statement)]| {
                let borrowed: Vec<_> = statements.iter().map(|(key, statement)| (key.as_str(), statement.clone())).collect();
                folded(&borrowed)
            };
            let before = borrowed(&statements);
            let length = statements.len();
            statements.rotate_left(turn % length);
            prop_assert_eq!(before, borrowed(&statements));
        }

        #[test]
        fn saying_it_twice_says_it_once(name in "[ab]", roles in prop::collection::vec(0..4_u8, 0..3)) {
            let roles = fixture::nested(&format!("{roles:?}").replace(' ', ""));
            let one = statement(vec![(field("name"), text(&name)), (field("roles"), roles)]);
            prop_assert_eq!(folded(&[("[1]", one.clone())]), folded(&[("[1]", one.clone()), ("[2]", one)]));
        }
    }
}
