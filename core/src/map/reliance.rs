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
        let variant = |nth: usize, with: Option<&str>| Variant {
            nth,
            body: varied(&body, Some(nth).filter(|nth| *nth < bodies), with),
            ancestors: varied(&ancestors, nth.checked_sub(bodies), with),
        };
        let whole = Variant { nth: usize::MAX, body: input.body.to_vec(), ancestors: input.ancestors.to_vec() };
        let mut other = vec![whole];
        for (nth, (_, value)) in all.iter().enumerate().take(tried) {
            other.extend(changed(value).iter().map(|with| variant(nth, Some(with))));
        }
        let mut answers = map(&other)?.into_iter();
        let original = answers.next().map(|mapped| mapped.outcome);
        let Some(Outcome::Contributions(original)) = original else { return Ok(Reliance::default()) };
        let mut findings = vec![Finding::default(); tried];
        findings_of(&original, &other[1..], answers, &mut findings);
        let left: Vec<_> =
            (0..tried).filter(|nth| findings[*nth].effects.is_empty()).map(|nth| variant(nth, None)).collect();
        findings_of(&original, &left, map(&left)?.into_iter(), &mut findings);
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

fn differences(before: &Said<'_>, now: &Said<'_>) -> BTreeSet<Effect> {
    let mut effects = BTreeSet::new();
    for (key @ (kind, source_id), fields) in
        before.iter().chain(now.iter().filter(|(key, _)| !before.contains_key(*key)))
    {
        let (Some(before), Some(now)) = (before.get(key), now.get(key)) else {
            effects.insert(Effect::Entity(*kind, (*source_id).to_owned()));
            continue;
        };
        let names = fields.keys().chain(now.keys());
        let differing = names.filter(|field| before.get(*field) != now.get(*field));
        effects.extend(differing.map(|field| Effect::Field(*kind, (*source_id).to_owned(), *field)));
    }
    effects
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
    use super::{changed, leaves, varied};
    use crate::json::Json;

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
}
