//! Turns a record into what each of its values is good for: one value at a time is changed or left out, the record is mapped
//! again, and what it says then is compared with what it said.
//!
//! So no mapper has to tell what it reads, and none can tell it wrong. A value is changed first and left out only if that
//! shows nothing: a mapper may insist on a member that it never looks at.
//!
//! To try values of a shape in another way, add it to [`changed`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Budget, Contribution, Input, MapError, Mapped, Mapper, Outcome, Value};
use crate::canonical::{Canonical, KindId};
use crate::json::{Json, Pointer, write_text};
use crate::limits::Limits;

/// Levels of nesting in a record: it was checked when it came.
const DEPTH_MAX: u32 = 1_024;

/// Bytes of records that are tried at a time: each value has a record of its own.
const TRIED_BYTES: usize = 4 << 20;

/// What a record's values are good for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reliance {
    /// Each value of the record, in its order, and what changes with it.
    pub body: Vec<Place>,
    /// The same of what it stands in.
    pub ancestors: Vec<Place>,
    /// Values that were not tried because there are more than `places_per_record_max`.
    pub untried: usize,
}

/// A value that has no parts: a scalar, or a list or object in which nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub pointer: Pointer,
    /// What would be said otherwise if it were another one.
    pub effects: BTreeSet<Effect>,
}

/// What depends on a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A field of an entity.
    Field(KindId, String, u16),
    /// That there is an entity of this name.
    Entity(KindId, String),
    /// That the record says anything: whatever is tried, the mapper does not take it.
    Record,
}

/// What a record says, by entity and field. One record may say several things of one entity.
type Said<'m> = BTreeMap<(KindId, &'m str), BTreeMap<u16, Vec<&'m Value>>>;

impl Mapper {
    /// Finds out what each value of a record is good for. What the record itself says has to be more than a fault.
    pub fn reliance(
        &self,
        canonical: &Canonical,
        options: &[u8],
        input: &Input<'_>,
        limits: &Limits,
    ) -> Result<Reliance, MapError> {
        let (Ok(body), Ok(ancestors)) = (Json::parse(input.body, DEPTH_MAX), Json::parse(input.ancestors, DEPTH_MAX))
        else {
            return Ok(Reliance::default());
        };
        let parts = [leaves(&body), leaves(&ancestors)];
        let bodies = parts[0].len();
        let all: Vec<_> = parts.iter().flatten().collect();
        let tried = all.len().min(limits.mapper.places_per_record_max);
        let mut limits = limits.clone();
        limits.mapper.faults_per_delivery_max = usize::MAX; // what is tried may well fail
        let map = |variants: &[Variant]| {
            let inputs: Vec<_> = variants
                .iter()
                .map(|variant| Input { body: &variant.body, ancestors: &variant.ancestors, ..*input })
                .collect();
            self.map(canonical, options, &inputs, &Budget::new(&limits))
        };
        let whole = Variant { nth: usize::MAX, body: input.body.to_vec(), ancestors: input.ancestors.to_vec() };
        let original = map(&[whole])?.into_iter().next().map(|mapped| mapped.outcome);
        let Some(Outcome::Contributions(original)) = original else { return Ok(Reliance::default()) };
        let together = (TRIED_BYTES / (input.body.len() + input.ancestors.len()).max(1)).max(1);
        let attempt = |attempts: &[(usize, Option<String>)], findings: &mut [Finding]| {
            for some in attempts.chunks(together) {
                let variant = |(nth, with): &(usize, Option<String>)| Variant {
                    nth: *nth,
                    body: varied(&body, Some(*nth).filter(|nth| *nth < bodies), with.as_deref()),
                    ancestors: varied(&ancestors, nth.checked_sub(bodies), with.as_deref()),
                };
                let variants: Vec<_> = some.iter().map(variant).collect();
                findings_of(&original, &variants, map(&variants)?.into_iter(), findings);
            }
            Ok::<_, MapError>(())
        };
        let mut findings = vec![Finding::default(); tried];
        let values = all.iter().enumerate().take(tried);
        let other = values.flat_map(|(nth, (_, value))| changed(value).into_iter().map(move |with| (nth, Some(with))));
        attempt(&other.collect::<Vec<_>>(), &mut findings)?;
        let left = (0..tried).filter(|nth| findings[*nth].effects.is_empty()).map(|nth| (nth, None));
        let left: Vec<_> = left.collect();
        attempt(&left, &mut findings)?;
        let places = all.into_iter().zip(findings).map(|((pointer, _), found)| Place {
            pointer: pointer.clone(),
            effects: if found.taken { found.effects } else { BTreeSet::from([Effect::Record]) },
        });
        let mut places: Vec<_> = places.collect();
        let untried = parts[0].len() + parts[1].len() - tried;
        let ancestors = places.split_off(bodies.min(tried));
        Ok(Reliance { body: places, ancestors, untried })
    }
}

/// The record with one value changed or left out.
struct Variant {
    nth: usize,
    body: Vec<u8>,
    ancestors: Vec<u8>,
}

/// What trying one value has shown.
#[derive(Debug, Clone, Default)]
struct Finding {
    /// Whether the mapper took the record at least once.
    taken: bool,
    effects: BTreeSet<Effect>,
}

fn findings_of(
    original: &[Contribution],
    variants: &[Variant],
    answers: impl Iterator<Item = Mapped>,
    findings: &mut [Finding],
) {
    let original = said(original);
    for (variant, answer) in variants.iter().zip(answers) {
        if let (Some(finding), Outcome::Contributions(now)) = (findings.get_mut(variant.nth), answer.outcome) {
            finding.taken = true;
            finding.effects.extend(differences(&original, &said(&now)));
        }
    }
}

fn said(contributions: &[Contribution]) -> Said<'_> {
    let mut said = Said::new();
    for Contribution { kind, source_id, fields } in contributions {
        let entity = said.entry((*kind, source_id.as_str())).or_default();
        for (field, value) in fields {
            entity.entry(*field).or_default().push(value);
        }
    }
    said
}

/// What is different. An entity that is called otherwise now is compared with what it was called before: what its name is
/// made of may well be what it says, too.
fn differences(before: &Said<'_>, now: &Said<'_>) -> BTreeSet<Effect> {
    let mut effects = BTreeSet::new();
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (key, fields) in before {
        match now.get(key) {
            Some(others) => effects.extend(differing(key, fields, others)),
            None => gone.push((key, fields)),
        }
    }
    come.extend(now.iter().filter(|(key, _)| !before.contains_key(*key)));
    let all = gone.iter().map(|(key, _)| *key).chain(come.iter().map(|(key, _)| *key));
    effects.extend(all.map(|(kind, source_id)| Effect::Entity(*kind, (*source_id).to_owned())));
    for gone in gone.chunk_by(|(one, _), (other, _)| one.0 == other.0) {
        let come: Vec<_> = come.iter().filter(|(key, _)| key.0 == gone[0].0.0).collect();
        if come.len() == gone.len() {
            effects
                .extend(gone.iter().zip(come).flat_map(|((key, fields), (_, others))| differing(key, fields, others)));
        }
    }
    effects
}

fn differing(
    (kind, source_id): &(KindId, &str),
    before: &BTreeMap<u16, Vec<&Value>>,
    now: &BTreeMap<u16, Vec<&Value>>,
) -> Vec<Effect> {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let differing = names.into_iter().filter(|field| before.get(*field) != now.get(*field));
    differing.map(|field| Effect::Field(*kind, (*source_id).to_owned(), *field)).collect()
}

/// All values without parts, in their order.
fn leaves<'j, 'a>(json: &'j Json<'a>) -> Vec<(Pointer, &'j Json<'a>)> {
    fn walk<'j, 'a>(json: &'j Json<'a>, at: &Pointer, found: &mut Vec<(Pointer, &'j Json<'a>)>) {
        match json {
            Json::List(items) if !items.is_empty() => {
                for (nth, item) in items.iter().enumerate() {
                    walk(item, &at.item(nth), found);
                }
            }
            Json::Object(members) if !members.is_empty() => {
                for (name, member) in members.iter() {
                    walk(member, &at.member(name), found);
                }
            }
            Json::List(_) | Json::Object(_) if at.as_str().is_empty() => {}
            _ => found.push((at.clone(), json)),
        }
    }
    let mut found = Vec::new();
    walk(json, &Pointer::root(), &mut found);
    found
}

/// Other values of the same shape, as JSON.
fn changed(value: &Json<'_>) -> Vec<String> {
    match value {
        Json::Boolean(boolean) => vec![(!boolean).to_string()],
        Json::Number(number) => vec![match number.as_i64() {
            Some(integer) => integer.checked_add(1).unwrap_or_default().to_string(),
            None if number.as_str() == "0.5" => "1.5".to_owned(),
            None => "0.5".to_owned(),
        }],
        // What is a date or a number stays one where only ones and twos are swapped.
        Json::Text(text) => {
            let swapped = text.chars().map(|letter| match letter {
                '1' => '2',
                '2' => '1',
                other => other,
            });
            let swapped: String = swapped.collect();
            let longer = format!("{text}x y");
            let texts = [Some(swapped).filter(|swapped| swapped != text), Some(longer)];
            texts.into_iter().flatten().map(|text| quoted(&text)).collect()
        }
        Json::Null | Json::List(_) | Json::Object(_) => Vec::new(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_text(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The JSON with its nth leaf replaced, or left out; as it is where none is named.
fn varied(json: &Json<'_>, target: Option<usize>, with: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    Varied { next: 0, target, with }.write(json, &mut out);
    out
}

struct Varied<'v> {
    next: usize,
    target: Option<usize>,
    with: Option<&'v str>,
}

impl Varied<'_> {
    /// Writes the value, and says whether there is one.
    fn write(&mut self, json: &Json<'_>, out: &mut Vec<u8>) -> bool {
        match json {
            Json::List(items) if !items.is_empty() => {
                self.write_all(items.iter().map(|item| (None, item)), *b"[]", out);
                true
            }
            Json::Object(members) if !members.is_empty() => {
                self.write_all(members.iter().map(|(name, member)| (Some(name), member)), *b"{}", out);
                true
            }
            leaf => {
                let is_meant = self.target == Some(self.next);
                self.next += 1;
                match self.with {
                    _ if !is_meant => leaf.write(out),
                    Some(with) => out.extend_from_slice(with.as_bytes()),
                    None => return false,
                }
                true
            }
        }
    }

    fn write_all<'j, 'a: 'j>(
        &mut self,
        parts: impl Iterator<Item = (Option<&'j str>, &'j Json<'a>)>,
        brackets: [u8; 2],
        out: &mut Vec<u8>,
    ) {
        out.push(brackets[0]);
        let mut is_first = true;
        for (name, part) in parts {
            let start = out.len();
            if !is_first {
                out.push(b',');
            }
            if let Some(name) = name {
                write_text(name, out);
                out.push(b':');
            }
            if self.write(part, out) {
                is_first = false;
            } else {
                out.truncate(start);
            }
        }
        out.push(brackets[1]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Effect, changed, differences, leaves, said, varied};
    use crate::canonical::KindId;
    use crate::json::Json;
    use crate::map::{Contribution, Value};

    const RECORD: &[u8] = br#"{"a":[1,{"b":"x"}],"c":[],"d":{"e":null}}"#;

    #[test]
    fn each_value_without_parts_has_a_place() {
        let json = Json::parse(RECORD, 8).unwrap();
        let places: Vec<_> = leaves(&json).iter().map(|(pointer, _)| pointer.to_string()).collect();
        assert_eq!(places, ["/a/0", "/a/1/b", "/c", "/d/e"]);
        assert!(leaves(&Json::parse(b"{}", 8).unwrap()).is_empty());
    }

    #[test]
    fn one_value_is_replaced_or_left_out() {
        let json = Json::parse(RECORD, 8).unwrap();
        let table = [
            (None, None, r#"{"a":[1,{"b":"x"}],"c":[],"d":{"e":null}}"#),
            (Some(0), Some("2"), r#"{"a":[2,{"b":"x"}],"c":[],"d":{"e":null}}"#),
            (Some(0), None, r#"{"a":[{"b":"x"}],"c":[],"d":{"e":null}}"#),
            (Some(1), None, r#"{"a":[1,{}],"c":[],"d":{"e":null}}"#),
            (Some(2), None, r#"{"a":[1,{"b":"x"}],"d":{"e":null}}"#),
            (Some(3), Some("true"), r#"{"a":[1,{"b":"x"}],"c":[],"d":{"e":true}}"#),
        ];
        for (target, with, wanted) in table {
            assert_eq!(String::from_utf8(varied(&json, target, with)).unwrap(), wanted, "{target:?} {with:?}");
        }
    }

    #[test]
    fn what_is_changed_keeps_its_shape() {
        let table = [
            ("true", "false"),
            ("41", "42"),
            ("9223372036854775807", "0"),
            ("1.50", "0.5"),
            (r#""2026-09-21""#, r#""1016-09-12" "2026-09-21x y""#),
            (r#""سارة""#, r#""سارةx y""#),
            ("null", ""),
        ];
        for (value, wanted) in table {
            assert_eq!(changed(&Json::parse(value.as_bytes(), 1).unwrap()).join(" "), wanted, "{value}");
        }
    }

    #[test]
    fn what_is_called_otherwise_is_compared_with_what_it_was_called() {
        let contribution = |id: &str, title: &str| Contribution {
            kind: KindId(0),
            source_id: id.to_owned(),
            fields: vec![(0, Value::Text(title.to_owned())), (1, Value::Boolean(true))],
        };
        let entity = |id: &str| Effect::Entity(KindId(0), id.to_owned());
        let field = |id: &str, nth: u16| Effect::Field(KindId(0), id.to_owned(), nth);
        let found = |before: &[Contribution], now: &[Contribution]| differences(&said(before), &said(now));
        let before = [contribution("a", "A"), contribution("c", "C")];
        let table = [
            (vec![contribution("a", "A"), contribution("c", "D")], vec![field("c", 0)]),
            (vec![contribution("b", "B"), contribution("c", "C")], vec![field("a", 0), entity("a"), entity("b")]),
            (vec![contribution("b", "A"), contribution("c", "C")], vec![entity("a"), entity("b")]),
            (vec![contribution("c", "C")], vec![entity("a")]),
            (before.to_vec(), vec![]),
        ];
        for (now, wanted) in table {
            assert_eq!(found(&before, &now), wanted.into_iter().collect::<BTreeSet<_>>(), "{now:?}");
        }
    }
}
